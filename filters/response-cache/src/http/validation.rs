//! Asking the origin whether a stored response is still good, and what its answer changes.
//!
//! The request carries the conditions of one stored response, in place of the client's own. The client's tags could be
//! sent along (RFC 9111, 4.3.1 allows it), but a bare 304 would then not say which of them is current.
//! What the client asked is judged afterwards, against the freshened response ([`crate::http::conditional`]).
//!
//! ```
//! use kit::headers::Headers;
//! use weir_response_cache::http::validation::{conditions, selects};
//!
//! let stored = Headers::new(&[("etag", "\"1\"")]);
//! assert_eq!(conditions(&stored), [("if-none-match", b"\"1\"".to_vec())]);
//! assert!(selects(&Headers::new(&[("etag", "\"1\"")]), &stored));
//! assert!(!selects(&Headers::new(&[("etag", "\"2\"")]), &stored));
//! ```
//!
//! **Source**: RFC 9111 sections 3.2 (updating), 4.3.1 (sending), 4.3.4 (304), 4.3.5 (HEAD);
//! RFC 9110 sections 8.8 (validators), 13.1.2, 13.1.3.

use kit::headers::{Headers, encode_pairs};

use crate::http::conditional::only_date;
use crate::http::entity_tag::{EntityTag, Tagged, tagged};
use crate::http::field::{members, print_date, trim};
use crate::http::response::concerns_transfer;

/// How long before its response a modification must lie for the date to be a strong validator.
///
/// RFC 9110, 8.8.2.2, asks for a second where both dates come from one clock, and for more where that is not known:
/// a cache does not know it. A minute is what RFC 7232 said.
const SETTLED_SECONDS: u64 = 60;

/// The client's own conditions, which [`conditions`] take the place of.
pub const CLIENTS_CONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// The conditions by which the origin is asked about this stored response; none if it has no validator.
///
/// Both are sent where both are known (RFC 9111, 4.3.1). The request must not carry the client's own as well.
pub fn conditions(stored: &Headers) -> Vec<(&'static str, Vec<u8>)> {
    let mut conditions = Vec::new();
    if let Tagged::With(tag) = tagged(stored) {
        conditions.push(("if-none-match", print_tag(tag)));
    }
    if let Some(date) = only_date(stored, "last-modified").and_then(print_date) {
        conditions.push(("if-modified-since", date.into_bytes()));
    }
    conditions
}

/// Whether the origin can be asked about this stored response.
pub fn can_be_asked(stored: &Headers) -> bool {
    matches!(tagged(stored), Tagged::With(_)) || only_date(stored, "last-modified").is_some()
}

/// Whether a 304 is about another version than the one that it was asked about: both have a tag, or else a date of
/// the last change, and not the same.
///
/// Tags are compared weakly: a coding on the way makes strong ones weak, and the origin answers with its own.
pub fn contradicts(not_modified: &Headers, stored: &Headers) -> bool {
    if let (Tagged::With(told), Tagged::With(kept)) = (tagged(not_modified), tagged(stored)) {
        return !told.is_same(kept);
    }
    let changed = |headers: &Headers| only_date(headers, "last-modified");
    matches!((changed(not_modified), changed(stored)), (Some(told), Some(kept)) if told != kept)
}

/// Whether a 304 is about this other variant as well: only a strong tag says so (4.3.4).
pub fn is_the_very_same(not_modified: &Headers, stored: &Headers) -> bool {
    match (tagged(not_modified), tagged(stored)) {
        (Tagged::With(told), Tagged::With(kept)) => told.is_identical(kept),
        (_, _) => false,
    }
}

/// Whether this 304 is about this stored response (RFC 9111, 4.3.4), so that it may freshen it.
///
/// Where both have a tag, tags decide: strong ones compare strongly, and a weak one of the 304 weakly.
/// Where not both have, the dates of modification must be the same, and strong if the 304 has a strong tag.
/// A 304 without any validator is about the response whose conditions were sent: it answers no others.
pub fn selects(not_modified: &Headers, stored: &Headers) -> bool {
    let modified = only_date(not_modified, "last-modified");
    let same_date = modified.is_some() && modified == only_date(stored, "last-modified");
    match (tagged(not_modified), tagged(stored)) {
        (Tagged::Unclear, _) | (_, Tagged::Unclear) => false,
        (Tagged::With(new), Tagged::With(old)) if new.weak => new.is_same(old),
        (Tagged::With(new), Tagged::With(old)) => new.is_identical(old),
        (Tagged::With(new), Tagged::Untagged) => same_date && (new.weak || is_strong_date(stored)),
        (Tagged::Untagged, _) => same_date || not_modified.get("last-modified").is_none(),
    }
}

/// Whether `Last-Modified` tells representations apart byte for byte (RFC 9110, 8.8.2.2).
pub fn is_strong_date(stored: &Headers) -> bool {
    let dates = (only_date(stored, "last-modified"), only_date(stored, "date"));
    matches!(dates, (Some(modified), Some(sent)) if sent.saturating_sub(modified) >= SETTLED_SECONDS)
}

/// The fields of a stored response after a 304 or a HEAD that is about it, in the ABI's form (RFC 9111, 3.2).
///
/// Each field of the update takes the place of all lines of that name. Left as they were are the fields that the
/// stored body depends on, or that describe the body of the update, which has none; a cookie is never added.
/// Without a `Date` in the update none is left: the caller puts in when it came
/// ([`Response::stored_fields`](crate::http::response::Response::stored_fields)), since the stored one is of long ago.
///
/// The answer is to be read, judged and stored like a new response: its lifetime, `Vary` and directives may be others.
///
/// **Cost**: one allocation for the list, one for the bytes; names are compared each with each.
pub fn freshened(stored: &Headers, update: &Headers) -> Vec<u8> {
    let connection: Vec<Vec<u8>> = update
        .all("connection")
        .flat_map(|line| members(line).map(<[u8]>::to_ascii_lowercase).collect::<Vec<_>>())
        .collect();
    let new: Vec<(&[u8], &[u8])> = update
        .iter()
        .filter(|(name, _)| is_updated(name) && !connection.iter().any(|listed| listed == name))
        .collect();
    let kept = stored.iter().filter(|(name, _)| {
        *name != b"date" && !concerns_transfer(name) && !new.iter().any(|(other, _)| other == name)
    });
    let mut fields: Vec<(&[u8], &[u8])> = kept.collect();
    fields.extend_from_slice(&new);
    encode_pairs(&fields)
}

/// What the answer to a HEAD says about a stored response to GET that it could have been answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// That it is still the one: its fields may be taken over ([`freshened`]).
    Freshens,
    /// That it is another now: it is stale.
    Invalidates,
    /// Nothing: another status, or nothing that could be compared.
    SaysNothing,
}

/// Reads what a HEAD says about a stored response of status 200, whose body has this many bytes (RFC 9111, 4.3.5).
///
/// `head` are the answer's headers with their `:status`. Validators that it has must be the stored ones,
/// and so must be the length; an answer without any validator proves nothing, and freshens nothing.
pub fn head(stored: &Headers, body_len: u64, head: &Headers) -> Head {
    if head.get(":status") != Some(b"200") {
        return Head::SaysNothing;
    }
    // As text: another way to write the number is not to be expected, and costs a transfer at most.
    let length = body_len.to_string();
    let same_length = head.all("content-length").all(|line| trim(line) == length.as_bytes());
    let tag = match (tagged(head), tagged(stored)) {
        (Tagged::Untagged, _) => None,
        (Tagged::With(new), Tagged::With(old)) => Some(new == old),
        (Tagged::With(_), Tagged::Untagged | Tagged::Unclear) | (Tagged::Unclear, _) => Some(false),
    };
    let modified = head.get("last-modified").map(|_| {
        let modified = only_date(head, "last-modified");
        modified.is_some() && modified == only_date(stored, "last-modified")
    });
    match (same_length, tag, modified) {
        (false, _, _) | (_, Some(false), _) | (_, _, Some(false)) => Head::Invalidates,
        (true, None, None) => Head::SaysNothing,
        (true, Some(true), _) | (true, _, Some(true)) => Head::Freshens,
    }
}

/// Whether a field of an update takes the place of the stored one.
///
/// Not those that 3.1 never stores, nor the coding and range of a body that is not the update's; nor, since the update
/// has no body, what sums one up (RFC 9530, 2; Content-MD5 was RFC 1864).
fn is_updated(name: &[u8]) -> bool {
    !concerns_transfer(name)
        && !matches!(
            name,
            b"content-digest"
                | b"content-encoding"
                | b"content-md5"
                | b"content-range"
                | b"set-cookie"
                | b"set-cookie2"
        )
}

fn print_tag(tag: EntityTag<'_>) -> Vec<u8> {
    let prefix: &[u8] = if tag.weak { b"W/\"" } else { b"\"" };
    [prefix, tag.opaque, b"\""].concat()
}

#[cfg(test)]
mod tests;
