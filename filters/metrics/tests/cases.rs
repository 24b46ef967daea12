//! What an exchange is counted as: tables over the closed sets.
#![cfg(test)]

use weir_metrics::config::Status;
use weir_metrics::labels::{Answerer, Class, Method};
use weir_metrics::policy::{Facts, Labels, milliseconds, route, route_text};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn facts(status: u64, details: &str) -> Facts<'_> {
    Facts { route: Some(b"users"), method: Some(b"GET"), status, details: details.as_bytes() }
}

#[test]
fn a_method_is_one_of_a_closed_set() {
    let rows: [(&[u8], &str); 15] = [
        (b"CONNECT", "CONNECT"),
        (b"DELETE", "DELETE"),
        (b"GET", "GET"),
        (b"HEAD", "HEAD"),
        (b"OPTIONS", "OPTIONS"),
        (b"PATCH", "PATCH"),
        (b"POST", "POST"),
        (b"PUT", "PUT"),
        (b"TRACE", "TRACE"),
        (b"get", "_OTHER"),
        (b"PROPFIND", "_OTHER"),
        (b"GET ", "_OTHER"),
        (b"A;class=2xx", "_OTHER"),
        (b"\xff\xfe", "_OTHER"),
        (b"", "_none"),
    ];
    for (method, label) in rows {
        assert_eq!(Method::of(Some(method)).as_str(), label, "{method:?}");
    }
    assert_eq!(Method::of(None).as_str(), "_none");
}

#[test]
fn a_class_is_told_for_every_number() {
    let rows = [
        (0, "none"),
        (1, "_other"),
        (99, "_other"),
        (100, "1xx"),
        (101, "1xx"),
        (200, "2xx"),
        (299, "2xx"),
        (304, "3xx"),
        (404, "4xx"),
        (499, "4xx"),
        (500, "5xx"),
        (599, "5xx"),
        (600, "_other"),
        (999, "_other"),
        (u64::MAX, "_other"),
    ];
    for (status, label) in rows {
        assert_eq!(Class::of(status).as_str(), label, "{status}");
    }
}

#[test]
fn the_answerer_follows_from_status_and_details() {
    let rows = [
        (200, "via_upstream", "upstream"),
        (503, "via_upstream", "upstream"),
        (503, "upstream_reset_before_response_started{connection_failure}", "envoy"),
        (200, "upstream_reset_after_response_started{connection_termination}", "upstream"),
        (503, "no_healthy_upstream", "envoy"),
        (504, "response_timeout", "envoy"),
        (404, "route_not_found", "envoy"),
        (200, "direct_response", "envoy"),
        (429, "weir_limited", "weir"),
        (503, "weir_circuit_open", "weir"),
        (200, "weir_", "weir"),
        (200, "weirdo", "envoy"),
        (403, "", "envoy"),
        (0, "downstream_remote_disconnect", "none"),
        (0, "via_upstream", "none"),
        (0, "", "none"),
    ];
    for (status, details, label) in rows {
        let labels = Labels::of(&facts(status, details), Status::Class, || false);
        assert_eq!(labels.from.as_str(), label, "{status} {details}");
    }
}

#[test]
fn a_response_that_the_client_cut_short_is_whose_it_was() {
    let facts = facts(200, "downstream_remote_disconnect");
    let from = |has_upstream| Labels::of(&facts, Status::Class, || has_upstream).from;
    assert_eq!(from(true), Answerer::Upstream);
    assert_eq!(from(false), Answerer::Envoy);
}

#[test]
fn nothing_asks_for_the_upstream_while_the_details_tell() {
    for (status, details) in [(200, "via_upstream"), (429, "weir_limited"), (404, "direct")] {
        Labels::of(&facts(status, details), Status::Class, || panic!("{details}"));
    }
}

#[test]
fn a_route_is_its_name_or_why_there_is_none() {
    let named = facts(200, "via_upstream");
    let unnamed = Facts { route: None, ..named };
    let rows: [(Facts<'_>, &str); 7] = [
        (named, "users"),
        (unnamed, "_unnamed"),
        (Facts { route: Some(b""), ..named }, "_unnamed"),
        (Facts { details: b"direct_response", ..unnamed }, "_unnamed"),
        (Facts { details: b"route_not_found", ..unnamed }, "_none"),
        (Facts { method: None, ..unnamed }, "_none"),
        (Facts { details: b"route_not_found", ..named }, "users"),
    ];
    for (facts, label) in rows {
        assert_eq!(route(&facts), label.as_bytes(), "{facts:?}");
    }
}

#[test]
fn a_route_in_a_metrics_name_is_text_and_short() {
    assert_eq!(route_text(b"users"), "users");
    assert_eq!(route_text(b"us\xffers"), "us\u{fffd}ers");
    assert_eq!(route_text(&[b'a'; 1_000]), "a".repeat(128));
    assert_eq!(route_text(b""), "");
}

#[test]
fn the_code_is_told_only_where_it_is_asked_for() {
    let code = |status| Labels::of(&facts(404, "via_upstream"), status, || false).code;
    assert_eq!(code(Status::Class), None);
    assert_eq!(code(Status::Code), Some(404));
}

#[test]
fn folding_keeps_class_and_answerer() {
    let labels = Labels::of(&facts(503, "weir_circuit_open"), Status::Code, || false);
    let folded = Labels { method: Method::Other, code: None, ..labels };
    assert_eq!(labels.folded(), folded);
    assert_eq!(folded.folded(), folded);
}

#[test]
fn durations_are_rounded_to_milliseconds() {
    let rows = [
        (0, 0),
        (499_999, 0),
        (500_000, 1),
        (1_499_999, 1),
        (1_500_000, 2),
        (2_000_000_000, 2_000),
        (u64::MAX, u64::MAX / 1_000_000),
    ];
    for (nanos, ms) in rows {
        assert_eq!(milliseconds(nanos), ms, "{nanos}");
    }
}
