//! W-TinyLFU: a window, a main part in two segments, and between them the question who was asked for more often
//! (Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", 2017).

use std::cell::RefCell;
use std::rc::Rc;

use super::super::Outcome;
use super::super::trace::mixed;
use super::{Held, Room, Set, bytes, oldest, position, renew};

/// Counters in each row for each object that the cache has room for.
const COUNTERS_PER_WAY: usize = 8;
/// Counters are halved once so many requests have come for each object that the cache has room for.
const SAMPLE: u64 = 10;
/// Counters go up to this: four bits.
const MAX_COUNT: u8 = 15;

/// How often objects were asked for of late: one for the whole cache (count-min sketch of four rows).
#[derive(Debug)]
pub(crate) struct Sketch {
    rows: [Vec<u8>; 4],
    n_counted: u64,
    sample: u64,
}

impl Sketch {
    /// For a cache with room for so many objects.
    pub(crate) fn new(objects: usize) -> Rc<RefCell<Self>> {
        let row = || vec![0; objects.saturating_mul(COUNTERS_PER_WAY).max(1)];
        let sample = u64::try_from(objects).unwrap_or(u64::MAX).saturating_mul(SAMPLE);
        Rc::new(RefCell::new(Self { rows: [row(), row(), row(), row()], n_counted: 0, sample }))
    }

    fn count(&mut self, object: u32) {
        for (seed, row) in (0_u64..).zip(&mut self.rows) {
            let at = place(object, seed, row.len());
            if let Some(counter) = row.get_mut(at) {
                *counter = counter.saturating_add(1).min(MAX_COUNT);
            }
        }
        self.n_counted = self.n_counted.saturating_add(1);
        if self.n_counted >= self.sample {
            self.n_counted = 0;
            self.rows.iter_mut().flatten().for_each(|counter| *counter /= 2);
        }
    }

    fn estimate(&self, object: u32) -> u8 {
        let counts = (0_u64..)
            .zip(&self.rows)
            .map(|(seed, row)| row.get(place(object, seed, row.len())).copied().unwrap_or(0));
        counts.min().unwrap_or(0)
    }
}

fn place(object: u32, seed: u64, len: usize) -> usize {
    let hash = mixed(u64::from(object) | (seed + 1) << 32);
    let len = u64::try_from(len).unwrap_or(1).max(1);
    usize::try_from(hash % len).unwrap_or(0)
}

/// One set.
#[derive(Debug)]
pub(crate) struct TinyLfu {
    room: Room,
    sketch: Rc<RefCell<Sketch>>,
    window: Vec<Held>,
    probation: Vec<Held>,
    protected: Vec<Held>,
}

impl TinyLfu {
    pub(crate) fn new(room: Room, sketch: &Rc<RefCell<Sketch>>) -> Self {
        let sketch = Rc::clone(sketch);
        Self { room, sketch, window: Vec::new(), probation: Vec::new(), protected: Vec::new() }
    }

    fn is_full(&self, more: u32) -> bool {
        let parts = [&self.window, &self.probation, &self.protected];
        let ways: usize = parts.iter().map(|held| held.len()).sum();
        let all: u64 = parts.iter().map(|held| bytes(held)).sum();
        ways >= self.room.ways || all.saturating_add(u64::from(more)) > self.room.bytes
    }

    /// The candidate is the oldest of the window, the victim the oldest of the main part: the rarer of both goes.
    fn evict(&mut self) {
        if self.probation.is_empty()
            && let Some(held) = oldest(&mut self.protected)
        {
            self.probation.push(held);
        }
        // The window is one way: the youngest of all.
        let Some(candidate) = oldest(&mut self.window) else {
            oldest(&mut self.probation);
            return;
        };
        let sketch = self.sketch.borrow();
        let Some(victim) = self.probation.first() else { return };
        if sketch.estimate(candidate.object) > sketch.estimate(victim.object) {
            oldest(&mut self.probation);
            self.probation.push(candidate);
        }
    }
}

impl Set for TinyLfu {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        self.sketch.borrow_mut().count(object);
        let hit = Outcome { hit: true, wrote: true };
        if let Some(idx) = position(&self.window, object) {
            renew(&mut self.window, idx);
            return hit;
        }
        if let Some(idx) = position(&self.protected, object) {
            renew(&mut self.protected, idx);
            return hit;
        }
        if let Some(idx) = position(&self.probation, object) {
            self.protected.push(self.probation.remove(idx));
            let is_too_many = |this: &Self| {
                this.protected.len().saturating_mul(5) > this.room.ways.saturating_mul(4)
                    || bytes(&this.protected).saturating_mul(5) > this.room.bytes.saturating_mul(4)
            };
            while is_too_many(self)
                && let Some(held) = oldest(&mut self.protected)
            {
                self.probation.push(held);
            }
            return hit;
        }
        while self.is_full(size) {
            self.evict();
        }
        // Until the set is full there is no trial.
        self.probation.append(&mut self.window);
        self.window.push(Held { object, size, uses: 0 });
        Outcome { hit: false, wrote: false }
    }
}
