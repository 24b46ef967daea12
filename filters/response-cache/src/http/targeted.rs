//! Cache-Control for some caches only (RFC 9213), read as structured fields.
//!
//! Such a field is a dictionary (RFC 9651): `CDN-Cache-Control: max-age=600, stale-if-error=3600`.
//! A field that is no dictionary or an empty one counts as absent, as the RFC wants it; the next one is asked then,
//! and `Cache-Control` at last. A directive with a value of another type than its own is ignored,
//! but for those that restrict: they count in any form.
//!
//! It is read by the crate `sfv`, whose parser keeps the RFC to the letter.
//!
//! **Source**: RFC 9213 sections 2.1 (syntax), 2.2 (precedence).

use kit::headers::Headers;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::http::directives::ResponseDirectives;

/// The directives of one targeted field, if it is there and can be read.
///
/// **Cost**: one pass over the headers; a dictionary is allocated where the field is there.
pub fn read(headers: &Headers, name: &str) -> Option<ResponseDirectives> {
    let lines: Vec<&[u8]> = headers.all(name).collect();
    if lines.is_empty() {
        return None;
    }
    let fields: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
    if fields.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives::default();
    for (key, entry) in &fields {
        match entry {
            ListEntry::Item(item) => match &item.bare_item {
                BareItem::Boolean(true) => directives.take(key.as_str().as_bytes(), None),
                BareItem::Boolean(false) => {}
                BareItem::Integer(seconds) => {
                    let digits = i64::from(*seconds).to_string();
                    directives.take(key.as_str().as_bytes(), Some(digits.as_bytes()));
                }
                _ => restrict(&mut directives, key.as_str()),
            },
            ListEntry::InnerList(_) => restrict(&mut directives, key.as_str()),
        }
    }
    Some(directives)
}

/// A directive whose value is of no use: only what restricts counts.
fn restrict(directives: &mut ResponseDirectives, name: &str) {
    if matches!(name, "no-store" | "no-cache" | "private" | "must-revalidate" | "proxy-revalidate")
    {
        directives.take(name.as_bytes(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::directives::Delta;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn of(lines: &[&str]) -> Option<ResponseDirectives> {
        let fields: Vec<_> = lines.iter().map(|line| ("cdn-cache-control", *line)).collect();
        read(&Headers::new(&fields), "cdn-cache-control")
    }

    /// RFC 9213, 2.1: a dictionary, over several lines; what can not be parsed counts as absent.
    #[test]
    fn a_targeted_field_is_a_dictionary_or_nothing() {
        let age = |seconds| ResponseDirectives {
            max_age: Delta::Seconds(seconds),
            ..ResponseDirectives::default()
        };
        for (lines, expected) in [
            (&["max-age=60"][..], Some(age(60))),
            (&["max-age=1", "max-age=60"], Some(age(60))),
            (&["max-age=60;ext=1, other=(a b)"], Some(age(60))),
            (&["no-store"], Some(ResponseDirectives { no_store: true, ..Default::default() })),
            (&["no-store=?1"], Some(ResponseDirectives { no_store: true, ..Default::default() })),
            (&["no-store=?0, max-age=60"], Some(age(60))),
            (&["private=\"x\""], Some(ResponseDirectives { private: true, ..Default::default() })),
            (
                &["max-age=-1"],
                Some(ResponseDirectives { max_age: Delta::Invalid, ..Default::default() }),
            ),
            (&["max-age=\"60\""], Some(ResponseDirectives::default())),
            (&["max-age=60.5"], Some(ResponseDirectives::default())),
            (&["Max-Age=60"], None),
            (&["max-age=60,"], None),
            (&["max-age=060x"], None),
            (&["max-age=60 no-store"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(of(lines), expected, "{lines:?}");
        }
    }
}
