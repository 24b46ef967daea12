//! What the configuration reader says, whole.
#![cfg(test)]

use kit::units::Bytes;
use kit::{Filter, config};
use weir_response_cache::ResponseCache;
use weir_response_cache::config::Config;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn load(text: &str) -> Result<Config, config::Problems> {
    config::load("response-cache", text.as_bytes(), ResponseCache::read)
}

/// Every line but the closing one, without the filter's name.
fn problems(text: &str) -> Vec<String> {
    let refused = load(text).err();
    let mut lines: Vec<String> = refused.iter().flat_map(|problems| problems.lines()).collect();
    lines.pop();
    lines.iter().map(|line| line.trim_start_matches("response-cache: ").to_owned()).collect()
}

#[test]
fn nothing_needs_to_be_said() {
    let config = load("{}").unwrap();
    assert_eq!((config.geometry().n_buckets, config.geometry().bucket_bytes), (256, 262_144));
    assert_eq!(config.shared_memory(), Bytes::from_mib(66));
    assert_eq!(
        config.describe(),
        [
            "store main: up to 64MiB in 8192 entries of up to 256KiB; shared memory at most 66MiB, in each worker at most 32MiB for responses on their way and 8MiB for copies",
            "requests for one response wait up to 5s for the first of them, at most 1024",
            "rule default, for every request: cache as the origin allows",
        ]
    );
}

#[test]
fn a_rule_that_is_switched_off_is_told() {
    let rules = r#"{"rules": [{"name": "r", "enabled": false}, {"name": "s"}]}"#;
    assert_eq!(
        load(rules).unwrap().describe()[2..],
        ["rule s, for every request: cache as the origin allows", "rule r: switched off"]
    );
}

#[test]
fn what_is_assumed_is_said() {
    for (fields, expected) in [
        (
            r#""heuristic": {}"#,
            "; without a lifetime 10% of the time since its last change, at most 1h",
        ),
        (r#""default_ttl": "5s""#, "; without a lifetime 5s"),
        (
            r#""default_ttl": "5s", "assume_with_query": true"#,
            "; without a lifetime 5s, also with a query",
        ),
        (
            r#""heuristic": {"fraction": "12.5%", "max": "1m"}, "default_ttl": "5s""#,
            "; without a lifetime 12.5% of the time since its last change, at most 1m, else 5s",
        ),
    ] {
        let config = load(&format!(r#"{{"rules": [{{"name": "r", {fields}}}]}}"#)).unwrap();
        let line = format!("rule r, for every request: cache as the origin allows{expected}");
        assert_eq!(config.describe().last(), Some(&line));
    }
}

#[test]
fn what_is_assumed_has_bounds() {
    assert_eq!(
        problems(
            r#"{"rules": [
                {"name": "a", "heuristic": {"fraction": "0.1%", "max": "2d", "min": "1s"}, "default_ttl": "0s"},
                {"name": "b", "action": "bypass", "heuristic": {}, "default_ttl": "1s"},
                {"name": "c", "assume_with_query": true}]}"#
        ),
        [
            r#"rules[0].heuristic.fraction: found "0.1%", allowed 1% to 100%; raise it to at least 1%"#,
            r#"rules[0].heuristic.max: found "2d", allowed 1s to 24h; lower it to at most 24h"#,
            r#"rules[0].heuristic.min: unknown field; remove it, the fields here are fraction, max"#,
            r#"rules[0].default_ttl: found "0s", allowed 1s to 24h; raise it to at least 1s, zero does not mean off"#,
            r#"rules[1].heuristic: found a lifetime with action "bypass", allowed one with action "cache" only; remove it: nothing is stored by this rule"#,
            r#"rules[1].default_ttl: found a lifetime with action "bypass", allowed one with action "cache" only; remove it: nothing is stored by this rule"#,
            r#"rules[2].assume_with_query: found true without heuristic and default_ttl, allowed true with one of them; add one of them, or remove it: lifetimes that the origin states count with a query too"#,
        ]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(
        problems(
            r#"{"name": "My cache", "max_bytes": "1KiB", "max_entries": 8, "max_object": 5, "fill_memory": "0B",
                     "max_variants": 33, "cache_status": "yes", "max_ages": 1,
                     "rules": [{"action": "no"}, {"name": "x", "tll": "1s"}, {"name": "x"}]}"#
        ),
        [
            r#"name: found "My cache", allowed 1 to 64 letters, digits, "-", "_" or ".", such as "general"; leave the other characters out: the name is part of metrics and answers"#,
            r#"max_bytes: found "1KiB", allowed 1MiB to 64GiB; raise it to at least 1MiB"#,
            r#"max_entries: found 8, allowed 32 to 1048576; raise it to at least 32"#,
            r#"max_object: found 5, allowed 1KiB to 4MiB; write it in quotes with a unit, such as "1KiB""#,
            r#"fill_memory: found "0B", allowed 1MiB to 256MiB; raise it to at least 1MiB, zero does not mean off"#,
            r#"max_variants: found 33, allowed 1 to 32; lower it to at most 32"#,
            r#"cache_status: found "yes", allowed true or false; choose one of them"#,
            r#"rules[0].name: found nothing, allowed 1 to 64 letters, digits, "-", "_" or ".", such as "general"; add this field"#,
            r#"rules[0].action: found "no", allowed "cache", "bypass"; choose one of them"#,
            r#"rules[1].tll: unknown field; did you mean "ttl"?"#,
            r#"rules[2].name: found "x" a second time, allowed a name that no other rule has; rename one of them: the name says whose state and numbers they are"#,
            r#"max_ages: unknown field; remove it, the fields here are name, max_bytes, max_entries, max_object, fill_memory, local_memory, max_variants, targeted, tag_headers, hide_tags, no_vary_search, cache_status, x_cache, x_cache_key, collapse, background, warm, resources, operations, request_fields, rules"#,
        ]
    );
}

#[test]
fn sizes_must_fit_each_other() {
    assert_eq!(
        problems(r#"{"max_object": "1MiB"}"#),
        [
            "max_object: found 1MiB with max_bytes 64MiB and max_entries 8192, allowed at most 256KiB with these; raise max_bytes, or lower max_entries or max_object"
        ]
    );
    assert_eq!(
        problems(r#"{"max_bytes": "1GiB", "max_object": "4MiB", "fill_memory": "1MiB"}"#),
        [
            "fill_memory: found 1MiB with max_object 4MiB, allowed at least max_object; raise fill_memory, or lower max_object"
        ]
    );
    assert_eq!(problems(r#"{"max_bytes": "1GiB", "max_object": "4MiB"}"#), [""; 0]);
}

#[test]
fn rules_need_entries() {
    assert_eq!(
        problems(r#"{"rules": []}"#),
        [
            "rules: found 0 entries, at least 1 is needed; leave rules out to cache whatever the origin allows"
        ]
    );
}
