//! Durations in buckets, so that quantiles of any number of workers can be told from their sum.
//!
//! **Promise**: a quantile is off by at most [`MAX_RELATIVE_ERROR`] for durations from [`FINEST`] to [`LONGEST`], and
//! by at most 32 ns below that. Two histograms added up say what one would that had seen everything:
//! nothing is lost by adding, so neither the number of workers nor the order matters.
//!
//! **Shape**: log-linear, as in `HdrHistogram`: each power of two is divided into [`SUB_BUCKETS`] buckets of one width.
//! A value's bucket comes from its leading bits, with no logarithm and no floating point; what is reported of a bucket
//! is its middle. Only buckets that have something are kept, in order: at most [`N_BUCKETS`], mostly below a hundred.
//!
//! **Edge**: what took longer than [`LONGEST`] is in the last bucket.
//!
//! **Source**: Gil Tene, `HdrHistogram` (<https://hdrhistogram.github.io/HdrHistogram/>); the stated error and the free
//! merging are those of Masson, Rim and Lee, "`DDSketch`: A Fast and Fully-Mergeable Quantile Sketch with
//! Relative-Error Guarantees", VLDB 2019.

use serde::{Deserialize, Serialize};

use kit::Nanos;

/// Bits that the finest bucket leaves out: it is 64 ns wide, finer than what Envoy's clock is read with.
const UNIT_BITS: u32 = 6;
/// Bits that tell the buckets of one power of two apart.
const SUB_BITS: u32 = 5;
/// Buckets of each power of two.
pub const SUB_BUCKETS: u64 = 1 << SUB_BITS;
/// Buckets that there are.
pub const N_BUCKETS: u16 = 1_024;
/// Half a bucket's width in its smallest value: 1.6 %.
pub const MAX_RELATIVE_ERROR: f64 = 1.0 / 64.0;
/// From here on the relative error holds: about 2 µs.
pub const FINEST: Nanos = Nanos(SUB_BUCKETS << UNIT_BITS);
/// Up to here: about 73 minutes.
pub const LONGEST: Nanos = Nanos((1 << 42) - 1);

/// How many durations were in which bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Bucket and count, in the order of the buckets, none empty.
    buckets: Vec<(u16, u64)>,
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&mut self, duration: Nanos) {
        let bucket = bucket_of(duration);
        match self.buckets.binary_search_by_key(&bucket, |(found, _)| *found) {
            Ok(idx) => {
                if let Some((_, count)) = self.buckets.get_mut(idx) {
                    *count = count.saturating_add(1);
                }
            }
            Err(idx) => self.buckets.insert(idx, (bucket, 1)),
        }
    }

    /// Adds up both.
    pub fn merge(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        let mut merged = Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let mut ours = self.buckets.iter().copied().peekable();
        let mut theirs = other.buckets.iter().copied().peekable();
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some((a, _)), Some((b, _))) => (*a).min(*b),
                (Some((only, _)), None) | (None, Some((only, _))) => *only,
                (None, None) => break,
            };
            let a = ours.next_if(|(bucket, _)| *bucket == next).map_or(0, |(_, count)| count);
            let b = theirs.next_if(|(bucket, _)| *bucket == next).map_or(0, |(_, count)| count);
            merged.push((next, a.saturating_add(b)));
        }
        self.buckets = merged;
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
    }

    /// The smallest duration that at least `permille` of 1000 do not exceed (nearest rank), as the middle of its bucket;
    /// `None` if nothing was counted.
    pub fn quantile(&self, permille: u32) -> Option<Nanos> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (u128::from(count) * u128::from(permille)).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        for (bucket, count) in &self.buckets {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(middle_of(*bucket));
            }
        }
        self.buckets.last().map(|(bucket, _)| middle_of(*bucket))
    }

    /// Forgets everything and keeps the room.
    pub fn clear(&mut self) {
        self.buckets.clear();
    }

    /// Buckets in use.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// The bucket of a duration.
fn bucket_of(duration: Nanos) -> u16 {
    let units = duration.0.min(LONGEST.0) >> UNIT_BITS;
    let shift = (u64::BITS - units.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let bucket = u64::from(shift) * SUB_BUCKETS + (units >> shift);
    u16::try_from(bucket).unwrap_or(N_BUCKETS - 1)
}

/// The duration in the middle of a bucket.
fn middle_of(bucket: u16) -> Nanos {
    let bucket = u64::from(bucket.min(N_BUCKETS - 1));
    let shift = (bucket / SUB_BUCKETS).saturating_sub(1);
    let lowest = (bucket - shift * SUB_BUCKETS) << shift;
    let width = 1_u64 << shift;
    Nanos((lowest << UNIT_BITS) + ((width << UNIT_BITS) >> 1))
}
