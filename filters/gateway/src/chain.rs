//! Two filters, one behind the other, as one filter: Envoy's rules for a filter chain, in one context.
//!
//! - A request meets the outer filter first; a response the inner one.
//! - A filter that answers keeps the request from those further in, and its answer passes those further out.
//! - An answer made in the response phase goes straight to the client.
//! - The log phase reaches every filter, also those that never saw the request.
//!
//! A chain of more is a chain whose inner filter is a chain, never its outer one:
//! answers find their filter by the name of the outer.

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos};

/// `O` outside, nearer to the client; `I` inside, nearer to the upstream.
#[derive(Debug)]
pub struct Chain<O, I> {
    /// Sees requests first and responses last.
    pub outer: O,
    /// Sees requests last and responses first.
    pub inner: I,
}

/// What both filters remember of an exchange, and how far in its request came.
#[derive(Debug)]
pub struct Streams<O, I> {
    outer: O,
    inner: I,
    depth: Depth,
    /// Whether the request ended with its headers: the inner filter may learn it late, after a pause.
    end: bool,
}

impl<O: Default, I: Default> Default for Streams<O, I> {
    fn default() -> Self {
        Self { outer: O::default(), inner: I::default(), depth: Depth::None, end: false }
    }
}

/// How far in a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// No filter saw it: Envoy, or a filter before us, answered.
    None,
    /// The outer filter has it, or answered it.
    Outer,
    /// The inner filter saw it too.
    Inner,
}

impl<O: Filter, I: Filter> Chain<O, I> {
    /// The outer filter lets the request pass: the inner one is next.
    fn enter(&self, streams: &mut Streams<O::Stream, I::Stream>, x: &dyn Exchange) -> Flow {
        streams.depth = Depth::Inner;
        self.inner.on_request_headers(&mut streams.inner, x, streams.end)
    }

    /// A response step: the inner filter if it saw the request, then the outer one.
    fn outward(
        streams: &mut Streams<O::Stream, I::Stream>,
        inner: impl FnOnce(&mut I::Stream) -> Flow,
        outer: impl FnOnce(&mut O::Stream) -> Flow,
    ) -> Flow {
        let flow =
            if streams.depth == Depth::Inner { inner(&mut streams.inner) } else { Flow::Continue };
        match flow {
            Flow::Continue => outer(&mut streams.outer),
            Flow::Pause | Flow::Reply(_) => flow,
        }
    }
}

impl<O: Filter, I: Filter> Filter for Chain<O, I> {
    const NAME: &'static str = "chain";
    /// Requests too, whoever asks for them: they tell how far in a response begins.
    const CALLBACKS: Callbacks =
        O::CALLBACKS.union(I::CALLBACKS).union(Callbacks::of(&[Callback::RequestHeaders]));
    const TICK: Option<Nanos> = shorter(O::TICK, I::TICK);
    type Config = (O::Config, I::Config);
    type Stream = Streams<O::Stream, I::Stream>;

    fn read(fields: &mut Fields<'_>) -> Self::Config {
        (O::read(fields), I::read(fields))
    }

    fn new((outer, inner): Self::Config, host: &dyn Host) -> Self {
        Self { outer: O::new(outer, host), inner: I::new(inner, host) }
    }

    fn summary(&self) -> Vec<String> {
        [self.outer.summary(), self.inner.summary()].concat()
    }

    fn on_request_headers(&self, streams: &mut Self::Stream, x: &dyn Exchange, end: bool) -> Flow {
        streams.depth = Depth::Outer;
        streams.end = end;
        match self.outer.on_request_headers(&mut streams.outer, x, end) {
            Flow::Continue => self.enter(streams, x),
            flow @ (Flow::Pause | Flow::Reply(_)) => flow,
        }
    }

    fn on_request_body(
        &self,
        streams: &mut Self::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        match self.outer.on_request_body(&mut streams.outer, x, size, end) {
            Flow::Continue if streams.depth == Depth::Inner => {
                self.inner.on_request_body(&mut streams.inner, x, size, end)
            }
            flow @ (Flow::Continue | Flow::Pause | Flow::Reply(_)) => flow,
        }
    }

    fn on_response_headers(&self, streams: &mut Self::Stream, x: &dyn Exchange, end: bool) -> Flow {
        Self::outward(
            streams,
            |stream| self.inner.on_response_headers(stream, x, end),
            |stream| self.outer.on_response_headers(stream, x, end),
        )
    }

    fn on_response_body(
        &self,
        streams: &mut Self::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        Self::outward(
            streams,
            |stream| self.inner.on_response_body(stream, x, size, end),
            |stream| self.outer.on_response_body(stream, x, size, end),
        )
    }

    fn on_response_trailers(&self, streams: &mut Self::Stream, x: &dyn Exchange) -> Flow {
        Self::outward(
            streams,
            |stream| self.inner.on_response_trailers(stream, x),
            |stream| self.outer.on_response_trailers(stream, x),
        )
    }

    /// Inner first, so that the outer filter finds everybody's word in the decision record.
    fn on_log(&self, streams: &mut Self::Stream, x: &dyn Exchange) {
        self.inner.on_log(&mut streams.inner, x);
        self.outer.on_log(&mut streams.outer, x);
    }

    fn on_wake(&self, streams: &mut Self::Stream, x: &dyn Exchange) -> Flow {
        match streams.depth {
            Depth::None => Flow::Continue,
            Depth::Inner => self.inner.on_wake(&mut streams.inner, x),
            Depth::Outer => match self.outer.on_wake(&mut streams.outer, x) {
                Flow::Continue => self.enter(streams, x),
                flow @ (Flow::Pause | Flow::Reply(_)) => flow,
            },
        }
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        if id.filter == O::NAME {
            self.outer.on_answer(host, id, answer);
        } else {
            self.inner.on_answer(host, id, answer);
        }
    }

    fn on_tick(&self, host: &dyn Host) {
        if O::TICK.is_some() {
            self.outer.on_tick(host);
        }
        if I::TICK.is_some() {
            self.inner.on_tick(host);
        }
    }

    fn on_retire(&self, host: &dyn Host) {
        self.outer.on_retire(host);
        self.inner.on_retire(host);
    }
}

const fn shorter(a: Option<Nanos>, b: Option<Nanos>) -> Option<Nanos> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.0 < b.0 { a } else { b }),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => None,
    }
}
