//! A stream in a test's hands: phase by phase, or to its end against a scripted upstream.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use super::exchange::{Exchange, Held};
use super::flow::Way;
use super::headers::Headers;
use super::outcome::{Action, Ended, LocalReply, Outcome};
use super::request::{Request, Response, Upstream};
use super::vm::VmState;
use super::world::World;

/// How long Envoy keeps an idle stream (`stream_idle_timeout`'s default) before it gives up.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// A request on its way through one VM.
pub struct Stream {
    vm: Rc<RefCell<VmState>>,
    id: u32,
    request: Request,
    pieces_given: usize,
}

impl Stream {
    pub(crate) fn new(vm: Rc<RefCell<VmState>>, request: Request) -> Self {
        let id = vm.borrow_mut().open(&request);
        Self { vm, id, request, pieces_given: 0 }
    }

    /// The context id that guests use for this stream.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Runs the whole exchange; the upstream is asked only if the request reaches it.
    pub fn run(mut self, upstream: impl FnOnce() -> Upstream) -> Outcome {
        self.request_headers();
        self.complete(upstream)
    }

    /// Runs the whole exchange against an upstream that answers 200 with `body`.
    pub fn run_ok(self, body: &str) -> Outcome {
        self.run(|| Upstream::ok(body))
    }

    /// Runs what is left after [`Stream::request_headers`].
    pub fn complete(mut self, upstream: impl FnOnce() -> Upstream) -> Outcome {
        if self.wait(Way::Request) && !self.settled() {
            self.rest_of_request();
        }
        if self.wait(Way::Request) && !self.settled() {
            self.forward(upstream());
        }
        self.finish()
    }

    /// Request headers; says whether the filter lets the stream go on.
    pub fn request_headers(&mut self) -> Action {
        let end = self.request.body.is_empty() && self.request.trailers.is_empty();
        self.vm().request_headers(self.id, end);
        self.action(Way::Request)
    }

    /// The next piece of the request body; the last one has `end`.
    pub fn request_body(&mut self, piece: &[u8], end: bool) -> Action {
        self.pieces_given += 1;
        self.vm().body(self.id, Way::Request, piece, end);
        self.action(Way::Request)
    }

    /// Response headers from the upstream.
    pub fn response_headers(&mut self, headers: Headers, end: bool) -> Action {
        self.with(|stream| {
            stream.forwarded = true;
            "via_upstream".clone_into(&mut stream.details);
        });
        self.vm().response_headers(self.id, headers, end);
        self.action(Way::Response)
    }

    /// A piece of the response body.
    pub fn response_body(&mut self, piece: &[u8], end: bool) -> Action {
        self.vm().body(self.id, Way::Response, piece, end);
        self.action(Way::Response)
    }

    /// Response trailers.
    pub fn response_trailers(&mut self, trailers: Headers) -> Action {
        self.vm().trailers(self.id, Way::Response, trailers);
        self.action(Way::Response)
    }

    /// The filter's own answer so far.
    #[must_use]
    pub fn reply(&self) -> Option<LocalReply> {
        self.with(|stream| stream.reply.clone())
    }

    /// Whether the filter holds the stream in either direction.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.settled()
            && self.with(|s| s.request.held != Held::Nothing || s.response.held != Held::Nothing)
    }

    /// Ends the stream where it is: access log, done, delete.
    pub fn finish(self) -> Outcome {
        let hung = self.is_held();
        let stream = self.vm().finish(self.id);
        outcome(stream.expect("a stream ends once"), hung)
    }

    /// Runs only the access log, as for a request that an earlier filter or Envoy itself answered.
    pub fn log_only(self, response: Response) -> Outcome {
        self.with(|stream| {
            stream.response.headers = response.headers;
            stream.response.headers_sent = true;
            "rejected_earlier".clone_into(&mut stream.details);
        });
        self.finish()
    }

    fn rest_of_request(&mut self) {
        let pieces: Vec<_> = self.request.body.iter().skip(self.pieces_given).cloned().collect();
        let trailers = self.request.trailers.clone();
        let has_body = !self.request.body.is_empty();
        for piece in pieces {
            self.request_body(&piece, false);
        }
        if !trailers.is_empty() {
            self.vm().trailers(self.id, Way::Request, trailers);
        } else if has_body {
            self.request_body(b"", true);
        }
    }

    fn forward(&mut self, upstream: Upstream) {
        let reached =
            matches!(upstream, Upstream::Answers(_) | Upstream::Reset | Upstream::Timeout);
        let Some((response, details, flags)) = upstream.resolve() else {
            return self.with(|stream| {
                stream.left = true;
                stream.flags = 0x4000;
                "downstream_remote_disconnect".clone_into(&mut stream.details);
            });
        };
        self.world().advance(response.latency);
        self.with(|stream| {
            stream.forwarded = reached;
            stream.flags = flags;
            details.clone_into(&mut stream.details);
        });
        self.respond(response);
    }

    fn respond(&mut self, response: Response) {
        let head = self.request.headers.get(":method") == Some(b"HEAD");
        let end = head || (response.body.is_empty() && response.trailers.is_empty());
        self.vm().response_headers(self.id, response.headers, end);
        if end || !self.wait(Way::Response) || self.settled() {
            return;
        }
        for piece in &response.body {
            self.vm().body(self.id, Way::Response, piece, false);
        }
        if response.trailers.is_empty() {
            self.vm().body(self.id, Way::Response, b"", true);
        } else {
            self.vm().trailers(self.id, Way::Response, response.trailers);
        }
        self.wait(Way::Response);
    }

    /// Lets the world go on until the direction is free or settled; false when it never is.
    fn wait(&mut self, way: Way) -> bool {
        let world = self.world();
        let deadline = world.now() + super::world::nanos(IDLE_TIMEOUT);
        loop {
            if self.settled() || self.with(|stream| stream.side(way).held == Held::Nothing) {
                return true;
            }
            world.settle();
            if self.settled() || self.with(|stream| stream.side(way).held == Held::Nothing) {
                return true;
            }
            match world.next_due() {
                Some(step) if world.now() + super::world::nanos(step) <= deadline => {
                    world.advance(step)
                }
                _ => return false,
            }
        }
    }

    fn settled(&self) -> bool {
        self.with(|stream| stream.settled)
    }

    fn action(&self, way: Way) -> Action {
        let held = self.with(|stream| stream.settled || stream.side(way).held != Held::Nothing);
        if held { Action::Pause } else { Action::Continue }
    }

    fn vm(&self) -> RefMut<'_, VmState> {
        self.vm.borrow_mut()
    }

    fn world(&self) -> World {
        self.vm().host().world.clone()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Exchange) -> T) -> T {
        act(self.vm().stream(self.id).expect("a stream lives until it is finished"))
    }
}

fn outcome(stream: Exchange, hung: bool) -> Outcome {
    let ended = if stream.reset {
        Ended::Reset
    } else if stream.left {
        Ended::Left
    } else if hung {
        Ended::Hung
    } else {
        Ended::Answered
    };
    Outcome {
        action: stream.action,
        reply: stream.reply,
        forwarded: stream.forwarded,
        request_headers: stream.request.headers,
        request_body: stream.request.sent,
        response: stream.received,
        ended,
        logs: stream.logs,
        cost: stream.cost,
        trap: stream.trap,
    }
}
