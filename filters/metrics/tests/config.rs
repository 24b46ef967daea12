//! Every message of this filter's configuration, in full, and what a good one means.
#![cfg(test)]

use kit::config;
use weir_metrics::Config;
use weir_metrics::config::Status;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn refused(text: &str) -> Vec<String> {
    match config::load("metrics", text.as_bytes(), Config::read) {
        Ok(config) => panic!("{text}: accepted as {config}"),
        Err(problems) => {
            let mut lines: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
            lines.pop();
            lines
        }
    }
}

#[test]
fn every_field_has_a_default() {
    let config = config::load("metrics", b"{}", Config::read).unwrap();
    assert_eq!((config.max_series, config.bytes, config.status), (500, false, Status::Class));
    assert_eq!((config.cluster, config.upstream_time, config.grpc), (false, false, false));
    assert!(config.consumers.is_none());
    let config = config::load("metrics", br#"{"consumers": {"key": "host"}}"#, Config::read);
    let consumers = config.unwrap().consumers.unwrap();
    assert_eq!((consumers.max, consumers.show), (20, false));
}

#[test]
fn what_is_written_is_in_force() {
    let text = br#"{"max_series": 10000, "bytes": true, "status": "code",
        "cluster": true, "upstream_time": true, "grpc": true}"#;
    let config = config::load("metrics", text, Config::read).unwrap();
    assert_eq!((config.max_series, config.bytes, config.status), (10_000, true, Status::Code));
    assert_eq!((config.cluster, config.upstream_time, config.grpc), (true, true, true));
}

#[test]
fn every_mistake_is_told_where_what_and_how_to_mend() {
    let rows = [
        (
            r#"{"max_series": 0}"#,
            "metrics: max_series: found 0, allowed 1 to 10000; raise it to at least 1, zero does not mean off",
        ),
        (
            r#"{"max_series": 10001}"#,
            "metrics: max_series: found 10001, allowed 1 to 10000; lower it to at most 10000",
        ),
        (
            r#"{"bytes": "yes"}"#,
            "metrics: bytes: found \"yes\", allowed true or false; choose one of them",
        ),
        (
            r#"{"upstream_time": "5s"}"#,
            "metrics: upstream_time: found \"5s\", allowed true or false; choose one of them",
        ),
        (r#"{"grpc": 1}"#, "metrics: grpc: found 1, allowed true or false; choose one of them"),
        (
            r#"{"cluster": "upstream"}"#,
            "metrics: cluster: found \"upstream\", allowed true or false; choose one of them",
        ),
        (
            r#"{"status": "codes"}"#,
            "metrics: status: found \"codes\", allowed \"class\", \"code\"; did you mean \"code\"?",
        ),
        (
            r#"{"consumers": {}}"#,
            "metrics: consumers.key: found nothing, allowed what tells consumers apart, such as \"claim:sub\"; add it, or remove consumers",
        ),
        (
            r#"{"consumers": {"key": "header:x", "max": 0}}"#,
            "metrics: consumers.max: found 0, allowed 1 to 100; raise it to at least 1, zero does not mean off",
        ),
        (
            r#"{"consumers": {"key": "header:x", "max": 101}}"#,
            "metrics: consumers.max: found 101, allowed 1 to 100; lower it to at most 100",
        ),
        (
            r#"{"consumers": {"key": "header:x", "show": "hashes"}}"#,
            "metrics: consumers.show: found \"hashes\", allowed true or false; choose one of them",
        ),
        (
            r#"{"consumers": {"key": "header:x", "on_missing": "address"}}"#,
            "metrics: consumers.on_missing: unknown field; remove it, the fields here are key, max, show",
        ),
        (
            r#"{"consumers": "header:x"}"#,
            "metrics: consumers: found \"header:x\", allowed an object; put the fields in { }",
        ),
        (r#"{"max_serie": 10}"#, "metrics: max_serie: unknown field; did you mean \"max_series\"?"),
        ("[]", "metrics: configuration: found a list, allowed an object; put the fields in { }"),
    ];
    for (text, line) in rows {
        assert_eq!(refused(text), [line], "{text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    assert_eq!(refused(r#"{"max_series": 0, "bytes": 1, "status": 2, "x": 3}"#).len(), 4);
}
