//! `weir-hit-ratios`: which objects a cache should give up, measured.
//!
//! Candidates meet the same made-up requests: popularity of several skews, a crawler's scans, popularity that changes,
//! objects of many sizes. The candidates live in sets of as many ways as a bucket of the store has, each with its share
//! of the bytes, as the store does; beside them stand LRU over the whole cache at once, and the optimum that knows
//! the future. What the store has built is measured through its own [`Bucket`], not through a copy of its policy.
//!
//! Nothing expires here: lifetimes take hits from every policy alike.
//!
//! [`Bucket`]: weir_response_cache::store::index::Bucket

mod built;
mod optimum;
mod report;
mod sets;
mod trace;

use weir_response_cache::store::index::WAYS;

use built::Built;
use optimum::{Lru, best};
use sets::{Kind, Queue, Room, S3Fifo, Set, Sets, Sketch, TinyLfu};
use trace::Trace;

/// Sizes of the cache, in thousandths of the bytes of all objects together.
const SIZES: [u64; 6] = [5, 10, 20, 50, 100, 200];

/// A cache that answers requests.
trait Cache {
    /// Answers from the cache, or takes the object in.
    fn request(&mut self, object: u32, size: u32) -> Outcome;
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    /// It was answered from the cache.
    hit: bool,
    /// It was, and for that the index was written: a set of shared data.
    wrote: bool,
}

/// What became of all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    requests: u64,
    hits: u64,
    bytes: u64,
    hit_bytes: u64,
    writes: u64,
}

impl Tally {
    fn count(&mut self, outcome: Outcome, size: u64) {
        self.requests = self.requests.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        self.writes = self.writes.saturating_add(u64::from(outcome.wrote));
        if outcome.hit {
            self.hits = self.hits.saturating_add(1);
            self.hit_bytes = self.hit_bytes.saturating_add(size);
        }
    }
}

/// A cache of one size before one trace.
#[derive(Debug)]
struct Measured {
    trace: &'static str,
    is_of_one_size: bool,
    per_mille: u64,
    /// By name, in the order of the columns.
    tallies: Vec<(&'static str, Tally)>,
}

/// Runs all candidates and returns the tables, in Markdown.
pub fn run() -> String {
    let traces = trace::all();
    let measured: Vec<Measured> = std::thread::scope(|scope| {
        let running: Vec<_> = traces.iter().map(|trace| scope.spawn(|| measure(trace))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    report::tables(&measured)
}

/// One trace before caches of every size.
fn measure(trace: &Trace) -> Vec<Measured> {
    let footprint = trace.footprint();
    SIZES
        .iter()
        .map(|per_mille| Measured {
            trace: trace.name,
            is_of_one_size: trace.is_of_one_size(),
            per_mille: *per_mille,
            tallies: compare(trace, footprint.saturating_mul(*per_mille) / 1_000),
        })
        .collect()
}

/// One trace before caches of this many bytes.
fn compare(trace: &Trace, capacity: u64) -> Vec<(&'static str, Tally)> {
    let (n_sets, room) = shape(trace, capacity);
    let capacity = room.bytes.saturating_mul(u64::from(n_sets));
    let objects = usize::try_from(n_sets).unwrap_or(1).saturating_mul(room.ways);
    let sketch = Sketch::new(objects);
    let queue = |kind| play(trace, sets(n_sets, room, || Queue::new(kind, room)));
    let trial = |pass, most| play(trace, sets(n_sets, room, || S3Fifo::new(pass, most, room)));
    vec![
        ("FIFO", queue(Kind::Fifo)),
        ("LRU", queue(Kind::Lru)),
        ("lazy LRU", queue(Kind::LazyLru)),
        ("CLOCK 1", queue(Kind::Clock(1))),
        ("CLOCK 3", queue(Kind::Clock(3))),
        ("SIEVE", queue(Kind::Sieve)),
        ("S3-FIFO", trial(2, 3)),
        ("S3-FIFO, one use", trial(1, 3)),
        ("W-TinyLFU", play(trace, sets(n_sets, room, || TinyLfu::new(room, &sketch)))),
        ("as built", play(trace, Built::new(n_sets, room.bytes))),
        ("LRU, whole", play(trace, Lru::new(capacity))),
        ("optimum", best(trace, capacity)),
    ]
}

fn sets<S: Set>(n_sets: u32, room: Room, set: impl Fn() -> S) -> Sets<S> {
    Sets::new(n_sets, room, set)
}

/// How a cache of this many bytes is divided: so that objects of the mean size fill the ways.
fn shape(trace: &Trace, capacity: u64) -> (u32, Room) {
    let ways = u64::try_from(WAYS).unwrap_or(1);
    let n_objects = u64::try_from(trace.sizes.len()).unwrap_or(u64::MAX);
    let all: u64 = trace.sizes.iter().map(|size| u64::from(*size)).sum();
    let mean = all.checked_div(n_objects).unwrap_or(1).max(1);
    let n_sets = capacity.div_ceil(mean.saturating_mul(ways)).max(1);
    let bytes = if trace.is_of_one_size() { ways } else { capacity / n_sets };
    (u32::try_from(n_sets).unwrap_or(u32::MAX), Room { ways: WAYS, bytes })
}

fn play(trace: &Trace, mut cache: impl Cache) -> Tally {
    let mut tally = Tally::default();
    for object in &trace.requests {
        let size = trace.size(*object);
        tally.count(cache.request(*object, size), u64::from(size));
    }
    tally
}

#[cfg(test)]
mod tests;
