//! The small grammar that header fields share: blanks, tokens, lists, dates.
//!
//! **Source**: RFC 9110 sections 5.6.1 (lists), 5.6.2 (tokens), 5.6.3 (blanks), 5.6.7 (dates).

use std::time::UNIX_EPOCH;

/// The value without blanks around it.
pub const fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether this is a token: at least one character, none of them a blank, a control or a delimiter.
pub const fn is_token(mut bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    while let [first, rest @ ..] = bytes {
        if !matches!(first, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
            | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
        {
            return false;
        }
        bytes = rest;
    }
    true
}

/// The members of a list whose members hold no comma; empty ones are skipped.
pub fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Whether this is an entity tag, weak or strong: quoted, without blanks, quotes and controls inside.
///
/// **Source**: RFC 9110 section 8.8.3.
pub fn is_entity_tag(value: &[u8]) -> bool {
    let value = trim(value);
    match value.strip_prefix(b"W/").unwrap_or(value) {
        [b'"', tag @ .., b'"'] => {
            tag.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))
        }
        _ => false,
    }
}

/// Seconds since 1970 of an HTTP date in any of its three forms, in upper or lower case (RFC 9111, 4.2).
///
/// A date before 1970 counts as 1970: for freshness both are long past.
pub fn date(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(trim(value)).ok()?;
    let time = httpdate::parse_http_date(text)
        .or_else(|_| httpdate::parse_http_date(&with_usual_case(text)))
        .ok()?;
    Some(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// The names of days and months as `Sun` and `Nov`, the zone as `GMT`.
fn with_usual_case(text: &str) -> String {
    let mut in_word = false;
    let usual = |letter: char| {
        let was_in_word = std::mem::replace(&mut in_word, letter.is_ascii_alphabetic());
        if was_in_word { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
    };
    text.chars().map(usual).collect::<String>().replace("Gmt", "GMT")
}

/// The value once, where two equal lines were joined to one by a comma, as Envoy does; otherwise all of it.
pub fn once(line: &[u8]) -> &[u8] {
    let halves = |at: usize| Some((trim(line.get(..at)?), trim(line.get(at.checked_add(1)?..)?)));
    let commas = line.iter().enumerate().filter(|(_, byte)| **byte == b',');
    let twice = commas.filter_map(|(at, _)| halves(at)).find(|(one, other)| one == other);
    twice.map_or(line, |(one, _)| one)
}

/// The HTTP date of these seconds since 1970; `None` beyond the year 9999, which no date can say.
pub fn print_date(seconds: u64) -> Option<String> {
    const END: u64 = 253_402_300_800;
    let time = UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds))?;
    (seconds < END).then(|| httpdate::fmt_http_date(time))
}
