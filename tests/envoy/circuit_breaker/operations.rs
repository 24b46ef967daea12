//! What operators see of the breakers, and what their hand does to requests on every worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};
use weir_testbed::wait;

use super::patient;

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

/// Requests by which each of four workers is met.
const MANY: usize = 40;

/// The section `operations`, for whoever has the token.
pub(super) fn section() -> Value {
    json!({"path": "/weir/breakers", "token_sha256": sha256(TOKEN)})
}

fn ask(gateway: &Gateway, method: &str, endpoint: &str) -> Message {
    Request::new(method, &format!("/weir/breakers{endpoint}"))
        .field("x-weir-token", TOKEN)
        .ask(gateway.address())
}

/// The JSON of an answer with this status.
fn told(gateway: &Gateway, status: u16, method: &str, endpoint: &str) -> Value {
    let answer = ask(gateway, method, endpoint);
    assert_eq!(answer.status(), status, "{method} {endpoint}: {answer:?}");
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The JSON that an endpoint answers with.
pub(super) fn read(gateway: &Gateway, endpoint: &str) -> Value {
    told(gateway, 200, "GET", endpoint)
}

/// Does something to breakers.
pub(super) fn act(gateway: &Gateway, method: &str, endpoint: &str) -> Value {
    told(gateway, 200, method, endpoint)
}

/// The one breaker that this lists.
pub(super) fn breaker(gateway: &Gateway, query: &str) -> Value {
    let list = read(gateway, &format!("/breakers?{query}"));
    assert_eq!(list["total"], 1, "{list:#}");
    list["breakers"][0].clone()
}

/// Changes of state as `from>to cause`, with the scope in front.
fn events(gateway: &Gateway) -> Vec<String> {
    let list = read(gateway, "/events");
    let entries = list["events"].as_array().unwrap().iter();
    let word = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let line = |event: &Value| {
        let [scope, from, to, cause] =
            ["scope", "from", "to", "cause"].map(|name| word(event, name));
        format!("{scope} {from}>{to} {cause}")
    };
    entries.map(line).collect()
}

/// A rule that opens after three failures for an hour.
fn configuration(rule: &Value) -> Value {
    let mut merged = json!({
        "name": "all", "consecutive": {"failures": 3}, "ratio": {"enabled": false},
        "open": {"time": "1h", "max_time": "1h"},
    });
    for (field, value) in rule.as_object().unwrap() {
        merged[field] = value.clone();
    }
    json!({"operations": section(), "rules": [merged]})
}

fn statuses(gateway: &Gateway) -> Vec<u16> {
    let mut statuses: Vec<u16> = (0..MANY).map(|_| gateway.get("/").status()).collect();
    statuses.dedup();
    statuses
}

#[test]
fn an_outsider_learns_nothing_and_reaches_nothing() {
    let origin = Origin::plain();
    let gateway = Setup::new("circuit-breaker", &configuration(&json!({})), origin.address())
        .workers(2)
        .start();
    let endpoints = [
        "",
        "/",
        "/rules",
        "/breakers",
        "/events",
        "/control?all=true",
        "/reset?all=true",
        "/nothing",
    ];
    for method in ["GET", "PUT", "DELETE", "POST"] {
        for token in [None, Some("open sesami")] {
            for endpoint in endpoints {
                let target = format!("/weir/breakers{endpoint}");
                let request = Request::new(method, &target);
                let request = match token {
                    Some(token) => request.field("x-weir-token", token),
                    None => request,
                };
                let answer = request.ask(gateway.address());
                assert_eq!(answer.status(), 401, "{method} {endpoint}: {answer:?}");
                assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
                assert!(!answer.text().contains("all"), "{answer:?}");
            }
        }
    }
    assert_eq!((origin.hits(), gateway.get("/").status()), (0, 200));
    let mut without = configuration(&json!({}));
    without.as_object_mut().unwrap().remove("operations");
    assert!(gateway.update(&without));
    assert_eq!(ask(&gateway, "GET", "/rules").text(), "/weir/breakers/rules", "a path like others");
}

#[test]
fn every_endpoint_answers_and_every_slip_is_told() {
    let origin = Origin::plain();
    let gateway =
        Setup::new("circuit-breaker", &configuration(&json!({})), origin.address()).start();
    gateway.get("/");
    let index = read(&gateway, "");
    for endpoint in index["endpoints"].as_array().unwrap() {
        let (method, path) =
            (endpoint["method"].as_str().unwrap(), endpoint["path"].as_str().unwrap());
        let path = path.split('?').next().unwrap().replace("NAME", "all");
        let query = match (method, path.ends_with("/control")) {
            ("PUT", _) => "?mode=metrics_only&all=true",
            ("POST", _) | (_, true) => "?all=true",
            _ => "",
        };
        let answer = Request::new(method, &format!("{path}{query}"))
            .field("authorization", format!("Bearer {TOKEN}"))
            .ask(gateway.address());
        assert_eq!(answer.status(), 200, "{method} {path}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    assert_eq!(read(&gateway, "/rules/all")["rules"][0]["per"], "cluster");
    let before = read(&gateway, "/events")["total"].clone();
    for (method, endpoint, status, said) in [
        ("GET", "/event", 404, r#"There is nothing at "/event"; did you mean "/events"?"#),
        ("GET", "/breakers?rule=al", 404, r#"There is no rule "al"; did you mean "all"?"#),
        ("GET", "/control", 405, "This resource has the methods PUT, DELETE."),
        ("DELETE", "/reset?all=true", 405, "This resource has the methods POST."),
        ("PATCH", "/rules", 405, "This resource has the methods GET, HEAD."),
        ("PUT", "/control", 400, "The parameters cannot be read; see problems."),
    ] {
        let answer = ask(&gateway, method, endpoint);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{answer:?}");
        let allow = said.strip_prefix("This resource has the methods ");
        assert_eq!(answer.field("allow"), allow.map(|allow| allow.trim_end_matches('.')));
        let problem = told(&gateway, status, method, endpoint);
        assert_eq!((&problem["detail"], &problem["status"]), (&json!(said), &json!(status)));
    }
    let slip = told(&gateway, 400, "PUT", "/control?mode=open&for=1y&rule=all&scop=upstream&id=");
    assert_eq!(
        slip["problems"],
        json!([
            r#"scop: unknown parameter; did you mean "scope"?"#,
            r#"mode: found "open", allowed force_open, force_closed, disable or metrics_only; choose one of them"#,
            r#"for: found "1y", allowed 1s to 30d; the units are d, h, m, s, ms, us and ns"#,
            r#"id: found "", allowed a text; fill it in, or remove the parameter"#,
        ])
    );
    assert_eq!(read(&gateway, "/events")["total"], before, "no slip did anything");
    let other = Request::new("POST", "/weir/breakers/reset?all=true")
        .field("x-weir-token", TOKEN)
        .field("origin", "https://elsewhere.example")
        .ask(gateway.address());
    assert_eq!(other.status(), 403, "{other:?}");
}

#[test]
fn a_hand_is_felt_on_every_worker_at_once() {
    let origin = Origin::plain();
    let gateway = Setup::new("circuit-breaker", &configuration(&json!({})), origin.address())
        .workers(4)
        .start();
    assert_eq!(statuses(&gateway), [200]);
    let one = "rule=all&scope=upstream";
    for _ in 0..5 {
        let held = act(&gateway, "PUT", &format!("/control?mode=force_open&{one}&for=10m"));
        assert_eq!(
            (&held["breakers"][0]["from"], &held["breakers"][0]["to"]),
            (&json!("closed"), &json!("open"))
        );
        let before = origin.hits();
        assert_eq!(statuses(&gateway), [503]);
        assert_eq!(origin.hits(), before, "nothing gets through");
        assert_eq!(gateway.metric("weir_circuit_breaker_state;breaker=all/upstream"), 2);
        let refused = gateway.get("/");
        assert_eq!(refused.field("x-weir-breaker"), Some("all; reason=forced"));
        let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((590..=600).contains(&seconds), "{seconds}");
        let listed = breaker(&gateway, "state=open");
        assert_eq!(
            (&listed["scope"], &listed["held"]["control"]),
            (&json!("upstream"), &json!("force_open"))
        );

        let free = act(&gateway, "DELETE", &format!("/control?{one}"));
        assert_eq!(free["breakers"][0]["to"], "closed");
        assert_eq!(statuses(&gateway), [200]);
        assert_eq!(gateway.metric("weir_circuit_breaker_state;breaker=all/upstream"), 0);
        assert_eq!(gateway.metric("weir_circuit_breaker_not_closed"), 0);
    }
    let count = |from: &str, to: &str| {
        let labels = format!("breaker=all/upstream;from={from};to={to}");
        gateway.metric(&format!("weir_circuit_breaker_transitions_total;{labels}"))
    };
    assert_eq!((count("closed", "open"), count("open", "closed")), (5, 5));
    let one_round = ["upstream closed>open operator", "upstream open>closed released"];
    assert_eq!(events(&gateway), one_round.repeat(5));
    assert_eq!(read(&gateway, "/events")["events"][0]["by"], "127.0.0.1");
    // Each line once.
    let messages = gateway.messages();
    let audits: Vec<&String> =
        messages.iter().filter(|line| line.contains("circuit-breaker: operations")).collect();
    assert_eq!(audits.len(), 2, "{messages:#?}");
    assert!(
        audits[0].ends_with(
            "operations control mode=force_open for=10m rule=all scope=upstream breakers=1 by=127.0.0.1"
        ),
        "{audits:?}"
    );
}

#[test]
fn a_hand_lets_go_when_its_time_is_over_and_forced_breakers_pass_all() {
    let (origin, _) = patient();
    let gateway = Setup::new("circuit-breaker", &configuration(&json!({})), origin.address())
        .workers(4)
        .start();
    // Not met yet: it is held before the first request comes.
    let new = act(&gateway, "PUT", "/control?mode=force_open&rule=all&scope=upstream&for=1s");
    assert_eq!(new["breakers"][0]["met"], json!(false), "{new:#}");
    assert_eq!((gateway.get("/").status(), origin.hits()), (503, 0));
    let passed = wait::until(PATIENCE, || (gateway.get("/").status() == 500).then_some(()));
    assert!(passed.is_some(), "it never let go");
    // The last one that ended may come to the log after its answer.
    act(&gateway, "PUT", "/control?mode=force_closed&rule=all");
    for _ in 0..MANY {
        assert_eq!(gateway.get("/").status(), 500, "closed whatever comes");
    }
    act(&gateway, "PUT", "/control?mode=disable&rule=all");
    assert_eq!(statuses(&gateway), [500]);
    let listed = breaker(&gateway, "");
    assert_eq!((&listed["state"], &listed["window"]["ended"]), (&json!("closed"), &json!(0)));
    act(&gateway, "PUT", "/control?mode=metrics_only&rule=all");
    assert_eq!(statuses(&gateway), [500], "it says that it is open, and rejects nothing");
    let opened = wait::until(PATIENCE, || (breaker(&gateway, "")["state"] == "open").then_some(()));
    assert!(opened.is_some(), "{:#}", breaker(&gateway, ""));
    assert_eq!(gateway.get("/").status(), 500);
    act(&gateway, "DELETE", "/control?rule=all");
    assert_eq!(statuses(&gateway), [503], "what it saw counts");
    act(&gateway, "POST", "/reset?rule=all");
    assert_eq!(gateway.get("/").status(), 500);
    assert_eq!(
        events(&gateway),
        [
            "upstream closed>open operator",
            "upstream open>closed released",
            "upstream closed>closed operator",
            "upstream closed>closed operator",
            "upstream closed>closed operator",
            "upstream closed>open consecutive",
            "upstream open>open released",
            "upstream open>closed reset",
        ]
    );
}

#[test]
fn the_list_says_how_requests_failed() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let gateway = Setup::new("circuit-breaker", &configuration(&json!({"per": "route"})), nowhere)
        .workers(2)
        .start();
    for _ in 0..3 {
        gateway.get("/refused");
    }
    let opened = wait::until(PATIENCE, || {
        let list = read(&gateway, "/breakers?state=open");
        (list["total"] == 1).then(|| list["breakers"][0].clone())
    });
    let listed = opened.expect("it opens");
    assert_eq!((&listed["scope"], &listed["per"]), (&json!("all"), &json!("route")));
    let failures = listed["last_failures"].as_array().unwrap();
    assert_eq!(failures.len(), 3, "{listed:#}");
    for failure in failures {
        let of = |name: &str| failure[name].as_str().unwrap_or_default();
        assert_eq!((&failure["status"], of("flags"), of("route")), (&json!(503), "UF", "all"));
        assert!(of("reason").starts_with("upstream_reset_before_response_started{"), "{failure}");
        assert!(of("at").starts_with("20") && of("at").ends_with('Z'), "{failure}");
    }
    assert!(listed["next_probe_seconds"].as_f64().unwrap() > 3_500.0, "{listed:#}");

    let origin = Origin::start(|_request| Act::Hang);
    let gateway =
        Setup::new("circuit-breaker", &configuration(&json!({"per": "route"})), origin.address())
            .start();
    assert_eq!(gateway.get("/slow").status(), 504);
    let failed = wait::until(PATIENCE, || {
        let failure = breaker(&gateway, "scope=slow")["last_failures"][0].clone();
        (!failure.is_null()).then_some(failure)
    });
    let failure = failed.expect("the failure is kept");
    assert_eq!((&failure["flags"], &failure["reason"]), (&json!("UT"), &json!("response_timeout")));
    let took = failure["duration_seconds"].as_f64().unwrap();
    // The route's timeout is a second, and Envoy's timers round.
    assert!((0.9..10.0).contains(&took), "{failure}");
}

/// Has clients stop, also when the test has failed.
struct Clients<'a>(&'a AtomicBool);

impl Drop for Clients<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Breakers of eight routes fail, recover and are taken in hand on four workers at once.
#[test]
fn events_come_once_each_and_in_order_whoever_does_what() {
    let (origin, is_ill) = patient();
    let routes: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("r{n}"), "match": {"prefix": format!("/{n}")}, "route": {"cluster": "upstream"}}))
        .collect();
    let rule = json!({"per": "route", "open": {"time": "100ms", "max_time": "100ms"}, "probes": {"successes": 1}});
    let gateway = Setup::new("circuit-breaker", &configuration(&rule), origin.address())
        .workers(4)
        .routes(json!(routes))
        .start();
    let is_over = AtomicBool::new(false);
    let total = || read(&gateway, "/events")["total"].as_u64().unwrap();
    // Acts that changed no state: events, but no transitions.
    let mut n_still = 0;
    thread::scope(|scope| {
        let _clients = Clients(&is_over);
        for n in 0..8 {
            let (gateway, is_over) = (&gateway, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    gateway.get(&format!("/{n}"));
                }
            });
        }
        for round in 0..4 {
            is_ill.store(true, Ordering::SeqCst);
            let one = format!("rule=all&scope=r{round}");
            let before = total();
            for (method, endpoint) in [
                ("PUT", format!("/control?mode=force_open&{one}")),
                ("DELETE", format!("/control?{one}")),
                ("POST", "/reset?rule=all".to_owned()),
            ] {
                let acted = act(&gateway, method, &endpoint);
                let acted = acted["breakers"].as_array().unwrap().iter();
                n_still += acted.filter(|one| one["from"] == one["to"]).count() as u64;
            }
            let moved = wait::until(PATIENCE, || (total() > before + 20).then_some(()));
            assert!(moved.is_some(), "{} events after {before}", total());
            is_ill.store(false, Ordering::SeqCst);
            let closed = wait::until(PATIENCE, || {
                (read(&gateway, "/breakers?state=closed")["total"] == 8).then_some(())
            });
            assert!(closed.is_some(), "{:#}", read(&gateway, "/breakers"));
        }
    });
    let counted = || -> u64 {
        let stats = gateway.envoy.stats("weir_circuit_breaker_transitions_total").unwrap();
        stats.values().sum()
    };
    let is_exact = wait::until(PATIENCE, || (total() == counted() + n_still).then_some(()));
    assert!(
        is_exact.is_some(),
        "{} events, {} transitions, {n_still} acts that changed no state",
        total(),
        counted()
    );
    let list = read(&gateway, "/events");
    let entries = list["events"].as_array().unwrap();
    assert_eq!(entries.len(), 64, "{counted} transitions", counted = counted());
    for n in 0..8 {
        let own: Vec<&Value> =
            entries.iter().filter(|event| event["scope"] == format!("r{n}")).collect();
        for pair in own.windows(2) {
            assert_eq!(pair[0]["to"], pair[1]["from"], "r{n}: {pair:#?}");
        }
    }
    assert_eq!(gateway.metric("weir_circuit_breaker_not_closed"), 0);
}
