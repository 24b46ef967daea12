//! Sets of defaults for kinds of services.

use kit::Nanos;
use kit::units::Ratio;

use crate::breaker::settings::Trip;

use super::bounds::DEFAULT_MIN_REQUESTS;

/// The defaults that a rule starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Failures in a row that open.
    pub consecutive: u32,
    /// The share of failures that opens.
    pub ratio: Trip,
    /// The window over time.
    pub window: Nanos,
    /// The first opening.
    pub open: Nanos,
    /// Successful probes that close.
    pub n_successes: u16,
}

/// Half of at least ten.
const HALF: Trip = Trip { threshold: Ratio::from_percent(50), min_requests: DEFAULT_MIN_REQUESTS };

/// For services of which nothing special is known: five failures are few enough to react at once and more than the
/// odd error, a minute is enough for most restarts, and one successful probe may be luck.
pub const STANDARD: Preset = Preset {
    consecutive: 5,
    ratio: HALF,
    window: Nanos::MINUTE,
    open: Nanos::MINUTE,
    n_successes: 2,
};

/// For what many others wait for, such as a database's API: half the time before the next look.
pub const QUICK: Preset = Preset { open: Nanos::from_secs(30), ..STANDARD };

/// For what can be done without for a while and fails now and then, such as a cache or a crawler: twice the failures.
pub const TOLERANT: Preset = Preset { consecutive: 10, open: Nanos::from_secs(30), ..STANDARD };

/// The words of `preset`.
pub const PRESETS: [(&str, Preset); 3] =
    [("standard", STANDARD), ("quick", QUICK), ("tolerant", TOLERANT)];
