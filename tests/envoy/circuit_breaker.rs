//! The breaker through a real Envoy: opens as promised, lets nothing through, probes, closes.

mod answers;
mod evidence;
mod fallbacks;
mod migrants;
mod operations;
mod probing;
mod reload;
mod states;
mod streams;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

fn rules(rule: &Value) -> Value {
    let mut merged =
        json!({"name": "all", "consecutive": {"failures": 3}, "ratio": {"enabled": false}});
    for (field, value) in rule.as_object().unwrap() {
        merged[field] = value.clone();
    }
    json!({"rules": [merged]})
}

/// An origin that is ill while the switch is on.
fn patient() -> (Origin, Arc<AtomicBool>) {
    let is_ill = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_ill);
    let origin = Origin::start(move |request| {
        if switch.load(Ordering::SeqCst) {
            Act::response(500, &[], "ill")
        } else {
            Act::response(200, &[], request.target())
        }
    });
    (origin, is_ill)
}

fn state(gateway: &Gateway) -> u64 {
    gateway.metric("weir_circuit_breaker_state;breaker=all/upstream")
}

fn await_state(gateway: &Gateway, expected: u64) {
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/upstream", expected);
}

#[test]
fn it_opens_and_nothing_gets_through() {
    for workers in [1, 4] {
        let (origin, _) = patient();
        let configuration = rules(&json!({"open": {"time": "1h", "max_time": "1h"}}));
        let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
            .workers(workers)
            .start();
        for n in 1..=3 {
            assert_eq!(gateway.get("/").status(), 500, "request {n}");
        }
        await_state(&gateway, 2);
        for n in 0..50 {
            let answer = gateway.get("/");
            assert_eq!(answer.status(), 503, "request {n} with {workers} workers");
            assert!(answer.field("retry-after").is_some_and(|value| value.parse::<u32>().is_ok()));
            assert!(
                answer.field("x-weir-breaker").is_some_and(|value| value.contains("all")),
                "{answer:?}"
            );
        }
        assert_eq!(origin.hits(), 3, "an open breaker lets nothing through");
    }
}

#[test]
fn it_probes_and_closes_when_the_service_is_well() {
    for workers in [1, 4] {
        let (origin, is_ill) = patient();
        let configuration = rules(
            &json!({"open": {"time": "200ms", "max_time": "400ms", "jitter": "0%"}, "probes": {"successes": 2}}),
        );
        let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
            .workers(workers)
            .start();
        for _ in 0..3 {
            gateway.get("/");
        }
        await_state(&gateway, 2);
        let probed = wait::until(PATIENCE, || {
            gateway.get("/");
            (origin.hits() > 3).then_some(())
        });
        assert!(probed.is_some(), "no probe came");
        await_state(&gateway, 2);
        is_ill.store(false, Ordering::SeqCst);
        let closed = wait::until(PATIENCE, || {
            gateway.get("/");
            (state(&gateway) == 0).then_some(())
        });
        assert!(closed.is_some(), "it did not close with {workers} workers");
        assert_eq!(gateway.get("/well").text(), "/well");
    }
}

#[test]
fn a_hanging_service_is_probed_by_one_request_at_a_time() {
    let (origin, _) = patient();
    let configuration =
        rules(&json!({"open": {"time": "100ms", "max_time": "100ms", "jitter": "0%"}}));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    for _ in 0..3 {
        gateway.get("/");
    }
    await_state(&gateway, 2);
    origin.play(|_request| Act::Hang);
    let before = origin.hits();
    let sent = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..12).map(|_| scope.spawn(|| gateway.get("/slow/probe").status())).collect();
        let hits = wait::until(PATIENCE, || {
            gateway.get("/slow/probe");
            Some(origin.hits() - before).filter(|hits| *hits > 0)
        });
        for client in clients {
            let status = client.join().unwrap();
            assert!(matches!(status, 503 | 504), "{status}");
        }
        hits
    });
    assert_eq!(sent, Some(1), "more than one probe was out at a time");
}

#[test]
fn connections_that_fail_count_and_what_the_client_does_wrong_does_not() {
    let origin = Origin::start(|_request| Act::Cut(Vec::new()));
    let configuration = rules(&json!({"open": {"time": "1h", "max_time": "1h"}}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address()).start();
    for _ in 0..3 {
        gateway.get("/");
    }
    await_state(&gateway, 2);

    let origin = Origin::start(|_request| Act::response(404, &[], ""));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address()).start();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status(), 404);
    }
    assert_eq!((state(&gateway), origin.hits()), (0, 20));
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_requests() {
    let origin = Origin::start(|request| {
        Act::response(if request.target().ends_with("odd") { 500 } else { 200 }, &[], "")
    });
    let configuration = json!({"rules": [{
        "name": "all", "consecutive": {"enabled": false}, "ratio": {"threshold": "50%", "min_requests": 10},
        "open": {"time": "1h", "max_time": "1h"},
    }]});
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(2).start();
    for n in 1..=10 {
        assert_ne!(
            gateway.get(if n % 2 == 0 { "/odd" } else { "/even" }).status(),
            503,
            "request {n}"
        );
    }
    await_state(&gateway, 2);
}
