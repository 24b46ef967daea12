//! Whole messages of the configuration reader, and what it makes of what is left out.
#![cfg(test)]

use kit::units::Ratio;
use kit::{Filter, Nanos, config};
use weir_circuit_breaker::breaker::settings::ProbeMethods;
use weir_circuit_breaker::breaker::window::Span;
use weir_circuit_breaker::config::{OnFailure, Per, Rule};
use weir_circuit_breaker::{CircuitBreaker, Config};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn load(json: &str) -> Result<Config, Vec<String>> {
    config::load(CircuitBreaker::NAME, json.as_bytes(), CircuitBreaker::read)
        .map_err(|problems| problems.lines().collect())
}

#[test]
fn a_name_is_enough() {
    let config = load(r#"{"rules": [{"name": "shop"}]}"#).unwrap();
    assert_eq!((config.on_failure, config.max_breakers), (OnFailure::Admit, 64));
    let rule = &config.rules[0];
    assert!(rule.matcher.is_everything());
    assert_eq!(
        (rule.per, rule.answer.status, rule.failure_status.to_string().as_str()),
        (Per::Cluster, None, "500, 502-504, 506-599")
    );
    assert_eq!((rule.fallbacks.len(), &rule.own_probe), (0, &None));
    let settings = &rule.settings;
    assert_eq!(
        (settings.consecutive, settings.window),
        (Some(5), Span::Time(Nanos::from_secs(60)))
    );
    let ratio = settings.ratio.unwrap();
    assert_eq!((ratio.threshold, ratio.min_requests), (Ratio::from_percent(50), 10));
    assert_eq!(
        (settings.open.base, settings.open.max),
        (Nanos::from_secs(60), Nanos::from_mins(10))
    );
    assert_eq!(settings.open.jitter, Ratio::from_percent(10));
    assert_eq!((settings.probes.at_once, settings.probes.n_successes), (1, 2));
    assert_eq!(settings.probes.lease, Nanos::from_secs(30));
    assert_eq!(settings.probes.methods, ProbeMethods::SafeFirst);
}

#[test]
fn everything_can_be_said() {
    let config = load(
        r#"{"on_failure": "deny", "max_breakers": 9, "rules": [{
            "name": "a.b-c_9", "match": {"path": {"prefix": "/pay"}}, "per": "route",
            "consecutive": {"enabled": false, "failures": 7},
            "ratio": {"threshold": "12.5%", "min_requests": 20},
            "window": "10s", "open": {"time": "20m", "jitter": "0%"},
            "probes": {"at_once": 8, "successes": 3, "lease": "5s", "methods": "any"},
            "failure_status": ["500", "502-504", "4xx"], "answer": {"status": 599}
        }]}"#,
    )
    .unwrap();
    let rule = &config.rules[0];
    assert_eq!(
        (rule.settings.consecutive, rule.failure_status.to_string().as_str()),
        (None, "4xx, 500, 502-504")
    );
    assert_eq!(rule.settings.open.max, Nanos::from_mins(20), "never less than the first opening");
    assert_eq!(
        config.describe(),
        [
            "rule a.b-c_9, for path below /pay: a breaker per route opens after 12.5% failures of at least \
         20 requests in 10s, for 20m up to 20m, jitter 0%; closes after 3 successful probes, \
         8 at a time, of any method, each out for at most 5s; failures are 4xx, 500, 502-504; rejects with 599",
            "room for 9 breakers",
            "requests whose breaker's state can not be told are rejected"
        ]
    );
}

#[test]
fn each_mistake_has_its_line() {
    let rule = |fields: &str| format!(r#"{{"rules": [{{"name": "shop", {fields}}}]}}"#);
    let rows = [
        (
            r#"{"rules": []}"#.to_owned(),
            "rules: found 0 entries, at least 1 is needed; remove the filter from the chain if nothing is to be broken",
        ),
        (
            r#"{"rules": [{"name": "a b"}]}"#.to_owned(),
            "rules[0].name: found \"a b\", allowed 1 to 64 letters, digits, \"-\", \"_\" or \".\", such as \"general\"; leave the other characters out: the name is part of metrics and answers",
        ),
        (
            r#"{"rules": [{"name": "a"}, {"name": "a"}]}"#.to_owned(),
            "rules[1].name: found \"a\" a second time, allowed a name that no other rule has; rename one of them: the name says whose state and numbers they are",
        ),
        (
            rule(r#""consecutive": {"failures": 0}"#),
            "rules[0].consecutive.failures: found 0, allowed 1 to 100000; to switch it off set rules[0].consecutive.enabled to false",
        ),
        (
            rule(r#""ratio": {"threshold": "0%"}"#),
            "rules[0].ratio.threshold: found \"0%\", allowed 0.0001% to 100%; to switch it off set rules[0].ratio.enabled to false",
        ),
        (
            rule(r#""consecutive": {"enabled": false}, "ratio": {"enabled": false}"#),
            "rules[0].consecutive: found enabled: false here and in ratio, and no slow, allowed at least one of them on; remove the rule if it is to open no breaker",
        ),
        (
            rule(r#""open": {"time": "2m", "max_time": "1m"}"#),
            "rules[0].open.max_time: found \"1m\", allowed at least the value of time, \"2m\"; raise it, or lower time",
        ),
        (
            rule(r#""failure_status": ["6xx"]"#),
            "rules[0].failure_status[0]: found \"6xx\", allowed a status, a range or a class of them, such as 401, \"500-599\" or \"5xx\"; write a class as 1xx, 2xx, 3xx, 4xx or 5xx",
        ),
        (
            rule(r#""failure_status": ["599-500"]"#),
            "rules[0].failure_status[0]: found \"599-500\", allowed a status, a range or a class of them, such as 401, \"500-599\" or \"5xx\"; write the lower status first",
        ),
        (
            rule(r#""probes": {"at_once": 17}"#),
            "rules[0].probes.at_once: found 17, allowed 1 to 16; lower it to at most 16",
        ),
        (
            rule(r#""probes": {"methods": "save_only"}"#),
            "rules[0].probes.methods: found \"save_only\", allowed \"safe_first\", \"safe_only\", \"any\"; did you mean \"safe_only\"?",
        ),
        (rule(r#""windw": "10s""#), "rules[0].windw: unknown field; did you mean \"window\"?"),
        (
            rule(r#""window": 10"#),
            "rules[0].window: found 10, allowed 1s to 1h; write it in quotes with a unit, such as \"10s\"",
        ),
    ];
    for (json, expected) in rows {
        let lines = load(&json).unwrap_err();
        assert_eq!(lines[0], format!("circuit-breaker: {expected}"));
        assert_eq!(
            lines[1..],
            ["circuit-breaker: configuration rejected (1 problem); the filter will not start, \
              Envoy keeps its previous configuration or refuses to boot"]
        );
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let lines =
        load(r#"{"rules": [{"per": "host", "status": 200}], "max_breakers": 0, "rulez": []}"#);
    assert_eq!(lines.unwrap_err().len(), 6);
}

#[test]
fn fallbacks_and_own_probes_can_be_said() {
    let config = load(
        r#"{"answer": {"status": 500, "body": "later"}, "rules": [
            {"name": "a", "fallbacks": ["stale", {"cluster": "spare"}, {"static": {"status": 204}}],
             "answer": {"status": 502}, "probes": {"request": {"path": "/healthz", "timeout": "1s"}}},
            {"name": "b", "per": "rule", "fallbacks": "stale", "probes": {"lease": "1m", "request":
             {"path": "/", "cluster": "health", "authority": "shop.example:80", "expect": [401]}}},
            {"name": "c"}
        ]}"#,
    )
    .unwrap();
    let [a, b, c] = config.rules.as_slice() else { panic!("{config:?}") };
    assert_eq!((a.answer.status, b.answer.status), (Some(502), Some(500)));
    assert_eq!(a.answer.body.as_ref().unwrap().bytes, b"later");
    let secs = Nanos::from_secs;
    let lease = |rule: &Rule| rule.settings.probes.lease;
    assert_eq!((lease(a), lease(b), lease(c)), (secs(2), Nanos::MINUTE, secs(30)));
    assert_eq!(a.settings.probes.methods, ProbeMethods::Own);
    let described = config.describe();
    assert_eq!(
        described[0].split_once("successful probes").unwrap().1,
        ", 1 at a time, its own; rejects with 502; falls back to a stale copy, then cluster spare, \
         then a static 204; probes with GET /healthz, which is to answer 2xx within 1s"
    );
    assert_eq!(
        described[1].split_once("successful probes").unwrap().1,
        ", 1 at a time, its own; rejects with 500; falls back to a stale copy; \
         probes with GET / of health, which is to answer 401 within 2s"
    );
}
