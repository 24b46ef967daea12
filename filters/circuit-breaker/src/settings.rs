//! What a rule says of its breakers: when they open, for how long, and how they are probed.

use kit::Nanos;
use kit::units::Ratio;

use crate::backoff::OpenTime;

/// When a breaker changes its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// So many failures in a row open it.
    pub consecutive: Option<u32>,
    /// This share of failures opens it.
    pub ratio: Option<RatioTrip>,
    /// The time over which the share is taken.
    pub window: Nanos,
    /// How long it stays open.
    pub open: OpenTime,
    /// How it is probed.
    pub probes: Probing,
}

/// A share of failures among enough requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatioTrip {
    /// The share from which on it opens.
    pub threshold: Ratio,
    /// With fewer requests than this in the window the share says nothing.
    pub min_requests: u32,
}

/// How a half-open breaker is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probing {
    /// Probes at a time, over all workers; at most [`crate::permits::MAX_AT_ONCE`].
    pub at_once: u8,
    /// Successes that close it.
    pub n_successes: u16,
    /// How long a probe may be out before another may go.
    pub lease: Nanos,
    /// Which requests may be probes.
    pub methods: ProbeMethods,
}

/// Which requests may be probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProbeMethods {
    /// Safe ones; any, once one probe succeeded or no safe one has come for as long as the base open time.
    #[default]
    SafeFirst,
    /// Safe ones; a service that gets no other requests then stays open.
    SafeOnly,
    /// Any.
    Any,
}
