//! Whole exchanges on the in-memory host: what is served, stored, refused and counted.
#![cfg(test)]

use kit::exchange::{Attribute, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::{Filter, Flow, Nanos, Reply, config};
use weir_response_cache::{ResponseCache, Stream};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const T0: Nanos = Nanos::from_secs(1_000);
const MAX_AGE: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("content-type", "text/plain")];

fn worker(host: &FakeHost, text: &str) -> ResponseCache {
    let config = config::load("response-cache", text.as_bytes(), ResponseCache::read).unwrap();
    ResponseCache::new(config, host)
}

fn setup() -> (FakeHost, ResponseCache) {
    let host = FakeHost::default();
    host.set_now(T0);
    host.set_wall(Nanos::from_secs(784_111_777));
    let cache = worker(
        &host,
        r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "64KiB", "fill_memory": "1MiB"}"#,
    );
    (host, cache)
}

/// One exchange that is under way.
struct Run<'a> {
    cache: &'a ResponseCache,
    x: FakeExchange,
    stream: Stream,
    flow: Flow,
}

impl<'a> Run<'a> {
    fn request(cache: &'a ResponseCache, x: FakeExchange) -> Self {
        let mut stream = Stream::default();
        let flow = cache.on_request_headers(&mut stream, &x, true);
        Self { cache, x, stream, flow }
    }

    fn get(
        cache: &'a ResponseCache,
        host: &FakeHost,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        Self::request(cache, FakeExchange::get(host, path, headers))
    }

    fn method(cache: &'a ResponseCache, host: &FakeHost, method: &str, path: &str) -> Self {
        let request = [
            (":method", method),
            (":path", path),
            (":authority", "example.com"),
            (":scheme", "https"),
        ];
        Self::request(cache, FakeExchange::new(host, &request))
    }

    fn headers(&mut self, status: &str, headers: &[(&str, &str)], details: &str, end: bool) {
        let mut all = vec![(":status", status)];
        all.extend_from_slice(headers);
        self.x.set_map(Map::Response, Headers::new(&all));
        self.x.set_attribute(Attribute::ResponseDetails, details.as_bytes());
        assert_eq!(self.cache.on_response_headers(&mut self.stream, &self.x, end), Flow::Continue);
    }

    fn chunk(&mut self, chunk: &[u8], end: bool) {
        self.x.set_body(chunk);
        assert_eq!(
            self.cache.on_response_body(&mut self.stream, &self.x, chunk.len(), end),
            Flow::Continue
        );
    }

    /// The upstream answers, in one chunk and an empty last one, as HTTP/1 does.
    fn answer(mut self, status: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        self.headers(status, headers, "via_upstream", false);
        self.chunk(body, false);
        self.chunk(b"", true);
        self.status()
    }

    /// The `Cache-Status` that this filter added.
    fn status(&self) -> String {
        String::from_utf8(
            kit::Exchange::response(&self.x)
                .all("cache-status")
                .last()
                .unwrap_or_default()
                .to_vec(),
        )
        .unwrap()
    }

    fn reply(self) -> Reply {
        match self.flow {
            Flow::Reply(reply) => *reply,
            Flow::Continue | Flow::Pause => panic!("forwarded, not answered"),
        }
    }

    fn is_forwarded(&self) -> bool {
        self.flow == Flow::Continue
    }
}

fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let (_, value) = reply.headers.iter().find(|(found, _)| found == name)?;
    std::str::from_utf8(value).ok()
}

fn count(host: &FakeHost, name: &str) -> i64 {
    host.metric(&format!("weir_response_cache_{name}")).unwrap()
}

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
        "weir; fwd=stale; stored"
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

#[test]
fn variants_of_one_uri_are_bounded() {
    let (host, cache) = setup();
    let vary = [("cache-control", "max-age=60"), ("vary", "accept")];
    for n in 0..20 {
        host.advance(Nanos::MILLISECOND);
        Run::get(&cache, &host, "/a", &[("accept", &n.to_string())]).answer("200", &vary, b"x");
    }
    assert_eq!((count(&host, "entries"), count(&host, "evictions_total;reason=variants")), (8, 12));
    assert!(Run::get(&cache, &host, "/a", &[("accept", "11")]).is_forwarded());
    assert_eq!(Run::get(&cache, &host, "/a", &[("accept", "12")]).reply().status, 200);
}

#[test]
fn nothing_private_is_stored() {
    for (request, response, detail) in [
        (&[][..], &[("cache-control", "max-age=60, private")][..], "private"),
        (&[], &[("cache-control", "max-age=60"), ("set-cookie", "id=1")], "set_cookie"),
        (&[("authorization", "x")], &[("cache-control", "max-age=60")], "authorization"),
        (&[("cache-control", "no-store")], &[("cache-control", "max-age=60")], "no_store"),
        (&[], &[("cache-control", "max-age=60"), ("vary", "*")], "vary"),
    ] {
        let (host, cache) = setup();
        let status = Run::get(&cache, &host, "/a", request).answer("200", response, b"secret");
        assert!(status.ends_with(&format!("; detail={detail}")), "{status}");
        assert!(Run::get(&cache, &host, "/a", &[]).is_forwarded(), "{detail}");
        assert_eq!(count(&host, &format!("refused_total;reason={detail}")), 1);
        assert!(host.shared_bytes() < 100, "{detail}");
    }
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
        ("no-store", false),
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
fn only_whole_answers_of_the_upstream_are_stored() {
    let (host, cache) = setup();
    let mut cut = Run::get(&cache, &host, "/cut", &[]);
    cut.headers("200", MAX_AGE, "via_upstream", false);
    cut.chunk(b"hel", false);
    drop(cut);
    assert!(Run::get(&cache, &host, "/cut", &[]).is_forwarded(), "the stream was reset");
    let short = [("cache-control", "max-age=60"), ("content-length", "5")];
    for (path, body) in [("/short", &b"hell"[..]), ("/long", b"hello!")] {
        Run::get(&cache, &host, path, &[]).answer("200", &short, body);
        assert!(Run::get(&cache, &host, path, &[]).is_forwarded(), "{path}");
    }
    assert_eq!(count(&host, "refused_total;reason=incomplete"), 2);
    let mut local = Run::get(&cache, &host, "/local", &[]);
    local.headers("404", MAX_AGE, "route_not_found", false);
    local.chunk(b"none", true);
    assert_eq!(local.status(), "weir; fwd=uri-miss; detail=local_reply");
    assert!(Run::get(&cache, &host, "/local", &[]).is_forwarded());
}

#[test]
fn bodies_may_be_empty_or_end_with_trailers() {
    let (host, cache) = setup();
    let mut empty = Run::get(&cache, &host, "/empty", &[]);
    empty.headers("204", MAX_AGE, "via_upstream", true);
    assert_eq!(Run::get(&cache, &host, "/empty", &[]).reply().status, 204);
    let mut run = Run::get(&cache, &host, "/trailers", &[]);
    run.headers("200", MAX_AGE, "via_upstream", false);
    run.chunk(b"hel", false);
    run.chunk(b"lo", false);
    cache.on_response_trailers(&mut run.stream, &run.x);
    assert_eq!(Run::get(&cache, &host, "/trailers", &[]).reply().body, b"hello");
}

#[test]
fn what_is_too_large_passes_and_is_not_kept() {
    let (host, cache) = setup();
    let announced = [("cache-control", "max-age=60"), ("content-length", "65536")];
    let mut run = Run::get(&cache, &host, "/a", &[]);
    run.headers("200", &announced, "via_upstream", false);
    assert_eq!(run.status(), "weir; fwd=uri-miss; detail=too_large");
    Run::get(&cache, &host, "/b", &[]).answer("200", MAX_AGE, &[7; 65_536]);
    assert!(Run::get(&cache, &host, "/b", &[]).is_forwarded());
    assert_eq!(count(&host, "refused_total;reason=too_large"), 2);
    assert!(host.shared_bytes() < 10_000);
}

#[test]
fn copies_share_one_budget_and_give_it_back() {
    let (host, cache) = setup();
    let announced = [("cache-control", "max-age=60"), ("content-length", "60000")];
    let mut running = Vec::new();
    for n in 0..100 {
        let mut run = Run::get(&cache, &host, &format!("/{n}"), &[]);
        run.headers("200", &announced, "via_upstream", false);
        running.push(run);
    }
    let refused = count(&host, "refused_total;reason=fill_memory");
    assert!((80..90).contains(&refused), "1 MiB holds 17 of them, {refused} were refused");
    drop(running);
    Run::get(&cache, &host, "/a", &[]).answer("200", &announced, &[7; 60_000]);
    assert_eq!(Run::get(&cache, &host, "/a", &[]).reply().body.len(), 60_000);
    assert_eq!(count(&host, "refused_total;reason=fill_memory"), refused);
}

#[test]
fn its_own_answer_and_other_protocols_are_left_alone() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    let mut hit = Run::get(&cache, &host, "/a", &[]);
    hit.headers("200", MAX_AGE, "weir_cache_hit", false);
    hit.chunk(b"hello", true);
    assert_eq!((hit.status().as_str(), count(&host, "stored_total")), ("", 1));
    let mut upgrade = Run::get(&cache, &host, "/a", &[("upgrade", "websocket")]);
    upgrade.headers("101", MAX_AGE, "via_upstream", false);
    upgrade.chunk(b"frame", false);
    assert_eq!((upgrade.status().as_str(), count(&host, "stored_total")), ("", 1));
    let mut unseen = Stream::default();
    let x = FakeExchange::get(&host, "/a", &[]);
    assert_eq!(cache.on_response_headers(&mut unseen, &x, false), Flow::Continue);
}

/// RFC 9111, 4.4.
#[test]
fn an_unsafe_request_that_succeeds_removes_what_is_stored() {
    let (host, cache) = setup();
    for (method, status, removes) in [
        ("POST", "200", true),
        ("DELETE", "204", true),
        ("FOO", "302", true),
        ("POST", "500", false),
        ("PUT", "404", false),
        ("OPTIONS", "200", false),
    ] {
        host.advance(Nanos::SECOND);
        Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
        host.advance(Nanos::SECOND);
        let mut run = Run::method(&cache, &host, method, "/a");
        run.headers(status, &[], "via_upstream", true);
        assert_eq!(run.status(), "weir; fwd=method");
        assert_eq!(Run::get(&cache, &host, "/a", &[]).is_forwarded(), removes, "{method} {status}");
    }
    assert_eq!(count(&host, "invalidations_total"), 3);
}

#[test]
fn a_response_that_was_overtaken_by_a_change_is_not_stored() {
    let (host, cache) = setup();
    let slow = Run::get(&cache, &host, "/a", &[]);
    host.advance(Nanos::SECOND);
    Run::method(&cache, &host, "PUT", "/a").headers("200", &[], "via_upstream", true);
    host.advance(Nanos::SECOND);
    slow.answer("200", MAX_AGE, b"old");
    assert!(Run::get(&cache, &host, "/a", &[]).is_forwarded());
    assert_eq!(count(&host, "refused_total;reason=invalidated"), 1);
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

#[test]
fn ranges_and_origin_conditions_pass() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    for name in ["range", "if-match", "if-range", "if-unmodified-since"] {
        let run = Run::get(&cache, &host, "/a", &[(name, "x")]);
        assert!(run.is_forwarded());
        assert_eq!(run.answer("206", MAX_AGE, b"he"), "weir; fwd=bypass");
    }
    assert_eq!(Run::get(&cache, &host, "/a", &[]).reply().body, b"hello");
}

#[test]
fn the_header_can_be_left_out() {
    let (host, _) = setup();
    let cache = worker(&host, r#"{"name": "quiet", "cache_status": false}"#);
    assert_eq!(Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello"), "");
    let reply = Run::get(&cache, &host, "/a", &[]).reply();
    assert_eq!((field(&reply, "cache-status"), field(&reply, "age")), (None, Some("0")));
}

#[test]
fn a_miss_and_a_hit_cost_what_the_readme_says() {
    let (host, cache) = setup();
    let before = host.shared_ops();
    let run = Run::get(&cache, &host, "/a", &[]);
    assert_eq!(host.shared_ops(), (before.0 + 1, before.1));
    run.answer("200", MAX_AGE, b"hello");
    let before = host.shared_ops();
    Run::get(&cache, &host, "/a", &[]).reply();
    assert_eq!(host.shared_ops(), (before.0 + 2, before.1));
}
