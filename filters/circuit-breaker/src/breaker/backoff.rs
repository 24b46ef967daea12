//! How long a breaker stays open.
//!
//! The first opening lasts the base time; each further one by the same factor longer, up to a cap. Steps stop
//! counting at the cap: after an outage of hours as after one of minutes, the same time of success leads back to short
//! openings.
//! Chance lengthens it a little, so that the breakers of many gateways do not probe one upstream in step;
//! it never shortens it, so that no probe comes before the promised time.
//! The steps are undone only by success: see [`super`].

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;
use kit::units::Ratio;

/// Steps beyond this change nothing: two to its power exceeds every allowed ratio of cap to base. With a smaller
/// factor it bounds the longest opening.
pub const MAX_STEPS: u8 = 40;

/// The lengths of openings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTime {
    /// Of the first opening.
    pub base: Nanos,
    /// How long each is by the one before, in percent; at least 100.
    pub growth: u32,
    /// Of the longest, before chance is added.
    pub max: Nanos,
    /// The largest share of the length that chance adds.
    pub jitter: Ratio,
}

impl OpenTime {
    /// The length of the opening that follows `n_opens` others, without chance.
    pub fn plain(&self, n_opens: u8) -> Nanos {
        let mut length = self.base;
        for _ in 0..n_opens.min(MAX_STEPS) {
            if length >= self.max {
                break;
            }
            let grown = u128::from(length.0).saturating_mul(u128::from(self.growth)) / 100;
            length = Nanos(u64::try_from(grown).unwrap_or(u64::MAX));
        }
        length.min(self.max)
    }

    /// The steps after one more opening: all openings at the cap are one step.
    pub fn next_step(&self, n_opens: u8) -> u8 {
        let is_at_cap = n_opens.checked_sub(1).is_some_and(|last| self.plain(last) >= self.max);
        if is_at_cap { n_opens } else { n_opens.saturating_add(1).min(MAX_STEPS) }
    }

    /// The length of [`OpenTime::plain`] with chance: `luck` is any number, all equally likely.
    pub fn lucky(&self, n_opens: u8, luck: u64) -> Nanos {
        let plain = self.plain(n_opens);
        let most = self.jitter.of(plain.0);
        let share = u128::from(most).saturating_mul(u128::from(luck)) >> 64;
        plain.saturating_add(Nanos(u64::try_from(share).unwrap_or(most)))
    }
}
