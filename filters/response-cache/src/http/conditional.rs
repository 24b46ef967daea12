//! A client's own condition, judged against a stored response: is what the client has still current?
//!
//! `If-None-Match` compares weakly and goes before `If-Modified-Since`, also when it can not be read.
//! What can not be read as a condition is no condition: the client then gets the whole response.
//! `If-Match` and `If-Unmodified-Since` are the origin's to judge: requests with them never come here.
//!
//! **Source**: RFC 9111 section 4.3.2; RFC 9110 sections 13.1.2, 13.1.3, 13.2.1, 13.2.2, 15.4.5.

use kit::headers::Headers;

use crate::http::entity_tag::{self, Tagged, tagged};
use crate::http::field::{date, trim};

/// Whether the client's copy is current, so that 304 is the answer.
///
/// `stored` are the fields of a response of a 2xx status; another status must not be asked about (13.2.1).
pub fn is_current(request: &Headers, stored: &Headers) -> bool {
    if request.get("if-none-match").is_some() {
        lists(request, stored)
    } else {
        unmodified(request, stored)
    }
}

/// Whether a field belongs in a 304: not what describes the representation, unless the client needs it to update.
pub fn belongs_in_304(name: &[u8], has_etag: bool) -> bool {
    match name {
        b"content-type" | b"content-encoding" | b"content-language" => false,
        b"last-modified" => !has_etag,
        _ => true,
    }
}

/// Whether `If-None-Match` names the stored response, or any.
///
/// Its lines are one list; one that is no list of tags spoils it whole, as `*` among tags does.
fn lists(request: &Headers, stored: &Headers) -> bool {
    let mut lines = request.all("if-none-match");
    let (first, second) = (lines.next(), lines.next());
    if second.is_none() && first.map(trim) == Some(b"*") {
        return true;
    }
    let Tagged::With(etag) = tagged(stored) else { return false };
    let lists: Option<Vec<_>> = request.all("if-none-match").map(entity_tag::list).collect();
    lists.is_some_and(|lists| lists.iter().flatten().any(|tag| tag.is_same(etag)))
}

/// Whether nothing was modified since `If-Modified-Since`; without a `Last-Modified` the response's `Date` counts.
fn unmodified(request: &Headers, stored: &Headers) -> bool {
    let Some(since) = only_date(request, "if-modified-since") else { return false };
    let name = if stored.get("last-modified").is_some() { "last-modified" } else { "date" };
    only_date(stored, name).is_some_and(|modified| modified <= since)
}

/// The date in a field that has one line: several are no date.
pub(crate) fn only_date(headers: &Headers, name: &str) -> Option<u64> {
    let mut lines = headers.all(name);
    match (lines.next(), lines.next()) {
        (Some(line), None) => date(line),
        (None, _) | (_, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests;
