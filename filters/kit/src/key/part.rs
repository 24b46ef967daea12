//! The parts of a key, and how each is taken from a request.

use std::fmt;
use std::net::IpAddr;

use crate::claims;
use crate::config::quoted;
use crate::exchange::{Attribute, Exchange};
use crate::net::{client_address, masked};
use crate::place::Place;
use crate::target;

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The client's address, by its network.
    Address(Prefixes),
    /// The first value of a header, query parameter or cookie.
    Field(Place, Box<str>),
    /// A segment of the canonical path, counted from zero.
    PathSegment(usize),
    /// A claim of a verified token: a property, by its whole path.
    Claim(Vec<Box<str>>),
    /// Any other property, by its whole path.
    Property(Vec<Box<str>>),
    /// The same for every request.
    Constant(Box<str>),
    /// The method.
    Method,
    /// The host in lower case, without port.
    Host,
    /// The canonical path, without query.
    Path,
    /// The name of the route, virtual host or cluster.
    Named(Attribute),
    /// What the filter itself gives under a word, by its place among those that it gives.
    Given(usize, &'static str),
}

/// How a filter gives its own parts: the value for a word.
pub(super) type Given<'f, 'v> = &'f dyn Fn(&str) -> Option<&'v [u8]>;

/// Bytes in front of the value of each part: kind and length.
pub(super) const HEADER_SIZE: usize = 5;

/// How many leading bits of an address make one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) v4: u32,
    pub(super) v6: u32,
}

impl Prefixes {
    /// The network of an address: its first address.
    pub(super) fn network(self, address: IpAddr) -> IpAddr {
        masked(address, if address.is_ipv4() { self.v4 } else { self.v6 })
    }
}

/// IPv4 whole; IPv6 by /64, the smallest network that a subscriber gets (RFC 6177) and all of whose
/// addresses one host may use.
impl Default for Prefixes {
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

/// The kind of the first part that the filter gives; the others follow.
pub(super) const GIVEN: u8 = 64;

/// The longest value in bytes that names somebody: with room for the longest cookies and tokens in use,
/// and cheap to copy and to hash whatever a client sends.
pub(super) const MAX_VALUE: usize = 8_192;

impl Part {
    /// Appends kind, length and bytes; `None`, with `out` in any state, if the request lacks the part.
    pub(super) fn append(
        &self,
        x: &dyn Exchange,
        given: Given<'_, '_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let tag = self.tag();
        match self {
            Self::Address(prefixes) => match prefixes.network(client_address(x)?) {
                IpAddr::V4(v4) => push(out, tag, &v4.octets()),
                IpAddr::V6(v6) => push(out, tag, &v6.octets()),
            },
            Self::Field(place, name) => {
                let mut pushed = None;
                place.any(&x.request(), name, |value| {
                    pushed = push(out, tag, value);
                    true
                });
                pushed
            }
            Self::PathSegment(idx) => {
                let request = x.request();
                let (path, _) = target::split(request.get(":path")?);
                let path = target::canonical_path(path);
                push(out, tag, path.split('/').skip(1).nth(*idx)?.as_bytes())
            }
            Self::Claim(path) | Self::Property(path) => {
                let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                push(out, tag, &x.property(&path)?)
            }
            Self::Constant(value) => push(out, tag, value.as_bytes()),
            Self::Method => push(out, tag, x.request().get(":method")?),
            Self::Host => {
                let request = x.request();
                let host = target::host(request.get(":authority")?);
                push(out, tag, host)?;
                lower_last(out, host.len());
                Some(())
            }
            Self::Path => {
                let request = x.request();
                let (path, _) = target::split(request.get(":path")?);
                push(out, tag, target::canonical_path(path).as_bytes())
            }
            Self::Named(attribute) => push(out, tag, &x.attribute(*attribute)?),
            Self::Given(_, word) => push(out, tag, given(word)?),
        }
    }

    /// What it is, so that no other part has the same words: unlike `Display` with a claim's whole place.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Claim(path) | Self::Property(path) => format!("{self} of {}", path.join("\0")),
            Self::Constant(value) => format!("constant {value}"),
            Self::Address(_)
            | Self::Field(..)
            | Self::PathSegment(_)
            | Self::Method
            | Self::Host
            | Self::Path
            | Self::Named(_)
            | Self::Given(..) => self.to_string(),
        }
    }

    /// How it takes an address, if it is one.
    pub(super) fn prefixes(&self) -> Option<Prefixes> {
        if let Self::Address(prefixes) = self { Some(*prefixes) } else { None }
    }

    /// Whether every request has it.
    pub(super) fn is_always_there(&self) -> bool {
        matches!(self, Self::Constant(_) | Self::Method)
    }

    /// The kind in one byte; never changed, keys may outlive a configuration.
    fn tag(&self) -> u8 {
        match self {
            Self::Address(_) => 1,
            Self::Field(Place::Header, _) => 2,
            Self::Field(Place::Query, _) => 3,
            Self::Field(Place::Cookie, _) => 4,
            Self::PathSegment(_) => 5,
            Self::Claim(_) => 6,
            Self::Property(_) => 7,
            Self::Constant(_) => 8,
            Self::Method => 9,
            Self::Host => 10,
            Self::Path => 11,
            Self::Named(Attribute::RouteName) => 12,
            Self::Named(Attribute::VirtualHost) => 13,
            Self::Named(_) => 14,
            Self::Given(idx, _) => GIVEN.saturating_add(u8::try_from(*idx).unwrap_or(u8::MAX)),
        }
    }
}

/// Appends one part; `None` for a value that names nobody, being empty or too long.
pub(super) fn push(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Option<()> {
    if value.is_empty() || value.len() > MAX_VALUE {
        return None;
    }
    out.push(tag);
    out.extend_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
    out.extend_from_slice(value);
    Some(())
}

fn lower_last(out: &mut [u8], len: usize) {
    let at = out.len().saturating_sub(len);
    if let Some(last) = out.get_mut(at..) {
        last.make_ascii_lowercase();
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(Prefixes { v4: 32, v6 }) => write!(f, "address (IPv6 by /{v6})"),
            Self::Address(Prefixes { v4, v6 }) => {
                write!(f, "address (IPv4 by /{v4}, IPv6 by /{v6})")
            }
            Self::Field(place, name) => write!(f, "{} {name}", place.word()),
            Self::PathSegment(idx) => write!(f, "path segment {idx}"),
            Self::Claim(path) => write!(f, "claim {}", claims::words(path)),
            Self::Property(path) => write!(f, "property {}", path.join(".")),
            Self::Constant(value) => write!(f, "constant {}", quoted(value)),
            Self::Method => f.write_str("method"),
            Self::Host => f.write_str("host"),
            Self::Path => f.write_str("path"),
            Self::Named(Attribute::RouteName) => f.write_str("route"),
            Self::Named(Attribute::VirtualHost) => f.write_str("virtual host"),
            Self::Named(_) => f.write_str("cluster"),
            Self::Given(_, word) => f.write_str(word),
        }
    }
}
