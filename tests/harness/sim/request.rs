//! What a client sends and what an upstream does, as tests write them down.

use std::collections::BTreeMap;
use std::time::Duration;

use super::headers::Headers;

/// One request, its way through Envoy included: what the listener and the route would say of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Header names and values as bytes, pseudo-headers among them.
    pub headers: Headers,
    /// The body in the pieces in which it arrives; none means that the headers end the stream.
    pub body: Vec<Vec<u8>>,
    /// Request trailers.
    pub trailers: Headers,
    /// Properties by path, segments joined with `|`: raw bytes as Envoy hands them over.
    pub properties: BTreeMap<String, Vec<u8>>,
}

impl Request {
    /// A request of `method` for `path` at `example.test`, from 10.0.0.1, on route `main` to cluster `upstream`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        let headers = Headers::of([
            (":authority", "example.test"),
            (":path", path),
            (":method", method),
            (":scheme", "http"),
            ("user-agent", "weir-tests"),
            ("x-request-id", "00000000-0000-4000-8000-000000000000"),
        ]);
        let request = Self {
            headers,
            body: Vec::new(),
            trailers: Headers::new(),
            properties: BTreeMap::new(),
        };
        request
            .property("source|address", b"10.0.0.1:40000")
            .property("source|port", &40_000_i64.to_le_bytes())
            .property("destination|address", b"10.0.0.100:10000")
            .property("connection|id", &1_u64.to_le_bytes())
            .property("connection|mtls", &[0])
            .property("request|protocol", b"HTTP/1.1")
            .property("xds|cluster_name", b"upstream")
            .property("xds|route_name", b"main")
            .property("xds|virtual_host_name", b"all")
            .property("upstream|address", b"10.0.0.200:8000")
    }

    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Takes a header away, a pseudo-header as well.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name.as_bytes());
        self
    }

    /// Adds a piece of body.
    #[must_use]
    pub fn chunk(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.push(bytes.as_ref().to_vec());
        self
    }

    /// Sets a property.
    #[must_use]
    pub fn property(mut self, path: &str, value: &[u8]) -> Self {
        self.properties.insert(path.to_owned(), value.to_vec());
        self
    }

    /// Sets the client's address, `ip:port`.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        self.property("source|address", address.as_bytes())
    }

    /// Takes a property away.
    #[must_use]
    pub fn without_property(mut self, path: &str) -> Self {
        self.properties.remove(path);
        self
    }
}

/// A response with its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Response headers with `:status`.
    pub headers: Headers,
    /// The body in the pieces in which it arrives; none means that the headers end the stream.
    pub body: Vec<Vec<u8>>,
    /// Response trailers; when there are any, no body callback has the end.
    pub trailers: Headers,
    /// Time between the request and the response headers.
    pub latency: Duration,
}

impl Response {
    /// A response with this status and body (in one piece, or none when it is empty), at once.
    #[must_use]
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let headers = Headers::of([
            (":status", status.to_string()),
            ("content-length", body.len().to_string()),
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
        ]);
        let pieces = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        Self { headers, body: pieces, trailers: Headers::new(), latency: Duration::ZERO }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Adds a piece of body and stops promising a length.
    #[must_use]
    pub fn chunk(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.headers.remove(b"content-length");
        self.body.push(bytes.as_ref().to_vec());
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.add(name.as_ref(), value.as_ref());
        self
    }

    /// Sets the time that the upstream takes.
    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }
}

/// What the router met when it sent the request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The upstream answered.
    Answers(Response),
    /// No host of the cluster is healthy: 503, flag UH.
    NoHealthyHost,
    /// The connection was refused: 503, flag UF.
    ConnectionRefused,
    /// The upstream closed the connection before it answered: 503, flag UC.
    Reset,
    /// The route's timeout ran out: 504, flag UT.
    Timeout,
    /// The client left before the answer: no response callback runs, flag DC.
    ClientLeaves,
}

impl Upstream {
    /// A 200 with this body.
    #[must_use]
    pub fn ok(body: &str) -> Self {
        Self::Answers(Response::new(200, body))
    }

    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answers(Response::new(status, ""))
    }

    /// The response as the filters see it, its response-code details, and its response flags.
    pub(crate) fn resolve(self) -> Option<(Response, &'static str, u64)> {
        let local = |status: u16, text: &str| {
            Response::new(status, text).header("content-type", "text/plain")
        };
        match self {
            Self::Answers(response) => Some((response, "via_upstream", 0)),
            Self::NoHealthyHost => {
                Some((local(503, "no healthy upstream"), "no_healthy_upstream", 0x2))
            }
            Self::ConnectionRefused => Some((
                local(503, "upstream connect error or disconnect/reset before headers"),
                "upstream_reset_before_response_started{remote_connection_failure}",
                0x20,
            )),
            Self::Reset => Some((
                local(503, "upstream connect error or disconnect/reset before headers"),
                "upstream_reset_before_response_started{connection_termination}",
                0x40,
            )),
            Self::Timeout => {
                Some((local(504, "upstream request timeout"), "response_timeout", 0x4))
            }
            Self::ClientLeaves => None,
        }
    }
}
