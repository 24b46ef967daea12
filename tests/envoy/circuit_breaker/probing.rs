//! Probes that the filter sends itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::admin::cluster;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::{await_state, rules};

/// An origin that is ill while the switch is on; its health endpoint says so.
fn patient() -> (Origin, Arc<AtomicBool>) {
    let is_ill = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_ill);
    let origin = Origin::start(move |_request| {
        let status = if switch.load(Ordering::SeqCst) { 500 } else { 200 };
        Act::response(status, &[], "")
    });
    (origin, is_ill)
}

/// Opens for a short while, and is probed by the filter.
fn probed(request: &Value) -> Value {
    rules(&json!({
        "open": {"time": "300ms", "max_time": "600ms", "jitter": "0%"},
        "probes": {"request": request},
    }))
}

/// Three failures.
fn open(gateway: &Gateway) {
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    await_state(gateway, 2);
}

#[test]
fn a_breaker_closes_with_no_traffic() {
    for (module, workers) in [("circuit-breaker", 1), ("circuit-breaker", 4), ("gateway", 4)] {
        let (origin, is_ill) = patient();
        let breaker = probed(&json!({"path": "/healthz"}));
        let configuration =
            if module == "gateway" { json!({"circuit_breaker": breaker}) } else { breaker };
        let gateway = Setup::new(module, &configuration, origin.address()).workers(workers).start();
        open(&gateway);
        let probed = wait::until(PATIENCE, || (origin.hits_of("/healthz") >= 2).then_some(()));
        assert!(probed.is_some(), "{module}: probing does not go on");
        assert_ne!(super::state(&gateway), 0);
        is_ill.store(false, Ordering::SeqCst);
        await_state(&gateway, 0);
        assert_eq!(origin.hits_of("/"), 3, "no client's request was a probe");
        assert_eq!(gateway.get("/").status(), 200);
    }
}

#[test]
fn a_target_that_hangs_is_asked_once_at_a_time() {
    let origin = Origin::start(|request| match request.target() {
        "/healthz" => Act::Hang,
        _ => Act::response(500, &[], ""),
    });
    let configuration = probed(&json!({"path": "/healthz", "timeout": "30s"}));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    open(&gateway);
    // Every worker meets it, and asks for a permit with each tick.
    for _ in 0..40 {
        assert_eq!(gateway.get("/").status(), 503);
    }
    let asked = || origin.hits_of("/healthz");
    assert!(wait::until(PATIENCE, || (asked() > 0).then_some(())).is_some(), "no probe was sent");
    let more = wait::until(Duration::from_secs(2), || (asked() > 1).then(asked));
    assert_eq!(more, None, "a second probe is out");
}

#[test]
fn a_probe_that_is_late_has_failed_and_the_next_one_goes() {
    let (origin, _) = patient();
    let configuration = probed(&json!({"path": "/healthz", "timeout": "100ms"}));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    open(&gateway);
    origin.play(|request| match request.target() {
        "/healthz" => Act::Hang,
        _ => Act::response(200, &[], ""),
    });
    let failed = wait::until(PATIENCE, || {
        let name =
            "weir_circuit_breaker_transitions_total;breaker=all/upstream;from=half_open;to=open";
        (gateway.metric(name) >= 3).then_some(())
    });
    assert!(failed.is_some(), "{:#?}", gateway.messages());
    origin.play(|_request| Act::response(204, &[], ""));
    await_state(&gateway, 0);
}

#[test]
fn probing_goes_on_after_an_update() {
    let (origin, is_ill) = patient();
    let configuration = probed(&json!({"path": "/healthz"}));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    open(&gateway);
    let other = probed(&json!({"path": "/healthz/again"}));
    assert!(gateway.update(&other), "{}", gateway.envoy.log_tail());
    let probed = wait::until(PATIENCE, || (origin.hits_of("/healthz/again") >= 2).then_some(()));
    assert!(probed.is_some(), "nobody probes after an update");
    is_ill.store(false, Ordering::SeqCst);
    await_state(&gateway, 0);
    assert_eq!(origin.hits_of("/"), 3);
}

#[test]
fn another_cluster_can_be_asked_and_one_that_is_not_there_is_not_well() {
    let (origin, _) = patient();
    let health = Origin::plain();
    let with = |cluster: &str| {
        let mut configuration =
            probed(&json!({"path": "/healthz", "cluster": cluster, "authority": "shop.example"}));
        configuration["rules"][0]["per"] = json!("rule");
        configuration
    };
    let gateway = Setup::new("circuit-breaker", &with("nowhere"), origin.address())
        .and_cluster(cluster("health", health.address()))
        .workers(2)
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    let reopened = "weir_circuit_breaker_transitions_total;breaker=all;from=half_open;to=open";
    let failed = wait::until(PATIENCE, || (gateway.metric(reopened) >= 2).then_some(()));
    assert!(failed.is_some(), "{:#?}", gateway.messages());
    assert!(gateway.update(&with("health")));
    gateway.await_metric("weir_circuit_breaker_state;breaker=all", 0);
    assert_eq!((origin.hits(), health.hits()), (3, 2));
}
