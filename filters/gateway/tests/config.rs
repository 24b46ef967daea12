//! What the configuration reader says, whole.
#![cfg(test)]

use kit::{Filter, config};
use weir_gateway::Gateway;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Every line, as in the log.
fn lines(text: &str) -> Vec<String> {
    let refused = config::load(Gateway::NAME, text.as_bytes(), Gateway::read).err();
    refused.iter().flat_map(config::Problems::lines).collect()
}

const CLOSING: &str =
    "the filter will not start, Envoy keeps its previous configuration or refuses to boot";

#[test]
fn any_one_section_is_enough() {
    for text in [
        r#"{"metrics": {}}"#,
        r#"{"rate_limit": {"rules": [{"name": "general", "limits": [{"quota": 1, "window": "1s"}]}]}}"#,
        r#"{"response_cache": {}}"#,
        r#"{"circuit_breaker": {"rules": [{"name": "all"}]}}"#,
    ] {
        assert_eq!(lines(text), [""; 0], "{text}");
    }
}

#[test]
fn a_gateway_without_a_filter_is_refused() {
    assert_eq!(
        lines("{}"),
        [
            "gateway: configuration: found no filter's section, allowed at least one of metrics, rate_limit, response_cache, circuit_breaker; add the section of a filter, or remove the gateway from the filter chain",
            &format!("gateway: configuration rejected (1 problem); {CLOSING}"),
        ]
    );
}

#[test]
fn an_unknown_section_is_refused_with_the_name_that_was_meant() {
    assert_eq!(
        lines(r#"{"metrics": {}, "rate-limit": {"rules": []}, "responsecache": {}, "redis": {}}"#),
        [
            r#"gateway: rate-limit: unknown field; did you mean "rate_limit"?"#,
            r#"gateway: responsecache: unknown field; did you mean "response_cache"?"#,
            "gateway: redis: unknown field; remove it, the fields here are metrics, rate_limit, response_cache, circuit_breaker",
            &format!("gateway: configuration rejected (3 problems); {CLOSING}"),
        ]
    );
    assert_eq!(
        lines(r#"{"rate_limits": {}}"#),
        [
            "gateway: configuration: found no filter's section, allowed at least one of metrics, rate_limit, response_cache, circuit_breaker; add the section of a filter, or remove the gateway from the filter chain",
            r#"gateway: rate_limits: unknown field; did you mean "rate_limit"?"#,
            &format!("gateway: configuration rejected (2 problems); {CLOSING}"),
        ]
    );
}

#[test]
fn problems_of_all_sections_come_at_once_each_with_its_path() {
    assert_eq!(
        lines(
            r#"{"metrics": {"max_series": 0},
                "rate_limit": {"rules": [{"name": "general", "limits": [{"quota": 0, "window": "1m"}]}]},
                "response_cache": {"max_object": 5},
                "circuit_breaker": {"rules": [{"name": "all", "per": "host"}]}}"#
        ),
        [
            "gateway: metrics.max_series: found 0, allowed 1 to 10000; raise it to at least 1, zero does not mean off",
            "gateway: rate_limit.rules[0].limits[0].quota: found 0, allowed 1 to 1000000000; raise it to at least 1, zero does not mean off",
            r#"gateway: response_cache.max_object: found 5, allowed 1KiB to 4MiB; write it in quotes with a unit, such as "1KiB""#,
            r#"gateway: circuit_breaker.rules[0].per: found "host", allowed "cluster", "route", "virtual_host", "rule", "key"; choose one of them"#,
            &format!("gateway: configuration rejected (4 problems); {CLOSING}"),
        ]
    );
}

#[test]
fn a_section_is_an_object_and_null_does_not_mean_off() {
    for (value, found) in [("true", "true"), ("null", "null"), ("[]", "a list")] {
        assert_eq!(
            lines(&format!(r#"{{"metrics": {value}}}"#)),
            [
                format!(
                    "gateway: metrics: found {found}, allowed an object; put the fields in {{ }}"
                ),
                format!("gateway: configuration rejected (1 problem); {CLOSING}"),
            ]
        );
    }
}

#[test]
fn a_path_of_endpoints_belongs_to_one_filter() {
    let access =
        |path: &str| format!(r#""operations": {{"path": "{path}", "source": "127.0.0.1"}}"#);
    let gateway = |metrics: &str, limits: &str, cache: &str, console: &str| {
        let text = format!(
            r#"{{"metrics": {{{}{console}}}, "rate_limit": {{{}, "rules": [{{"name": "r", "limits": [{{"quota": 1, "window": "1s"}}]}}]}}, "response_cache": {{{}}}}}"#,
            access(metrics),
            access(limits),
            access(cache),
        );
        lines(&text)
    };
    let own = "a path that is not another filter's, nor below or above one; \
        give each filter a path of its own, or name this one in metrics.console";
    let refused = |line: &str| {
        vec![
            format!("gateway: {line}, allowed {own}"),
            format!("gateway: configuration rejected (1 problem); {CLOSING}"),
        ]
    };
    assert_eq!(gateway("/weir", "/limits", "/cache", ""), [""; 0]);
    // Names that only begin alike are different paths.
    assert_eq!(gateway("/weir", "/weird", "/weir-cache", ""), [""; 0]);
    let console = r#", "console": {"limits": "/weir/limits"}"#;
    assert_eq!(gateway("/weir", "/weir/limits", "/cache", console), [""; 0]);
    for (paths, console, line) in [
        (
            ["/weir", "/weir", "/cache"],
            "",
            r#"rate_limit.operations.path: found "/weir", where metrics.operations.path has "/weir""#,
        ),
        (
            ["/weir", "/limits", "/weir/cache"],
            console,
            r#"response_cache.operations.path: found "/weir/cache", where metrics.operations.path has "/weir""#,
        ),
        (
            ["/metrics", "/weir/limits", "/weir"],
            "",
            r#"response_cache.operations.path: found "/weir", where rate_limit.operations.path has "/weir/limits""#,
        ),
        (
            ["/metrics", "/weir", "/weir/cache"],
            "",
            r#"response_cache.operations.path: found "/weir/cache", where rate_limit.operations.path has "/weir""#,
        ),
    ] {
        let [metrics, limits, cache] = paths;
        assert_eq!(gateway(metrics, limits, cache, console), refused(line));
    }
    let health = r#"{"metrics": {"health": {"path": "/weir", "open": true}}, "response_cache": {"operations": {"path": "/weir/cache", "source": "127.0.0.1"}}}"#;
    assert_eq!(
        lines(health),
        refused(
            r#"response_cache.operations.path: found "/weir/cache", where metrics.health.path has "/weir""#
        )
    );
}

#[test]
fn no_bytes_are_an_empty_object() {
    // So arrives an empty `Struct`, and a plugin without a configuration.
    assert_eq!(lines(""), lines("{}"));
}
