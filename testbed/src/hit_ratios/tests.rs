//! The measure measured: known caches before requests that can be counted by hand.

use super::optimum::{Lru, best};
use super::sets::{Kind, Queue, Room, S3Fifo, Sets, Sketch, TinyLfu};
use super::trace::{self, Trace};
use super::{Cache, Outcome, Tally, compare, play};

const ROOM: Room = Room { ways: 2, bytes: 2 };

fn of(requests: &[u32]) -> Trace {
    Trace { name: "test", requests: requests.to_vec(), sizes: Vec::new() }
}

fn hits(cache: impl Cache, requests: &[u32]) -> u64 {
    play(&of(requests), cache).hits
}

fn queue(kind: Kind) -> impl Cache {
    Sets::new(1, ROOM, move || Queue::new(kind, ROOM))
}

#[test]
fn queues_differ_by_what_a_use_is_worth() {
    // Room for two: 1 is used before 3 comes, so it stays wherever uses count.
    let requests = [1, 2, 1, 3, 1];
    for (kind, expected) in [
        (Kind::Fifo, 1),
        (Kind::Lru, 2),
        (Kind::LazyLru, 2),
        (Kind::Clock(1), 2),
        (Kind::Clock(3), 2),
        (Kind::Sieve, 2),
    ] {
        assert_eq!(hits(queue(kind), &requests), expected, "{kind:?}");
    }
    assert_eq!(hits(Lru::new(2), &requests), 2);
    assert_eq!(best(&of(&requests), 2).hits, 2);
}

#[test]
fn writes_are_counted_where_a_use_changes_the_index() {
    let writes = |kind| play(&of(&[1, 1, 1, 1, 1, 2, 1]), queue(kind)).writes;
    let kinds = [Kind::Fifo, Kind::Lru, Kind::LazyLru, Kind::Clock(3), Kind::Sieve];
    assert_eq!(kinds.map(writes), [0, 5, 1, 3, 1]);
}

#[test]
fn what_is_asked_for_again_outlives_a_scan() {
    let room = Room { ways: 10, bytes: 10 };
    let requests: Vec<u32> =
        [[1, 2, 3]; 4].as_flattened().iter().copied().chain(100..200).collect();
    let requests = [&requests[..], &[1, 2, 3]].concat();
    let sketch = Sketch::new(10);
    assert_eq!(hits(Sets::new(1, room, || S3Fifo::new(1, 3, room)), &requests), 12);
    assert_eq!(hits(Sets::new(1, room, || TinyLfu::new(room, &sketch)), &requests), 12);
    assert_eq!(hits(Sets::new(1, room, || Queue::new(Kind::Lru, room)), &requests), 9);
}

#[test]
fn the_optimum_is_what_can_be_worked_out_by_hand() {
    // Room for two, and 2 comes again before 1: the third object is best not taken in at all.
    assert_eq!(best(&of(&[1, 2, 3, 2, 1, 3]), 2).hits, 2);
    // 1 and 2 are held throughout, 3 never.
    assert_eq!(best(&of(&[1, 2, 3, 1, 2, 3, 1, 2, 3]), 2).hits, 4);
    assert_eq!(best(&of(&[1, 1, 1]), 1).hits, 2);
    // Two bytes of room over four requests: eight; 0 waits three steps for its one byte, 1 one step for its two.
    let sized = Trace { name: "sizes", requests: vec![0, 1, 1, 0], sizes: vec![1, 2] };
    let bound = best(&sized, 2);
    assert_eq!((bound.hits, bound.hit_bytes, bound.requests, bound.bytes), (2, 3, 4, 6));
    assert_eq!(best(&sized, 1).hits, 1);
}

/// Nothing beats the optimum, sets are never over-full, and the store's buckets do what their copy here does.
#[test]
fn the_store_does_what_the_candidate_does_and_none_beats_the_optimum() {
    for mut trace in trace::all() {
        trace.requests.truncate(20_000);
        let tallies = compare(&trace, trace.footprint() / 20);
        let of = |wanted| tallies.iter().find(|(name, _)| *name == wanted).map(|(_, tally)| *tally);
        assert_eq!(of("as built"), of("S3-FIFO, one use"), "{}", trace.name);
        let optimum = of("optimum").unwrap();
        for (name, tally) in &tallies {
            assert!(tally.hits <= optimum.hits, "{name} beats the optimum for {}", trace.name);
            assert!(tally.hit_bytes <= optimum.hit_bytes, "{name}, {}", trace.name);
            assert_eq!((tally.requests, tally.bytes), (optimum.requests, optimum.bytes));
        }
    }
}

#[test]
fn every_run_meets_the_same_requests() {
    assert_eq!(trace::all(), trace::all());
}

#[test]
fn figures_are_of_all_requests() {
    let mut tally = Tally::default();
    tally.count(Outcome { hit: true, wrote: false }, 30);
    tally.count(Outcome { hit: false, wrote: false }, 70);
    let measured = super::Measured {
        trace: "t",
        is_of_one_size: false,
        per_mille: 15,
        tallies: vec![("c", tally)],
    };
    let tables = super::report::tables(&[measured]);
    for row in ["| t | all | 50.0 |", "| t | 1.5% | 50.0 |", "| t | 1.5% | 30.0 |"] {
        assert!(tables.contains(row), "{row}: {tables}");
    }
}
