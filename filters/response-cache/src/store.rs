//! The store: an index in buckets and one slot per way, all in shared data, all under fixed names.
//!
//! How a response gets in: the index first claims a way for it under a fresh generation (compare-and-swap, so that
//! no other worker's claim is lost), then its slot is written, then the index is read again:
//! if the way has gone to another response meanwhile, the slot is emptied, since it may have been the other's.
//! How it gets out: the index names a slot and a generation, and the slot must hold that generation,
//! that whole key and that variant. So whatever happens between the steps, on other workers
//! or because this one died, a reader finds either the response that was claimed or nothing.
//!
//! **Memory**: see [`Geometry`].

pub mod flights;
pub mod index;
pub mod listing;
pub mod local;
mod opened;
pub mod purges;
pub mod stored;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::hash::Secret;
use kit::headers::Headers;
use kit::shared::{Change, UpdateError, update};
use kit::{Host, Nanos};

use crate::http::vary;
use crate::key::normal::Normal;
use crate::signals::Refusal;
use crate::store::index::{Bucket, Changed, Limits, WAYS, Way, ways_of};
use crate::store::local::Local;
use crate::store::stored::Stored;
pub use opened::Opened;

/// How many sets of field names a worker remembers by their tag; others are read from a slot when needed.
const MAX_KNOWN_NAMES: usize = 64;

/// The store's size, fixed by the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Buckets of the index, each with [`WAYS`] entries.
    pub n_buckets: u32,
    /// Bytes of all slots of a bucket together.
    pub bucket_bytes: u64,
    /// Variants of one URI.
    pub max_variants: usize,
    /// Bytes that the first level of each worker may take; zero for none.
    pub local_bytes: u64,
}

/// One worker's view of the store.
#[derive(Debug)]
pub struct Store {
    prefix: String,
    geometry: Geometry,
    secret: Secret,
    known_names: RefCell<BTreeMap<u64, Rc<[String]>>>,
    local: Local,
}

/// What is stored for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing for this URI.
    Nothing,
    /// Something for this URI, but not for requests of these header values, or its slot holds something else.
    OtherVariant,
    /// A response, compared with the request in whole; fresh or stale.
    Entry(Entry),
}

/// A stored response and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The response.
    pub stored: Rc<Stored>,
    /// Where the index names it.
    pub place: Place,
}

/// One writing of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    bucket: u32,
    way: usize,
    generation: u64,
}

/// A response that was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstored {
    /// Why.
    pub refusal: Refusal,
    /// What became of the store all the same: what had given way is gone.
    pub changed: Changed,
}

impl From<Refusal> for Unstored {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, changed: Changed::default() }
    }
}

impl Store {
    /// Opens the store of this name, and makes its buckets where they do not exist yet.
    ///
    /// A store that was opened with another number of buckets before is emptied:
    /// its keys have other places now, and what stayed behind would come back when the number does.
    pub fn open(host: &dyn Host, name: &str, geometry: Geometry) -> (Self, Opened) {
        let this = Self {
            prefix: format!("weir/response-cache/{name}/"),
            geometry,
            secret: Secret::of_process(host),
            known_names: RefCell::default(),
            local: Local::new(geometry.local_bytes),
        };
        let opened = this.prepare(host);
        (this, opened)
    }

    /// Buckets of the index.
    pub const fn n_buckets(&self) -> u32 {
        self.geometry.n_buckets
    }

    /// What is stored for this request, told by its key, the cluster that it goes to, and its headers.
    ///
    /// A response is found for as long as it is of any use ([`Stored::until`]), and after that until its place is
    /// needed: whether it may be served is not for the store to say.
    ///
    /// **Cost**: one get, and one more for a response that is not in this worker's first level;
    /// one set for each of the first few uses since the eviction last looked at it ([`index::eviction`]);
    /// one further get when this worker meets a set of `Vary` names for the first time.
    pub fn find(
        &self,
        host: &dyn Host,
        key: &[u8],
        cluster: &[u8],
        request: &Headers,
        normal: &Normal,
        now: Nanos,
    ) -> Found {
        let tag = self.secret.tag(key);
        let bucket = tag.bucket(self.geometry.n_buckets);
        let bucket_name = self.bucket_name(bucket);
        let Some(mut bytes) = host.shared_get(&bucket_name) else { return Found::Nothing };
        let mut found = Found::Nothing;
        for (idx, way) in ways_of(&bytes.value, tag) {
            let Some(names) = self.names_of(host, bucket, idx, &way) else { continue };
            found = Found::OtherVariant;
            let variant = vary::variant_bytes(cluster, &names, request, normal);
            if self.short_tag(&variant) != way.variant {
                continue;
            }
            let entry = self.entry(host, bucket, idx, &way, Keep::Yes);
            let is_asked_for =
                |entry: &Entry| entry.stored.key == key && entry.stored.variant == variant;
            if let Some(entry) = entry.filter(is_asked_for) {
                if now < way.until && index::mark_use(&mut bytes.value, idx) {
                    // Another worker's change goes before: a use that is not noted is no loss.
                    let _ = host.shared_set(&bucket_name, &bytes.value, Some(bytes.version));
                }
                return Found::Entry(entry);
            }
        }
        found
    }

    /// The response that this way names: from the first level, or else from its slot.
    fn entry(
        &self,
        host: &dyn Host,
        bucket: u32,
        idx: usize,
        way: &Way,
        keep: Keep,
    ) -> Option<Entry> {
        let place = Place { bucket, way: idx, generation: way.generation };
        let hot = match keep {
            Keep::Yes => self.local.get(way.generation),
            Keep::No => self.local.peek(way.generation),
        };
        if let Some(stored) = hot {
            return Some(Entry { stored, place });
        }
        let slot = host.shared_get(&self.slot_name(bucket, idx))?;
        let stored = Stored::decode(&slot.value)?;
        if stored.generation != way.generation {
            return None;
        }
        let stored = Rc::new(stored);
        if keep == Keep::Yes {
            self.local.put(&stored);
        }
        Some(Entry { stored, place })
    }

    /// Stores a response; `asked` is when its request was forwarded.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] if it does not fit into a bucket, [`Refusal::Invalidated`] if an unsafe request came
    /// in between, [`Refusal::Store`] if the index or the slot could not be written.
    ///
    /// **Cost**: two gets of a bucket, two sets, and one set for each slot that gives way.
    pub fn put(
        &self,
        host: &dyn Host,
        mut stored: Stored,
        asked: Nanos,
        now: Nanos,
    ) -> Result<Changed, Unstored> {
        stored.generation = host.random();
        let bytes = stored.encode();
        let size = u32::try_from(bytes.len()).map_err(|_too_large| Refusal::TooLarge)?;
        let tag = self.secret.tag(&stored.key);
        let bucket = tag.bucket(self.geometry.n_buckets);
        let way = Way {
            primary: tag.to_bytes(),
            names: self.short_tag(&stored.names),
            variant: self.short_tag(&stored.variant),
            generation: stored.generation,
            expires_at: stored.freshness().expires_at(),
            until: stored.until(),
            received: Nanos(stored.received),
            size,
        };
        let limits =
            Limits { bytes: self.geometry.bucket_bytes, variants: self.geometry.max_variants };
        let bucket_name = self.bucket_name(bucket);
        let claimed = update(host, &bucket_name, |bytes| {
            let mut bucket = Bucket::read(bytes);
            if bucket.was_invalidated_since(asked) {
                return (Change::Keep, Err(Refusal::Invalidated));
            }
            let changed = bucket.put(way, limits, now);
            if changed.filled.is_none() {
                return (Change::Keep, Err(Refusal::TooLarge));
            }
            *bytes = bucket.write();
            (Change::Store, Ok(changed))
        });
        let changed = claimed.map_err(|_contended_or_refused| Refusal::Store)?.value?;
        self.empty_slots(host, bucket, &changed.freed);
        let Some(idx) = changed.filled else { return Err(Refusal::Store.into()) };
        if host.shared_set(&self.slot_name(bucket, idx), &bytes, None).is_err() {
            let place = Place { bucket, way: idx, generation: way.generation };
            return Err(self.unclaimed(host, place, changed));
        }
        let still = host.shared_get(&bucket_name).is_some_and(|bytes| {
            let mut ways = ways_of(&bytes.value, tag).into_iter();
            ways.any(|(at, found)| at == idx && found.generation == way.generation)
        });
        if !still {
            self.empty_slots(host, bucket, &[idx]);
        }
        Ok(changed)
    }

    /// Gives a place back whose slot could not be written; the index had been changed for it already.
    fn unclaimed(&self, host: &dyn Host, place: Place, mut changed: Changed) -> Unstored {
        // If the index can not be changed either, it goes on naming an entry that nobody finds.
        if let Ok(undone) = self.forget(host, place) {
            changed.add(&undone);
        }
        changed.filled = None;
        Unstored { refusal: Refusal::Store, changed }
    }

    /// Forgets all that is stored under this key.
    ///
    /// **Cost**: one get, one set, and one set for each variant.
    pub fn invalidate(
        &self,
        host: &dyn Host,
        key: &[u8],
        now: Nanos,
    ) -> Result<Changed, UpdateError> {
        let tag = self.secret.tag(key);
        let bucket = tag.bucket(self.geometry.n_buckets);
        let done = update(host, &self.bucket_name(bucket), |bytes| {
            let mut bucket = Bucket::read(bytes);
            let changed = bucket.invalidate(tag, now);
            *bytes = bucket.write();
            (Change::Store, changed)
        })?;
        self.empty_slots(host, bucket, &done.value.freed);
        Ok(done.value)
    }

    /// The field names that a way's response varies on.
    fn names_of(
        &self,
        host: &dyn Host,
        bucket: u32,
        idx: usize,
        way: &Way,
    ) -> Option<Rc<[String]>> {
        if way.names == 0 {
            return Some(Rc::default());
        }
        if let Some(names) = self.known_names.borrow().get(&way.names) {
            return Some(Rc::clone(names));
        }
        let entry = self.entry(host, bucket, idx, way, Keep::No)?;
        let names = vary::read_names(&entry.stored.names)?;
        let mut known = self.known_names.borrow_mut();
        if known.len() < MAX_KNOWN_NAMES {
            known.insert(way.names, Rc::clone(&names));
        }
        Some(names)
    }

    /// Sixty-four keyed bits for these bytes; zero for none.
    fn short_tag(&self, bytes: &[u8]) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        let tag = self.secret.tag(bytes).to_bytes();
        tag.first_chunk::<8>().map_or(1, |low| u64::from_le_bytes(*low)).max(1)
    }

    /// Writes nothing into these slots: their bytes are free again.
    ///
    /// A slot that the host does not empty keeps bytes that no generation names.
    fn empty_slots(&self, host: &dyn Host, bucket: u32, ways: &[usize]) {
        for idx in ways {
            if let Err(error) = host.shared_set(&self.slot_name(bucket, *idx), &[], None) {
                log::debug!("response-cache: slot not emptied: {error}");
            }
        }
    }

    fn bucket_name(&self, bucket: u32) -> String {
        self.name('b', u64::from(bucket))
    }

    fn slot_name(&self, bucket: u32, way: usize) -> String {
        let ways = u64::try_from(WAYS).unwrap_or(u64::MAX);
        let way = u64::try_from(way).unwrap_or(u64::MAX);
        self.name('s', u64::from(bucket).saturating_mul(ways).saturating_add(way))
    }

    /// A shared name: made of the configured name and a number, never of a client's bytes.
    fn name(&self, kind: char, number: u64) -> String {
        let mut name = String::with_capacity(self.prefix.len().saturating_add(21));
        name.push_str(&self.prefix);
        name.push(kind);
        let mut digits = [0_u8; 20];
        let mut rest = number;
        let mut n_digits = 0_usize;
        for digit in &mut digits {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            n_digits = n_digits.saturating_add(1);
            if rest == 0 {
                break;
            }
        }
        name.extend(digits.iter().take(n_digits).rev().map(|digit| char::from(*digit)));
        name
    }

    fn prepare(&self, host: &dyn Host) -> Opened {
        let name = format!("{}size", self.prefix);
        let size = self.geometry.n_buckets.to_le_bytes();
        let before = host.shared_get(&name).map(|found| found.value);
        if before.as_deref() == Some(&size[..]) {
            return Opened::AsItWas;
        }
        let n_before = before.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        for bucket in 0..self.geometry.n_buckets.max(n_before) {
            let bucket_name = self.bucket_name(bucket);
            let bytes = host.shared_get(&bucket_name).map(|found| found.value).unwrap_or_default();
            let used: Vec<usize> = Bucket::read(&bytes).iter().map(|(idx, _)| idx).collect();
            self.set_or_log(host, &bucket_name, &[]);
            self.empty_slots(host, bucket, &used);
        }
        self.set_or_log(host, &name, &size);
        Opened::Empty
    }

    fn set_or_log(&self, host: &dyn Host, name: &str, value: &[u8]) {
        if let Err(error) = host.shared_set(name, value, None) {
            log::error!("response-cache: store not prepared: {error}");
        }
    }
}

/// Whether what was read goes into the first level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// A request asks for it.
    Yes,
    /// It was only looked at.
    No,
}
