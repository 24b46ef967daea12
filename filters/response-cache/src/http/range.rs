//! Parts of a stored response: what a `Range` asks of a body that is here as a whole.
//!
//! Only bytes are known, and only a whole response of status 200 is cut. What can not be read, has another unit, or
//! asks for more than [`MAX_RANGES`] ranges is answered with the whole body, as the grammar's own rule says.
//! Ranges that overlap, or lie so near that telling them apart would cost more bytes than what is between them,
//! become one: no answer is larger than the body by more than the head of one part and the last delimiter.
//!
//! ```
//! use kit::headers::Headers;
//! use weir_response_cache::http::range::{Ranged, ranged};
//!
//! let request = Headers::new(&[(":method", "GET"), ("range", "bytes=1-2")]);
//! let content_range = Some(b"bytes 1-2/5".to_vec());
//! let part = Ranged::Partial { content_type: None, content_range, body: b"el".to_vec() };
//! assert_eq!(ranged(&request, &Headers::default(), b"hello", 7), part);
//! ```
//!
//! **Crates** that were weighed: `http-range` multiplies without a check, so that a long number wraps, and takes blanks
//! inside of a range; `http-range-header` refuses leading zeros, numbers beyond 64 bits and all ranges that overlap,
//! where the RFC has them shortened or joined; `headers` passes over members that it can not read. None of them
//! joins ranges or writes parts, and the grammar is the smaller half of this file.
//!
//! **Source**: RFC 9110 sections 13.1.5 (If-Range), 14.1 (units), 14.1.2 (byte ranges), 14.2 (Range), 14.4 (Content-Range),
//! 14.6 (multipart/byteranges), 15.3.7 (206), 15.5.17 (416), 17.15 (many ranges); RFC 2046 section 5.1.1 (delimiters).

use kit::headers::Headers;

use crate::http::conditional::only_date;
use crate::http::entity_tag::{EntityTag, Tagged, tagged};
use crate::http::field::{date, members, trim};
use crate::http::validation::is_strong_date;

/// How many ranges one request may ask for; more are answered with the whole.
pub const MAX_RANGES: usize = 16;

/// What a `Range` makes of a stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranged {
    /// Nothing: the answer is the whole response.
    Whole,
    /// A 206 with all stored fields and these.
    Partial {
        /// The `content-type` in place of the stored one: that of several parts.
        content_type: Option<Vec<u8>>,
        /// The `content-range` of one part; several have theirs in the body.
        content_range: Option<Vec<u8>>,
        /// The body.
        body: Vec<u8>,
    },
    /// A 416 without a body.
    Unsatisfiable {
        /// Its `content-range`, which tells the length.
        content_range: Vec<u8>,
    },
}

/// What this request's `Range` makes of a stored response of status 200.
///
/// Asked after the client's conditions ([`is_current`](crate::http::conditional::is_current)), which go before (13.2.2).
/// `boundary` tells several parts apart: it must be random, so that nobody can put it into a body.
///
/// **Cost**: one copy of the bytes that are sent.
pub fn ranged(request: &Headers, stored: &Headers, body: &[u8], boundary: u64) -> Ranged {
    let Some(specs) = specs(request) else { return Ranged::Whole };
    if request.get(":method") != Some(b"GET") || !is_unchanged(request, stored) {
        return Ranged::Whole;
    }
    let parts = Parts { content_type: stored.get("content-type"), body, boundary };
    if !specs.iter().any(|spec| spec.is_satisfiable(parts.len())) {
        let content_range = format!("bytes */{}", parts.len()).into_bytes();
        return Ranged::Unsatisfiable { content_range };
    }
    let ranges = parts.joined(specs.iter().filter_map(|spec| spec.within(parts.len())));
    match ranges.as_slice() {
        // The last bytes of nothing are everything, and no Content-Range can say so.
        [] => Ranged::Whole,
        [one] => Ranged::Partial {
            content_type: None,
            content_range: Some(one.content_range(parts.len()).into_bytes()),
            body: one.of(body).to_vec(),
        },
        several => Ranged::Partial {
            content_type: Some(
                format!("multipart/byteranges; boundary={boundary:016x}").into_bytes(),
            ),
            content_range: None,
            body: parts.written(several),
        },
    }
}

/// Whether `If-Range` lets the range count: it is not there, or it names this very representation (13.1.5).
fn is_unchanged(request: &Headers, stored: &Headers) -> bool {
    let mut lines = request.all("if-range");
    let value = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(line), None) => line,
        (Some(_), Some(_)) => return false,
    };
    if let Some(tag) = EntityTag::read(value) {
        return matches!(tagged(stored), Tagged::With(stored) if stored.is_identical(tag));
    }
    let modified = only_date(stored, "last-modified");
    modified.is_some() && date(value) == modified && is_strong_date(stored)
}

/// One member of a `Range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// From this byte to the end.
    From(u64),
    /// From this byte to that one.
    Between(u64, u64),
    /// This many last bytes.
    Last(u64),
}

impl Spec {
    fn read(member: &[u8]) -> Option<Self> {
        let dash = member.iter().position(|byte| *byte == b'-')?;
        let (first, rest) = member.split_at_checked(dash)?;
        match (first, rest.strip_prefix(b"-")?) {
            (b"", length) => number(length).map(Self::Last),
            (first, b"") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    const fn is_satisfiable(self, len: u64) -> bool {
        match self {
            Self::From(first) | Self::Between(first, _) => first < len,
            Self::Last(length) => length > 0,
        }
    }

    /// Its bytes in a body of this length; `None` if there are none.
    fn within(self, len: u64) -> Option<Span> {
        let last_byte = len.checked_sub(1)?;
        let (first, last) = match self {
            Self::From(first) => (first, last_byte),
            Self::Between(first, last) => (first, last.min(last_byte)),
            Self::Last(length) => (len.saturating_sub(length), last_byte),
        };
        (first <= last).then_some(Span { first, last })
    }
}

/// Bytes of a body, both ends among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    fn of(self, body: &[u8]) -> &[u8] {
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let last = usize::try_from(self.last).unwrap_or(usize::MAX);
        body.get(first..=last).unwrap_or_default()
    }

    fn content_range(self, len: u64) -> String {
        format!("bytes {}-{}/{len}", self.first, self.last)
    }

    /// Whether they overlap, or at most `gap` bytes lie between them.
    const fn is_near(self, other: Self, gap: u64) -> bool {
        reaches(self.first, other.last, gap) && reaches(other.first, self.last, gap)
    }
}

/// What several parts are written from.
struct Parts<'a> {
    content_type: Option<&'a [u8]>,
    body: &'a [u8],
    boundary: u64,
}

impl Parts<'_> {
    fn len(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }

    /// The ranges in the order in which they were asked for, those that are near each other as one.
    fn joined(&self, ranges: impl Iterator<Item = Span>) -> Vec<Span> {
        let gap = u64::try_from(self.head(Span { first: self.len(), last: self.len() }).len());
        let gap = gap.unwrap_or(u64::MAX);
        let mut joined: Vec<Span> = Vec::new();
        for mut range in ranges {
            let mut at = joined.len();
            // What grew may reach others that it did not reach before.
            while let Some(near) = joined.iter().position(|other| other.is_near(range, gap)) {
                let other = joined.remove(near);
                range =
                    Span { first: range.first.min(other.first), last: range.last.max(other.last) };
                at = at.min(near);
            }
            joined.insert(at.min(joined.len()), range);
        }
        joined
    }

    /// The body of a `multipart/byteranges`.
    fn written(&self, ranges: &[Span]) -> Vec<u8> {
        let mut out = Vec::new();
        for range in ranges {
            out.extend_from_slice(&self.head(*range));
            out.extend_from_slice(range.of(self.body));
        }
        out.extend_from_slice(format!("\r\n--{:016x}--\r\n", self.boundary).as_bytes());
        out
    }

    /// What stands before the bytes of a part.
    fn head(&self, range: Span) -> Vec<u8> {
        let mut head = format!("\r\n--{:016x}\r\n", self.boundary).into_bytes();
        if let Some(content_type) = self.content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type);
            head.extend_from_slice(b"\r\n");
        }
        let content_range = range.content_range(self.len());
        head.extend_from_slice(format!("Content-Range: {content_range}\r\n\r\n").as_bytes());
        head
    }
}

/// Whether `first` is at most `gap` bytes and one behind `last`.
const fn reaches(first: u64, last: u64, gap: u64) -> bool {
    first <= last.saturating_add(gap).saturating_add(1)
}

/// The members of the request's `Range`; `None` if it has none that can be read, or too many.
fn specs(request: &Headers) -> Option<Vec<Spec>> {
    let mut lines = request.all("range");
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let line = trim(line);
    let (unit, set) = line.split_at_checked(line.iter().position(|byte| *byte == b'=')?)?;
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let set = set.strip_prefix(b"=")?;
    let specs = members(set).take(MAX_RANGES + 1).map(Spec::read).collect::<Option<Vec<_>>>()?;
    (1..=MAX_RANGES).contains(&specs.len()).then_some(specs)
}

/// A number of any length; one beyond 64 bits is the largest that is known.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

#[cfg(test)]
mod tests;
