//! What the configuration reader says, whole.
#![cfg(test)]

use kit::{Filter, config};
use weir_rate_limit::RateLimit;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Every line but the closing one, without the filter's name.
fn problems(text: &str) -> Vec<String> {
    let refused = config::load("rate-limit", text.as_bytes(), RateLimit::read).err();
    let mut lines: Vec<String> = refused.iter().flat_map(|problems| problems.lines()).collect();
    lines.pop();
    lines.iter().map(|line| line.trim_start_matches("rate-limit: ").to_owned()).collect()
}

fn rule(fields: &str) -> String {
    format!(r#"{{"rules": [{{"name": "r", {fields}}}]}}"#)
}

#[test]
fn a_sound_configuration_has_no_problem() {
    assert_eq!(
        problems(&rule(r#""limits": [{"quota": 10, "window": "1m", "burst": 2}]"#)),
        [""; 0]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(
        problems(
            r#"{"rules": [{"name": "a b", "limits": [{"quota": 0, "window": "10ms"}], "on_failure": "reject"},
                          {"name": "x", "limits": [], "brust": 1}]}"#
        ),
        [
            r#"rules[0].name: found "a b", allowed 1 to 64 letters, digits, "-", "_" or ".", such as "general"; leave the other characters out: the name is part of metrics and answers"#,
            r#"rules[0].limits[0].quota: found 0, allowed 1 to 1000000000; raise it to at least 1, zero does not mean off"#,
            r#"rules[0].limits[0].window: found "10ms", allowed 1s to 30d; raise it to at least 1s"#,
            r#"rules[0].on_failure: found "reject", allowed "admit", "deny"; choose one of them"#,
            r#"rules[1].limits: found 0 entries, at least 1 is needed; add 1 entry"#,
            r#"rules[1].brust: unknown field; remove it, the fields here are name, mode, enforce, match, exempt, key, on_missing, max_keys, limits, cost, count, statuses, refund, charge_refused, near, answer, show_keys, on_failure"#,
        ]
    );
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        problems("{}"),
        [r#"rules: found nothing, allowed a list of objects; add this field"#]
    );
    assert_eq!(
        problems(r#"{"rules": [{}]}"#),
        [
            r#"rules[0].name: found nothing, allowed 1 to 64 letters, digits, "-", "_" or ".", such as "general"; add this field"#,
            r#"rules[0].limits: found nothing, allowed a list of objects; add this field"#,
        ]
    );
}

#[test]
fn rules_of_one_name_are_refused() {
    let limits = r#""limits": [{"quota": 1, "window": "1s"}]"#;
    assert_eq!(
        problems(&format!(
            r#"{{"rules": [{{"name": "a", {limits}}}, {{"name": "a", {limits}}}]}}"#
        )),
        [
            r#"rules[1].name: found "a" a second time, allowed a name that no other rule has; rename one of them: the name says whose state and numbers they are"#
        ]
    );
}

#[test]
fn a_burst_is_no_more_than_the_quota() {
    assert_eq!(
        problems(&rule(r#""limits": [{"quota": 5, "window": "1s", "burst": 6}]"#)),
        [r#"rules[0].limits[0].burst: found 6, allowed 1 to 5; lower it to at most 5"#]
    );
}

#[test]
fn a_wrong_quota_is_the_only_problem_of_its_burst() {
    assert_eq!(
        problems(&rule(r#""limits": [{"quota": 0, "window": "1s", "burst": 7}]"#)),
        [
            r#"rules[0].limits[0].quota: found 0, allowed 1 to 1000000000; raise it to at least 1, zero does not mean off"#
        ]
    );
    assert_eq!(
        problems(&rule(r#""limits": [{"window": "1s", "burst": 7}]"#)),
        [r#"rules[0].limits[0].quota: found nothing, allowed 1 to 1000000000; add this field"#]
    );
}
