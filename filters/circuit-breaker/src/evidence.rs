//! What the end of an exchange tells of the upstream.
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
//! One timeout proves nothing: that of an answer which had begun. Envoy's clock also runs while a client does not
//! read, and ends both alike, so a few clients that read slowly would open the breaker for all.

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
}

/// How an exchange ended, asked for piece by piece: each costs a host call.
pub trait Ending {
    /// Whether Envoy's response-code details are these.
    fn has_details(&self, details: &[u8]) -> bool;
    /// The status that was sent; zero if none was.
    fn status(&self) -> u64;
    /// The gRPC status of the upstream's answer; none if it is no gRPC.
    fn grpc_status(&self) -> Option<u32>;
    /// Envoy's response flags.
    fn flags(&self) -> u64;
    /// Whether the upstream's answer had begun to go to the client; asked only of one that timed out.
    fn has_begun(&self) -> bool;
}

/// What this ending says, if these are failures.
///
/// **Cost**: reads the details, then either the status and looks for a gRPC status, or the flags.
pub fn judge(ending: &impl Ending, failures: Failures<'_>) -> Evidence {
    if ending.has_details(VIA_UPSTREAM) {
        let status = u16::try_from(ending.status()).unwrap_or(0);
        let has_failed = failures.status.contains(status)
            || ending.grpc_status().is_some_and(|status| failures.grpc.contains(status));
        return if has_failed { Evidence::Failure } else { Evidence::Success };
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
        flags if flags & TIMED_OUT != 0 && !ending.has_begun() => Evidence::Failure,
        _ => Evidence::Nothing,
    }
}

/// How long the upstream took to begin its answer, as Envoy's header `x-envoy-upstream-service-time` says it.
///
/// It neither counts how fast the client sends nor how fast it reads, so that no client can make an upstream slow.
/// **Source**: Envoy, HTTP header manipulation, "x-envoy-upstream-service-time".
pub fn service_time(millis: &[u8]) -> Option<Nanos> {
    let text = std::str::from_utf8(millis).ok()?;
    text.trim().parse().ok().map(Nanos::from_millis)
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
