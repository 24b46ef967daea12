//! The candidates, each in the form that the store has room for: sets of a few ways, each with its share of bytes.

mod queue;
mod s3_fifo;
mod tiny_lfu;

use super::trace::mixed;
use super::{Cache, Outcome};

pub(super) use queue::{Kind, Queue};
pub(super) use s3_fifo::S3Fifo;
pub(super) use tiny_lfu::{Sketch, TinyLfu};

/// What one set may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) ways: usize,
    pub(super) bytes: u64,
}

/// An object in a set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    object: u32,
    size: u32,
    /// Marks of use, as far as the policy counts.
    uses: u8,
}

/// One set of a cache.
pub(super) trait Set {
    /// Answers from the set, or takes the object in, which fits into the room alone.
    fn request(&mut self, object: u32, size: u32) -> Outcome;
}

/// A cache of sets; a hash says to which one an object belongs.
#[derive(Debug)]
pub(super) struct Sets<S> {
    sets: Vec<S>,
    max_size: u64,
}

impl<S: Set> Sets<S> {
    pub(super) fn new(n_sets: u32, room: Room, set: impl Fn() -> S) -> Self {
        Self { sets: (0..n_sets).map(|_| set()).collect(), max_size: room.bytes }
    }
}

impl<S: Set> Cache for Sets<S> {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        let high = u128::from(mixed(u64::from(object).wrapping_add(0xB0CE7)));
        let n_sets = u128::try_from(self.sets.len()).unwrap_or(0);
        let set = usize::try_from((high * n_sets) >> 64).unwrap_or(0);
        match self.sets.get_mut(set) {
            Some(set) if u64::from(size) <= self.max_size => set.request(object, size),
            Some(_) | None => Outcome { hit: false, wrote: false },
        }
    }
}

/// Bytes of these objects.
fn bytes(held: &[Held]) -> u64 {
    held.iter().map(|held| u64::from(held.size)).sum()
}

/// The place of an object among these.
fn position(held: &[Held], object: u32) -> Option<usize> {
    held.iter().position(|held| held.object == object)
}

/// Takes the oldest away.
fn oldest(held: &mut Vec<Held>) -> Option<Held> {
    (!held.is_empty()).then(|| held.remove(0))
}

/// Makes the one at this place the youngest.
fn renew(held: &mut [Held], idx: usize) {
    if let Some(rest) = held.get_mut(idx..) {
        rest.rotate_left(1);
    }
}
