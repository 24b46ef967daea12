//! Which requests a rule counts, and how far it is in force.

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token;
use serde_json::{Value, json};

fn requests(gateway: &Gateway, rule: &str, decision: &str) -> u64 {
    gateway.metric(&format!("weir_rate_limit_requests_total;rule={rule};decision={decision}"))
}

/// One request per hour for each address, and what else the rule says.
fn one(mut rule: Value) -> Value {
    rule["key"] = json!("address");
    rule["limits"] = json!([{"quota": 1, "window": "1h"}]);
    rule
}

/// The rules that counted a request, by what its answer tells of their limits.
fn counted(answer: &Message) -> Vec<&str> {
    let told = answer.field("ratelimit").unwrap_or_default();
    let items = told.split(", ").filter(|item| !item.is_empty());
    items.map(|item| item.split('"').nth(1).unwrap()).collect()
}

#[test]
fn claims_of_a_verified_token_choose_rules() {
    let conditions = [
        ("admin", json!({"path": "roles", "exact": "admin"})),
        ("no-admin", json!({"path": "roles", "exact": "admin", "not": true})),
        ("seven", json!({"path": "roles", "exact": "7"})),
        ("true", json!({"path": "roles", "exact": "true"})),
        ("adm", json!({"path": "roles", "prefix": "adm"})),
        ("some", json!({"path": "roles", "present": true})),
        ("none", json!({"path": "roles", "present": false})),
        ("nested", json!({"path": ["realm", "roles"], "exact": "admin"})),
    ];
    let rules = conditions.map(|(name, condition)| {
        json!({"name": name, "match": {"claims": [condition]},
            "limits": [{"quota": 1000, "window": "1h"}]})
    });
    let origin = Origin::plain();
    let configuration = json!({"fields": {"ratelimit": "ietf"}, "rules": rules});
    let gateway =
        Setup::new("rate-limit", &configuration, origin.address()).before(token::filter()).start();
    for (claims, expected) in [
        (json!({}), "no-admin none"),
        (json!({"roles": ["admin", 7, true]}), "admin seven true adm some"),
        (json!({"roles": ["user"]}), "no-admin some"),
        (json!({"roles": []}), "no-admin some"),
        (json!({"roles": ["admin", null]}), "no-admin none"),
        (json!({"roles": ["admin", {"a": 1}]}), "admin adm some"),
        (json!({"roles": [["admin"]]}), "no-admin some"),
        (json!({"roles": "admin"}), "admin adm some"),
        (json!({"roles": 7}), "no-admin seven some"),
        (json!({"roles": true}), "no-admin true some"),
        (json!({"roles": null}), "no-admin none"),
        (json!({"roles": {"admin": 1}}), "no-admin some"),
        // Envoy hands it over like a list of its names.
        (json!({"roles": {"admin": ""}}), "admin adm some"),
        (json!({"realm": {"roles": ["user", "admin"]}}), "no-admin none nested"),
    ] {
        let request = Request::get("/").field("authorization", token::bearer(&claims));
        let answer = request.ask(gateway.address());
        assert_eq!(counted(&answer).join(" "), expected, "{claims}: {answer:?}");
    }
}

#[test]
fn exempt_requests_are_counted_by_nobody() {
    let origin = Origin::plain();
    let configuration = json!({
        "exempt": [{"source": ["192.0.2.0/24", "2001:db8::/32"]}, {"path": {"exact": "/health"}}],
        "rules": [one(json!({"name": "one", "exempt": [
            {"headers": [{"name": "x-monitor", "exact": "yes"}]},
            {"claims": [{"path": "roles", "exact": "staff"}]},
            {"path": {"prefix": "/static"}},
        ]}))],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address())
        .before(token::filter())
        .workers(2)
        .start();
    let from = |address: &str, target: &str| Request::get(target).field("x-forwarded-for", address);
    let ask = |request: Request| request.ask(gateway.address()).status();
    let client = "198.51.100.1";
    assert_eq!(ask(from(client, "/")), 200);
    assert_eq!(ask(from(client, "/")), 429, "its quota is spent");

    for _ in 0..3 {
        assert_eq!(ask(from("192.0.2.9", "/")), 200);
        assert_eq!(ask(from("2001:db8:1::1", "/")), 200);
        assert_eq!(ask(from(client, "/health?full=1")), 200);
    }
    assert_eq!(requests(&gateway, "one", "exempt"), 0, "no rule looks at these");
    assert_eq!(gateway.metric("weir_rate_limit_exempt_total"), 9);

    let staff = token::bearer(&json!({"roles": ["user", "staff"]}));
    for _ in 0..3 {
        assert_eq!(ask(from(client, "/").field("x-monitor", "yes")), 200);
        assert_eq!(ask(from(client, "/").field("authorization", &staff)), 200);
        assert_eq!(ask(from(client, "/static/a")), 200);
    }
    assert_eq!(requests(&gateway, "one", "exempt"), 9);

    assert_eq!(ask(from(client, "/").field("x-monitor", "no")), 429);
    assert_eq!(ask(from(client, "/statics")), 429);
    assert_eq!(ask(from(client, "/health/")), 429);
    let user = token::bearer(&json!({"roles": ["user"]}));
    assert_eq!(ask(from(client, "/").field("authorization", user)), 429);
    assert_eq!((requests(&gateway, "one", "admit"), requests(&gateway, "one", "limit")), (1, 5));
}

#[test]
fn a_rule_in_shadow_counts_and_lets_pass_and_one_that_is_off_does_nothing() {
    let origin = Origin::plain();
    let configuration = json!({"fields": {"ratelimit": "ietf"}, "rules": [
        one(json!({"name": "tried", "mode": "shadow", "on_missing": "deny"})),
        one(json!({"name": "later", "mode": "off"})),
        {"name": "held", "limits": [{"quota": 3, "window": "1h"}]},
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    for n in 0..3 {
        let answer = gateway.get("/");
        assert_eq!((answer.status(), counted(&answer)), (200, vec!["held"]), "request {n}");
        assert_eq!(answer.field("x-weir-rate-limit"), None);
    }
    let refused = gateway.get("/");
    assert_eq!((refused.status(), refused.field("x-weir-rate-limit")), (429, Some("held")));
    assert_eq!(origin.hits(), 3);
    let tried = ["admit", "limit", "shadow"].map(|word| requests(&gateway, "tried", word));
    assert_eq!(tried, [1, 0, 3], "what it would have refused is counted");
    let all = gateway.envoy.stats("rule=later").unwrap();
    assert!(all.is_empty(), "{all:?}");
    assert!(
        gateway.messages().iter().any(|line| line == "rate-limit: configured rule later: off"),
        "{:#?}",
        gateway.messages()
    );
}

#[test]
fn a_rule_is_enforced_for_a_share_of_the_keys_and_always_for_the_same() {
    const KEYS: usize = 2_500;
    let origin = Origin::plain();
    let configuration = |share: &str| {
        json!({"rules": [{"name": "some", "key": "header:x-client", "enforce": share,
            "limits": [{"quota": 1, "window": "1h"}]}]})
    };
    let gateway =
        Setup::new("rate-limit", &configuration("25%"), origin.address()).workers(2).start();
    // A connection stays with one worker: two see both of them, or one of them twice.
    let refused = || -> Vec<bool> {
        let mut connection = Connection::open(gateway.address());
        let mut is_refused = |key: usize| {
            let request = Request::get("/").field("x-client", key.to_string());
            connection.ask(&request).unwrap().status() == 429
        };
        (0..KEYS).map(&mut is_refused).collect()
    };
    let count = |refused: &[bool]| refused.iter().filter(|refused| **refused).count();
    assert_eq!(count(&refused()), 0, "the first request of each key fits");
    let quarter = refused();
    // Five points are five standard deviations and more: another secret at each start does not fail the test.
    assert!((500..=750).contains(&count(&quarter)), "{}", count(&quarter));
    assert_eq!(refused(), quarter);
    let (limit, shadow) =
        (requests(&gateway, "some", "limit"), requests(&gateway, "some", "shadow"));
    assert_eq!(limit, 2 * count(&quarter) as u64);
    assert_eq!(shadow, 2 * (KEYS - count(&quarter)) as u64);

    assert!(gateway.update(&configuration("50%")));
    let half = refused();
    assert!((1_125..=1_375).contains(&count(&half)), "{}", count(&half));
    assert!(
        quarter.iter().zip(&half).all(|(before, now)| now >= before),
        "who was held to it before still is"
    );
}

#[test]
fn who_has_not_much_left_is_told_to_those_who_are_to_know() {
    let origin = Origin::start(|request| {
        Act::response(200, &[], request.fields.all("x-weir-rate-limit-near").join("|"))
    });
    let configuration = json!({"rules": [
        {"name": "a", "key": "header:x-client", "limits": [{"quota": 10, "window": "1h"}]},
        {"name": "b", "key": "header:x-client", "near": {"at": "50%", "to_client": true},
            "limits": [{"quota": 18, "window": "1h"}]},
        {"name": "c", "key": "header:x-client", "near": {"at": "1%", "to_upstream": false},
            "limits": [{"quota": 90, "window": "1h"}]},
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let ask = |client: &str| {
        let request = Request::get("/").field("x-client", client);
        request.field("X-Weir-Rate-Limit-Near", "a, b, or so it says").ask(gateway.address())
    };
    for n in 1..=10 {
        let answer = ask("1");
        let upstream = match n {
            ..8 => "",
            8 => "a",
            _ => "a, b",
        };
        assert_eq!((answer.status(), answer.text().as_str()), (200, upstream), "request {n}");
        let client = (n >= 9).then_some("b");
        assert_eq!(answer.field("x-weir-rate-limit-near"), client, "request {n}");
    }
    assert_eq!(ask("1").status(), 429);
    assert_eq!(ask("2").text(), "", "another client is not near");
    let near = |rule: &str| gateway.metric(&format!("weir_rate_limit_near_total;rule={rule}"));
    assert_eq!(["a", "b", "c"].map(near), [3, 2, 11]);
}

#[test]
fn a_request_without_a_key_gets_what_the_rule_says() {
    let origin = Origin::plain();
    let rule = |name: &str, on_missing: &str| {
        json!({"name": name, "match": {"path": {"exact": format!("/{name}")}}, "on_missing": on_missing,
            "key": "claim:sub", "limits": [{"quota": 1, "window": "1h"}]})
    };
    let configuration = json!({"rules": [
        rule("together", "anonymous"), rule("each", "address"), rule("free", "skip"), rule("never", "deny"),
    ]});
    let gateway =
        Setup::new("rate-limit", &configuration, origin.address()).before(token::filter()).start();
    let from = |address: &str, target: &str| {
        Request::get(target).field("x-forwarded-for", address).ask(gateway.address()).status()
    };
    let pair = |target: &str| ["192.0.2.1", "192.0.2.1", "192.0.2.2"].map(|a| from(a, target));
    assert_eq!(pair("/together"), [200, 429, 429]);
    assert_eq!(pair("/each"), [200, 429, 200]);
    assert_eq!(pair("/free"), [200, 200, 200]);
    assert_eq!(pair("/never"), [401, 401, 401]);
    assert_eq!(requests(&gateway, "never", "deny"), 3);
    let alice = token::bearer(&json!({"sub": "alice"}));
    let known = ["/together", "/each", "/free", "/never"].map(|target| {
        [(); 2].map(|()| {
            Request::get(target).field("authorization", &alice).ask(gateway.address()).status()
        })
    });
    assert_eq!(known, [[200, 429]; 4], "with the claim all of them count by it");
    let denied = gateway.get("/never");
    assert_eq!(denied.field("content-type"), Some("application/problem+json"));
    assert_eq!(denied.field("retry-after"), None, "waiting would not help");
}
