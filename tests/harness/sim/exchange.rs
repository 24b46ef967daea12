//! One stream as the host keeps it: which maps and buffers a guest can reach in which phase.
//!
//! Source: `Context` in Envoy's `source/extensions/common/wasm/context.cc`,
//! whose pointers to the maps are set for a callback and cleared when it returns Continue.

use std::collections::BTreeMap;

use super::cost::Cost;
use super::headers::Headers;
use super::outcome::{Action, LocalReply, LogLine, Received, Trap};
use super::request::Request;
use super::status::Status;

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The context does not exist yet.
    Fresh,
    /// Request headers.
    RequestHeaders,
    /// Request body and trailers.
    RequestBody,
    /// Response headers.
    ResponseHeaders,
    /// Response body and trailers.
    ResponseBody,
    /// The access log; all header maps are back, for reading.
    Log,
    /// After the log; header maps are gone.
    Done,
}

/// What a direction of a stream waits with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything from the headers on.
    Headers,
    /// The body, which piles up in the buffer.
    Body,
}

/// One direction of a stream.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) headers: Headers,
    pub(crate) headers_open: bool,
    pub(crate) buffer: Vec<u8>,
    pub(crate) buffer_open: bool,
    pub(crate) trailers: Headers,
    pub(crate) trailers_open: bool,
    /// Body bytes that left the filter.
    pub(crate) sent: Vec<u8>,
    /// Body bytes that arrived.
    pub(crate) arrived: u64,
    pub(crate) end: bool,
    pub(crate) held: Held,
    /// The headers have left the filter.
    pub(crate) headers_sent: bool,
}

/// One stream.
pub(crate) struct Exchange {
    pub(crate) root: u32,
    pub(crate) phase: Phase,
    pub(crate) request: Side,
    pub(crate) response: Side,
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) started: u64,
    pub(crate) flags: u64,
    pub(crate) details: String,
    pub(crate) forwarded: bool,
    pub(crate) reset: bool,
    /// The client's response is settled; nothing that the filter does changes it.
    pub(crate) settled: bool,
    /// Its VM is gone.
    pub(crate) lost: bool,
    /// The client left before it had a response.
    pub(crate) left: bool,
    /// A reply that a callback asked for and that the host has not sent yet.
    pub(crate) asked: Option<LocalReply>,
    pub(crate) reply: Option<LocalReply>,
    pub(crate) received: Received,
    pub(crate) action: Action,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) cost: Cost,
    pub(crate) trap: Option<Trap>,
}

impl Exchange {
    pub(crate) fn new(root: u32, request: &Request, now: u64) -> Self {
        let side = Side {
            headers: request.headers.clone(),
            trailers: request.trailers.clone(),
            ..Side::default()
        };
        Self {
            root,
            phase: Phase::Fresh,
            request: side,
            response: Side::default(),
            properties: request.properties.clone(),
            filter_state: BTreeMap::new(),
            started: now,
            flags: 0,
            details: String::new(),
            forwarded: false,
            reset: false,
            settled: false,
            lost: false,
            left: false,
            asked: None,
            reply: None,
            received: Received::default(),
            action: Action::Continue,
            logs: Vec::new(),
            cost: Cost::default(),
            trap: None,
        }
    }

    /// The map with the number that the ABI gives it, for reading.
    ///
    /// # Errors
    /// [`Status::BadArgument`] when the map is not available in this phase.
    pub(crate) fn map(&self, map: i32) -> Result<&Headers, Status> {
        let log = self.phase == Phase::Log;
        let side = if map < 2 { &self.request } else { &self.response };
        match map {
            0 | 2 if log || side.headers_open => Ok(&side.headers),
            1 | 3 if log || side.trailers_open => Ok(&side.trailers),
            _ => Err(Status::BadArgument),
        }
    }

    /// The same map for changing: never in the access log; trailers can be added at a body's end.
    ///
    /// # Errors
    /// [`Status::BadArgument`] when the map is not available in this phase.
    pub(crate) fn map_mut(&mut self, map: i32) -> Result<&mut Headers, Status> {
        let side = if map < 2 { &mut self.request } else { &mut self.response };
        match map {
            0 | 2 if side.headers_open => Ok(&mut side.headers),
            1 | 3 if side.trailers_open || (side.buffer_open && side.end) => {
                side.trailers_open = true;
                Ok(&mut side.trailers)
            }
            _ => Err(Status::BadArgument),
        }
    }

    /// Status that the client gets, or would get, so far.
    pub(crate) fn status(&self) -> Option<u16> {
        if self.received.status != 0 {
            return Some(self.received.status);
        }
        self.response.headers.text(":status").and_then(|status| status.parse().ok())
    }
}

/// Replaces a part of a buffer the way Envoy does: all of it, before it, or after it.
///
/// # Errors
/// [`Status::BadArgument`] for a part in the middle.
pub(crate) fn splice(
    buffer: &mut Vec<u8>,
    start: usize,
    size: usize,
    new: &[u8],
) -> Result<(), Status> {
    match (start, size) {
        (0, 0) => drop(buffer.splice(..0, new.iter().copied())),
        (0, size) if size >= buffer.len() => *buffer = new.to_vec(),
        (start, _) if start > 0 && start >= buffer.len() => buffer.extend_from_slice(new),
        _ => return Err(Status::BadArgument),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(phase: Phase) -> Exchange {
        let mut exchange = Exchange::new(1, &Request::get("/"), 0);
        exchange.phase = phase;
        exchange
    }

    #[test]
    fn request_headers_are_gone_after_continue_and_back_in_the_log() {
        let mut exchange = at(Phase::ResponseHeaders);
        assert_eq!(exchange.map(0), Err(Status::BadArgument));
        assert_eq!(exchange.map_mut(0), Err(Status::BadArgument));
        exchange.phase = Phase::Log;
        assert!(exchange.map(0).is_ok());
        assert_eq!(exchange.map_mut(0), Err(Status::BadArgument));
    }

    #[test]
    fn trailers_can_be_added_at_the_end_of_a_body_only() {
        let mut exchange = at(Phase::ResponseBody);
        exchange.response.buffer_open = true;
        assert_eq!(exchange.map_mut(3), Err(Status::BadArgument));
        exchange.response.end = true;
        assert!(exchange.map_mut(3).is_ok());
    }

    #[test]
    fn a_buffer_is_replaced_as_a_whole_or_extended() {
        let mut buffer = b"abc".to_vec();
        assert_eq!(splice(&mut buffer, 0, 2, b"x"), Err(Status::BadArgument));
        assert_eq!(splice(&mut buffer, 1, 1, b"x"), Err(Status::BadArgument));
        splice(&mut buffer, 0, 0, b"<").unwrap();
        splice(&mut buffer, 4, 0, b">").unwrap();
        assert_eq!(buffer, b"<abc>");
        splice(&mut buffer, 0, 9, b"new").unwrap();
        assert_eq!(buffer, b"new");
    }
}
