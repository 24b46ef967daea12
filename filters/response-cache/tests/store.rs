//! The store under pressure: full buckets, other workers in between, slots that hold something else.
#![cfg(test)]

mod shelf;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::headers::Headers;
use kit::shared::SharedData;
use weir_response_cache::key::normal::Normal;
use weir_response_cache::signals::{Eviction, Refusal};
use weir_response_cache::store::index::BUCKET_SIZE;
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Found, Geometry, Opened, Store};

use shelf::{ONE_BUCKET, T0, open, response};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn put(store: &Store, host: &FakeHost, stored: Stored, now: Nanos) -> Vec<Eviction> {
    store.put(host, stored, T0, now).unwrap().evicted
}

fn has(store: &Store, host: &FakeHost, key: &str) -> bool {
    matches!(store.find(host, key.as_bytes(), b"", &Headers::default(), &Normal::default(), T0), Found::Entry(entry) if entry.stored.key == key.as_bytes())
}

/// The shared name of the one slot that holds these bytes.
fn slot_of(host: &FakeHost, needle: &[u8]) -> String {
    let names = host.shared_keys();
    let holds = |name: &&String| {
        let value = host.shared_get(name).unwrap().value;
        name.contains("/s") && value.windows(needle.len()).any(|window| window == needle)
    };
    names.iter().find(holds).unwrap().clone()
}

#[test]
fn when_bytes_run_out_the_oldest_that_was_not_used_goes() {
    let (host, store) = open(ONE_BUCKET);
    assert_eq!(put(&store, &host, response("a", 10, 4_000), T0), []);
    assert_eq!(put(&store, &host, response("b", 30, 4_000), T0), []);
    assert!(has(&store, &host, "a"));
    assert_eq!(put(&store, &host, response("c", 20, 4_000), T0), [Eviction::Space]);
    assert!(has(&store, &host, "a") && !has(&store, &host, "b") && has(&store, &host, "c"));
    let later = T0.saturating_add(Nanos::from_secs(15));
    assert_eq!(
        put(&store, &host, response("d", 60, 9_000), later),
        [Eviction::Expired, Eviction::Space],
        "what is of no use any more goes first"
    );
    assert!(host.shared_bytes() < 10_000 + BUCKET_SIZE + 100, "slots that gave way are empty");
}

#[test]
fn when_ways_run_out_the_oldest_that_was_not_used_goes() {
    let (host, store) = open(ONE_BUCKET);
    for n in 0..32 {
        assert_eq!(put(&store, &host, response(&format!("k{n}"), 100 - n, 1), T0), []);
    }
    assert!(has(&store, &host, "k0"));
    assert_eq!(put(&store, &host, response("one more", 500, 1), T0), [Eviction::Space]);
    for (key, is_there) in [("k0", true), ("k1", false), ("k2", true), ("one more", true)] {
        assert_eq!(has(&store, &host, key), is_there, "{key}");
    }
}

/// A crawler that asks for everything once takes nothing from what is asked for again and again.
#[test]
fn a_scan_passes_by_what_is_hot() {
    let (host, store) = open(ONE_BUCKET);
    for n in 0..20 {
        put(&store, &host, response(&format!("hot{n}"), 100, 1), T0);
        assert!(has(&store, &host, &format!("hot{n}")));
    }
    for n in 0..1_000 {
        put(&store, &host, response(&format!("scanned{n}"), 100, 1), T0);
    }
    assert!((0..20).all(|n| has(&store, &host, &format!("hot{n}"))));
}

/// What comes again soon after it failed its trial is held without another one.
#[test]
fn what_comes_again_is_held() {
    let (host, store) = open(ONE_BUCKET);
    let fill = |name: &str, n: usize| {
        for n in 0..n {
            put(&store, &host, response(&format!("{name}{n}"), 100, 1), T0);
        }
    };
    put(&store, &host, response("again", 100, 1), T0);
    fill("first", 40);
    assert!(!has(&store, &host, "again"));
    put(&store, &host, response("again", 100, 1), T0);
    fill("second", 200);
    assert!(has(&store, &host, "again"));
}

#[test]
fn what_does_not_fit_at_all_evicts_nothing() {
    let (host, store) = open(ONE_BUCKET);
    put(&store, &host, response("a", 30, 4_000), T0);
    assert_eq!(store.put(&host, response("b", 30, 10_000), T0, T0), Err(Refusal::TooLarge.into()));
    assert!(has(&store, &host, "a"));
}

#[test]
fn the_same_key_replaces_itself() {
    let (host, store) = open(ONE_BUCKET);
    for n in 1..50 {
        let changed = store.put(&host, response("a", 30, n * 100), T0, T0).unwrap();
        assert_eq!((changed.evicted.len(), changed.entries), (0, i64::from(n == 1)));
    }
    let Found::Entry(entry) =
        store.find(&host, b"a", b"", &Headers::default(), &Normal::default(), T0)
    else {
        panic!()
    };
    assert_eq!(entry.stored.body.len(), 4_900);
}

/// A slot that holds another key, another generation, another version or half a record is a miss, and heals.
#[test]
fn a_slot_that_holds_something_else_is_a_miss() {
    let (host, store) = open(ONE_BUCKET);
    put(&store, &host, response("old", 30, 10), T0);
    let old = host.shared_get(&slot_of(&host, b"old")).unwrap().value;
    put(&store, &host, response("key", 30, 10), T0);
    let slot = slot_of(&host, b"key");
    let whole = host.shared_get(&slot).unwrap().value;
    let mut other_generation = Stored::decode(&whole).unwrap();
    other_generation.generation ^= 1;
    let mut other_key = Stored::decode(&whole).unwrap();
    other_key.key = b"kez".to_vec();
    let other_version = [&[99], &whole[1..]].concat();
    for bytes in [
        &old[..],
        b"",
        &whole[..whole.len() - 1],
        &other_version,
        &other_generation.encode(),
        &other_key.encode(),
    ] {
        host.shared_set(&slot, bytes, None).unwrap();
        assert!(!has(&store, &host, "key"));
    }
    put(&store, &host, response("key", 30, 10), T0);
    assert!(has(&store, &host, "key"));
    host.shared_set("weir/response-cache/t/b0", b"\x01torn", None).unwrap();
    assert_eq!(
        store.find(&host, b"key", b"", &Headers::default(), &Normal::default(), T0),
        Found::Nothing
    );
    put(&store, &host, response("key", 30, 10), T0);
    assert!(has(&store, &host, "key"));
}

/// A fill that dies after its claim leaves an entry whose slot does not fit: a miss.
#[test]
fn a_fill_that_dies_between_its_steps_leaves_nothing_to_serve() {
    let (host, store) = open(ONE_BUCKET);
    put(&store, &host, response("first", 30, 10), T0);
    let slot = slot_of(&host, b"first");
    let before = host.shared_get(&slot).unwrap().value;
    put(&store, &host, response("first", 60, 20), T0);
    // As if only the index of the second writing had come through.
    host.shared_set(&slot, &before, None).unwrap();
    assert_eq!(
        store.find(&host, b"first", b"", &Headers::default(), &Normal::default(), T0),
        Found::OtherVariant
    );
}

#[test]
fn conflicts_are_retried_and_endless_ones_are_refused() {
    let (host, store) = open(ONE_BUCKET);
    host.schedule_conflicts(5);
    put(&store, &host, response("a", 30, 10), T0);
    assert!(has(&store, &host, "a"));
    host.schedule_conflicts(u32::MAX);
    assert_eq!(store.put(&host, response("b", 30, 10), T0, T0), Err(Refusal::Store.into()));
    host.schedule_conflicts(0);
    assert!(has(&store, &host, "a") && !has(&store, &host, "b"));
}

#[test]
fn a_slot_that_can_not_be_written_leaves_no_entry_and_what_gave_way_is_told() {
    let (host, store) = open(ONE_BUCKET);
    put(&store, &host, response("old", 30, 6_000), T0);
    host.refuse_sets(Some("/s"));
    let unstored = store.put(&host, response("new", 30, 6_000), T0, T0).unwrap_err();
    host.refuse_sets(None);
    assert_eq!(unstored.refusal, Refusal::Store);
    let usage = store.usage(&host, T0);
    let old = i64::try_from(response("old", 30, 6_000).encode().len()).unwrap();
    assert_eq!((usage.entries, usage.bytes), (0, 0));
    assert_eq!((unstored.changed.entries, unstored.changed.bytes), (-1, -old));
    assert_eq!(unstored.changed.evicted.len(), 1);
}

#[test]
fn opening_again_keeps_what_is_stored_unless_the_size_changed() {
    let geometry = Geometry { n_buckets: 4, ..ONE_BUCKET };
    let (host, store) = open(geometry);
    put(&store, &host, response("a", 30, 10), T0);
    let (same, opened) = Store::open(&host, "t", geometry);
    assert!(opened == Opened::AsItWas && has(&same, &host, "a"));
    let (smaller, opened) = Store::open(&host, "t", ONE_BUCKET);
    assert!(opened == Opened::Empty && !has(&smaller, &host, "a"));
    assert!(host.shared_bytes() < 32, "nothing but the secret and the size is left");
    let (back, opened) = Store::open(&host, "t", geometry);
    assert!(opened == Opened::Empty && !has(&back, &host, "a"));
}

#[test]
fn stores_of_other_names_are_other_stores() {
    let (host, store) = open(ONE_BUCKET);
    let (other, _) = Store::open(&host, "u", ONE_BUCKET);
    put(&store, &host, response("a", 30, 10), T0);
    assert!(has(&store, &host, "a") && !has(&other, &host, "a"));
}

#[test]
fn shared_names_are_made_of_configuration_only() {
    let (host, store) = open(ONE_BUCKET);
    for n in 0..200 {
        put(&store, &host, response(&format!("client-{n}"), 30, 1), T0);
    }
    let names = host.shared_keys();
    assert!(names.iter().all(|name| !name.contains("client")));
    // The secret, the size, one bucket, and a slot for each of its ways.
    assert_eq!(names.len(), 3 + 32);
}
