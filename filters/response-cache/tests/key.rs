//! What tells two requests apart, and what an attacker may not make alike.
#![cfg(test)]

use kit::config;
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use weir_response_cache::key::normal::Normal;
use weir_response_cache::key::query::TRACKING;
use weir_response_cache::key::{Key, KeyRule, halves, primary, shown, uri_text};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn rule(json: &str) -> KeyRule {
    config::load("test", json.as_bytes(), KeyRule::read).unwrap()
}

fn problem(json: &str) -> String {
    let problems = config::load("test", json.as_bytes(), KeyRule::read).unwrap_err();
    problems.lines().next().unwrap()
}

fn key(rule: &KeyRule, path: &str, headers: &[(&str, &str)]) -> Option<Key> {
    let x = FakeExchange::get(&FakeHost::default(), path, headers);
    rule.build(&x, b"https", b"example.com", path.as_bytes())
}

fn target(json: &str, path: &str) -> String {
    let uri = rule(json).uri(b"https", b"e", path.as_bytes()).unwrap();
    String::from_utf8(uri_text(&uri)).unwrap().replace("https://e", "")
}

/// RFC 9110, 4.2.3 (equal URIs), 4.2.4 (userinfo); RFC 3986, 3.2.2 (hosts); RFC 9112, 3.2 (forms of targets).
#[test]
fn hosts_and_targets() {
    let of = |scheme: &str, host: &str, path: &str| {
        primary(scheme.as_bytes(), host.as_bytes(), path.as_bytes()).map(|key| uri_text(&key))
    };
    for (scheme, host, path, expected) in [
        ("HTTPS", "EXAMPLE.com:443", "/A?B", Some("https://example.com/A?B")),
        ("http", "e:80", "/", Some("http://e/")),
        ("http", "e:", "/", Some("http://e/")),
        ("http", "e:443", "/", Some("http://e:443/")),
        ("https", "e:0443", "/", Some("https://e:0443/")),
        ("https", "e.", "/", Some("https://e./")),
        ("https", "[::1]:443", "/", Some("https://[::1]/")),
        ("https", "[::1]", "/", Some("https://[::1]/")),
        ("https", "::1:443", "/", Some("https://::1:443/")),
        ("https", "user@e", "/", None),
        ("https", "e/x", "/", None),
        ("https", "e?x", "/", None),
        ("https", "e x", "/", None),
        ("https", "", "/", None),
        ("https", ":443", "/", None),
        ("https", "e", "https://other/", None),
        ("https", "e", "*", None),
        ("https", "e", "", None),
        ("ftp", "e", "/", None),
    ] {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        assert_eq!(of(scheme, host, path), expected, "{scheme} {host} {path}");
    }
    assert_eq!(uri_text(b"x"), b"");
}

#[test]
fn queries() {
    let sort = r#"{"query": {"sort": true}}"#;
    let allow = r#"{"query": {"allow": ["b", "a"], "sort": true}}"#;
    let deny = r#"{"query": {"deny": ["a b", "x"]}}"#;
    let tracking = r#"{"query": {"drop_tracking": true}}"#;
    for (json, path, expected) in [
        ("{}", "/p?b&a&&", "/p?b&a&&"),
        (r#"{"query": "all"}"#, "/p?", "/p?"),
        (r#"{"query": "none"}"#, "/p?a?b", "/p"),
        (r#"{"query": "none"}"#, "/p", "/p"),
        // Values of one name keep their order, whatever its spelling.
        (sort, "/p?b=1&a=2&b=0&a=1", "/p?a=2&a=1&b=1&b=0"),
        (sort, "/p?b=1&%61=2&a=1", "/p?%61=2&a=1&b=1"),
        (sort, "/p?z&A=2&a=1", "/p?A=2&a=1&z"),
        (sort, "/p?a_b=1&a.b=2&a+b=3&a", "/p?a&a_b=1&a.b=2&a+b=3"),
        (sort, "/p?b&a%5Bx%5D=2&a=1&a[]=0&a%00b=4", "/p?a%5Bx%5D=2&a=1&a[]=0&a%00b=4&b"),
        (sort, "/p?+a=2&%20a=1&a=0", "/p?+a=2&%20a=1&a=0"),
        // Nothing is made of what is doubtful.
        (sort, "/p?b=1;c=2&a=1", "/p?b=1;c=2&a=1"),
        (sort, "/p?b=&b&=&&a", "/p?=&&a&b=&b"),
        (sort, "/p?%zz=1&%=2", "/p?%=2&%zz=1"),
        (sort, "/p?", "/p?"),
        (sort, "/p?b=%41&a=A", "/p?a=A&b=%41"),
        (allow, "/p?c=1&b=2&a=3&%61=4", "/p?a=3&%61=4&b=2"),
        (allow, "/p?c&A=1&a[x]=2", "/p?A=1&a[x]=2"),
        (allow, "/p?c", "/p"),
        (allow, "/p?", "/p"),
        (allow, "/p?c;a=1", "/p?c;a=1"),
        (deny, "/p?a+b=1&a%20b=2&x&X&ab&", "/p?X&ab&"),
        (deny, "/p?x=1", "/p"),
        (deny, "/p?x=1;admin=1", "/p?x=1;admin=1"),
        (deny, "/p?a=x", "/p?a=x"),
        (tracking, "/p?utm_source=a&id=1&gclid=b&%67clid=c", "/p?id=1"),
        (
            tracking,
            "/p?utm_=a&UTM_source=b&utm_x[y]=1&utm=2",
            "/p?utm_=a&UTM_source=b&utm_x[y]=1&utm=2",
        ),
        (tracking, "/p?id=gclid", "/p?id=gclid"),
        (tracking, "/gclid", "/gclid"),
    ] {
        assert_eq!(target(json, path), expected, "{json} {path}");
    }
    assert!(TRACKING.is_sorted());
}

/// A rule that leaves something out shares nothing with one that does not.
#[test]
fn rules_that_read_queries_differently_have_different_keys() {
    let rules = [
        "{}",
        r#"{"query": "none"}"#,
        r#"{"query": {"sort": true}}"#,
        r#"{"query": {"deny": ["a"]}}"#,
        r#"{"query": {"deny": ["a", "b"]}}"#,
        r#"{"query": {"deny": ["ab"]}}"#,
        r#"{"query": {"allow": ["a"]}}"#,
        r#"{"query": {"drop_tracking": true}}"#,
        r#"{"headers": ["x"]}"#,
        r#"{"cookies": ["x"]}"#,
        r#"{"claims": ["x"]}"#,
        r#"{"claims": [{"path": ["x"], "namespace": "other"}]}"#,
    ];
    for (idx, a) in rules.iter().enumerate() {
        for b in rules.iter().skip(idx + 1) {
            let of = |json| key(&rule(json), "/p", &[]).unwrap().whole();
            assert_ne!(of(a), of(b), "{a} {b}");
        }
    }
    let same = |json| key(&rule(json), "/p", &[]).unwrap();
    assert_eq!(
        same(r#"{"query": {"deny": ["a", "b"]}}"#),
        same(r#"{"query": {"deny": ["b", "a", "b"]}}"#)
    );
}

/// Absent, empty, several and swapped are all different.
#[test]
fn parts_are_told_apart() {
    let rule = rule(r#"{"headers": ["x", "y"], "cookies": ["c", "d"]}"#);
    let requests: [&[(&str, &str)]; 15] = [
        &[],
        &[("x", "")],
        &[("y", "")],
        &[("x", ""), ("x", "")],
        &[("x", "a"), ("x", "b")],
        &[("x", "b"), ("x", "a")],
        &[("x", "a, b")],
        &[("x", "a"), ("y", "b")],
        &[("x", "A")],
        &[("cookie", "c=a")],
        &[("cookie", "c=a; c=b")],
        &[("cookie", "c=b"), ("cookie", "c=a")],
        &[("cookie", "d=a")],
        &[("cookie", "c=")],
        &[("cookie", "c=\"a\"")],
    ];
    for (idx, a) in requests.iter().enumerate() {
        for b in requests.iter().skip(idx + 1) {
            assert_ne!(key(&rule, "/", a), key(&rule, "/", b), "{a:?} {b:?}");
        }
    }
    assert_eq!(key(&rule, "/", &[("cookie", "e=1")]), key(&rule, "/", &[("z", "1")]));
    let long = "a".repeat(17 << 10);
    assert_eq!(key(&rule, "/", &[("x", &long)]), None);
}

#[test]
fn a_user_is_named_once_or_there_is_no_key() {
    let by_header = rule(r#"{"user": "header:x-user", "on_missing_user": "bypass"}"#);
    assert!(by_header.is_per_user() && !rule("{}").is_per_user());
    let of = |headers| key(&by_header, "/", headers);
    assert_ne!(of(&[("x-user", "a")]).unwrap(), of(&[("x-user", "A")]).unwrap());
    for headers in [&[][..], &[("x-user", "")], &[("x-user", "a"), ("x-user", "a")]] {
        assert_eq!(of(headers), None, "{headers:?}");
    }
    let by_cookie = rule(r#"{"user": ["cookie:sid", "header:x-tenant"]}"#);
    for headers in [
        &[("cookie", "sid=1")][..],
        &[("cookie", "sid=1; sid=2"), ("x-tenant", "t")],
        &[("cookie", "sid=1"), ("cookie", "sid=2"), ("x-tenant", "t")],
        &[("cookie", "SID=1"), ("x-tenant", "t")],
    ] {
        assert_eq!(key(&by_cookie, "/", headers), None, "{headers:?}");
    }
    assert!(key(&by_cookie, "/", &[("cookie", "sid=1"), ("x-tenant", "t")]).is_some());

    let by_claim = rule(r#"{"user": "claim:sub"}"#);
    let path =
        ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "jwt_payload", "sub"];
    let with = |value: &[u8]| {
        let x = FakeExchange::get(&FakeHost::default(), "/", &[]).with_property(&path, value);
        by_claim.build(&x, b"https", b"e", b"/")
    };
    assert_eq!((with(b""), key(&by_claim, "/", &[])), (None, None));
    assert_ne!(with(b"a").unwrap(), with(b"b").unwrap());
}

/// Explanations show where a key comes from, and nothing that is one user's.
#[test]
fn secrets_are_not_shown() {
    let rule = rule(
        r#"{"query": "none", "headers": ["accept", "x-api-key", "x-gone"], "cookies": ["theme"], "claims": ["tier"],
            "user": "header:x-user"}"#,
    );
    let headers = [
        ("accept", "a\"b"),
        ("x-api-key", "s3cret"),
        ("cookie", "theme=s3cret"),
        ("x-user", "s3cret"),
    ];
    let whole = key(&rule, "/a?b=s3cret", &headers).unwrap().whole();
    assert_eq!(
        shown(&whole),
        "https://example.com/a, query by rule, header accept \"a\\\"b\", header x-api-key (not shown), header x-gone absent, \
         cookie theme (not shown), claim tier absent, user header x-user (not shown)"
    );
    assert_eq!(
        rule.describe(),
        "URI without query, header accept, header x-api-key, header x-gone, cookie theme, claim tier, user header x-user"
    );
    let plain = key(&KeyRule::default(), "/a?b", &[]).unwrap();
    assert_eq!(shown(&plain.whole()), "https://example.com/a?b");
    assert_eq!(
        (shown(b""), shown(b"\0\0\0\0\x01")),
        ("unreadable key".into(), "unreadable key".into())
    );
    assert_eq!(halves(&plain.whole()), Some((&plain.uri[..], &b""[..])));
}

#[test]
fn mistakes_are_told() {
    for (json, expected) in [
        (
            r#"{"query": {}}"#,
            "test: query: found an empty object, allowed sort, allow, deny or drop_tracking in it; write \"all\" for the whole query",
        ),
        (
            r#"{"query": {"allow": ["a"], "deny": ["b"]}}"#,
            "test: query.deny: found deny beside allow, allowed one of them; remove it: what allow does not name is left out already",
        ),
        (
            r#"{"headers": ["cookie"]}"#,
            "test: headers[0]: found \"cookie\", allowed a header's name such as \"accept\"; name the cookies in \"cookies\"",
        ),
        (
            r#"{"user": "path"}"#,
            "test: user: found \"path\", allowed a claim, a header, a cookie or a property; name what proves who asks, such as \"claim:sub\"",
        ),
        (
            r#"{"on_missing_user": "bypass"}"#,
            "test: on_missing_user: found it without user, allowed both or none; add user, or remove on_missing_user",
        ),
    ] {
        assert_eq!(problem(json), expected, "{json}");
    }
}

fn normal(json: &str) -> Normal {
    config::load("test", json.as_bytes(), Normal::read).unwrap()
}

/// RFC 9110, 12.5.3: what a client refuses is never what its value stands for.
#[test]
fn accept_encoding() {
    let normal = normal(r#"{"accept_encoding": ["br", "gzip"]}"#);
    for (line, expected) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("GZIP;Q=0.5", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("br;q=0, gzip", Some("gzip")),
        ("br, br;q=0", Some("identity")),
        ("*", Some("br")),
        ("*;q=0, gzip", Some("gzip, identity;q=0")),
        ("br;q=0, *", Some("gzip")),
        ("identity;q=0, br", Some("br, identity;q=0")),
        ("", Some("identity")),
        ("zstd", Some("identity")),
        ("br;q=0.000", Some("identity")),
        ("br;q=1.000", Some("br")),
        ("zstd, identity;q=0", None),
        ("br;q=1.001", None),
        ("br;q=2", None),
        ("br;q=.5", None),
        ("br;q=0.0001", None),
        ("br;x=1", None),
        ("br;q=\"1\"", None),
        ("b r", None),
    ] {
        let request = Headers::new(&[("accept-encoding", line)]);
        let value = normal.value("accept-encoding", &request);
        assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{line}");
    }
    assert_eq!(normal.value("accept-encoding", &Headers::default()), None);
    assert_eq!(normal.value("accept-language", &Headers::new(&[("accept-language", "en")])), None);
    let of = |coding: &str, line: &str| {
        let request = Headers::new(&[("accept-encoding", line)]);
        normal.accepts(&request, &Headers::new(&[("content-encoding", coding)]))
    };
    assert!(
        of("gzip", "gzip") && of("x-gzip", "gzip") && !of("br", "gzip") && !of("br, gzip", "gzip")
    );
    assert!(!of("", "gzip, identity;q=0") && of("", "gzip"));
}

/// RFC 4647, 3.4 (lookup).
#[test]
fn accept_language() {
    let normal = normal(r#"{"accept_language": ["en", "de", "zh-Hant"]}"#);
    for (line, expected) in [
        ("de-AT, en;q=0.9", Some("de")),
        ("en;q=0.5, de", Some("de")),
        ("fr, de;q=0.1, en;q=0.1", Some("de")),
        ("zh-Hant-CN-x-private", Some("zh-hant")),
        ("zh", Some("*")),
        ("fr", Some("*")),
        ("*", Some("*")),
        ("de;q=0, de-CH", Some("*")),
        ("", Some("*")),
        ("de;q=x", None),
    ] {
        let request = Headers::new(&[("accept-language", line)]);
        let value = normal.value("accept-language", &request);
        assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{line}");
    }
}

#[test]
fn devices() {
    let normal = normal(r#"{"device": true}"#);
    for (agent, expected) in [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", "mobile"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/120 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/120 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0) Mobile/15E148", "tablet"),
        ("Mozilla/4.0 (Windows NT 6.1; Tablet PC 2.0)", "desktop"),
        ("curl/8.0", "desktop"),
        ("", "desktop"),
    ] {
        // A hint that the response does not depend on moves nothing.
        let request = Headers::new(&[("user-agent", agent), ("sec-ch-ua-mobile", "?1")]);
        assert_eq!(
            normal.value("user-agent", &request).as_deref(),
            Some(expected.as_bytes()),
            "{agent}"
        );
    }
    assert_eq!(normal.value("user-agent", &Headers::default()), None);
}
