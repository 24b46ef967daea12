//! Whole exchanges on the in-memory host: what is served, and to whom.
#![cfg(test)]

mod play;

use kit::Nanos;
use kit::exchange::Attribute;
use kit::fake::FakeExchange;
use play::{MAX_AGE, Run, count, field, setup, worker};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn the_second_get_is_a_hit_with_its_age_until_it_is_stale() {
    let (host, cache) = setup();
    let first = Run::get(&cache, &host, "/a?q=1", &[]);
    assert_eq!(kit::Exchange::notes(&first.x), [("response-cache", "miss")]);
    let fields = [
        ("cache-control", "max-age=60"),
        ("x", "1"),
        ("y", "2"),
        ("x", "3"),
        ("age", "10"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    assert_eq!(first.answer("200", &fields, b"hello"), "weir; fwd=uri-miss; stored");
    host.advance(Nanos::from_millis(20_500));
    let reply = Run::get(&cache, &host, "/a?q=1", &[]).reply();
    assert_eq!(
        (reply.status, reply.body.as_slice(), reply.details),
        (200, &b"hello"[..], "weir_cache_hit")
    );
    let fields: Vec<(&str, &str)> =
        reply.headers.iter().map(|(n, v)| (n.as_ref(), std::str::from_utf8(v).unwrap())).collect();
    assert_eq!(
        fields,
        [
            ("cache-control", "max-age=60"),
            ("x", "1"),
            ("y", "2"),
            ("x", "3"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("age", "30"),
            ("cache-status", "weir; hit; ttl=29"),
        ]
    );
    host.advance(Nanos::from_millis(29_499));
    assert_eq!(Run::get(&cache, &host, "/a?q=1", &[]).reply().status, 200);
    host.advance(Nanos::MILLISECOND);
    assert_eq!(
        Run::get(&cache, &host, "/a?q=1", &[]).answer("200", MAX_AGE, b"new"),
        "weir; fwd=stale; fwd-status=200; stored"
    );
    assert_eq!(Run::get(&cache, &host, "/a?q=1", &[]).reply().body, b"new");
    assert_eq!(count(&host, "requests_total;rule=default;decision=hit"), 3);
    assert_eq!(count(&host, "requests_total;rule=default;decision=miss"), 1);
    assert_eq!(count(&host, "requests_total;rule=default;decision=stale"), 1);
    assert_eq!((count(&host, "entries"), count(&host, "stored_total")), (1, 2));
}

#[test]
fn what_one_worker_stored_another_serves() {
    let (host, cache) = setup();
    let other = worker(&host, r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "64KiB"}"#);
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    assert_eq!(Run::get(&other, &host, "/a", &[]).reply().body, b"hello");
}

#[test]
fn other_uris_are_other_entries() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a?b", &[]).answer("200", MAX_AGE, b"hello");
    for path in ["/a", "/a?B", "/A?b", "/a?b&", "/%61?b", "/a/?b"] {
        assert!(Run::get(&cache, &host, path, &[]).is_forwarded(), "{path}");
    }
}

#[test]
fn head_is_answered_from_a_get_and_stores_nothing() {
    let (host, cache) = setup();
    let mut head = Run::method(&cache, &host, "HEAD", "/a");
    head.headers("200", MAX_AGE, "via_upstream", true);
    assert_eq!(head.status(), "weir; fwd=uri-miss");
    assert_eq!(
        Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello"),
        "weir; fwd=uri-miss; stored"
    );
    assert_eq!(Run::method(&cache, &host, "HEAD", "/a").reply().status, 200);
}

#[test]
fn variants_are_told_apart_by_what_vary_names() {
    let (host, cache) = setup();
    let vary = [("cache-control", "max-age=60"), ("vary", "Accept-Encoding, Accept")];
    let gzip = [("accept-encoding", "gzip")];
    let plain = [("accept-encoding", "")];
    Run::get(&cache, &host, "/a", &gzip).answer("200", &vary, b"gz");
    let status = Run::get(&cache, &host, "/a", &plain).answer("200", &vary, b"plain");
    assert_eq!(status, "weir; fwd=vary-miss; stored");
    assert_eq!(Run::get(&cache, &host, "/a", &gzip).reply().body, b"gz");
    assert_eq!(Run::get(&cache, &host, "/a", &plain).reply().body, b"plain");
    assert!(Run::get(&cache, &host, "/a", &[]).is_forwarded(), "absent is not empty");
    let accept = [("accept-encoding", "gzip"), ("accept", "a/b")];
    assert!(Run::get(&cache, &host, "/a", &accept).is_forwarded());
    let other = worker(&host, r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "64KiB"}"#);
    assert_eq!(
        Run::get(&other, &host, "/a", &gzip).reply().body,
        b"gz",
        "a worker that has not met these names"
    );
}

/// RFC 9111, 4.1: a default response without `Vary` does not hide its siblings that have it.
#[test]
fn a_response_without_vary_is_the_last_choice() {
    let (host, cache) = setup();
    let vary = [("cache-control", "max-age=60"), ("vary", "accept")];
    Run::get(&cache, &host, "/a", &[("accept", "x")]).answer("200", &vary, b"x");
    host.advance(Nanos::SECOND);
    Run::get(&cache, &host, "/a", &[("accept", "y")]).answer("200", MAX_AGE, b"default");
    assert_eq!(Run::get(&cache, &host, "/a", &[("accept", "x")]).reply().body, b"x");
    assert_eq!(Run::get(&cache, &host, "/a", &[("accept", "y")]).reply().body, b"default");
}

/// Stricter than RFC 9111, 3.5: an authorised request gets only what was marked as good for such.
#[test]
fn authorised_requests_get_only_what_is_marked_for_them() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"anonymous");
    let run = Run::get(&cache, &host, "/a", &[("authorization", "x")]);
    assert!(run.is_forwarded());
    run.answer("200", &[("cache-control", "max-age=60, public")], b"shared");
    assert_eq!(Run::get(&cache, &host, "/a", &[("authorization", "y")]).reply().body, b"shared");
}

#[test]
fn request_directives_are_honoured() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    host.advance(Nanos::from_secs(20));
    for (value, served) in [
        ("max-age=20", true),
        ("max-age=19", false),
        ("max-age=0", false),
        ("min-fresh=40", true),
        ("min-fresh=41", false),
        ("no-cache", false),
        ("no-store", true), // 5.2.1.5 forbids storing, not serving
        ("only-if-cached", true),
        ("foo bar", false),
        ("max-stale=1", true),
    ] {
        let run = Run::get(&cache, &host, "/a", &[("cache-control", value)]);
        assert_eq!(!run.is_forwarded(), served, "{value}");
    }
    assert!(Run::get(&cache, &host, "/a", &[("pragma", "no-cache")]).is_forwarded());
    let refused = Run::get(&cache, &host, "/b", &[("cache-control", "only-if-cached")]).reply();
    assert_eq!((refused.status, refused.details), (504, "weir_cache_only_if_cached"));
    let refused =
        Run::get(&cache, &host, "/a", &[("cache-control", "only-if-cached, max-age=1")]).reply();
    assert_eq!(refused.status, 504);
}

#[test]
fn a_client_that_has_it_gets_304() {
    let (host, cache) = setup();
    let fields = [
        ("cache-control", "max-age=60"),
        ("etag", "\"v1\""),
        ("content-type", "a/b"),
        ("link", "x"),
    ];
    Run::get(&cache, &host, "/a", &[]).answer("200", &fields, b"hello");
    let reply = Run::get(&cache, &host, "/a", &[("if-none-match", "\"v1\"")]).reply();
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    assert_eq!(
        (field(&reply, "etag"), field(&reply, "age"), field(&reply, "link")),
        (Some("\"v1\""), Some("0"), Some("x"))
    );
    assert_eq!(field(&reply, "content-type"), None);
    let reply = Run::get(&cache, &host, "/a", &[("if-none-match", "\"v2\"")]).reply();
    assert_eq!((reply.status, reply.body.len()), (200, 5));
}

/// RFC 9110, 13.2.1: a condition does not count for a status that is no success.
#[test]
fn a_stored_404_is_never_304() {
    let (host, cache) = setup();
    let fields = [("cache-control", "max-age=60"), ("etag", "\"v1\"")];
    Run::get(&cache, &host, "/a", &[]).answer("404", &fields, b"none");
    assert_eq!(Run::get(&cache, &host, "/a", &[("if-none-match", "*")]).reply().status, 404);
}

#[test]
fn rules_say_what_is_cached() {
    let (host, _) = setup();
    let cache = worker(
        &host,
        r#"{"name": "r", "rules": [
        {"name": "admin", "match": {"path": {"prefix": "/api/admin"}}, "action": "bypass"},
        {"name": "off", "enabled": false},
        {"name": "api", "match": {"path": {"prefix": "/api"}}}
    ]}"#,
    );
    for (path, stored) in [("/api/admin/x", false), ("/api/x", true), ("/other", false)] {
        Run::get(&cache, &host, path, &[]).answer("200", MAX_AGE, b"hello");
        assert_eq!(!Run::get(&cache, &host, path, &[]).is_forwarded(), stored, "{path}");
    }
    assert_eq!(count(&host, "requests_total;rule=admin;decision=bypass"), 2);
    assert_eq!(count(&host, "requests_total;rule=none;decision=bypass"), 2);
}

/// RFC 9110, 13.1.1 and 13.1.4: these conditions are for the origin.
#[test]
fn conditions_for_the_origin_pass() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    for name in ["if-match", "if-unmodified-since"] {
        let run = Run::get(&cache, &host, "/a", &[(name, "x")]);
        assert!(run.is_forwarded(), "{name}");
        assert_eq!(run.answer("412", MAX_AGE, b"no"), "weir; fwd=bypass");
    }
    assert_eq!(Run::get(&cache, &host, "/a", &[]).reply().body, b"hello");
}

/// RFC 9110, 14.2 and 13.1.5: a range that can not be read is ignored, and so is `If-Range` without one.
#[test]
fn what_is_no_range_gets_the_whole() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    for (name, value) in [("range", "x"), ("range", "bytes=3-1"), ("if-range", "x")] {
        let reply = Run::get(&cache, &host, "/a", &[(name, value)]).reply();
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"hello"[..]), "{name} {value}");
    }
    let reply = Run::get(&cache, &host, "/a", &[("range", "bytes=1-2")]).reply();
    assert_eq!((reply.status, reply.body.as_slice()), (206, &b"el"[..]));
}

#[test]
fn the_header_can_be_left_out() {
    let (host, _) = setup();
    let cache = worker(&host, r#"{"name": "quiet", "cache_status": false}"#);
    assert_eq!(Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello"), "");
    let reply = Run::get(&cache, &host, "/a", &[]).reply();
    assert_eq!((field(&reply, "cache-status"), field(&reply, "age")), (None, Some("0")));
}

/// Envoy gives every answer of a filter a `content-type` if it has a body, and none if it has not.
#[test]
fn content_type_is_as_it_was_stored() {
    let (host, cache) = setup();
    let typed = [("cache-control", "max-age=60"), ("content-type", "text/html")];
    for (path, fields, body) in
        [("/bare", &[("cache-control", "max-age=60")][..], &b"hello"[..]), ("/empty", &typed, b"")]
    {
        Run::get(&cache, &host, path, &[]).answer("200", fields, body);
        let mut hit = Run::get(&cache, &host, path, &[]);
        let added: &[(&str, &str)] =
            if body.is_empty() { &[] } else { &[("content-type", "text/plain")] };
        hit.headers("200", added, "weir_cache_hit", body.is_empty());
        let sent = kit::Exchange::response(&hit.x);
        assert_eq!(
            sent.text("content-type"),
            if body.is_empty() { Some("text/html") } else { None }
        );
    }
}

#[test]
fn what_one_cluster_answered_is_no_answer_of_another() {
    let (host, cache) = setup();
    let ask = |cluster: &str| {
        let x = FakeExchange::get(&host, "/", &[]);
        Run::request(&cache, x.with_attribute(Attribute::Cluster, cluster.as_bytes()))
    };
    assert_eq!(ask("a").answer("200", MAX_AGE, b"of a"), "weir; fwd=uri-miss; stored");
    assert_eq!(ask("b").answer("200", MAX_AGE, b"of b"), "weir; fwd=vary-miss; stored");
    assert_eq!(ask("a").reply().body, b"of a");
    assert_eq!(ask("b").reply().body, b"of b");
    // It is one URI all the same: an unsafe request to either makes both forget it.
    let request =
        [(":method", "POST"), (":path", "/"), (":authority", "example.com"), (":scheme", "https")];
    let post = FakeExchange::new(&host, &request).with_attribute(Attribute::Cluster, b"b");
    Run::request(&cache, post).answer("200", &[], b"");
    assert!(ask("a").is_forwarded());
    assert!(ask("b").is_forwarded());
}
