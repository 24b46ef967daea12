//! The first level: hot objects in the memory of one worker.
//!
//! It is asked only for a generation that the index has just named: so it can not serve what was replaced,
//! invalidated or evicted, whoever did it, and nothing ever has to be told to it.
//! It saves the get of the slot, a copy out of the host, and the decoding.
//!
//! What was asked for once more than it was stored gets in: a response that nobody asks for again takes no room.
//! What gives way: the oldest that was not used since the hand last passed (CLOCK: Corbató, 1968).
//! What the index no longer names is never used again, and so goes by itself.
//!
//! **Memory**: the configured bytes; each response counts with all its parts and [`OVERHEAD`].
//! One that is being answered lives until its answer is made, also when it has left.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::store::stored::Stored;

/// Bytes that are counted for each response beside its own: its fixed fields, and its places in map and queue.
pub const OVERHEAD: u64 = 600;

/// An object may take at most one part in so many: one alone must not push out all the others.
const LARGEST_PART: u64 = 8;

/// The first level of one worker.
#[derive(Debug)]
pub struct Local {
    max_bytes: u64,
    held: RefCell<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_generation: BTreeMap<u64, Hot>,
    /// Every generation that is held, each once; the hand points at the front.
    queue: VecDeque<u64>,
    bytes: u64,
}

#[derive(Debug)]
struct Hot {
    stored: Rc<Stored>,
    size: u64,
    was_used: bool,
}

impl Local {
    /// A first level of at most this many bytes; zero for none.
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, held: RefCell::default() }
    }

    /// The response of this generation, which the index must have named.
    ///
    /// **Cost**: no host call.
    pub fn get(&self, generation: u64) -> Option<Rc<Stored>> {
        let mut held = self.held.borrow_mut();
        let hot = held.by_generation.get_mut(&generation)?;
        hot.was_used = true;
        Some(Rc::clone(&hot.stored))
    }

    /// The same for somebody who only looks: that is no use.
    pub fn peek(&self, generation: u64) -> Option<Rc<Stored>> {
        let held = self.held.borrow();
        held.by_generation.get(&generation).map(|hot| Rc::clone(&hot.stored))
    }

    /// Takes a response in, and lets go of others for it; one that is too large stays outside.
    pub fn put(&self, stored: &Rc<Stored>) {
        let size = stored.size().saturating_add(OVERHEAD);
        let mut held = self.held.borrow_mut();
        if size > self.max_bytes / LARGEST_PART
            || held.by_generation.contains_key(&stored.generation)
        {
            return;
        }
        while held.bytes.saturating_add(size) > self.max_bytes && held.turn() {}
        held.bytes = held.bytes.saturating_add(size);
        held.queue.push_back(stored.generation);
        let hot = Hot { stored: Rc::clone(stored), size, was_used: false };
        held.by_generation.insert(stored.generation, hot);
    }

    /// Bytes that are held now.
    pub fn bytes(&self) -> u64 {
        self.held.borrow().bytes
    }

    /// Responses that are held now.
    pub fn entries(&self) -> usize {
        self.held.borrow().queue.len()
    }
}

impl Held {
    /// Moves the hand by one: what was used gets another round, what was not goes. False if nothing is left.
    ///
    /// A round clears every mark, so at most two rounds free something.
    fn turn(&mut self) -> bool {
        let Some(generation) = self.queue.pop_front() else { return false };
        match self.by_generation.get_mut(&generation) {
            Some(hot) if hot.was_used => {
                hot.was_used = false;
                self.queue.push_back(generation);
            }
            Some(_) | None => {
                let size = self.by_generation.remove(&generation).map_or(0, |hot| hot.size);
                self.bytes = self.bytes.saturating_sub(size);
            }
        }
        true
    }
}
