//! The store's own buckets.

use kit::Nanos;
use weir_response_cache::store::index::{Bucket, Limits, Way};

use super::trace::mixed;
use super::{Cache, Outcome};

/// Buckets of the store's index, without the store around them.
#[derive(Debug)]
pub(super) struct Built {
    buckets: Vec<Bucket>,
    limits: Limits,
    now: u64,
}

impl Built {
    pub(super) fn new(n_buckets: u32, bytes: u64) -> Self {
        Self {
            buckets: (0..n_buckets).map(|_| Bucket::read(&[])).collect(),
            limits: Limits { bytes, variants: 8 },
            now: 0,
        }
    }
}

impl Cache for Built {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        self.now = self.now.saturating_add(1);
        let hash = mixed(u64::from(object).wrapping_add(0xB0CE7));
        let n_buckets = u128::try_from(self.buckets.len()).unwrap_or(0);
        let idx = usize::try_from((u128::from(hash) * n_buckets) >> 64).unwrap_or(0);
        let missed = Outcome { hit: false, wrote: false };
        let Some(bucket) = self.buckets.get_mut(idx) else { return missed };
        let primary = (u128::from(hash) << 64 | u128::from(object) | 1 << 63).to_le_bytes();
        let found = bucket.iter().find(|(_, way)| way.primary == primary);
        if let Some((place, _)) = found {
            return Outcome { hit: true, wrote: bucket.mark_use(place) };
        }
        let way = Way {
            primary,
            names: 0,
            variant: 0,
            generation: self.now,
            expires_at: Nanos(self.now.saturating_add(1 << 40)),
            until: Nanos(self.now.saturating_add(1 << 40)),
            received: Nanos(self.now),
            size,
        };
        bucket.put(way, self.limits, Nanos(self.now));
        missed
    }
}
