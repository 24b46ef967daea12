//! Tables over the decisions: what may be stored, whom it answers, which requests are looked up.
#![cfg(test)]

use kit::Nanos;
use kit::headers::Headers;
use weir_response_cache::http::conditional::is_current;
use weir_response_cache::http::freshness::Arrival;
use weir_response_cache::http::reference::resolve;
use weir_response_cache::http::request::{Method, Request, Treatment};
use weir_response_cache::http::response::Response;
use weir_response_cache::http::vary::{Vary, variant_bytes};
use weir_response_cache::key::normal::Normal;
use weir_response_cache::key::primary;
use weir_response_cache::policy::storing::judge as judge_response;
use weir_response_cache::policy::terms::Terms;
use weir_response_cache::signals::{Decision, Refusal};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_SECS: u64 = 784_111_777;
const ARRIVAL: Arrival = Arrival { asked: Nanos(0), received: Nanos(0), wall: DATE_SECS };

/// RFC 9111, 3, 3.1, 3.5: what may be stored.
#[test]
fn storing() {
    let judge = |status: &str, fields: &[(&str, &str)], authorized| {
        let mut all = vec![(":status", status), ("date", DATE)];
        all.extend_from_slice(fields);
        let request = Request { method: Method::Get, authorized, ..Request::default() };
        let response = Response::read(&Headers::new(&all), &[]);
        judge_response(&request, &Headers::default(), &response, &Terms::default(), ARRIVAL)
            .map(|leave| leave.freshness.lifetime.as_secs())
    };
    let cc = |value: &'static str| [("cache-control", value)];
    for status in [
        "200", "201", "202", "203", "204", "299", "300", "301", "302", "303", "307", "308", "400",
        "401", "403", "404", "405", "410", "414", "451",
    ] {
        assert_eq!(judge(status, &cc("max-age=60"), false), Ok(60), "{status}");
    }
    for status in [
        "100", "101", "103", "304", "407", "412", "428", "429", "431", "500", "501", "502", "503",
        "504", "511", "599", "600", "999", "x", "0",
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
        (&cc("max-age=60, private=\"x\""), false, Ok(60)),
        (&cc("max-age=60, private=x"), false, Err(Refusal::Private)),
        (&cc("max-age=60, no-cache"), false, Err(Refusal::NoCache)),
        (&cc("max-age=60, no-cache=\"x\""), false, Ok(60)),
        (&cc("max-age=60, no-cache=x"), false, Err(Refusal::NoCache)),
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
    for status in ["206", "416"] {
        assert_eq!(judge(status, &cc("max-age=60"), false), Err(Refusal::Partial), "{status}");
    }
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
        ("cache-control", "max-age=60, private=\"X-User\""),
        ("x-user", "ann"),
        ("proxy-authenticate", "x"),
        ("x-envoy-upstream-service-time", "4"),
        ("a", "2"),
        ("b", "3"),
    ]);
    let response = Response::read(&headers, &[]);
    let request = Request { method: Method::Get, ..Request::default() };
    let given = Terms { min_ttl: Some(Nanos::MINUTE), ..Terms::default() };
    let leave = judge_response(&request, &Headers::default(), &response, &given, ARRIVAL).unwrap();
    let kept = Headers::from_pairs(response.stored_fields(&headers, &leave.dropped, ARRIVAL));
    let kept: Vec<(&[u8], &[u8])> = kept.iter().collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b"b", b"1"),
        (b"cache-control", b"max-age=60, private=\"X-User\""),
        (b"a", b"2"),
        (b"b", b"3"),
        (b"date", DATE.as_bytes()),
    ];
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

/// RFC 3986, 5.4; RFC 9111, 4.4: what a reference means, and that another origin's URI means nothing.
#[test]
fn references() {
    let key = |path: &str| primary(b"http", b"a", path.as_bytes());
    let base = key("/b/c/d;p?q").unwrap();
    for (reference, path) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("//a/g", "/g"),
        ("//a", "/"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        ("#s", "/b/c/d;p?q"),
        ("g#s", "/b/c/g"),
        ("g?y/./x#s", "/b/c/g?y/./x"),
        (";x", "/b/c/;x"),
        ("", "/b/c/d;p?q"),
        (".", "/b/c/"),
        ("..", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        ("..g", "/b/c/..g"),
        ("./g/.", "/b/c/g/"),
        ("g;x=1/../y", "/b/c/y"),
        ("/b//c", "/b//c"),
        (" http://a/g ", "/g"),
        ("HTTP://A:80/x/../g?y", "/g?y"),
        ("http://a", "/"),
        ("http://a?y", "/?y"),
        ("g/x:y", "/b/c/g/x:y"),
    ] {
        assert_eq!(resolve(&base, reference.as_bytes()), key(path), "{reference}");
    }
    for reference in [
        "https://a/g",
        "http://a:81/g",
        "http://b/g",
        "http://a@b/g",
        "http://user@a/g",
        "http://a.b/g",
        "//b/g",
        "//a:8080",
        "///g",
        "http:g",
        "http:/g",
        "http:",
        "g:h",
        "mailto:x@a",
        "1:g",
        ":g",
    ] {
        assert_eq!(resolve(&base, reference.as_bytes()), None, "{reference}");
    }
    assert_eq!(resolve(b"no key", b"/g"), None);
}

/// RFC 9111, 4.1: lines join, absent is not empty, names are compared without regard to case.
#[test]
fn variants() {
    let mut vary = Vary::default();
    vary.read(b"Accept-Encoding, X, ,accept-encoding");
    vary.read(b"x");
    let Vary::On(names) = vary else { panic!("two names") };
    assert_eq!(names, ["accept-encoding", "x"]);
    let of = |pairs: &[(&str, &str)]| {
        variant_bytes(b"", &names, &Headers::new(pairs), &Normal::default())
    };
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
    assert_eq!(
        treat("GET", &[("range", "bytes=0-"), ("if-range", "\"a\"")], true),
        Treatment::LookUp
    );
    for name in ["if-match", "if-unmodified-since"] {
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
