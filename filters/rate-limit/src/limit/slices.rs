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
//! **Edges**: workers read their clocks a little before they store, so that one may come to the counts with an instant
//! in the slice before the youngest: it counts in the youngest. Were the counts numbered back and forth instead,
//! each such pair would age all of them by a slice.
//! A clock that jumps back further makes all counts as young as now: the key waits for one span and two slices at most.
//! A clock that jumps forward lets slices leave early.
//!
//! **Source**: the sub-window counters of Datar, Gionis, Indyk and Motwani (2002), with slices of one length.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

use super::verdict::{Verdict, share};

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

    /// How many slices younger `now` is than the counts, negative if it is older: neighbours on a circle.
    fn age(&self, tally: &Tally, now: Nanos) -> i32 {
        wrapped(self.number(now)).wrapping_sub(tally.youngest).cast_signed()
    }

    /// The counts, of which none is younger than the slice after now.
    #[must_use]
    pub fn heal(&self, tally: Tally, now: Nanos) -> Tally {
        if self.age(&tally, now) >= -1 { tally } else { self.current(tally, now) }
    }

    /// The counts as they are now: slices that left the span are gone.
    fn current(&self, tally: Tally, now: Nanos) -> Tally {
        let mut current = Tally { youngest: wrapped(self.number(now)), counts: [0; COUNTS] };
        match usize::try_from(self.age(&tally, now)) {
            Ok(age) => {
                for (count, found) in current.counts.iter_mut().skip(age).zip(tally.counts) {
                    *count = found;
                }
            }
            // Another worker's clock is a little ahead.
            Err(_) if current.youngest.wrapping_add(1) == tally.youngest => return tally,
            // The clock jumped back: all of it is as young as now.
            Err(_) => current.add(narrow(tally.spent())),
        }
        current
    }

    /// Decides on a request of this cost; what costs more than the quota costs the whole quota.
    pub fn decide(&self, tally: Tally, cost: u64, now: Nanos) -> Verdict<Tally> {
        let mut current = self.current(tally, now);
        let cost = narrow(cost).min(self.units);
        let room = u64::from(self.units.saturating_sub(cost));
        if current.spent() <= room {
            current.add(cost);
            Verdict::Admit(current)
        } else {
            Verdict::Limit(self.until(&current, room, now))
        }
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
        let age = usize::try_from(self.age(&current, charged_at).saturating_neg()).unwrap_or(0);
        let mut owed = narrow(cost).min(self.units);
        // What a worker whose clock was a little behind charged is in the slice after its own.
        let slices = current.counts.get_mut(age.saturating_sub(1)..=age).unwrap_or_default();
        for count in slices.iter_mut().rev() {
            let back = owed.min(*count);
            *count = count.saturating_sub(back);
            owed = owed.saturating_sub(back);
        }
        current
    }

    /// How many units would be admitted at once now.
    pub fn remaining(&self, tally: Tally, now: Nanos) -> u64 {
        u64::from(self.units).saturating_sub(self.current(tally, now).spent())
    }

    /// Until the whole quota is back.
    pub fn reset(&self, tally: Tally, now: Nanos) -> Nanos {
        self.until(&self.current(tally, now), 0, now)
    }

    /// Until more than what remains is back; zero if all of it is there.
    pub fn next(&self, tally: Tally, now: Nanos) -> Nanos {
        let current = self.current(tally, now);
        let spent = current.spent().min(u64::from(self.units));
        self.until(&current, spent.saturating_sub(1), now)
    }

    /// What forgetting the key would lose: the share of the span that it has spent.
    pub fn loss(&self, tally: Tally, now: Nanos) -> u64 {
        share(self.current(tally, now).spent(), u64::from(self.units), self.span)
    }

    /// Until no more than this is spent: the oldest slices leave first, as many as it takes.
    fn until(&self, current: &Tally, spent: u64, now: Nanos) -> Nanos {
        let mut left = current.spent();
        if left <= spent {
            return Nanos::ZERO;
        }
        // Zero, or one where the counts are ahead of this worker's clock.
        let ahead = current.youngest.wrapping_sub(wrapped(self.number(now)));
        let mut number = self.number(now).saturating_add(u64::from(ahead));
        for count in current.counts.into_iter().rev() {
            if left <= spent {
                break;
            }
            left = left.saturating_sub(u64::from(count));
            number = number.saturating_add(1);
        }
        self.slice.saturating_mul(number).saturating_sub(now)
    }
}

impl Tally {
    fn spent(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    fn add(&mut self, cost: u32) {
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(cost);
        }
    }
}

/// The low half: slices are numbered on a circle of 2^32. A key that rests for half of it, more than six years of the
/// shortest span, is taken for one whose clock jumped back: it waits for a span at most.
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
        let refunded =
            limit().refund(limit().heal(tally, at(100_000)), 1, at(9_000_000), at(100_000));
        assert_eq!(limit().remaining(refunded, at(100_000)), 1);
    }

    #[test]
    fn workers_that_are_a_moment_apart_do_not_age_the_counts() {
        let mut tally = charged(&[100_500, 100_600, 100_999]);
        for _ in 0..20 {
            for worker in [101_001, 100_999] {
                tally = limit().charge(limit().heal(tally, at(worker)), 0, at(worker));
            }
        }
        assert_eq!(
            (limit().remaining(tally, at(110_999)), limit().remaining(tally, at(111_000))),
            (0, 3)
        );
        let late = limit().charge(Tally::default(), 3, at(101_001));
        let late =
            limit().refund(limit().charge(late, 1, at(100_999)), 1, at(100_999), at(100_999));
        assert_eq!(late.counts, charged(&[101_001, 101_001, 101_001]).counts);
        assert_eq!(limit().decide(late, 1, at(100_999)), Verdict::Limit(at(11_001)));
        assert_eq!(limit().next(charged(&[]), at(100_999)), Nanos::ZERO);
    }

    #[test]
    fn what_is_overdrawn_does_not_come_back_before_there_is_room() {
        let tally = limit().charge(charged(&[100_500]), 3, at(103_500));
        assert_eq!(limit().next(tally, at(104_000)), at(10_000));
    }

    #[test]
    fn numbers_of_slices_wrap_around() {
        let turn = Nanos(limit().slice.0 * (1 << 32));
        let before = turn.saturating_sub(at(500));
        let sooner = limit().charge(Tally::default(), 0, before.saturating_sub(at(2_000)));
        let tally = limit().charge(sooner, 2, before);
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
