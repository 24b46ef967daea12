//! Requests that are no clients', durations that are no latencies, and errors that are the client's.
#![cfg(test)]

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Flow, config};
use weir_metrics::Metrics;
use weir_metrics::exclusion::Exclusion;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ALL_FAMILIES: &str = r#"{
    "exclude": [{"path": {"exact": "/healthz"}}, {"headers": [{"name": "user-agent", "prefix": "kube-probe/"}]}],
    "bytes": true, "grpc": true, "cluster": true, "upstream_time": true,
    "consumers": {"key": "header:user-agent"}
}"#;

fn worker(host: &FakeHost, config: &str) -> Metrics {
    match config::load("metrics", config.as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

/// An exchange that is over, in 12 ms, of which an upstream took 9.
fn ended(host: &FakeHost, method: &str, path: &str, status: u64, details: &str) -> FakeExchange {
    let fields =
        [(":method", method), (":path", path), (":authority", "x"), ("user-agent", "curl/8")];
    FakeExchange::new(host, &fields)
        .with_attribute(Attribute::RouteName, b"all")
        .with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, details.as_bytes())
        .with_attribute(Attribute::ResponseFlags, &0_u64.to_le_bytes())
        .with_attribute(Attribute::Duration, &12_000_000_u64.to_le_bytes())
        .with_attribute(Attribute::UpstreamTime, &9_000_000_u64.to_le_bytes())
}

#[test]
fn response_code_details_tell_what_is_no_clients() {
    for (details, expected) in [
        ("weir_operations", Some(Exclusion::Operations)),
        ("health_check_ok", Some(Exclusion::HealthCheck)),
        ("health_check_failed", Some(Exclusion::HealthCheck)),
        ("health_check_ok_cluster_healthy", Some(Exclusion::HealthCheck)),
        ("weir_operations_more", None),
        ("weir_cache_hit", None),
        ("via_upstream", None),
        ("no_healthy_upstream", None),
        ("", None),
    ] {
        assert_eq!(Exclusion::of(details.as_bytes()), expected, "{details}");
    }
}

#[test]
fn what_is_no_clients_is_in_one_counter_and_in_no_other_family() {
    for (path, status, details, counted) in [
        ("/weir/stats", 200, "weir_operations", "reason=operations;class=2xx"),
        ("/weir/stats", 401, "weir_operations", "reason=operations;class=4xx"),
        ("/ready", 503, "health_check_failed", "reason=health_check;class=5xx"),
        ("/healthz?full", 503, "via_upstream", "reason=configured;class=5xx"),
    ] {
        for saw_request in [true, false] {
            let host = FakeHost::default();
            let worker = worker(&host, ALL_FAMILIES);
            let before = host.metric_names();
            let x = ended(&host, "GET", path, status, details);
            let mut stream = Default::default();
            if saw_request {
                assert_eq!(worker.on_request_headers(&mut stream, &x, true), Flow::Continue);
            }
            worker.on_log(&mut stream, &x);
            let mut made = host.metric_names();
            made.retain(|name| !before.contains(name));
            let name = format!("weir_metrics_excluded_requests_total;{counted}");
            assert_eq!(made, std::slice::from_ref(&name), "{details} {saw_request}");
            assert_eq!(host.metric(&name), Some(1));
        }
    }
}

#[test]
fn a_path_that_is_rewritten_later_is_excluded_by_what_the_client_sent() {
    let host = FakeHost::default();
    let worker = worker(&host, ALL_FAMILIES);
    let mut stream = Default::default();
    let came = ended(&host, "GET", "/healthz", 200, "via_upstream");
    assert_eq!(worker.on_request_headers(&mut stream, &came, true), Flow::Continue);
    worker.on_log(&mut stream, &ended(&host, "GET", "/internal", 200, "via_upstream"));
    let name = "weir_metrics_excluded_requests_total;reason=configured;class=2xx";
    assert_eq!(host.metric(name), Some(1));
}

#[test]
fn a_lifetime_is_no_latency() {
    for (method, status, details, is_latency) in [
        ("GET", 101, "via_upstream", false),
        ("GET", 101, "upstream_reset_after_response_started{connection_termination}", false),
        ("CONNECT", 200, "via_upstream", false),
        ("CONNECT", 403, "via_upstream", true),
        ("GET", 200, "via_upstream", true),
    ] {
        let host = FakeHost::default();
        let worker = worker(&host, r#"{"upstream_time": true}"#);
        worker.on_log(&mut Default::default(), &ended(&host, method, "/", status, details));
        let sum = |family: &str| -> i64 {
            let names = host.metric_names().into_iter();
            let of_family =
                names.filter(|name| name.starts_with(&format!("weir_metrics_{family};")));
            of_family.filter_map(|name| host.metric(&name)).sum()
        };
        assert_eq!(sum("requests_total"), 1, "{method} {status}");
        for family in
            ["request_duration_milliseconds", "upstream_time_milliseconds", "overhead_milliseconds"]
        {
            assert_eq!(sum(family), i64::from(is_latency), "{family} {method} {status}");
        }
    }
}

#[test]
fn only_if_cached_is_no_server_error() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"status": "code"}"#);
    let x = ended(&host, "GET", "/", 504, "weir_cache_only_if_cached");
    worker.on_log(&mut Default::default(), &x);
    let labels = "route=all;method=GET;class=4xx;from=weir;status=504";
    assert_eq!(host.metric(&format!("weir_metrics_requests_total;{labels}")), Some(1));
    worker.on_tick(&host);
}
