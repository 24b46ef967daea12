//! What came of a request: the thing that tests assert on.

use super::cost::Cost;
use super::headers::Headers;

/// What a headers or body callback told Envoy to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on.
    Continue,
    /// Hold the stream until the filter resumes it.
    Pause,
}

/// An answer that the filter gave itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The status as the filter asked for it.
    pub status: u32,
    /// The headers as the filter gave them.
    pub headers: Headers,
    /// The body as the filter gave it.
    pub body: Vec<u8>,
    /// Response-code details with spaces as underscores; empty when the filter gave none.
    pub details: String,
    /// The gRPC status, when the filter gave one.
    pub grpc: Option<i32>,
}

/// The response as the client got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The final status.
    pub status: u16,
    /// The final headers.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
    /// The final trailers.
    pub trailers: Headers,
}

impl Received {
    /// The body as text; other bytes are shown by their replacement character.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How the exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client got a whole response.
    Answered,
    /// The connection was reset after the headers had gone out.
    Reset,
    /// The filter never let it go on: Envoy's `stream_idle_timeout` would end it.
    Hung,
    /// The client had left.
    Left,
}

/// The end of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The callback in which it happened.
    pub callback: &'static str,
    /// What the runtime said, and what the guest logged last.
    pub message: String,
}

/// A line that a guest logged at or above Envoy's log level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical.
    pub level: i32,
    /// The text.
    pub text: String,
}

/// Everything there is to say about one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the request-headers callback returned; `Continue` when the module has none.
    pub action: Action,
    /// The filter's own answer, if it gave one; the last one when it gave several.
    pub reply: Option<LocalReply>,
    /// Whether the request reached the upstream.
    pub forwarded: bool,
    /// Request headers as they left the filter.
    pub request_headers: Headers,
    /// Request body as it left the filter.
    pub request_body: Vec<u8>,
    /// What the client got.
    pub response: Received,
    /// How it ended.
    pub ended: Ended,
    /// What the guest logged in this stream's callbacks.
    pub logs: Vec<LogLine>,
    /// Host calls, fuel and pages of this stream's callbacks.
    pub cost: Cost,
    /// The trap in one of this stream's callbacks, which took the VM with it.
    pub trap: Option<Trap>,
}

impl Outcome {
    /// The status that the client got.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// A response header that the client got, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.text(name)
    }
}
