//! What a rule says of its breakers: when they open, for how long, how they are probed, and how traffic returns.

use kit::Nanos;
use kit::units::Ratio;

use super::backoff::OpenTime;
use super::shedding::Shedding;
use super::window::Span;

/// When a breaker changes its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// So many failures in a row open it.
    pub consecutive: Option<u32>,
    /// This share of failures opens it.
    pub ratio: Option<Trip>,
    /// This share of slow calls opens it.
    pub slow: Option<Slow>,
    /// The requests of which the shares are taken.
    pub window: Span,
    /// Whether and how it rejects a share instead of all.
    pub shedding: Option<Shedding>,
    /// How long it stays open.
    pub open: OpenTime,
    /// How it is probed.
    pub probes: Probing,
    /// How traffic returns once it has closed; none: at once.
    pub ramp: Option<Ramp>,
}

/// A share of bad calls among enough requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// The share from which on it opens.
    pub threshold: Ratio,
    /// With fewer requests than this in the window the share says nothing.
    pub min_requests: u32,
}

impl Trip {
    /// Whether so many of so many are too many.
    pub fn is_reached_by(self, n_bad: u32, n_ended: u32) -> bool {
        n_ended >= self.min_requests
            && self.threshold.is_reached_by(u64::from(n_bad), u64::from(n_ended))
    }
}

/// What a slow call is, and how many of them are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// A call whose answer begins after this is slow.
    pub duration: Nanos,
    /// How many are too many.
    pub trip: Trip,
}

/// How a half-open breaker is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probing {
    /// Probes at a time, over all workers; at most [`super::permits::MAX_AT_ONCE`].
    pub at_once: u8,
    /// Successes that close it.
    pub n_successes: u16,
    /// Failures that open it again.
    pub n_failures: u16,
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
    /// None of a client's: the filter sends its own.
    Own,
}

/// How traffic returns: a share of it in each step, the steps of equal length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramp {
    /// From the first step to the end of the last.
    pub time: Nanos,
    /// The share that passes in each step; never empty.
    pub shares: Box<[Ratio]>,
    /// So many failures in a row are a relapse.
    pub n_failures: u32,
}

impl Ramp {
    /// The share that passes so long after the start; none once it is over.
    pub fn share(&self, elapsed: Nanos) -> Option<Ratio> {
        if elapsed >= self.time {
            return None;
        }
        let n_shares = u128::try_from(self.shares.len()).unwrap_or(1);
        let passed = u128::from(elapsed.0).saturating_mul(n_shares);
        let idx = passed.checked_div(u128::from(self.time.0)).unwrap_or(0);
        self.shares.get(usize::try_from(idx).unwrap_or(0)).copied()
    }
}
