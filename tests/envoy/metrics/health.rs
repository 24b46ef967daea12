//! Health through a real Envoy that asks its own admin interface.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::admin::{Way, cluster};
use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{ask, json_of, read, section};

/// A service whose hosts Envoy checks several times a second, and the switch for their health.
fn checked(name: &str, healthy: &Arc<AtomicBool>) -> (Origin, Value) {
    let healthy = Arc::clone(healthy);
    let origin = Origin::start(move |_request| {
        Act::response(if healthy.load(Ordering::SeqCst) { 200 } else { 503 }, &[], "")
    });
    let mut cluster = cluster(name, origin.address());
    cluster["health_checks"] = json!([{
        "timeout": "1s", "interval": "0.1s", "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 1, "healthy_threshold": 1, "http_health_check": {"path": "/up"},
    }]);
    (origin, cluster)
}

fn open(gateway: &Gateway, path: &str) -> (u16, Value) {
    let answer = Request::get(path).ask(gateway.address());
    (answer.status(), json_of(&answer))
}

fn await_ready(gateway: &Gateway, path: &str, expected: u16) {
    let is_it = || (Request::get(path).ask(gateway.address()).status() == expected).then_some(());
    if wait::until(PATIENCE, is_it).is_none() {
        panic!("not {expected}: {:?}\n{}", open(gateway, path), gateway.envoy.log_tail());
    }
}

#[test]
fn ready_follows_the_health_of_the_clusters() {
    let origin = Origin::plain();
    let admin = Way::start();
    let healthy = Arc::new(AtomicBool::new(true));
    let (_service, service) = checked("orders", &healthy);
    let configuration = json!({"operations": section(), "health": {
        "open": true, "admin_cluster": "admin", "clusters": ["orders", "upstream"],
        "interval": "500ms", "max_age": "2s",
    }});
    let gateway = Setup::new("metrics", &configuration, origin.address())
        .and_cluster(admin.cluster())
        .and_cluster(service)
        .workers(4)
        .start();
    let (live, ready) = ("/weir/metrics/health/live", "/weir/metrics/health/ready");
    assert_eq!(open(&gateway, ready), (503, json!({"status": "not_ready"})), "nothing is known");
    assert_eq!(open(&gateway, live), (200, json!({"status": "live"})));
    admin.lead(Some(gateway.envoy.admin()));
    await_ready(&gateway, ready, 200);
    assert_eq!(open(&gateway, ready), (200, json!({"status": "ready"})));

    let detailed = read(&gateway, "/health/detailed");
    assert_eq!(detailed["envoy"], json!({"version": "1.40.0", "state": "LIVE"}), "{detailed:#}");
    assert!(detailed["memory"]["allocated_bytes"].as_u64() > Some(1 << 20), "{detailed:#}");
    let clusters = &detailed["clusters"];
    assert_eq!(
        (&clusters[0]["cluster"], &clusters[0]["hosts_healthy"]),
        (&json!("orders"), &json!(1))
    );
    assert_eq!(
        clusters[1]["hosts"],
        json!([{"address": origin.address().to_string(), "healthy": true, "troubles": []}])
    );
    assert!(detailed["checks"]["clusters_age_seconds"].as_f64() < Some(2.0), "{detailed:#}");
    assert_eq!(read(&gateway, "/health/status")["status"], "ready");

    healthy.store(false, Ordering::SeqCst);
    await_ready(&gateway, ready, 503);
    let why = ask(&gateway, "GET", "/health/ready");
    assert_eq!(
        (why.status(), &json_of(&why)["reasons"]),
        (503, &json!(["0 of 1 hosts of cluster orders are healthy"]))
    );
    assert_eq!(open(&gateway, live).0, 200, "it lives");
    let detailed = json_of(&ask(&gateway, "GET", "/health/detailed"));
    assert_eq!(
        detailed["clusters"][0]["hosts"][0]["troubles"],
        json!(["failed_active_health_check"])
    );
    healthy.store(true, Ordering::SeqCst);
    await_ready(&gateway, ready, 200);

    // Nobody answers any more, and what is known gets too old.
    admin.lead(None);
    await_ready(&gateway, ready, 503);
    let detailed = json_of(&ask(&gateway, "GET", "/health/detailed"));
    assert_eq!(detailed["checks"]["last_failure"], "status 503", "{detailed:#}");
    admin.lead(Some(gateway.envoy.admin()));
    await_ready(&gateway, ready, 200);

    for secret in ["/health/status", "/health/detailed", "/health", "/stats"] {
        assert_eq!(gateway.get(&format!("/weir/metrics{secret}")).status(), 401, "{secret}");
    }
    let asked = admin.origin();
    let paths =
        ["/clusters?format=json&filter=%5E%28orders%7Cupstream%29%24", "/server_info", "/memory"];
    let of_these: u64 = paths.iter().map(|path| asked.hits_of(path)).sum();
    assert_eq!(asked.hits(), of_these, "three paths that only read, and no other");
}

#[test]
fn one_worker_asks_for_all() {
    let origin = Origin::plain();
    let admin = Way::start();
    let configuration = json!({"operations": section(), "health": {
        "open": true, "path": "/health", "admin_cluster": "admin", "interval": "500ms",
    }});
    let gateway = Setup::new("metrics", &configuration, origin.address())
        .and_cluster(admin.cluster())
        .workers(4)
        .start();
    admin.lead(Some(gateway.envoy.admin()));
    await_ready(&gateway, "/health/ready", 200);
    let rounds = || {
        let answer = Request::get("/health/detailed")
            .field("x-weir-token", "open sesame")
            .ask(gateway.address());
        let detailed = json_of(&answer);
        let uptime = detailed["uptime_seconds"].as_f64()?;
        (uptime > 4.0).then(|| (detailed["checks"]["rounds"].as_u64(), uptime))
    };
    let (rounds, uptime) = wait::until(PATIENCE, rounds).unwrap();
    #[allow(clippy::cast_precision_loss, reason = "a handful of rounds")]
    let rounds = rounds.unwrap() as f64;
    assert!(rounds <= uptime / 0.5 + 2.0, "{rounds} rounds in {uptime} s");
    assert_eq!(admin.origin().hits_of("/clusters?format=json"), 0, "no cluster, no question");
    assert_eq!(gateway.get("/health/status").status(), 401);
    assert_eq!(gateway.get("/healthy").text(), "/healthy");
}

#[test]
fn in_the_gateway_answers_find_the_filter_that_asked() {
    let origin = Origin::plain();
    let admin = Way::start();
    let configuration = json!({
        "metrics": {"operations": section(), "health": {
            "open": true, "admin_cluster": "admin", "clusters": ["upstream"], "interval": "500ms",
        }},
        "response_cache": {}, "circuit_breaker": {"rules": [{"name": "all"}]},
    });
    let gateway = Setup::new("gateway", &configuration, origin.address())
        .and_cluster(admin.cluster())
        .workers(2)
        .start();
    admin.lead(Some(gateway.envoy.admin()));
    await_ready(&gateway, "/weir/metrics/health/ready", 200);
    assert_eq!(read(&gateway, "/health/status")["envoy"]["state"], "LIVE");
    assert_eq!(gateway.envoy.post("/healthcheck/fail").unwrap().status, 200);
    await_ready(&gateway, "/weir/metrics/health/ready", 503);
    let why = json_of(&ask(&gateway, "GET", "/health/ready"));
    assert_eq!(why["reasons"], json!(["Envoy is DRAINING"]));
}
