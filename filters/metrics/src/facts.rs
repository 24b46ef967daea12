//! What is known of an exchange when it is over: gathered once, for all who count it.

use std::rc::Rc;

use kit::exchange::Attribute;
use kit::filter::is_grpc;
use kit::{Exchange, Nanos};

use crate::exclusion::Exclusion;
use crate::grpc::Grpc;
use crate::labels::{Answerer, Class, Method, Outcome};
use crate::policy;

/// Response-code details of the cache's 504 to `only-if-cached` (RFC 9111, section 5.2.1.7).
const ONLY_IF_CACHED: &[u8] = b"weir_cache_only_if_cached";

/// What an exchange was, in the log phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the route, if it has one.
    pub route: Option<Rc<[u8]>>,
    /// The cluster that the route leads to, if it leads to one; absent unless [`Wanted::cluster`].
    pub cluster: Option<Rc<[u8]>>,
    /// The request's method.
    pub method: Method,
    /// The status that was sent; zero for none.
    pub status: u64,
    /// Why that status was sent; absent if nobody said.
    pub details: Option<Rc<[u8]>>,
    /// Who answered.
    pub from: Answerer,
    /// What became of the request.
    pub outcome: Outcome,
    /// Why the request is not a client's; absent if it is.
    pub excluded: Option<Exclusion>,
    /// Envoy's response flags, as bits; zero where the other facts say that there are none.
    pub flags: u64,
    /// From the request's first byte to the response's last; absent if Envoy does not say.
    pub duration: Option<Nanos>,
    /// From the first byte that the upstream got to the last one that it sent; absent if the answer is not
    /// the upstream's, and unless [`Wanted::upstream_time`].
    pub upstream_time: Option<Nanos>,
    /// Bytes of request and response, headers and bodies; absent unless [`Wanted::bytes`].
    pub bytes: Option<(u64, u64)>,
    /// The gRPC status; absent if the request was no gRPC, and unless [`Wanted::grpc`].
    pub grpc_status: Option<Grpc>,
}

/// The facts that cost a value more to read, and are gathered only where somebody counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One value; none where a filter of the same module has read it.
    pub cluster: bool,
    /// One value, for answers of an upstream.
    pub upstream_time: bool,
    /// Two values.
    pub bytes: bool,
    /// One value; another for gRPC.
    pub grpc: bool,
}

impl Facts {
    /// Gathers them; in the log phase only.
    ///
    /// **Cost**: five values from the host and those that are `wanted`; two more (the flags, whether an upstream was
    /// chosen) for exchanges that did not end as they were meant to.
    pub fn gather(x: &dyn Exchange, wanted: Wanted) -> Self {
        let status = x.number(Attribute::ResponseCode).unwrap_or(0);
        let details = x.attribute(Attribute::ResponseDetails);
        let why = details.as_deref().unwrap_or_default();
        let has_upstream = || x.attribute(Attribute::UpstreamAddress).is_some();
        let (from, outcome) = policy::judge(status, why, has_upstream);
        let flags = policy::may_have_flags(status, why).then(|| x.number(Attribute::ResponseFlags));
        let number = |attribute| x.number(attribute).unwrap_or(0);
        Self {
            route: x.attribute(Attribute::RouteName),
            cluster: wanted.cluster.then(|| x.attribute(Attribute::Cluster)).flatten(),
            method: Method::of(x.method().as_deref()),
            status,
            from,
            outcome,
            excluded: Exclusion::of(why),
            flags: flags.flatten().unwrap_or(0),
            duration: x.number(Attribute::Duration).map(Nanos),
            upstream_time: (wanted.upstream_time && from == Answerer::Upstream)
                .then(|| x.number(Attribute::UpstreamTime).map(Nanos))
                .flatten(),
            bytes: wanted
                .bytes
                .then(|| (number(Attribute::RequestBytes), number(Attribute::ResponseBytes))),
            grpc_status: (wanted.grpc && speaks_grpc(x)).then(|| match status {
                0 => Grpc::NONE,
                _ => x.number(Attribute::GrpcStatus).map_or(Grpc::NONE, Grpc::of),
            }),
            details,
        }
    }

    /// The class of the status. The cache's 504 to `only-if-cached` is the client's error: it forbade asking the origin.
    pub fn class(&self) -> Class {
        if self.is_only_if_cached() { Class::ClientError } else { Class::of(self.status) }
    }

    /// Whether the cache answered 504 since the client would have nothing but a stored response.
    pub fn is_only_if_cached(&self) -> bool {
        self.why() == ONLY_IF_CACHED
    }

    /// Why that status was sent; empty if nobody said.
    pub fn why(&self) -> &[u8] {
        self.details.as_deref().unwrap_or_default()
    }
}

/// Envoy derives a gRPC status for any response: only the request tells whether there is one.
fn speaks_grpc(x: &dyn Exchange) -> bool {
    x.request_header("content-type").is_some_and(|content_type| is_grpc(&content_type))
}
