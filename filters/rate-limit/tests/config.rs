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

#[test]
fn a_wrong_window_is_the_only_problem_of_its_limit() {
    assert_eq!(
        problems(&rule(
            r#""limits": [{"quota": 5, "window": "1"}, {"quota": 50}, {"quota": 500, "window": "10ms"}]"#
        )),
        [
            r#"rules[0].limits[0].window: found "1", allowed 1s to 30d; add a unit, such as "1s""#,
            r#"rules[0].limits[1].window: found nothing, allowed 1s to 30d; add this field"#,
            r#"rules[0].limits[2].window: found "10ms", allowed 1s to 30d; raise it to at least 1s"#,
        ]
    );
}

#[test]
fn plans_without_names_are_one_problem() {
    assert_eq!(
        problems(
            r#"{"plans": {"names": [], "absent": "free", "sources": [{"value": "claim:plan"}]},
                "rules": [{"name": "r", "limits": {"free": [{"quota": 1, "window": "1s"}]}}]}"#
        ),
        ["plans.names: found 0 entries, at least 1 is needed; add 1 entry"]
    );
}

#[test]
fn fields_that_can_not_be_meant_together_are_refused() {
    for (fields, expected) in [
        (
            r#""mode": "shadow", "enforce": "25%", "limits": [{"quota": 1, "window": "1s"}]"#,
            r#"rules[0].enforce: found it beside mode: "shadow", allowed it with mode: "enforce", of which it is a share; remove it, or set mode to "enforce""#,
        ),
        (
            r#""key": "consumer", "limits": [{"quota": 1, "window": "1s"}]"#,
            r#"rules[0].key: found "consumer" without API keys, allowed it with plans.sources[].keys, which say who has which key; add keys to a source of plans, or count by another part, such as "address""#,
        ),
        (
            r#""cost": 6, "limits": [{"quota": 10, "window": "1s", "burst": 5}, {"quota": 100, "window": "1h"}]"#,
            "rules[0].cost: found 6 for a request, allowed at most 5, the smallest quota or burst of its limits; lower it, or raise that limit: each request would spend all of it",
        ),
        (
            r#""cost": 2, "limits": [{"algorithm": "concurrency", "quota": 1}]"#,
            "rules[0].cost: found it beside limits of concurrency alone, allowed no such field: each request in flight counts one, until it ends; remove it, or add a limit with a window",
        ),
        (
            r#""count": "responses", "statuses": [401], "refund": {"statuses": ["4xx"]}, "limits": [{"quota": 1, "window": "1s"}]"#,
            r#"rules[0].refund: found a refund of every status that counts, allowed one that leaves some of statuses charged; remove it: beside count: "responses" all other statuses are given back anyway"#,
        ),
    ] {
        assert_eq!(problems(&rule(fields)), [expected]);
    }
}

#[test]
fn fields_that_go_together_are_taken() {
    for fields in [
        r#""enforce": "25%", "limits": [{"quota": 1, "window": "1s"}]"#,
        r#""cost": 5, "limits": [{"quota": 10, "window": "1s", "burst": 5}]"#,
        r#""cost": 5, "limits": [{"quota": 10, "window": "1s"}, {"algorithm": "concurrency", "quota": 1}]"#,
        r#""count": "responses", "statuses": ["4xx"], "refund": {"statuses": [404]}, "limits": [{"quota": 1, "window": "1s"}]"#,
    ] {
        assert_eq!(problems(&rule(fields)), [""; 0], "{fields}");
    }
}

#[test]
fn clients_can_tell_the_limits_of_all_rules_apart() {
    let limits = |name: &str| format!(r#"[{{"name": "{name}", "quota": 1, "window": "1s"}}]"#);
    let two = |one: &str, other: &str| {
        format!(
            r#"{{"rules": [{{"name": "a", "limits": {}}}, {{"name": "b", "limits": {}}}]}}"#,
            limits(one),
            limits(other)
        )
    };
    assert_eq!(problems(&two("x", "y")), [""; 0]);
    assert_eq!(
        problems(&two("x", "x")),
        [
            r#"rules: found two limits that clients know as "x", of the rules "a" and "b", allowed names that differ; give one of them another "name""#
        ]
    );
    let by_plan = format!(
        r#"{{"plans": {{"names": ["free", "paid"], "absent": "free", "sources": [{{"value": "claim:plan"}}]}},
            "rules": [{{"name": "a", "limits": {{"free": {}, "paid": {}}}}}]}}"#,
        limits("x"),
        limits("x")
    );
    assert_eq!(problems(&by_plan), [""; 0], "no client meets the limits of two plans");
}

#[test]
fn a_source_has_at_most_ten_thousand_keys() {
    let with = |n_keys: usize| {
        let keys: Vec<String> =
            (0..n_keys).map(|n| format!(r#"{{"sha256":"{n:064x}","plan":"a"}}"#)).collect();
        format!(
            r#"{{"plans": {{"names": ["a"], "absent": "a", "sources": [{{"value": "header:k", "keys": [{}]}}]}},
                "rules": [{{"name": "r", "limits": [{{"quota": 1, "window": "1s"}}]}}]}}"#,
            keys.join(",")
        )
    };
    assert_eq!(problems(&with(10_000)), [""; 0]);
    assert_eq!(
        problems(&with(10_001)),
        ["plans.sources[0].keys: found 10001 entries, at most 10000 are allowed; remove 1 entry"]
    );
}
