//! What is counted: exact after known traffic over four workers, and told the same by every way to ask.

use std::collections::BTreeMap;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::status_of;

const PREFIX: &str = "weir_response_cache_";

/// Every number of the cache that is not zero, but for the sequences, whose values mean nothing.
fn numbers(gateway: &Gateway) -> BTreeMap<String, u64> {
    let all = gateway.envoy.stats("^wasmcustom").expect("the admin interface answers");
    all.into_iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("wasmcustom.")?.strip_prefix(PREFIX)?.to_owned();
            (value > 0 && !name.ends_with("_sequence")).then_some((name, value))
        })
        .collect()
}

fn stats(gateway: &Gateway) -> Value {
    let answer = Request::get("/weir/stats").ask(gateway.address());
    assert_eq!(answer.status(), 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

fn send(gateway: &Gateway, method: &str, target: &str, fields: &[(&str, &str)]) -> Message {
    let request = Request::new(method, target);
    let request = fields.iter().fold(request, |request, (name, value)| request.field(name, value));
    request.ask(gateway.address())
}

#[test]
fn every_number_is_exact_after_known_traffic() {
    let origin = Origin::start(|request| {
        let path = request.target();
        let has_condition = request.field("if-none-match").is_some();
        match path.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "/page/" => Act::response(200, &[("cache-control", "max-age=600")], "0123456789"),
            "/vary" => Act::response(
                200,
                &[("cache-control", "max-age=600"), ("vary", "accept-language")],
                "vary",
            ),
            "/private" => Act::response(200, &[("cache-control", "private")], "mine"),
            "/checked" if has_condition => {
                Act::response(304, &[("cache-control", "max-age=600"), ("etag", "\"1\"")], "")
            }
            "/checked" => Act::response(
                200,
                &[("cache-control", "max-age=1"), ("age", "5"), ("etag", "\"1\"")],
                "checked",
            ),
            "/ill" if has_condition => Act::response(503, &[], "ill"),
            "/ill" => Act::response(
                200,
                &[
                    ("cache-control", "max-age=1, stale-if-error=600"),
                    ("age", "5"),
                    ("etag", "\"1\""),
                ],
                "was well",
            ),
            _ => Act::response(200, &[], "other"),
        }
    });
    let configuration = json!({
        "operations": {"path": "/weir", "source": "127.0.0.0/8"},
        "rules": [
            {"name": "admin", "match": {"path": {"prefix": "/admin"}}, "action": "bypass"},
            {"name": "pages", "match": {"path": {"prefix": "/page"}}},
            {"name": "rest"},
        ],
    });
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(4).start();
    let get = |target: &str| send(&gateway, "GET", target, &[]);
    for n in 0..10 {
        for _ in 0..4 {
            get(&format!("/page/{n}"));
        }
    }
    // HEAD is answered without the body, a part with that part.
    send(&gateway, "HEAD", "/page/0", &[]);
    assert_eq!(send(&gateway, "GET", "/page/0", &[("range", "bytes=0-2")]).status(), 206);
    for language in ["de", "en", "de", "en"] {
        send(&gateway, "GET", "/vary", &[("accept-language", language)]);
    }
    for _ in 0..5 {
        get("/private");
    }
    for _ in 0..3 {
        get("/admin");
    }
    get("/checked");
    let checked = get("/checked");
    assert!(status_of(&checked).contains("fwd-status=304"), "{checked:?}");
    assert!(status_of(&get("/checked")).contains("; hit"));
    get("/ill");
    let instead = get("/ill");
    assert_eq!((instead.status(), instead.text().as_str()), (200, "was well"));
    assert_eq!(send(&gateway, "GET", "/x", &[("cache-control", "only-if-cached")]).status(), 504);
    send(&gateway, "GET", "/page/1", &[("cache-control", "no-cache")]);
    send(&gateway, "POST", "/page/9", &[("content-length", "0")]);
    send(&gateway, "POST", "/nothing", &[("content-length", "0")]);
    for purge in [
        "tag=none",
        "tag=none&tag=other",
        "url=http://example.com/nothing",
        "prefix=http://example.com/none",
        "pattern=/none/**",
    ] {
        let answer = send(&gateway, "DELETE", &format!("/weir/entries?{purge}"), &[]);
        assert_eq!(answer.status(), 200, "{answer:?}");
    }

    let told = stats(&gateway);
    let bytes = told["store"]["bytes"].as_u64().unwrap();
    let expected: BTreeMap<String, u64> = [
        ("requests_total;rule=admin;decision=bypass", 3),
        ("requests_total;rule=pages;decision=miss", 10),
        ("requests_total;rule=pages;decision=hit", 32),
        ("requests_total;rule=pages;decision=request", 1),
        ("requests_total;rule=rest;decision=miss", 8),
        ("requests_total;rule=rest;decision=vary_miss", 1),
        ("requests_total;rule=rest;decision=hit", 3),
        ("requests_total;rule=rest;decision=stale", 2),
        ("requests_total;rule=rest;decision=only_if_cached", 1),
        ("requests_total;rule=none;decision=method", 2),
        ("requests_total;rule=none;decision=operations", 6),
        ("served_bytes_total;rule=pages", 303),
        ("served_bytes_total;rule=rest", 30),
        ("stored_total", 16),
        ("refused_total;reason=private", 5),
        ("validations_total;result=not_modified", 1),
        ("validations_total;result=failed", 1),
        ("stale_served_total;reason=stale_if_error", 1),
        ("invalidations_total", 1),
        ("purges_total;reason=tag", 3),
        ("purges_total;reason=url", 1),
        ("purges_total;reason=pattern", 2),
        ("entries", 13),
        ("bytes", bytes),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let same = || (numbers(&gateway) == expected).then_some(());
    if wait::until(PATIENCE, same).is_none() {
        assert_eq!(numbers(&gateway), expected);
    }

    // The bodies that are stored are 9 pages, two variants, "checked" and "was well"; the rest are fields and keys.
    assert!((113..16_384).contains(&bytes), "{bytes}");
    assert_told(&stats(&gateway), bytes);
}

/// The statistics tell what the metrics do.
fn assert_told(told: &Value, bytes: u64) {
    assert_eq!(told["store"]["entries"], 13, "{told:#}");
    assert_eq!(told["store"]["bytes"], bytes);
    assert_eq!([&told["hits"], &told["misses"]], [&json!(35), &json!(23)], "{told:#}");
    assert_eq!(told["hit_ratio"], json!(0.6034), "35 of 58");
    assert_eq!(told["bytes_served"], 333);
    assert_eq!(told["stored"], 16);
    assert_eq!(told["not_stored"], json!({"private": 5}));
    assert_eq!(told["evictions"], json!({}));
    assert_eq!(told["invalidations"], 1);
    assert_eq!(told["validations"], json!({"not_modified": 1, "failed": 1}));
    assert_eq!(told["stale_served"], json!({"stale_if_error": 1}));
    assert_eq!(told["purges"], json!({"url": 1, "tag": 3, "pattern": 2}));
    let pages = &told["rules"][1];
    assert_eq!(
        [&pages["rule"], &pages["requests"], &pages["hits"], &pages["bytes_served"]],
        [&json!("pages"), &json!(43), &json!(32), &json!(303)]
    );
    assert_eq!(pages["decisions"], json!({"hit": 32, "miss": 10, "request": 1}));
}

#[test]
fn every_entry_that_came_and_went_is_accounted_for() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let configuration = json!({
        "max_entries": 64,
        "operations": {"path": "/weir", "source": "127.0.0.0/8"},
    });
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(4).start();
    let n_stored = 300;
    for n in 0..n_stored {
        gateway.get(&format!("/{n}"));
    }
    let found = numbers(&gateway);
    let number = |name: &str| found.get(name).copied().unwrap_or(0);
    assert_eq!(number("stored_total"), n_stored);
    assert!((1..=64).contains(&number("entries")), "{found:?}");
    assert_eq!(number("entries") + number("evictions_total;reason=space"), n_stored, "{found:?}");
    let told = stats(&gateway);
    assert_eq!(told["evictions"]["space"], number("evictions_total;reason=space"));
    assert_eq!(told["store"]["max_entries"], 64);
    let hits = (0..n_stored).filter(|n| {
        let only = [("cache-control", "only-if-cached")];
        send(&gateway, "GET", &format!("/{n}"), &only).status() == 200
    });
    assert_eq!(hits.count() as u64, number("entries"), "what is counted is what is there");
    send(&gateway, "DELETE", "/weir/entries?everything=true", &[]);
    // Nobody asks for them any more: the sweep, or whoever comes by, takes them out.
    for n in 0..n_stored {
        let only = [("cache-control", "only-if-cached")];
        assert_eq!(send(&gateway, "GET", &format!("/{n}"), &only).status(), 504);
    }
    gateway.await_metric("weir_response_cache_entries", 0);
    gateway.await_metric("weir_response_cache_bytes", 0);
}
