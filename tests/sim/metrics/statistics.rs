//! The shipped module's statistics with several VMs: lost ones, replaced configurations, conflicts, health.

use std::time::Duration;

use harness::sim::{Answer, CallResponse, Fleet, Module, Request, Upstream, World};
use harness::token::sha256;
use serde_json::Value;

/// What operators show in these tests.
const TOKEN: &str = "open sesame";
/// How often workers add up.
const TICK: Duration = Duration::from_millis(250);

fn configuration(more: &str) -> String {
    let hash = sha256(TOKEN);
    format!(r#"{{"operations": {{"path": "/weir", "token_sha256": "{hash}"}}{more}}}"#)
}

fn fleet(more: &str) -> Fleet {
    let module = Module::shipped("weir_metrics");
    Fleet::start(&World::new(7), &module, 4, configuration(more))
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn send(fleet: &Fleet, worker: usize, n: usize) {
    for _ in 0..n {
        fleet.worker(worker).request(Request::get("/")).run_ok("");
    }
}

fn read(fleet: &Fleet, worker: usize, endpoint: &str) -> (u16, Value) {
    let request = Request::get(&format!("/weir{endpoint}")).header("x-weir-token", TOKEN);
    let answer = fleet.worker(worker).request(request).run_ok("from upstream");
    let text = answer.response.text();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (answer.status(), body)
}

fn requests(fleet: &Fleet, worker: usize) -> u64 {
    read(fleet, worker, "/stats").1["requests"].as_u64().unwrap()
}

#[test]
fn a_lost_vm_takes_at_most_a_tick_with_it() {
    let fleet = fleet("");
    for worker in 0..4 {
        send(&fleet, worker, 10);
    }
    fleet.world.advance(TICK);
    assert_eq!(requests(&fleet, 0), 40);
    send(&fleet, 1, 7);
    send(&fleet, 2, 5);
    fleet.worker(1).reload().expect("the same configuration");
    fleet.world.advance(TICK);
    assert_eq!(requests(&fleet, 0), 45, "the seven of the last tick are gone, and no other");
    send(&fleet, 1, 3);
    fleet.world.advance(TICK);
    assert_eq!(requests(&fleet, 3), 48, "the new VM goes on");
}

#[test]
fn a_configuration_that_goes_hands_over_what_it_gathered() {
    let fleet = fleet("");
    for turn in 0..5 {
        for worker in 0..4 {
            send(&fleet, worker, 3);
        }
        let more = format!(r#", "statistics": {{"max_routes": {}}}"#, 10 + turn);
        fleet.update(configuration(&more)).expect("it is good");
    }
    fleet.world.advance(TICK);
    assert_eq!(requests(&fleet, 0), 60);
}

#[test]
fn conflicts_lose_and_double_nothing() {
    let fleet = fleet("");
    fleet.world.conflict_by_seed(3, 40);
    for turn in 0..40 {
        send(&fleet, turn, 5);
        fleet.world.advance(TICK);
    }
    assert_eq!(requests(&fleet, 0), 200);
}

#[test]
fn counting_costs_no_call_that_returns_something() {
    let fleet = fleet("");
    send(&fleet, 0, 3);
    let with = fleet.worker(0).request(Request::get("/")).run_ok("").cost;
    let module = Module::shipped("weir_metrics");
    let without = Fleet::start(
        &World::new(7),
        &module,
        1,
        configuration(r#", "statistics": {"enabled": false}"#),
    )
    .unwrap();
    send(&without, 0, 3);
    let without = without.worker(0).request(Request::get("/")).run_ok("").cost;
    assert_eq!(with.calls, without.calls);
}

#[test]
fn health_is_asked_by_one_and_known_to_all() {
    let fleet =
        fleet(r#", "health": {"open": true, "admin_cluster": "admin", "clusters": ["api"]}"#);
    let clusters = r#"{"cluster_statuses": [{"name": "api", "host_statuses": [
        {"address": {"socket_address": {"address": "192.0.2.1", "port_value": 80}}, "health_status": {}}]}]}"#;
    fleet.world.cluster("admin", move |call| {
        let path = call.headers.get(b":path").unwrap_or_default().to_vec();
        let body = match path.get(..7) {
            Some(b"/cluste") => clusters.to_owned(),
            Some(b"/server") => r#"{"version": "x/1.40.0/y", "state": "LIVE"}"#.to_owned(),
            _ => r#"{"allocated": "1"}"#.to_owned(),
        };
        Answer::After(Duration::from_millis(5), CallResponse::new(200, body.as_bytes()))
    });
    assert_eq!(read(&fleet, 0, "/health/ready").0, 503);
    fleet.world.advance(Duration::from_secs(3));
    for worker in 0..4 {
        assert_eq!(read(&fleet, worker, "/health/ready").0, 200);
    }
    let rounds = |worker| read(&fleet, worker, "/health/detailed").1["checks"]["rounds"].as_u64();
    assert!((1..=2).contains(&rounds(2).unwrap()), "{:?}", rounds(2));
    // Whoever asks may be lost: others ask.
    for worker in 0..4 {
        fleet.worker(worker).reload().expect("the same configuration");
        fleet.world.advance(Duration::from_secs(4));
        assert_eq!(read(&fleet, worker, "/health/ready").0, 200);
    }
    fleet.world.cluster_without_hosts("admin");
    fleet.world.advance(Duration::from_secs(15));
    let (status, why) = read(&fleet, 0, "/health/ready");
    assert_eq!(status, 503, "{why}");
}

#[test]
fn a_module_that_is_given_other_bytes_goes_on() {
    let fleet = fleet("");
    send(&fleet, 0, 3);
    fleet.world.advance(TICK);
    for key in fleet.world.shared_keys(harness::sim::VM_ID) {
        fleet.world.set_shared(harness::sim::VM_ID, &key, b"\xff\x00 no record");
    }
    send(&fleet, 0, 2);
    fleet.world.advance(TICK);
    assert_eq!(requests(&fleet, 1), 2);
    assert!(matches!(
        fleet.worker(0).request(Request::get("/")).run(|| Upstream::status(503)).status(),
        503
    ));
    for endpoint in ["/stats", "/performance", "/errors"] {
        assert_eq!(read(&fleet, 1, endpoint).0, 200, "{endpoint}");
    }
}
