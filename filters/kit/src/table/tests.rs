use super::*;
use crate::fake::FakeHost;
use crate::hash::Secret;

mod laws;

/// An instant until which the entry says something: as many bytes as configured, little-endian.
///
/// All bits set is no instant.
#[derive(Debug, Clone)]
struct Until {
    version: u32,
    size: usize,
}

const UNTIL: Until = Until { version: 3, size: 8 };

/// Bytes of a bucket of [`UNTIL`].
const BUCKET: usize = 4 + 8 * (16 + 8);

impl Layout for Until {
    type Entry = u64;

    fn version(&self) -> u32 {
        self.version
    }

    fn size(&self) -> usize {
        self.size
    }

    fn read(&self, bytes: &[u8]) -> Option<u64> {
        assert_eq!(bytes.len(), self.size);
        let until = bytes.iter().rev().fold(0, |until, byte| (until << 8) | u64::from(*byte));
        (until != u64::MAX).then_some(until)
    }

    fn write(&self, entry: &u64, bytes: &mut [u8]) {
        assert_eq!(bytes.len(), self.size);
        bytes.copy_from_slice(&entry.to_le_bytes()[..self.size]);
    }

    fn loss(&self, entry: &u64, now: Nanos) -> u64 {
        entry.saturating_sub(now.0)
    }
}

fn tag(key: u64) -> Tag {
    Secret::new([5; 16]).tag(&key.to_le_bytes())
}

fn outcome(table: &Table<Until>, host: &FakeHost, key: u64, until: u64, now: u64) -> Outcome<()> {
    table.update(host, tag(key), Nanos(now), |_| (Verb::Store(until), ())).unwrap()
}

fn store(table: &Table<Until>, host: &FakeHost, key: u64, until: u64, now: u64) -> Place {
    outcome(table, host, key, until, now).place
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn keeps_updates_and_forgets() {
    let (host, table) = (FakeHost::default(), Table::new("t", 100, UNTIL));
    table.prepare(&host).unwrap();
    assert_eq!(store(&table, &host, 1, 10, 0), Place::Added);
    assert_eq!(store(&table, &host, 1, 20, 0), Place::Same);
    assert_eq!(table.find(&host, tag(1)), Some(20));
    let gone = table.update(&host, tag(1), Nanos(0), |_| (Verb::Remove, ())).unwrap();
    assert_eq!(gone.place, Place::Removed);
    assert_eq!(table.find(&host, tag(1)), None);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_full_bucket_gives_up_the_entry_of_least_loss() {
    let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
    for key in 0..8 {
        assert_eq!(store(&table, &host, key, 100 + key, 0), Place::Added);
    }
    assert_eq!(store(&table, &host, 8, 500, 0), Place::Evicted(100));
    assert_eq!(table.find(&host, tag(0)), None);
    assert_eq!(store(&table, &host, 9, 500, 101), Place::Reused);
    assert_eq!(table.find(&host, tag(1)), None);
    assert_eq!(table.find(&host, tag(7)), Some(107));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn no_update_is_lost_to_a_conflict() {
    let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
    store(&table, &host, 1, 1, 0);
    host.schedule_conflicts(5);
    let done = table
        .update(&host, tag(1), Nanos(0), |found| (Verb::Store(found.unwrap_or(0) + 1), ()))
        .unwrap();
    assert_eq!((done.n_conflicts, table.find(&host, tag(1))), (5, Some(2)));
    host.schedule_conflicts(u32::MAX);
    let stuck = table.update(&host, tag(1), Nanos(0), |_| (Verb::Store(9), ()));
    assert_eq!(stuck, Err(UpdateError::Contended));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_bucket_that_is_not_of_this_layout_starts_afresh_and_says_why() {
    let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
    let mut longer = vec![0; BUCKET + 1];
    longer[0] = 3;
    for (bytes, found) in [
        (&b""[..], Found::Nothing),
        (b"\x03\0\0", Found::Unreadable),
        (b"\x03\0\0\0short", Found::Unreadable),
        (&longer, Found::Unreadable),
        (b"\x03\0\0\x01", Found::Unreadable),
        (&[9; BUCKET], Found::Unreadable),
    ] {
        host.shared_set("weir/t/3/0", bytes, None).unwrap();
        assert_eq!(table.find(&host, tag(1)), None);
        let kept = table.update(&host, tag(1), Nanos(0), |entry| (Verb::Keep, entry)).unwrap();
        assert_eq!((kept.found, kept.value), (found, None), "{bytes:?}");
        let stored = outcome(&table, &host, 1, 7, 0);
        assert_eq!((stored.found, stored.place), (found, Place::Added), "{bytes:?}");
        assert_eq!(table.find(&host, tag(1)), Some(7));
        assert_eq!(outcome(&table, &host, 2, 7, 0).found, Found::Entries);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn an_entry_that_cannot_be_read_is_told_and_starts_afresh_alone() {
    let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
    store(&table, &host, 1, u64::MAX, 0);
    store(&table, &host, 2, 7, 0);
    assert_eq!((table.find(&host, tag(1)), table.find(&host, tag(2))), (None, Some(7)));
    assert_eq!(outcome(&table, &host, 2, 8, 0).found, Found::Entries);
    let stored = outcome(&table, &host, 1, 9, 0);
    assert_eq!((stored.found, stored.place), (Found::Unreadable, Place::Same));
    assert_eq!((table.find(&host, tag(1)), table.find(&host, tag(2))), (Some(9), Some(8)));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn size_and_version_are_those_that_were_configured() {
    for (version, size) in [(1, 1), (u32::MAX, 3), (0, 5)] {
        let host = FakeHost::default();
        let table = Table::new("t", 16, Until { version, size });
        assert_eq!(table.layout().size, size);
        for key in 0..40 {
            store(&table, &host, key, key, 0);
            assert_eq!(table.find(&host, tag(key)), Some(key));
        }
        let bytes = u64::try_from(host.shared_bytes()).unwrap();
        assert_eq!(table.memory(), Bytes(bytes));
        let name = format!("weir/t/{version:x}/0");
        assert_eq!(host.shared_get(&name).unwrap().value[..4], version.to_le_bytes());
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn tables_of_two_versions_take_nothing_from_each_other() {
    let host = FakeHost::default();
    let tables = [1, 2].map(|version| Table::new("t", 8, Until { version, size: 8 }));
    for round in 0..10 {
        for (table, until) in tables.iter().zip([100, 200]) {
            assert_eq!(table.find(&host, tag(1)), (round > 0).then_some(until));
            store(table, &host, 1, until, 0);
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn clearing_forgets_every_entry_and_costs_one_set_per_bucket() {
    let (host, table) = (FakeHost::default(), Table::new("t", 80, UNTIL));
    table.prepare(&host).unwrap();
    for key in 0..100 {
        store(&table, &host, key, 1000, 0);
    }
    let before = host.shared_ops();
    table.clear(&host).unwrap();
    assert_eq!((host.shared_ops().0 - before.0, host.shared_ops().1 - before.1), (0, 10));
    assert!((0..100).all(|key| table.find(&host, tag(key)).is_none()));
    let next = outcome(&table, &host, 1, 7, 0);
    assert_eq!((next.found, next.place), (Found::Nothing, Place::Added));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_entry_that_can_be_found_is_shown_once() {
    let host = FakeHost::default();
    let tables = [80, 160].map(|max| Table::new("t", max, UNTIL));
    for key in 0..60 {
        store(&tables[usize::from(key % 2 == 0)], &host, key, 1000 + key, 0);
    }
    for table in &tables {
        let mut shown = Vec::new();
        table.each(&host, |tag, entry| shown.push((tag, entry)));
        shown.sort_unstable();
        let found = (0..60).filter_map(|key| Some((tag(key), table.find(&host, tag(key))?)));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        assert!(found.len() > 20);
        assert_eq!(shown, found);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn an_update_costs_one_get_and_one_set() {
    let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
    for key in [1, 1, 2] {
        let before = host.shared_ops();
        store(&table, &host, key, 7, 0);
        assert_eq!((host.shared_ops().0 - before.0, host.shared_ops().1 - before.1), (1, 1));
    }
    let before = host.shared_ops();
    table.update(&host, tag(1), Nanos(0), |_| (Verb::Keep, ())).unwrap();
    assert_eq!((host.shared_ops().0 - before.0, host.shared_ops().1 - before.1), (1, 0));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn preparing_twice_changes_nothing_and_asks_little() {
    let (host, table) = (FakeHost::default(), Table::new("t", 1000, UNTIL));
    table.prepare(&host).unwrap();
    store(&table, &host, 1, 7, 0);
    let before = host.shared_ops();
    table.prepare(&host).unwrap();
    assert_eq!((host.shared_ops().0 - before.0, host.shared_ops().1), (1, before.1));
    assert_eq!(table.find(&host, tag(1)), Some(7));
    assert_eq!(host.shared_keys().len(), 125);
}
