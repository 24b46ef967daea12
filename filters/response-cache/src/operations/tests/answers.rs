//! What the endpoints tell.

use super::*;
use crate::http::vary;
use crate::policy::terms::Basis;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn other_requests_are_none_of_it() {
    for (access, method, path, headers) in [
        (access(), "GET", "/weir/cachex", &[TOKEN][..]),
        (access(), "GET", "/", &[TOKEN]),
        (access(), "PURGE", "/news", &[("x-weir-token", "wrong")]),
        (access(), "PURGE", "/news", &[]),
        (access(), "purge", "/news", &[TOKEN]),
        (Access::default(), "PURGE", "/news", &[TOKEN]),
        (Access::default(), "GET", "/weir/cache", &[TOKEN]),
    ] {
        let stub = Stub::default();
        assert_eq!(
            answer(&access, &stub, &exchange(method, path, headers), true),
            None,
            "{method} {path}"
        );
        assert!(stub.did.borrow().is_empty());
    }
    let elsewhere = exchange("PURGE", "/news", &[TOKEN])
        .with_attribute(Attribute::SourceAddress, b"198.51.100.1:1");
    assert_eq!(answer(&access(), &Stub::default(), &elsewhere, true), None);
}

#[test]
fn who_may_not_learns_nothing_and_changes_nothing() {
    for (method, path) in [
        ("DELETE", "/weir/cache/entries?everything=true"),
        ("GET", "/weir/cache/nothing"),
        ("PUT", "/weir/cache/warm?x=1"),
        ("PURGE", "/weir/cache/entries"),
    ] {
        let stub = Stub::default();
        let x = exchange(method, path, &[("x-weir-token", "wrong")]);
        let denied = answer(&access(), &stub, &x, true).unwrap();
        assert_eq!((denied.reply.status, denied.word), (401, "operations_token"));
        assert_eq!((denied.audit.len(), stub.did.borrow().len()), (0, 0));
    }
}

#[test]
fn every_answer_is_json_and_for_no_cache() {
    for (method, path, status) in [
        ("GET", "", 200),
        ("GET", "/", 200),
        ("HEAD", "/stats", 200),
        ("GET", "/rules/news", 200),
        ("GET", "/explain?url=https://example.com/a", 200),
        ("GET", "/purges", 200),
        ("GET", "/warm", 200),
        ("PUT", "/warm?url=https://example.com/a", 200),
        ("DELETE", "/warm", 200),
        ("DELETE", "/entries?tag=a", 200),
        ("DELETE", "/entries", 400),
        ("GET", "/entries", 405),
        ("GET", "/stat", 404),
    ] {
        let answer = ask_of(&Stub::default(), method, path);
        assert_eq!((answer.reply.status, answer.word), (status, "operations"), "{method} {path}");
        let form = if status == 200 { "application/json" } else { "application/problem+json" };
        assert_eq!(header(&answer, "content-type"), Some(form), "{method} {path}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        assert_eq!(answer.reply.details, "weir_operations");
        assert!(body(&answer).is_object());
    }
}

#[test]
fn the_index_names_each_endpoint_below_the_prefix() {
    for path in ["", "/"] {
        let index = ask("GET", path);
        assert_eq!(index["endpoints"][0]["path"], "/weir/cache/stats");
        assert_eq!(index["endpoints"].as_array().unwrap().len(), 9);
    }
}

#[test]
fn rules_are_told_in_words() {
    let news = json!({
        "name": "news", "action": "cache", "match": "every request", "key": "the whole URL",
        "terms": ["lifetime 5m where the origin states none"],
    });
    assert_eq!(ask("GET", "/rules/news"), json!({ "rules": [news] }));
    assert_eq!(ask("GET", "/rules")["rules"][1]["name"], "rest");
}

#[test]
fn statistics_add_up_and_know_what_was_never_looked_up() {
    let expected = json!({
        "requests": 9, "hits": 2, "misses": 1, "hit_ratio": 0.6666, "bytes_served": 200,
        "store": { "entries": 2, "max_entries": 64, "bytes": 900, "max_bytes": 1_000 },
        "stored": 1, "not_stored": { "private": 4 }, "evictions": { "space": 3 }, "invalidations": 6,
        "refreshes": { "stored": 7 },
        "rules": [
            { "rule": "news", "requests": 8, "hits": 2, "misses": 1, "hit_ratio": 0.6666, "bytes_served": 100,
              "decisions": { "hit": 2, "miss": 1, "bypass": 5 } },
            { "rule": "none", "requests": 1, "hits": 0, "misses": 0, "hit_ratio": null, "bytes_served": 100,
              "decisions": { "method": 1 } },
        ],
    });
    assert_eq!(ask("GET", "/stats"), expected);
}

/// Came 2 s old at 100 s, for 60 s; asked about at 130 s unless told otherwise.
fn stored() -> Stored {
    Stored {
        uri: b"https://example.com/a".to_vec(),
        names: vary::names_bytes(&["accept".to_owned()]),
        received: Nanos::from_secs(100).0,
        initial_age: Nanos::from_secs(2).0,
        lifetime: Nanos::from_secs(60).0,
        stale_while_revalidate: Nanos::from_secs(10).0,
        stale_if_error: Nanos::from_secs(600).0,
        status: 200,
        rule: "news".to_owned(),
        fields: b"secret".to_vec(),
        body: b"hello".to_vec(),
        ..Stored::default()
    }
}

fn entry(stored: Stored, purged: Purged) -> Entry {
    Entry { stored: Rc::new(stored), is_selected: true, purged, tags: vec!["front".to_owned()] }
}

fn explained(stub: &Stub, path: &str, now: Nanos) -> Value {
    let x = exchange("GET", &format!("/weir/cache{path}"), &[TOKEN]);
    x.host.set_now(now);
    body(&answer(&access(), stub, &x, true).unwrap())
}

#[test]
fn an_explanation_tells_request_rule_key_and_each_entry() {
    let stub = Stub {
        entries: vec![entry(stored(), Purged::No)],
        flight: Some(Flight::Underway { waiting: 3, left: Nanos::from_secs(4) }),
        ..Stub::default()
    };
    let found = explained(&stub, "/explain?url=https://example.com/a%3Fx=1", Nanos::from_secs(130));
    let expected = json!({
        "request": { "method": "GET", "path": "/a?x=1", "host": "example.com", "address": "192.0.2.1" },
        "decision": "hit", "because": "a stored response may answer it",
        "rule": { "name": "news", "action": "cache" }, "key": "https://example.com/a",
        "cluster": "articles", "is_stored": true,
        "entries": [{
            "is_selected": true, "url": "https://example.com/a", "status": 200, "rule": "news", "body_bytes": 5,
            "varies_on": ["accept"], "tags": ["front"], "purged": "no", "for_authorized": false,
            "freshness": {
                "basis": "stated", "age_seconds": 32, "lifetime_seconds": 60, "left_seconds": 28,
                "stale_while_revalidate_seconds": 10, "stale_if_error_seconds": 600, "keep_seconds": 0,
                "validate": false, "strict": false,
                "arithmetic": [
                    "age 32s = 2s when it came + 30s here",
                    "lifetime 1m, stated by the origin",
                    "fresh for 28s more = 1m - 32s",
                    "once stale: served while it is refreshed for 10s",
                    "once stale: served when the origin fails for 10m",
                    "stale: not kept to be validated",
                ],
            },
        }],
        "flight": { "state": "underway", "waiting": 3, "left_seconds": 4 },
    });
    assert_eq!(found, expected);
}

#[test]
fn an_explanation_says_why_something_is_not_stored() {
    let reason = Reason::NoStore;
    let left = Nanos::from_millis(2_500);
    let stub = Stub { flight: Some(Flight::Uncacheable { reason, left }), ..Stub::default() };
    let found = explained(&stub, "/explain?url=https://example.com/admin", Nanos::ZERO);
    let told =
        ["decision", "because", "is_stored", "entries", "rule", "key"].map(|name| &found[name]);
    let expected = [
        json!("bypass"),
        json!("no rule matches"),
        json!(false),
        json!([]),
        Value::Null,
        Value::Null,
    ];
    assert_eq!(told, expected.each_ref());
    let flight = json!({
        "state": "uncacheable", "reason": "no_store",
        "because": "the response or the request says no-store", "left_seconds": 2.5,
    });
    assert_eq!(found["flight"], flight);
}

#[test]
fn each_step_of_the_arithmetic_is_told() {
    let refreshed = "stale: no longer served while it is refreshed, 12s is over after 10s";
    let if_error = "stale: served when the origin fails for 9m48s more = 10m - 12s";
    let not_kept = "stale: not kept to be validated";
    for (section, stored, purged, lines) in [
        (
            "4.2.4",
            stored(),
            Purged::No,
            vec!["stale for 12s = 1m12s - 1m", refreshed, if_error, not_kept],
        ),
        (
            "4.2.4",
            Stored { strict: true, keep: Nanos::from_secs(20).0, ..stored() },
            Purged::No,
            vec![
                "stale for 12s = 1m12s - 1m",
                "never served stale: the origin demands validation then",
                "stale: kept to be validated for 8s more = 20s - 12s",
            ],
        ),
        (
            "5.2.2.4",
            Stored { validate: true, lifetime: Nanos::HOUR.0, basis: Basis::Given, ..stored() },
            Purged::No,
            vec![
                "fresh for 58m48s more = 1h - 1m12s",
                "no-cache: served only after the origin has confirmed it",
                not_kept,
            ],
        ),
        (
            "4.4",
            Stored { lifetime: Nanos::HOUR.0, ..stored() },
            Purged::Soft,
            vec![
                "softly purged: counts as stale, whatever its age",
                "fresh for 58m48s more = 1h - 1m12s",
                "stale: served while it is refreshed for 10s more = 10s - 0s",
                "stale: served when the origin fails for 10m more = 10m - 0s",
                not_kept,
            ],
        ),
        ("4.4", stored(), Purged::Hard, vec!["purged: served to nobody, whatever its age"]),
    ] {
        let found = arithmetic::lines(&stored, purged, Nanos::from_secs(170));
        assert_eq!(found[0], "age 1m12s = 2s when it came + 1m10s here", "{section}");
        assert_eq!(found[2..], lines, "{section}");
    }
}

#[test]
fn no_field_of_a_stored_response_is_told() {
    let stub = Stub { entries: vec![entry(stored(), Purged::No)], ..Stub::default() };
    let told = explained(&stub, "/explain?url=https://example.com/a", Nanos::ZERO).to_string();
    assert!(!told.contains("secret") && !told.contains("hello"));
}
