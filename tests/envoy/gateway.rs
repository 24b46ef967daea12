//! The four filters as one: their order, and what they leave to one another.

use harness::client::Request;
use harness::gateway::Setup;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

fn all() -> Value {
    json!({
        "metrics": {},
        "rate_limit": {"rules": [
            {"name": "few", "match": {"path": {"prefix": "/few"}}, "limits": [{"quota": 2, "window": "1h"}]},
        ]},
        "response_cache": {},
        "circuit_breaker": {"rules": [{
            "name": "all", "consecutive": {"failures": 3}, "ratio": {"enabled": false},
            "open": {"time": "1h", "max_time": "1h"},
        }]},
    })
}

#[test]
fn a_limited_request_reaches_neither_cache_nor_breaker() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(2).start();
    let statuses = ["/few/1", "/few/2", "/few/3"].map(|target| {
        let answer = gateway.get(target);
        (answer.status(), answer.field("cache-status").is_some())
    });
    assert_eq!(statuses, [(200, true), (200, true), (429, false)]);
    assert_eq!(origin.hits(), 2);
}

#[test]
fn a_hit_is_served_while_the_breaker_is_open() {
    let origin = Origin::start(|request| match request.target() {
        "/stored" => Act::response(200, &[("cache-control", "max-age=600")], "stored"),
        _ => Act::response(500, &[], ""),
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(2).start();
    assert_eq!(gateway.get("/stored").text(), "stored");
    for _ in 0..3 {
        assert_eq!(gateway.get("/ill").status(), 500);
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/upstream", 2);
    let rejected = gateway.get("/ill");
    assert_eq!(rejected.status(), 503);
    assert!(rejected.field("x-weir-breaker").is_some(), "{rejected:?}");
    for _ in 0..8 {
        assert_eq!(gateway.get("/stored").text(), "stored");
    }
    let before = origin.hits();
    for _ in 0..20 {
        assert_eq!(
            gateway.get("/ill").status(),
            503,
            "the rejections are no failures, and are not stored"
        );
    }
    assert_eq!(origin.hits(), before);
}

#[test]
fn every_request_is_counted_once_whoever_answered() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(4).start();
    for _ in 0..5 {
        gateway.get("/few");
    }
    for _ in 0..5 {
        gateway.get("/many");
    }
    Request::new("POST", "/many").body("x").ask(gateway.address());
    gateway.await_metric("weir_metrics_decisions_total;filter=rate-limit;decision=limit", 3);
    gateway.await_metric("weir_metrics_decisions_total;filter=rate-limit;decision=admit", 8);
    gateway.await_metric("weir_metrics_decisions_total;filter=response-cache;decision=hit", 5);
    let total: u64 = gateway.envoy.stats("weir_metrics_requests_total").unwrap().values().sum();
    assert_eq!(total, 11);
}

#[test]
fn filters_without_a_section_are_not_there() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &json!({"metrics": {}}), origin.address()).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").field("cache-status"), None);
    }
    assert_eq!(origin.hits(), 3);
}
