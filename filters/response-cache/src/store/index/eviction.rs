//! What gives way in a bucket: S3-FIFO in the form of a set, chosen by measurement (`make hit-ratios`).
//!
//! 1. What is of no use any more, not even stale.
//! 2. A new response is on trial: as long as what is on trial has its share, the oldest of it is looked at.
//!    If it was used it passes and is held; if not it gives way, and the bucket remembers that it failed.
//! 3. Else the oldest of what is held is looked at. If it was used it stays for another round, once for each use;
//!    if not it gives way.
//!
//! A response that failed and comes again is held without a trial. So a scan passes through the trial's few ways,
//! and what is asked for again and again is out of its reach.
//! Uses are counted up to [`MAX_USES`]: a hot response costs a write of the index only after a look at it.
//! One that replaces itself, refreshed or validated, keeps its standing.
//!
//! Before all that: the way of the same variant gives way to its new response, and the oldest variant when
//! one URI has too many.
//!
//! **Source**: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", 2023; but a trial is
//! passed by one use, not two, since that of a bucket is short.

use kit::Nanos;
use kit::hash::Tag;

use crate::signals::Eviction;
use crate::store::index::{Bucket, Changed, Limits, WAYS, Way};

/// Uses are counted up to this.
pub const MAX_USES: u8 = 3;

/// The share of the ways and of the bytes that is for what is on trial: one part in so many.
const TRIAL_PART: u64 = 10;

/// What a bucket holds in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Its place.
    pub(super) idx: usize,
    /// What is there.
    pub(super) way: Way,
    /// Uses since it was last looked at, up to [`MAX_USES`].
    pub(super) uses: u8,
    /// It is new and nobody has proved that it is wanted again.
    pub(super) on_trial: bool,
}

impl Held {
    /// What a bucket remembers of a response that failed its trial: 32 bits of what tells it from others, never zero.
    ///
    /// Two that share them share a chance of being held: that costs a place for a while.
    fn mark(way: &Way) -> u32 {
        let primary = way.primary.first_chunk().map_or(0, |low| u32::from_le_bytes(*low));
        let variant = way.variant ^ way.names.rotate_left(1);
        let variant = variant.to_le_bytes();
        let variant = variant.first_chunk().map_or(0, |low| u32::from_le_bytes(*low));
        (primary ^ variant).max(1)
    }
}

impl Bucket {
    /// Finds a place for `new`, which must fit into the limits alone.
    pub fn put(&mut self, new: Way, limits: Limits, now: Nanos) -> Changed {
        let mut changed = Changed::default();
        if u64::from(new.size) > limits.bytes {
            return changed;
        }
        let same = |way: &Way| {
            (way.primary, way.names, way.variant) == (new.primary, new.names, new.variant)
        };
        let replaced = self.held.iter().position(|held| same(&held.way));
        let replaced = replaced.and_then(|at| self.free(at, &mut changed));
        if replaced.is_none() {
            self.make_room_for_variant(&new, limits, &mut changed);
        }
        while self.bytes().saturating_add(u64::from(new.size)) > limits.bytes
            || self.held.len() >= WAYS
        {
            self.look_at_one(limits, now, &mut changed);
        }
        let failed = Held::mark(&new);
        let failed = self.failed.iter().position(|mark| *mark == failed);
        let (uses, on_trial) = match &replaced {
            Some(replaced) => (replaced.uses, replaced.on_trial),
            None => (0, failed.is_none()),
        };
        if let Some(at) = failed {
            self.failed.remove(at);
        }
        let idx = replaced.map(|replaced| replaced.idx).or_else(|| self.free_place());
        if let Some(idx) = idx {
            self.held.push(Held { idx, way: new, uses, on_trial });
            changed.filled = Some(idx);
            changed.bytes = changed.bytes.saturating_add(i64::from(new.size));
            changed.entries = changed.entries.saturating_add(1);
            changed.freed.retain(|freed| *freed != idx);
        }
        changed
    }

    /// Notes that this place was used; false if nothing changes by that.
    ///
    /// The same as [`super::mark_use`] in the bucket's bytes.
    pub fn mark_use(&mut self, idx: usize) -> bool {
        let mut held = self.held.iter_mut().filter(|held| held.idx == idx);
        let Some(held) = held.next().filter(|held| held.uses < MAX_USES) else { return false };
        held.uses = held.uses.saturating_add(1);
        true
    }

    /// Forgets every variant of this key, and remembers when.
    pub fn invalidate(&mut self, primary: Tag, now: Nanos) -> Changed {
        let mut changed = Changed::default();
        let tag = primary.to_bytes();
        while let Some(at) = self.held.iter().position(|held| held.way.primary == tag) {
            self.free(at, &mut changed);
        }
        self.invalidated_at = self.invalidated_at.max(now);
        changed
    }

    /// Forgets what this place holds, if it is still this writing.
    pub fn forget(&mut self, idx: usize, generation: u64) -> Changed {
        let mut changed = Changed::default();
        let is_meant = |held: &Held| held.idx == idx && held.way.generation == generation;
        if let Some(at) = self.held.iter().position(is_meant) {
            self.free(at, &mut changed);
        }
        changed
    }

    /// The oldest variant gives way when there would be too many of one URI.
    fn make_room_for_variant(&mut self, new: &Way, limits: Limits, changed: &mut Changed) {
        let of_key = || {
            let held = self.held.iter().enumerate();
            held.filter(|(_, held)| held.way.primary == new.primary)
        };
        if of_key().count() < limits.variants {
            return;
        }
        let oldest = of_key().min_by_key(|(_, held)| held.way.received).map(|(at, _)| at);
        if let Some(at) = oldest {
            self.free(at, changed);
            changed.evicted.push(Eviction::Variants);
        }
    }

    /// Looks at one response, which gives way, or else passes its trial or loses one of its uses.
    ///
    /// At most [`WAYS`] × ([`MAX_USES`] + 1) looks make one give way.
    fn look_at_one(&mut self, limits: Limits, now: Nanos, changed: &mut Changed) {
        let dead = self.held.iter().position(|held| held.way.until <= now);
        if let Some(at) = dead {
            self.evict(at, now, changed);
            return;
        }
        let on_trial = || self.held.iter().filter(|held| held.on_trial);
        let ways = u64::try_from(on_trial().count()).unwrap_or(u64::MAX);
        let bytes: u64 = on_trial().map(|held| u64::from(held.way.size)).sum();
        let has_its_share = ways.saturating_mul(TRIAL_PART)
            >= u64::try_from(WAYS).unwrap_or(u64::MAX)
            || bytes.saturating_mul(TRIAL_PART) >= limits.bytes;
        let oldest = |on_trial| self.held.iter().position(|held| held.on_trial == on_trial);
        let next = match (oldest(true), oldest(false)) {
            (Some(at), Some(_)) if has_its_share => Some(at),
            (_, Some(at)) => Some(at),
            (Some(at), None) => Some(at),
            (None, None) => None,
        };
        let Some(at) = next else { return };
        if self.held.get(at).is_none_or(|held| held.uses == 0) {
            self.evict(at, now, changed);
            return;
        }
        let mut held = self.held.remove(at);
        held.uses = if held.on_trial { 0 } else { held.uses.saturating_sub(1) };
        held.on_trial = false;
        self.held.push(held);
    }

    /// Gives up what is at this age, and remembers it if it may come again.
    ///
    /// What was held has proved itself: if it ran out or was not used for a while, it needs no second trial either.
    fn evict(&mut self, at: usize, now: Nanos, changed: &mut Changed) {
        let Some(held) = self.free(at, changed) else { return };
        let is_stale = held.way.expires_at <= now;
        changed.evicted.push(if is_stale { Eviction::Expired } else { Eviction::Space });
        let failed_now = held.on_trial && held.way.until > now;
        let ran_out = held.way.until <= now && (!held.on_trial || held.uses > 0);
        if failed_now || ran_out {
            self.failed.push(Held::mark(&held.way));
            let too_many = self.failed.len().saturating_sub(WAYS);
            self.failed.drain(..too_many);
        }
    }

    /// A place that holds nothing.
    fn free_place(&self) -> Option<usize> {
        (0..WAYS).find(|idx| self.held.iter().all(|held| held.idx != *idx))
    }

    fn free(&mut self, at: usize, changed: &mut Changed) -> Option<Held> {
        let held = (at < self.held.len()).then(|| self.held.remove(at))?;
        changed.freed.push(held.idx);
        changed.bytes = changed.bytes.saturating_sub(i64::from(held.way.size));
        changed.entries = changed.entries.saturating_sub(1);
        Some(held)
    }
}
