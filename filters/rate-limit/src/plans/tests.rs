use kit::config;
use kit::fake::{FakeExchange, FakeHost};

use super::*;

mod messages;

/// The names, and what a request without a source and with an unknown value gets.
const NAMES: &str =
    r#""names": ["anonymous", "free", "standard", "premium"], "absent": "anonymous""#;

fn hash(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn hex(key: &str) -> String {
    hash(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(rest: &str) -> Plans {
    let text = format!("{{{NAMES}, {rest}}}");
    config::load("test", text.as_bytes(), Plans::read)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Keys by header, with two of one consumer and one without a name.
fn keyed(rest: &str) -> Plans {
    let [acme, next, bolt] = ["acme-1", "acme-2", "bolt-1"].map(hex);
    read(&format!(
        r#""sources": [{{"value": "header:x-api-key", "keys": [
            {{"sha256": "{acme}", "plan": "premium", "name": "acme"}},
            {{"sha256": "{next}", "plan": "premium", "name": "acme"}},
            {{"sha256": "{bolt}", "plan": "standard"}}]}}]{rest}"#
    ))
}

fn get(headers: &[(&str, &str)]) -> FakeExchange {
    FakeExchange::get(&FakeHost::default(), "/?plan=standard", headers)
}

/// An exchange whose token names this plan.
fn with_claim(plan: &[u8], headers: &[(&str, &str)]) -> FakeExchange {
    let path =
        ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "jwt_payload", "plan"];
    get(headers).with_property(&path, plan)
}

fn plan_of<'a>(plans: &'a Plans, x: &FakeExchange) -> &'a str {
    &plans.names()[plans.identify(x).plan]
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_known_key_gives_its_plan_its_consumer_and_its_name() {
    let plans = keyed(r#", "unknown": "free""#);
    for (key, plan, name) in [
        ("acme-1", "premium", Some("acme")),
        ("acme-2", "premium", Some("acme")),
        ("bolt-1", "standard", None),
    ] {
        let x = get(&[("x-api-key", key)]);
        let found = plans.identify(&x);
        let plan = plans.index_of(plan).unwrap();
        let consumer = hash(key.as_bytes());
        assert_eq!(found, Identity { plan, consumer: Some(&consumer), name });
    }
    for (headers, plan) in [
        (&[][..], "anonymous"),
        (&[("x-api-key", "acme-3")][..], "free"),
        (&[("x-api-key", "Acme-1")], "free"),
        (&[("x-api-key", "acme-1 ")], "free"),
        // The hash is no key, and the plan's name neither.
        (&[("x-api-key", &hex("acme-1"))], "free"),
        (&[("x-api-key", "premium")], "free"),
        (&[("x-api-key", "rubbish"), ("x-api-key", "acme-1")], "free"),
    ] {
        let found = plans.identify(&get(headers));
        assert_eq!(
            (plans.names()[found.plan].as_str(), found.consumer, found.name),
            (plan, None, None)
        );
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_is_not_known_counts_as_absent_unless_told_otherwise() {
    let plans = keyed("");
    assert_eq!(plan_of(&plans, &get(&[("x-api-key", "acme-3")])), "anonymous");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_value_that_is_empty_or_too_long_is_as_good_as_none() {
    let (fits, long) = ("k".repeat(8_192), "k".repeat(8_193));
    let keys =
        [&fits, &long].map(|key| format!(r#"{{"sha256": "{}", "plan": "premium"}}"#, hex(key)));
    let plans = read(&format!(
        r#""unknown": "free", "sources": [{{"value": "header:x-api-key", "keys": [{}]}}]"#,
        keys.join(",")
    ));
    for (key, plan) in [(fits.as_str(), "premium"), (&long, "anonymous"), ("", "anonymous")] {
        let x = get(&[("x-api-key", key)]);
        assert_eq!(
            (plan_of(&plans, &x), plans.identify(&x).consumer.is_some()),
            (plan, plan == "premium")
        );
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn without_keys_the_value_is_the_plan() {
    let plans = read(r#""unknown": "free", "sources": [{"value": "claim:plan"}]"#);
    for (claim, plan) in [
        (&b"premium"[..], "premium"),
        (b"standard", "standard"),
        (b"Premium", "free"),
        (b"premium ", "free"),
        (b"gold", "free"),
        (b"\xff\xfe", "free"),
        // A claim that is a number or a truth value, in Envoy's bytes.
        (&3.0_f64.to_le_bytes(), "free"),
        (&[1], "free"),
    ] {
        let x = with_claim(claim, &[]);
        let found = plans.identify(&x);
        assert_eq!(plans.names()[found.plan], plan, "{claim:?}");
        assert_eq!((found.consumer, found.name), (None, None));
    }
    assert_eq!(plan_of(&plans, &get(&[])), "anonymous");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_first_source_that_the_request_has_decides_even_if_it_knows_nothing() {
    let key = hex("acme-1");
    let keys = format!(
        r#"{{"value": "header:x-api-key", "keys": [{{"sha256": "{key}", "plan": "premium"}}]}}"#
    );
    let claim = r#"{"value": "claim:plan"}"#;
    let claim_first = read(&format!(r#""unknown": "free", "sources": [{claim}, {keys}]"#));
    let keys_first = read(&format!(r#""unknown": "free", "sources": [{keys}, {claim}]"#));
    let (known, rubbish) = ([("x-api-key", "acme-1")], [("x-api-key", "rubbish")]);
    for (x, by_claim, by_key) in [
        (get(&[]), "anonymous", "anonymous"),
        (get(&known), "premium", "premium"),
        (get(&rubbish), "free", "free"),
        (with_claim(b"standard", &[]), "standard", "standard"),
        (with_claim(b"standard", &known), "standard", "premium"),
        // Why what a client cannot choose stands first.
        (with_claim(b"standard", &rubbish), "standard", "free"),
        (with_claim(b"gold", &known), "free", "premium"),
    ] {
        assert_eq!((plan_of(&claim_first, &x), plan_of(&keys_first, &x)), (by_claim, by_key));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_consumer_is_the_same_wherever_its_key_comes_from() {
    let key = hex("acme-1");
    let keys = format!(r#""keys": [{{"sha256": "{key}", "plan": "premium"}}]"#);
    let plans = read(&format!(
        r#""sources": [{{"value": "header:x-api-key", {keys}}}, {{"value": "query:plan", {keys}}}]"#
    ));
    let header = get(&[("x-api-key", "acme-1")]);
    let query = FakeExchange::get(&FakeHost::default(), "/?plan=acme-1", &[]);
    assert_eq!(plans.identify(&header).consumer, plans.identify(&query).consumer);
    assert!(plans.identify(&query).consumer.is_some());
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_key_of_a_long_table_is_found_and_no_other() {
    let entries: Vec<String> = (0..5_000)
        .map(|n| format!(r#"{{"sha256":"{}","plan":"free"}}"#, hex(&format!("key-{n}"))))
        .collect();
    let plans =
        read(&format!(r#""sources": [{{"value": "header:k", "keys": [{}]}}]"#, entries.join(",")));
    for n in 0..5_000 {
        let key = format!("key-{n}");
        assert_eq!(plans.identify(&get(&[("k", &key)])).consumer, Some(&hash(key.as_bytes())[..]));
        assert_eq!(plans.identify(&get(&[("k", &format!("{key}-"))])).consumer, None);
    }
    assert_eq!(
        plans.to_string(),
        "anonymous, free, standard, premium by header k (5000 keys); \
         anonymous without any of them, anonymous for what is not known"
    );
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn header_and_upgrade_are_the_operators_own() {
    let plans = keyed(
        r#", "header": "X-RateLimit-Plan",
            "upgrade": {"free": {"plan": "standard", "url": "https://example.com/plans"}}"#,
    );
    assert_eq!(plans.header(), Some("x-ratelimit-plan"));
    let free = plans.index_of("free").unwrap();
    assert_eq!(
        plans.upgrade(free).unwrap().to_string(),
        r#"{"plan":"standard","url":"https://example.com/plans"}"#
    );
    assert_eq!((plans.upgrade(0), plans.upgrade(99)), (None, None));
    assert_eq!((plans.index_of("Free"), plans.index_of("")), (None, None));
    assert_eq!(keyed("").header(), None);
}
