//! What the documents tell operators to write is what the code makes.
#![cfg(test)]

use kit::meter::{LABELS, tag_regex};
use weir_metrics::signals;

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
    for label in
        own.iter().chain(&rare).chain(signals::DECISION_LABELS).chain(signals::CONSUMER_LABELS)
    {
        assert!(LABELS.contains(label), "{label}");
        assert!(ENVOY.contains(&tag(label)), "{label}");
    }
}
