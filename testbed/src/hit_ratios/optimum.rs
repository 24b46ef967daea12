//! What no policy can beat, because it knows the future.

use std::collections::{BTreeMap, BTreeSet};

use super::trace::Trace;
use super::{Cache, Outcome, Tally};

/// The best that any cache of this many bytes can do.
///
/// For objects of one size that is Belady's: what is asked for again last goes first (Belady, 1966), and a new object
/// that is asked for later than all others is not taken in.
/// For objects of many sizes the optimum is not computable in practice, so this is a bound above it:
/// every request for an object seen before is a hit if bytes were held for it all the time since;
/// the cheapest of these are granted until the bytes × time of the whole cache are spent
/// (PFOO-L of Berger, Beckmann and Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes",
/// 2018), once by hits and once by bytes. No cache reaches both.
pub(super) fn best(trace: &Trace, capacity: u64) -> Tally {
    if trace.is_of_one_size() { belady(trace, capacity) } else { bound(trace, capacity) }
}

/// For each request, when its object is asked for again.
fn next_uses(trace: &Trace) -> Vec<usize> {
    let mut next = BTreeMap::new();
    let mut uses: Vec<usize> = trace
        .requests
        .iter()
        .enumerate()
        .rev()
        .map(|(at, object)| next.insert(*object, at).unwrap_or(usize::MAX))
        .collect();
    uses.reverse();
    uses
}

fn belady(trace: &Trace, capacity: u64) -> Tally {
    let mut held: BTreeMap<u32, usize> = BTreeMap::new();
    let mut by_next_use: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut tally = Tally::default();
    for (object, next_use) in trace.requests.iter().zip(next_uses(trace)) {
        let before = held.insert(*object, next_use);
        if let Some(this_use) = before {
            by_next_use.remove(&(this_use, *object));
        }
        by_next_use.insert((next_use, *object));
        if u64::try_from(held.len()).unwrap_or(u64::MAX) > capacity
            && let Some((_, last)) = by_next_use.pop_last()
        {
            held.remove(&last);
        }
        tally.count(Outcome { hit: before.is_some(), wrote: false }, 1);
    }
    tally
}

fn bound(trace: &Trace, capacity: u64) -> Tally {
    // For each request that could be a hit: how long bytes are to be held for it, and how many.
    let mut waits: Vec<(u64, u64)> = Vec::new();
    let mut tally = Tally::default();
    for (at, (object, next_use)) in trace.requests.iter().zip(next_uses(trace)).enumerate() {
        let size = u64::from(trace.size(*object));
        tally.count(Outcome { hit: false, wrote: false }, size);
        if next_use < usize::MAX {
            let wait = next_use.saturating_sub(at);
            waits.push((u64::try_from(wait).unwrap_or(u64::MAX), size));
        }
    }
    let room = capacity.saturating_mul(u64::try_from(trace.requests.len()).unwrap_or(u64::MAX));
    let granted = |waits: &[(u64, u64)]| {
        let (mut left, mut hits, mut bytes) = (room, 0_u64, 0_u64);
        for (wait, size) in waits {
            let Some(rest) = left.checked_sub(wait.saturating_mul(*size)) else { break };
            left = rest;
            hits = hits.saturating_add(1);
            bytes = bytes.saturating_add(*size);
        }
        (hits, bytes)
    };
    waits.sort_unstable_by_key(|(wait, size)| wait.saturating_mul(*size));
    tally.hits = granted(&waits).0;
    waits.sort_unstable();
    tally.hit_bytes = granted(&waits).1;
    tally
}

/// What was used longest ago goes first, over the whole cache at once.
#[derive(Debug, Default)]
pub(super) struct Lru {
    capacity: u64,
    bytes: u64,
    clock: u64,
    used: BTreeMap<u32, (u64, u32)>,
    by_use: BTreeMap<u64, u32>,
}

impl Lru {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, ..Self::default() }
    }
}

impl Cache for Lru {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        self.clock = self.clock.saturating_add(1);
        let before = self.used.insert(object, (self.clock, size));
        self.by_use.insert(self.clock, object);
        match before {
            Some((used, _)) => {
                self.by_use.remove(&used);
            }
            None => self.bytes = self.bytes.saturating_add(u64::from(size)),
        }
        while self.bytes > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            let size = self.used.remove(&oldest).map_or(0, |(_, size)| size);
            self.bytes = self.bytes.saturating_sub(u64::from(size));
        }
        Outcome { hit: before.is_some(), wrote: before.is_some() }
    }
}
