//! Any history of several workers over one small store, against what each of them must find.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::headers::Headers;
use kit::shared::SharedData;
use proptest::prelude::*;
use weir_response_cache::key::normal::Normal;
use weir_response_cache::store::index::{BUCKET_SIZE, WAYS};
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Found, Geometry, Store};

/// Two buckets that are full after a few responses, and a first level that holds a few.
const GEOMETRY: Geometry =
    Geometry { n_buckets: 2, bucket_bytes: 6_000, max_variants: 4, local_bytes: 12_000 };
const N_KEYS: u8 = 40;

/// What one of the workers does.
#[derive(Debug, Clone)]
enum Step {
    Find {
        key: u8,
    },
    Put {
        key: u8,
        size: usize,
        lifetime: u64,
        keep: u64,
    },
    Invalidate {
        key: u8,
    },
    Forget {
        key: u8,
    },
    Wait {
        seconds: u64,
    },
    /// Another worker's changes come in between, as often as this.
    Conflicts {
        times: u32,
    },
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let key = || 0..N_KEYS;
    let step = prop_oneof![
        10 => key().prop_map(|key| Step::Find { key }),
        8 => (key(), 0..1_200_usize, 1..60_u64, 0..60_u64)
            .prop_map(|(key, size, lifetime, keep)| Step::Put { key, size, lifetime, keep }),
        1 => key().prop_map(|key| Step::Invalidate { key }),
        1 => key().prop_map(|key| Step::Forget { key }),
        1 => (1..30_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (1..4_u32).prop_map(|times| Step::Conflicts { times }),
    ];
    (0..3_usize, step)
}

fn find(store: &Store, host: &FakeHost, key: u8) -> Option<weir_response_cache::store::Entry> {
    let now = kit::Host::now(host);
    match store.find(host, &[key], b"", &Headers::default(), &Normal::default(), now) {
        Found::Entry(entry) => Some(entry),
        Found::Nothing | Found::OtherVariant => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No worker finds anything but the last response that was stored for a key, and nothing that was invalidated or
    /// forgotten since; the books are right, and the bounds hold, after every step.
    #[test]
    fn whatever_workers_do_each_finds_the_last_or_nothing(steps in prop::collection::vec(step(), 1..200)) {
        let host = FakeHost::default();
        host.set_now(Nanos::from_secs(100));
        let workers: Vec<Store> = (0..3).map(|_| Store::open(&host, "w", GEOMETRY).0).collect();
        let mut last: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let (mut entries, mut bytes) = (0_i64, 0_i64);
        for (at, (worker, step)) in steps.into_iter().enumerate() {
            let store = &workers[worker];
            host.advance(Nanos::MILLISECOND);
            let now = kit::Host::now(&host);
            match step {
                Step::Find { key } => {
                    if let Some(entry) = find(store, &host, key) {
                        prop_assert_eq!(Some(&entry.stored.body), last.get(&key));
                    }
                }
                Step::Put { key, size, lifetime, keep } => {
                    let mut body = at.to_le_bytes().to_vec();
                    body.resize(size + 8, 0);
                    let stored = Stored {
                        key: vec![key], received: now.0, lifetime: Nanos::from_secs(lifetime).0,
                        keep: Nanos::from_secs(keep).0, body: body.clone(), ..Stored::default()
                    };
                    let changed = store.put(&host, stored, now, now).unwrap();
                    entries += changed.entries;
                    bytes += changed.bytes;
                    last.insert(key, body);
                    for store in &workers {
                        let found = find(store, &host, key);
                        prop_assert_eq!(found.map(|entry| entry.stored.body.clone()), last.get(&key).cloned());
                    }
                }
                Step::Invalidate { key } => {
                    let changed = store.invalidate(&host, &[key], now).unwrap();
                    entries += changed.entries;
                    bytes += changed.bytes;
                    last.remove(&key);
                    host.advance(Nanos::MILLISECOND);
                }
                Step::Forget { key } => {
                    for entry in store.entries_of(&host, &[key]) {
                        let changed = store.forget(&host, entry.place).unwrap();
                        entries += changed.entries;
                        bytes += changed.bytes;
                    }
                    last.remove(&key);
                }
                Step::Wait { seconds } => host.advance(Nanos::from_secs(seconds)),
                Step::Conflicts { times } => host.schedule_conflicts(times),
            }
            let usage = store.usage(&host, now);
            prop_assert_eq!((usage.entries, usage.bytes), (u64::try_from(entries).unwrap(), u64::try_from(bytes).unwrap()));
            prop_assert!(usage.bytes <= 2 * GEOMETRY.bucket_bytes && usage.entries <= 2 * u64::try_from(WAYS).unwrap());
            prop_assert!(usage.local_bytes <= GEOMETRY.local_bytes);
            let in_slots: usize = host.shared_keys().iter().filter_map(|name| host.shared_get(name)).map(|found| found.value.len()).sum();
            prop_assert!(u64::try_from(in_slots).unwrap() <= usage.bytes + u64::try_from(2 * BUCKET_SIZE + 20).unwrap());
        }
    }
}
