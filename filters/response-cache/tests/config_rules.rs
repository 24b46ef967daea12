//! What operators may say of rules, and what holds for all of them: read whole, told back, refused with a remedy.
//!
//! Each refusal also has a file in `envoy/invalid/response-cache/`, with its whole message.
#![cfg(test)]

use kit::{Filter, Nanos, config};
use weir_response_cache::ResponseCache;
use weir_response_cache::config::{
    Action, Background, CacheStatus, Collapse, Config, Resource, Rule, Warm,
};
use weir_response_cache::policy::terms::{Cookies, Origin, SetCookie};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn load(text: &str) -> Result<Config, config::Problems> {
    config::load("response-cache", text.as_bytes(), ResponseCache::read)
}

fn sound(text: &str) -> Config {
    load(text).unwrap_or_else(|problems| panic!("{text}: {problems}"))
}

/// The one rule with these fields, where Weir can send requests of its own.
fn rule(fields: &str) -> Rule {
    let rules = format!(r#""rules": [{{"name": "r", {fields}}}]"#);
    let mut config = sound(&format!(r#"{{"background": {{"cluster": "loopback"}}, {rules}}}"#));
    config.rules.pop().unwrap()
}

/// Where the problems are that a rule with these fields has, without background requests.
fn wrong(fields: &str) -> Vec<String> {
    places(&format!(r#"{{"rules": [{{"name": "r", {fields}}}]}}"#))
}

fn places(text: &str) -> Vec<String> {
    let refused = load(text).err();
    let mut lines: Vec<String> = refused.iter().flat_map(|problems| problems.lines()).collect();
    lines.pop();
    let place = |line: &String| {
        let line = line.trim_start_matches("response-cache: ").trim_start_matches("rules[0].");
        line.split(": ").next().unwrap_or_default().to_owned()
    };
    lines.iter().map(place).collect()
}

#[test]
fn a_rule_that_says_nothing_respects_the_origin_and_keeps_users_apart() {
    let rule = rule(r#""action": "cache""#);
    assert_eq!(rule.action, Action::Cache);
    assert_eq!(rule.terms.origin, Origin::Respect);
    assert_eq!(rule.terms.set_cookie, SetCookie::Refuse);
    assert_eq!(rule.terms.cookies, Cookies::Careful);
    assert_eq!(rule.terms.keep, Nanos::HOUR);
    assert!(rule.heeds_directives && !rule.terms.per_user);
    assert!(rule.terms.ttl.is_empty() && rule.terms.statuses.is_none() && rule.tags.is_empty());
    assert_eq!((rule.terms.min_ttl, rule.terms.max_ttl), (None, None));
    assert_eq!((rule.terms.stale_while_revalidate, rule.terms.stale_if_error), (None, None));
}

/// The lifetime that a rule gives responses of this status.
fn ttl_of(rule: &Rule, status: u16) -> Option<Nanos> {
    let found = rule.terms.ttl.iter().find(|(statuses, _)| statuses.contains(status));
    found.map(|(_, ttl)| *ttl)
}

#[test]
fn a_lifetime_alone_is_for_no_error_and_no_temporary_redirect() {
    let rule = rule(r#""ttl": "5m""#);
    for (status, given) in [
        (200, true),
        (203, true),
        (204, true),
        (300, true),
        (301, true),
        (308, true),
        (202, false),
        (206, false),
        (302, false),
        (304, false),
        (307, false),
        (404, false),
        (410, false),
        (500, false),
        (501, false),
    ] {
        assert_eq!(ttl_of(&rule, status), given.then_some(Nanos::from_mins(5)), "{status}");
    }
}

#[test]
fn a_status_counts_before_its_class() {
    let rule = rule(r#""ttl": {"4xx": "5s", "404": "10s", "2xx": "5m", "410": "1h"}"#);
    for (status, seconds) in
        [(404, Some(10)), (410, Some(3_600)), (400, Some(5)), (200, Some(300)), (301, None)]
    {
        assert_eq!(ttl_of(&rule, status), seconds.map(Nanos::from_secs), "{status}");
    }
}

#[test]
fn what_a_rule_says_is_told_back() {
    for (fields, expected) in [
        (
            r#""ttl": "5m""#,
            "cache as the origin allows, where it says nothing 5m for 200, 203-204, 300-301, 308",
        ),
        (
            r#""ttl": {"2xx": "5m", "404": "10s"}, "min_ttl": "5s", "max_ttl": "1h""#,
            "cache as the origin allows, where it says nothing 10s for 404, 5m for 2xx; at least 5s; at most 1h",
        ),
        (
            r#""origin": "override", "ttl": {"2xx": "5m"}, "cookies": "ignore", "set_cookie": "remove""#,
            "cache whatever the origin says, 5m for 2xx; without the cookies that it sets; also for requests with cookies",
        ),
        (
            r#""stale_while_revalidate": "10m", "stale_if_error": "1h", "statuses": ["2xx"], "tags": ["a", "b"]"#,
            "cache as the origin allows; stale for 10m while it is refreshed; stale for 1h when the origin fails; only 2xx; tagged a, b",
        ),
        (
            r#""request_directives": "ignore", "bypass": {"query": [{"name": "preview", "present": true}]}"#,
            "cache as the origin allows; whatever requests want; bypassed for query preview present",
        ),
    ] {
        let line = rule(fields).describe();
        assert_eq!(line, format!("rule r, for every request: {expected}"));
    }
}

#[test]
fn what_can_not_be_meant_is_refused_where_it_stands() {
    for (fields, expected) in [
        (r#""origin": "override""#, &["origin"][..]),
        (r#""ttl": {"206": "1m"}"#, &["ttl"]),
        (r#""ttl": {"100": "1m"}"#, &["ttl"]),
        (r#""ttl": {"1xx": "1m"}"#, &["ttl"]),
        (r#""ttl": {"600": "1m"}"#, &["ttl"]),
        (r#""ttl": {"+20": "1m"}"#, &["ttl"]),
        (r#""ttl": {"+2xx": "1m"}"#, &["ttl"]),
        (r#""ttl": {"02xx": "1m"}"#, &["ttl"]),
        (r#""ttl": {"2XX": "1m"}"#, &["ttl"]),
        (r#""ttl": {}"#, &["ttl"]),
        (r#""ttl": {"2xx": "0s"}"#, &["ttl.2xx"]),
        (r#""ttl": "2h", "max_ttl": "1h""#, &["ttl"]),
        (r#""ttl": "1s", "min_ttl": "5s""#, &["ttl"]),
        (r#""min_ttl": "2h", "max_ttl": "1h""#, &["min_ttl"]),
        (r#""statuses": [206, 304]"#, &["statuses"]),
        (r#""statuses": []"#, &["statuses"]),
        (r#""statuses": ["2xx"], "ttl": {"404": "1m"}"#, &["ttl"]),
        (r#""stale_if_error": "10m", "keep": "1m""#, &["keep"]),
        (r#""cookies": "ignore""#, &["cookies"]),
        (r#""no_store": {}"#, &["no_store"]),
        (r#""bypass": {}"#, &["bypass"]),
        (r#""action": "bypass", "tags": ["a"], "key": {}"#, &["key", "tags"]),
        (r#""tags": ["a b"]"#, &["tags[0]"]),
        (r#""tags": ["a", "a"]"#, &["tags"]),
    ] {
        assert_eq!(wrong(fields), expected, "{fields}");
    }
}

#[test]
fn what_is_one_users_gets_a_lifetime_only_with_a_key_that_says_whose() {
    let asks = |how: &str| format!(r#""match": {{{how}}}, "ttl": "60s""#);
    let authorization = r#"{"name": "authorization", "present": true}"#;
    let claim = r#"{"path": ["sub"], "present": true}"#;
    for (how, refused) in [
        (format!(r#""headers": [{authorization}]"#), true),
        (r#""headers": [{"name": "Authorization", "prefix": "Bearer "}]"#.to_owned(), true),
        (format!(r#""claims": [{claim}]"#), true),
        (format!(r#""any": [{{"headers": [{authorization}]}}, {{"claims": [{claim}]}}]"#), true),
        (
            format!(r#""any": [{{"headers": [{authorization}]}}, {{"path": {{"prefix": "/a"}}}}]"#),
            false,
        ),
        (format!(r#""not": {{"headers": [{authorization}]}}"#), false),
        (r#""headers": [{"name": "authorization", "present": false}]"#.to_owned(), false),
        (
            r#""headers": [{"name": "authorization", "prefix": "Basic ", "not": true}]"#.to_owned(),
            false,
        ),
    ] {
        let expected: &[&str] = if refused { &["ttl"] } else { &[] };
        assert_eq!(wrong(&asks(&how)), expected, "{how}");
        let keyed = format!(r#"{}, "key": {{"user": "header:authorization"}}"#, asks(&how));
        assert!(rule(&keyed).terms.per_user, "{how}");
    }
}

#[test]
fn what_holds_for_all_rules_has_defaults() {
    let config = sound("{}");
    assert_eq!(config.targeted, ["cdn-cache-control"]);
    assert_eq!(config.tag_headers, ["surrogate-key", "cache-tag"]);
    assert_eq!(config.cache_status, CacheStatus::On);
    assert_eq!(config.collapse, Some(Collapse::default()));
    assert_eq!((config.background, config.warm), (None, Warm::default()));
    assert!(!config.hide_tags && !config.x_cache && !config.x_cache_key && !config.no_vary_search);
    assert!(config.resources.is_empty() && !config.operations.is_on());
}

#[test]
fn what_holds_for_all_rules_is_read_whole() {
    let config = sound(
        r#"{"targeted": ["Edge-Control", "CDN-Cache-Control"], "tag_headers": [], "local_memory": "1MiB",
            "no_vary_search": true, "cache_status": {"key": true}, "x_cache": true, "x_cache_key": true,
            "collapse": {"timeout": "1s", "max_waiting": 8},
            "background": {"cluster": "loopback", "timeout": "3s"},
            "warm": {"urls": ["https://example.com/a?b"], "concurrency": 2},
            "operations": {"path": "/weir", "source": "127.0.0.1"},
            "resources": [{"name": "services", "patterns": ["/api/services/**"]}]}"#,
    );
    assert_eq!(config.targeted, ["edge-control", "cdn-cache-control"]);
    assert!(config.tag_headers.is_empty() && config.no_vary_search);
    assert!(config.x_cache && config.x_cache_key && config.cache_status == CacheStatus::WithKey);
    let collapse = Collapse { timeout: Nanos::SECOND, max_waiting: 8, ..Collapse::default() };
    assert_eq!(config.collapse, Some(collapse));
    let background = Background {
        cluster: "loopback".to_owned(),
        timeout: Nanos::from_secs(3),
        max_concurrent: 32,
    };
    assert_eq!(config.background, Some(background));
    let urls = vec!["https://example.com/a?b".to_owned()];
    assert_eq!(config.warm, Warm { urls, concurrency: 2 });
    let patterns = vec!["/api/services/**".to_owned()];
    assert_eq!(config.resources, [Resource { name: "services".to_owned(), patterns }]);
    assert_eq!(
        config.describe()[1..5],
        [
            "requests for one response wait up to 1s for the first of them, at most 8",
            "background requests go to cluster loopback, up to 32 at once in each worker, for at most 3s",
            "URLs to warm: 1, 2 at once",
            "operations below /weir from 127.0.0.1",
        ]
    );
}

#[test]
fn collapsing_and_the_status_field_can_be_switched_off() {
    let config = sound(r#"{"collapse": {"enabled": false}, "cache_status": false}"#);
    assert_eq!((config.collapse, config.cache_status), (None, CacheStatus::Off));
    assert_eq!(config.describe()[1], "requests for one response do not wait for one another");
    assert_eq!(sound(r#"{"cache_status": {"key": false}}"#).cache_status, CacheStatus::On);
}

#[test]
fn what_holds_for_all_rules_is_refused_where_it_stands() {
    for (text, expected) in [
        (r#"{"warm": {"urls": ["https://example.com/"]}}"#, &["warm"][..]),
        (r#"{"warm": {"concurrency": 0}}"#, &["warm.concurrency"]),
        (r#"{"background": {}}"#, &["background.cluster"]),
        (r#"{"collapse": {"timeout": "1ms"}}"#, &["collapse.timeout"]),
        (r#"{"targeted": ["a", "A"]}"#, &["targeted"]),
        (r#"{"targeted": [":status"]}"#, &["targeted[0]"]),
        (r#"{"tag_headers": [], "hide_tags": true}"#, &["hide_tags"]),
        (r#"{"resources": [{"name": "a", "patterns": ["/a"]}]}"#, &["resources"]),
        (r#"{"local_memory": "0B"}"#, &["local_memory"]),
        (r#"{"cache_status": {}}"#, &["cache_status.key"]),
    ] {
        assert_eq!(places(text), expected, "{text}");
    }
}

/// Without a cluster for background requests, whoever comes first refreshes what is stale.
#[test]
fn stale_while_revalidate_needs_no_cluster_for_background_requests() {
    assert!(wrong(r#""stale_while_revalidate": "1m""#).is_empty());
}

#[test]
fn urls_to_warm_are_whole_ones() {
    for (url, is_whole) in [
        ("https://example.com/", true),
        ("http://[::1]:8080/a?b=c", true),
        ("https://example.com", false),
        ("https://example.com?a", false),
        ("HTTPS://example.com/", false),
        ("//example.com/", false),
        ("/a", false),
        ("https:///a", false),
        ("https://u@example.com/", false),
        ("https://example.com/a b", false),
        ("https://example.com/#a", false),
    ] {
        let text =
            format!(r#"{{"background": {{"cluster": "c"}}, "warm": {{"urls": ["{url}"]}}}}"#);
        assert_eq!(load(&text).is_ok(), is_whole, "{url}");
    }
}
