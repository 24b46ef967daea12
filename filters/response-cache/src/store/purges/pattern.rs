//! Which URIs a purge means: patterns as operators write them.
//!
//! A pattern is `path`, `host/path` or `scheme://host/path`, each with or without `?query`:
//!
//! | pattern | purges |
//! | --- | --- |
//! | `/users/*` | `/users/7` and `/users/` of any host, with any query; not `/users/7/orders` |
//! | `/users/**` | `/users`, `/users/` and everything below |
//! | `/**/avatar` | `/avatar`, `/users/7/avatar` |
//! | `/img/*.png` | every `.png` right in `/img/` |
//! | `/search?` | `/search` without a query |
//! | `/search?q=*` | `/search` with this one parameter, whatever its value |
//! | `/search?**page=2**` | `/search` with `page=2` anywhere in its query |
//! | `shop.example.com/**` | one host, any scheme and port |
//! | `*.example.com/**` | each name right below `example.com` |
//! | `https://shop.example.com:8443/**` | one scheme, one host, one port |
//!
//! A prefix has no wildcards and ends at the end of a segment: `/api` means `/api`, `/api?x=1` and `/api/x`, not
//! `/apix`; with a `/` at its end it means only what is below; with a `?` it means queries that begin so.
//!
//! **Where it is doubtful, it purges**: hosts are compared without regard to case, to the dot that ends a full name
//! and, where the pattern has no port, to the port; paths in one canonical spelling (`/%61pi` is `/api`);
//! queries with their escapes resolved, except of `&`, `=`, `+`, `;` and `%`, and with `%20` as `+`.
//! Parameters are not reordered: `?a=1&b=2` is not `?b=2&a=1`. To write a literal `*`, escape it: `%2A`.

use std::borrow::Cow;
use std::fmt;

use kit::target::{canonical_path, host as without_port, split};
use serde::{Deserialize, Serialize};

use crate::store::purges::glob::{Glob, MAX_WILDCARDS};

/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 1_024;

/// Why a text is no pattern; its `Display` tells how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No path: a host alone, or nothing.
    #[error("begin it with /, or with a host and a /, as in /users/** or shop.example.com/**")]
    NoPath,
    /// A scheme other than these two.
    #[error("use http:// or https://, or leave the scheme out for both")]
    Scheme,
    /// A part after `#`.
    #[error("leave the part after # out, clients do not send it")]
    Fragment,
    /// Too long.
    #[error("shorten it to {MAX_PATTERN} bytes")]
    Long,
    /// Blanks or control characters.
    #[error("escape blanks, control characters and all that is not ASCII, as in %20")]
    Characters,
    /// Too many wildcards.
    #[error("use at most {MAX_WILDCARDS} wildcards in each of host, path and query")]
    Wildcards,
}

/// How the text of a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// With `*` and `**`.
    Glob,
    /// What begins so.
    Prefix,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    form: Form,
    scheme: Option<Box<str>>,
    host: Option<Host>,
    path: Test,
    query: Option<Test>,
}

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    test: Test,
    with_port: bool,
}

/// What one part of a URI must be, in the form in which that part is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Glob(Glob),
    Exact(Vec<u8>),
    /// This, or this and something after a `/`.
    Below(Vec<u8>),
    StartsWith(Vec<u8>),
}

impl Test {
    fn glob(pattern: &str, end: u8, form: fn(&[u8]) -> Vec<u8>) -> Result<Self, PatternError> {
        Glob::parse(pattern, end, form).map(Self::Glob).ok_or(PatternError::Wildcards)
    }

    fn accepts(&self, text: &[u8]) -> bool {
        match self {
            Self::Glob(glob) => glob.accepts(text),
            Self::Exact(exact) => text == exact.as_slice(),
            Self::Below(prefix) => text.strip_prefix(prefix.as_slice()).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(b"/") || prefix.ends_with(b"/")
            }),
            Self::StartsWith(prefix) => text.starts_with(prefix),
        }
    }
}

impl Pattern {
    /// Compiles a pattern with wildcards.
    ///
    /// # Errors
    /// What is wrong with it: no path, a scheme that is not HTTP's, a fragment, a length or characters that no URI has.
    pub fn glob(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Form::Glob)
    }

    /// Compiles a prefix.
    ///
    /// # Errors
    /// As [`Pattern::glob`].
    pub fn prefix(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Form::Prefix)
    }

    /// Compiles a text of either form.
    ///
    /// # Errors
    /// As [`Pattern::glob`].
    pub fn parse(text: &str, form: Form) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN {
            return Err(PatternError::Long);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(PatternError::Characters);
        }
        if text.contains('#') {
            return Err(PatternError::Fragment);
        }
        let (before_query, query) = match text.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (text, None),
        };
        let (scheme, rest) = match before_query.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
            Some(_) | None => (None, before_query),
        };
        let scheme = scheme.map(str::to_ascii_lowercase);
        if scheme.as_deref().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
            return Err(PatternError::Scheme);
        }
        let (host, path) = rest.split_at(rest.find('/').ok_or(PatternError::NoPath)?);
        if host.is_empty() && scheme.is_some() {
            return Err(PatternError::NoPath);
        }
        let host = if host.is_empty() { None } else { Some(Host::parse(host, form)?) };
        let (path, query) = match form {
            Form::Glob => {
                let query = query.map(|query| Test::glob(query, b'&', comparable_query));
                (Test::glob(path, b'/', comparable_path)?, query.transpose()?)
            }
            Form::Prefix => {
                let path = comparable_path(path.as_bytes());
                match query.map(|query| comparable_query(query.as_bytes())) {
                    Some(query) => (Test::Exact(path), Some(Test::StartsWith(query))),
                    None => (Test::Below(path), None),
                }
            }
        };
        Ok(Self { text: text.into(), form, scheme: scheme.map(Into::into), host, path, query })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How its text is read.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether this address is meant.
    pub fn accepts(&self, address: &Address<'_>) -> bool {
        self.scheme
            .as_deref()
            .is_none_or(|scheme| address.scheme.eq_ignore_ascii_case(scheme.as_bytes()))
            && self.path.accepts(address.path.as_bytes())
            && self.host.as_ref().is_none_or(|host| host.accepts(address))
            && self.query.as_ref().is_none_or(|query| query.accepts(&address.query))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form {
            Form::Glob => "pattern ",
            Form::Prefix => "prefix ",
        })?;
        f.write_str(&self.text)
    }
}

impl Host {
    fn parse(text: &str, form: Form) -> Result<Self, PatternError> {
        let (name, port) = take_port(text.as_bytes());
        // The text is ASCII, so any cut of it is text too.
        let name = std::str::from_utf8(name).unwrap_or(text);
        // Default ports are not in stored URIs: a pattern with one means what has none.
        let with_port = !port.is_empty() && !matches!(port, b"80" | b"443");
        let whole = if with_port {
            Cow::Owned(format!("{name}:{}", String::from_utf8_lossy(port)))
        } else {
            Cow::Borrowed(name)
        };
        let test = match form {
            Form::Glob => Test::glob(&whole, b'.', |text| text.to_ascii_lowercase())?,
            Form::Prefix => Test::Exact(whole.to_ascii_lowercase().into_bytes()),
        };
        Ok(Self { test, with_port })
    }

    fn accepts(&self, address: &Address<'_>) -> bool {
        self.test.accepts(if self.with_port { &address.authority } else { &address.host })
    }
}

/// A host without the dot at its end, and its port without the colon, empty if there is none.
fn take_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let host = without_port(authority);
    let cut = authority.strip_prefix(host).unwrap_or_default();
    let cut = cut.strip_prefix(b".").unwrap_or(cut);
    (host, cut.strip_prefix(b":").unwrap_or_default())
}

/// A stored URI, taken apart into the forms that patterns compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    scheme: &'a [u8],
    /// With the port.
    authority: Vec<u8>,
    host: Vec<u8>,
    path: Cow<'a, str>,
    query: Vec<u8>,
}

impl<'a> Address<'a> {
    /// Takes `scheme://host/path?query` apart; `None` if it is not of this shape.
    ///
    /// **Cost**: three small allocations, one more for a path that is not in canonical spelling.
    pub fn read(uri: &'a [u8]) -> Option<Self> {
        let colon = uri.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = uri.split_at_checked(colon)?;
        let rest = rest.strip_prefix(b"://")?;
        let (authority, target) = rest.split_at(rest.iter().position(|byte| *byte == b'/')?);
        let (path, query) = split(target);
        let (host, port) = take_port(authority);
        let host = host.to_ascii_lowercase();
        let mut authority = host.clone();
        if !port.is_empty() {
            authority.push(b':');
            authority.extend_from_slice(port);
        }
        let path = canonical_path(path);
        Some(Self { scheme, authority, host, path, query: comparable_query(query) })
    }
}

fn comparable_path(text: &[u8]) -> Vec<u8> {
    canonical_path(text).into_owned().into_bytes()
}

/// A query, or a piece of one, in the one spelling in which it is compared.
///
/// Escapes of visible ASCII are resolved, except of what separates parameters and values; those that stay,
/// and whatever is not visible ASCII, are written with upper-case digits; a blank is `+` in either spelling.
fn comparable_query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        let escape = if *byte == b'%' { escaped(tail) } else { None };
        let (byte, is_escaped) = escape.map_or((*byte, false), |(byte, _)| (byte, true));
        rest = escape.map_or(tail, |(_, tail)| tail);
        let separates = matches!(byte, b'&' | b'=' | b'+' | b';' | b'%');
        if is_escaped && byte == b' ' {
            out.push(b'+');
        } else if byte.is_ascii_graphic() && (!separates || (!is_escaped && byte != b'%')) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

/// The byte that two hexadecimal digits give, and what follows them.
fn escaped(digits: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], tail) = digits.split_first_chunk::<2>()?;
    let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
    Some((u8::try_from(value).ok()?, tail))
}
