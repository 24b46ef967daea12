//! What a rule lets be assumed: for which responses, for how long, and between which requests.
#![cfg(test)]

mod play;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::headers::Headers;
use kit::units::Ratio;
use play::{Run, T0, count, field, worker};
use weir_response_cache::ResponseCache;
use weir_response_cache::http::freshness::{Arrival, Dated};
use weir_response_cache::http::request::{Method, Request};
use weir_response_cache::http::response::Response;
use weir_response_cache::policy::assume::{Assumptions, COMPARED, Heuristic};
use weir_response_cache::policy::fields::KnownFields;
use weir_response_cache::policy::storing::judge;
use weir_response_cache::policy::terms::{Basis, Terms};
use weir_response_cache::signals::Refusal;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const WALL: u64 = 784_111_777;
const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const HUNDRED_SECONDS_AGO: &str = "Sun, 06 Nov 1994 08:47:57 GMT";
const YEARS_AGO: &str = "Mon, 07 Nov 1988 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

const TENTH: Heuristic = Heuristic { fraction: Ratio::from_percent(10), max: Nanos::MINUTE };
const BOTH: Assumptions = Assumptions {
    heuristic: Some(TENTH),
    default_ttl: Some(Nanos::from_secs(5)),
    with_query: false,
};

fn setup(rule: &str) -> (FakeHost, ResponseCache) {
    let host = FakeHost::default();
    host.set_now(T0);
    host.set_wall(Nanos::from_secs(WALL));
    let cache = worker(&host, &format!(r#"{{"rules": [{{"name": "r", {rule}}}]}}"#));
    (host, cache)
}

/// RFC 9111, 4.2.2: a fraction of the time since the last change, capped; else the rule's own lifetime.
#[test]
fn lifetimes() {
    let by_date = Assumptions { default_ttl: None, ..BOTH };
    let by_rule = Assumptions { heuristic: None, ..BOTH };
    let (at, secs) = (Dated::At, Nanos::from_secs);
    for (assumptions, modified, date, expected) in [
        (BOTH, at(900), at(1_000), Some(secs(10))),
        (BOTH, at(995), at(1_000), Some(Nanos::from_millis(500))),
        (BOTH, at(1_000), at(1_000), Some(Nanos::ZERO)),
        (BOTH, at(0), at(1_000_000), Some(Nanos::MINUTE)),
        (BOTH, at(0), at(u64::MAX), Some(Nanos::MINUTE)),
        (BOTH, at(1_900), Dated::Absent, Some(secs(10))),
        (BOTH, at(1_001), at(1_000), Some(secs(5))),
        (BOTH, at(900), Dated::Invalid, Some(secs(5))),
        (BOTH, Dated::Invalid, at(1_000), Some(secs(5))),
        (BOTH, Dated::Absent, at(1_000), Some(secs(5))),
        (by_date, at(1_001), at(1_000), None),
        (by_date, Dated::Invalid, at(1_000), None),
        (by_date, Dated::Absent, at(1_000), None),
        (by_rule, at(900), at(1_000), Some(secs(5))),
        (Assumptions::default(), at(900), at(1_000), None),
    ] {
        let found = assumptions.lifetime(modified, date, 2_000);
        assert_eq!(found, expected, "{assumptions:?} {modified:?} {date:?}");
    }
}

/// RFC 9111, 4.2.2: never where a lifetime is stated, clearly or not; RFC 9110, 15.1: for these statuses only.
#[test]
fn responses() {
    let assume = |status: &str, fields: &[(&str, &str)]| {
        let mut all = vec![(":status", status), ("date", NOW)];
        all.extend_from_slice(fields);
        let arrival = Arrival { asked: Nanos(0), received: Nanos(0), wall: WALL };
        let request = Request { method: Method::Get, ..Request::default() };
        let response = Response::read(&Headers::new(&all), &[]);
        let terms = Terms { assumptions: BOTH, ..Terms::default() };
        judge(&request, &Headers::default(), &response, &terms, arrival)
            .map(|leave| (leave.basis, leave.freshness.lifetime.as_secs()))
    };
    for status in ["200", "203", "204", "300", "301", "308", "404", "405", "410", "414"] {
        assert_eq!(assume(status, &[]), Ok((Basis::Assumed, 5)), "{status}");
    }
    assert_eq!(assume("501", &[]), Err(Refusal::Status), "errors of the service only by name");
    for status in ["302", "303", "307", "400", "403", "451", "500", "502", "503"] {
        assert_eq!(assume(status, &[]), Err(Refusal::NoLifetime), "{status}");
    }
    let old = ("last-modified", HUNDRED_SECONDS_AGO);
    for (fields, expected) in [
        (&[old][..], Ok((Basis::Assumed, 10))),
        (&[("last-modified", YEARS_AGO)], Ok((Basis::Assumed, 60))),
        (&[("last-modified", LATER)], Ok((Basis::Assumed, 5))),
        (&[("last-modified", "yesterday")], Ok((Basis::Assumed, 5))),
        (&[old, ("last-modified", YEARS_AGO)], Ok((Basis::Assumed, 5))),
        (&[("last-modified", NOW)], Err(Refusal::Expired)),
        (&[old, ("cache-control", "public")], Ok((Basis::Assumed, 10))),
        (&[old, ("age", "9")], Ok((Basis::Assumed, 10))),
        (&[old, ("age", "10")], Err(Refusal::Expired)),
        (&[old, ("cache-control", "max-age=1")], Ok((Basis::Stated, 1))),
        (&[old, ("cache-control", "max-age=0")], Err(Refusal::Expired)),
        (&[old, ("cache-control", "max-age=x")], Err(Refusal::NoLifetime)),
        (&[old, ("cache-control", "s-maxage")], Err(Refusal::NoLifetime)),
        (&[old, ("expires", NOW)], Err(Refusal::Expired)),
        (&[old, ("expires", "0")], Err(Refusal::Expired)),
        (&[old, ("expires", "")], Err(Refusal::Expired)),
        (&[old, ("pragma", "no-cache")], Err(Refusal::NoCache)),
        (&[old, ("cache-control", "private=\"x\"")], Err(Refusal::Private)),
        (&[old, ("cache-control", "no-cache=\"x\"")], Err(Refusal::NoCache)),
    ] {
        assert_eq!(assume("200", fields), expected, "{fields:?}");
    }
}

/// Whoever shows more than a browser's or tool's usual fields gets no answer on an assumption.
#[test]
fn requests() {
    assert!(COMPARED.is_sorted());
    let cover = |assumptions: Assumptions, path: &str, fields: &[(&str, &str)]| {
        let mut all =
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)];
        all.extend_from_slice(fields);
        assumptions.cover(&Headers::new(&all), &KnownFields::default())
    };
    let browser = [
        ("accept", "text/html"),
        ("accept-language", "de"),
        ("sec-fetch-mode", "navigate"),
        ("user-agent", "x"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "1"),
    ];
    assert!(cover(BOTH, "/a", &browser));
    assert!(!cover(Assumptions::default(), "/a", &browser), "a rule that assumes nothing");
    for name in [
        "authorization",
        "cookie",
        "forwarded",
        "hx-request",
        "proxy-authorization",
        "x-api-key",
        "x-auth-token",
        "x-forwarded-user",
        "x-http-method-override",
        "x-original-url",
        "x-requested-with",
        "never-heard-of",
    ] {
        assert!(!cover(BOTH, "/a", &[(name, "1")]), "{name}");
    }
    for path in ["/a?", "/a?b=1", "/?/a"] {
        assert!(!cover(BOTH, path, &[]), "{path}");
        assert!(cover(Assumptions { with_query: true, ..BOTH }, path, &[]), "{path}");
    }
}

#[test]
fn a_response_without_a_lifetime_is_a_hit_for_as_long_as_assumed() {
    let modified = [("last-modified", HUNDRED_SECONDS_AGO), ("date", NOW)];
    for (fields, lifetime) in [(&modified[..], 10), (&[("date", NOW)], 5)] {
        let (host, cache) = setup(r#""heuristic": {"max": "1m"}, "default_ttl": "5s""#);
        let status = Run::get(&cache, &host, "/a", &[]).answer("200", fields, b"hello");
        assert_eq!(status, "weir; fwd=uri-miss; stored", "{lifetime}");
        host.advance(Nanos::from_secs(lifetime - 1));
        let reply = Run::get(&cache, &host, "/a", &[]).reply();
        assert_eq!(field(&reply, "cache-status"), Some("weir; hit; ttl=1"), "{lifetime}");
        assert_eq!(field(&reply, "age"), Some((lifetime - 1).to_string().as_str()));
        host.advance(Nanos::SECOND);
        assert!(Run::get(&cache, &host, "/a", &[]).is_forwarded(), "{lifetime}");
    }
}

/// The leak that this must not be: an application answers by cookie or key and says nothing about caches.
#[test]
fn what_was_made_for_one_user_is_neither_kept_nor_served_on_an_assumption() {
    let (host, cache) = setup(r#""heuristic": {}, "default_ttl": "5s""#);
    let modified = [("last-modified", HUNDRED_SECONDS_AGO)];
    for user in ["cookie", "x-api-key"] {
        let status =
            Run::get(&cache, &host, "/a", &[(user, "ann")]).answer("200", &modified, b"ann's");
        assert_eq!(status, "weir; fwd=uri-miss; detail=not_plain");
    }
    let status = Run::get(&cache, &host, "/a", &[("authorization", "ann")]).answer(
        "200",
        &[("cache-control", "public")],
        b"ann's",
    );
    assert_eq!(status, "weir; fwd=uri-miss; detail=not_plain");
    let status =
        Run::get(&cache, &host, "/a", &[]).answer("200", &[("set-cookie", "id=1")], b"new user's");
    assert_eq!(status, "weir; fwd=uri-miss; detail=set_cookie");
    assert_eq!(
        Run::get(&cache, &host, "/a?token=1", &[]).answer("200", &[], b"hers"),
        "weir; fwd=uri-miss; detail=not_plain"
    );
    assert_eq!(count(&host, "refused_total;reason=not_plain"), 4);

    Run::get(&cache, &host, "/a", &[]).answer("200", &modified, b"nobody's");
    let status =
        Run::get(&cache, &host, "/a", &[("cookie", "ann")]).answer("200", &modified, b"ann's");
    assert_eq!(status, "weir; fwd=request; detail=not_plain");
    assert_eq!(Run::get(&cache, &host, "/a", &[]).reply().body, b"nobody's");
}

/// What an origin states holds for requests with cookies as before: it says `private` or `Vary` where that is wrong.
#[test]
fn what_is_stated_does_not_ask_for_plain_requests() {
    let (host, cache) = setup(r#""heuristic": {}, "default_ttl": "5s""#);
    Run::get(&cache, &host, "/a?b", &[("cookie", "ann")]).answer("200", play::MAX_AGE, b"all's");
    assert_eq!(Run::get(&cache, &host, "/a?b", &[("cookie", "bob")]).reply().body, b"all's");
}

/// Services that answer by these and do not say `Vary` would be caches' poison.
#[test]
fn an_assumption_holds_only_between_requests_that_agree() {
    let (host, cache) = setup(r#""default_ttl": "5s""#);
    for name in COMPARED {
        let path = format!("/{name}");
        Run::get(&cache, &host, &path, &[(name, "x")]).answer("200", &[("vary", name)], b"x's");
        assert!(Run::get(&cache, &host, &path, &[]).is_forwarded(), "{name}");
        assert!(Run::get(&cache, &host, &path, &[(name, "y")]).is_forwarded(), "{name}");
        assert_eq!(Run::get(&cache, &host, &path, &[(name, "x")]).reply().body, b"x's", "{name}");
    }
}

#[test]
fn another_rule_does_not_share_what_one_assumes() {
    let host = FakeHost::default();
    host.set_now(T0);
    let cache = worker(
        &host,
        r#"{"rules": [{"name": "strict", "match": {"headers": [{"name": "user-agent", "exact": "x"}]}},
                      {"name": "loose", "default_ttl": "5s"}]}"#,
    );
    Run::get(&cache, &host, "/a", &[]).answer("200", &[], b"hello");
    assert!(!Run::get(&cache, &host, "/a", &[("user-agent", "y")]).is_forwarded());
    let status = Run::get(&cache, &host, "/a", &[("user-agent", "x")]).answer("200", &[], b"hello");
    assert_eq!(status, "weir; fwd=request; detail=no_lifetime");
}
