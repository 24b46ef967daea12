//! No-Vary-Search: the field and the comparison.
#![cfg(test)]

use kit::headers::Headers;
use weir_response_cache::http::search::NoVarySearch;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn canonical(field: &str, query: &str) -> Option<String> {
    let search = NoVarySearch::read(&Headers::new(&[("no-vary-search", field)]))?;
    String::from_utf8(search.canonical(query.as_bytes())).ok()
}

/// draft-ietf-httpbis-no-vary-search, 5.1: what is not as it should be counts as absent.
#[test]
fn fields() {
    for (field, expected) in [
        ("", None),
        ("key-order=?0", None),
        ("params=?0", None),
        ("params=()", None),
        ("unknown", None),
        ("key-order=1", None),
        ("key-order=()", None),
        ("params=a", None),
        ("params=(a)", None),
        ("params=(\"a\" 1)", None),
        ("params=\"a\"", None),
        ("except=(\"a\")", None),
        ("params=(\"a\"), except=(\"b\")", None),
        ("params=?0, except=(\"b\")", None),
        ("params, except=\"b\"", None),
        ("params, except", None),
        ("params,", None),
        ("Params", None),
        ("params", Some("")),
        ("params;x=1, new=1", Some("")),
        ("params=?0, params", Some("")),
        ("params, except=(\"a\")", Some("a=2&a=1")),
        ("params=(\"a\")", Some("b=3")),
        ("params=(\"%61\")", Some("b=3")),
        ("key-order", Some("a=2&a=1&b=3")),
        ("key-order, params=(\"b\")", Some("a=2&a=1")),
    ] {
        assert_eq!(canonical(field, "b=3&a=2&a=1").as_deref(), expected, "{field}");
    }
    let lines =
        Headers::new(&[("no-vary-search", "key-order"), ("no-vary-search", "params=(\"b\")")]);
    assert_eq!(NoVarySearch::read(&lines).unwrap().canonical(b"b&c&a"), b"a=&c=");
}

/// The same, 6: spellings that browsers take for one are one; others are not.
#[test]
fn spellings() {
    let field = "params=(\"u x\")";
    for (query, expected) in [
        ("", ""),
        ("&&", ""),
        ("a", "a="),
        ("a=", "a="),
        ("%61=%41", "a=A"),
        ("a=b+c%20d", "a=b+c+d"),
        ("a=%2B", "a=%2B"),
        ("a=1%262", "a=1%262"),
        ("a=b=c", "a=b%3Dc"),
        ("=", "="),
        ("%zz", "%25zz="),
        ("u+x=1&u%20x=2&ux=3", "ux=3"),
        ("b&a", "b=&a="),
        ("%FF", "%FF="),
    ] {
        assert_eq!(canonical(field, query).as_deref(), Some(expected), "{query}");
    }
}
