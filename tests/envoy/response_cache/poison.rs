//! Fields of requests that no key names: which of them forbid to store the answer, and which change nothing.

use harness::client::Request;
use harness::gateway::Setup;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

use super::status_of;

const FRESH: (&str, &str) = ("cache-control", "max-age=600");

/// Asks twice with the field, then without; whether the answer to the first was stored.
fn is_stored(gateway: &harness::gateway::Gateway, target: &str, name: &str, value: &str) -> bool {
    let ask = || Request::get(target).field(name, value).ask(gateway.address());
    assert_eq!(ask().status(), 200, "{name}");
    let again = status_of(&ask()).contains("hit");
    let plain = status_of(&gateway.get(target)).contains("hit");
    assert_eq!(again, plain, "{name}: {value}");
    plain
}

#[test]
fn a_field_that_services_answer_by_is_known_by_its_family() {
    let origin = Origin::start(|request| Act::response(200, &[FRESH], request.target()));
    let configuration = json!({
        "request_fields": {"neutral": ["x-original-port"], "dangerous": ["x-shop-*"]},
        "rules": [
            {"name": "plain", "match": {"path": {"prefix": "/plain"}}, "store_from": "plain"},
            {"name": "given", "match": {"path": {"prefix": "/given"}}, "ttl": "5m"},
            {"name": "all"},
        ],
    });
    let gateway = Setup::new("response-cache", &configuration, origin.address()).start();
    let poison = [
        ("forwarded", "host=evil"),
        ("x-forwarded-scheme", "evil"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-ssl", "on"),
        ("x-forwarded-path", "/evil"),
        ("x-forwarded-uri", "/evil"),
        ("x-forwarded-protocol", "evil"),
        ("x-forwarded-host", "evil"),
        ("x-original-host", "evil"),
        ("x-original-uri", "/evil"),
        ("x-scheme", "evil"),
        ("x-url-scheme", "evil"),
        ("front-end-https", "on"),
        ("x-http-host-override", "evil"),
        ("x-backend-host", "evil"),
        ("x_forwarded_host", "evil"),
        ("x-shop-front", "evil"),
    ];
    for (n, (name, value)) in poison.into_iter().enumerate() {
        assert!(!is_stored(&gateway, &format!("/poison/{n}"), name, value), "{name}");
    }
    let harmless = [
        ("x-forwarded-host", "example.com"),
        ("x-forwarded-server", "front"),
        ("forwarded", "for=192.0.2.1"),
        ("x-original-port", "1"),
        ("x-color", "red"),
    ];
    for (n, (name, value)) in harmless.into_iter().enumerate() {
        assert!(is_stored(&gateway, &format!("/harmless/{n}"), name, value), "{name}");
    }
    assert!(!is_stored(&gateway, "/plain/unknown", "x-color", "red"));
    assert!(is_stored(&gateway, "/plain/known", "x-correlation-id", "1"));
}

#[test]
fn a_lifetime_of_the_operators_is_not_for_requests_with_a_key() {
    let origin = Origin::start(|request| {
        Act::response(200, &[], request.field("x-api-key").unwrap_or("nobody"))
    });
    let start = |configuration: &Value| {
        Setup::new("response-cache", configuration, origin.address()).start()
    };
    let rule = json!({"name": "all", "ttl": "5m"});
    let gateway = start(&json!({"rules": [rule]}));
    let ask = |gateway: &harness::gateway::Gateway, key: &str| {
        Request::get("/mine").field("x-api-key", key).ask(gateway.address()).text()
    };
    assert_eq!(["ann", "bob"].map(|key| ask(&gateway, key)), ["ann", "bob"]);
    assert_eq!([0; 2].map(|_| gateway.get("/mine").text()), ["nobody", "nobody"]);
    assert_eq!(ask(&gateway, "ann"), "ann", "what is stored for nobody is not hers");
    let keyed = json!({"name": "all", "ttl": "5m", "key": {"headers": ["x-api-key"]}});
    let gateway = start(&json!({"rules": [keyed]}));
    let before = origin.hits();
    assert_eq!(["ann", "bob", "ann"].map(|key| ask(&gateway, key)), ["ann", "bob", "ann"]);
    assert_eq!(origin.hits() - before, 2, "the key tells them apart");
    let neutral = json!({"request_fields": {"neutral": ["x-api-key"]}, "rules": [rule]});
    let gateway = start(&neutral);
    assert_eq!(
        ["ann", "bob"].map(|key| ask(&gateway, key)),
        ["ann", "ann"],
        "as the operator says"
    );
}

#[test]
fn authorities_of_one_key_reach_the_origin_in_one_form() {
    let origin = Origin::start(|request| {
        Act::response(200, &[FRESH], request.field("host").unwrap_or_default())
    });
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).start();
    for (target, authority) in [("/1", "A.TeSt"), ("/2", "a.test:80"), ("/3", "A.test:")] {
        let made =
            Request::get(target).without("host").field("host", authority).ask(gateway.address());
        assert_eq!(made.text(), "a.test", "{authority}");
    }
    let other =
        Request::get("/1").without("host").field("host", "a.test:81").ask(gateway.address());
    assert_eq!(other.text(), "a.test:81");
}
