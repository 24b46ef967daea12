//! S3-FIFO: a small queue on trial, a main queue, and the memory of what failed the trial
//! (Yang and others, "FIFO queues are all you need for cache eviction", 2023).

use std::collections::VecDeque;

use super::super::Outcome;
use super::{Held, Room, Set, bytes, oldest, position};

/// The share of a set on trial: one part in so many.
const TRIAL_PART: u64 = 10;

/// One set.
#[derive(Debug)]
pub(crate) struct S3Fifo {
    room: Room,
    /// Uses during the trial that pass it.
    pass: u8,
    /// Uses are counted up to this.
    max_uses: u8,
    trial: Vec<Held>,
    main: Vec<Held>,
    failed: VecDeque<u32>,
}

impl S3Fifo {
    pub(crate) fn new(pass: u8, max_uses: u8, room: Room) -> Self {
        let (trial, main, failed) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { room, pass, max_uses, trial, main, failed }
    }

    fn evict(&mut self) {
        // The trial has its share of the bytes, and of the ways where these run out first.
        let bytes = bytes(&self.trial).saturating_mul(TRIAL_PART) >= self.room.bytes;
        let ways = u64::try_from(self.trial.len()).unwrap_or(u64::MAX).saturating_mul(TRIAL_PART)
            >= u64::try_from(self.room.ways).unwrap_or(u64::MAX);
        if (bytes || ways || self.main.is_empty())
            && let Some(mut held) = oldest(&mut self.trial)
        {
            if held.uses >= self.pass {
                held.uses = 0;
                self.main.push(held);
            } else {
                self.failed.push_back(held.object);
                if self.failed.len() > self.room.ways {
                    self.failed.pop_front();
                }
            }
        } else if let Some(mut held) = oldest(&mut self.main)
            && held.uses > 0
        {
            held.uses = held.uses.saturating_sub(1);
            self.main.push(held);
        }
    }
}

impl Set for S3Fifo {
    fn request(&mut self, object: u32, size: u32) -> Outcome {
        for queue in [&mut self.trial, &mut self.main] {
            if let Some(idx) = position(queue, object) {
                let counts = queue.get_mut(idx).filter(|held| held.uses < self.max_uses);
                let wrote = counts.is_some();
                if let Some(held) = counts {
                    held.uses = held.uses.saturating_add(1);
                }
                return Outcome { hit: true, wrote };
            }
        }
        let all = |this: &Self| bytes(&this.trial).saturating_add(bytes(&this.main));
        while self.trial.len().saturating_add(self.main.len()) >= self.room.ways
            || all(self).saturating_add(u64::from(size)) > self.room.bytes
        {
            self.evict();
        }
        let held = Held { object, size, uses: 0 };
        if let Some(idx) = self.failed.iter().position(|failed| *failed == object) {
            self.failed.remove(idx);
            self.main.push(held);
        } else {
            self.trial.push(held);
        }
        Outcome { hit: false, wrote: false }
    }
}
