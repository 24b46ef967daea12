//! What a breaker does beyond open and closed, through a real Envoy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

use super::{await_state, patient, rules, state};

const CLOSED: u64 = 0;
const PARTLY: u64 = 1;
const OPEN: u64 = 2;

fn decisions(gateway: &Gateway, word: &str) -> u64 {
    gateway.metric(&format!(
        "weir_circuit_breaker_requests_total;breaker=all/upstream;decision={word}"
    ))
}

fn transitions(gateway: &Gateway, from: &str, to: &str) -> u64 {
    gateway.metric(&format!(
        "weir_circuit_breaker_transitions_total;breaker=all/upstream;from={from};to={to}"
    ))
}

#[test]
fn traffic_returns_in_steps_and_all_of_it_in_the_end() {
    for workers in [1, 4] {
        let (origin, is_ill) = patient();
        let configuration = rules(&json!({
            "open": {"time": "100ms", "max_time": "100ms", "jitter": "0%"},
            "probes": {"successes": 1},
            "ramp": {"time": "4s", "shares": ["50%"]},
        }));
        let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
            .workers(workers)
            .start();
        for _ in 0..3 {
            gateway.get("/");
        }
        await_state(&gateway, OPEN);
        is_ill.store(false, Ordering::SeqCst);
        let recovers = wait::until(PATIENCE, || {
            gateway.get("/");
            (transitions(&gateway, "half_open", "recovering") == 1).then_some(())
        });
        assert!(recovers.is_some(), "it recovers with {workers} workers");
        let before = origin.hits();
        let n_passed = (0..100).filter(|_| gateway.get("/").status() == 200).count();
        if state(&gateway) == PARTLY {
            // Of 100 with a chance of one half each, 25 to 75 pass but once in a million times.
            assert!((25..=75).contains(&n_passed), "{n_passed} of 100");
        }
        assert_eq!(origin.hits() - before, n_passed as u64);
        await_state(&gateway, CLOSED);
        assert_eq!(transitions(&gateway, "recovering", "closed"), 1);
        assert!((0..20).all(|_| gateway.get("/").status() == 200));
    }
}

/// A service that takes every third request gets about what it takes, times the headroom, and is never cut off.
#[test]
fn a_service_that_takes_a_part_gets_a_part() {
    let n = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&n);
    let origin = Origin::start(move |_| {
        let is_taken = count.fetch_add(1, Ordering::SeqCst).is_multiple_of(4);
        Act::response(if is_taken { 200 } else { 503 }, &[], "")
    });
    let configuration = json!({"rules": [{
        "name": "all", "mode": "shed", "window": "60s", "shed": {"headroom": "50%", "max_share": "90%"},
    }]});
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    let mut n_shed = 0;
    for _ in 0..300 {
        let answer = gateway.get("/");
        if answer.field("x-weir-breaker") == Some("all; reason=shed") {
            n_shed += 1;
            assert_eq!(answer.field("retry-after"), Some("1"));
        }
    }
    assert_eq!(origin.hits() + n_shed, 300);
    assert_eq!(decisions(&gateway, "shed"), n_shed);
    assert!((100..280).contains(&n_shed), "{n_shed}");
    assert_eq!(state(&gateway), PARTLY);
}

#[test]
fn in_the_shadow_it_says_what_it_would_do_and_rejects_nothing() {
    let (origin, is_ill) = patient();
    let configuration = rules(&json!({
        "shadow": true, "open": {"time": "200ms", "max_time": "200ms", "jitter": "0%"},
    }));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    for n in 1..=50 {
        assert_eq!(gateway.get("/").status(), 500, "{n}");
    }
    await_state(&gateway, OPEN);
    assert_eq!(origin.hits(), 50);
    assert!(decisions(&gateway, "shadow") > 0);
    is_ill.store(false, Ordering::SeqCst);
    let closes = wait::until(PATIENCE, || {
        assert_eq!(gateway.get("/").status(), 200);
        (state(&gateway) == CLOSED).then_some(())
    });
    assert!(closes.is_some(), "it goes on learning");
}

#[test]
fn breakers_are_told_apart_by_host_and_by_key() {
    let origin = Origin::start(|request| {
        let is_ill = request.field("x-tenant") == Some("ill");
        Act::response(if is_ill { 500 } else { 200 }, &[], "")
    });
    let mut configuration = rules(&json!({
        "per": "key", "key": "header:x-tenant",
        "open": {"time": "1h", "max_time": "1h"},
    }));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    let ask =
        |tenant: &str| Request::get("/").field("x-tenant", tenant).ask(gateway.address()).status();
    for n in 1..=3 {
        assert_eq!(ask("ill"), 500, "{n}");
    }
    let rejects = wait::until(PATIENCE, || (ask("ill") == 503).then_some(()));
    assert!(rejects.is_some());
    assert_eq!((ask("well"), gateway.get("/").status()), (200, 200));
    let names = gateway.envoy.stats("^wasmcustom").unwrap();
    assert!(!names.keys().any(|name| name.contains("ill")), "{names:?}");
    assert_eq!(
        gateway.metric("weir_circuit_breaker_bypassed_total;reason=no_scope"),
        1,
        "without the header there is no breaker"
    );

    // Those without a key do not fail for one another either, unless the rule says that they share one.
    for n in 0..5 {
        origin.play(|_| Act::response(500, &[], ""));
        assert_eq!(gateway.get("/").status(), 500, "{n}");
    }
    configuration["rules"][0]["on_missing"] = json!("anonymous");
    assert!(gateway.update(&configuration));
    for n in 0..3 {
        assert_eq!(gateway.get("/").status(), 500, "{n}");
    }
    let rejects = wait::until(PATIENCE, || (gateway.get("/").status() == 503).then_some(()));
    assert!(rejects.is_some());

    configuration["rules"][0] =
        json!({"name": "all", "per": "virtual_host", "consecutive": {"failures": 3}});
    assert!(gateway.update(&configuration));
    for _ in 0..3 {
        ask("ill");
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/all", OPEN);
    assert_eq!(ask("well"), 503);
}

/// With an Envoy that keeps no statistic of modules the gauge that says "all closed" says nothing.
#[test]
fn it_opens_where_no_statistics_are_kept_too() {
    let (origin, _) = patient();
    let configuration = rules(&json!({"open": {"time": "1h", "max_time": "1h"}}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .workers(4)
        .without_statistics_of_modules()
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    let rejects = wait::until(PATIENCE, || (gateway.get("/").status() == 503).then_some(()));
    assert!(rejects.is_some());
    let hits = origin.hits();
    assert!((0..20).all(|_| gateway.get("/").status() == 503));
    assert_eq!(origin.hits(), hits);
    assert!(gateway.messages().iter().any(|line| line.contains("keeps no value")));
}
