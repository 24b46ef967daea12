//! One bucket of the index: what is stored in its slots, and what gives way when they are full.
//!
//! A bucket has [`WAYS`] ways, and each way owns one slot of the store, so that a free way is a free slot.
//! A key's bucket is picked by a keyed hash; every bucket has the same share of the configured bytes,
//! and because no bucket goes beyond its share the store does not go beyond the whole.
//!
//! What gives way: the way of the same variant; the oldest variant when one URI has too many;
//! then whatever is stale soonest, which takes the stale ones first.
//!
//! **Shape** of a bucket: one byte version, eight bytes instant of the last invalidation,
//! then [`WAYS`] ways of 72 bytes, all zero where free; little-endian. Other bytes count as an empty bucket.

use kit::Nanos;
use kit::hash::Tag;

use crate::signals::Eviction;

/// Ways of a bucket: enough that the hash fills buckets evenly, few enough that a bucket is read for about 1.2 µs.
pub const WAYS: usize = 32;

const VERSION: u8 = 2;
const HEADER_SIZE: usize = 9;
const WAY_SIZE: usize = 72;

/// Bytes of a bucket that has been used.
pub const BUCKET_SIZE: usize = HEADER_SIZE + WAYS * WAY_SIZE;

/// What the index knows of one stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The tag of its primary key.
    pub primary: [u8; 16],
    /// The tag of the field names that it varies on; zero for none.
    pub names: u64,
    /// The tag of these fields' values; zero for none.
    pub variant: u64,
    /// Which writing of the slot is meant.
    pub generation: u64,
    /// When it is stale, monotonic.
    pub expires_at: Nanos,
    /// When it is of no use any more, not even stale, monotonic; never before `expires_at`.
    pub until: Nanos,
    /// When it came, monotonic.
    pub received: Nanos,
    /// Bytes of its slot.
    pub size: u32,
}

impl Way {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (primary, rest) = bytes.split_first_chunk::<16>()?;
        if *primary == [0; 16] {
            return None;
        }
        let (names, rest) = take_u64(rest)?;
        let (variant, rest) = take_u64(rest)?;
        let (generation, rest) = take_u64(rest)?;
        let (expires_at, rest) = take_u64(rest)?;
        let (until, rest) = take_u64(rest)?;
        let (received, rest) = take_u64(rest)?;
        let (size, _spare) = rest.split_first_chunk::<4>()?;
        Some(Self {
            primary: *primary,
            names,
            variant,
            generation,
            expires_at: Nanos(expires_at),
            until: Nanos(until),
            received: Nanos(received),
            size: u32::from_le_bytes(*size),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.primary);
        let instants = [self.expires_at.0, self.until.0, self.received.0];
        for word in [self.names, self.variant, self.generation].into_iter().chain(instants) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
    }
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*word), rest))
}

/// The ways of this key in a bucket's bytes with their places, in the order in which they are to be tried:
/// the youngest first, but those without `Vary` last.
///
/// A default response often lacks the `Vary` that its siblings have, and would match everything (RFC 9111, 4.1).
///
/// **Cost**: compares 16 bytes per way; one small allocation if there is any.
pub fn ways_of(bytes: &[u8], primary: Tag) -> Vec<(usize, Way)> {
    let Some(ways) = ways(bytes) else { return Vec::new() };
    let tag = primary.to_bytes();
    let mut found: Vec<(usize, Way)> = ways
        .chunks_exact(WAY_SIZE)
        .enumerate()
        .filter(|(_, way)| way.starts_with(&tag))
        .filter_map(|(idx, way)| Some((idx, Way::read(way)?)))
        .collect();
    found.sort_by_key(|(_, way)| (way.names == 0, std::cmp::Reverse(way.received)));
    found
}

fn ways(bytes: &[u8]) -> Option<&[u8]> {
    let whole = bytes.len() == BUCKET_SIZE && bytes.first() == Some(&VERSION);
    if whole { bytes.get(HEADER_SIZE..) } else { None }
}

/// A bucket, taken apart to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// When something in it was last invalidated, monotonic; zero if never.
    invalidated_at: Nanos,
    ways: Vec<Option<Way>>,
}

/// What is allowed in one bucket.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all its slots together.
    pub bytes: u64,
    /// Variants of one URI.
    pub variants: usize,
}

/// What a change did to a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// The way that was filled.
    pub filled: Option<usize>,
    /// Ways that are free now: their slots are to be emptied.
    pub freed: Vec<usize>,
    /// What gave way to something else, by cause.
    pub evicted: Vec<Eviction>,
    /// By how much the bytes of the bucket grew.
    pub bytes: i64,
    /// By how many the entries of the bucket grew.
    pub entries: i64,
}

impl Changed {
    /// Adds what another change did, to another bucket or the same.
    pub fn add(&mut self, other: &Self) {
        self.freed.extend_from_slice(&other.freed);
        self.evicted.extend_from_slice(&other.evicted);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.entries = self.entries.saturating_add(other.entries);
    }
}

impl Bucket {
    /// Reads a bucket; bytes of another shape are an empty one.
    pub fn read(bytes: &[u8]) -> Self {
        let Some(ways) = ways(bytes) else {
            return Self { invalidated_at: Nanos::ZERO, ways: vec![None; WAYS] };
        };
        let invalidated_at = bytes.get(1..).and_then(take_u64).map_or(0, |(at, _)| at);
        Self {
            invalidated_at: Nanos(invalidated_at),
            ways: ways.chunks_exact(WAY_SIZE).map(Way::read).collect(),
        }
    }

    /// Writes the bucket.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BUCKET_SIZE);
        out.push(VERSION);
        out.extend_from_slice(&self.invalidated_at.0.to_le_bytes());
        for way in &self.ways {
            match way {
                Some(way) => way.write(&mut out),
                None => out.resize(out.len().saturating_add(WAY_SIZE), 0),
            }
        }
        out
    }

    /// Whether something here was invalidated at or after this instant.
    ///
    /// It may have been another key's: the answer errs on the careful side.
    pub fn was_invalidated_since(&self, asked: Nanos) -> bool {
        self.invalidated_at >= asked && !self.invalidated_at.is_zero()
    }

    /// Finds a place for `new`, which must fit into the limits alone.
    pub fn put(&mut self, new: Way, limits: Limits, now: Nanos) -> Changed {
        let mut changed = Changed::default();
        if u64::from(new.size) > limits.bytes {
            return changed;
        }
        let same = |way: &Way| {
            (way.primary, way.names, way.variant) == (new.primary, new.names, new.variant)
        };
        let replaced = self.position(same);
        if let Some(idx) = replaced {
            self.free(idx, &mut changed);
        } else if self.iter().filter(|(_, way)| way.primary == new.primary).count()
            >= limits.variants
        {
            let of_key = self.iter().filter(|(_, way)| way.primary == new.primary);
            if let Some((idx, _)) = of_key.min_by_key(|(_, way)| way.received) {
                self.free(idx, &mut changed);
                changed.evicted.push(Eviction::Variants);
            }
        }
        while self.bytes().saturating_add(u64::from(new.size)) > limits.bytes
            || self.iter().count() == self.ways.len()
        {
            let Some((idx, way)) = self.iter().min_by_key(|(_, way)| way.expires_at) else { break };
            let cause = if way.expires_at <= now { Eviction::Expired } else { Eviction::Space };
            self.free(idx, &mut changed);
            changed.evicted.push(cause);
        }
        let place = replaced.or_else(|| self.ways.iter().position(Option::is_none));
        if let Some((idx, way)) = place.and_then(|idx| Some((idx, self.ways.get_mut(idx)?))) {
            *way = Some(new);
            changed.filled = Some(idx);
            changed.bytes = changed.bytes.saturating_add(i64::from(new.size));
            changed.entries = changed.entries.saturating_add(1);
            changed.freed.retain(|freed| *freed != idx);
        }
        changed
    }

    /// Forgets every variant of this key, and remembers when.
    pub fn invalidate(&mut self, primary: Tag, now: Nanos) -> Changed {
        let mut changed = Changed::default();
        let tag = primary.to_bytes();
        while let Some(idx) = self.position(|way| way.primary == tag) {
            self.free(idx, &mut changed);
        }
        self.invalidated_at = self.invalidated_at.max(now);
        changed
    }

    /// Forgets what this place holds, if it is still this writing.
    pub fn forget(&mut self, idx: usize, generation: u64) -> Changed {
        let mut changed = Changed::default();
        if self.iter().any(|(at, way)| at == idx && way.generation == generation) {
            self.free(idx, &mut changed);
        }
        changed
    }

    /// The places in use.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Way)> + '_ {
        self.ways.iter().enumerate().filter_map(|(idx, way)| Some((idx, (*way)?)))
    }

    /// Bytes of all its slots together.
    pub fn bytes(&self) -> u64 {
        self.iter().map(|(_, way)| u64::from(way.size)).sum()
    }

    fn position(&self, matches: impl Fn(&Way) -> bool) -> Option<usize> {
        self.iter().find(|(_, way)| matches(way)).map(|(idx, _)| idx)
    }

    fn free(&mut self, idx: usize, changed: &mut Changed) {
        if let Some(way) = self.ways.get_mut(idx).and_then(Option::take) {
            changed.freed.push(idx);
            changed.bytes = changed.bytes.saturating_sub(i64::from(way.size));
            changed.entries = changed.entries.saturating_sub(1);
        }
    }
}
