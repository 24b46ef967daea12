//! One bucket of the index: what is stored in its slots, and what gives way when they are full.
//!
//! A bucket has [`WAYS`] ways, and each way owns one slot of the store, so that a free way is a free slot.
//! A key's bucket is picked by a keyed hash; every bucket has the same share of the configured bytes,
//! and because no bucket goes beyond its share the store does not go beyond the whole.
//! What gives way is told by [`eviction`].
//!
//! **Shape** of a bucket: one byte version, eight bytes instant of the last invalidation, [`WAYS`] words of four bytes
//! for what failed its trial, zero where there is none, then [`WAYS`] ways of 72 bytes, all zero where free;
//! little-endian. Other bytes count as an empty bucket.

pub mod eviction;

use kit::Nanos;
use kit::hash::Tag;

use crate::signals::Eviction;
use crate::store::index::eviction::{Held, MAX_USES};

/// Ways of a bucket: enough that the hash fills buckets evenly, few enough that a bucket is read for about 1.2 µs.
pub const WAYS: usize = 32;

const VERSION: u8 = 3;
const FAILED_AT: usize = 9;
const FAILED_SIZE: usize = 4;
const HEADER_SIZE: usize = FAILED_AT + WAYS * FAILED_SIZE;
const WAY_SIZE: usize = 72;
/// Where in a way its uses are; then come what says whether it is on trial, and its place among the ages.
const USES_AT: usize = 68;

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

    /// Without the last four bytes, which are the eviction's.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.primary);
        let instants = [self.expires_at.0, self.until.0, self.received.0];
        for word in [self.names, self.variant, self.generation].into_iter().chain(instants) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.size.to_le_bytes());
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

/// Notes in a bucket's bytes that this way was used; false if nothing changes by that.
///
/// Only the first few uses since the way was last looked at count, so a hot object is written for now and then.
pub fn mark_use(bytes: &mut [u8], idx: usize) -> bool {
    let way = HEADER_SIZE.saturating_add(idx.saturating_mul(WAY_SIZE));
    let uses = bytes.get_mut(way.saturating_add(USES_AT));
    let Some(uses) = uses.filter(|uses| **uses < MAX_USES) else { return false };
    *uses = uses.saturating_add(1);
    true
}

fn ways(bytes: &[u8]) -> Option<&[u8]> {
    let whole = bytes.len() == BUCKET_SIZE && bytes.first() == Some(&VERSION);
    if whole { bytes.get(HEADER_SIZE..) } else { None }
}

/// A bucket, taken apart to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bucket {
    /// When something in it was last invalidated, monotonic; zero if never.
    invalidated_at: Nanos,
    /// What is stored, the oldest first.
    held: Vec<Held>,
    /// What failed its trial lately, the oldest first.
    failed: Vec<u32>,
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
        let Some(ways) = ways(bytes) else { return Self::default() };
        let invalidated_at = bytes.get(1..).and_then(take_u64).map_or(0, |(at, _)| at);
        let failed = bytes.get(FAILED_AT..HEADER_SIZE).unwrap_or_default();
        let failed = failed
            .chunks_exact(FAILED_SIZE)
            .filter_map(|word| Some(u32::from_le_bytes(*word.first_chunk()?)))
            .filter(|word| *word != 0)
            .collect();
        let mut held: Vec<(u8, Held)> =
            ways.chunks_exact(WAY_SIZE).enumerate().filter_map(read_held).collect();
        // Ages that no bucket writes, the same twice, still make an order.
        held.sort_by_key(|(age, _)| *age);
        let held = held.into_iter().map(|(_, held)| held).collect();
        Self { invalidated_at: Nanos(invalidated_at), held, failed }
    }

    /// Writes the bucket.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BUCKET_SIZE);
        out.push(VERSION);
        out.extend_from_slice(&self.invalidated_at.0.to_le_bytes());
        out.extend(self.failed.iter().take(WAYS).flat_map(|word| word.to_le_bytes()));
        out.resize(HEADER_SIZE, 0);
        for idx in 0..WAYS {
            let found = (0_u8..).zip(&self.held).find(|(_, held)| held.idx == idx);
            if let Some((age, held)) = found {
                held.way.write(&mut out);
                out.extend_from_slice(&[held.uses, u8::from(held.on_trial), age, 0]);
            } else {
                out.resize(out.len().saturating_add(WAY_SIZE), 0);
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

    /// The places in use, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Way)> + '_ {
        self.held.iter().map(|held| (held.idx, held.way))
    }

    /// Bytes of all its slots together.
    pub fn bytes(&self) -> u64 {
        self.held.iter().map(|held| u64::from(held.way.size)).sum()
    }
}

/// A way with its place and its age.
fn read_held((idx, bytes): (usize, &[u8])) -> Option<(u8, Held)> {
    let way = Way::read(bytes)?;
    let [uses, on_trial, age, _spare] = *bytes.get(USES_AT..)?.first_chunk::<4>()?;
    Some((age, Held { idx, way, uses: uses.min(MAX_USES), on_trial: on_trial != 0 }))
}
