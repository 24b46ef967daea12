//! The filter over whole exchanges, on a host in memory.
#![cfg(test)]

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Exchange, Filter, config};
use weir_metrics::Metrics;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn worker(host: &FakeHost, config: &str) -> Metrics {
    match config::load("metrics", config.as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

/// An exchange of `route` that is over: 12.4 ms, 100 bytes in, 2000 out.
fn ended(host: &FakeHost, route: &str, status: u64, details: &str) -> FakeExchange {
    FakeExchange::get(host, "/", &[])
        .with_attribute(Attribute::RouteName, route.as_bytes())
        .with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, details.as_bytes())
        .with_attribute(Attribute::Duration, &12_400_000_u64.to_le_bytes())
        .with_attribute(Attribute::RequestBytes, &100_u64.to_le_bytes())
        .with_attribute(Attribute::ResponseBytes, &2_000_u64.to_le_bytes())
}

const ONE: &str = ";route=users;method=GET;class=2xx;from=upstream";

#[test]
fn an_exchange_is_counted_once_in_every_family() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"bytes": true}"#);
    for _ in 0..3 {
        worker.on_log(&mut Default::default(), &ended(&host, "users", 200, "via_upstream"));
    }
    let value = |family: &str| host.metric(&format!("weir_metrics_{family}{ONE}"));
    assert_eq!(value("requests_total"), Some(3));
    assert_eq!(value("request_duration_milliseconds"), Some(3));
    assert_eq!(value("request_bytes_total"), Some(300));
    assert_eq!(value("response_bytes_total"), Some(6_000));
    assert_eq!(host.metric_names().len(), 7);
}

#[test]
fn bytes_are_counted_only_if_asked_for() {
    let host = FakeHost::default();
    worker(&host, "{}")
        .on_log(&mut Default::default(), &ended(&host, "users", 200, "via_upstream"));
    assert_eq!(
        host.metric_names(),
        [
            "weir_metrics_flow_total;route=users;outcome=upstream".to_owned(),
            format!("weir_metrics_request_duration_milliseconds{ONE}"),
            format!("weir_metrics_requests_total{ONE}"),
            "weir_metrics_series_overflow_total;family=failures".to_owned(),
            "weir_metrics_series_overflow_total;family=requests".to_owned(),
        ]
    );
}

#[test]
fn codes_are_told_apart_if_asked_for() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"status": "code"}"#);
    for status in [500, 503, 503, 0] {
        worker.on_log(&mut Default::default(), &ended(&host, "users", status, "via_upstream"));
    }
    let value = |class: &str, from: &str, status: &str| {
        host.metric(&format!(
            "weir_metrics_requests_total;route=users;method=GET;class={class};from={from};status={status}"
        ))
    };
    assert_eq!(value("5xx", "upstream", "500"), Some(1));
    assert_eq!(value("5xx", "upstream", "503"), Some(2));
    assert_eq!(value("none", "none", "none"), Some(1));
}

#[test]
fn a_stream_of_which_nothing_is_known_is_counted_too() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"bytes": true}"#);
    worker.on_log(&mut Default::default(), &FakeExchange::new(&host, &[]));
    let labels = ";route=_none;method=_none;class=none;from=none";
    assert_eq!(host.metric(&format!("weir_metrics_requests_total{labels}")), Some(1));
    let durations = host.metric(&format!("weir_metrics_request_duration_milliseconds{labels}"));
    assert_eq!(durations, Some(0));
}

#[test]
fn workers_count_into_the_same_series() {
    let host = FakeHost::default();
    for worker in [worker(&host, "{}"), worker(&host, "{}")] {
        worker.on_log(&mut Default::default(), &ended(&host, "users", 200, "via_upstream"));
    }
    assert_eq!(host.metric(&format!("weir_metrics_requests_total{ONE}")), Some(2));
}

#[test]
fn beyond_the_bound_classes_and_answerers_stay_exact() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"max_series": 2, "status": "code"}"#);
    for n in 0..1_000 {
        let status = if n % 10 == 0 { 503 } else { 200 };
        worker.on_log(
            &mut Default::default(),
            &ended(&host, &format!("r{n}"), status, "via_upstream"),
        );
    }
    let folded = |class: &str| {
        host.metric(&format!(
            "weir_metrics_requests_total;route=_other;method=_OTHER;class={class};from=upstream;status=_other"
        ))
    };
    assert_eq!(folded("2xx"), Some(899));
    assert_eq!(folded("5xx"), Some(99));
    assert_eq!(host.metric("weir_metrics_series_overflow_total;family=requests"), Some(998));
    // Two label sets and two folded ones, with two metrics each, an outcome at each of three places, the overflows.
    assert_eq!(host.metric_names().len(), 13);
}

#[test]
fn a_series_that_there_is_stays_its_own_beyond_the_bound() {
    let host = FakeHost::default();
    let worker = worker(&host, r#"{"max_series": 1}"#);
    for route in ["users", "else", "users"] {
        worker.on_log(&mut Default::default(), &ended(&host, route, 200, "via_upstream"));
    }
    assert_eq!(host.metric(&format!("weir_metrics_requests_total{ONE}")), Some(2));
    assert_eq!(host.metric("weir_metrics_series_overflow_total;family=requests"), Some(1));
}

#[test]
fn what_other_filters_decided_is_counted() {
    let host = FakeHost::default();
    let worker = worker(&host, "{}");
    for word in ["admit", "admit", "limit"] {
        let x = ended(&host, "users", 200, "via_upstream");
        x.note("rate-limit", word);
        x.note("response-cache", "miss");
        worker.on_log(&mut Default::default(), &x);
    }
    let value = |filter: &str, word: &str| {
        host.metric(&format!("weir_metrics_decisions_total;filter={filter};decision={word}"))
    };
    assert_eq!(value("rate-limit", "admit"), Some(2));
    assert_eq!(value("rate-limit", "limit"), Some(1));
    assert_eq!(value("response-cache", "miss"), Some(3));
}

#[test]
fn names_that_would_end_a_label_are_made_fit() {
    let host = FakeHost::default();
    let worker = worker(&host, "{}");
    worker.on_log(
        &mut Default::default(),
        &ended(&host, "a;class=2xx\u{0}\n\"\\", 500, "via_upstream"),
    );
    let labels = ";route=a_class=2xx__\"\\;method=GET;class=5xx;from=upstream";
    assert_eq!(host.metric(&format!("weir_metrics_requests_total{labels}")), Some(1));
}

#[test]
fn a_summary_says_what_is_in_force() {
    let host = FakeHost::default();
    let statistics = "statistics of at most 100 routes";
    let failures = "the last 100 failures (status 5xx or none)";
    assert_eq!(
        worker(&host, "{}").summary(),
        [
            "requests, durations by route, method, status class and answerer; at most 500 label sets",
            statistics,
            failures,
        ]
    );
    assert_eq!(
        worker(&host, r#"{"bytes": true, "status": "code", "max_series": 7}"#).summary()[0],
        "requests, durations, bytes by route, method, status code and answerer; at most 7 label sets"
    );
    let all = r#"{
        "statistics": {"enabled": false},
        "errors": {"max": 5, "statuses": [404, "5xx"], "aborted": false, "address": true, "user_agent": true},
        "operations": {"path": "/weir", "source": "10.0.0.0/8"},
        "health": {"path": "/health", "open": true, "admin_cluster": "admin", "clusters": ["api", "pages"], "min_healthy": "50%"}
    }"#;
    assert_eq!(
        worker(&host, all).summary()[1..],
        [
            "statistics off, those of other filters are answered",
            "operations below /weir from 10.0.0.0/8",
            "health below /health, live and ready for everybody; ready if Envoy is and api, pages are by 50% of their hosts; asked of admin every 2s within 1s, at most 10s old",
        ]
    );
    let consumers = r#"{"consumers": {"key": ["claim:sub", "host"], "max": 7, "show": true}}"#;
    assert_eq!(
        worker(&host, consumers).summary()[1],
        "at most 7 consumers by claim sub and host, shown in clear"
    );
    let consumers = r#"{"consumers": {"key": "header:x-api-key"}}"#;
    assert_eq!(
        worker(&host, consumers).summary()[1],
        "at most 20 consumers by header x-api-key, shown as hashes"
    );
    let kept = r#"{"errors": {"max": 5, "statuses": 404, "aborted": false, "address": true, "user_agent": true}}"#;
    assert_eq!(
        worker(&host, kept).summary()[2],
        "the last 5 failures (status 404) with the client's address and user agent"
    );
}
