//! Clusters that a filter may call, and the calls that are on their way.

use std::time::Duration;

use super::headers::Headers;

/// The longest answer that Envoy hands to a guest; a longer one arrives as "nothing".
pub const MAX_CALL_BODY: usize = 32 * 1024 * 1024;

/// A call as the called service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Request headers with `:method`, `:path` and `:authority`.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What a called service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answers after a while.
    After(Duration, CallResponse),
    /// The connection is refused or reset: the guest sees a synthetic 503.
    Refused,
    /// It never answers: the guest sees a synthetic 504 at the call's timeout.
    Silent,
}

/// What the guest can read while `proxy_on_http_call_response` runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallResponse {
    /// Response headers with `:status`.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
    /// Response trailers.
    pub trailers: Headers,
}

impl CallResponse {
    /// An answer with this status and body.
    #[must_use]
    pub fn new(status: u16, body: &[u8]) -> Self {
        let headers = Headers::of([
            (":status", status.to_string()),
            ("content-length", body.len().to_string()),
        ]);
        Self { headers, body: body.to_vec(), trailers: Headers::new() }
    }

    pub(crate) fn refused() -> Self {
        Self::synthetic(503, "upstream connect error or disconnect/reset before headers")
    }

    pub(crate) fn timed_out() -> Self {
        Self::synthetic(504, "upstream request timeout")
    }

    fn synthetic(status: u16, text: &str) -> Self {
        let mut response = Self::new(status, text.as_bytes());
        response.headers.add(b"content-type", b"text/plain");
        response
    }

    /// What is left of an answer that is longer than Envoy hands over: nothing, not even headers.
    pub(crate) fn within_limits(self) -> Self {
        if self.body.len() > MAX_CALL_BODY { Self::default() } else { self }
    }
}

/// A cluster as `dispatch_http_call` finds it; a name without one is an unknown cluster.
pub(crate) enum Cluster {
    /// No healthy host: the dispatch itself fails.
    NoHosts,
    /// Somebody takes the call.
    Serves(Box<dyn FnMut(&Call) -> Answer>),
}

/// A call that was dispatched and not answered yet. It belongs to a root context, never to a stream.
pub(crate) struct Pending {
    pub(crate) token: u32,
    pub(crate) root: u32,
    /// Monotonic time of the answer; `None` when there will be none.
    pub(crate) due: Option<u64>,
    pub(crate) response: CallResponse,
}
