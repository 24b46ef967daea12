//! The policies that need one queue: first in first out, LRU, CLOCK and SIEVE.

use super::super::Outcome;
use super::{Held, Room, Set, bytes, oldest, position, renew};

/// What one queue does with what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: the oldest goes.
    Fifo,
    /// It becomes the youngest.
    Lru,
    /// It becomes the youngest if it is among the older half.
    LazyLru,
    /// It is marked, up to so many times; each mark is another round.
    Clock(u8),
    /// It is marked and stays where it is; the hand goes on from where it took the last
    /// (Zhang and others, "SIEVE is simpler than LRU", 2024).
    Sieve,
}

/// One set with one queue, the oldest first.
#[derive(Debug)]
pub(crate) struct Queue {
    kind: Kind,
    room: Room,
    held: Vec<Held>,
    hand: usize,
}

impl Queue {
    pub(crate) const fn new(kind: Kind, room: Room) -> Self {
        Self { kind, room, held: Vec::new(), hand: 0 }
    }

    /// Notes a use; true if that changes what the index holds.
    fn mark(&mut self, idx: usize) -> bool {
        let most = match self.kind {
            Kind::Fifo => 0,
            Kind::Lru => {
                renew(&mut self.held, idx);
                return true;
            }
            Kind::LazyLru => {
                let is_old = idx < self.held.len() / 2;
                if is_old {
                    renew(&mut self.held, idx);
                }
                return is_old;
            }
            Kind::Clock(most) => most,
            Kind::Sieve => 1,
        };
        let Some(held) = self.held.get_mut(idx).filter(|held| held.uses < most) else {
            return false;
        };
        held.uses = held.uses.saturating_add(1);
        true
    }

    fn evict(&mut self) {
        if self.kind == Kind::Sieve {
            while let Some(held) = self.held.get_mut(self.hand).filter(|held| held.uses > 0) {
                held.uses = 0;
                self.hand = self.hand.saturating_add(1);
            }
            if self.hand < self.held.len() {
                self.held.remove(self.hand);
            } else {
                self.hand = 0;
            }
            return;
        }
        if let Some(mut held) = oldest(&mut self.held)
            && held.uses > 0
        {
            held.uses = held.uses.saturating_sub(1);
            self.held.push(held);
        }
    }
}

impl Set for Queue {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        if let Some(idx) = position(&self.held, object) {
            return Outcome { hit: true, wrote: self.mark(idx) };
        }
        while self.held.len() >= self.room.ways
            || bytes(&self.held).saturating_add(u64::from(size)) > self.room.bytes
        {
            self.evict();
        }
        self.held.push(Held { object, size, uses: 0 });
        Outcome { hit: false, wrote: false }
    }
}
