//! The first level of two workers over one store, and the store looked at from outside.
#![cfg(test)]

mod shelf;

use std::collections::BTreeSet;
use std::rc::Rc;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::headers::Headers;
use weir_response_cache::http::vary::{names_bytes, variant_bytes};
use weir_response_cache::key::normal::Normal;
use weir_response_cache::store::local::{Local, OVERHEAD};
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Entry, Found, Geometry, Store};

use shelf::{ONE_BUCKET, T0, open, response};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TWO_LEVELS: Geometry = Geometry { local_bytes: 1 << 20, ..ONE_BUCKET };

fn two_workers() -> (FakeHost, Store, Store) {
    let (host, store) = open(TWO_LEVELS);
    let (other, _) = Store::open(&host, "t", TWO_LEVELS);
    (host, store, other)
}

fn find(store: &Store, host: &FakeHost, key: &str) -> Option<Entry> {
    match store.find(host, key.as_bytes(), b"", &Headers::default(), &Normal::default(), T0) {
        Found::Entry(entry) => Some(entry),
        Found::Nothing | Found::OtherVariant => None,
    }
}

/// The gets that this look-up costs.
fn gets(store: &Store, host: &FakeHost, key: &str) -> u64 {
    let before = host.shared_ops().0;
    assert!(find(store, host, key).is_some());
    host.shared_ops().0 - before
}

#[test]
fn a_hot_response_costs_one_get_and_others_two() {
    let (host, store, other) = two_workers();
    store.put(&host, response("a", 60, 100), T0, T0).unwrap();
    for worker in [&store, &other] {
        assert_eq!([gets(worker, &host, "a"), gets(worker, &host, "a")], [2, 1]);
    }
    let (host, store) = open(ONE_BUCKET);
    store.put(&host, response("a", 60, 100), T0, T0).unwrap();
    assert_eq!([gets(&store, &host, "a"), gets(&store, &host, "a")], [2, 2], "it is off");
}

/// Whatever another worker does to what this one holds in its first level: it is seen by the very next look-up.
#[test]
fn the_first_level_serves_nothing_that_the_index_does_not_name() {
    let (host, store, other) = two_workers();
    let a = || {
        other.put(&host, response("a", 60, 100), T0, T0).unwrap();
        assert_eq!(find(&store, &host, "a").unwrap().stored.body.len(), 100);
    };
    a();
    other.put(&host, response("a", 60, 200), T0, T0).unwrap();
    assert_eq!(find(&store, &host, "a").unwrap().stored.body.len(), 200, "replaced");
    a();
    other.invalidate(&host, b"a", T0).unwrap();
    assert_eq!(find(&store, &host, "a"), None, "invalidated");
    let later = T0.saturating_add(Nanos::SECOND);
    other.put(&host, response("a", 60, 100), later, later).unwrap();
    let place = find(&store, &host, "a").unwrap().place;
    assert_eq!(other.forget(&host, place).unwrap().entries, -1);
    assert_eq!(find(&store, &host, "a"), None, "forgotten");
    other.put(&host, response("a", 60, 100), later, later).unwrap();
    assert!(find(&store, &host, "a").is_some());
    other.put(&host, response("b", 600, 9_750), later, later).unwrap();
    assert_eq!(find(&store, &host, "a"), None, "evicted");
}

/// A place that has gone to another response is not forgotten for the one that was there.
#[test]
fn forgetting_names_one_writing() {
    let (host, store, other) = two_workers();
    store.put(&host, response("a", 60, 100), T0, T0).unwrap();
    let before = find(&store, &host, "a").unwrap().place;
    other.put(&host, response("a", 60, 200), T0, T0).unwrap();
    assert_eq!(store.forget(&host, before).unwrap().entries, 0);
    assert_eq!(find(&store, &host, "a").unwrap().stored.body.len(), 200);
}

#[test]
fn what_is_stale_is_found_while_it_is_of_use() {
    let (host, store) = open(ONE_BUCKET);
    let graces = [("swr", [7, 0, 0]), ("sie", [0, 8, 0]), ("keep", [0, 0, 9]), ("all", [1, 2, 3])];
    for (key, grace) in graces {
        let [stale_while_revalidate, stale_if_error, keep] =
            grace.map(|seconds| Nanos::from_secs(seconds).0);
        let graceful =
            Stored { stale_while_revalidate, stale_if_error, keep, ..response(key, 60, 1) };
        let longest = Nanos::from_secs(60 + grace.into_iter().max().unwrap());
        assert_eq!(graceful.until(), T0.saturating_add(longest));
        store.put(&host, graceful, T0, T0).unwrap();
        let last = Nanos(T0.saturating_add(longest).0 - 1);
        let found =
            store.find(&host, key.as_bytes(), b"", &Headers::default(), &Normal::default(), last);
        assert!(matches!(found, Found::Entry(_)), "{key}");
    }
}

#[test]
fn all_variants_of_a_key_are_listed_and_no_others() {
    let (host, store) = open(TWO_LEVELS);
    let names = ["accept".to_owned()];
    for (received, accept) in [(1, "x"), (3, "y"), (2, "z")] {
        let request = Headers::new(&[("accept", accept)]);
        let stored = Stored {
            names: names_bytes(&names),
            variant: variant_bytes(b"", &names, &request, &Normal::default()),
            received: T0.0 + received,
            fields: accept.into(),
            ..response("a", 60, 1)
        };
        store.put(&host, stored, T0, T0).unwrap();
    }
    store.put(&host, response("b", 60, 1), T0, T0).unwrap();
    let listed: Vec<_> = store.entries_of(&host, b"a");
    let fields: Vec<_> = listed.iter().map(|entry| entry.stored.fields.as_slice()).collect();
    assert_eq!(fields, [b"y", b"z", b"x"]);
    assert_eq!(store.entries_of(&host, b"c"), []);
}

#[test]
fn a_scan_sees_every_response_once_and_usage_counts_them() {
    let geometry = Geometry { n_buckets: 7, ..TWO_LEVELS };
    let (host, store) = open(geometry);
    let keys: BTreeSet<Vec<u8>> = (0..60_u8).map(|n| vec![n]).collect();
    for key in &keys {
        let lifetime = if key < &vec![20] { 5 } else { 50 };
        let keep = if key < &vec![10] { Nanos::from_secs(40).0 } else { 0 };
        let stored = Stored { key: key.clone(), keep, ..response("", lifetime, 1) };
        store.put(&host, stored, T0, T0).unwrap();
    }
    for step in [1, 2, 7, 100] {
        let mut seen = Vec::new();
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let scanned = store.scan(&host, at, step);
            seen.extend(scanned.entries.iter().map(|entry| entry.stored.key.clone()));
            cursor = scanned.next;
        }
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (60, keys.clone()));
    }
    let usage = store.usage(&host, T0.saturating_add(Nanos::from_secs(10)));
    assert_eq!((usage.buckets, usage.buckets_read), (7, 7));
    assert_eq!((usage.entries, usage.stale, usage.dead), (60, 20, 10));
    assert_eq!(usage.local_entries, 0, "looking does not make hot");
    let slots = host.shared_bytes() as u64 - usage.bytes;
    assert!(slots < 7 * 3_000 + 100, "its bytes are those of the slots");
}

#[test]
fn the_first_level_keeps_its_bytes_and_what_is_used() {
    let local = Local::new(20_000);
    let sized = |generation, size: usize| {
        Rc::new(Stored { generation, body: vec![0; size], ..Stored::default() })
    };
    local.put(&sized(1, 400));
    for generation in 2..200 {
        assert!(local.get(1).is_some(), "{generation}");
        local.put(&sized(generation, 400));
        assert!(local.bytes() <= 20_000);
        assert_eq!(local.bytes(), local.entries() as u64 * (400 + OVERHEAD));
    }
    assert_eq!(local.entries(), 20);
    assert!(local.peek(150).is_none() && local.peek(199).is_some());
    let oldest = (151..).find(|generation| local.peek(*generation).is_some()).unwrap();
    local.put(&sized(300, 400));
    assert!(local.peek(oldest).is_none(), "to look is no use");
    local.put(&sized(200, 3_000));
    assert!(local.get(200).is_none(), "one alone may not push out all others");
    local.put(&sized(199, 400));
    assert_eq!(local.entries(), 20, "each once");
}
