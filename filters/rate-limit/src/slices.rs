//! Counts over a span that slides: the last [`SLICES`] slices of it and the running one.
//!
//! Two limits are made of it: the sliding window, whose units leave with their slice,
//! and the limit of concurrency, whose units are given back when a request ends
//! and leave with their slice only if nobody gave them back: that is the lease.
//!
//! **Promise**: no span as long as the configured one ever holds more than the quota,
//! because a slice counts whole until its last instant has left the span; the price is that room comes back
//! up to one slice, a tenth of the span, late. A sliding window's request that comes after the wait it was told is admitted.
//!
//! **Refunds** are exact, in the slice in which was charged.
//!
//! **Edges**: a clock that jumps back makes all counts as young as now: the key waits for one span at most.
//! A clock that jumps forward lets slices leave early.
//!
//! **Source**: the sub-window counters of Datar, Gionis, Indyk and Motwani (2002), with slices of one length.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

use crate::limit::{Verdict, share};

/// Slices of a span, besides the running one.
pub const SLICES: u64 = 10;

/// Counts that are kept: every slice that a span can touch.
pub const COUNTS: usize = 11;

/// So many units in any span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Units in a span: at least 1.
    pub units: u32,
    /// The span.
    pub span: Nanos,
    /// The length of a slice: a tenth of the span, rounded up.
    slice: Nanos,
}

/// What a key spent, slice by slice. All zero for a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The number of the youngest slice, in the order of time; it wraps around.
    pub youngest: u32,
    /// What was charged in it and in those before it.
    pub counts: [u32; COUNTS],
}

impl Slices {
    /// So many units (at least 1) in any span; `None` if one of them is zero.
    pub fn new(units: u32, span: Nanos) -> Option<Self> {
        let slice = Nanos(span.0.div_ceil(SLICES));
        (units > 0 && !slice.is_zero()).then_some(Self { units, span, slice })
    }

    /// The number of the slice that an instant is in.
    fn number(&self, at: Nanos) -> u64 {
        at.0.checked_div(self.slice.0).unwrap_or(0)
    }

    /// How many slices younger `now` is, negative if it is older; numbers are compared as neighbours on a circle.
    fn age(&self, number: u32, now: Nanos) -> i32 {
        wrapped(self.number(now)).wrapping_sub(number).cast_signed()
    }

    /// The counts, with no slice younger than now.
    #[must_use]
    pub fn heal(&self, tally: Tally, now: Nanos) -> Tally {
        if self.age(tally.youngest, now) >= 0 { tally } else { self.current(tally, now) }
    }

    /// The counts as they are now: slices that left the span are gone.
    fn current(&self, tally: Tally, now: Nanos) -> Tally {
        let mut current = Tally { youngest: wrapped(self.number(now)), counts: [0; COUNTS] };
        // A clock that jumped back: all of it is as young as now.
        let age = usize::try_from(self.age(tally.youngest, now)).unwrap_or(0);
        for (count, found) in current.counts.iter_mut().skip(age).zip(tally.counts) {
            *count = found;
        }
        current
    }

    /// Decides on a request of this cost; what costs more than the quota costs the whole quota.
    pub fn decide(&self, tally: Tally, cost: u64, now: Nanos) -> Verdict<Tally> {
        let mut current = self.current(tally, now);
        let cost = narrow(cost).min(self.units);
        let room = u64::from(self.units.saturating_sub(cost));
        let mut spent = current.spent();
        if spent <= room {
            current.add(cost);
            return Verdict::Admit(current);
        }
        // The oldest slices leave first: as many as make room.
        let mut age = SLICES;
        for count in current.counts.into_iter().rev() {
            spent = spent.saturating_sub(u64::from(count));
            if spent <= room {
                break;
            }
            age = age.saturating_sub(1);
        }
        Verdict::Limit(self.until_gone(Some(age), now))
    }

    /// Charges without asking, also beyond the quota.
    #[must_use]
    pub fn charge(&self, tally: Tally, cost: u64, now: Nanos) -> Tally {
        let mut current = self.current(tally, now);
        current.add(narrow(cost));
        current
    }

    /// Takes back what was charged at an instant, if its slice has not left.
    #[must_use]
    pub fn refund(&self, tally: Tally, cost: u64, charged_at: Nanos, now: Nanos) -> Tally {
        let mut current = self.current(tally, now);
        let age = usize::try_from(self.age(wrapped(self.number(charged_at)), now)).unwrap_or(0);
        if let Some(count) = current.counts.get_mut(age) {
            *count = count.saturating_sub(narrow(cost).min(self.units));
        }
        current
    }

    /// How many units would be admitted at once now.
    pub fn remaining(&self, tally: Tally, now: Nanos) -> u64 {
        u64::from(self.units).saturating_sub(self.current(tally, now).spent())
    }

    /// Until the whole quota is back.
    pub fn reset(&self, tally: Tally, now: Nanos) -> Nanos {
        let current = self.current(tally, now);
        self.until_gone(current.ages().next(), now)
    }

    /// Until some of the quota is back; zero if all of it is there.
    pub fn next(&self, tally: Tally, now: Nanos) -> Nanos {
        let current = self.current(tally, now);
        self.until_gone(current.ages().last(), now)
    }

    /// What forgetting the key would lose: the share of the span that it has spent.
    pub fn loss(&self, tally: Tally, now: Nanos) -> u64 {
        share(self.current(tally, now).spent(), u64::from(self.units), self.span)
    }

    /// Until a slice of this age has left the span; zero if there is none.
    fn until_gone(&self, age: Option<u64>, now: Nanos) -> Nanos {
        let Some(age) = age else { return Nanos::ZERO };
        let stays = SLICES.saturating_add(1).saturating_sub(age);
        self.slice.saturating_mul(self.number(now).saturating_add(stays)).saturating_sub(now)
    }
}

impl Tally {
    /// The ages of the slices with something in them, youngest first.
    fn ages(&self) -> impl Iterator<Item = u64> {
        (0_u64..).zip(self.counts).filter(|(_, count)| *count > 0).map(|(age, _)| age)
    }

    fn spent(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    fn add(&mut self, cost: u32) {
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(cost);
        }
    }
}

/// The low half: slices are numbered on a circle of 2^32, more than a decade of the shortest ones.
fn wrapped(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn narrow(cost: u64) -> u32 {
    u32::try_from(cost).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Three in any ten seconds: slices of one second.
    fn limit() -> Slices {
        Slices::new(3, Nanos::from_secs(10)).unwrap()
    }

    fn at(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    fn charged(millis: &[u64]) -> Tally {
        millis.iter().fold(Tally::default(), |tally, when| limit().charge(tally, 1, at(*when)))
    }

    #[test]
    fn a_unit_leaves_when_its_slice_has_left_the_span() {
        let tally = charged(&[100_500, 103_200, 107_900]);
        assert_eq!(limit().decide(tally, 1, at(108_000)), Verdict::Limit(at(3_000)));
        assert_eq!(limit().decide(tally, 2, at(108_000)), Verdict::Limit(at(6_000)));
        assert_eq!(limit().remaining(tally, at(110_999)), 0);
        assert_eq!(limit().remaining(tally, at(111_000)), 1);
        assert_eq!(
            (limit().next(tally, at(108_000)), limit().reset(tally, at(108_000))),
            (at(3_000), at(10_000))
        );
        assert_eq!(limit().remaining(tally, at(118_000)), 3);
        assert_eq!(limit().reset(tally, at(118_000)), Nanos::ZERO);
    }

    #[test]
    fn a_refund_goes_to_the_slice_in_which_was_charged() {
        let tally = charged(&[100_500, 100_600, 107_900]);
        let mended = limit().refund(tally, 1, at(100_500), at(108_000));
        assert_eq!(mended.counts, [0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
        let late = limit().refund(tally, 3, at(100_500), at(112_000));
        assert_eq!(limit().remaining(late, at(112_000)), 2, "the third one stays");
    }

    #[test]
    fn a_clock_that_jumped_back_costs_one_span_at_most() {
        let tally = charged(&[9_000_000, 9_000_000, 9_000_000]);
        assert_eq!(limit().decide(tally, 1, at(100_000)), Verdict::Limit(at(11_000)));
        assert_eq!(limit().remaining(limit().heal(tally, at(100_000)), at(111_000)), 3);
    }

    #[test]
    fn numbers_of_slices_wrap_around() {
        let turn = Nanos(limit().slice.0 * (1 << 32));
        let before = turn.saturating_sub(at(500));
        let tally = limit().charge(Tally::default(), 2, before);
        assert_eq!(tally.youngest, u32::MAX);
        assert_eq!(limit().remaining(tally, turn.saturating_add(at(500))), 1);
        assert_eq!(limit().remaining(tally, turn.saturating_add(at(10_500))), 3);
    }

    #[test]
    fn a_cost_beyond_the_quota_takes_the_whole_quota() {
        let Verdict::Admit(tally) = limit().decide(Tally::default(), u64::MAX, at(5)) else {
            panic!("refused")
        };
        assert_eq!(limit().remaining(tally, at(5)), 0);
        let overdrawn = limit().charge(tally, u64::MAX, at(6));
        assert_eq!(
            (limit().remaining(overdrawn, at(7)), limit().loss(overdrawn, at(7))),
            (0, limit().span.0)
        );
    }
}
