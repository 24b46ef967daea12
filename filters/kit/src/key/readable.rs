//! A built key in operators' words.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::form;
use super::part::GIVEN;

/// Parts that are shown: as many as a key can have.
const MAX_PARTS: usize = 8;

/// Bytes of a value that are shown.
const MAX_SHOWN: usize = 64;

/// The words for the kinds of parts, from kind 1 on.
const WORDS: [&str; 14] = [
    "address",
    "header",
    "query",
    "cookie",
    "path segment",
    "claim",
    "property",
    "constant",
    "method",
    "host",
    "path",
    "route",
    "virtual host",
    "cluster",
];

/// A key that [`super::KeyTemplate::build`] wrote, for operators: `address 192.0.2.1, header "abc"`.
///
/// Values are shown in quotes, up to 64 bytes each, with escapes for all that is not printable;
/// so two long keys may look alike. Bytes that are no key are shown as `unreadable key`.
/// The result has at most 4 KiB whatever comes in.
///
/// **Note**: values may be credentials; show them only where the operator asked for it.
pub fn readable(key: &[u8]) -> String {
    readable_with(key, &[])
}

/// As [`readable`], for a key of [`super::KeyTemplate::build_with`] and the words that its template was read with.
pub fn readable_with(key: &[u8], given: &[&str]) -> String {
    words(key, given).unwrap_or_else(|| "unreadable key".to_owned())
}

fn words(key: &[u8], given: &[&str]) -> Option<String> {
    let (way, mut rest) = key.split_first()?;
    let mut shown = match *way {
        form::WHOLE if rest.is_empty() => return Some("one key for all".to_owned()),
        form::ANONYMOUS if rest.is_empty() => return Some("without a key".to_owned()),
        form::WHOLE => String::new(),
        form::ADDRESS => "without a key, ".to_owned(),
        _ => return None,
    };
    for idx in 0..MAX_PARTS {
        if idx > 0 {
            shown.push_str(", ");
        }
        let (tag, after) = rest.split_first()?;
        let (len, after) = after.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (value, after) = after.split_at_checked(len)?;
        push(&mut shown, *tag, value, given)?;
        rest = after;
        if rest.is_empty() {
            return Some(shown);
        }
    }
    None
}

fn push(shown: &mut String, tag: u8, value: &[u8], given: &[&str]) -> Option<()> {
    let word = match tag.checked_sub(GIVEN) {
        Some(idx) => given.get(usize::from(idx)).unwrap_or(&"given"),
        None => WORDS.get(usize::from(tag.checked_sub(1)?))?,
    };
    shown.push_str(word);
    shown.push(' ');
    match (tag, value.len()) {
        (1, 4) => shown.push_str(&Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).to_string()),
        (1, 16) => shown.push_str(&Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).to_string()),
        (1, _) => return None,
        _ => push_quoted(shown, value),
    }
    Some(())
}

/// Appends a value as text, cut between characters; what is no text byte by byte, `\xff`.
fn push_quoted(shown: &mut String, value: &[u8]) {
    let mut n_left = MAX_SHOWN;
    shown.push('"');
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            let Some(left) = n_left.checked_sub(c.len_utf8()) else {
                return shown.push_str("\"…");
            };
            n_left = left;
            match c {
                '\'' => shown.push(c),
                _ => shown.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let Some(left) = n_left.checked_sub(1) else {
                return shown.push_str("\"…");
            };
            n_left = left;
            shown.extend(byte.escape_ascii().map(char::from));
        }
    }
    shown.push('"');
}
