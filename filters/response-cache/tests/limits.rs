//! Whole exchanges on the in-memory host: what is not stored, and what comes off again.
#![cfg(test)]

mod play;

use kit::exchange::{Attribute, Map};
use kit::fake::FakeExchange;
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow, Nanos};
use play::{MAX_AGE, Run, count, setup, worker};
use weir_response_cache::Stream;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
        assert_eq!(count(&host, "entries"), 0, "{detail}");
    }
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
    let mut rejected = Run::get(&cache, &host, "/rejected", &[]);
    rejected.headers("503", &[], "weir_circuit_open", true);
    assert_eq!(rejected.status(), "weir; fwd=uri-miss; detail=local_reply");
    let mut failed = Run::get(&cache, &host, "/failed", &[]);
    failed.headers("503", &[], "via_upstream", true);
    assert_eq!(failed.status(), "weir; fwd=uri-miss; detail=no_lifetime");
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
fn stale_copies_that_wait_for_the_origin_take_of_the_same_budget() {
    let (host, _) = setup();
    let cache = worker(
        &host,
        r#"{"name": "large", "max_entries": 256, "max_bytes": "8MiB", "max_object": "64KiB", "fill_memory": "1MiB"}"#,
    );
    let stale = [("cache-control", "max-age=1, stale-if-error=600"), ("etag", "\"1\"")];
    let path = |n: usize| format!("/{n}");
    for n in 0..40 {
        Run::get(&cache, &host, &path(n), &[]).answer("200", &stale, &[7; 30_000]);
    }
    host.advance(Nanos::from_secs(2));
    let mut running: Vec<_> = (0..40).map(|n| Run::get(&cache, &host, &path(n), &[])).collect();
    let is_asked_about = |run: &Run<'_>| run.x.request().get("if-none-match").is_some();
    let n_kept = running.iter().filter(|run| is_asked_about(run)).count();
    let refused = count(&host, "refused_total;reason=fill_memory");
    assert!((30..=34).contains(&n_kept), "1 MiB holds 34 of them, {n_kept} are kept");
    assert_eq!(usize::try_from(refused).unwrap(), 40 - n_kept);
    // One that is kept stands in for an error; one that is not gets the whole.
    let at = running.iter().position(is_asked_about).unwrap();
    let mut kept = running.swap_remove(at);
    kept.x.set_map(Map::Response, Headers::new(&[(":status", "503")]));
    kept.x.set_attribute(Attribute::ResponseDetails, b"via_upstream");
    let flow = cache.on_response_headers(&mut kept.stream, &kept.x, true);
    assert!(matches!(flow, Flow::Reply(reply) if reply.body.len() == 30_000));
    let at = running.iter().position(|run| !is_asked_about(run)).unwrap();
    let other = running.swap_remove(at);
    assert!(!other.answer("200", &stale, &[8; 30_000]).contains("hit"));
    drop((kept, running));
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, &[7; 60_000]);
    assert_eq!(count(&host, "refused_total;reason=fill_memory"), refused);
}

#[test]
fn a_refresh_whose_end_nobody_tells_has_failed_and_the_next_one_starts() {
    let (host, _) = setup();
    let cache = worker(
        &host,
        r#"{"name": "back", "background": {"cluster": "back", "timeout": "2s", "max_concurrent": 1}}"#,
    );
    let stale = [("cache-control", "max-age=1, stale-while-revalidate=600")];
    for path in ["/a", "/b"] {
        Run::get(&cache, &host, path, &[]).answer("200", &stale, b"old");
    }
    host.advance(Nanos::from_secs(2));
    let is_refreshed = |path: &str| {
        assert_eq!(Run::get(&cache, &host, path, &[]).reply().body, b"old");
        !host.take_calls().is_empty()
    };
    assert!(is_refreshed("/a"));
    assert!(!is_refreshed("/b"), "there is room for one");
    host.advance(Nanos::from_secs(3));
    cache.on_tick(&host);
    assert_eq!(count(&host, "refreshes_total;result=failed"), 1);
    host.advance(Nanos::from_secs(1));
    assert!(is_refreshed("/b") && !is_refreshed("/a"));
}

#[test]
fn the_gauges_follow_what_a_refused_slot_has_cost() {
    let (host, cache) = setup();
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    host.advance(Nanos::MINUTE);
    host.refuse_sets(Some("/s"));
    Run::get(&cache, &host, "/a", &[]).answer("200", MAX_AGE, b"hello");
    Run::get(&cache, &host, "/b", &[]).answer("200", MAX_AGE, b"hello");
    host.refuse_sets(None);
    assert_eq!(count(&host, "refused_total;reason=store"), 2);
    assert_eq!((count(&host, "entries"), count(&host, "bytes")), (0, 0));
}

#[test]
fn bodies_that_break_off_count_as_failures_and_soon_nobody_waits_for_the_next() {
    let (host, cache) = setup();
    for _flight in 0..3 {
        let mut leader = Run::get(&cache, &host, "/a", &[]);
        leader.headers("200", MAX_AGE, "via_upstream", false);
        leader.chunk(b"hel", false);
        assert!(Run::get(&cache, &host, "/a", &[]).waits());
        drop(leader);
    }
    let leader = Run::get(&cache, &host, "/a", &[]);
    let next = Run::get(&cache, &host, "/a", &[]);
    assert!(leader.is_forwarded() && next.is_forwarded(), "as without a cache");
    // Who leaves before there is a response says nothing of the origin.
    for _flight in 0..3 {
        drop(Run::get(&cache, &host, "/b", &[]));
    }
    let _leader = Run::get(&cache, &host, "/b", &[]);
    assert!(Run::get(&cache, &host, "/b", &[]).waits());
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

/// RFC 9111, 4.4: what the response names goes too, if it is of the same origin; other origins' never does.
#[test]
fn an_unsafe_request_removes_what_its_response_names() {
    let (host, cache) = setup();
    for (name, value, removes) in [
        ("location", "/b/", true),
        ("location", "b/", true),
        ("content-location", "https://EXAMPLE.com:443/b/#x", true),
        ("location", "https://example.org/b/", false),
        ("location", "http://example.com/b/", false),
        ("content-location", "//example.com:8443/b/", false),
        ("link", "/b/", false),
    ] {
        host.advance(Nanos::SECOND);
        for path in ["/a", "/b/"] {
            Run::get(&cache, &host, path, &[]).answer("200", MAX_AGE, b"hello");
        }
        host.advance(Nanos::SECOND);
        let mut run = Run::method(&cache, &host, "POST", "/a");
        run.headers("201", &[(name, value)], "via_upstream", true);
        assert!(Run::get(&cache, &host, "/a", &[]).is_forwarded(), "{name} {value}");
        let forwarded = Run::get(&cache, &host, "/b/", &[]).is_forwarded();
        assert_eq!(forwarded, removes, "{name} {value}");
        assert_eq!(count(&host, "entries"), i64::from(!removes), "{name} {value}");
    }
    assert_eq!(count(&host, "invalidations_total"), 7);
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
fn a_miss_and_a_hit_cost_what_the_readme_says() {
    let (host, cache) = setup();
    let before = host.shared_ops();
    let run = Run::get(&cache, &host, "/a", &[]);
    // A look into the index, and a flight to lead.
    assert_eq!(host.shared_ops(), (before.0 + 2, before.1 + 1));
    run.answer("200", MAX_AGE, b"hello");
    // The first is not yet in the first level, and the first three uses are noted in the index.
    for (gets, sets) in [(2, 1), (1, 1), (1, 1), (1, 0), (1, 0)] {
        let before = host.shared_ops();
        Run::get(&cache, &host, "/a", &[]).reply();
        assert_eq!(host.shared_ops(), (before.0 + gets, before.1 + sets));
    }
}
