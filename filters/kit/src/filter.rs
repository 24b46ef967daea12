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
    const ROUTINE: Option<&'static str> = None;

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
}

impl Reply {
    /// The flow that ends with this answer.
    pub fn into_flow(self) -> Flow {
        Flow::Reply(Box::new(self))
    }
}
