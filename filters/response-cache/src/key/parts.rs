//! What a rule adds to the URI, as bytes that nothing else gives, and in operators' words.
//!
//! **Shape**: for each part its kind in one byte, its name, how many values there are in four bytes, and the values;
//! names and values each with their length in four bytes (little-endian) in front.

use std::fmt::Write;

use super::{halves, uri_text};

/// Kinds of parts; never renumbered, keys may outlive a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// How the query is read; the rule is the name.
    Query = 1,
    Header = 2,
    Cookie = 3,
    Claim = 4,
    User = 5,
    /// Queries count by a response's `No-Vary-Search`; the name is that rule's number ([`super::alias`]).
    Search = 6,
    /// What a path's responses have said in `No-Vary-Search`; without a name.
    Alias = 7,
}

/// Bytes of a value that are shown.
const MAX_SHOWN: usize = 64;

/// Appends one part.
pub(super) fn push(out: &mut Vec<u8>, kind: Kind, name: &[u8], values: &[Vec<u8>]) {
    out.push(kind as u8);
    push_bytes(out, name);
    out.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_le_bytes());
    for value in values {
        push_bytes(out, value);
    }
}

/// A whole key in operators' words: its URI, then the parts, `https://example.com/a, header accept "text/html"`.
///
/// Never the values of cookies, claims, the user, or headers that by their name may hold a secret.
/// Bytes that are no key are shown as `unreadable key`.
pub fn shown(key: &[u8]) -> String {
    words(key).unwrap_or_else(|| "unreadable key".to_owned())
}

fn words(key: &[u8]) -> Option<String> {
    let (uri, mut rest) = halves(key)?;
    let uri = uri_text(uri);
    let mut words = if uri.is_empty() { return None } else { text(&uri, usize::MAX) };
    while let Some((kind, after)) = rest.split_first() {
        let (name, after) = take(after)?;
        let (n_values, mut after) = number(after)?;
        let mut values = Vec::new();
        for _ in 0..n_values {
            let (value, behind) = take(after)?;
            values.push(value);
            after = behind;
        }
        rest = after;
        let (word, is_open) = match kind {
            1 => {
                words.push_str(", query by rule");
                continue;
            }
            2 => ("header ", !may_be_secret(name)),
            3 => ("cookie ", false),
            4 => ("", false),
            5 => ("user ", false),
            6 => {
                words.push_str(", query by No-Vary-Search");
                continue;
            }
            7 => {
                words.push_str(", its No-Vary-Search");
                continue;
            }
            _ => return None,
        };
        // A claim's place follows its name.
        let name = text(name, usize::MAX);
        let name = name.split(" of ").next().unwrap_or_default();
        let _ = write!(words, ", {word}{name}");
        match (values.as_slice(), is_open) {
            ([], _) => words.push_str(" absent"),
            ([_], false) => words.push_str(" (not shown)"),
            (several, false) => {
                let _ = write!(words, " ({} values, not shown)", several.len());
            }
            (several, true) => {
                for value in several {
                    let _ = write!(words, " \"{}\"", text(value, MAX_SHOWN));
                }
            }
        }
    }
    Some(words)
}

/// Whether a header's name suggests that its value should not be seen.
fn may_be_secret(name: &[u8]) -> bool {
    const WORDS: [&str; 8] =
        ["auth", "cookie", "token", "key", "secret", "session", "password", "user"];
    let name = String::from_utf8_lossy(name);
    WORDS.iter().any(|word| name.contains(word))
}

/// Bytes as text on one line, cut.
fn text(bytes: &[u8], max: usize) -> String {
    let cut = bytes.get(..max).unwrap_or(bytes);
    let mut text = cut.escape_ascii().to_string();
    if cut.len() < bytes.len() {
        text.push('…');
    }
    text
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}
