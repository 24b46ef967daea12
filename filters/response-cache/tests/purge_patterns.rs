//! What patterns mean, and which texts are none; what tags a response has.
#![cfg(test)]

use kit::headers::Headers;
use weir_response_cache::http::tags::{DEFAULT_FIELDS, MAX_FIELDS, MAX_TAG, MAX_TAGS, read};
use weir_response_cache::store::purges::pattern::{
    Address, Form, MAX_PATTERN, Pattern, PatternError,
};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn accepts(pattern: &Pattern, uri: &str) -> bool {
    pattern.accepts(&Address::read(uri.as_bytes()).unwrap())
}

/// A pattern, what it means, and what it does not.
const GLOBS: [(&str, &[&str], &[&str]); 32] = [
    ("/", &["http://a/", "https://b:8443/?x"], &["http://a/x"]),
    (
        "/users/*",
        &["http://a/users/7", "http://a/users/", "http://a/users/7?x=1"],
        &["http://a/users", "http://a/users/7/o", "http://a/xusers/7"],
    ),
    (
        "/users/**",
        &["http://a/users", "http://a/users/", "http://a/users/7/o?x", "http://a/users?x=/y"],
        &["http://a/usersx", "http://a/user"],
    ),
    ("/**", &["http://a/", "http://a/x/y?z"], &[]),
    (
        "/**/avatar",
        &["http://a/avatar", "http://a/users/7/avatar"],
        &["http://a/users/7/xavatar", "http://a/avatar/x"],
    ),
    (
        "/a/**/b/**/c",
        &["http://x/a/b/c", "http://x/a/1/2/b/c", "http://x/a/b/b/c/c"],
        &["http://x/a/c", "http://x/a/bb/c"],
    ),
    (
        "/img/*.png",
        &["http://a/img/x.png", "http://a/img/.png"],
        &["http://a/img/x/y.png", "http://a/img/x.png2"],
    ),
    ("/img/**.png", &["http://a/img/x.png", "http://a/img/x/y.png"], &["http://a/imgx.png"]),
    (
        "/v*/items/*/x",
        &["http://a/v1/items/7/x", "http://a/v/items//x"],
        &["http://a/v1/2/items/7/x"],
    ),
    ("/api*", &["http://a/api", "http://a/apix"], &["http://a/api/x"]),
    ("/***", &["http://a/", "http://a/x/y"], &[]),
    // The query: any where the pattern has none.
    ("/s?", &["http://a/s"], &["http://a/s?x"]),
    (
        "/s?q=*",
        &["http://a/s?q=", "http://a/s?q=1", "http://a/s?q=a/b", "http://a/s?q=%26x"],
        &["http://a/s", "http://a/s?q=1&p=2", "http://a/s?xq=1"],
    ),
    ("/s?**", &["http://a/s", "http://a/s?a=1&b=2"], &["http://a/sx"]),
    ("/s?**p=2**", &["http://a/s?p=2", "http://a/s?q=1&p=2&r"], &["http://a/s?p=1"]),
    ("/s?a=b?c", &["http://a/s?a=b?c"], &["http://a/s?a=bc"]),
    (
        "/s?q=a+b",
        &["http://a/s?q=a+b", "http://a/s?q=a%20b"],
        &["http://a/s?q=a%2Bb", "http://a/s?q=ab"],
    ),
    ("/s?q=%c3%bc", &["http://a/s?q=%C3%BC", "http://a/s?q=ü"], &["http://a/s?q=u"]),
    ("/s?q=%41", &["http://a/s?q=A", "http://a/s?q=%41"], &["http://a/s?q=a"]),
    // Spellings of one path.
    ("/%61pi/x", &["http://a/api/x", "http://a/%61p%69/x"], &["http://a/API/x"]),
    ("/a%2fb", &["http://a/a%2Fb"], &["http://a/a/b"]),
    ("/a%2Ab", &["http://x/a*b", "http://x/a%2ab"], &["http://x/acb"]),
    ("/100%", &["http://a/100%", "http://a/100%25"], &["http://a/100"]),
    // Hosts.
    (
        "shop.example/**",
        &["http://shop.example/", "https://SHOP.example.:8443/x"],
        &["http://a.shop.example/", "http://shop.examplex/"],
    ),
    ("Shop.Example./x", &["http://shop.example/x"], &["http://shop.example/y"]),
    (
        "*.example/**",
        &["http://a.example/", "http://b.example:81/"],
        &["http://a.b.example/", "http://example/"],
    ),
    (
        "**.example/**",
        &["http://a.example/", "http://a.b.example/"],
        &["http://example/", "http://xexample/"],
    ),
    (
        "shop.example:8443/**",
        &["https://shop.example:8443/"],
        &["https://shop.example/", "https://shop.example:8444/"],
    ),
    ("shop.example:443/**", &["https://shop.example/"], &["https://shop.examplx/"]),
    (
        "https://shop.example/**",
        &["https://shop.example/x", "HTTPS://shop.example/"],
        &["http://shop.example/x"],
    ),
    ("HTTP://a/x", &["http://a/x"], &["https://a/x"]),
    ("[::1]/x", &["http://[::1]/x", "http://[::1]:8080/x"], &["http://[::2]/x"]),
];

#[test]
fn a_pattern_means_what_its_table_says() {
    for (text, means, means_not) in GLOBS {
        let pattern = Pattern::glob(text).unwrap();
        assert_eq!(pattern.to_string(), format!("pattern {text}"));
        for uri in means {
            assert!(accepts(&pattern, uri), "{text} means {uri}");
        }
        for uri in means_not {
            assert!(!accepts(&pattern, uri), "{text} does not mean {uri}");
        }
    }
}

#[test]
fn a_prefix_ends_where_a_segment_does() {
    let rows: [(&str, &[&str], &[&str]); 7] = [
        (
            "/api",
            &["http://a/api", "http://a/api?x", "http://a/api/x/y"],
            &["http://a/apix", "http://a/ap"],
        ),
        ("/api/", &["http://a/api/", "http://a/api/x"], &["http://a/api"]),
        ("/", &["http://a/", "https://b/x"], &[]),
        (
            "a.example/x",
            &["https://a.example:81/x/y"],
            &["https://b.example/x", "https://x.a.example/x"],
        ),
        (
            "/s?q=",
            &["http://a/s?q=1&p=2"],
            &["http://a/s", "http://a/s/x?q=1", "http://a/s?p=2&q=1"],
        ),
        ("/a*b", &["http://x/a*b/c", "http://x/a%2Ab"], &["http://x/acb"]),
        ("*.example/x", &[], &["http://a.example/x"]),
    ];
    for (text, means, means_not) in rows {
        let pattern = Pattern::prefix(text).unwrap();
        assert_eq!(pattern.to_string(), format!("prefix {text}"));
        for uri in means {
            assert!(accepts(&pattern, uri), "{text} means {uri}");
        }
        for uri in means_not {
            assert!(!accepts(&pattern, uri), "{text} does not mean {uri}");
        }
    }
}

#[test]
fn what_is_no_pattern_says_how_to_mend_it() {
    let rows = [
        ("", PatternError::NoPath),
        ("shop.example", PatternError::NoPath),
        ("https:///x", PatternError::NoPath),
        ("?x=1", PatternError::NoPath),
        ("ftp://a/x", PatternError::Scheme),
        ("/x#y", PatternError::Fragment),
        ("/x y", PatternError::Characters),
        ("/ü", PatternError::Characters),
        ("/x\n", PatternError::Characters),
    ];
    for form in [Form::Glob, Form::Prefix] {
        for (text, error) in rows {
            assert_eq!(Pattern::parse(text, form), Err(error), "{text:?}");
        }
        let longest = format!("/{}", "x".repeat(MAX_PATTERN - 1));
        assert!(Pattern::parse(&longest, form).is_ok());
        assert_eq!(Pattern::parse(&format!("{longest}x"), form), Err(PatternError::Long));
    }
    let many = |n: usize| format!("/{}", "*x".repeat(n));
    assert!(Pattern::glob(&many(16)).is_ok());
    assert_eq!(Pattern::glob(&many(17)), Err(PatternError::Wildcards));
    assert!(Pattern::prefix(&many(17)).is_ok(), "a prefix has no wildcards");
    assert_eq!(
        PatternError::NoPath.to_string(),
        "begin it with /, or with a host and a /, as in /users/** or shop.example.com/**"
    );
}

#[test]
fn what_is_no_uri_has_no_address() {
    for text in ["", "x", "http://", "http://a", "http:/a/x", "/x", "://"] {
        assert_eq!(Address::read(text.as_bytes()), None, "{text}");
    }
    assert!(Address::read(b"https://a.example/\xff?\xff").is_some());
}

fn tags(lines: &[(&str, &str)]) -> Option<Vec<String>> {
    let tags = read(&Headers::new(lines), &DEFAULT_FIELDS).ok()?;
    Some(tags.into_iter().map(|tag| String::from_utf8(tag).unwrap()).collect())
}

#[test]
fn tags_are_read_from_every_line_and_each_once() {
    type Lines<'a> = &'a [(&'a str, &'a str)];
    let rows: [(Lines<'_>, &[&str]); 8] = [
        (&[], &[]),
        (&[("surrogate-key", "")], &[]),
        (&[("surrogate-key", "  a \t b  a ")], &["a", "b"]),
        (&[("surrogate-key", "a,b")], &["a,b"]),
        (&[("cache-tag", ",a, b c ,,a,")], &["a", "b c"]),
        (&[("cache-tag", "a"), ("cache-tag", "b")], &["a", "b"]),
        (&[("cache-tag", "b"), ("surrogate-key", "a b")], &["a", "b"]),
        (&[("cache-tag", "A"), ("surrogate-key", "a"), ("x-tags", "c")], &["a", "A"]),
    ];
    for (lines, expected) in rows {
        assert_eq!(tags(lines).unwrap(), expected, "{lines:?}");
    }
    let headers = Headers::new(&[("x-magento-tags", "a b,c"), ("xkey", "a b,c")]);
    assert_eq!(read(&headers, &["x-magento-tags"]).unwrap(), [&b"a b"[..], b"c"]);
    assert_eq!(read(&headers, &["xkey"]).unwrap(), [&b"a"[..], b"b,c"]);
}

/// What could not be purged is not stored, so no tag is ever cut off.
#[test]
fn more_tags_than_are_kept_are_none_at_all() {
    let tag = |len: usize| "x".repeat(len);
    let many = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(tags(&[("surrogate-key", &tag(MAX_TAG))]).unwrap().len(), 1);
    assert_eq!(tags(&[("surrogate-key", &tag(MAX_TAG + 1))]), None);
    assert_eq!(tags(&[("surrogate-key", &many(MAX_TAGS))]).unwrap().len(), MAX_TAGS);
    assert_eq!(tags(&[("surrogate-key", &many(MAX_TAGS + 1))]), None);
    let blanks = " ".repeat(MAX_FIELDS);
    assert_eq!(tags(&[("surrogate-key", &blanks)]), Some(Vec::new()));
    assert_eq!(tags(&[("surrogate-key", &blanks), ("cache-tag", "a")]), None);
}
