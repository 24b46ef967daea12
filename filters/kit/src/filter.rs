//! The life of a filter, and what it may answer at each step.

use crate::callbacks::Callbacks;
use crate::config::Fields;
use crate::exchange::{Answer, CallId, Exchange, Host};
use crate::units::Nanos;
use std::borrow::Cow;

/// One of Weir's filters, configured: what one worker holds for all of its streams.
///
/// The same implementation runs alone in its own module and inside the gateway.
/// Envoy calls it on one thread at a time; a stream's state is a [`Filter::Stream`], made when the stream is,
/// also for streams that only ever reach [`Filter::on_log`].
///
/// The methods default to letting everything through; a filter implements those in its [`Filter::CALLBACKS`]
/// and is called for no others.
pub trait Filter: Sized + 'static {
    /// The filter's name: folder, log prefix, and root of its metric names.
    const NAME: &'static str;

    /// The callbacks that it implements.
    const CALLBACKS: Callbacks;

    /// The period of [`Filter::on_tick`]; `None` when it is never called. At least 5 ms.
    const TICK: Option<Nanos> = None;

    /// The word that goes without saying: a decision record of this filter alone that says it is not published.
    ///
    /// Publishing costs 1.2 µs. The record of several filters is published whatever it says.
    const ROUTINE: &'static [&'static str] = &[];

    /// The resolved configuration: valid by construction.
    type Config;

    /// What the filter remembers of one exchange.
    type Stream: Default + 'static;

    /// Reads the configuration; problems are recorded in `fields`, all of them.
    fn read(fields: &mut Fields<'_>) -> Self::Config;

    /// Makes the filter. Runs once per worker and twice more (canary, main thread) on every configuration:
    /// whatever it does to shared state must be idempotent.
    fn new(config: Self::Config, host: &dyn Host) -> Self;

    /// What is in force, for operators: one line per fact, such as a limit.
    fn summary(&self) -> Vec<String>;

    /// Request headers arrived; `end` says that no body follows.
    fn on_request_headers(
        &self,
        _stream: &mut Self::Stream,
        _x: &dyn Exchange,
        _end: bool,
    ) -> Flow {
        Flow::Continue
    }

    /// `size` bytes of the request body arrived.
    fn on_request_body(
        &self,
        _stream: &mut Self::Stream,
        _x: &dyn Exchange,
        _size: usize,
        _end: bool,
    ) -> Flow {
        Flow::Continue
    }

    /// Response headers arrived: the upstream's, Envoy's own, or those of this filter's reply.
    fn on_response_headers(
        &self,
        _stream: &mut Self::Stream,
        _x: &dyn Exchange,
        _end: bool,
    ) -> Flow {
        Flow::Continue
    }

    /// `size` bytes of the response body arrived.
    fn on_response_body(
        &self,
        _stream: &mut Self::Stream,
        _x: &dyn Exchange,
        _size: usize,
        _end: bool,
    ) -> Flow {
        Flow::Continue
    }

    /// Response trailers arrived: the body is complete.
    fn on_response_trailers(&self, _stream: &mut Self::Stream, _x: &dyn Exchange) -> Flow {
        Flow::Continue
    }

    /// The exchange is over, however it ended. All header maps are back.
    fn on_log(&self, _stream: &mut Self::Stream, _x: &dyn Exchange) {}

    /// Somebody woke this stream, which had returned [`Flow::Pause`] from the request headers.
    fn on_wake(&self, _stream: &mut Self::Stream, _x: &dyn Exchange) -> Flow {
        Flow::Continue
    }

    /// A background call of this filter ended.
    fn on_answer(&self, _host: &dyn Host, _id: CallId, _answer: Answer) {}

    /// The timer fired: on every worker and on the main thread, each in its own phase.
    ///
    /// In the gateway the shortest period of its filters holds for all: expect more calls than asked for.
    fn on_tick(&self, _host: &dyn Host) {}

    /// This configuration goes: another is in force, and the last stream of this one has ended.
    ///
    /// What was gathered for the next tick belongs into shared state now. It does not run when the VM is lost.
    fn on_retire(&self, _host: &dyn Host) {}
}

/// What becomes of the exchange after a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It waits until somebody wakes the stream.
    Pause,
    /// It ends here, with this answer; only before response headers have gone out.
    Reply(Box<Reply>),
}

/// An answer that a filter gives instead of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The status, 200 to 599.
    pub status: u16,
    /// Headers; Envoy adds content-length itself.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The body; must be empty for 204 and 304.
    pub body: Vec<u8>,
    /// Why, for Envoy's access log (`%RESPONSE_CODE_DETAILS%`): a word of lower case and underscores.
    pub details: &'static str,
    /// The gRPC status to send when the client speaks gRPC; else Envoy derives one from `status`.
    pub grpc_status: Option<u32>,
    /// What a client that speaks gRPC gets as `grpc-message`; else Envoy makes it of `body`, whatever that is.
    pub grpc_message: Option<String>,
}

impl Reply {
    /// The flow that ends with this answer.
    pub fn into_flow(self) -> Flow {
        Flow::Reply(Box::new(self))
    }

    /// The body to hand to Envoy for a client whose request has this content type.
    ///
    /// For a gRPC request Envoy percent-encodes the body into `grpc-message` and sends none,
    /// so there the message stands in the body's place.
    pub fn body_for(&self, content_type: Option<&[u8]>) -> &[u8] {
        match &self.grpc_message {
            Some(message) if content_type.is_some_and(is_grpc) => message.as_bytes(),
            Some(_) | None => &self.body,
        }
    }
}

/// Whether Envoy answers a request of this content type in gRPC: `application/grpc` or `application/grpc+…`.
///
/// `application/grpc-web` is not gRPC; Envoy's filter for it turns it into gRPC before the filters behind it.
pub fn is_grpc(content_type: &[u8]) -> bool {
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_a_grpc_client_gets_the_message_for_a_body() {
        let reply = Reply {
            body: b"{}".to_vec(),
            grpc_message: Some("slow down".to_owned()),
            ..Reply::default()
        };
        for (kind, body) in [
            ("application/grpc", "slow down"),
            ("application/grpc+proto", "slow down"),
            ("application/grpc-web", "{}"),
            ("application/grpc;charset=utf-8", "{}"),
            ("application/json", "{}"),
            ("", "{}"),
        ] {
            assert_eq!(reply.body_for(Some(kind.as_bytes())), body.as_bytes(), "{kind}");
        }
        assert_eq!(reply.body_for(None), b"{}");
        let plain = Reply { grpc_message: None, ..reply };
        assert_eq!(plain.body_for(Some(b"application/grpc")), b"{}");
    }
}
