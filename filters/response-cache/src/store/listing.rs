//! The store looked at from outside, not by a request: every variant of a key, bucket by bucket, and how full it is.

use kit::shared::{Change, UpdateError, update};
use kit::{Host, Nanos};

use crate::store::index::{Bucket, Changed, Way, ways_of};
use crate::store::{Entry, Keep, Place, Store};

/// How many buckets [`Store::usage`] reads at most: about a millisecond.
pub const MAX_READ: u32 = 1_024;

/// Some buckets' responses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// The responses, fresh or stale.
    pub entries: Vec<Entry>,
    /// The bucket to go on with; `None` at the end of the store.
    pub next: Option<u32>,
}

/// How full the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Buckets of the store.
    pub buckets: u32,
    /// Buckets that were read; all numbers below are of these only.
    pub buckets_read: u32,
    /// Responses that the index names.
    pub entries: u64,
    /// Those of them that are stale.
    pub stale: u64,
    /// Those of them that are of no use any more.
    pub dead: u64,
    /// Bytes of their slots.
    pub bytes: u64,
    /// Responses in the first level of this worker.
    pub local_entries: u64,
    /// Their bytes.
    pub local_bytes: u64,
}

impl Store {
    /// All that is stored under this key: every variant, the youngest first.
    ///
    /// **Cost**: one get, and one for each variant that is not in this worker's first level.
    pub fn entries_of(&self, host: &dyn Host, key: &[u8]) -> Vec<Entry> {
        let tag = self.secret.tag(key);
        let bucket = tag.bucket(self.geometry.n_buckets);
        let Some(bytes) = host.shared_get(&self.bucket_name(bucket)) else { return Vec::new() };
        ways_of(&bytes.value, tag)
            .iter()
            .filter_map(|(idx, way)| self.entry(host, bucket, *idx, way, Keep::No))
            .filter(|entry| entry.stored.key == key)
            .collect()
    }

    /// The responses in `n_buckets` buckets from `cursor` on.
    ///
    /// What is stored, moved or forgotten meanwhile may be missed or seen; everything else is seen exactly once
    /// by scans from 0 to the end.
    ///
    /// **Cost**: one get for each bucket and one for each of its responses: at most `n_buckets` × 33 gets, of which
    /// each copies a whole response. Take few buckets at a time.
    pub fn scan(&self, host: &dyn Host, cursor: u32, n_buckets: u32) -> Scanned {
        let end = cursor.saturating_add(n_buckets.max(1)).min(self.geometry.n_buckets);
        let mut entries = Vec::new();
        for bucket in cursor..end {
            for (idx, way) in self.ways_in(host, bucket) {
                entries.extend(self.entry(host, bucket, idx, &way, Keep::No));
            }
        }
        Scanned { entries, next: (end < self.geometry.n_buckets).then_some(end) }
    }

    /// Forgets this one response; does nothing if its place has gone to another.
    ///
    /// # Errors
    /// Shared data could not be changed.
    ///
    /// **Cost**: one get and two sets.
    pub fn forget(&self, host: &dyn Host, place: Place) -> Result<Changed, UpdateError> {
        let done = update(host, &self.bucket_name(place.bucket), |bytes| {
            let mut bucket = Bucket::read(bytes);
            let changed = bucket.forget(place.way, place.generation);
            if changed.freed.is_empty() {
                return (Change::Keep, changed);
            }
            *bytes = bucket.write();
            (Change::Store, changed)
        })?;
        self.empty_slots(host, place.bucket, &done.value.freed);
        Ok(done.value)
    }

    /// How full the store is, as its index says; a large store is sampled, in buckets spread evenly.
    ///
    /// **Cost**: one get for each bucket, at most [`MAX_READ`].
    pub fn usage(&self, host: &dyn Host, now: Nanos) -> Usage {
        let buckets = self.geometry.n_buckets;
        let mut usage = Usage {
            buckets,
            local_entries: u64::try_from(self.local.entries()).unwrap_or(u64::MAX),
            local_bytes: self.local.bytes(),
            ..Usage::default()
        };
        let step = buckets.div_ceil(MAX_READ).max(1);
        let mut bucket = 0;
        while bucket < buckets {
            usage.buckets_read = usage.buckets_read.saturating_add(1);
            for (_, way) in self.ways_in(host, bucket) {
                usage.entries = usage.entries.saturating_add(1);
                usage.stale = usage.stale.saturating_add(u64::from(way.expires_at <= now));
                usage.dead = usage.dead.saturating_add(u64::from(way.until <= now));
                usage.bytes = usage.bytes.saturating_add(u64::from(way.size));
            }
            bucket = bucket.saturating_add(step);
        }
        usage
    }

    /// The places in use in a bucket.
    fn ways_in(&self, host: &dyn Host, bucket: u32) -> Vec<(usize, Way)> {
        let bytes = host.shared_get(&self.bucket_name(bucket)).map(|found| found.value);
        Bucket::read(&bytes.unwrap_or_default()).iter().collect()
    }
}
