//! Tables over the science: what is read from fields, what may be stored, how old it is, whom it answers.
#![cfg(test)]

use kit::Nanos;
use kit::headers::Headers;
use weir_response_cache::conditional::is_current;
use weir_response_cache::directives::{Delta, RequestDirectives, ResponseDirectives, seconds};
use weir_response_cache::field::date;
use weir_response_cache::freshness::{Arrival, Dated, Freshness, age_value, initial_age, lifetime};
use weir_response_cache::key::primary;
use weir_response_cache::request::{Request, Treatment};
use weir_response_cache::response::Response;
use weir_response_cache::signals::{Decision, Refusal};
use weir_response_cache::vary::{Vary, variant_bytes};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_SECS: u64 = 784_111_777;
const ARRIVAL: Arrival = Arrival { asked: Nanos(0), received: Nanos(0), wall: DATE_SECS };

fn response(lines: &[&str]) -> ResponseDirectives {
    let mut read = ResponseDirectives::default();
    lines.iter().for_each(|line| read.read(line.as_bytes()));
    read
}

/// RFC 9111, 5.2: names without regard to case, lists over several lines, token and quoted arguments.
#[test]
fn cache_control_of_responses() {
    let max_age = |n| ResponseDirectives { max_age: Delta::Seconds(n), ..Default::default() };
    let malformed = ResponseDirectives { malformed: true, ..Default::default() };
    for (lines, expected) in [
        (&["max-age=60"][..], max_age(60)),
        (&["MAX-AGE=60"], max_age(60)),
        (&["max-age=\"60\""], max_age(60)),
        (&["max-age=\"6\\0\""], max_age(60)),
        (&[" , ,max-age=60 ,\t,"], max_age(60)),
        (&["max-age=060"], max_age(60)),
        (&["foo=bar, max-age=60, ext=\"a, no-store\""], max_age(60)),
        (&["max-age=60", "max-age=60"], max_age(60)),
        (&["max-age=60", "public"], ResponseDirectives { public: true, ..max_age(60) }),
        (&["private=\"x\""], ResponseDirectives { private: true, ..Default::default() }),
        (
            &["no-cache=\"set-cookie, x\""],
            ResponseDirectives { no_cache: true, ..Default::default() },
        ),
        (&["No-Store"], ResponseDirectives { no_store: true, ..Default::default() }),
        (&["no-store=1"], ResponseDirectives { no_store: true, ..Default::default() }),
        (&["public=yes, must-revalidate=1"], ResponseDirectives::default()),
        (&["no-storex, xprivate"], ResponseDirectives::default()),
        (&[""], ResponseDirectives::default()),
        (&["max-age =60"], malformed),
        (&["=60"], malformed),
        (&["foo="], malformed),
        (&["max-age=\"60"], malformed),
        (&["foo=\"a\"b"], malformed),
        (&["foo bar"], malformed),
        (&["foo; bar"], malformed),
        (&["foo=\"\\"], malformed),
        (&["max-age=60, \u{7f}"], ResponseDirectives { malformed: true, ..max_age(60) }),
    ] {
        assert_eq!(response(lines), expected, "{lines:?}");
    }
}

/// RFC 9111, 1.2.2 and 4.2.1: what is no number, or two numbers, is invalid; too large is very large.
#[test]
fn delta_seconds() {
    for (line, expected) in [
        ("max-age=0", Delta::Seconds(0)),
        ("max-age=2147483648", Delta::Seconds(2_147_483_648)),
        ("max-age=99999999999999999999999999", Delta::Seconds(2_147_483_648)),
        ("max-age", Delta::Invalid),
        ("max-age=\"\"", Delta::Invalid),
        ("max-age=-1", Delta::Invalid),
        ("max-age=1.5", Delta::Invalid),
        ("max-age=1s", Delta::Invalid),
        ("max-age=+1", Delta::Invalid),
        ("max-age=\" 1\"", Delta::Invalid),
        ("max-age=1, max-age=2", Delta::Invalid),
        ("max-age=1, max-age=2, max-age=2", Delta::Invalid),
        ("max-age=x, max-age=2", Delta::Invalid),
        ("s-maxage=1", Delta::Absent),
    ] {
        assert_eq!(response(&[line]).max_age, expected, "{line}");
    }
    assert_eq!(seconds(b""), None);
}

/// RFC 9111, 5.2.1: a request's directives; what can not be read refuses stored answers.
#[test]
fn cache_control_of_requests() {
    for (line, refuses) in [
        ("", false),
        ("max-age=5, min-fresh=1, only-if-cached", false),
        ("max-stale=10, foo", false),
        ("no-cache", true),
        ("NO-STORE", true),
        ("max-age=x", true),
        ("min-fresh", true),
        ("foo bar", true),
    ] {
        let mut read = RequestDirectives::default();
        read.read(line.as_bytes());
        assert_eq!(read.refuses_stored(), refuses, "{line}");
    }
}

/// RFC 9111, 4.2.1: s-maxage, then max-age, then Expires minus Date; invalid means stale.
#[test]
fn lifetimes() {
    let at = |offset: u64| Dated::At(DATE_SECS + offset);
    for (line, expires, date, expected) in [
        ("s-maxage=5, max-age=60", at(99), at(0), Some(5)),
        ("max-age=60", at(99), at(0), Some(60)),
        ("max-age=60", Dated::Invalid, at(0), Some(60)),
        ("", at(99), at(9), Some(90)),
        ("", at(0), at(9), Some(0)),
        ("", at(99), Dated::Absent, Some(99)),
        ("", at(99), Dated::Invalid, None),
        ("", Dated::Invalid, at(0), Some(0)),
        ("", Dated::Absent, at(0), None),
        ("s-maxage=x, max-age=60", at(99), at(0), None),
        ("s-maxage=60, max-age=x", at(99), at(0), None),
        ("max-age=1, max-age=2", at(99), at(0), None),
    ] {
        assert_eq!(
            lifetime(&response(&[line]), expires, date, ARRIVAL),
            expected,
            "{line} {expires:?}"
        );
    }
}

/// RFC 9110, 5.6.7: three forms of a date, and what is none; RFC 9111, 5.3.
#[test]
fn dates() {
    for text in [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(date(text.as_bytes()), Some(DATE_SECS), "{text}");
    }
    for text in ["0", "-1", "", "tomorrow", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 CET"]
    {
        assert_eq!(date(text.as_bytes()), None, "{text}");
    }
    let mut twice = Dated::default();
    twice.read(DATE.as_bytes());
    twice.read(DATE.as_bytes());
    assert_eq!(twice, Dated::At(DATE_SECS));
    twice.read(b"Mon, 07 Nov 1994 08:49:37 GMT");
    assert_eq!(twice, Dated::Invalid);
}

/// RFC 9111, 5.1: the first member counts; what is no number is ignored.
#[test]
fn age_fields() {
    for (line, expected) in [
        ("7", Some(7)),
        ("7, 9", Some(7)),
        (" 7 ", Some(7)),
        ("x, 7", None),
        ("-7", None),
        ("", None),
        ("99999999999999999999", Some(2_147_483_648)),
    ] {
        assert_eq!(age_value(line.as_bytes()), expected, "{line}");
    }
}

/// RFC 9111, 4.2.3: the greater of the apparent age and the announced one, the response delay counted to the latter.
#[test]
fn ages() {
    for (announced, date, delay, wall_offset, expected) in [
        (None, Dated::At(DATE_SECS), 0, 0, 0),
        (None, Dated::At(DATE_SECS), 0, 10, 10),
        (Some(7), Dated::At(DATE_SECS), 2, 3, 9),
        (Some(7), Dated::At(DATE_SECS), 2, 30, 30),
        (Some(7), Dated::Absent, 2, 30, 9),
        (None, Dated::At(DATE_SECS + 60), 1, 0, 1),
    ] {
        let arrival = Arrival {
            asked: Nanos::from_secs(100),
            received: Nanos::from_secs(100 + delay),
            wall: DATE_SECS + wall_offset,
        };
        assert_eq!(
            initial_age(announced, date, arrival),
            Nanos::from_secs(expected),
            "{announced:?} {date:?}"
        );
    }
}

#[test]
fn fresh_until_age_reaches_lifetime() {
    let secs = Nanos::from_secs;
    let freshness = Freshness { received: secs(100), initial_age: secs(10), lifetime: secs(60) };
    assert_eq!((freshness.age(secs(100)), freshness.left(secs(100))), (secs(10), secs(50)));
    assert_eq!(freshness.expires_at(), secs(150));
    assert!(!freshness.left(Nanos(149_999_999_999)).is_zero());
    assert!(freshness.left(secs(150)).is_zero());
    assert_eq!(
        freshness.age(secs(99)),
        secs(10),
        "a clock that runs backwards makes nothing younger"
    );
    let endless = Freshness { received: Nanos::MAX, initial_age: Nanos::MAX, lifetime: Nanos::MAX };
    assert!(endless.left(Nanos::MAX).is_zero());
}

/// RFC 9111, 3, 3.1, 3.5: what may be stored.
#[test]
fn storing() {
    let judge = |status: &str, fields: &[(&str, &str)], authorized| {
        let mut all = vec![(":status", status), ("date", DATE)];
        all.extend_from_slice(fields);
        Response::read(&Headers::new(&all))
            .judge(authorized, ARRIVAL)
            .map(|fresh| fresh.lifetime.as_secs())
    };
    let cc = |value: &'static str| [("cache-control", value)];
    for status in [
        "200", "203", "204", "300", "301", "302", "303", "307", "308", "404", "405", "410", "414",
        "451", "501",
    ] {
        assert_eq!(judge(status, &cc("max-age=60"), false), Ok(60), "{status}");
    }
    for status in [
        "100", "101", "103", "201", "202", "304", "400", "401", "403", "407", "416", "429", "500",
        "502", "503", "504", "x", "0",
    ] {
        assert_eq!(judge(status, &cc("max-age=60"), false), Err(Refusal::Status), "{status}");
    }
    for (fields, authorized, expected) in [
        (&cc("max-age=60")[..], false, Ok(60)),
        (&cc("max-age=60"), true, Err(Refusal::Authorization)),
        (&cc("max-age=60, public"), true, Ok(60)),
        (&cc("max-age=60, must-revalidate"), true, Ok(60)),
        (&cc("s-maxage=60"), true, Ok(60)),
        (&cc("s-maxage=x, max-age=60, public"), true, Err(Refusal::NoLifetime)),
        (&cc("max-age=60, no-store"), false, Err(Refusal::NoStore)),
        (&cc("max-age=60, private"), false, Err(Refusal::Private)),
        (&cc("max-age=60, private=\"set-cookie\""), false, Err(Refusal::Private)),
        (&cc("max-age=60, no-cache"), false, Err(Refusal::NoCache)),
        (&cc("max-age=60, no-cache=\"set-cookie\""), false, Err(Refusal::NoCache)),
        (&cc("max-age=60 private"), false, Err(Refusal::Malformed)),
        (
            &[("cache-control", "max-age=60"), ("cache-control", "private")],
            false,
            Err(Refusal::Private),
        ),
        (&[("cache-control", "max-age=60"), ("set-cookie", "a=b")], false, Err(Refusal::SetCookie)),
        (&[("cache-control", "max-age=60"), ("vary", "accept, *")], false, Err(Refusal::Vary)),
        (
            &[("cache-control", "max-age=60"), ("vary", "a"), ("vary", " *")],
            false,
            Err(Refusal::Vary),
        ),
        (&[("cache-control", "max-age=60"), ("vary", "a b")], false, Err(Refusal::Vary)),
        (&[("cache-control", "max-age=60"), ("vary", "accept")], false, Ok(60)),
        (
            &[("cache-control", "max-age=60"), ("content-range", "bytes 0-1/2")],
            false,
            Err(Refusal::Partial),
        ),
        (
            &[("cache-control", "max-age=60"), ("content-length", "1"), ("content-length", "2")],
            false,
            Err(Refusal::Incomplete),
        ),
        (
            &[("cache-control", "max-age=60"), ("content-type", "application/grpc+proto")],
            false,
            Err(Refusal::Status),
        ),
        (&[("cache-control", "max-age=60"), ("age", "60")], false, Err(Refusal::Expired)),
        (&[("cache-control", "max-age=60"), ("age", "59")], false, Ok(60)),
        (&cc("max-age=0"), false, Err(Refusal::Expired)),
        (&cc("public"), false, Err(Refusal::NoLifetime)),
        (&[("last-modified", DATE)], false, Err(Refusal::NoLifetime)),
        (&[("expires", "Sun, 06 Nov 1994 08:50:37 GMT")], false, Ok(60)),
        (&[("expires", "0")], false, Err(Refusal::Expired)),
        (
            &[("expires", DATE), ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")],
            false,
            Err(Refusal::Expired),
        ),
        (&[], false, Err(Refusal::NoLifetime)),
    ] {
        assert_eq!(judge("200", fields, authorized), expected, "{fields:?} {authorized}");
    }
    assert_eq!(judge("206", &cc("max-age=60"), false), Err(Refusal::Partial));
}

/// RFC 9111, 3.1: fields of the connection and of the transfer are not kept; the order of the others is.
#[test]
fn fields_that_are_kept() {
    let headers = Headers::new(&[
        (":status", "200"),
        ("b", "1"),
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("age", "5"),
        ("proxy-authenticate", "x"),
        ("x-envoy-upstream-service-time", "4"),
        ("a", "2"),
        ("b", "3"),
    ]);
    let kept = Headers::from_pairs(Response::read(&headers).stored_fields(&headers, ARRIVAL));
    let kept: Vec<(&[u8], &[u8])> = kept.iter().collect();
    let expected: [(&[u8], &[u8]); 4] =
        [(b"b", b"1"), (b"a", b"2"), (b"b", b"3"), (b"date", DATE.as_bytes())];
    assert_eq!(kept, expected);
}

/// RFC 9110, 4.2.3: URIs that are the same, and URIs that are not.
#[test]
fn keys() {
    let key = |scheme: &str, host: &str, path: &str| {
        primary(scheme.as_bytes(), host.as_bytes(), path.as_bytes())
    };
    let same = key("https", "example.com", "/a?b");
    assert!(same.is_some());
    for (scheme, host) in [
        ("HTTPS", "example.com"),
        ("https", "EXAMPLE.com"),
        ("https", "example.com:443"),
        ("https", "example.com:"),
    ] {
        assert_eq!(key(scheme, host, "/a?b"), same, "{scheme} {host}");
    }
    for (scheme, host, path) in [
        ("http", "example.com", "/a?b"),
        ("https", "example.com:80", "/a?b"),
        ("https", "example.com.", "/a?b"),
        ("https", "example.com", "/A?b"),
        ("https", "example.com", "/a?B"),
        ("https", "example.com", "/a"),
        ("https", "example.com", "/%61?b"),
        ("https", "example.co", "/a?b"),
        ("https", "www.example.com", "/a?b"),
    ] {
        assert_ne!(key(scheme, host, path), same, "{scheme} {host} {path}");
    }
    assert_eq!(key("http", "[::1]:80", "/"), key("http", "[::1]", "/"));
    assert_ne!(key("http", "::80", "/"), key("http", ":", "/"));
    for (scheme, host, path) in [
        ("", "a", "/"),
        ("ftp", "a", "/"),
        ("http", "", "/"),
        ("http", ":80", "/"),
        ("http", "a", ""),
        ("http", "a", "*"),
    ] {
        assert_eq!(key(scheme, host, path), None, "{scheme} {host} {path}");
    }
}

/// RFC 9111, 4.1: lines join, absent is not empty, names are compared without regard to case.
#[test]
fn variants() {
    let mut vary = Vary::default();
    vary.read(b"Accept-Encoding, X, ,accept-encoding");
    vary.read(b"x");
    let Vary::On(names) = vary else { panic!("two names") };
    assert_eq!(names, ["accept-encoding", "x"]);
    let of = |pairs: &[(&str, &str)]| variant_bytes(&names, &Headers::new(pairs));
    assert_eq!(of(&[("x", "1"), ("x", "2")]), of(&[("x", "1, 2")]));
    assert_eq!(of(&[("x", " 1 ")]), of(&[("y", "3"), ("x", "1")]));
    assert_ne!(of(&[("x", "")]), of(&[]));
    assert_ne!(of(&[("x", "1")]), of(&[("accept-encoding", "1")]));
    assert_ne!(of(&[("x", "1")]), of(&[("x", "A")]));
}

/// RFC 9111, 4.3.2; RFC 9110, 13.1.2, 13.1.3.
#[test]
fn conditions() {
    let stored = Headers::new(&[
        ("etag", "W/\"a,b\""),
        ("last-modified", DATE),
        ("date", "Mon, 07 Nov 1994 08:49:37 GMT"),
    ]);
    for (request, expected) in [
        (&[("if-none-match", "\"a,b\"")][..], true),
        (&[("if-none-match", "W/\"a,b\"")], true),
        (&[("if-none-match", "\"x\", W/\"y\" ,\"a,b\"")], true),
        (&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], true),
        (&[("if-none-match", "*")], true),
        (&[("if-none-match", "\"x\"")], false),
        (&[("if-none-match", "a,b")], false),
        (&[("if-none-match", "\"a,b")], false),
        (&[("if-none-match", "w/\"a,b\"")], false),
        (&[("if-none-match", "")], false),
        (&[("if-none-match", "\"x\""), ("if-modified-since", DATE)], false),
        (&[("if-modified-since", DATE)], true),
        (&[("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], false),
        (&[("if-modified-since", "x")], false),
        (&[("if-modified-since", DATE), ("if-modified-since", DATE)], false),
        (&[], false),
    ] {
        assert_eq!(is_current(&Headers::new(request), &stored), expected, "{request:?}");
    }
    let undated = Headers::new(&[("date", DATE)]);
    assert!(is_current(&Headers::new(&[("if-modified-since", DATE)]), &undated));
    assert!(!is_current(&Headers::new(&[("if-none-match", "\"a\"")]), &undated));
    assert!(is_current(&Headers::new(&[("if-none-match", "*")]), &undated));
}

/// Which requests the store is asked for, and which are left alone altogether.
#[test]
fn treatments() {
    let treat = |method: &str, fields: &[(&str, &str)], end| {
        let mut all =
            vec![(":method", method), (":scheme", "http"), (":authority", "a"), (":path", "/")];
        all.extend_from_slice(fields);
        Request::read(&Headers::new(&all)).treatment(end)
    };
    assert_eq!(treat("GET", &[], true), Treatment::LookUp);
    assert_eq!(treat("HEAD", &[("if-none-match", "\"a\"")], true), Treatment::LookUp);
    assert_eq!(treat("GET", &[], false), Treatment::Forward(Decision::Bypass));
    for name in ["range", "if-match", "if-unmodified-since", "if-range"] {
        assert_eq!(
            treat("GET", &[(name, "x")], true),
            Treatment::Forward(Decision::Bypass),
            "{name}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "QUERY", "FOO"] {
        assert_eq!(treat(method, &[], true), Treatment::Forward(Decision::Method), "{method}");
    }
    assert_eq!(treat("CONNECT", &[], false), Treatment::Untouched);
    assert_eq!(treat("GET", &[("upgrade", "websocket")], true), Treatment::Untouched);
    assert_eq!(treat("POST", &[("content-type", "application/grpc")], false), Treatment::Untouched);
    let pragma = Request::read(&Headers::new(&[("pragma", "no-cache")]));
    assert!(pragma.directives.no_cache);
    let overruled =
        Request::read(&Headers::new(&[("pragma", "no-cache"), ("cache-control", "max-age=1")]));
    assert!(!overruled.directives.no_cache);
}
