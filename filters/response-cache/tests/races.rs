//! The store while another worker comes in between the steps of a fill.
#![cfg(test)]

mod shelf;

use std::cell::RefCell;

use kit::exchange::{Call, Waker};
use kit::fake::FakeHost;
use kit::headers::Headers;
use kit::meter::{Kind, Meter, MetricId};
use kit::shared::{SetError, SharedData, Versioned};
use kit::{Host, Nanos};
use weir_response_cache::key::normal::Normal;
use weir_response_cache::store::index::BUCKET_SIZE;
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Found, Geometry, Store};

use shelf::{ONE_BUCKET, T0, open, response};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn put(store: &Store, host: &FakeHost, stored: Stored) {
    store.put(host, stored, T0, T0).unwrap();
}

fn has(store: &Store, host: &FakeHost, key: &str) -> bool {
    matches!(store.find(host, key.as_bytes(), b"", &Headers::default(), &Normal::default(), T0), Found::Entry(entry) if entry.stored.key == key.as_bytes())
}

/// What another worker does.
type Meddle<'a> = &'a dyn Fn(&FakeHost);

/// A host on which another worker comes in between: just before the first value of this kind is written.
struct Meddled<'a> {
    host: &'a FakeHost,
    before: &'static str,
    meddle: RefCell<Option<Meddle<'a>>>,
}

impl SharedData for Meddled<'_> {
    fn shared_get(&self, key: &str) -> Option<Versioned> {
        self.host.shared_get(key)
    }

    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError> {
        if key.contains(self.before) && !value.is_empty() {
            let meddle = self.meddle.take();
            meddle.iter().for_each(|meddle| meddle(self.host));
        }
        self.host.shared_set(key, value, version)
    }
}

impl Meter for Meddled<'_> {
    fn define(&self, kind: Kind, name: &str) -> Option<MetricId> {
        self.host.define(kind, name)
    }

    fn add(&self, metric: MetricId, offset: i64) {
        self.host.add(metric, offset);
    }

    fn record(&self, metric: MetricId, value: u64) {
        self.host.record(metric, value);
    }

    fn read(&self, metric: MetricId) -> u64 {
        self.host.read(metric)
    }
}

impl Host for Meddled<'_> {
    fn now(&self) -> Nanos {
        self.host.now()
    }

    fn wall(&self) -> Nanos {
        self.host.wall()
    }

    fn random(&self) -> u64 {
        self.host.random()
    }

    fn wake(&self, waker: &Waker) {
        self.host.wake(waker);
    }

    fn call(&self, call: Call) {
        self.host.call(call);
    }
}

/// Two workers want the same way: whoever writes last, nobody is served what is not his, and no byte is left over.
#[test]
fn a_way_that_goes_to_another_meanwhile_is_served_to_nobody() {
    for (first, second) in [("a", "b"), ("a", "a")] {
        let (host, store) = open(Geometry { bucket_bytes: 5_000, ..ONE_BUCKET });
        put(&store, &host, response("full", 5, 4_000));
        let meddle = |host: &FakeHost| {
            put(&store, host, response(second, 90, 4_100));
        };
        let meddled = Meddled { host: &host, before: "/t/s", meddle: RefCell::new(Some(&meddle)) };
        store.put(&meddled, response(first, 60, 4_200), T0, T0).unwrap();
        for key in ["full", first, second] {
            if let Found::Entry(found) =
                store.find(&host, key.as_bytes(), b"", &Headers::default(), &Normal::default(), T0)
            {
                assert_eq!(
                    (found.stored.key.as_slice(), found.stored.body.len()),
                    (second.as_bytes(), 4_100)
                );
            }
        }
        let in_slots: usize = host
            .shared_keys()
            .iter()
            .filter(|name| name.contains("/t/s") && !name.ends_with("size"))
            .map(|name| host.shared_get(name).unwrap().value.len())
            .sum();
        assert_eq!(in_slots, 0, "what was written late is gone");
        put(&store, &host, response(first, 60, 10));
        assert!(has(&store, &host, first));
    }
}

/// A change that comes between claim and slot: what was claimed before it is not served after it.
#[test]
fn an_invalidation_between_claim_and_slot_wins() {
    let (host, store) = open(ONE_BUCKET);
    let meddle = |host: &FakeHost| {
        store.invalidate(host, b"a", T0).unwrap();
    };
    let meddled = Meddled { host: &host, before: "/t/s", meddle: RefCell::new(Some(&meddle)) };
    store.put(&meddled, response("a", 60, 100), T0, T0).unwrap();
    assert_eq!(
        store.find(&host, b"a", b"", &Headers::default(), &Normal::default(), T0),
        Found::Nothing
    );
    assert!(host.shared_bytes() < BUCKET_SIZE + 100, "the slot is empty");
}

/// Whatever another worker does between a look-up and the note of it in the index: that holds, and the note is lost.
#[test]
fn a_note_of_a_use_undoes_nothing() {
    let later = T0.saturating_add(Nanos::SECOND);
    let asked = later.saturating_add(Nanos::SECOND);
    let (host, store) = open(Geometry { local_bytes: 1 << 20, ..ONE_BUCKET });
    put(&store, &host, response("a", 60, 100));
    let changes: [Meddle<'_>; 2] =
        [&|host| assert_eq!(store.invalidate(host, b"a", later).unwrap().entries, -1), &|host| {
            let changed = store.put(host, response("b", 60, 9_750), asked, T0).unwrap();
            assert_eq!((changed.evicted.len(), changed.entries), (1, 0));
        }];
    for meddle in changes {
        let meddled = Meddled { host: &host, before: "/t/b", meddle: RefCell::new(Some(meddle)) };
        let found = store.find(&meddled, b"a", b"", &Headers::default(), &Normal::default(), T0);
        assert!(matches!(found, Found::Entry(_)), "it was there when it was looked up");
        assert!(meddled.meddle.borrow().is_none(), "the use was noted, or tried to");
        assert!(!has(&store, &host, "a"), "its slot is gone, its copy in the worker is not");
        let b = u64::from(has(&store, &host, "b"));
        assert_eq!(store.usage(&host, T0).entries, b, "the index names what the other left in it");
        store.put(&host, response("a", 60, 100), asked, T0).unwrap();
    }
}
