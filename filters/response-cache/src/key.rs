//! The primary key of a stored response: the URI that was asked for, and what a rule adds to it.
//!
//! Scheme and host without regard to case, the scheme's default port left out, path and query exactly as sent.
//! A dot that ends a host stays: Envoy's routes take `example.com.` for another host.
//! A host with characters that no URI has there, such as `@` or `/`, has no key.
//! The method is not in it: GET and HEAD share what a GET stored.
//!
//! **Shape**: scheme and host each with their length in four bytes in front, then path and query,
//! so that no two different URIs give the same bytes.
//!
//! **Source**: RFC 9111 section 2; RFC 9110 section 4.2.3 (what makes two URIs equal).

pub mod alias;
pub mod normal;
mod parts;
pub mod query;
mod rule;

pub use parts::shown;
pub use rule::{KeyRule, MAX_PARTS};

/// The primary key of a request, in its two parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// The URI: what an unsafe request invalidates and a purge by URL names.
    pub uri: Vec<u8>,
    /// What a rule adds to it, such as a header or the user; empty if nothing.
    pub parts: Vec<u8>,
}

impl Key {
    /// The key of these bytes, which [`Key::whole`] has made; `None` for others.
    pub fn read(whole: &[u8]) -> Option<Self> {
        let (uri, parts) = halves(whole)?;
        Some(Self { uri: uri.to_vec(), parts: parts.to_vec() })
    }

    /// Both as one, so that no two different keys give the same bytes.
    pub fn whole(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.uri.len() + self.parts.len() + 4);
        if !self.parts.is_empty() {
            // A URI's key begins with the length of its scheme, which is never zero.
            whole.extend_from_slice(&[0; 4]);
            let len = u32::try_from(self.uri.len()).unwrap_or(u32::MAX);
            whole.extend_from_slice(&len.to_le_bytes());
        }
        whole.extend_from_slice(&self.uri);
        whole.extend_from_slice(&self.parts);
        whole
    }
}

/// The key of this URI; `None` if it is not a whole `http` or `https` URI.
///
/// **Cost**: one allocation.
pub fn primary(scheme: &[u8], authority: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let host = without_port(authority, default_port(scheme)?);
    if host.is_empty() || !host.iter().all(is_host_byte) || path.first() != Some(&b'/') {
        return None;
    }
    let mut key = Vec::with_capacity(scheme.len() + host.len() + path.len() + 8);
    for part in [scheme, host] {
        key.extend_from_slice(&u32::try_from(part.len()).ok()?.to_le_bytes());
        key.extend(part.iter().map(u8::to_ascii_lowercase));
    }
    key.extend_from_slice(path);
    Some(key)
}

/// The two halves of a whole key, as [`Key`] has them; `None` for bytes that no key gives.
pub fn halves(whole: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(rest) = whole.strip_prefix(&[0; 4]) else {
        return split(whole).map(|_| (whole, &b""[..]));
    };
    let (uri, parts) = take_part(rest)?;
    (!parts.is_empty() && split(uri).is_some()).then_some((uri, parts))
}

/// The URI half as people write it, `https://example.com/path?query`; empty for bytes that are no URI's key.
pub fn uri_text(uri: &[u8]) -> Vec<u8> {
    let text = || {
        let (scheme, rest) = take_part(uri)?;
        let (host, target) = take_part(rest)?;
        Some([scheme, b"://", host, target].concat())
    };
    text().unwrap_or_default()
}

/// The two parts of a URI's key: scheme and host, then path and query; `None` for bytes that are no key.
pub fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_scheme, rest) = take_part(key)?;
    let (_host, target) = take_part(rest)?;
    Some((key.strip_suffix(target)?, target))
}

/// The scheme of a key, lower case.
pub fn scheme(key: &[u8]) -> Option<&[u8]> {
    take_part(key).map(|(scheme, _)| scheme)
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

/// What may stand in a host and its port (RFC 3986, 3.2.2): no `@`, since whoever names a user may mean another host.
const fn is_host_byte(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&'
        | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'[' | b']')
}

/// The one form of all authorities that share a key, where it is not the one that came: lower case, and without an
/// empty or default port. A service that answers by the spelling of its name would have one answer for them all.
///
/// **Cost**: one allocation if it is another.
///
/// **Source**: RFC 9110, 4.2.3.
pub fn one_form(scheme: &[u8], authority: &[u8]) -> Option<Vec<u8>> {
    let host = without_port(authority, default_port(scheme)?);
    let is_it = host.len() == authority.len() && !host.iter().any(u8::is_ascii_uppercase);
    (!is_it).then(|| host.to_ascii_lowercase())
}

fn default_port(scheme: &[u8]) -> Option<&'static [u8]> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(b":443")
    } else if scheme.eq_ignore_ascii_case(b"http") {
        Some(b":80")
    } else {
        None
    }
}

/// The authority without an empty or default port.
///
/// Only where what is left is a host without a colon, or one in brackets: anything else is no port.
fn without_port<'a>(authority: &'a [u8], default_port: &[u8]) -> &'a [u8] {
    let stripped = authority.strip_suffix(default_port).or_else(|| authority.strip_suffix(b":"));
    match stripped {
        Some(host) if host.ends_with(b"]") || !host.contains(&b':') => host,
        Some(_) | None => authority,
    }
}
