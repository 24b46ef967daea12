//! Beside what Envoy has of its own: retries, outlier detection, health checks, connection limits.

use std::sync::atomic::Ordering;

use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

use super::{await_state, patient, rules, state};

const CLOSED: u64 = 0;
const OPEN: u64 = 2;

fn of_cluster(gateway: &Gateway, name: &str) -> u64 {
    let stats = gateway.envoy.stats("^cluster.upstream").unwrap();
    stats.get(&format!("cluster.upstream.{name}")).copied().unwrap_or(0)
}

/// A request that is retried is one request: it counts once, by how it ended.
#[test]
fn a_retried_request_counts_once_by_how_it_ended() {
    let origin = Origin::start(|_| Act::response(500, &[], ""));
    let configuration = rules(&json!({"open": {"time": "1h", "max_time": "1h"}}));
    let routes = json!([{"name": "all", "match": {"prefix": "/"}, "route": {
        "cluster": "upstream",
        "retry_policy": {"retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s"}},
    }}]);
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .routes(routes)
        .workers(4)
        .start();
    for n in 1..=3 {
        assert_eq!(gateway.get("/").status(), 500, "{n}");
    }
    await_state(&gateway, OPEN);
    assert_eq!(origin.hits(), 9, "three requests of three attempts");
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status(), 503);
    }
    assert_eq!(origin.hits(), 9, "and an open breaker has none retried");
    let failed = "weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=failure";
    assert_eq!(gateway.metric(failed), 3);
}

/// What the breaker rejects never reaches the cluster, so no host is judged by it.
#[test]
fn its_rejections_are_no_hosts_outliers() {
    let (origin, is_ill) = patient();
    let configuration =
        rules(&json!({"open": {"time": "200ms", "max_time": "200ms", "jitter": "0%"}}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .upstream(json!({"outlier_detection": {
            "consecutive_5xx": 5, "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100,
            "interval": "0.1s", "base_ejection_time": "3600s", "max_ejection_percent": 100,
        }}))
        .workers(4)
        .start();
    for _ in 0..3 {
        gateway.get("/");
    }
    await_state(&gateway, OPEN);
    is_ill.store(false, Ordering::SeqCst);
    let closes = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(&gateway) == CLOSED).then_some(())
    });
    assert!(closes.is_some());
    assert_eq!(of_cluster(&gateway, "outlier_detection.ejections_enforced_total"), 0);
    assert_eq!(of_cluster(&gateway, "upstream_rq_503"), 0);
    assert_eq!(of_cluster(&gateway, "upstream_rq_total"), origin.hits());
}

/// Outlier detection takes the host away first; "no healthy upstream" is a failure like others, and a probe finds the
/// host again once it is back.
#[test]
fn a_host_that_is_ejected_opens_it_and_its_return_closes_it() {
    let (origin, is_ill) = patient();
    let configuration = rules(&json!({
        "consecutive": {"failures": 6}, "open": {"time": "200ms", "max_time": "400ms", "jitter": "0%"},
    }));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .upstream(json!({
            "outlier_detection": {
                "consecutive_5xx": 3, "interval": "0.1s", "base_ejection_time": "1s",
                "max_ejection_percent": 100, "always_eject_one_host": true,
            },
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        }))
        .workers(4)
        .start();
    let opens = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(&gateway) == OPEN).then_some(())
    });
    assert!(opens.is_some());
    assert!(of_cluster(&gateway, "outlier_detection.ejections_enforced_total") >= 1);
    is_ill.store(false, Ordering::SeqCst);
    let closes = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(&gateway) == CLOSED).then_some(())
    });
    assert!(closes.is_some());
    assert_eq!(gateway.get("/well").text(), "/well");
}

/// A cluster whose health checks fail has nobody to answer: that counts, and the breaker spares clients the look.
#[test]
fn failing_health_checks_open_it_and_passing_ones_close_it() {
    let (origin, is_ill) = patient();
    let configuration =
        rules(&json!({"open": {"time": "200ms", "max_time": "400ms", "jitter": "0%"}}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .upstream(json!({
            "health_checks": [{
                "timeout": "1s", "interval": "0.1s", "no_traffic_interval": "0.1s",
                "unhealthy_threshold": 1, "healthy_threshold": 1,
                "http_health_check": {"path": "/health"},
            }],
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        }))
        .workers(4)
        .start();
    let opens = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(&gateway) == OPEN).then_some(())
    });
    assert!(opens.is_some());
    assert_eq!(origin.hits_of("/"), 0, "no host is healthy, so none was asked");
    is_ill.store(false, Ordering::SeqCst);
    let closes = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(&gateway) == CLOSED).then_some(())
    });
    assert!(closes.is_some());
}

/// A full pool says that this Envoy has enough on its hands, not that the service is ill.
#[test]
fn what_overflows_envoys_own_limits_is_nobodys_failure() {
    let origin = Origin::start(|_| Act::Hang);
    let configuration = rules(&json!({"open": {"time": "1h", "max_time": "1h"}}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
        .upstream(json!({"circuit_breakers": {"thresholds": [{"max_requests": 1, "max_pending_requests": 1}]}}))
        .start();
    let mut busy = harness::client::Connection::open(gateway.address());
    busy.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert!(wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).is_some());
    let mut waiting = harness::client::Connection::open(gateway.address());
    waiting.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let overflows = wait::until(PATIENCE, || {
        let answer = harness::client::Request::get("/").ask(gateway.address());
        (answer.field("x-envoy-overloaded") == Some("true")).then_some(())
    });
    assert!(overflows.is_some());
    for _ in 0..10 {
        assert_eq!(gateway.get("/").field("x-weir-breaker"), None);
    }
    assert_eq!(state(&gateway), CLOSED);
}
