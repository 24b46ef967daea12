//! Which requests a stored response answers, beyond its URI: the secondary key.
//!
//! A response names in `Vary` the request fields that it depends on; it is kept with those fields' values
//! and answers only requests that have the same. A field that was absent must be absent again.
//! Several lines of a field are one value joined by commas, blanks around lines do not count;
//! nothing else is normalised unless a rule asks for it ([`Normal`]).
//!
//! **Source**: RFC 9111 section 4.1; RFC 9110 section 12.5.5.

use kit::headers::Headers;
use std::rc::Rc;

use crate::http::field::{is_token, members, trim};
use crate::key::normal::Normal;

/// How many fields a response may vary on; one that names more is not stored.
pub const MAX_NAMES: usize = 16;

/// What a response's `Vary` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vary {
    /// It depends on these fields: lower case, sorted, each once; none when the field is absent or empty.
    On(Vec<String>),
    /// It depends on more than fields can say (`*`), on too many of them, or the field breaks its grammar.
    Anything,
}

impl Default for Vary {
    fn default() -> Self {
        Self::On(Vec::new())
    }
}

impl Vary {
    /// Adds one line of the field.
    pub fn read(&mut self, line: &[u8]) {
        let Self::On(names) = self else { return };
        for member in members(line) {
            if member == b"*" || !is_token(member) {
                *self = Self::Anything;
                return;
            }
            let name = String::from_utf8_lossy(member).to_ascii_lowercase();
            if let Err(at) = names.binary_search(&name) {
                names.insert(at, name);
            }
        }
        if names.len() > MAX_NAMES {
            *self = Self::Anything;
        }
    }
}

/// The names of both, lower case, sorted, each once.
pub fn merged(names: &[String], more: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = names.to_vec();
    all.extend(more.iter().map(|name| (*name).to_owned()));
    all.sort();
    all.dedup();
    all
}

/// The names as bytes that no other names give; empty for none.
pub fn names_bytes(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        push(&mut out, name.as_bytes());
    }
    out
}

/// The cluster that answers and the names with the values that this request has for them, as bytes that no others
/// give; empty for none.
///
/// Routes may choose a cluster by a header that is neither in the URI nor, since no service behind knows of the
/// choice, in any `Vary`: what one cluster answered is no answer of another.
///
/// What `normal` says of a value is marked, so that it equals no value that came as it is.
pub fn variant_bytes(
    cluster: &[u8],
    names: &[String],
    request: &Headers,
    normal: &Normal,
) -> Vec<u8> {
    let mut out = Vec::new();
    if !cluster.is_empty() {
        // No field has an empty name.
        push(&mut out, b"");
        push(&mut out, cluster);
    }
    for name in names {
        push(&mut out, name.as_bytes());
        if let Some(value) = normal.value(name, request) {
            out.push(2);
            push(&mut out, &value);
            continue;
        }
        match value(name, request) {
            Some(value) => {
                out.push(1);
                push(&mut out, &value);
            }
            None => out.push(0),
        }
    }
    out
}

/// The cluster in the bytes of [`variant_bytes`]; `None` if they have none.
pub fn cluster_of(variant: &[u8]) -> Option<&[u8]> {
    let (0, rest) = length(variant)? else { return None };
    let (len, rest) = length(rest)?;
    rest.get(..len)
}

/// A length, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*len)).ok()?, rest))
}

/// The names in the bytes of [`names_bytes`]; `None` for bytes that it does not make.
pub fn read_names(mut bytes: &[u8]) -> Option<Rc<[String]>> {
    let mut names = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (name, rest) = rest.split_at_checked(len)?;
        names.push(String::from_utf8(name.to_vec()).ok()?);
        bytes = rest;
    }
    bytes.is_empty().then(|| names.into())
}

/// A request field's whole value; `None` if the request does not have it.
fn value(name: &str, request: &Headers) -> Option<Vec<u8>> {
    // Envoy keeps the Host field of every HTTP version under this name.
    let name = if name == "host" { ":authority" } else { name };
    let mut joined: Option<Vec<u8>> = None;
    for line in request.all(name) {
        match &mut joined {
            Some(joined) => {
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(trim(line));
            }
            None => joined = Some(trim(line).to_vec()),
        }
    }
    joined
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}
