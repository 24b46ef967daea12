//! What an exchange tells of the upstream: when its answer begins, and when it ends.
//!
//! Evidence is taken when the answer begins, so that neither a stream that lasts for hours nor a client that does not
//! read keeps it back. The end of an answer that has begun well adds a failure only if the upstream is the cause: it
//! closed or reset the stream, broke the protocol, or says so in gRPC trailers. Of a 101 (Switching Protocols) and of a
//! tunnel (CONNECT), the end says nothing: whoever hangs up first is a matter of the protocol inside.
//!
//! Envoy says how an exchange ended in three ways: response-code details (who answered), response flags
//! (what went wrong) and the status. The details come first: `via_upstream` is what they say of an answer that
//! came from the upstream and went to the client whole, and of no other; then the status decides.
//! (Measured on Envoy 1.40: a connection cut in the body, a timeout there and a client that leaves there
//! all replace the details, though the status stays 200.)
//! A gRPC call says how it ended by its own status, in the trailers, or in the headers if it has nothing else to say.
//! Otherwise the flags decide: a client that left proves nothing, a failed connect, a reset or a timeout is
//! the upstream's whatever status Envoy made of it, and what is left was answered by Envoy or another filter.
//!
//! A response cache in front of the breaker may put an answer of its own in the place of the upstream's, and Envoy then
//! tells of that one. Its details say what the upstream did: a stored response in the place of an error hides a
//! failure, or the breaker would never open while something stale is served; a stored response that the upstream has
//! just confirmed is a success.
//!
//! Two timeouts prove nothing. One is that of an answer which had begun: Envoy's clock also runs while a client does
//! not read, and ends both alike, so a few clients that read slowly would open the breaker for all. The other is a
//! deadline that the client chose.

pub mod deadline;
mod grpc;

use kit::Nanos;
use kit::status::Statuses;

pub use grpc::GrpcStatuses;

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

const TIMED_OUT: u64 = flag::UPSTREAM_TIMEOUT | flag::UPSTREAM_DURATION;

const UPSTREAM_FAILED: u64 = flag::NO_HEALTHY_UPSTREAM
    | flag::LOCAL_RESET
    | flag::UPSTREAM_RESET
    | flag::UPSTREAM_CONNECT_FAILURE
    | flag::UPSTREAM_CLOSED
    | flag::UPSTREAM_PROTOCOL
    | flag::DNS_FAILURE;

/// The upstream ended an answer that had begun.
const BROKEN_BY_UPSTREAM: u64 =
    flag::UPSTREAM_RESET | flag::UPSTREAM_CLOSED | flag::UPSTREAM_PROTOCOL;

/// The gRPC status DEADLINE_EXCEEDED.
const GRPC_DEADLINE_EXCEEDED: u32 = 4;

/// The details of an answer that came from the upstream whole.
const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// The details of a cache's answer in the place of an error of the upstream.
pub const CACHE_HID_ERROR: &str = "weir_cache_stale_if_error";
/// The details of a cache's answer that the upstream has just confirmed.
pub const CACHE_CONFIRMED: &str = "weir_cache_revalidated";
/// The statuses that a cache may hide: RFC 5861, section 4.
const HIDDEN_BY_CACHE: [u16; 4] = [500, 502, 503, 504];

/// What counts as a failure.
#[derive(Debug, Clone, Copy)]
pub struct Failures<'a> {
    /// These statuses.
    pub status: &'a Statuses,
    /// These gRPC statuses.
    pub grpc: &'a GrpcStatuses,
    /// These statuses say nothing.
    pub ignored_status: &'a Statuses,
    /// These gRPC statuses say nothing.
    pub ignored_grpc: &'a GrpcStatuses,
}

impl Failures<'_> {
    /// What an answer of the upstream says; one for which a client's deadline had passed does not fail by its lateness.
    fn judge(self, status: u16, grpc_status: Option<u32>, is_past_deadline: bool) -> Evidence {
        let is_ignored = self.ignored_status.contains(status)
            || grpc_status.is_some_and(|status| self.ignored_grpc.contains(status));
        let is_failed = self.status.contains(status)
            || grpc_status.is_some_and(|status| self.grpc.contains(status));
        let is_deadline = status == 504 || grpc_status == Some(GRPC_DEADLINE_EXCEEDED);
        match () {
            () if is_ignored => Evidence::Nothing,
            () if is_failed && is_deadline && is_past_deadline => Evidence::Nothing,
            () if is_failed => Evidence::Failure,
            () => Evidence::Success,
        }
    }

    /// Whether the gRPC status in an answer's trailers is a failure.
    pub fn is_failed_by_trailers(self, grpc_status: u32, is_past_deadline: bool) -> bool {
        self.judge(200, Some(grpc_status), is_past_deadline) == Evidence::Failure
    }
}

/// How an exchange stands, asked for piece by piece: each costs a host call.
pub trait Ending {
    /// Whether Envoy's response-code details are these.
    fn has_details(&self, details: &[u8]) -> bool;
    /// The status of the answer; zero if there is none.
    fn status(&self) -> u64;
    /// The gRPC status of the upstream's answer; none if it is no gRPC.
    fn grpc_status(&self) -> Option<u32>;
    /// Envoy's response flags.
    fn flags(&self) -> u64;
    /// Whether the upstream's answer had begun to go to the client; asked only of one that timed out.
    fn has_begun(&self) -> bool;
    /// Whether the client chose a deadline, and it has passed.
    fn is_past_deadline(&self) -> bool;
}

/// What the beginning of an answer says, or an ending before one, if these are failures.
///
/// **Cost**: reads the details, then either the status and looks for a gRPC status, or the flags.
pub fn judge(ending: &impl Ending, failures: Failures<'_>) -> Evidence {
    if ending.has_details(VIA_UPSTREAM) {
        let status = u16::try_from(ending.status()).unwrap_or(0);
        return failures.judge(status, ending.grpc_status(), ending.is_past_deadline());
    }
    if ending.has_details(CACHE_CONFIRMED.as_bytes()) {
        return Evidence::Success;
    }
    let has_hidden = ending.has_details(CACHE_HID_ERROR.as_bytes());
    match ending.flags() {
        flags if has_hidden && flags & (UPSTREAM_FAILED | TIMED_OUT) != 0 => Evidence::Failure,
        // The upstream answered, and which of these it was nobody knows any more.
        _ if has_hidden
            && HIDDEN_BY_CACHE.iter().any(|status| failures.status.contains(*status)) =>
        {
            Evidence::Failure
        }
        flags if flags & CLIENT_LEFT != 0 => Evidence::Nothing,
        flags if flags & UPSTREAM_FAILED != 0 => Evidence::Failure,
        flags if flags & TIMED_OUT != 0 && !ending.has_begun() && !ending.is_past_deadline() => {
            Evidence::Failure
        }
        _ => Evidence::Nothing,
    }
}

/// Whether these flags say that the upstream broke off an answer that had begun.
pub const fn is_broken_by_upstream(flags: u64) -> bool {
    flags & CLIENT_LEFT == 0 && flags & BROKEN_BY_UPSTREAM != 0
}

/// How long an upstream asks to be left alone: `Retry-After` in seconds; a date needs the wall clock.
///
/// **Source**: RFC 9110, section 10.2.3.
pub fn retry_after(value: &[u8], wall: impl FnOnce() -> Nanos) -> Option<Nanos> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Nanos::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Nanos::from_secs(since.as_secs()).saturating_sub(wall()))
}
