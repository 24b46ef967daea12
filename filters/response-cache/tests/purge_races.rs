//! Purges, readers and fills of several workers, in every order of the steps that they can see of each other.
#![cfg(test)]

mod purging;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kit::fake::FakeHost;
use kit::{Host, Nanos};
use weir_response_cache::store::purges::sweep::{AGAIN, LEASE, Listed, SETTLE, Shelf, Swept};
use weir_response_cache::store::purges::{Mode, Purge, Purges, Standing};

use purging::{Object, Odd, pattern, tags, uri};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const T: fn(u64) -> Nanos = Nanos::from_secs;

fn all_kinds() -> [Purge; 4] {
    [tags(&["a"]), uri("https://a.example/x"), pattern("/x"), Purge::Everything]
}

fn object() -> Object {
    Object::at("https://a.example/x").tagged(&["a"])
}

/// What workers share here: each has opened its purges before anything else happens, as Envoy's do.
struct Workers {
    host: FakeHost,
    a: Purges,
    b: Purges,
    c: Purges,
}

impl Workers {
    fn new() -> Self {
        let host = FakeHost::default();
        let [a, b, c] = [(); 3].map(|()| Purges::open(&host, "t"));
        let these = Self { host, a, b, c };
        for worker in [&these.a, &these.b, &these.c] {
            assert_eq!(object().standing(worker, &these.host, T(1)), Standing::Valid);
        }
        these
    }
}

/// Runs `act` with `meddle` before its first step, before its second, and so on to its end; answers how many there are.
fn interleave<T>(
    act: impl Fn(&Workers, &dyn Host) -> T,
    meddle: impl Fn(&Workers),
    judge: impl Fn(&Workers, T, bool),
) -> usize {
    for step in 0..1_000 {
        let workers = Workers::new();
        let odd = Odd::meddled(&workers.host, step, Box::new(|_| meddle(&workers)));
        let answer = act(&workers, &odd);
        let came_between = odd.is_done();
        judge(&workers, answer, came_between);
        if !came_between {
            return step;
        }
    }
    panic!("an act of a thousand steps")
}

/// A reader that was interrupted by a purge anywhere sees it with its next question; so does who has not read yet.
#[test]
fn a_purge_while_a_reader_reads_is_seen_with_the_next_question() {
    for what in all_kinds() {
        let n_steps = interleave(
            |workers, host| {
                // An older purge makes the reader read everything again.
                workers.b.purge(&workers.host, &what, Mode::Hard, T(2)).unwrap();
                object().standing(&workers.a, host, T(5))
            },
            |workers| {
                workers.c.purge(&workers.host, &what, Mode::Hard, T(10)).unwrap();
            },
            |workers, _, came_between| {
                let now = if came_between { Standing::Gone } else { Standing::Valid };
                for worker in [&workers.a, &workers.b, &workers.c] {
                    assert_eq!(object().standing(worker, &workers.host, T(5)), now, "{what}");
                }
            },
        );
        assert!(n_steps >= 2, "{what}: {n_steps} steps");
    }
}

/// Whoever asks while a purge is being written may see it or not; when it is done everybody sees it.
#[test]
fn a_reader_in_the_middle_of_a_purge_keeps_nobody_from_seeing_it() {
    for what in all_kinds() {
        interleave(
            |workers, host| workers.a.purge(host, &what, Mode::Hard, T(10)).unwrap(),
            |workers| {
                object().standing(&workers.b, &workers.host, T(5));
            },
            |workers, _, _| {
                for worker in [&workers.a, &workers.b, &workers.c] {
                    let standing = object().standing(worker, &workers.host, T(5));
                    assert_eq!(standing, Standing::Gone, "{what}");
                }
            },
        );
    }
}

/// Two purges at once: neither is lost, of whatever kinds they are.
#[test]
fn two_purges_at_once_both_count() {
    let other = Object::at("https://b.example/y").tagged(&["b"]);
    for first in all_kinds() {
        for second in [tags(&["b"]), uri("https://b.example/y"), pattern("b.example/**")] {
            interleave(
                |workers, host| workers.a.purge(host, &first, Mode::Hard, T(10)).unwrap(),
                |workers| {
                    workers.b.purge(&workers.host, &second, Mode::Hard, T(11)).unwrap();
                },
                |workers, _, came_between| {
                    for worker in [&workers.a, &workers.b, &workers.c] {
                        let standing = object().standing(worker, &workers.host, T(5));
                        assert_eq!(standing, Standing::Gone, "{first}, {second}");
                        if came_between {
                            let standing = other.standing(worker, &workers.host, T(11));
                            assert_eq!(standing, Standing::Gone, "{first}, {second}");
                        }
                    }
                },
            );
        }
    }
}

/// A worker that dies within a purge: the gauge has not moved, and the others see what was written with a tick.
#[test]
fn a_purge_whose_worker_died_before_the_gauge_is_seen_with_the_next_tick() {
    let workers = Workers::new();
    let deaf = Odd::deaf(&workers.host);
    workers.a.purge(&deaf, &tags(&["a"]), Mode::Hard, T(10)).unwrap();
    let shelf = Shelved::default();
    workers.b.sweep(&workers.host, &shelf, T(10), 1);
    assert_eq!(object().standing(&workers.b, &workers.host, T(5)), Standing::Gone);
}

/// A store of four pages; a place is a page and a generation.
#[derive(Default)]
struct Shelved {
    entries: RefCell<BTreeMap<(u32, u64), (Object, Nanos)>>,
    refuses: bool,
    n_pages: u32,
}

impl Shelved {
    fn of(n_pages: u32) -> Self {
        Self { n_pages, ..Self::default() }
    }

    fn put(&self, page: u32, generation: u64, object: Object, asked: Nanos) {
        self.entries.borrow_mut().insert((page, generation), (object, asked));
    }

    fn places(&self) -> Vec<(u32, u64)> {
        self.entries.borrow().keys().copied().collect()
    }
}

impl Shelf for Shelved {
    type Place = (u32, u64);

    fn n_pages(&self) -> u32 {
        self.n_pages
    }

    fn page(&self, host: &dyn Host, page: u32) -> Vec<Listed<Self::Place>> {
        // A step that others may come before.
        host.shared_get("shelf");
        // The secret of every host is the same here; these purges are not those of the test's.
        let purges = Purges::open(&FakeHost::default(), "t");
        let entries = self.entries.borrow();
        let here = entries.range((page, 0)..=(page, u64::MAX));
        here.map(|(place, (object, asked))| Listed {
            place: *place,
            asked: *asked,
            uri: object.uri.clone().into_bytes(),
            uri_key: object.uri.clone().into_bytes(),
            has_parts: object.has_parts,
            tags: object.hashed(&purges),
        })
        .collect()
    }

    fn forget(&self, host: &dyn Host, place: &Self::Place) -> bool {
        host.shared_get("shelf");
        if !self.refuses {
            self.entries.borrow_mut().remove(place);
        }
        !self.refuses
    }
}

fn sweep_all(purges: &Purges, host: &dyn Host, shelf: &Shelved, now: Nanos) -> Swept {
    let mut all = Swept::default();
    for _ in 0..100 {
        let step = purges.sweep(host, shelf, now, 1);
        all.looked_at += step.looked_at;
        all.forgotten += step.forgotten;
        if step.finished {
            all.finished = true;
            break;
        }
    }
    all
}

#[test]
fn a_pass_throws_away_what_is_purged_and_drops_the_hard_patterns() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved::of(4);
    shelf.put(0, 1, object(), T(5));
    shelf.put(1, 2, object(), T(11));
    shelf.put(2, 3, Object::at("https://a.example/y").tagged(&["y"]), T(5));
    shelf.put(3, 4, Object::at("https://a.example/z"), T(5));
    workers.a.purge(host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
    workers.a.purge(host, &tags(&["y"]), Mode::Hard, T(10)).unwrap();
    let early = sweep_all(&workers.a, host, &shelf, Nanos(T(10).0 + SETTLE.0 - 1));
    assert_eq!(early, Swept::default(), "what is about to be stored has to settle first");
    let settled = T(10).saturating_add(SETTLE);
    let done = sweep_all(&workers.b, host, &shelf, settled);
    assert_eq!(done, Swept { looked_at: 4, forgotten: 2, finished: true });
    assert_eq!(shelf.places(), [(1, 2), (3, 4)]);
    let listing = workers.c.list(host);
    assert!(listing.patterns.is_empty() && listing.sweep_due.is_none());
    assert_eq!(sweep_all(&workers.a, host, &shelf, settled), Swept::default(), "nothing to do");
    // What was asked for before the pattern may not come in any more; what was asked for since may.
    for worker in [&workers.a, &workers.b, &workers.c] {
        assert!(!object().is_admitted(worker, host, T(10)));
        assert!(object().is_admitted(worker, host, Nanos(T(10).0 + 1)));
    }
}

#[test]
fn a_soft_pattern_stays_while_it_means_something_that_is_stored() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved::of(4);
    shelf.put(2, 1, object(), T(5));
    workers.a.purge(host, &pattern("/x"), Mode::Soft, T(10)).unwrap();
    let first = T(10).saturating_add(SETTLE);
    let done = sweep_all(&workers.a, host, &shelf, first);
    assert_eq!(done, Swept { looked_at: 1, forgotten: 0, finished: true });
    assert_eq!(object().standing(&workers.b, host, T(5)), Standing::Soft);
    assert_eq!(workers.a.list(host).sweep_due, Some(first.saturating_add(AGAIN)));
    // It was refreshed: asked for since.
    shelf.put(2, 1, object(), T(11));
    assert!(sweep_all(&workers.b, host, &shelf, first.saturating_add(AGAIN)).finished);
    assert!(workers.a.list(host).patterns.is_empty());
}

/// A store that can not throw something away keeps its pattern, or the entry would be served again.
#[test]
fn a_pattern_stays_while_what_it_means_can_not_be_thrown_away() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved { refuses: true, ..Shelved::of(4) };
    shelf.put(0, 1, object(), T(5));
    workers.a.purge(host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
    assert!(sweep_all(&workers.a, host, &shelf, T(100)).finished);
    assert_eq!(object().standing(&workers.b, host, T(5)), Standing::Gone);
}

/// A pass takes in only what has settled when it begins.
#[test]
fn a_pattern_that_has_not_settled_stays_for_the_next_pass() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved::of(4);
    let begun = T(10).saturating_add(SETTLE);
    workers.a.purge(host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
    workers.a.purge(host, &pattern("/y"), Mode::Hard, T(11)).unwrap();
    assert!(sweep_all(&workers.a, host, &shelf, begun).finished);
    let listing = workers.b.list(host);
    let left: Vec<&str> = listing.patterns.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(left, ["/y"]);
    let next = begun.saturating_add(SETTLE);
    assert_eq!(listing.sweep_due, Some(next));
    assert!(sweep_all(&workers.b, host, &shelf, next).finished);
    assert!(workers.b.list(host).patterns.is_empty());
}

/// One worker sweeps; when it is silent another goes on where it was, and a store of another size begins anew.
#[test]
fn a_pass_is_one_workers_until_it_is_silent() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved::of(4);
    for page in 0..4 {
        shelf.put(page, 1, object(), T(5));
    }
    workers.a.purge(host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
    let begun = T(20);
    assert_eq!(workers.a.sweep(host, &shelf, begun, 1).forgotten, 1);
    assert_eq!(workers.b.sweep(host, &shelf, begun, 1), Swept::default());
    let taken_over = begun.saturating_add(LEASE);
    assert_eq!(workers.b.sweep(host, &shelf, taken_over, 2).forgotten, 2);
    assert_eq!(shelf.places(), [(3, 1)]);
    let larger = Shelved::of(8);
    larger.put(0, 9, object(), T(5));
    assert_eq!(workers.b.sweep(host, &larger, taken_over, 7).forgotten, 1, "from the beginning");
    assert!(workers.b.sweep(host, &larger, taken_over, 7).finished);
}

/// A pattern that comes while a pass is under way is not dropped at its end: the pages before were not looked at for it.
#[test]
fn a_purge_during_a_pass_waits_for_the_next() {
    for now in [T(20), T(1_000)] {
        let shelf = Shelved::of(4);
        interleave(
            |workers, host| {
                shelf.entries.borrow_mut().clear();
                shelf.put(0, 1, Object::at("https://b.example/late"), T(5));
                shelf.put(3, 2, object(), T(5));
                workers.a.purge(&workers.host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
                sweep_all(&workers.a, host, &shelf, now)
            },
            |workers| {
                // Its clock was read long ago: only what was in force when the pass began may be dropped.
                workers.b.purge(&workers.host, &pattern("/late"), Mode::Hard, T(10)).unwrap();
            },
            |workers, done, came_between| {
                assert!(done.finished);
                assert_eq!(object().standing(&workers.c, &workers.host, T(11)), Standing::Valid);
                let late = Object::at("https://b.example/late");
                if came_between && shelf.places().contains(&(0, 1)) {
                    let standing = late.standing(&workers.c, &workers.host, T(5));
                    assert_eq!(standing, Standing::Gone, "it is stored and purged");
                }
                assert!(came_between || shelf.places() == [(0, 1)]);
            },
        );
    }
}

/// A fill that asks, stores, and asks again: whatever comes in between, what was purged is not served.
#[test]
fn a_fill_across_a_purge_and_its_whole_pass_serves_nobody() {
    for what in all_kinds() {
        for asked in [T(5), T(10)] {
            let shelf = Shelved::of(1);
            interleave(
                |workers, host| {
                    shelf.entries.borrow_mut().clear();
                    if !object().is_admitted(&workers.a, host, asked) {
                        return;
                    }
                    host.shared_get("shelf");
                    shelf.put(0, 1, object(), asked);
                    host.shared_get("shelf");
                    if !object().is_admitted(&workers.a, host, asked) {
                        shelf.entries.borrow_mut().clear();
                    }
                },
                |workers| {
                    workers.b.purge(&workers.host, &what, Mode::Hard, T(10)).unwrap();
                    assert!(sweep_all(&workers.b, &workers.host, &shelf, T(20)).finished);
                },
                |workers, (), came_between| {
                    let is_served = !shelf.places().is_empty()
                        && object().standing(&workers.c, &workers.host, asked) == Standing::Valid;
                    assert_eq!(is_served, !came_between, "{what}");
                },
            );
        }
    }
}

/// A shelf on which looking at a page lasts long enough for another worker to do something.
struct Slow<'a> {
    shelf: &'a Shelved,
    meanwhile: &'a dyn Fn(),
}

impl Shelf for Slow<'_> {
    type Place = (u32, u64);

    fn n_pages(&self) -> u32 {
        self.shelf.n_pages()
    }

    fn page(&self, host: &dyn Host, page: u32) -> Vec<Listed<Self::Place>> {
        let listed = self.shelf.page(host, page);
        (self.meanwhile)();
        listed
    }

    fn forget(&self, host: &dyn Host, place: &Self::Place) -> bool {
        self.shelf.forget(host, place)
    }
}

/// A worker that was silent too long and comes back does not end the pass that another has ended.
#[test]
fn a_pass_ends_once() {
    let workers = Workers::new();
    let host = &workers.host;
    let shelf = Shelved::of(1);
    shelf.put(0, 1, object(), T(5));
    workers.a.purge(host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
    let other_ended = Cell::new(false);
    let meanwhile = || other_ended.set(workers.b.sweep(host, &shelf, T(100), 1).finished);
    let slow = Slow { shelf: &shelf, meanwhile: &meanwhile };
    assert!(!workers.a.sweep(host, &slow, T(20), 1).finished);
    assert!(other_ended.get());
    assert!(shelf.places().is_empty() && workers.c.list(host).patterns.is_empty());
}

/// Two workers that sweep at once, one step of each in between those of the other.
#[test]
fn two_sweeps_at_once_lose_no_pattern_that_is_needed() {
    let shelf = Shelved::of(4);
    interleave(
        |workers, host| {
            shelf.entries.borrow_mut().clear();
            for page in 0..4 {
                shelf.put(page, 1, object(), T(5));
            }
            workers.a.purge(&workers.host, &pattern("/x"), Mode::Hard, T(10)).unwrap();
            for _ in 0..4 {
                workers.a.sweep(host, &shelf, T(20), 1);
            }
        },
        // The other takes over as if the first had been silent for long.
        |workers| {
            workers.b.sweep(&workers.host, &shelf, T(100), 1);
        },
        |workers, (), _| {
            for worker in [&workers.a, &workers.b, &workers.c] {
                let is_served = !shelf.places().is_empty()
                    && object().standing(worker, &workers.host, T(5)) == Standing::Valid;
                assert!(!is_served);
            }
        },
    );
}
