//! What those bring along who come from another breaker: many probes, long windows, other steps, events for machines.

use std::sync::atomic::Ordering;
use std::thread;

use harness::client::Connection;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::{await_state, patient, rules, state};

const CLOSED: u64 = 0;
const OPEN: u64 = 2;

/// The objects of the event lines so far.
fn events(gateway: &Gateway) -> Vec<Value> {
    let lines = gateway.messages();
    let objects = lines.iter().filter_map(|line| line.split_once("circuit-breaker: event "));
    objects.map(|(_, object)| serde_json::from_str(object.trim()).unwrap()).collect()
}

#[test]
fn openings_grow_by_the_factor_and_each_event_is_a_line_of_json() {
    let (origin, is_ill) = patient();
    let mut configuration = rules(&json!({
        "open": {"time": "100ms", "growth": "300%", "max_time": "1h", "jitter": "0%"},
    }));
    configuration["event_log"] = json!("json");
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(2).start();
    for _ in 0..3 {
        gateway.get("/");
    }
    // Two probes fail, and then two succeed.
    let told = |n: usize| {
        let told = wait::until(PATIENCE, || {
            gateway.get("/");
            (events(&gateway).len() >= n).then_some(())
        });
        assert!(told.is_some(), "{:?}", gateway.messages());
    };
    told(5);
    is_ill.store(false, Ordering::SeqCst);
    told(7);
    await_state(&gateway, CLOSED);
    let events = events(&gateway);
    let all: Vec<_> = events
        .iter()
        .map(|event| {
            assert_eq!((&event["rule"], &event["scope"]), (&json!("all"), &json!("upstream")));
            assert!(event["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{event}");
            let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("from"), text("to"), text("cause"), text("retry_in"))
        })
        .collect();
    assert_eq!(
        all,
        [
            "closed open consecutive 100ms",
            "open half_open probe_due -",
            "half_open open probe_failed 300ms",
            "open half_open probe_due -",
            "half_open open probe_failed 900ms",
            "open half_open probe_due -",
            "half_open closed recovered -",
        ]
    );
    let messages = gateway.messages();
    assert!(!messages.iter().any(|line| line.contains("circuit-breaker: opened")), "{messages:?}");
}

#[test]
fn twelve_probes_at_once_and_a_window_of_six_hundred_requests() {
    let origin = Origin::start(|request| match request.target() {
        "/fails" => Act::response(500, &[], ""),
        "/hangs" => Act::Hang,
        _ => Act::response(200, &[], ""),
    });
    let configuration = rules(&json!({
        "consecutive": {"enabled": false},
        "ratio": {"threshold": "50%", "min_requests": 600},
        "last_requests": 600,
        "open": {"time": "100ms", "max_time": "100ms", "jitter": "0%"},
        "probes": {"at_once": 12, "successes": 12},
    }));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(2).start();
    thread::scope(|scope| {
        for target in ["/", "/fails", "/", "/fails"] {
            let address = gateway.address();
            scope.spawn(move || {
                let mut connection = Connection::open(address);
                for _ in 0..if target == "/" { 150 } else { 149 } {
                    connection.ask(&harness::client::Request::get(target)).unwrap();
                }
            });
        }
    });
    let failed = "weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=failure";
    gateway.await_metric(failed, 298);
    // The 599th and the 600th.
    gateway.get("/fails");
    assert_eq!(state(&gateway), CLOSED);
    gateway.get("/fails");
    await_state(&gateway, OPEN);

    let before = origin.hits();
    let mut connections = Vec::new();
    let all_out = wait::until(PATIENCE, || {
        let mut connection = Connection::open(gateway.address());
        connection.send(b"GET /hangs HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        connections.push(connection);
        (origin.hits() >= before + 12).then_some(())
    });
    assert!(all_out.is_some(), "{} are out", origin.hits() - before);
    for _ in 0..10 {
        assert_eq!(gateway.get("/").status(), 503);
    }
    assert_eq!(origin.hits(), before + 12);
}
