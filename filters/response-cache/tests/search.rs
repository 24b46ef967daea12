//! No-Vary-Search: the field and the comparison.
#![cfg(test)]

use kit::headers::Headers;
use weir_response_cache::http::search::NoVarySearch;
use weir_response_cache::key::alias::{self, MAX_SAYINGS, Sayings};
use weir_response_cache::key::{Key, primary, shown};

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

fn key(target: &str, parts: &[u8]) -> Key {
    let uri = primary(b"http", b"example.com", target.as_bytes()).unwrap_or_default();
    Key { uri, parts: parts.to_vec() }
}

/// Section 6: the same by one saying is one key; any other path, saying, user or query is another.
#[test]
fn keys_by_a_saying() {
    let mut sayings = Sayings::default();
    let utm = sayings.add(b"params=(\"utm\")", 7);
    let again = sayings.add(b"params=(\"utm\")", 8);
    let of = |saying: &alias::Saying, key: &Key| {
        let meaning = saying.meaning().unwrap();
        saying.key(&meaning, key).unwrap().whole()
    };
    let one = of(&utm, &key("/a?id=1&utm=2", b""));
    for (target, same) in
        [("/a?id=1", true), ("/a?utm=3&id=1", true), ("/a?id=2", false), ("/b?id=1", false)]
    {
        assert_eq!(of(&utm, &key(target, b"")) == one, same, "{target}");
        assert_ne!(key(target, b"").whole(), one, "no request's own key: {target}");
    }
    assert_ne!(of(&again, &key("/a?id=1", b"")), one, "another saying, though of the same words");
    assert_ne!(of(&utm, &key("/a?id=1", b"user")), one, "another's");
    let own = alias::of(&key("/a?id=1", b"user").uri).unwrap();
    assert_eq!(own, alias::of(&key("/a", b"").uri).unwrap(), "of the path, whoever asks");
    assert_ne!(own.whole(), key("/a", b"").whole());
    assert_eq!(shown(&one), "http://example.com/a?id=1, query by No-Vary-Search");
    assert_eq!(shown(&own.whole()), "http://example.com/a, its No-Vary-Search");
    assert_eq!(alias::of(b"no key"), None);
}

#[test]
fn sayings_are_few_and_survive_being_written() {
    let mut sayings = Sayings::default();
    for number in 0..10_u64 {
        sayings.add(format!("params=(\"{number}\")").as_bytes(), number);
    }
    assert_eq!(sayings.iter().count(), MAX_SAYINGS);
    assert!(sayings.find(b"params=(\"9\")").is_some() && sayings.find(b"params=(\"0\")").is_none());
    assert_eq!(Sayings::read(&sayings.write()), sayings);
    assert_eq!(Sayings::read(b"something else"), Sayings::default());
}
