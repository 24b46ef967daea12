//! The request target and the authority, in the forms that matching and keys compare.
//!
//! A path has many spellings: `/api`, `/%61pi` and `/%61%70i` reach the same handler of most upstreams.
//! Whatever decides about a path therefore compares its [canonical](canonical_path) form.
//!
//! Deliberately not done here: `//`, `.` and `..`.
//! Envoy's `normalize_path` and `merge_slashes` do it, for its own routing as well, so that all agree.
//! Without them `/x/../api` is not `/api` for Weir, nor for Envoy's routes, but may be for the upstream.

use std::borrow::Cow;
use std::fmt;

/// Cuts a target at its first `?`: the path, and the query without that mark.
pub fn split(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => {
            let (path, query) = target.split_at(at);
            (path, query.get(1..).unwrap_or_default())
        }
        None => (target, &[]),
    }
}

/// The one spelling of a path (without query) under which it is compared.
///
/// **Shape**: visible ASCII only.
/// Escapes of visible characters are resolved, except those of `/ % ? #`, which would change the structure;
/// these, blanks, control characters and all bytes beyond ASCII are written as `%` and two upper-case digits,
/// escaped by the client or not. A `%` that begins no escape counts as `%25`.
/// The form of a form is itself, and no two paths that differ after decoding share one.
///
/// **Cost**: no allocation for a path that has this form already.
///
/// ```
/// # use kit::target::canonical_path;
/// assert_eq!(canonical_path(b"/%61pi/%7euser"), "/api/~user");
/// assert_eq!(canonical_path(b"/a%2fb"), "/a%2Fb");
/// assert_eq!(canonical_path(b"/100%"), "/100%25");
/// ```
pub fn canonical_path(path: &[u8]) -> Cow<'_, str> {
    if path.iter().all(|byte| is_plain(*byte))
        && let Ok(path) = std::str::from_utf8(path)
    {
        return Cow::Borrowed(path);
    }
    let mut canonical = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, tail)) = rest.split_first() {
        let escape = if *byte == b'%' { escaped(tail) } else { None };
        let (byte, tail, keep) = match escape {
            Some((decoded, tail)) => (decoded, tail, is_plain(decoded) && decoded != b'/'),
            None => (*byte, tail, is_plain(*byte)),
        };
        rest = tail;
        if keep {
            canonical.push(char::from(byte));
        } else {
            push_escape(&mut canonical, byte);
        }
    }
    Cow::Owned(canonical)
}

/// The host of an authority: without port, and without the dot that ends a full name; letters as they came.
///
/// `example.com:8080`, `example.com.` and `example.com` give the same; `[::1]:80` gives `[::1]`.
pub fn host(authority: &[u8]) -> &[u8] {
    let host = match authority.iter().rposition(|byte| *byte == b':') {
        Some(at) => {
            let (host, port) = authority.split_at(at);
            let is_port = port.iter().skip(1).all(u8::is_ascii_digit);
            if is_port { host } else { authority }
        }
        None => authority,
    };
    host.strip_suffix(b".").unwrap_or(host)
}

/// A whole `http` or `https` URL in its three parts, as a client would send them.
///
/// Scheme and authority in lower case, the path with its query exactly as written: nothing is decoded or resolved, since
/// a parser that tidies a path would name another key than the request that a client sends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// The host, with a port or without.
    pub authority: String,
    /// The path with its query; at least `/`.
    pub path: String,
}

impl Url {
    /// What a text may be, for messages.
    pub const FORM: &'static str = "a URL such as \"https://example.com/news?page=1\"";
    /// How to mend one, for messages.
    pub const MEND: &'static str = "write scheme, host and path, no fragment, and anything but visible ASCII as % and two digits";

    /// The longest that is read, in bytes: as many as common servers take in a request line.
    pub const MAX_LEN: usize = 8_192;

    /// Reads a URL; `None` for anything that no client could ask for: another scheme, no host, user information,
    /// a fragment, blanks, control characters, bytes beyond ASCII.
    ///
    /// **Source**: RFC 9110, sections 4.2.1 to 4.2.4.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if text.len() > Self::MAX_LEN || !text.bytes().all(is_plain) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let is_host =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(&byte);
        if host(authority.as_bytes()).is_empty() || !authority.bytes().all(is_host) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: format!("{slash}{path}"),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// The names and values of a query, in order, still encoded; a name without `=` has an empty value.
///
/// Pairs are separated by `&` only.
pub fn query_pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (name, value.get(1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        }
    })
}

/// A name or value of a query, decoded: `+` is a blank, escapes become bytes, a `%` that begins none stays.
///
/// **Cost**: no allocation if nothing is encoded.
/// **Source**: WHATWG URL, application/x-www-form-urlencoded parsing.
pub fn form_decoded(encoded: &[u8]) -> Cow<'_, [u8]> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(encoded);
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((byte, tail)) = rest.split_first() {
        let escape = if *byte == b'%' { escaped(tail) } else { None };
        let plain = if *byte == b'+' { b' ' } else { *byte };
        let (byte, tail) = escape.unwrap_or((plain, tail));
        rest = tail;
        decoded.push(byte);
    }
    Cow::Owned(decoded)
}

/// Whether a byte stands for itself in a canonical path.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b'?' | b'#')
}

/// The byte that two hexadecimal digits give, and what follows them.
fn escaped(digits: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], tail) = digits.split_first_chunk::<2>()?;
    let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
    Some((u8::try_from(value).ok()?, tail))
}

fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests;
