//! The families that are counted only where they are asked for, or only for what went wrong.
#![cfg(test)]

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, config};
use weir_metrics::Metrics;
use weir_metrics::flags::Flag;
use weir_metrics::grpc::Grpc;
use weir_metrics::labels::Outcome;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn worker(host: &FakeHost, config: &str) -> Metrics {
    match config::load("metrics", config.as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

/// An exchange of a route that is over, in 12 ms, of which the upstream took 9.
fn ended(host: &FakeHost, route: &str, status: u64, details: &str) -> FakeExchange {
    FakeExchange::get(host, "/", &[("content-type", "application/grpc")])
        .with_attribute(Attribute::RouteName, route.as_bytes())
        .with_attribute(Attribute::Cluster, b"backend")
        .with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, details.as_bytes())
        .with_attribute(Attribute::ResponseFlags, &0_u64.to_le_bytes())
        .with_attribute(Attribute::Duration, &12_000_000_u64.to_le_bytes())
        .with_attribute(Attribute::UpstreamTime, &9_000_000_u64.to_le_bytes())
        .with_attribute(Attribute::GrpcStatus, &0_u64.to_le_bytes())
}

#[test]
fn every_outcome_is_counted_at_its_route() {
    let host = FakeHost::default();
    let worker = worker(&host, "{}");
    let ends = [
        (429, "weir_rate_limited"),
        (200, "weir_cache_hit"),
        (200, "weir_cache_stale"),
        (503, "weir_circuit_open"),
        (200, "via_upstream"),
        (404, "direct_response"),
        (0, "downstream_remote_disconnect"),
    ];
    for (status, details) in ends {
        worker.on_log(&mut Default::default(), &ended(&host, "users", status, details));
    }
    for outcome in Outcome::ALL {
        let name = format!("weir_metrics_flow_total;route=users;outcome={}", outcome.as_str());
        assert_eq!(host.metric(&name), Some(1), "{name}");
    }
}

#[test]
fn an_upstreams_time_is_told_from_what_the_gateway_adds() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"upstream_time": true}"#);
    worker.on_log(&mut Default::default(), &ended(&host, "users", 200, "via_upstream"));
    worker.on_log(&mut Default::default(), &ended(&host, "users", 200, "weir_cache_hit"));
    for family in ["upstream_time", "overhead"] {
        let name = format!("weir_metrics_{family}_milliseconds;route=users");
        assert_eq!(host.metric(&name), Some(1), "{name}");
    }
}

#[test]
fn a_place_is_a_route_and_a_cluster_where_clusters_are_told_apart() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"cluster": true, "grpc": true, "upstream_time": true}"#);
    worker.on_log(&mut Default::default(), &ended(&host, "users", 200, "via_upstream"));
    let failed = ended(&host, "users", 503, "no_healthy_upstream");
    failed.set_attribute(Attribute::ResponseFlags, &2_u64.to_le_bytes());
    failed.set_attribute(Attribute::Cluster, b"");
    worker.on_log(&mut Default::default(), &failed);
    for name in [
        "requests_total;route=users;cluster=backend;method=GET;class=2xx;from=upstream",
        "requests_total;route=users;cluster=_none;method=GET;class=5xx;from=envoy",
        "flow_total;route=users;cluster=backend;outcome=upstream",
        "upstream_time_milliseconds;route=users;cluster=backend",
        "failures_total;route=users;cluster=_none;flag=UH",
        "grpc_requests_total;route=users;cluster=backend;grpc_status=OK",
    ] {
        assert_eq!(host.metric(&format!("weir_metrics_{name}")), Some(1), "{name}");
    }
}

#[test]
fn flags_are_a_closed_set() {
    let names = |bits| Flag::all(bits).map(Flag::as_str).collect::<Vec<_>>();
    assert_eq!(names(0), [""; 0]);
    assert_eq!(names(0b10), ["UH"]);
    assert_eq!(names(0x0100_0020), ["UF", "NC"]);
    assert_eq!(names(1 << 29), ["UDO"]);
    assert_eq!(names(1 << 30 | 1 << 63 | 1), ["LH", "_other"]);
    assert_eq!(names(u64::MAX).len(), Flag::COUNT);
}

#[test]
fn an_exchange_with_two_flags_counts_for_both() {
    let host = FakeHost::default();
    let worker = worker(&host, "{}");
    let failed = ended(&host, "users", 503, "upstream_reset_before_response_started{x}");
    failed.set_attribute(Attribute::ResponseFlags, &0x8020_u64.to_le_bytes());
    worker.on_log(&mut Default::default(), &failed);
    for flag in ["UF", "URX"] {
        let name = format!("weir_metrics_failures_total;route=users;flag={flag}");
        assert_eq!(host.metric(&name), Some(1), "{name}");
    }
}

#[test]
fn grpc_statuses_are_a_closed_set() {
    let rows = [
        (0, "OK"),
        (1, "CANCELLED"),
        (14, "UNAVAILABLE"),
        (16, "UNAUTHENTICATED"),
        (17, "_other"),
        (18, "_other"),
        (300, "_other"),
        (u64::MAX, "_other"),
    ];
    for (code, name) in rows {
        assert_eq!(Grpc::of(code).as_str(), name, "{code}");
    }
    assert_eq!(Grpc::NONE.as_str(), "_none");
}

#[test]
fn only_grpc_has_a_grpc_status_whatever_envoy_derives() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"grpc": true}"#);
    let count = |x: &FakeExchange| {
        x.set_attribute(Attribute::RouteName, b"users");
        x.set_attribute(Attribute::GrpcStatus, &12_u64.to_le_bytes());
        worker.on_log(&mut Default::default(), x);
    };
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let x = FakeExchange::get(&host, "/", &[("content-type", content_type)]);
        count(&x.with_attribute(Attribute::ResponseCode, &200_u64.to_le_bytes()));
        count(&FakeExchange::get(&host, "/", &[("content-type", content_type)]));
    }
    for content_type in ["application/json", "application/grpc-web", "application/grpcx", ""] {
        count(&FakeExchange::get(&host, "/", &[("content-type", content_type)]));
    }
    let value = |status: &str| {
        host.metric(&format!("weir_metrics_grpc_requests_total;route=users;grpc_status={status}"))
    };
    assert_eq!((value("UNIMPLEMENTED"), value("_none")), (Some(2), Some(2)));
}

#[test]
fn rare_families_are_bounded_and_say_what_they_folded() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"max_series": 4, "grpc": true}"#);
    for n in 0..100_u64 {
        let failed = ended(&host, &format!("r{}", n % 2), 503, "another");
        failed.set_attribute(Attribute::ResponseFlags, &(1_u64 << (n % 20)).to_le_bytes());
        failed.set_attribute(Attribute::GrpcStatus, &(n % 20).to_le_bytes());
        worker.on_log(&mut Default::default(), &failed);
    }
    for family in ["failures", "grpc_requests"] {
        let prefix = format!("weir_metrics_{family}_total;");
        let names: Vec<String> =
            host.metric_names().into_iter().filter(|name| name.starts_with(&prefix)).collect();
        assert_eq!(names.len(), 5, "{names:?}");
        assert_eq!(names.iter().filter_map(|name| host.metric(name)).sum::<i64>(), 100);
    }
    for family in ["failures", "grpc"] {
        let folded = host.metric(&format!("weir_metrics_series_overflow_total;family={family}"));
        assert_eq!(folded, Some(80), "{family}");
    }
}
