//! The bounded shared table: all keyed state lives here.
//!
//! A table is N buckets, each one shared value that holds W entries; a keyed hash of the key picks the bucket.
//! Memory is a product of configured numbers whatever clients send, and nobody can aim at a bucket.
//! Every change is one get and one set with compare-and-swap, so no worker's update is lost.
//!
//! When a bucket is full, the entry goes whose loss is least ([`Entry::loss`]): first one that says nothing
//! any more, then the one with the least debt. Losing an entry that still says something is told to the caller,
//! who counts it.
//!
//! **Shape** of a bucket: one byte version of the entry's layout, then W slots of 16 bytes tag
//! (all zero: empty) and [`Entry::SIZE`] bytes. A bucket of another version or length counts as empty.
//!
//! **Memory**: N × (1 + W × (16 + SIZE)) bytes of values, and about 150 bytes per bucket of Envoy's own.

use crate::hash::Tag;
use crate::shared::{Change, SharedData, UpdateError, update};
use crate::units::Nanos;

/// What a table keeps per key: fixed size, told apart by version.
pub trait Entry: Sized {
    /// Changes with the layout.
    const VERSION: u8;

    /// Bytes of one entry.
    const SIZE: usize;

    /// Reads an entry from exactly [`Entry::SIZE`] bytes; `None` for bytes that can not be one.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Writes the entry to exactly [`Entry::SIZE`] bytes.
    fn write(&self, bytes: &mut [u8]);

    /// What forgetting this entry now would lose: zero if it says nothing that a fresh one would not.
    fn loss(&self, now: Nanos) -> u64;
}

/// Entries per bucket: W. Eight keep a bucket's value below the size from which a get costs more.
pub const WAYS: usize = 8;

const TAG_SIZE: usize = 16;

/// A table by its name and size; the state itself is the host's.
#[derive(Debug, Clone)]
pub struct Table {
    prefix: String,
    n_buckets: u32,
}

/// How an update of one entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome<T> {
    /// What the change returned.
    pub value: T,
    /// Attempts that another worker's change undid.
    pub n_conflicts: u32,
    /// What happened to the bucket.
    pub place: Place,
}

/// What an update did to its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The key had an entry, or got none.
    Same,
    /// The key took an empty slot.
    Added,
    /// The key took the slot of an entry that said nothing any more.
    Reused,
    /// The key took the slot of an entry that still said something; this was its loss.
    Evicted(u64),
    /// The entry was removed.
    Removed,
}

/// What a change wants done with the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb<E> {
    /// Leave everything as it is.
    Keep,
    /// Store this entry.
    Store(E),
    /// Forget the entry.
    Remove,
}

impl Table {
    /// A table of at least `max_keys` slots under this name.
    ///
    /// Tables of one name are one table, whichever filter instance or configuration opens them;
    /// with another size they share the buckets they have in common.
    pub fn new(name: &str, max_keys: u32) -> Self {
        let ways = u32::try_from(WAYS).unwrap_or(1);
        Self { prefix: format!("weir/{name}/"), n_buckets: max_keys.div_ceil(ways).max(1) }
    }

    /// How many entries fit.
    pub fn capacity(&self) -> u64 {
        u64::from(self.n_buckets) * WAYS as u64
    }

    /// Makes the buckets that do not exist yet, so that later updates swap and never create.
    ///
    /// **Cost**: one get per bucket, one set per new one: call it when configuring, which is idempotent.
    /// When the last bucket exists all do, and that is all that is asked.
    pub fn prepare<S: SharedData + ?Sized>(&self, store: &S) -> Result<(), UpdateError> {
        if store.shared_get(&self.key(self.n_buckets - 1)).is_some() {
            return Ok(());
        }
        for bucket in 0..self.n_buckets {
            let key = self.key(bucket);
            if store.shared_get(&key).is_none() {
                store.shared_set(&key, &[], None).map_err(|_refused| UpdateError::Refused)?;
            }
        }
        Ok(())
    }

    /// The entry of this key now.
    ///
    /// **Cost**: one get.
    pub fn find<E: Entry, S: SharedData + ?Sized>(&self, store: &S, tag: Tag) -> Option<E> {
        let bytes = store.shared_get(&self.bucket_key(tag))?.value;
        let slots = slots::<E>(&bytes)?;
        slots.chunks_exact(slot_size::<E>()).find_map(|slot| entry_of(slot, tag))
    }

    /// Changes the entry of this key: `change` sees it (or none) and says what to do; it may run several times.
    ///
    /// **Cost**: one get, and one set if something changes.
    pub fn update<E: Entry, S: SharedData + ?Sized, T>(
        &self,
        store: &S,
        tag: Tag,
        now: Nanos,
        mut change: impl FnMut(Option<E>) -> (Verb<E>, T),
    ) -> Result<Outcome<T>, UpdateError> {
        let done = update(store, &self.bucket_key(tag), |bytes| {
            let found = slots::<E>(bytes).and_then(|slots| {
                slots
                    .chunks_exact(slot_size::<E>())
                    .position(|slot| holds(slot, tag))
                    .zip(Some(slots))
            });
            let entry = found.and_then(|(idx, slots)| {
                slots.chunks_exact(slot_size::<E>()).nth(idx).and_then(|slot| entry_of(slot, tag))
            });
            let found = found.map(|(idx, _)| idx);
            let (verb, value) = change(entry);
            let (changed, place) = match (verb, found) {
                (Verb::Keep, _) | (Verb::Remove, None) => (Change::Keep, Place::Same),
                (Verb::Remove, Some(idx)) => {
                    edit::<E>(bytes, idx, |slot| slot.fill(0));
                    (Change::Store, Place::Removed)
                }
                (Verb::Store(entry), found) => {
                    if slots::<E>(bytes).is_none() {
                        *bytes = empty::<E>();
                    }
                    let (idx, place) =
                        found.map_or_else(|| victim::<E>(bytes, now), |idx| (idx, Place::Same));
                    edit::<E>(bytes, idx, |slot| {
                        if let Some((tag_bytes, entry_bytes)) = slot.split_at_mut_checked(TAG_SIZE)
                        {
                            tag_bytes.copy_from_slice(&tag.to_bytes());
                            entry.write(entry_bytes);
                        }
                    });
                    (Change::Store, place)
                }
            };
            (changed, (value, place))
        })?;
        let (value, place) = done.value;
        Ok(Outcome { value, n_conflicts: done.n_conflicts, place })
    }

    fn bucket_key(&self, tag: Tag) -> String {
        self.key(tag.bucket(self.n_buckets))
    }

    /// The shared name of a bucket: made of the configured name and an index, never of a client's bytes.
    fn key(&self, bucket: u32) -> String {
        let mut digits = [0; 10];
        let mut rest = bucket;
        let mut start = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            start -= 1;
            if rest == 0 {
                break;
            }
        }
        let digits = digits
            .get(start..)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default();
        let mut key = String::with_capacity(self.prefix.len() + digits.len());
        key.push_str(&self.prefix);
        key.push_str(digits);
        key
    }
}

const fn slot_size<E: Entry>() -> usize {
    TAG_SIZE + E::SIZE
}

fn empty<E: Entry>() -> Vec<u8> {
    let mut bytes = vec![0; 1 + WAYS * slot_size::<E>()];
    if let Some(version) = bytes.first_mut() {
        *version = E::VERSION;
    }
    bytes
}

/// The slots of a bucket that is of this layout.
fn slots<E: Entry>(bytes: &[u8]) -> Option<&[u8]> {
    let (version, slots) = bytes.split_first()?;
    (*version == E::VERSION && slots.len() == WAYS * slot_size::<E>()).then_some(slots)
}

fn holds(slot: &[u8], tag: Tag) -> bool {
    slot.get(..TAG_SIZE) == Some(&tag.to_bytes()[..])
}

fn entry_of<E: Entry>(slot: &[u8], tag: Tag) -> Option<E> {
    if holds(slot, tag) { E::read(slot.get(TAG_SIZE..)?) } else { None }
}

fn edit<E: Entry>(bytes: &mut [u8], idx: usize, write: impl FnOnce(&mut [u8])) {
    if let Some(slot) =
        bytes.get_mut(1..).and_then(|slots| slots.chunks_exact_mut(slot_size::<E>()).nth(idx))
    {
        write(slot);
    }
}

/// The slot that loses least: an empty one, else one that says nothing, else the one of least loss.
fn victim<E: Entry>(bytes: &[u8], now: Nanos) -> (usize, Place) {
    let mut best = (0, Place::Evicted(u64::MAX));
    let mut least = u64::MAX;
    for (idx, slot) in
        slots::<E>(bytes).unwrap_or_default().chunks_exact(slot_size::<E>()).enumerate()
    {
        let Some((tag, entry)) = slot.split_at_checked(TAG_SIZE) else { continue };
        if tag.iter().all(|byte| *byte == 0) {
            return (idx, Place::Added);
        }
        let loss = E::read(entry).map_or(0, |entry| entry.loss(now));
        if loss < least {
            least = loss;
            best = (idx, if loss == 0 { Place::Reused } else { Place::Evicted(loss) });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;
    use crate::hash::Secret;
    #[cfg(not(target_arch = "wasm32"))]
    use proptest::prelude::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// An entry that says something until the instant it holds.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Until(u64);

    impl Entry for Until {
        const VERSION: u8 = 3;
        const SIZE: usize = 8;

        fn read(bytes: &[u8]) -> Option<Self> {
            Some(Self(u64::from_le_bytes(bytes.try_into().ok()?)))
        }

        fn write(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.to_le_bytes());
        }

        fn loss(&self, now: Nanos) -> u64 {
            self.0.saturating_sub(now.0)
        }
    }

    fn tag(key: u64) -> Tag {
        Secret::new([5; 16]).tag(&key.to_le_bytes())
    }

    fn store(table: &Table, host: &FakeHost, key: u64, until: u64, now: u64) -> Place {
        table.update(host, tag(key), Nanos(now), |_| (Verb::Store(Until(until)), ())).unwrap().place
    }

    fn find(table: &Table, host: &FakeHost, key: u64) -> Option<Until> {
        table.find(host, tag(key))
    }

    #[test]
    fn keeps_updates_and_forgets() {
        let (host, table) = (FakeHost::default(), Table::new("t", 100));
        table.prepare(&host).unwrap();
        assert_eq!(store(&table, &host, 1, 10, 0), Place::Added);
        assert_eq!(store(&table, &host, 1, 20, 0), Place::Same);
        assert_eq!(find(&table, &host, 1), Some(Until(20)));
        let gone =
            table.update::<Until, _, _>(&host, tag(1), Nanos(0), |_| (Verb::Remove, ())).unwrap();
        assert_eq!(gone.place, Place::Removed);
        assert_eq!(find(&table, &host, 1), None);
    }

    #[test]
    fn a_full_bucket_gives_up_the_entry_of_least_loss() {
        let (host, table) = (FakeHost::default(), Table::new("t", 8));
        for key in 0..8 {
            assert_eq!(store(&table, &host, key, 100 + key, 0), Place::Added);
        }
        assert_eq!(store(&table, &host, 8, 500, 0), Place::Evicted(100));
        assert_eq!(find(&table, &host, 0), None);
        assert_eq!(store(&table, &host, 9, 500, 101), Place::Reused);
        assert_eq!(find(&table, &host, 1), None);
        assert_eq!(find(&table, &host, 7), Some(Until(107)));
    }

    #[test]
    fn no_update_is_lost_to_a_conflict() {
        let (host, table) = (FakeHost::default(), Table::new("t", 8));
        store(&table, &host, 1, 1, 0);
        host.schedule_conflicts(5);
        let done = table
            .update(&host, tag(1), Nanos(0), |found: Option<Until>| {
                (Verb::Store(Until(found.map_or(0, |found| found.0) + 1)), ())
            })
            .unwrap();
        assert_eq!((done.n_conflicts, find(&table, &host, 1)), (5, Some(Until(2))));
        host.schedule_conflicts(u32::MAX);
        let stuck = table.update(&host, tag(1), Nanos(0), |_| (Verb::Store(Until(9)), ()));
        assert_eq!(stuck, Err(UpdateError::Contended));
    }

    #[test]
    fn a_bucket_of_another_layout_counts_as_empty() {
        let (host, table) = (FakeHost::default(), Table::new("t", 8));
        for bytes in [&b""[..], b"\x03short", &[9; 1 + 8 * 24]] {
            host.shared_set("weir/t/0", bytes, None).unwrap();
            assert_eq!(find(&table, &host, 1), None);
            assert_eq!(store(&table, &host, 1, 7, 0), Place::Added);
            assert_eq!(find(&table, &host, 1), Some(Until(7)));
        }
    }

    #[test]
    fn preparing_twice_changes_nothing_and_asks_little() {
        let (host, table) = (FakeHost::default(), Table::new("t", 1000));
        table.prepare(&host).unwrap();
        store(&table, &host, 1, 7, 0);
        let before = host.shared_ops();
        table.prepare(&host).unwrap();
        assert_eq!((host.shared_ops().0 - before.0, host.shared_ops().1), (1, before.1));
        assert_eq!(find(&table, &host, 1), Some(Until(7)));
        assert_eq!(host.shared_keys().len(), 125);
    }

    #[cfg(not(target_arch = "wasm32"))]
    proptest! {
        /// Whatever keys come, the store holds what was configured and no more,
        /// and a key that still says something never loses to one that says less.
        #[test]
        fn the_table_is_bounded_and_forgets_the_least(keys in prop::collection::vec((0..40_u64, 1..1000_u64), 1..200)) {
            let (host, table) = (FakeHost::default(), Table::new("t", 16));
            table.prepare(&host).unwrap();
            let strongest = keys.iter().map(|(_, until)| *until).max().unwrap() + 1;
            store(&table, &host, 999, strongest, 0);
            for (key, until) in keys {
                store(&table, &host, key, until, 0);
            }
            prop_assert_eq!(host.shared_keys().len(), 2);
            prop_assert!(host.shared_bytes() <= 2 * (1 + 8 * 24));
            prop_assert_eq!(find(&table, &host, 999), Some(Until(strongest)));
        }
    }
}
