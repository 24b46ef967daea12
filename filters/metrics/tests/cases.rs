//! What an exchange is counted as: tables over the closed sets.
#![cfg(test)]

use std::rc::Rc;

use kit::Nanos;
use weir_metrics::config::Status;
use weir_metrics::facts::Facts;
use weir_metrics::labels::{Answerer, Class, Method, Outcome};
use weir_metrics::policy::{Labels, judge, may_have_flags, milliseconds, name_text, route};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn facts(status: u64, details: &str) -> Facts {
    let (from, outcome) = judge(status, details.as_bytes(), || false);
    Facts {
        route: Some(Rc::from(*b"users")),
        method: Method::Get,
        status,
        details: Some(Rc::from(details.as_bytes())),
        from,
        outcome,
        ..Facts::default()
    }
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
fn who_answered_and_what_became_of_it_follow_from_status_and_details() {
    let rows = [
        (200, "via_upstream", "upstream", "upstream"),
        (503, "via_upstream", "upstream", "upstream"),
        (503, "upstream_reset_before_response_started{connection_failure}", "envoy", "upstream"),
        (
            200,
            "upstream_reset_after_response_started{connection_termination}",
            "upstream",
            "upstream",
        ),
        (503, "no_healthy_upstream", "envoy", "local"),
        (504, "response_timeout", "envoy", "local"),
        (404, "route_not_found", "envoy", "local"),
        (200, "direct_response", "envoy", "local"),
        (429, "weir_rate_limited", "weir", "limited"),
        (403, "weir_rate_limit_no_key", "weir", "limited"),
        (503, "weir_rate_limit_failed", "weir", "limited"),
        (200, "weir_cache_hit", "weir", "hit"),
        (304, "weir_cache_not_modified", "weir", "hit"),
        (200, "weir_cache_collapsed", "weir", "hit"),
        (200, "weir_cache_revalidated", "weir", "hit"),
        (200, "weir_cache_stale", "weir", "stale"),
        (200, "weir_cache_stale_if_error", "weir", "stale"),
        (504, "weir_cache_only_if_cached", "weir", "local"),
        (503, "weir_circuit_open", "weir", "refused"),
        (200, "weir_", "weir", "local"),
        (200, "weirdo", "envoy", "local"),
        (403, "", "envoy", "local"),
        (200, "downstream_remote_disconnect", "envoy", "aborted"),
        (0, "downstream_remote_disconnect", "none", "aborted"),
        (0, "via_upstream", "none", "aborted"),
        (0, "", "none", "aborted"),
    ];
    for (status, details, from, outcome) in rows {
        let facts = facts(status, details);
        assert_eq!(
            (facts.from.as_str(), facts.outcome.as_str()),
            (from, outcome),
            "{status} {details}"
        );
    }
}

#[test]
fn an_upstream_that_was_chosen_tells_where_the_details_do_not() {
    let rows = [
        (200, "downstream_remote_disconnect", Answerer::Upstream, Outcome::Aborted),
        (504, "response_timeout", Answerer::Envoy, Outcome::Upstream),
        (500, "another_filters_word", Answerer::Envoy, Outcome::Upstream),
    ];
    for (status, details, from, outcome) in rows {
        assert_eq!(judge(status, details.as_bytes(), || true), (from, outcome), "{details}");
    }
}

#[test]
fn nothing_asks_for_the_upstream_while_the_details_tell() {
    for (status, details) in [(200, "via_upstream"), (429, "weir_rate_limited"), (0, "")] {
        judge(status, details.as_bytes(), || panic!("{details}"));
    }
}

#[test]
fn flags_are_read_where_there_may_be_some() {
    let rows = [
        (200, "via_upstream", false),
        (399, "via_upstream", false),
        (404, "via_upstream", true),
        (0, "via_upstream", true),
        (503, "no_healthy_upstream", true),
        (200, "", true),
        (429, "weir_rate_limited", false),
        (200, "weir_cache_stale", false),
        (200, "weir_cache_stale_if_error", true),
    ];
    for (status, details, expected) in rows {
        assert_eq!(may_have_flags(status, details.as_bytes()), expected, "{status} {details}");
    }
}

#[test]
fn a_route_is_its_name_or_why_there_is_none() {
    let named = facts(200, "via_upstream");
    let unnamed = Facts { route: None, ..named.clone() };
    let rows = [
        (named.clone(), "users"),
        (unnamed.clone(), "_unnamed"),
        (Facts { route: Some(Rc::from(*b"")), ..named }, "_unnamed"),
        (Facts { method: Method::None, ..unnamed }, "_none"),
        (Facts { route: None, ..facts(404, "direct_response") }, "_unnamed"),
        (Facts { route: None, ..facts(404, "route_not_found") }, "_none"),
        (facts(404, "route_not_found"), "users"),
    ];
    for (facts, label) in rows {
        assert_eq!(route(&facts), label.as_bytes(), "{facts:?}");
    }
}

#[test]
fn a_route_in_a_metrics_name_is_text_and_short() {
    assert_eq!(name_text(b"users"), "users");
    assert_eq!(name_text(b"us\xffers"), "us\u{fffd}ers");
    assert_eq!(name_text(&[b'a'; 1_000]), "a".repeat(128));
    assert_eq!(name_text(b""), "");
}

#[test]
fn the_code_is_told_only_where_it_is_asked_for() {
    let code = |status| Labels::of(&facts(404, "via_upstream"), status).code;
    assert_eq!(code(Status::Class), None);
    assert_eq!(code(Status::Code), Some(404));
}

#[test]
fn folding_keeps_class_and_answerer() {
    let labels = Labels::of(&facts(503, "weir_circuit_open"), Status::Code);
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
        assert_eq!(milliseconds(Nanos(nanos)), ms, "{nanos}");
    }
}
