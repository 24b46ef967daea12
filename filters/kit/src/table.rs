//! The bounded shared table: all keyed state lives here.
//!
//! A table is N buckets, each one shared value that holds W entries; a keyed hash of the key picks the bucket.
//! Memory is a product of configured numbers whatever clients send, and nobody can aim at a bucket.
//! Every change is one get and one set with compare-and-swap, so no worker's update is lost.
//!
//! When a bucket is full, the entry goes whose loss is least ([`Layout::loss`]): first one that says nothing
//! any more, then the one with the least debt. Losing an entry that still says something is told to the caller,
//! who counts it.
//!
//! **Shape** of a bucket: four bytes version of the layout (little-endian), then W slots of 16 bytes tag
//! (all zero: empty) and [`Layout::size`] bytes. A bucket of another version or length counts as empty;
//! which of the two it was is told as [`Found`].
//!
//! **Memory**: [`Table::memory`], N × (4 + W × (16 + size)) bytes of values, and about 150 bytes per bucket
//! of Envoy's own.

use crate::hash::Tag;
use crate::shared::{Change, SharedData, UpdateError, update};
use crate::units::{Bytes, Nanos};

/// How a table's entries are kept as bytes, and what each is worth.
///
/// Size and meaning may depend on the configuration, but must not change while the layout lives:
/// two layouts of one version must agree in both.
pub trait Layout {
    /// What is kept per key.
    type Entry;

    /// Stands in front of every bucket; changes with the meaning of the bytes.
    fn version(&self) -> u32;

    /// Bytes of one entry.
    fn size(&self) -> usize;

    /// Reads an entry from exactly [`Layout::size`] bytes; `None` for bytes that can not be one.
    fn read(&self, bytes: &[u8]) -> Option<Self::Entry>;

    /// Writes an entry to exactly [`Layout::size`] bytes, all of which it sets.
    fn write(&self, entry: &Self::Entry, bytes: &mut [u8]);

    /// What forgetting this entry now would lose: zero if it says nothing that a fresh one would not.
    fn loss(&self, entry: &Self::Entry, now: Nanos) -> u64;
}

/// Entries per bucket: W. Eight keep a bucket's value below the size from which a get costs more.
pub const WAYS: usize = 8;

const TAG_SIZE: usize = 16;

/// Bytes in front of the slots: the version.
const HEADER_SIZE: usize = 4;

/// A table by its name, size and layout; the state itself is the host's.
#[derive(Debug, Clone)]
pub struct Table<L> {
    prefix: String,
    n_buckets: u32,
    layout: L,
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
    /// What the bucket was before.
    pub found: Found,
}

/// What an update found in its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing: no key used it yet, or it was cleared.
    Nothing,
    /// Entries of this layout.
    Entries,
    /// What nobody should have written: another version or length, or bytes under this key that the layout does not take. The bucket, or only the entry in the last case,
    /// starts afresh: callers treat this as a count that could not be kept.
    Unreadable,
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

/// Where a key's entry is in a bucket.
struct Spot<E> {
    found: Found,
    /// The slot with the key's tag, if there is one.
    slot_idx: Option<usize>,
    /// What it says, if it can be read.
    entry: Option<E>,
}

impl<L: Layout> Table<L> {
    /// A table of at least `max_keys` slots under this name.
    ///
    /// Tables of one name and one version of their layout are one table, whichever filter instance or configuration
    /// opens them; with another size they share the buckets they have in common. Tables of another version are
    /// others: two configurations that are in use at once never take each other's entries for rubbish.
    /// The host keeps the buckets of a version that is no longer used until the process ends.
    pub fn new(name: &str, max_keys: u32, layout: L) -> Self {
        let ways = u32::try_from(WAYS).unwrap_or(1);
        let prefix = format!("weir/{name}/{:x}/", layout.version());
        Self { prefix, n_buckets: max_keys.div_ceil(ways).max(1), layout }
    }

    /// How its entries are kept.
    pub const fn layout(&self) -> &L {
        &self.layout
    }

    /// How many entries fit.
    pub fn capacity(&self) -> u64 {
        u64::from(self.n_buckets) * WAYS as u64
    }

    /// The bytes of all values once every bucket is used; Envoy adds about 150 per bucket.
    pub fn memory(&self) -> Bytes {
        let bucket = u64::try_from(self.bucket_size()).unwrap_or(u64::MAX);
        Bytes(u64::from(self.n_buckets).saturating_mul(bucket))
    }

    /// Makes the buckets that do not exist yet, so that later updates swap and never create.
    ///
    /// **Cost**: one get per bucket, one set per new one: call it when configuring, which is idempotent.
    /// When the last bucket exists all do, and that is all that is asked.
    ///
    /// # Errors
    /// The host refused a bucket; those behind it were not tried.
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

    /// Forgets every entry: an operator's reset.
    ///
    /// A worker that is just changing an entry loses its swap and changes it afresh, so nothing old comes back.
    /// Entries that are made meanwhile may stay.
    ///
    /// **Cost**: one set per bucket, about 3 ms for 65,536 keys and half a second for ten million,
    /// in which this worker serves nobody.
    ///
    /// # Errors
    /// The host refused a bucket, which keeps its entries; all were tried.
    pub fn clear<S: SharedData + ?Sized>(&self, store: &S) -> Result<(), UpdateError> {
        let mut done = Ok(());
        for bucket in 0..self.n_buckets {
            if store.shared_set(&self.key(bucket), &[], None).is_err() {
                done = Err(UpdateError::Refused);
            }
        }
        done
    }

    /// The entry of this key now; none as well where it cannot be read.
    ///
    /// **Cost**: one get.
    pub fn find<S: SharedData + ?Sized>(&self, store: &S, tag: Tag) -> Option<L::Entry> {
        self.spot(&store.shared_get(&self.bucket_key(tag))?.value, tag).entry
    }

    /// Shows every entry, with what stands for its key: for operators.
    ///
    /// What changes meanwhile may be seen before or after. An entry that a table of another size put where this one
    /// does not look is not shown.
    ///
    /// **Cost**: one get per bucket.
    pub fn each<S: SharedData + ?Sized>(&self, store: &S, mut see: impl FnMut(Tag, L::Entry)) {
        for bucket in 0..self.n_buckets {
            let Some(found) = store.shared_get(&self.key(bucket)) else { continue };
            let slots = self.slots(&found.value).unwrap_or_default();
            for slot in slots.chunks_exact(self.slot_size()) {
                let Some((tag, entry)) = slot.split_first_chunk() else { continue };
                let tag = Tag::of_bytes(*tag).filter(|tag| tag.bucket(self.n_buckets) == bucket);
                if let Some((tag, entry)) = tag.zip(self.layout.read(entry)) {
                    see(tag, entry);
                }
            }
        }
    }

    /// Changes the entry of this key: `change` sees it (or none) and says what to do; it may run several times.
    ///
    /// **Cost**: one get, and one set if something changes.
    ///
    /// # Errors
    /// Nothing changed: see [`UpdateError`].
    pub fn update<S: SharedData + ?Sized, T>(
        &self,
        store: &S,
        tag: Tag,
        now: Nanos,
        mut change: impl FnMut(Option<L::Entry>) -> (Verb<L::Entry>, T),
    ) -> Result<Outcome<T>, UpdateError> {
        let done = update(store, &self.bucket_key(tag), |bytes| {
            let Spot { found, slot_idx, entry } = self.spot(bytes, tag);
            let (verb, value) = change(entry);
            let (changed, place) = match (verb, slot_idx) {
                (Verb::Keep, _) | (Verb::Remove, None) => (Change::Keep, Place::Same),
                (Verb::Remove, Some(idx)) => {
                    self.edit(bytes, idx, |slot| slot.fill(0));
                    (Change::Store, Place::Removed)
                }
                (Verb::Store(entry), slot_idx) => {
                    let (idx, place) = match slot_idx {
                        Some(idx) => (idx, Place::Same),
                        None => self.make_room(bytes, now),
                    };
                    self.edit(bytes, idx, |slot| {
                        if let Some((tag_bytes, entry_bytes)) = slot.split_at_mut_checked(TAG_SIZE)
                        {
                            tag_bytes.copy_from_slice(&tag.to_bytes());
                            self.layout.write(&entry, entry_bytes);
                        }
                    });
                    (Change::Store, place)
                }
            };
            (changed, (value, place, found))
        })?;
        let (value, place, found) = done.value;
        Ok(Outcome { value, n_conflicts: done.n_conflicts, place, found })
    }

    fn slot_size(&self) -> usize {
        TAG_SIZE + self.layout.size()
    }

    fn bucket_size(&self) -> usize {
        HEADER_SIZE + WAYS * self.slot_size()
    }

    /// The slots of a bucket, if it is of this layout; what was found instead, if not.
    fn slots<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Found> {
        match bytes.split_first_chunk() {
            None if bytes.is_empty() => Err(Found::Nothing),
            None => Err(Found::Unreadable),
            Some((version, slots)) => {
                let is_ours = u32::from_le_bytes(*version) == self.layout.version()
                    && bytes.len() == self.bucket_size();
                if is_ours { Ok(slots) } else { Err(Found::Unreadable) }
            }
        }
    }

    fn spot(&self, bytes: &[u8], tag: Tag) -> Spot<L::Entry> {
        let slots = match self.slots(bytes) {
            Ok(slots) => slots,
            Err(found) => return Spot { found, slot_idx: None, entry: None },
        };
        let tag = tag.to_bytes();
        let own = slots
            .chunks_exact(self.slot_size())
            .enumerate()
            .find_map(|(idx, slot)| Some((idx, slot.strip_prefix(&tag)?)));
        let entry = own.and_then(|(_, entry)| self.layout.read(entry));
        let is_lost = own.is_some() && entry.is_none();
        let found = if is_lost { Found::Unreadable } else { Found::Entries };
        Spot { found, slot_idx: own.map(|(idx, _)| idx), entry }
    }

    fn edit(&self, bytes: &mut [u8], idx: usize, write: impl FnOnce(&mut [u8])) {
        let start = HEADER_SIZE + idx * self.slot_size();
        if let Some(slot) = bytes.get_mut(start..start + self.slot_size()) {
            write(slot);
        }
    }

    /// A slot for a new key: an empty one, else one that says nothing, else the one of least loss.
    ///
    /// A bucket that is not of this layout becomes an empty one that is.
    fn make_room(&self, bytes: &mut Vec<u8>, now: Nanos) -> (usize, Place) {
        let Ok(slots) = self.slots(bytes) else {
            bytes.clear();
            bytes.reserve_exact(self.bucket_size());
            bytes.extend_from_slice(&self.layout.version().to_le_bytes());
            bytes.resize(self.bucket_size(), 0);
            return (0, Place::Added);
        };
        let mut best = (0, Place::Evicted(u64::MAX));
        let mut least = u64::MAX;
        for (idx, slot) in slots.chunks_exact(self.slot_size()).enumerate() {
            let Some((tag, entry)) = slot.split_at_checked(TAG_SIZE) else { continue };
            if tag.iter().all(|byte| *byte == 0) {
                return (idx, Place::Added);
            }
            let loss = self.layout.read(entry).map_or(0, |entry| self.layout.loss(&entry, now));
            if loss < least {
                least = loss;
                best = (idx, if loss == 0 { Place::Reused } else { Place::Evicted(loss) });
            }
        }
        best
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

#[cfg(test)]
mod tests;
