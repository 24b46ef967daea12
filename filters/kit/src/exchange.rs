//! What a filter may see and do while a request passes.
//!
//! [`Host`] is what is there at any time: clocks, shared state, metrics, messages to other streams.
//! [`Exchange`] adds the one request at hand: its headers, its attributes, the body chunk of this callback.
//! Everything is fetched when first asked for, and asked of Envoy at most once per phase:
//! each value that Envoy returns costs about a microsecond.

use std::fmt;
use std::rc::Rc;

use crate::headers::Headers;
use crate::meter::Meter;
use crate::shared::SharedData;
use crate::units::Nanos;

/// What a filter can ask for with or without a request at hand.
pub trait Host: SharedData + Meter {
    /// Monotonic time since the machine started: the same base on every worker, untouched by clock steps.
    ///
    /// One reading per callback, however often it is asked for.
    fn now(&self) -> Nanos;

    /// Wall-clock time since 1970, for the dates of protocols only; it may jump either way.
    fn wall(&self) -> Nanos;

    /// Sixty-four unpredictable bits.
    fn random(&self) -> u64;

    /// Wakes a waiting stream of any worker; nothing happens if it is gone.
    ///
    /// The stream's filter gets [`crate::Filter::on_wake`] on its own worker, after this callback.
    fn wake(&self, waker: &Waker);

    /// Starts a call to a cluster that outlives any stream; its answer comes to [`crate::Filter::on_answer`].
    ///
    /// The call leaves after this callback, in the next turn of this worker's event loop.
    fn call(&self, call: Call);
}

/// Where a waiting stream can be woken: plain data, may be kept in shared state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Waker {
    /// The message queue of the stream's worker.
    pub queue: u32,
    /// The stream within that worker.
    pub stream: u32,
}

/// Whose call it is, and which of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId {
    /// The name of the filter that gets the answer.
    pub filter: &'static str,
    /// The filter's own numbering.
    pub number: u64,
}

/// A call to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Comes back with the answer.
    pub id: CallId,
    /// The Envoy cluster to call.
    pub cluster: String,
    /// Headers, among them `:method`, `:path` and `:authority`.
    pub headers: Vec<(String, String)>,
    /// The body, possibly empty.
    pub body: Vec<u8>,
    /// After this the answer is [`Answer::Failed`]; must not be zero.
    pub timeout: Nanos,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Something answered; may also be Envoy itself, with 503 or 504.
    Response {
        /// Headers, with `:status`.
        headers: Headers,
        /// The whole body, up to 32 MiB.
        body: Vec<u8>,
    },
    /// The call could not be made: Envoy has no such cluster. It is logged, and told in [`crate::clusters`].
    NoCluster,
    /// The call could not be made otherwise, such as to a cluster without a host, or its answer could not be delivered.
    Failed,
}

/// Which header map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Of the request. Read it in the request phase if a later phase needs it: the copy is kept.
    Request,
    /// Of the response.
    Response,
    /// The trailers of the response.
    Trailers,
}

/// A fact about the exchange that Envoy knows, by a closed list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The client's address as Envoy resolved it, `ip:port` or `[ip]:port`.
    SourceAddress,
    /// The name of the route; absent when the route has none.
    RouteName,
    /// The name of the virtual host.
    VirtualHost,
    /// The cluster that the route leads to; absent for redirects and direct responses.
    Cluster,
    /// The status that was sent.
    ResponseCode,
    /// Why that status was sent, such as `via_upstream`.
    ResponseDetails,
    /// Envoy's response flags, as bits.
    ResponseFlags,
    /// How long the exchange took, in nanoseconds; at its end only.
    Duration,
    /// Bytes of the request with its headers.
    RequestBytes,
    /// Bytes of the response with its headers.
    ResponseBytes,
    /// The upstream host's address, if one was chosen.
    UpstreamAddress,
    /// Bytes of the request's body: what `content-length` says, else what has come;
    /// absent if it says no number. A body that was cut off is smaller than announced.
    RequestBodyBytes,
    /// Bytes of the response's body that were sent.
    ResponseBodyBytes,
    /// From the first byte sent to the upstream to the last byte that it sent, in nanoseconds; at the end only,
    /// absent without an answer of an upstream. Of several attempts it is the last one's.
    UpstreamTime,
    /// The gRPC status of the response; Envoy derives one from the HTTP status where nobody spoke gRPC.
    GrpcStatus,
}

impl Attribute {
    /// Envoy's path of the property as the ABI wants it: segments joined by NUL.
    pub const fn joined_path(self) -> &'static str {
        match self {
            Self::SourceAddress => "source\0address",
            Self::RouteName => "xds\0route_name",
            Self::VirtualHost => "xds\0virtual_host_name",
            Self::Cluster => "xds\0cluster_name",
            Self::ResponseCode => "response\0code",
            Self::ResponseDetails => "response\0code_details",
            Self::ResponseFlags => "response\0flags",
            Self::Duration => "request\0duration",
            Self::RequestBytes => "request\0total_size",
            Self::ResponseBytes => "response\0total_size",
            Self::UpstreamAddress => "upstream\0address",
            Self::RequestBodyBytes => "request\0size",
            Self::ResponseBodyBytes => "response\0size",
            Self::UpstreamTime => "response\0backend_latency",
            Self::GrpcStatus => "response\0grpc_status",
        }
    }

    /// How many attributes there are.
    pub const COUNT: usize = 15;

    /// How many of them, the first ones, stay the same from the request headers on:
    /// one reading of these serves all filters and phases.
    pub const N_SETTLED: usize = 4;
}

/// Published by who holds a stored answer that may stand in for an error of the upstream (RFC 5861, section 4).
///
/// Whoever would answer with an error further in can know by it that the client will get something better.
pub const STALE_COPY: &str = "weir.stale-copy";

/// One request on its way through the filter.
pub trait Exchange {
    /// The host that it passes through.
    fn host(&self) -> &dyn Host;

    /// A header map, whole; empty where Envoy has none now.
    ///
    /// **Cost**: one host call the first time it is asked for in a phase; request headers once per exchange.
    fn headers(&self, map: Map) -> Rc<Headers>;

    /// Replaces every value of a header.
    fn set_header(&self, map: Map, name: &str, value: &[u8]);

    /// Adds one more value of a header.
    fn add_header(&self, map: Map, name: &str, value: &[u8]);

    /// Removes every value of a header.
    fn remove_header(&self, map: Map, name: &str);

    /// An attribute's raw bytes; `None` where it has no value now.
    ///
    /// **Cost**: one host call the first time; [settled](Attribute::N_SETTLED) ones once per exchange.
    fn attribute(&self, attribute: Attribute) -> Option<Rc<[u8]>>;

    /// Any other property, by its path; read anew each time.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;

    /// Tells those further in something about this exchange, whoever they are: they read it as a
    /// [property](Exchange::property) of one segment. Nothing that a client sends can be taken for it.
    ///
    /// **Cost**: one host call; the same for a filter that asks.
    fn publish(&self, name: &str, value: &[u8]);

    /// Up to `len` bytes of the current callback's body chunk.
    fn body(&self, len: usize) -> Vec<u8>;

    /// Where this stream can be woken once it has returned [`crate::Flow::Pause`].
    fn waker(&self) -> Waker;

    /// Puts this filter's word into the exchange's decision record, such as `response-cache=hit`.
    ///
    /// The record is what access logs print and what metrics count. It has one word for each filter, the last one:
    /// a filter that decides again, such as a cache whose origin has failed, takes back what it said.
    fn note(&self, filter: &'static str, word: &'static str);

    /// Adds a detail to this filter's word, such as the rule that decided: `rate-limit=limit;rule=sign-in`.
    ///
    /// For access logs only; it is gone when the filter speaks again. Values are the operator's own or numbers:
    /// nothing that a client sends belongs there.
    fn detail(&self, filter: &'static str, name: &'static str, value: &dyn fmt::Display);

    /// The words noted so far, in the order in which the filters first spoke.
    fn notes(&self) -> Vec<(&'static str, &'static str)>;

    /// The first value of one header; `None` if there is none.
    ///
    /// **Cost**: nothing if the map was fetched in this phase; else one host call, for less than the map costs.
    fn header(&self, map: Map, name: &str) -> Option<Rc<[u8]>> {
        self.headers(map).get(name).map(Rc::from)
    }

    /// The first value of one request header, as [`Exchange::header`].
    fn request_header(&self, name: &str) -> Option<Rc<[u8]>> {
        self.header(Map::Request, name)
    }

    /// The request's method, as [`Exchange::request_header`].
    fn method(&self) -> Option<Rc<[u8]>> {
        self.request_header(":method")
    }

    /// An attribute that is a number.
    fn number(&self, attribute: Attribute) -> Option<u64> {
        let bytes = self.attribute(attribute)?;
        Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?))
    }

    /// Monotonic time of this callback; see [`Host::now`].
    fn now(&self) -> Nanos {
        self.host().now()
    }

    /// The request's headers; see [`Exchange::headers`].
    fn request(&self) -> Rc<Headers> {
        self.headers(Map::Request)
    }

    /// The response's headers; see [`Exchange::headers`].
    fn response(&self) -> Rc<Headers> {
        self.headers(Map::Response)
    }
}
