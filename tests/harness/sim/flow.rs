//! The filter manager's part: callbacks in Envoy's order, and what their results do to a stream.

use super::exchange::{Exchange, Held, Phase, Side};
use super::headers::Headers;
use super::outcome::{Action, Received, Trap};
use super::reply;
use super::vm::VmState;

/// A direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Response,
}

impl VmState {
    pub(crate) fn request_headers(&mut self, id: u32, end: bool) {
        if self.create(id).is_some() {
            self.headers(id, Way::Request, end);
        }
    }

    pub(crate) fn response_headers(&mut self, id: u32, headers: Headers, end: bool) {
        if let Some(stream) = self.stream(id)
            && !stream.settled
        {
            stream.response.headers = headers;
            self.headers(id, Way::Response, end);
        }
    }

    fn headers(&mut self, id: u32, way: Way, end: bool) {
        let Some(stream) = self.stream(id) else { return };
        stream.phase = way.phases().0;
        let side = stream.side(way);
        (side.headers_open, side.end) = (true, end);
        let count = u32::try_from(side.headers.len()).unwrap_or(u32::MAX);
        let result = self.enter_stream(way.callbacks().0, id, &[id, count, u32::from(end)]);
        let Some(action) = self.judge(id, &result) else { return };
        if let Some(stream) = self.stream(id) {
            if way == Way::Request {
                stream.action = action;
            }
            let side = stream.side(way);
            match action {
                Action::Continue => (side.headers_open, side.headers_sent) = (false, true),
                Action::Pause => side.held = Held::Headers,
            }
        }
        self.settle();
    }

    pub(crate) fn body(&mut self, id: u32, way: Way, piece: &[u8], end: bool) {
        let Some(stream) = self.stream(id).filter(|stream| !stream.settled) else { return };
        stream.phase = way.phases().1;
        let side = stream.side(way);
        side.arrived += piece.len() as u64;
        side.buffer.extend_from_slice(piece);
        (side.buffer_open, side.end) = (true, end);
        let size = u32::try_from(side.buffer.len()).unwrap_or(u32::MAX);
        let result = self.enter_stream(way.callbacks().1, id, &[id, size, u32::from(end)]);
        self.after_piece(id, way, &result);
    }

    pub(crate) fn trailers(&mut self, id: u32, way: Way, trailers: Headers) {
        let Some(stream) = self.stream(id).filter(|stream| !stream.settled) else { return };
        stream.phase = way.phases().1;
        let side = stream.side(way);
        side.trailers = trailers;
        side.trailers_open = true;
        let count = u32::try_from(side.trailers.len()).unwrap_or(u32::MAX);
        let result = self.enter_stream(way.callbacks().2, id, &[id, count]);
        self.after_piece(id, way, &result);
    }

    fn after_piece(&mut self, id: u32, way: Way, result: &Result<Option<i32>, Trap>) {
        let Some(action) = self.judge(id, result) else { return };
        if let Some(stream) = self.stream(id) {
            let side = stream.side(way);
            match action {
                Action::Continue => side.release(),
                Action::Pause => side.held = Held::Body,
            }
        }
        self.settle();
    }

    /// The access log, then the end of the context.
    pub(crate) fn finish(&mut self, id: u32) -> Option<Exchange> {
        self.compose(id);
        let created = self.stream(id)?.phase > Phase::Fresh || self.create(id).is_some();
        if created {
            self.enter_last("proxy_on_log", id, Phase::Log);
            self.enter_last("proxy_on_done", id, Phase::Done);
            self.enter_last("proxy_on_delete", id, Phase::Done);
        }
        let stream = self.host().streams.remove(&id);
        self.bury_retired_roots();
        stream
    }

    /// Does what callbacks asked for and Envoy defers: resumes, then replies.
    pub(crate) fn settle(&mut self) {
        self.host().stopped = false;
        for (id, request) in std::mem::take(&mut self.host().resumed) {
            let way = if request { Way::Request } else { Way::Response };
            if let Some(stream) = self.stream(id) {
                stream.side(way).release();
            }
        }
        let asked: Vec<u32> = self
            .host()
            .streams
            .iter()
            .filter(|(_, stream)| stream.asked.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in asked {
            self.reply(id);
        }
    }

    fn reply(&mut self, id: u32) {
        let Some(stream) = self.stream(id) else { return };
        let Some(reply) = stream.asked.take() else { return };
        stream.details.clone_from(&reply.details);
        stream.reply = Some(reply.clone());
        let response = reply::render(&reply, &stream.request.headers);
        if stream.response.headers_sent {
            stream.reset = true;
            stream.settled = true;
        } else if stream.phase >= Phase::ResponseHeaders {
            stream.received = response;
            stream.settled = true;
        } else {
            self.send_own_response(id, response);
        }
    }

    /// A reply made in the request phase comes back through this filter's response callbacks.
    fn send_own_response(&mut self, id: u32, response: Received) {
        let Received { headers, body, .. } = response;
        self.response_headers(id, headers, body.is_empty());
        let open = self.stream(id).is_some_and(|stream| {
            !stream.settled && stream.response.held == Held::Nothing && stream.response.headers_sent
        });
        if open && !body.is_empty() {
            self.body(id, Way::Response, &body, true);
        }
        let done = self.stream(id).is_some_and(|stream| {
            !stream.settled && stream.response.held == Held::Nothing && stream.response.headers_sent
        });
        if done {
            self.compose(id);
        }
    }

    /// Fixes what the client gets, from what has left the filter.
    pub(crate) fn compose(&mut self, id: u32) {
        let Some(stream) = self.stream(id).filter(|stream| !stream.settled) else { return };
        let side = &mut stream.response;
        if !side.headers_sent {
            return;
        }
        let status = side.headers.text(":status").and_then(|status| status.parse().ok());
        stream.received = Received {
            status: status.unwrap_or(0),
            headers: side.headers.clone(),
            body: std::mem::take(&mut side.sent),
            trailers: side.trailers.clone(),
        };
        stream.settled = true;
    }

    /// Turns a callback's result into an action; a trap ends the stream as Envoy ends it.
    fn judge(&mut self, id: u32, result: &Result<Option<i32>, Trap>) -> Option<Action> {
        let stopped = std::mem::take(&mut self.host().stopped);
        match result {
            Ok(Some(0) | None) if !stopped => Some(Action::Continue),
            Ok(_) => Some(Action::Pause),
            Err(_) => {
                self.fail(id);
                None
            }
        }
    }

    /// Envoy's answer to a stream whose VM is lost: 503 while it can, else a reset.
    fn fail(&mut self, id: u32) {
        let Some(stream) = self.stream(id).filter(|stream| !stream.settled) else { return };
        stream.settled = true;
        stream.asked = None;
        "wasm_fail_stream".clone_into(&mut stream.details);
        if stream.response.headers_sent {
            stream.reset = true;
        } else {
            stream.received = reply::failed();
        }
    }

    /// Makes the guest's context; `None` when the VM is lost.
    fn create(&mut self, id: u32) -> Option<()> {
        let root = self.stream(id)?.root;
        match self.enter_stream("proxy_on_context_create", id, &[id, root]) {
            Ok(_) => Some(()),
            Err(_) => {
                self.fail(id);
                None
            }
        }
    }

    fn enter_last(&mut self, callback: &'static str, id: u32, phase: Phase) {
        if let Some(stream) = self.stream(id) {
            stream.phase = phase;
        }
        // A trap here changes nothing for the client; it stays on record in the stream and the VM.
        let ended = self.enter_stream(callback, id, &[id]);
        debug_assert!(
            ended.is_ok() || self.trap.is_some() || self.stream(id).is_some_and(|s| s.lost)
        );
        self.settle();
    }

    fn enter_stream(
        &mut self,
        callback: &'static str,
        id: u32,
        args: &[u32],
    ) -> Result<Option<i32>, Trap> {
        let alive = self.trap.is_none();
        if self.stream(id).is_some_and(|stream| stream.lost) {
            return Err(Trap { callback, message: "the VM was reloaded".to_owned() });
        }
        let result = self.enter(callback, id, args);
        if let Err(trap) = &result
            && alive
            && let Some(stream) = self.stream(id)
        {
            stream.trap = Some(trap.clone());
        }
        result
    }

    pub(crate) fn stream(&mut self, id: u32) -> Option<&mut Exchange> {
        self.host().streams.get_mut(&id)
    }
}

impl Way {
    const fn phases(self) -> (Phase, Phase) {
        match self {
            Self::Request => (Phase::RequestHeaders, Phase::RequestBody),
            Self::Response => (Phase::ResponseHeaders, Phase::ResponseBody),
        }
    }

    const fn callbacks(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Request => {
                ("proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers")
            }
            Self::Response => (
                "proxy_on_response_headers",
                "proxy_on_response_body",
                "proxy_on_response_trailers",
            ),
        }
    }
}

impl Exchange {
    pub(crate) fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Request => &mut self.request,
            Way::Response => &mut self.response,
        }
    }
}

impl Side {
    /// Lets everything that was held leave the filter.
    fn release(&mut self) {
        self.sent.append(&mut self.buffer);
        (self.headers_open, self.buffer_open, self.trailers_open) = (false, false, false);
        self.held = Held::Nothing;
        self.headers_sent = true;
    }
}
