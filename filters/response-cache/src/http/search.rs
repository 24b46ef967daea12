//! No-Vary-Search: which differences of a query do not matter, as a response says.
//!
//! The field is a dictionary (RFC 9651). Anything in it that is not as the draft wants it makes the whole field count
//! as absent; then every difference matters. Unknown keys are skipped, as the draft asks.
//!
//! Names and values are compared as bytes after decoding. The draft compares the text that browsers make of them,
//! where all invalid text is alike: telling it apart costs a hit and never mixes two requests up.
//! It is read by the crate `sfv`, whose parser keeps RFC 9651 to the letter.
//!
//! **Source**: draft-ietf-httpbis-no-vary-search, sections 2 (field), 5 (parsing), 6 (comparing);
//! WHATWG URL, application/x-www-form-urlencoded parsing and serialising.

use kit::headers::Headers;
use kit::target::{form_decoded, query_pairs};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

/// Names in one field; one with more counts as absent, for each request pays for comparing.
const MAX_NAMES: usize = 64;

/// What a response says of its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoVarySearch {
    /// Whether the order of differently named parameters matters.
    order: bool,
    matters: Matters,
}

/// Which parameters matter; names are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Matters {
    All,
    AllBut(Vec<Vec<u8>>),
    Only(Vec<Vec<u8>>),
}

impl NoVarySearch {
    /// Reads the field; `None` if it is absent, wrong, or takes nothing away.
    pub fn read(headers: &Headers) -> Option<Self> {
        Self::parse(&Self::line(headers)?)
    }

    /// The field as one line; `None` if it is absent.
    pub fn line(headers: &Headers) -> Option<Vec<u8>> {
        let lines: Vec<&[u8]> = headers.all("no-vary-search").collect();
        (!lines.is_empty()).then(|| lines.join(&b", "[..]))
    }

    /// What the field says in one line; `None` if it is wrong or takes nothing away.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let fields: Dictionary = Parser::new(line).parse().ok()?;
        let order = match fields.get("key-order") {
            None => true,
            Some(entry) => !boolean(entry)?,
        };
        let except = match fields.get("except") {
            None => None,
            Some(ListEntry::InnerList(list)) => Some(names(list)?),
            Some(ListEntry::Item(_)) => return None,
        };
        let matters = match (fields.get("params"), except) {
            (None, None) => Matters::All,
            (Some(ListEntry::InnerList(list)), None) => Matters::AllBut(names(list)?),
            (Some(entry @ ListEntry::Item(_)), except) => match (boolean(entry)?, except) {
                (true, except) => Matters::Only(except.unwrap_or_default()),
                (false, None) => Matters::All,
                (false, Some(_)) => return None,
            },
            // Exceptions from nothing: a slip, so nothing is taken away.
            (None | Some(ListEntry::InnerList(_)), Some(_)) => return None,
        };
        let takes_away = !order || !matters.everything();
        takes_away.then_some(Self { order, matters })
    }

    /// The one spelling of a query (without `?`) that all queries have which are the same to this response.
    ///
    /// The spelling of a spelling is itself. An absent query is an empty one here, as the draft has it.
    ///
    /// **Cost**: a few allocations, and time in proportion to the query.
    pub fn canonical(&self, query: &[u8]) -> Vec<u8> {
        let mut pairs: Vec<_> = query_pairs(query)
            .map(|(name, value)| (form_decoded(name), form_decoded(value)))
            .filter(|(name, _)| self.matters.includes(name))
            .collect();
        if !self.order {
            // Stable: the order of one name's values matters always.
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut out = Vec::with_capacity(query.len());
        for (name, value) in &pairs {
            if !out.is_empty() {
                out.push(b'&');
            }
            push_encoded(&mut out, name);
            out.push(b'=');
            push_encoded(&mut out, value);
        }
        out
    }
}

impl Matters {
    const fn everything(&self) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(names) => names.is_empty(),
            Self::Only(_) => false,
        }
    }

    fn includes(&self, name: &[u8]) -> bool {
        let named = |names: &[Vec<u8>]| names.iter().any(|known| known == name);
        match self {
            Self::All => true,
            Self::AllBut(names) => !named(names),
            Self::Only(names) => named(names),
        }
    }
}

fn boolean(entry: &ListEntry) -> Option<bool> {
    if let ListEntry::Item(item) = entry { item.bare_item.as_boolean() } else { None }
}

/// The names of an inner list of strings, decoded.
fn names(list: &InnerList) -> Option<Vec<Vec<u8>>> {
    if list.items.len() > MAX_NAMES {
        return None;
    }
    list.items.iter().map(|item| name(&item.bare_item)).collect()
}

fn name(item: &BareItem) -> Option<Vec<u8>> {
    item.as_string().map(|text| form_decoded(text.as_str().as_bytes()).into_owned())
}

/// Appends bytes as a form writes them, so that no others give the same.
fn push_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'*' | b'-' | b'.' | b'_' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => {
                let digit = |half: u8| DIGITS.get(usize::from(half)).copied();
                out.push(b'%');
                out.extend(digit(byte >> 4).into_iter().chain(digit(byte & 15)));
            }
        }
    }
}
