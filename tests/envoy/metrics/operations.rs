//! What operators are told and may do, and what nobody else gets to know.

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};
use weir_testbed::wait;

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

/// The section `operations`, for whoever has the token.
pub(super) fn section() -> Value {
    json!({"path": "/weir/metrics", "token_sha256": sha256(TOKEN)})
}

/// A request of an operator's.
pub(super) fn ask(gateway: &Gateway, method: &str, endpoint: &str) -> Message {
    Request::new(method, &format!("/weir/metrics{endpoint}"))
        .field("x-weir-token", TOKEN)
        .ask(gateway.address())
}

/// The JSON that an endpoint answers with.
pub(super) fn read(gateway: &Gateway, endpoint: &str) -> Value {
    json_of(&ask(gateway, "GET", endpoint))
}

pub(super) fn json_of(answer: &Message) -> Value {
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The statistics, once so many exchanges were counted.
pub(super) fn await_requests(gateway: &Gateway, expected: u64) -> Value {
    let counted = || Some(read(gateway, "/stats")).filter(|stats| stats["requests"] == expected);
    let counted = wait::until(PATIENCE, counted);
    counted.unwrap_or_else(|| panic!("not {expected}: {:#}", read(gateway, "/stats")))
}

#[test]
fn an_outsider_learns_nothing_and_every_slip_is_told() {
    let origin = Origin::plain();
    let configuration = json!({"operations": section(), "health": {}});
    let gateway = Setup::new("metrics", &configuration, origin.address()).workers(2).start();
    let endpoints = ["", "/", "/stats", "/errors", "/reset", "/health/live", "/nothing"];
    for method in ["GET", "POST", "DELETE"] {
        for token in [None, Some("open sesami")] {
            let mut answers: Vec<Message> = endpoints
                .iter()
                .map(|endpoint| {
                    let request = Request::new(method, &format!("/weir/metrics{endpoint}"));
                    let request = match token {
                        Some(token) => request.field("authorization", format!("Bearer {token}")),
                        None => request,
                    };
                    let mut answer = request.ask(gateway.address());
                    answer.fields.0.retain(|(name, _)| name != "date");
                    answer
                })
                .collect();
            answers.dedup();
            assert_eq!((answers.len(), answers[0].status()), (1, 401), "{answers:?}");
            assert_eq!(answers[0].field("content-type"), Some("application/problem+json"));
        }
    }
    let index = read(&gateway, "");
    for endpoint in index["endpoints"].as_array().unwrap() {
        let path = endpoint["path"].as_str().unwrap().split('?').next().unwrap();
        let method = endpoint["method"].as_str().unwrap();
        let answer = Request::new(method, path).field("x-weir-token", TOKEN).ask(gateway.address());
        assert_eq!(answer.status(), 200, "{method} {path}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/json"), "{method} {path}");
    }
    for (method, endpoint, status, said) in [
        ("GET", "/stat", 404, r#"There is nothing at "/stat"; did you mean "/stats"?"#),
        ("DELETE", "/stats", 405, "This resource has the methods GET, HEAD."),
        ("GET", "/reset", 405, "This resource has the methods POST."),
        ("POST", "/health/ready", 405, "This resource has the methods GET, HEAD."),
        ("GET", "/stats?top=1", 400, "The parameters cannot be read; see problems."),
    ] {
        let answer = ask(&gateway, method, endpoint);
        let problem = json_of(&answer);
        assert_eq!(
            (answer.status(), &problem["detail"]),
            (status, &json!(said)),
            "{method} {endpoint}"
        );
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert_eq!(answer.field("allow").is_some(), status == 405);
    }
    let with_body = Request::new("POST", "/weir/metrics/reset")
        .field("x-weir-token", TOKEN)
        .body("everything")
        .ask(gateway.address());
    assert_eq!(
        (with_body.status(), &json_of(&with_body)["problems"]),
        (400, &json!(["body: found one, allowed none; send none"]))
    );
    let empty_body = Request::new("POST", "/weir/metrics/reset")
        .field("x-weir-token", TOKEN)
        .body("")
        .ask(gateway.address());
    assert_eq!(empty_body.status(), 200, "{empty_body:?}");
    let head = ask(&gateway, "HEAD", "/stats");
    assert_eq!((head.status(), head.body.len()), (200, 0), "{head:?}");
    assert_eq!(origin.hits(), 0, "nothing below the path reaches the service");
    assert_eq!(gateway.get("/weir/metricsx").text(), "/weir/metricsx");
    let audits = gateway.messages();
    let line = "metrics: operations reset requests=0 by=127.0.0.1".to_owned();
    assert!(audits.contains(&line), "{audits:#?}");
    assert!(!audits.iter().any(|line| line.contains(TOKEN) || line.contains(&sha256(TOKEN))));
}

#[test]
fn failures_are_listed_with_their_reasons_and_nothing_personal() {
    let origin = Origin::start(|request| match request.target().split('?').next() {
        Some("/ill") => Act::response(500, &[], ""),
        Some("/slow/hangs") => Act::Hang,
        Some("/cut") => Act::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
        _ => Act::response(200, &[], ""),
    });
    let routes = json!([
        {"name": "dead", "match": {"prefix": "/dead"}, "route": {"cluster": "deserted"}},
        {"name": "slow", "match": {"prefix": "/slow"}, "route": {"cluster": "upstream", "timeout": "0.2s"}},
        {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]);
    let configuration = |errors: Value| json!({"operations": section(), "errors": errors});
    let gateway = Setup::new("metrics", &configuration(json!({})), origin.address())
        .routes(routes)
        .workers(4)
        .start();
    for target in [
        "/ill?secret=1",
        "/dead?secret=2",
        "/slow/hangs?secret=3",
        "/cut?secret=4",
        "/fine",
        "/none",
    ] {
        let request = Request::get(target)
            .field("user-agent", "tester/1")
            .field("x-forwarded-for", "192.0.2.9");
        let _ = request.try_ask(gateway.address());
    }
    await_requests(&gateway, 6);
    let errors = read(&gateway, "/errors");
    assert_eq!((&errors["failures"], &errors["max"]), (&json!(4), &json!(100)), "{errors:#}");
    let told: Vec<(String, u64, String, Value)> = errors["latest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| {
            let details = failure["details"].as_str().unwrap();
            let text = |name: &str| failure[name].as_str().unwrap().to_owned();
            let reason = details.split('{').next().unwrap().to_owned();
            (text("route"), failure["status"].as_u64().unwrap(), reason, failure["flags"].clone())
        })
        .collect();
    let expected = |route: &str, status: u64, reason: &str, flags: Value| {
        (route.to_owned(), status, reason.to_owned(), flags)
    };
    assert_eq!(
        told,
        [
            expected("all", 200, "upstream_reset_after_response_started", json!(["UPE"])),
            expected("slow", 504, "response_timeout", json!(["UT"])),
            expected("dead", 503, "no_healthy_upstream", json!(["UH"])),
            expected("all", 500, "via_upstream", json!([])),
        ],
        "{errors:#}"
    );
    for personal in ["secret", "192.0.2.9", "tester"] {
        assert!(!errors.to_string().contains(personal), "{personal}: {errors:#}");
    }
    assert!(gateway.update(&configuration(json!({"address": true, "user_agent": true, "max": 2}))));
    let last = || {
        Request::get("/ill")
            .field("user-agent", "tester/1")
            .field("x-forwarded-for", "192.0.2.9")
            .ask(gateway.address());
        let latest = read(&gateway, "/errors")["latest"].clone();
        (latest[0]["address"] == "192.0.2.9" && latest.as_array()?.len() == 2).then_some(latest)
    };
    let latest = wait::until(PATIENCE, last).expect("the new configuration counts");
    assert_eq!(latest[0]["user_agent"], "tester/1");
}

#[test]
fn in_the_gateway_operations_pass_the_other_filters_by_and_flow_adds_up() {
    let origin = Origin::start(|request| match request.target() {
        "/ill" => Act::response(500, &[], ""),
        target => Act::response(200, &[("cache-control", "max-age=600")], target),
    });
    let configuration = json!({
        "metrics": {"operations": section(), "health": {"open": true}},
        "rate_limit": {
            "operations": {"path": "/weir/rate-limit", "token_sha256": sha256(TOKEN)},
            "rules": [{"name": "few", "match": {"path": {"prefix": "/few"}}, "limits": [{"quota": 2, "window": "1h"}]}],
        },
        "response_cache": {},
        "circuit_breaker": {"rules": [{
            "name": "ill", "match": {"path": {"prefix": "/ill"}}, "consecutive": {"failures": 2},
            "ratio": {"enabled": false}, "open": {"time": "1h", "max_time": "1h"},
        }]},
    });
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(4).start();
    let mut sent = 0_u64;
    let mut send = |target: &str, expected: u16| {
        sent += 1;
        assert_eq!(gateway.get(target).status(), expected, "{target}");
    };
    for expected in [200, 200, 429, 429, 429] {
        send("/few", expected);
    }
    for _ in 0..10 {
        send("/stored", 200);
    }
    send("/ill", 500);
    send("/ill", 500);
    gateway.await_metric("weir_circuit_breaker_state;breaker=ill/upstream", 2);
    for _ in 0..3 {
        send("/ill", 503);
    }
    let stats = await_requests(&gateway, sent);
    assert_eq!(
        stats["flow"],
        json!({"limited": 3, "hit": 10, "stale": 0, "refused": 3, "upstream": 4, "local": 0, "aborted": 0}),
        "{stats:#}"
    );
    assert_eq!(stats["by_status"], json!({"200": 12, "429": 3, "500": 2, "503": 3}));
    assert_eq!(stats["decisions"]["rate-limit"]["limit"], 3);
    assert_eq!(stats["decisions"]["response-cache"]["hit"], 10);
    assert_eq!(stats["decisions"]["circuit-breaker"]["open"], 3);
    let status = read(&gateway, "/health/status");
    assert_eq!(status["breakers"], json!({"not_closed": 1}));
    assert_eq!(status["cache"]["entries"], 2, "{status:#}");
    assert!(status["cache"]["bytes"].as_u64().unwrap() > 0);
    let other = Request::get("/weir/rate-limit/rules").field("x-weir-token", TOKEN);
    assert_eq!(other.ask(gateway.address()).status(), 200, "each section has its own");
    assert_eq!(gateway.get("/weir/metrics/health/live").status(), 200);
    assert_eq!(ask(&gateway, "GET", "/stats").field("cache-status"), None);
    assert_eq!(origin.hits(), 4);
}
