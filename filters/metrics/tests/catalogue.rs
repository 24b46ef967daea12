//! What the documents tell operators to write is what the code makes.
#![cfg(test)]

use std::fmt::Display;
use std::ops::RangeInclusive;

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::meter::{LABELS, tag_regex};
use kit::{Filter, Flow, Nanos, config};
use serde_json::{Value, json};
use weir_metrics::health::settings as health;
use weir_metrics::stats::histogram::MAX_RELATIVE_ERROR;
use weir_metrics::stats::settings as stats;
use weir_metrics::{Metrics, config as own, signals};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const README: &str = include_str!("../README.md");
const ENVOY_README: &str = include_str!("../../../envoy/README.md");
const ENVOY: &str = include_str!("../../../envoy/metrics.yaml");

fn tag(label: &str) -> String {
    format!("- {{ tag_name: {label}, regex: \"{}\" }}", tag_regex(label))
}

#[test]
fn every_metric_is_in_the_readme() {
    for name in [
        signals::REQUESTS,
        signals::DURATION,
        signals::REQUEST_BYTES,
        signals::RESPONSE_BYTES,
        signals::UPSTREAM_TIME,
        signals::OVERHEAD,
        signals::FLOW,
        signals::FAILURES,
        signals::GRPC,
        signals::IN_FLIGHT,
        signals::CONSUMER_REQUESTS,
        signals::DECISIONS,
        signals::EXCLUDED,
        signals::OVERFLOW,
    ] {
        assert!(README.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_block_of_tags_to_copy_has_every_label() {
    for label in LABELS {
        assert!(ENVOY_README.contains(&tag(label)), "{label}");
    }
    assert_eq!(ENVOY_README.matches("tag_name: ").count(), LABELS.len());
}

#[test]
fn the_example_lifts_out_the_labels_of_this_filter() {
    let own = ["route", "cluster", "method", "class", "from", "status", "outcome", signals::FAMILY];
    let rare = [signals::FAILURE_LABELS, signals::GRPC_LABELS].concat().concat();
    let rare = [rare.as_slice(), signals::IN_FLIGHT_LABELS].concat();
    let others = [signals::DECISION_LABELS, signals::CONSUMER_LABELS, signals::EXCLUDED_LABELS];
    for label in own.iter().chain(&rare).chain(others.concat().iter()) {
        assert!(LABELS.contains(label), "{label}");
        assert!(ENVOY.contains(&tag(label)), "{label}");
    }
}

fn row(field: &str, unit: &str, range: &RangeInclusive<impl Display>, default: impl Display) {
    let row = format!("| `{field}` | {unit} | {} to {} | {default} |", range.start(), range.end());
    assert!(README.lines().any(|line| line == row), "{row}");
}

#[test]
fn every_field_is_in_the_readme_with_its_range_and_default() {
    row("max_series", "label sets", &own::MAX_SERIES, own::DEFAULT_MAX_SERIES);
    row("statistics.max_routes", "routes", &stats::MAX_ROUTES, stats::DEFAULT_MAX_ROUTES);
    row("errors.max", "failures", &stats::MAX_ERRORS, stats::DEFAULT_MAX_ERRORS);
    row("health.interval", "duration", &health::INTERVAL, health::DEFAULT_INTERVAL);
    row("health.timeout", "duration", &health::TIMEOUT, health::DEFAULT_TIMEOUT);
    row("health.max_age", "duration", &health::MAX_AGE, "five intervals");
    row("health.clusters", "names of clusters", &health::CLUSTERS, "none");
    let errors = stats::Errors::default();
    for (field, value) in [
        ("statistics.enabled", stats::Settings::default().enabled),
        ("errors.aborted", errors.aborted),
        ("errors.address", errors.address),
        ("errors.user_agent", errors.user_agent),
    ] {
        let row = format!("| `{field}` | `true`, `false` | | `{value}` |");
        assert!(README.lines().any(|line| line == row), "{row}");
    }
    assert!(README.contains(&format!(
        "| `errors.statuses` | [statuses](../kit/README.md#statuses) | 1 to 16 | `[\"{}\"]` |",
        errors.statuses
    )));
    // A field that is nowhere in the tables: what the reader takes is told in the message of an unknown one.
    for object in ["statistics", "errors", "health"] {
        let text = json!({object: {"qqqqqqqqqq": 1}}).to_string();
        let Err(problems) = config::load("metrics", text.as_bytes(), Metrics::read) else {
            panic!("{text} is taken");
        };
        let fields = problems.to_string();
        let (_, fields) = fields.split_once("the fields here are ").unwrap();
        for field in fields.lines().next().unwrap().split(", ") {
            assert!(README.contains(&format!("| `{object}.{field}` |")), "{object}.{field}");
        }
    }
}

/// A worker that has everything switched on and has counted something, and its host.
fn worker() -> (Metrics, FakeHost) {
    let host = FakeHost::default();
    host.set_now(Nanos::from_secs(1_000));
    let text = json!({
        "operations": {"path": "/weir", "source": "192.0.2.1"}, "console": {}, "health": {},
        "errors": {"address": true, "user_agent": true}, "consumers": {"key": "header:user-agent"},
    });
    let Ok(config) = config::load("metrics", text.to_string().as_bytes(), Metrics::read) else {
        panic!("{text} is refused");
    };
    let worker = Metrics::new(config, &host);
    let x = FakeExchange::get(&host, "/", &[("user-agent", "curl/8")])
        .with_attribute(Attribute::RouteName, b"shop")
        .with_attribute(Attribute::SourceAddress, b"192.0.2.1:4711")
        .with_attribute(Attribute::ResponseCode, &503_u64.to_le_bytes());
    let mut stream = Default::default();
    assert_eq!(worker.on_request_headers(&mut stream, &x, true), Flow::Continue);
    worker.on_log(&mut stream, &x);
    (worker, host)
}

fn read((worker, host): &(Metrics, FakeHost), path: &str) -> Value {
    let x = FakeExchange::get(host, path, &[])
        .with_attribute(Attribute::SourceAddress, b"192.0.2.1:4711");
    match worker.on_request_headers(&mut Default::default(), &x, true) {
        Flow::Reply(reply) => serde_json::from_slice(&reply.body).unwrap(),
        other @ (Flow::Continue | Flow::Pause) => panic!("{path}: {other:?}"),
    }
}

#[test]
fn every_endpoint_is_in_the_readme() {
    let index = read(&worker(), "/weir");
    let endpoints = index["endpoints"].as_array().unwrap();
    assert!(endpoints.len() >= 10, "{index:#}");
    for endpoint in endpoints {
        let path = endpoint["path"].as_str().unwrap().strip_prefix("/weir").unwrap();
        let told = format!("`{} {path}`", endpoint["method"].as_str().unwrap());
        assert!(README.contains(&told), "{told}");
    }
}

/// The members of objects, however deep; of a list its first element's. Names that only the traffic makes are left out.
fn members(value: &Value, at: &str, found: &mut Vec<String>) {
    const OF_TRAFFIC: [&str; 4] = ["/by_method", "/by_class", "/by_status", "/decisions"];
    match value {
        Value::Object(object) if !OF_TRAFFIC.contains(&at) => {
            for (name, value) in object {
                let at = format!("{at}/{name}");
                members(value, &at, found);
                found.push(at);
            }
        }
        Value::Array(list) => list.iter().take(1).for_each(|one| members(one, at, found)),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_answers_in_the_readme_have_the_members_of_real_ones() {
    let worker = worker();
    let examples: Vec<&str> = README.split("```json\n").skip(1).collect();
    let endpoints = ["/weir/consumers", "/weir/stats", "/weir/errors", "/weir/health/status"];
    assert_eq!(examples.len(), endpoints.len());
    for (example, endpoint) in examples.iter().zip(endpoints) {
        let example = example.split("```").next().unwrap();
        let example: Value = serde_json::from_str(example).unwrap();
        let [told, real] = [example, read(&worker, endpoint)].map(|value| {
            let mut found = Vec::new();
            members(&value, "", &mut found);
            // Envoy's admin interface tells these, and a host in memory has none.
            found.retain(|at| !at.starts_with("/envoy") && !at.starts_with("/memory"));
            found.sort();
            found
        });
        assert_eq!(told, real, "{endpoint}");
    }
}

#[test]
fn the_error_of_quantiles_is_what_the_readme_says() {
    assert!(README.contains("off by 1/64 (1.6 %) at most"));
    assert_eq!(MAX_RELATIVE_ERROR.to_string(), (1.0_f64 / 64.0).to_string());
}
