//! One condition of a `match` object.

use std::fmt;

use super::claim::ClaimCondition;
use super::host::HostPattern;
use super::metadata::RouteMetadata;
use super::name::NamePattern;
use super::path::PathPattern;
use super::text::TextCondition;
use super::write_list;
use crate::exchange::{Attribute, Exchange};
use crate::net::{Net, client_address};
use crate::place::Place;
use crate::target;

/// A condition: one field of the object, or one entry of those of its fields that are lists of objects.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// One of these methods.
    Methods(Vec<Box<str>>),
    /// One of these hosts.
    Hosts(Vec<HostPattern>),
    /// A path of this shape.
    Path(PathPattern),
    /// A header, query parameter or cookie.
    Text(TextCondition),
    /// A name that Envoy's configuration gives the route, virtual host or cluster.
    Named(Attribute, Vec<NamePattern>),
    /// A client address in one of these ranges.
    Source(Vec<Net>),
    /// Something that the route carries.
    RouteMetadata(RouteMetadata),
    /// A claim of a verified token.
    Claim(ClaimCondition),
}

impl Condition {
    /// Its place in the order of asking: what needs no host call but the headers, then attributes that are
    /// fetched once per exchange, then properties that are fetched each time.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Methods(_) => 0,
            Self::Path(path) if !path.is_regex() => 1,
            Self::Hosts(_) => 2,
            Self::Text(text) if !text.is_regex() => 3,
            Self::Path(_) | Self::Text(_) => 4,
            Self::Named(..) => 5,
            Self::Source(_) => 6,
            Self::RouteMetadata(_) | Self::Claim(_) => 7,
        }
    }

    /// Whether only requests that say who sends them satisfy it.
    pub(super) fn asks_who(&self) -> bool {
        match self {
            Self::Text(text) => text.asks_for(Place::Header, "authorization"),
            Self::Claim(claim) => claim.asks(),
            Self::Methods(_)
            | Self::Hosts(_)
            | Self::Path(_)
            | Self::Named(..)
            | Self::Source(_)
            | Self::RouteMetadata(_) => false,
        }
    }

    pub(super) fn holds(&self, x: &dyn Exchange) -> bool {
        match self {
            Self::Methods(methods) => x
                .request()
                .get(":method")
                .is_some_and(|found| methods.iter().any(|method| method.as_bytes() == found)),
            Self::Hosts(hosts) => x.request().get(":authority").is_some_and(|authority| {
                let host = target::host(authority);
                hosts.iter().any(|pattern| pattern.accepts(host))
            }),
            Self::Path(pattern) => x.request().get(":path").is_some_and(|target| {
                let (path, _) = target::split(target);
                pattern.accepts(&target::canonical_path(path))
            }),
            Self::Text(text) => text.holds(&x.request()),
            Self::Named(attribute, names) => x
                .attribute(*attribute)
                .is_some_and(|found| names.iter().any(|name| name.accepts(&found))),
            Self::Source(nets) => client_address(x)
                .is_some_and(|address| nets.iter().any(|net| net.contains(address))),
            Self::RouteMetadata(metadata) => metadata.holds(x),
            Self::Claim(claim) => claim.holds(x),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Methods(methods) => {
                f.write_str("method ")?;
                write_list(f, methods, " or ")
            }
            Self::Hosts(hosts) => {
                f.write_str("host ")?;
                write_list(f, hosts, " or ")
            }
            Self::Path(pattern) => write!(f, "path {pattern}"),
            Self::Text(text) => write!(f, "{text}"),
            Self::Named(attribute, names) => {
                write!(f, "{} ", word(*attribute))?;
                write_list(f, names, " or ")
            }
            Self::Source(nets) => {
                f.write_str("source ")?;
                write_list(f, nets, " or ")
            }
            Self::RouteMetadata(metadata) => write!(f, "route metadata {metadata}"),
            Self::Claim(claim) => write!(f, "{claim}"),
        }
    }
}

/// What operators call the attributes that conditions name.
fn word(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::RouteName => "route",
        Attribute::VirtualHost => "virtual host",
        Attribute::Cluster => "cluster",
        Attribute::SourceAddress
        | Attribute::ResponseCode
        | Attribute::ResponseDetails
        | Attribute::ResponseFlags
        | Attribute::Duration
        | Attribute::RequestBytes
        | Attribute::ResponseBytes
        | Attribute::UpstreamAddress
        | Attribute::RequestBodyBytes
        | Attribute::ResponseBodyBytes
        | Attribute::UpstreamTime
        | Attribute::GrpcStatus => "attribute",
    }
}
