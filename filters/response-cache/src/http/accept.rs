//! What a client accepts: lists of words with weights, as `Accept-Encoding` and `Accept-Language` have them.
//!
//! Read strictly: a list with anything doubtful in it reads as none, and its field counts as it came.
//! Of a word that comes twice the lower weight counts, so that a refusal stays one.
//!
//! **Source**: RFC 9110 sections 12.4.2 (weights), 12.5.3 (Accept-Encoding), 12.5.4 (Accept-Language);
//! RFC 4647 section 3.4 (lookup).

use crate::http::field::{is_token, members, trim};

/// How many members a list may have; a browser sends about five.
const MAX_MEMBERS: usize = 64;

/// One member of such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    /// The word, lower case.
    pub word: Vec<u8>,
    /// Its weight in thousandths: 0 refuses, 1000 is the most.
    pub weight: u16,
}

/// The members of all lines of a field; `None` if there is no line, or one that breaks the grammar.
pub fn weighted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Weighted>> {
    let mut all: Vec<Weighted> = Vec::new();
    let mut is_there = false;
    for line in lines {
        is_there = true;
        for member in members(line) {
            let read = one(member)?;
            if let Some(known) = all.iter_mut().find(|known| known.word == read.word) {
                known.weight = known.weight.min(read.weight);
            } else if all.len() < MAX_MEMBERS {
                all.push(read);
            } else {
                return None;
            }
        }
    }
    is_there.then_some(all)
}

/// The weight of a content coding; that of `*` if the list does not name it, none if neither is there.
pub fn weight_of(coding: &[u8], accepted: &[Weighted]) -> Option<u16> {
    let of = |word: &[u8]| accepted.iter().find(|member| member.word == word);
    of(coding).or_else(|| of(b"*")).map(|member| member.weight)
}

/// Whether a client takes this content coding; `identity` unless it is refused, others only if they are named.
pub fn takes_coding(coding: &[u8], accepted: &[Weighted]) -> bool {
    let by_default = u16::from(coding == b"identity");
    weight_of(coding, accepted).unwrap_or(by_default) > 0
}

/// The coding's usual name, lower case: `x-gzip` and `x-compress` are old ones (RFC 9110, 8.4.1).
pub fn coding_name(coding: &[u8]) -> Vec<u8> {
    let lower = coding.to_ascii_lowercase();
    match lower.as_slice() {
        b"x-gzip" => b"gzip".to_vec(),
        b"x-compress" => b"compress".to_vec(),
        _ => lower,
    }
}

/// The first of `available` (lower case) that a client's languages find, the most wanted first; none if none does.
///
/// A language is shortened from its end until one of `available` equals it; what the client refuses is not found.
pub fn language<'a>(available: &'a [Box<str>], accepted: &[Weighted]) -> Option<&'a str> {
    let mut wanted: Vec<&Weighted> = accepted.iter().filter(|range| range.weight > 0).collect();
    // Stable: of two equally wanted the first counts.
    wanted.sort_by_key(|range| std::cmp::Reverse(range.weight));
    let is_refused =
        |tag: &[u8]| accepted.iter().any(|range| range.weight == 0 && range.word == tag);
    wanted.iter().find_map(|range| {
        let mut range = range.word.as_slice();
        while !range.is_empty() && range != b"*" {
            let found = available.iter().find(|tag| tag.as_bytes() == range && !is_refused(range));
            if let Some(tag) = found {
                return Some(&**tag);
            }
            range = shortened(range);
        }
        None
    })
}

/// Without its last subtag, nor a single letter that then ends it (RFC 4647, 3.4).
fn shortened(range: &[u8]) -> &[u8] {
    let cut = |range: &[u8]| range.iter().rposition(|byte| *byte == b'-').unwrap_or(0);
    let shorter = range.get(..cut(range)).unwrap_or_default();
    match shorter {
        [rest @ .., b'-', _] => rest,
        _ => shorter,
    }
}

fn one(member: &[u8]) -> Option<Weighted> {
    let mut parts = member.split(|byte| *byte == b';').map(trim);
    let word = parts.next().filter(|word| is_token(word))?;
    let weight = match (parts.next(), parts.next()) {
        (None, None) => 1_000,
        (Some([b'q' | b'Q', b'=', value @ ..]), None) => weight(value)?,
        _ => return None,
    };
    Some(Weighted { word: coding_name(word), weight })
}

/// `0`, `1`, and either with up to three digits after a dot; none above 1.
fn weight(value: &[u8]) -> Option<u16> {
    let (whole, digits) = match value {
        [whole] => (*whole, &b""[..]),
        [whole, b'.', digits @ ..] if digits.len() <= 3 => (*whole, digits),
        _ => return None,
    };
    let mut thousandths = 0_u16;
    for place in 0..3 {
        let digit = char::from(digits.get(place).copied().unwrap_or(b'0')).to_digit(10)?;
        let digit = u16::try_from(digit).ok()?;
        thousandths = thousandths.saturating_mul(10).saturating_add(digit);
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1_000),
        _ => None,
    }
}
