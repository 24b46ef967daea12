//! Who has which plan, and what that is worth.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::origin::{Act, Origin};
use harness::token;
use harness::token::sha256;
use serde_json::{Value, json};

use super::operations;

/// A rule with a quota per hour for each plan, by the consumer or else by the address.
fn by_plan(quotas: &[(&str, u32)]) -> Value {
    let mut limits = json!({});
    for (plan, quota) in quotas {
        limits[*plan] = json!([{"quota": quota, "window": "1h"}]);
    }
    json!({"name": "general", "key": "consumer", "on_missing": "address", "limits": limits})
}

/// Plans by a verified claim, else by API key.
fn plans() -> Value {
    json!({
        "names": ["anonymous", "free", "standard", "premium"],
        "absent": "anonymous",
        "unknown": "free",
        "sources": [
            {"value": "claim:plan"},
            {"value": "header:x-api-key", "keys": [
                {"sha256": sha256("key of acme"), "plan": "premium", "name": "acme"},
                {"sha256": sha256("second key of acme"), "plan": "premium", "name": "acme"},
                {"sha256": sha256("key of nobody"), "plan": "standard"},
            ]},
        ],
        "header": "X-RateLimit-Plan",
        "upgrade": {"free": {"plan": "standard", "url": "https://example.com/plans?from=free&to=\"standard\""}},
    })
}

const QUOTAS: [(&str, u32); 4] = [("anonymous", 1), ("free", 2), ("standard", 3), ("premium", 5)];

fn with_key(key: &str) -> Request {
    Request::get("/").field("x-api-key", key)
}

/// Requests of which the last one was refused, and the plan that all answers named.
fn spent(gateway: &Gateway, request: &Request) -> (usize, String) {
    let plan = |answer: &harness::http::Message| answer.fields.all("x-ratelimit-plan");
    for n in 0..20 {
        let answer = request.ask(gateway.address());
        let plans = plan(&answer);
        assert_eq!(plans.len(), 1, "once, whoever else sets it: {answer:?}");
        if answer.status() == 429 {
            return (n, plans[0].clone());
        }
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    panic!("never refused: {request:?}");
}

#[test]
fn an_api_key_has_its_plan_and_each_plan_its_own_limits() {
    let origin = Origin::start(|_| Act::response(200, &[("x-ratelimit-plan", "platinum")], ""));
    let configuration =
        json!({"operations": operations::section(), "plans": plans(), "rules": [by_plan(&QUOTAS)]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let spend = |request: Request| spent(&gateway, &request);
    assert_eq!(spend(with_key("key of acme")), (5, "premium".to_owned()));
    assert_eq!(spend(with_key("second key of acme")), (5, "premium".to_owned()));
    assert_eq!(spend(with_key("key of nobody")), (3, "standard".to_owned()));
    assert_eq!(spend(with_key("a key that nobody has")), (2, "free".to_owned()));
    assert_eq!(spend(Request::get("/")), (1, "anonymous".to_owned()));
    let elsewhere = with_key("key of acme").field("x-forwarded-for", "192.0.2.1");
    assert_eq!(spend(elsewhere).0, 0, "a key is the same from wherever it comes");

    let premium = with_key("key of acme").ask(gateway.address());
    let problem: Value = serde_json::from_str(&premium.text()).unwrap();
    assert_eq!((&problem["plan"], problem.get("upgrade")), (&json!("premium"), None), "{problem}");
    let free = with_key("a key that nobody has").ask(gateway.address());
    let problem: Value = serde_json::from_str(&free.text()).unwrap();
    assert_eq!(problem["plan"], "free");
    assert_eq!(problem["upgrade"], plans()["upgrade"]["free"]);

    let requests = |plan: &str, decision: &str| {
        let labels = format!("rule=general;plan={plan};decision={decision}");
        gateway.metric(&format!("weir_rate_limit_requests_total;{labels}"))
    };
    assert_eq!((requests("premium", "admit"), requests("premium", "limit")), (10, 4));
    assert_eq!((requests("free", "admit"), requests("anonymous", "limit")), (2, 1));
    let keys =
        |plan: &str| gateway.metric(&format!("weir_rate_limit_keys;rule=general;plan={plan}"));
    assert_eq!(["anonymous", "free", "standard", "premium"].map(keys), [1, 1, 1, 2]);
}

#[test]
fn keys_that_nobody_has_share_what_one_client_has() {
    let origin = Origin::plain();
    let by_address = json!({"plans": plans(), "rules": [by_plan(&QUOTAS)]});
    let gateway = Setup::new("rate-limit", &by_address, origin.address()).workers(4).start();
    let admitted = |prefix: &str, address: &str| {
        let statuses = (0..30).map(|n| {
            let request = with_key(&format!("{prefix}{n}")).field("x-forwarded-for", address);
            request.ask(gateway.address()).status()
        });
        statuses.filter(|status| *status == 200).count()
    };
    assert_eq!(admitted("guess", "192.0.2.1"), 2);
    assert_eq!(admitted("guess", "192.0.2.2"), 2, "another address");
    let mut together = by_address;
    together["rules"][0]["name"] = json!("together");
    together["rules"][0]["on_missing"] = json!("anonymous");
    assert!(gateway.update(&together));
    assert_eq!(admitted("other", "192.0.2.1"), 2);
    assert_eq!(admitted("other", "192.0.2.2"), 0, "all who have no known key are one");
    let absent = Request::get("/").field("x-forwarded-for", "192.0.2.3");
    assert_eq!(spent(&gateway, &absent), (1, "anonymous".to_owned()));
}

#[test]
fn a_verified_claim_comes_first_and_a_client_chooses_nothing() {
    let origin = Origin::plain();
    let configuration = json!({"plans": plans(), "rules": [{
        "name": "general", "key": "claim:sub", "limits": by_plan(&QUOTAS)["limits"],
    }]});
    let gateway =
        Setup::new("rate-limit", &configuration, origin.address()).before(token::filter()).start();
    let with_claims =
        |claims: Value| Request::get("/").field("authorization", token::bearer(&claims));
    let plan = |request: &Request| -> String {
        let answer = request.ask(gateway.address());
        answer.field("x-ratelimit-plan").unwrap_or("none").to_owned()
    };
    let alice = with_claims(json!({"sub": "alice", "plan": "standard"}));
    assert_eq!(spent(&gateway, &alice), (3, "standard".to_owned()));
    let escape = alice.clone().field("x-api-key", "key of acme");
    assert_eq!(escape.ask(gateway.address()).status(), 429, "a better key changes nothing");
    let rubbish = alice.field("x-api-key", "rubbish");
    assert_eq!(spent(&gateway, &rubbish), (0, "standard".to_owned()));
    for (claims, expected) in [
        (json!({"sub": "b", "plan": "Premium"}), "free"),
        (json!({"sub": "b", "plan": "premium "}), "free"),
        (json!({"sub": "b", "plan": 3}), "free"),
        (json!({"sub": "b", "plan": ["premium"]}), "free"),
        (json!({"sub": "b", "plan": ""}), "anonymous"),
        (json!({"sub": "b", "plan": null}), "anonymous"),
        (json!({"sub": "b"}), "anonymous"),
    ] {
        assert_eq!(plan(&with_claims(claims.clone())), expected, "{claims}");
    }
    let both = with_claims(json!({"sub": "c"})).field("x-api-key", "key of acme");
    assert_eq!(plan(&both), "premium", "without the claim the key counts");
    let forged = token::bearer(&json!({"sub": "d", "plan": "premium"}));
    let (signed, _) = forged.rsplit_once('.').unwrap();
    let forged = Request::get("/").field("authorization", format!("{signed}.{}", "A".repeat(43)));
    assert_eq!(forged.ask(gateway.address()).status(), 401, "Envoy does not let it pass");
    let twice = with_key("rubbish").field("x-api-key", "key of acme");
    assert_eq!(plan(&twice), "free", "the first value counts");
    for value in ["", " "] {
        assert_eq!(plan(&with_key(value)), "anonymous", "an empty value is none");
    }
    assert_eq!(plan(&with_key(&"x".repeat(9_000))), "anonymous", "too long for a key");
}

#[test]
fn a_header_that_the_operator_sets_names_the_plan_itself() {
    let origin = Origin::plain();
    let configuration = json!({
        "operations": operations::section(),
        "plans": {"names": ["basic", "gold"], "absent": "basic", "sources": [{"value": "header:x-plan"}]},
        "rules": [
            {"name": "gold", "key": "header:x-client", "limits": {"gold": [{"quota": 1, "window": "1h"}]}},
            {"name": "basic", "limits": {"basic": [{"quota": 1_000, "window": "1h"}]}},
        ],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let ask = |plan: &str, client: &str| {
        let request = Request::get("/").field("x-plan", plan).field("x-client", client);
        let answer = request.ask(gateway.address());
        assert_eq!(answer.field("x-ratelimit-plan"), None, "only where it is configured");
        answer.status()
    };
    assert_eq!([(); 3].map(|()| ask("gold", "a")), [200, 429, 429]);
    assert_eq!(ask("gold", "b"), 200);
    for plan in ["basic", "GOLD", "silver", "gold, gold"] {
        assert_eq!([(); 3].map(|()| ask(plan, "a")), [200; 3], "{plan}: the limits of basic");
    }
}

#[test]
fn operators_see_plan_and_consumer_of_a_request() {
    let origin = Origin::plain();
    let mut rule = by_plan(&QUOTAS);
    rule["show_keys"] = json!(true);
    let configuration =
        json!({"operations": operations::section(), "plans": plans(), "rules": [rule]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    for (key, plan, consumer, text) in [
        ("key of acme", "premium", json!("acme"), "consumer \"acme\"".to_owned()),
        (
            "key of nobody",
            "standard",
            json!(sha256("key of nobody")),
            format!("consumer \"{}\"", sha256("key of nobody")),
        ),
        ("unknown", "free", Value::Null, "without a key, address 192.0.2.1".to_owned()),
    ] {
        let key = key.replace(' ', "%20");
        let state =
            operations::read(&gateway, &format!("/state?address=192.0.2.1&header.x-api-key={key}"));
        assert_eq!(state["request"]["plan"], plan, "{state:#}");
        assert_eq!(state["request"]["consumer"], consumer, "{state:#}");
        assert_eq!(state["rules"][0]["plan"], plan, "{state:#}");
        assert_eq!(state["rules"][0]["key"]["text"], json!(text), "{state:#}");
    }
    let start = "rate-limit: configured plans anonymous, free, standard, premium by claim plan, \
        then header x-api-key (3 keys); anonymous without any of them, free for what is not known";
    assert!(gateway.messages().iter().any(|line| line == start), "{:#?}", gateway.messages());
    let described = operations::read(&gateway, "/state?claim.plan=standard&claim.sub=a");
    assert_eq!(described["request"]["plan"], "standard", "{described:#}");
}
