//! The fixed window: so many units, and when the window is over all of them anew.
//!
//! A key's window starts with its first request, not at a full hour: clients are not all released at one instant,
//! and nobody gains by knowing when the clock turns.
//!
//! **Promise**: windows of one key do not overlap and each admits at most the quota;
//! so within any span `w` at most `quota × (floor(w / window) + 2)` units are admitted, twice the quota around the end
//! of a window. A request that comes after the wait it was told is admitted.
//!
//! **Refunds** are exact while the window they were charged in lasts, and nothing after it.
//!
//! **Edges**: a clock that jumps back makes the window start anew from there, with what was spent:
//! the key waits for one window at most. A clock that jumps forward ends the window early.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

use super::verdict::{Verdict, share};

/// So many units per window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedWindow {
    units: u64,
    window: Nanos,
}

/// The window that a key is in. All zero for a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// When the window started.
    pub start: Nanos,
    /// What was charged in it.
    pub units: u64,
}

impl FixedWindow {
    /// So many units (at least 1) per window; `None` if one of them is zero.
    pub const fn new(units: u64, window: Nanos) -> Option<Self> {
        if units == 0 || window.is_zero() { None } else { Some(Self { units, window }) }
    }

    /// What holds now: a window that is over, or in which nothing was spent, says nothing.
    fn current(&self, spent: Spent, now: Nanos) -> Spent {
        let is_over = now.saturating_sub(spent.start) >= self.window;
        if is_over || spent.units == 0 { Spent { start: now, units: 0 } } else { spent }
    }

    /// What was spent, in a window that does not start later than now.
    #[must_use]
    pub fn heal(&self, spent: Spent, now: Nanos) -> Spent {
        Spent { start: spent.start.min(now), ..spent }
    }

    /// Decides on a request of this cost; what costs more than the quota costs the whole quota.
    pub fn decide(&self, spent: Spent, cost: u64, now: Nanos) -> Verdict<Spent> {
        let current = self.current(spent, now);
        let units = current.units.saturating_add(cost.min(self.units));
        if units <= self.units {
            Verdict::Admit(Spent { units, ..current })
        } else {
            Verdict::Limit(self.rest(current, now))
        }
    }

    /// Charges without asking, also beyond the quota.
    #[must_use]
    pub fn charge(&self, spent: Spent, cost: u64, now: Nanos) -> Spent {
        let current = self.current(spent, now);
        Spent { units: current.units.saturating_add(cost), ..current }
    }

    /// Takes back what was charged at an instant, if its window is not over.
    #[must_use]
    pub fn refund(&self, spent: Spent, cost: u64, charged_at: Nanos, now: Nanos) -> Spent {
        if charged_at < spent.start {
            return spent;
        }
        let current = self.current(spent, now);
        Spent { units: current.units.saturating_sub(cost.min(self.units)), ..current }
    }

    /// How many units would be admitted at once now.
    pub fn remaining(&self, spent: Spent, now: Nanos) -> u64 {
        self.units.saturating_sub(self.current(spent, now).units)
    }

    /// Until the whole quota is back, and so until more of it is.
    pub fn reset(&self, spent: Spent, now: Nanos) -> Nanos {
        let current = self.current(spent, now);
        if current.units == 0 { Nanos::ZERO } else { self.rest(current, now) }
    }

    /// What forgetting the key would lose: the share of the window that it has spent.
    pub fn loss(&self, spent: Spent, now: Nanos) -> u64 {
        share(self.current(spent, now).units, self.units, self.window)
    }

    /// Units per window.
    pub const fn units(&self) -> u64 {
        self.units
    }

    /// The window.
    pub const fn window(&self) -> Nanos {
        self.window
    }

    fn rest(&self, current: Spent, now: Nanos) -> Nanos {
        current.start.saturating_add(self.window).saturating_sub(now)
    }
}

impl std::fmt::Display for FixedWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} per fixed window of {}", self.units, self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const LIMIT: FixedWindow = FixedWindow { units: 3, window: Nanos::MINUTE };

    fn at(secs: u64) -> Nanos {
        Nanos::from_secs(secs)
    }

    #[test]
    fn a_window_starts_with_the_first_request_and_ends_at_once() {
        let mut spent = Spent::default();
        for secs in [100, 110, 120] {
            let Verdict::Admit(next) = LIMIT.decide(spent, 1, at(secs)) else { panic!("refused") };
            spent = next;
        }
        assert_eq!(LIMIT.decide(spent, 1, at(130)), Verdict::Limit(at(30)));
        assert_eq!((LIMIT.remaining(spent, at(130)), LIMIT.reset(spent, at(130))), (0, at(30)));
        let expected = Spent { start: at(160), units: 1 };
        assert_eq!(LIMIT.decide(spent, 1, at(160)), Verdict::Admit(expected));
    }

    #[test]
    fn a_refund_counts_in_its_own_window_only() {
        let spent = LIMIT.charge(Spent::default(), 3, at(100));
        assert_eq!(LIMIT.remaining(LIMIT.refund(spent, 1, at(100), at(130)), at(130)), 1);
        let next = LIMIT.charge(spent, 3, at(170));
        assert_eq!(LIMIT.refund(next, 3, at(100), at(171)), next);
    }

    #[test]
    fn a_clock_that_jumped_back_costs_one_window_at_most() {
        let spent = LIMIT.charge(Spent::default(), 3, at(9_000));
        let healed = LIMIT.heal(spent, at(100));
        assert_eq!(LIMIT.decide(healed, 1, at(100)), Verdict::Limit(at(60)));
    }

    #[test]
    fn a_cost_beyond_the_quota_takes_the_whole_quota() {
        let whole = LIMIT.decide(Spent::default(), 1_000, at(100));
        assert_eq!(whole, Verdict::Admit(Spent { start: at(100), units: 3 }));
        assert_eq!(LIMIT.loss(Spent { start: at(100), units: u64::MAX }, at(101)), Nanos::MINUTE.0);
    }
}
