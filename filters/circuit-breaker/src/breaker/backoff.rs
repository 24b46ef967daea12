//! How long a breaker stays open.
//!
//! The first opening lasts the base time; each further one twice as long as the one before, up to a cap.
//! Chance lengthens it a little, so that the breakers of many gateways do not probe one upstream in step;
//! it never shortens it, so that no probe comes before the promised time.
//! The steps are undone only by success: see [`super`].

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;
use kit::units::Ratio;

/// Steps beyond this change nothing: two to its power exceeds every allowed ratio of cap to base.
pub const MAX_STEPS: u8 = 40;

/// The lengths of openings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTime {
    /// Of the first opening.
    pub base: Nanos,
    /// Of the longest, before chance is added.
    pub max: Nanos,
    /// The largest share of the length that chance adds.
    pub jitter: Ratio,
}

impl OpenTime {
    /// The length of the opening that follows `n_opens` others, without chance.
    pub fn plain(&self, n_opens: u8) -> Nanos {
        let factor = 1_u64.checked_shl(u32::from(n_opens.min(MAX_STEPS))).unwrap_or(u64::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }

    /// The same with chance: `luck` is any number, all equally likely.
    pub fn lucky(&self, n_opens: u8, luck: u64) -> Nanos {
        let plain = self.plain(n_opens);
        let most = self.jitter.of(plain.0);
        let share = u128::from(most).saturating_mul(u128::from(luck)) >> 64;
        plain.saturating_add(Nanos(u64::try_from(share).unwrap_or(most)))
    }
}
