//! What operators ask the limiter and make it forget, and what nobody else gets to know.

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::Origin;
use harness::token::sha256;
use serde_json::{Value, json};
use weir_testbed::wait;

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

/// The section `operations`, for whoever has the token.
pub(super) fn section() -> Value {
    json!({"path": "/weir/rate-limit", "token_sha256": sha256(TOKEN)})
}

/// A request of an operator's.
fn request(method: &str, endpoint: &str) -> Request {
    Request::new(method, &format!("/weir/rate-limit{endpoint}")).field("x-weir-token", TOKEN)
}

fn ask(gateway: &Gateway, method: &str, endpoint: &str) -> Message {
    request(method, endpoint).ask(gateway.address())
}

/// The JSON that an endpoint answers with.
pub(super) fn read(gateway: &Gateway, endpoint: &str) -> Value {
    json_of(&ask(gateway, "GET", endpoint))
}

fn json_of(answer: &Message) -> Value {
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// What is left of the first limit of the first rule that counts the described request.
pub(super) fn remaining(gateway: &Gateway, description: &str) -> u64 {
    let state = read(gateway, &format!("/state?{description}"));
    let rules = state["rules"].as_array().unwrap();
    let counts = rules.iter().find(|rule| rule["standing"] == "counted");
    counts.unwrap_or_else(|| panic!("{state:#}"))["limits"][0]["remaining"].as_u64().unwrap()
}

/// Waits until so much is left: what a request came to is known when it is over, after its answer.
pub(super) fn await_remaining(gateway: &Gateway, description: &str, expected: u64) {
    let is_it = || (remaining(gateway, description) == expected).then_some(());
    if wait::until(PATIENCE, is_it).is_none() {
        let found = read(gateway, &format!("/state?{description}"));
        panic!("{expected} should be left: {found:#}");
    }
}

/// A rule of one request per hour and address, and what else it says.
fn rule(name: &str, mut rest: Value) -> Value {
    rest["name"] = json!(name);
    rest["limits"] = json!([{"quota": 1, "window": "1h"}]);
    rest
}

fn from(address: &str, target: &str) -> Request {
    Request::get(target).field("x-forwarded-for", address)
}

#[test]
fn an_outsider_learns_nothing_and_an_operator_costs_nothing() {
    let origin = Origin::plain();
    let configuration = |operations: Value| json!({"operations": operations, "fields": {"ratelimit": "ietf"}, "rules": [rule("one", json!({}))]});
    let mut guarded = section();
    guarded["source"] = json!("192.0.2.0/24");
    let gateway =
        Setup::new("rate-limit", &configuration(guarded), origin.address()).workers(2).start();
    let endpoints = ["", "/", "/rules", "/rules/one", "/state", "/top", "/nothing", "/rules/two"];
    for method in ["GET", "DELETE", "POST", "PURGE"] {
        let answers = |address: &str, token: Option<&str>| -> Vec<Message> {
            let ask = |endpoint: &&str| {
                let target = format!("/weir/rate-limit{endpoint}");
                let request = Request::new(method, &target).field("x-forwarded-for", address);
                let request = match token {
                    Some(token) => request.field("authorization", format!("Bearer {token}")),
                    None => request,
                };
                let mut answer = request.ask(gateway.address());
                answer.fields.0.retain(|(name, _)| name != "date");
                answer
            };
            let mut answers: Vec<Message> = endpoints.iter().map(ask).collect();
            answers.dedup();
            answers
        };
        let elsewhere = answers("198.51.100.1", Some(TOKEN));
        assert_eq!((elsewhere.len(), elsewhere[0].status()), (1, 403), "{elsewhere:?}");
        assert_eq!(answers("198.51.100.1", None), elsewhere);
        let unknown = answers("192.0.2.1", None);
        assert_eq!((unknown.len(), unknown[0].status()), (1, 401), "{unknown:?}");
        assert_eq!(answers("192.0.2.1", Some("open sesami")), unknown);
        for answer in elsewhere.iter().chain(&unknown) {
            let text = format!("{answer:?} {}", answer.text());
            assert!(!text.contains("one") && !text.contains("ratelimit"), "{text}");
        }
    }
    for _ in 0..3 {
        let operator = from("192.0.2.1", "/weir/rate-limit/rules")
            .field("authorization", format!("Bearer {TOKEN}"))
            .ask(gateway.address());
        assert_eq!(operator.status(), 200, "{operator:?}");
        assert_eq!(operator.field("ratelimit"), None, "{operator:?}");
    }
    assert_eq!(origin.hits(), 0, "nothing below the path reaches the service");
    assert_eq!(from("192.0.2.1", "/").ask(gateway.address()).status(), 200, "not charged yet");
    assert_eq!(from("192.0.2.1", "/").ask(gateway.address()).status(), 429);
    let beside = from("192.0.2.2", "/weir/rate-limits").ask(gateway.address());
    assert_eq!((beside.status(), beside.text().as_str()), (200, "/weir/rate-limits"));

    let mut without = configuration(json!(null));
    without.as_object_mut().unwrap().remove("operations");
    assert!(gateway.update(&without));
    let ordinary = from("192.0.2.3", "/weir/rate-limit/rules")
        .field("x-weir-token", TOKEN)
        .ask(gateway.address());
    assert_eq!(ordinary.text(), "/weir/rate-limit/rules", "without operations a path like others");
}

#[test]
fn every_endpoint_answers_and_every_slip_is_told() {
    let origin = Origin::plain();
    let configuration = json!({"operations": section(), "rules": [
        rule("general", json!({"enforce": "25%", "key": ["address", "path"]})),
        rule("login", json!({"mode": "shadow", "match": {"path": {"exact": "/login"}}, "show_keys": true})),
        rule("later", json!({"mode": "off", "refund": {"cache_hits": true},
            "cost": {"from": "status", "values": {"5xx": 0}}})),
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let index = read(&gateway, "");
    assert_eq!(read(&gateway, "/"), index);
    for endpoint in index["endpoints"].as_array().unwrap() {
        let path = endpoint["path"].as_str().unwrap().replace("NAME", "login");
        let path = path.split('?').next().unwrap().to_owned();
        let method = endpoint["method"].as_str().unwrap();
        let answer =
            Request::new(method, &path).field("x-weir-token", TOKEN).ask(gateway.address());
        assert_eq!(answer.status(), 200, "{method} {path}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/json"), "{method} {path}");
    }
    let rules = read(&gateway, "/rules");
    assert_eq!(
        rules["rules"][0],
        json!({
            "name": "general", "mode": "enforce", "share": "25%", "match": "every request",
            "key": "address (IPv6 by /64) and path, else one key for all",
            "quotas": [{"limits": ["1 per 1h"], "max_keys": 65_536}], "shows_keys": false,
        })
    );
    let modes: Vec<&Value> =
        rules["rules"].as_array().unwrap().iter().map(|rule| &rule["mode"]).collect();
    assert_eq!(modes, ["enforce", "shadow", "off"]);
    let later = &rules["rules"][2];
    assert_eq!(later["cost"], "0 for 5xx, else 1, 1 until it is known");
    assert_eq!(later["settlement"], "answers from the cache given back");
    assert_eq!(read(&gateway, "/rules/login")["rules"], json!([rules["rules"][1]]));
    let head = ask(&gateway, "HEAD", "/rules");
    assert_eq!((head.status(), head.body.len()), (200, 0), "{head:?}");

    for (method, endpoint, status, said) in [
        ("GET", "/rule", 404, r#"There is nothing at "/rule"; did you mean "/rules"?"#),
        (
            "GET",
            "/rules/",
            404,
            r#"There is nothing at "/rules/"; add the rule's name, or remove the slash to mean every rule"#,
        ),
        (
            "DELETE",
            "/rules/",
            404,
            r#"There is nothing at "/rules/"; add the rule's name, or remove the slash to mean every rule"#,
        ),
        ("DELETE", "/rules/logn", 404, r#"There is no rule "logn"; did you mean "login"?"#),
        (
            "GET",
            "/state?rule=xyz",
            404,
            r#"There is no rule "xyz"; the rules are general, login, later"#,
        ),
        ("POST", "/rules", 405, "This resource has the methods GET, HEAD, DELETE."),
        ("DELETE", "/top", 405, "This resource has the methods GET, HEAD."),
        ("DELETE", "", 405, "This resource has the methods GET, HEAD."),
        (
            "GET",
            "/state?adress=192.0.2.1&method=a%20b",
            400,
            "The parameters cannot be read; see problems.",
        ),
        ("DELETE", "/rules?rule=login", 400, "The parameters cannot be read; see problems."),
    ] {
        let answer = ask(&gateway, method, endpoint);
        assert_eq!(answer.status(), status, "{method} {endpoint}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        let problem = json_of(&answer);
        assert_eq!(
            (&problem["detail"], &problem["status"]),
            (&json!(said), &json!(status)),
            "{method} {endpoint}"
        );
        assert_eq!(
            answer.field("allow"),
            (status == 405).then(|| said.trim_end_matches('.').rsplit("methods ").next().unwrap()),
        );
    }
    let problems = read(&gateway, "/state?adress=192.0.2.1&method=a%20b")["problems"].clone();
    assert_eq!(
        problems,
        json!([
            r#"adress: unknown parameter; did you mean "address"?"#,
            r#"method: found "a b", allowed a method such as "POST"; write it as requests have it"#,
        ])
    );
    let unknown = ask(&gateway, "DELETE", "/rules?rule=login");
    assert_eq!(
        json_of(&unknown)["problems"],
        json!(["rule: unknown parameter, allowed none; remove it"])
    );
    let slips: Vec<String> = gateway.messages();
    let audits = slips.iter().filter(|line| line.contains("operations reset")).count();
    assert_eq!(audits, 4, "the resets of the index and no slip: {slips:#?}");
}

#[test]
fn the_state_of_a_request_is_told_without_charging_it() {
    let origin = Origin::plain();
    let configuration = json!({
        "operations": section(),
        "exempt": [{"path": {"exact": "/health"}}],
        "rules": [
            {"name": "general", "key": ["address", "header:x-client"], "on_missing": "deny",
                "limits": [{"quota": 2, "window": "1h"}, {"name": "daily", "algorithm": "fixed_window", "quota": 5, "window": "1d"}]},
            {"name": "post", "match": {"methods": "POST"}, "mode": "shadow", "show_keys": true,
                "limits": [{"algorithm": "concurrency", "quota": 3, "lease": "1m"}]},
        ],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let described = "address=192.0.2.1&header.x-client=a";
    for _ in 0..3 {
        let state = read(&gateway, &format!("/state?{described}"));
        assert_eq!(state["admits"], json!(true));
        assert_eq!(state["request"]["address"], "192.0.2.1");
        assert_eq!(state["rules"][1]["standing"], "not_matching");
        assert_eq!(
            state["rules"][0]["limits"],
            json!([
                {"name": "general.1h", "algorithm": "gcra", "quota": 2, "window_seconds": 3_600,
                    "remaining": 2, "next_seconds": 0, "reset_seconds": 0},
                {"name": "daily", "algorithm": "fixed_window", "quota": 5, "window_seconds": 86_400,
                    "remaining": 5, "next_seconds": 0, "reset_seconds": 0},
            ])
        );
        assert_eq!(state["rules"][0]["key"]["text"], Value::Null, "hidden unless shown");
    }
    let request = from("192.0.2.1", "/").field("x-client", "a");
    let statuses = [(); 3].map(|()| request.ask(gateway.address()).status());
    assert_eq!(statuses, [200, 200, 429]);
    let spent = read(&gateway, &format!("/state?{described}"));
    assert_eq!((&spent["admits"], &spent["rules"][0]["admits"]), (&json!(false), &json!(false)));
    let [hourly, daily] = [0, 1].map(|idx| spent["rules"][0]["limits"][idx].clone());
    assert_eq!((&hourly["remaining"], &daily["remaining"]), (&json!(0), &json!(3)));
    let seconds = |limit: &Value, name: &str| limit[name].as_f64().unwrap();
    assert!((1_790.0..=1_800.0).contains(&seconds(&hourly, "next_seconds")), "{hourly}");
    assert!((3_590.0..=3_600.0).contains(&seconds(&hourly, "reset_seconds")), "{hourly}");
    assert_eq!(daily["next_seconds"], 0, "{daily}");

    let other = read(&gateway, "/state?address=192.0.2.1&header.x-client=b&method=POST");
    assert_eq!((&other["admits"], &other["rules"][1]["mode"]), (&json!(true), &json!("shadow")));
    assert_eq!(other["rules"][1]["key"]["text"], "address 192.0.2.1", "{other:#}");
    let keyless = read(&gateway, "/state?address=192.0.2.1");
    assert_eq!(
        (&keyless["admits"], &keyless["rules"][0]["standing"]),
        (&json!(false), &json!("keyless"))
    );
    let exempt = read(&gateway, "/state?path=%2Fhealth");
    assert_eq!(
        (&exempt["admits"], &exempt["rules"][0]["standing"]),
        (&json!(true), &json!("exempt"))
    );
}

#[test]
fn a_reset_frees_what_it_names_and_says_so_in_the_log() {
    let origin = Origin::plain();
    let configuration = json!({
        "operations": section(),
        "plans": {"names": ["free", "paid"], "absent": "free", "sources": [{"value": "header:x-plan"}]},
        "rules": [
            rule("a", json!({"match": {"path": {"exact": "/a"}}})),
            rule("b", json!({"match": {"path": {"exact": "/b"}}})),
            {"name": "c", "match": {"path": {"exact": "/c"}}, "limits": {"paid": [{"quota": 1, "window": "1h"}]}},
        ],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let clients = ["192.0.2.1", "192.0.2.2"];
    let admitted = || -> Vec<String> {
        let mut admitted = Vec::new();
        for target in ["/a", "/b", "/c"] {
            for client in clients {
                let request = from(client, target).field("x-plan", "paid");
                if request.ask(gateway.address()).status() == 200 {
                    admitted.push(format!("{target} {client}"));
                }
            }
        }
        admitted
    };
    let keys = |rule: &str| gateway.metric(&format!("weir_rate_limit_keys;rule={rule}"));
    let forgotten = |endpoint: &str| json_of(&ask(&gateway, "DELETE", endpoint))["reset"].clone();
    assert_eq!(admitted().len(), 6);
    assert!(admitted().is_empty());
    assert_eq!((keys("a"), keys("b")), (2, 2));

    let one = forgotten("/state?address=192.0.2.1&path=%2Fa");
    assert_eq!(
        (&one[0]["rule"], &one[0]["keys"], one.as_array().unwrap().len()),
        (&json!("a"), &json!(1), 1),
        "{one}"
    );
    assert_eq!(keys("a"), 1);
    assert_eq!(admitted(), ["/a 192.0.2.1"]);
    let nobody = forgotten("/state?address=192.0.2.77&path=%2Fa");
    assert_eq!(nobody[0]["keys"], 0);
    let planned = forgotten("/state?address=192.0.2.2&path=%2Fc&header.x-plan=paid");
    assert_eq!(
        (&planned[0]["plan"], &planned[0]["keys"]),
        (&json!("paid"), &json!(1)),
        "{planned}"
    );
    assert_eq!(admitted(), ["/c 192.0.2.2"]);

    let rule = forgotten("/rules/b");
    assert_eq!(rule, json!([{"rule": "b", "max_keys": 65_536}]));
    assert_eq!(keys("b"), 0);
    assert_eq!(admitted(), ["/b 192.0.2.1", "/b 192.0.2.2"]);
    assert_eq!(forgotten("/rules").as_array().unwrap().len(), 3);
    assert_eq!(admitted().len(), 6);
    assert!(admitted().is_empty());

    let log = gateway.messages();
    let hash = one[0]["key"]["hash"].as_str().unwrap();
    for line in [
        format!("rate-limit: operations reset rule=a key={hash} keys=1 by=127.0.0.1"),
        "rate-limit: operations reset rule=b key=all max_keys=65536 by=127.0.0.1".to_owned(),
        "rate-limit: operations reset rule=c plan=paid key=all max_keys=65536 by=127.0.0.1"
            .to_owned(),
    ] {
        assert!(log.contains(&line), "{line}\n{log:#?}");
    }
    assert!(!log.iter().any(|line| line.contains(TOKEN) || line.contains(&sha256(TOKEN))));
}

#[test]
fn the_keys_refused_most_are_ranked() {
    let origin = Origin::plain();
    let configuration = json!({"operations": section(), "rules": [
        rule("shown", json!({"key": "header:x-client", "show_keys": true, "match": {"path": {"exact": "/shown"}}})),
        rule("hidden", json!({"key": "header:x-client", "match": {"path": {"exact": "/hidden"}}})),
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    for (client, refusals) in [("many", 9), ("some", 4), ("few", 2), ("never", 0)] {
        for target in ["/shown", "/hidden"] {
            for n in 0..=refusals {
                let request = Request::get(target).field("x-client", client);
                let status = request.ask(gateway.address()).status();
                assert_eq!(status, if n == 0 { 200 } else { 429 });
            }
        }
    }
    // Each worker adds up once a second.
    let all = || {
        let rules = read(&gateway, "/top")["rules"].clone();
        let is_whole = |idx: usize| rules[idx]["refusals"] == 15;
        (is_whole(0) && is_whole(1)).then(|| rules.clone())
    };
    let rules =
        wait::until(PATIENCE, all).unwrap_or_else(|| panic!("{:#}", read(&gateway, "/top")));
    let shown = rules[0]["keys"].as_array().unwrap();
    let rank =
        |key: &Value| (key["key"]["text"].clone(), key["at_least"].clone(), key["at_most"].clone());
    let expected = [("many", 9), ("some", 4), ("few", 2)]
        .map(|(client, n)| (json!(format!("header \"{client}\"")), json!(n), json!(n)));
    assert_eq!(shown.iter().map(rank).collect::<Vec<_>>(), expected);
    let hidden = rules[1]["keys"].as_array().unwrap();
    assert_eq!(
        hidden.iter().map(rank).collect::<Vec<_>>(),
        [9, 4, 2].map(|n| (Value::Null, json!(n), json!(n)))
    );
    // Hidden keys are found by the hash that their state has.
    let state = read(&gateway, "/state?path=%2Fhidden&header.x-client=some");
    let counts = state["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "hidden");
    assert_eq!(counts.unwrap()["key"]["hash"], hidden[1]["key"]["hash"]);
    assert!(!ask(&gateway, "GET", "/top?rule=hidden").text().contains("some"));
    assert_eq!(read(&gateway, "/top?rule=hidden")["rules"][0]["keys"], json!(hidden));
}

#[test]
fn in_the_gateway_operations_pass_the_other_filters_by() {
    let origin = Origin::plain();
    let configuration = json!({
        "metrics": {}, "response_cache": {},
        "rate_limit": {"operations": section(), "rules": [rule("one", json!({}))]},
    });
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(2).start();
    assert_eq!([(); 2].map(|()| gateway.get("/").status()), [200, 429]);
    assert_eq!(remaining(&gateway, "address=127.0.0.1"), 0);
    for _ in 0..2 {
        let rules = ask(&gateway, "GET", "/rules");
        assert_eq!((rules.status(), rules.field("cache-status")), (200, None), "{rules:?}");
    }
    assert_eq!(json_of(&ask(&gateway, "DELETE", "/state"))["reset"][0]["keys"], 1);
    assert_eq!([(); 2].map(|()| gateway.get("/").status()), [200, 429]);
    assert_eq!(gateway.get("/weir/rate-limit").status(), 401);
    assert_eq!(origin.hits(), 2);
    let decisions = "weir_metrics_decisions_total;filter=rate-limit;decision=";
    gateway.await_metric(&format!("{decisions}limit"), 2);
    let excluded = "weir_metrics_excluded_requests_total;reason=operations;class=";
    gateway.await_metric(&format!("{excluded}2xx"), 4);
    gateway.await_metric(&format!("{excluded}4xx"), 1);
}
