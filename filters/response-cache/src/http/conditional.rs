//! A client's own condition, judged against a fresh stored response: is what the client has still current?
//!
//! `If-None-Match` compares weakly and goes before `If-Modified-Since`.
//! What can not be read as a condition is no condition: the client then gets the whole response.
//!
//! **Source**: RFC 9111 section 4.3.2; RFC 9110 sections 8.8.3 (ETag), 13.1.2, 13.1.3, 13.2.2, 15.4.5.

use kit::headers::Headers;

use crate::http::field::{date, trim};

/// Whether the client's copy is current, so that 304 is the answer.
///
/// `stored` are the fields of a response of a 2xx status; another status must not be asked about (13.2.1).
pub fn is_current(request: &Headers, stored: &Headers) -> bool {
    let mut lines = request.all("if-none-match").peekable();
    if lines.peek().is_some() {
        let etag = stored.get("etag").and_then(opaque);
        return lines.any(|line| trim(line) == b"*" || lists(line, etag));
    }
    let mut lines = request.all("if-modified-since");
    let (Some(since), None) = (lines.next().and_then(date), lines.next()) else { return false };
    let modified = stored.get("last-modified").or_else(|| stored.get("date")).and_then(date);
    modified.is_some_and(|modified| modified <= since)
}

/// Whether a field belongs in a 304: not what describes the representation, unless the client needs it to update.
pub fn belongs_in_304(name: &[u8], has_etag: bool) -> bool {
    match name {
        b"content-type" | b"content-encoding" | b"content-language" => false,
        b"last-modified" => !has_etag,
        _ => true,
    }
}

/// The tag without its weakness; `None` if it is no entity tag.
fn opaque(tag: &[u8]) -> Option<&[u8]> {
    let tag = trim(tag);
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let inner = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    inner.iter().all(|byte| *byte > b' ' && *byte != b'"' && *byte != 0x7f).then_some(tag)
}

/// Whether the list names this tag; a tag may hold commas, so the list is cut at quotes.
fn lists(line: &[u8], etag: Option<&[u8]>) -> bool {
    let Some(etag) = etag else { return false };
    let mut rest = trim(line);
    while !rest.is_empty() {
        let tag = rest.strip_prefix(b"W/").unwrap_or(rest);
        let Some(inner) = tag.strip_prefix(b"\"") else { return false };
        let Some(len) = inner.iter().position(|byte| *byte == b'"') else { return false };
        let (Some(found), Some(after)) = (tag.get(..len + 2), inner.get(len + 1..)) else {
            return false;
        };
        if found == etag {
            return true;
        }
        rest = trim(after);
        while let Some((b',' | b' ' | b'\t', after)) = rest.split_first() {
            rest = after;
        }
    }
    false
}
