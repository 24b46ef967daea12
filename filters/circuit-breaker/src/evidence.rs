//! What the end of an exchange tells of the upstream.
//!
//! Envoy says how an exchange ended in three ways: response flags (what went wrong), response-code details
//! (who answered) and the status. The flags come first: a client that leaves proves nothing, and a connect
//! failure, a reset or a timeout is the upstream's whatever status Envoy made of it.
//! Otherwise only an answer that came from the upstream counts; one made by Envoy or another filter does not.

use std::ops::RangeInclusive;

/// What the end of an exchange says of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It does well.
    Success,
    /// It fails.
    Failure,
    /// Nothing: the client left, or somebody else answered.
    Nothing,
}

/// Envoy's response flags, as bits: Envoy 1.40, `envoy/stream_info/stream_info.h`, `CoreResponseFlag`.
mod flag {
    /// `UH`: no healthy upstream host.
    pub(super) const NO_HEALTHY_UPSTREAM: u64 = 1 << 1;
    /// `UT`: upstream request timeout.
    pub(super) const UPSTREAM_TIMEOUT: u64 = 1 << 2;
    /// `LR`: the connection to the upstream was reset from this side.
    pub(super) const LOCAL_RESET: u64 = 1 << 3;
    /// `UR`: the upstream reset the request.
    pub(super) const UPSTREAM_RESET: u64 = 1 << 4;
    /// `UF`: connecting to the upstream failed.
    pub(super) const UPSTREAM_CONNECT_FAILURE: u64 = 1 << 5;
    /// `UC`: the upstream closed the connection.
    pub(super) const UPSTREAM_CLOSED: u64 = 1 << 6;
    /// `DC`: the client closed the connection.
    pub(super) const CLIENT_CLOSED: u64 = 1 << 14;
    /// `DPE`: the client broke the protocol.
    pub(super) const CLIENT_PROTOCOL: u64 = 1 << 18;
    /// `UMSDR`: the upstream's stream lasted longer than allowed.
    pub(super) const UPSTREAM_DURATION: u64 = 1 << 19;
    /// `UPE`: the upstream broke the protocol.
    pub(super) const UPSTREAM_PROTOCOL: u64 = 1 << 23;
    /// `DF`: the upstream's name did not resolve.
    pub(super) const DNS_FAILURE: u64 = 1 << 26;
    /// `DR`: the client reset the request.
    pub(super) const CLIENT_RESET: u64 = 1 << 28;
}

const CLIENT_LEFT: u64 = flag::CLIENT_CLOSED | flag::CLIENT_PROTOCOL | flag::CLIENT_RESET;

const UPSTREAM_FAILED: u64 = flag::NO_HEALTHY_UPSTREAM
    | flag::UPSTREAM_TIMEOUT
    | flag::LOCAL_RESET
    | flag::UPSTREAM_RESET
    | flag::UPSTREAM_CONNECT_FAILURE
    | flag::UPSTREAM_CLOSED
    | flag::UPSTREAM_DURATION
    | flag::UPSTREAM_PROTOCOL
    | flag::DNS_FAILURE;

/// The details of an answer that came from the upstream whole.
const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// How an exchange ended, asked for piece by piece: each costs a host call.
pub trait Ending {
    /// Envoy's response flags.
    fn flags(&self) -> u64;
    /// Envoy's response-code details; empty if there are none.
    fn has_details(&self, details: &[u8]) -> bool;
    /// The status that was sent; zero if none was.
    fn status(&self) -> u64;
}

/// What this ending says, if these statuses are failures.
///
/// **Cost**: reads the flags, then the details unless they decide, then the status unless those decide.
pub fn judge(ending: &impl Ending, failure_status: &[RangeInclusive<u16>]) -> Evidence {
    let flags = ending.flags();
    if flags & CLIENT_LEFT != 0 {
        return Evidence::Nothing;
    }
    if flags & UPSTREAM_FAILED != 0 {
        return Evidence::Failure;
    }
    if !ending.has_details(VIA_UPSTREAM) {
        return Evidence::Nothing;
    }
    let status = u16::try_from(ending.status()).unwrap_or(0);
    if failure_status.iter().any(|range| range.contains(&status)) {
        Evidence::Failure
    } else {
        Evidence::Success
    }
}
