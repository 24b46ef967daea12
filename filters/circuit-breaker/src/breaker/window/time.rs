//! The outcomes of a span of time.
//!
//! A ring of ten buckets, each a tenth of the window: the sums cover between nine and ten tenths of it,
//! ending now. A single pair of counters that starts anew each window would forget everything at each start.
//!
//! Time may jump. Forward, buckets age out, at worst all of them.
//! Backward by less than a window, outcomes go to an older bucket that still counts;
//! by more, the ring starts anew. Another length after a configuration update acts like such a jump.

use kit::Nanos;

use super::{Begun, Call, Tally};

/// Buckets of the ring. Ten keep the error of the window's length below a tenth at 160 bytes of state.
pub const N_BUCKETS: usize = 10;

const N: u64 = N_BUCKETS as u64;

/// A ring of sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// Number of the newest bucket, counted from the start of the clock.
    pub newest: u64,
    /// Bucket number `n` lies at `n % 10`.
    pub buckets: [Tally; N_BUCKETS],
}

impl Time {
    pub(super) fn record(&mut self, length: Nanos, now: Nanos, call: Call) {
        if let Some(tally) = self.bucket(length, now) {
            tally.n_ended = tally.n_ended.saturating_add(1);
            tally.n_failed = tally.n_failed.saturating_add(u32::from(call.is_failed));
            tally.n_slow = tally.n_slow.saturating_add(u32::from(call.is_slow));
        }
    }

    /// Takes the success out that this beginning was counted as, if its bucket is still here.
    pub(super) fn take_back(&mut self, length: Nanos, now: Nanos, begun: Begun) {
        self.turn_to(bucket_number(length, now));
        let number = bucket_number(length, begun.at);
        if number > self.newest || number.saturating_add(N) <= self.newest {
            return;
        }
        let Some(tally) = self.buckets.get_mut(place(number)) else { return };
        let n_slow = tally.n_slow.saturating_sub(u32::from(begun.is_slow));
        // After a jump of the clock or another length it may be a bucket that never had it.
        if tally.n_ended > tally.n_failed.max(n_slow) {
            tally.n_ended = tally.n_ended.saturating_sub(1);
            tally.n_slow = n_slow;
        }
    }

    pub(super) fn shed(&mut self, length: Nanos, now: Nanos) {
        if let Some(tally) = self.bucket(length, now) {
            tally.n_shed = tally.n_shed.saturating_add(1);
        }
    }

    pub(super) fn tally(&self, length: Nanos, now: Nanos) -> Tally {
        let mut turned = *self;
        turned.turn_to(bucket_number(length, now));
        turned.buckets.iter().fold(Tally::default(), |sum, tally| Tally {
            n_ended: sum.n_ended.saturating_add(tally.n_ended),
            n_failed: sum.n_failed.saturating_add(tally.n_failed),
            n_slow: sum.n_slow.saturating_add(tally.n_slow),
            n_shed: sum.n_shed.saturating_add(tally.n_shed),
        })
    }

    fn bucket(&mut self, length: Nanos, now: Nanos) -> Option<&mut Tally> {
        let number = bucket_number(length, now);
        self.turn_to(number);
        self.buckets.get_mut(place(number))
    }

    /// Makes this bucket part of the ring.
    fn turn_to(&mut self, number: u64) {
        if number.saturating_add(N) <= self.newest || number >= self.newest.saturating_add(N) {
            *self = Self { newest: number, buckets: [Tally::default(); N_BUCKETS] };
        }
        while self.newest < number {
            self.newest = self.newest.saturating_add(1);
            if let Some(tally) = self.buckets.get_mut(place(self.newest)) {
                *tally = Tally::default();
            }
        }
    }
}

fn bucket_number(length: Nanos, now: Nanos) -> u64 {
    let bucket = length.checked_div(N).map_or(1, |bucket| bucket.0).max(1);
    now.0.checked_div(bucket).unwrap_or(0)
}

fn place(number: u64) -> usize {
    usize::try_from(number.checked_rem(N).unwrap_or(0)).unwrap_or(0)
}
