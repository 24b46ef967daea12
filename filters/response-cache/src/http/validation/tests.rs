//! RFC 9111, 3.2, 4.3.1, 4.3.4, 4.3.5; RFC 9110, 8.8.2.2, 8.8.3.2.

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
const OTHER: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:38 GMT");
const SOON: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:50:36 GMT");
const LATER: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:50:37 GMT");
const A: (&str, &str) = ("etag", "\"a\"");
const B: (&str, &str) = ("etag", "\"b\"");
const WEAK_A: (&str, &str) = ("etag", "W/\"a\"");

/// 4.3.1: both validators are sent, each in its right form; what can not be read is not sent.
#[test]
fn the_origin_is_asked_by_every_validator() {
    let date = "if-modified-since=Sun, 06 Nov 1994 08:49:37 GMT";
    for (stored, expected) in [
        (&[A, MODIFIED][..], &["if-none-match=\"a\"", date][..]),
        (&[WEAK_A], &["if-none-match=W/\"a\""]),
        (&[("etag", " \"a\" ")], &["if-none-match=\"a\""]),
        (&[A, A], &["if-none-match=\"a\""]),
        (&[A, B], &[]),
        (&[("etag", "a"), MODIFIED], &[date]),
        (&[("last-modified", "Sunday, 06-Nov-94 08:49:37 GMT")], &[date]),
        (&[MODIFIED, OTHER], &[]),
        (&[("last-modified", "0")], &[]),
        (&[LATER], &[]),
        (&[], &[]),
    ] {
        let stored = Headers::new(stored);
        let sent: Vec<String> = conditions(&stored)
            .iter()
            .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
            .collect();
        assert_eq!(sent, expected, "{stored:?}");
        assert_eq!(can_be_asked(&stored), !sent.is_empty(), "{stored:?}");
    }
}

/// 4.3.4: which stored response a 304 is about.
#[test]
fn a_304_is_about_what_its_validators_name() {
    for (rule, new, old, expected) in [
        ("the same strong tag", &[A][..], &[A][..], true),
        ("another strong tag: MUST NOT", &[B], &[A], false),
        ("a strong tag, and the stored one weak", &[A], &[WEAK_A], false),
        ("a weak tag names the strong one", &[WEAK_A], &[A], true),
        ("a weak tag names the weak one", &[WEAK_A], &[WEAK_A], true),
        ("tags decide over dates", &[B, MODIFIED], &[A, MODIFIED], false),
        ("tags decide over dates", &[A, OTHER], &[A, MODIFIED], true),
        ("a strong tag, a strong date", &[A, MODIFIED], &[MODIFIED, LATER], true),
        ("a strong tag, a weak date", &[A, MODIFIED], &[MODIFIED, SOON], false),
        ("a weak tag, a weak date", &[WEAK_A, MODIFIED], &[MODIFIED, SOON], true),
        ("a tag and nothing to compare", &[A], &[MODIFIED, LATER], false),
        ("the same date", &[MODIFIED], &[MODIFIED], true),
        ("the same date, with a tag stored", &[MODIFIED], &[A, MODIFIED], true),
        ("another date", &[OTHER], &[MODIFIED], false),
        ("an unreadable date", &[("last-modified", "x")], &[MODIFIED], false),
        ("several tags", &[A, B], &[A], false),
        ("no tag", &[("etag", "a")], &[A], false),
        ("no validator on either side", &[], &[], true),
        ("no validator: about what was asked", &[], &[A, MODIFIED], true),
        ("several tags stored", &[], &[A, B], false),
    ] {
        assert_eq!(
            selects(&Headers::new(new), &Headers::new(old)),
            expected,
            "{rule}: {new:?} {old:?}"
        );
    }
}

/// 3.2: every field of the update replaces all lines of that name, with the exceptions that the section names.
#[test]
fn an_update_replaces_fields_but_not_what_the_body_depends_on() {
    let stored = [
        ("a", "1"),
        ("a", "2"),
        ("content-encoding", "gzip"),
        ("content-digest", "old"),
        ("content-type", "text/html"),
        ("b", "1"),
        SOON,
    ];
    for (rule, update, expected) in [
        ("all lines are replaced", &[("a", "3")][..], &["b=1", "a=3"][..]),
        ("lines may become more", &[("b", "2"), ("b", "3")], &["a=1", "a=2", "b=2", "b=3"]),
        ("new fields are added", &[("c", "1")], &["a=1", "a=2", "b=1", "c=1"]),
        (
            "the date is the update's",
            &[LATER],
            &["a=1", "a=2", "b=1", "date=Sun, 06 Nov 1994 08:50:37 GMT"],
        ),
        ("length", &[("content-length", "0")], &["a=1", "a=2", "b=1"]),
        ("coding", &[("content-encoding", "br")], &["a=1", "a=2", "b=1"]),
        ("range", &[("content-range", "bytes 0-1/2")], &["a=1", "a=2", "b=1"]),
        ("digest of no body", &[("content-digest", "new")], &["a=1", "a=2", "b=1"]),
        (
            "3.1 connection",
            &[("connection", "x, A"), ("x", "1"), ("a", "9")],
            &["a=1", "a=2", "b=1"],
        ),
        (
            "3.1 hop by hop",
            &[("transfer-encoding", "chunked"), ("upgrade", "h2c")],
            &["a=1", "a=2", "b=1"],
        ),
        ("3.1 proxies", &[("proxy-authenticate", "Basic")], &["a=1", "a=2", "b=1"]),
        ("a cookie is one client's", &[("set-cookie", "s=1")], &["a=1", "a=2", "b=1"]),
        ("the age is counted anew", &[("age", "5"), (":status", "304")], &["a=1", "a=2", "b=1"]),
    ] {
        let fields = freshened(&Headers::new(&stored), &Headers::new(update));
        let fields = Headers::from_pairs(fields);
        let read: Vec<String> = fields
            .iter()
            .filter(|(name, _)| !name.starts_with(b"content-"))
            .map(|(name, value)| {
                format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            })
            .collect();
        assert_eq!(read, expected, "{rule}");
        for (name, value) in [("content-encoding", "gzip"), ("content-digest", "old")] {
            assert_eq!(fields.text(name), Some(value), "{rule}");
        }
    }
    let fields =
        freshened(&Headers::new(&stored), &Headers::new(&[("content-type", "text/plain")]));
    assert_eq!(Headers::from_pairs(fields).text("content-type"), Some("text/plain"));
}

/// 4.3.5: validators that a HEAD has must match, and so must its length.
#[test]
fn a_head_freshens_what_it_matches_and_makes_stale_what_it_does_not() {
    let tagged = [A, MODIFIED];
    for (rule, answer, stored, expected) in [
        ("the same tag", &[(":status", "200"), A][..], &tagged[..], Head::Freshens),
        ("the same date", &[(":status", "200"), MODIFIED], &tagged, Head::Freshens),
        (
            "both and the length",
            &[(":status", "200"), A, MODIFIED, ("content-length", "5")],
            &tagged,
            Head::Freshens,
        ),
        ("another tag", &[(":status", "200"), B], &tagged, Head::Invalidates),
        ("a weaker tag", &[(":status", "200"), WEAK_A], &tagged, Head::Invalidates),
        ("another date", &[(":status", "200"), A, OTHER], &tagged, Head::Invalidates),
        (
            "another length",
            &[(":status", "200"), A, ("content-length", "6")],
            &tagged,
            Head::Invalidates,
        ),
        (
            "another length alone",
            &[(":status", "200"), ("content-length", "6")],
            &tagged,
            Head::Invalidates,
        ),
        (
            "no length",
            &[(":status", "200"), A, ("content-length", "+5")],
            &tagged,
            Head::Invalidates,
        ),
        ("a tag that is not stored", &[(":status", "200"), A], &[MODIFIED], Head::Invalidates),
        (
            "the length alone",
            &[(":status", "200"), ("content-length", "5")],
            &tagged,
            Head::SaysNothing,
        ),
        ("nothing to compare", &[(":status", "200")], &tagged, Head::SaysNothing),
        ("an error", &[(":status", "500"), B], &tagged, Head::SaysNothing),
        ("not found", &[(":status", "404"), B], &tagged, Head::SaysNothing),
        ("a 304", &[(":status", "304"), A], &tagged, Head::SaysNothing),
    ] {
        assert_eq!(head(&Headers::new(stored), 5, &Headers::new(answer)), expected, "{rule}");
    }
}
