//! When what was purged: instants for a bounded number of tags.
//!
//! An object is purged if it was asked for at or before the instant of one of its tags.
//! So a purge writes one instant and looks for no object, and needs no list of what has which tag.
//!
//! A set remembers [`MAX_MARKS`] tags exactly. When one more comes, the oldest is merged into the set's floor,
//! which counts for every tag of the set: too much is purged, never too little, and only of what is older than
//! the purge that was merged. (A table of bare instants, the usual form, errs for every tag that shares a place.)

use kit::{Nanos, record};
use serde::{Deserialize, Serialize};

use crate::store::purges::{Mode, Standing};

/// Changes with the fields of [`Marks`].
const VERSION: u8 = 1;

/// Sets of a table: a tag's set is told by its upper bits.
pub const N_SETS: usize = 64;

/// Tags that one set remembers exactly: 4,096 in the whole table, in at most 98 KiB.
pub const MAX_MARKS: usize = 64;

/// Until when what was asked for is purged; zero for never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Nothing asked for until then may be used at all, in nanoseconds of the monotonic clock.
    pub hard: u64,
    /// Everything asked for until then is stale, in nanoseconds of the monotonic clock.
    pub soft: u64,
}

impl Times {
    /// Whatever was asked for whenever is purged: what an unreadable record is taken for.
    pub const EVER: Self = Self { hard: u64::MAX, soft: 0 };

    /// Purges what was asked for until `at`; never takes an earlier purge back.
    pub fn raise(&mut self, mode: Mode, at: Nanos) {
        // Zero says never: a purge in the clock's first nanosecond is one in its second.
        let at = at.0.max(1);
        match mode {
            Mode::Hard => self.hard = self.hard.max(at),
            Mode::Soft => self.soft = self.soft.max(at),
        }
    }

    /// Purges what either does.
    #[must_use]
    pub const fn merged(self, other: Self) -> Self {
        Self {
            hard: if self.hard < other.hard { other.hard } else { self.hard },
            soft: if self.soft < other.soft { other.soft } else { self.soft },
        }
    }

    /// What that means for an object that was asked for then.
    pub const fn standing(self, asked: Nanos) -> Standing {
        if self.hard != 0 && asked.0 <= self.hard {
            Standing::Gone
        } else if self.soft != 0 && asked.0 <= self.soft {
            Standing::Soft
        } else {
            Standing::Valid
        }
    }

    /// The later of both.
    pub const fn latest(self) -> u64 {
        if self.hard < self.soft { self.soft } else { self.hard }
    }
}

/// One set of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// For every tag of the set: what did not fit any more.
    floor: Times,
    /// Tags and their instants, sorted.
    marks: Vec<(u64, Times)>,
}

impl Marks {
    /// The set of a table that this tag belongs to.
    pub fn set_of(tag: u64) -> usize {
        usize::try_from(tag >> 58).unwrap_or(0)
    }

    /// Reads a set; no bytes are an empty one, bytes of another shape none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        record::decode(VERSION, bytes)
    }

    /// A set that purges everything asked for until `at`: what takes the place of one that can not be read.
    pub fn everything(at: Nanos) -> Self {
        let mut marks = Self::default();
        marks.floor.raise(Mode::Hard, at);
        marks
    }

    /// Writes the set: at most 1,570 bytes.
    pub fn write(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// Purges what has this tag and was asked for until `at`.
    pub fn raise(&mut self, tag: u64, mode: Mode, at: Nanos) {
        match self.marks.binary_search_by_key(&tag, |(found, _)| *found) {
            Ok(idx) => {
                if let Some((_, times)) = self.marks.get_mut(idx) {
                    times.raise(mode, at);
                }
            }
            Err(idx) => {
                let mut times = Times::default();
                times.raise(mode, at);
                self.marks.insert(idx, (tag, times));
                self.bound();
            }
        }
    }

    /// What that means for an object that has this tag and was asked for then.
    ///
    /// **Cost**: six comparisons of numbers, no allocation.
    pub fn standing(&self, tag: u64, asked: Nanos) -> Standing {
        let floor = self.floor.standing(asked);
        let mark = self.marks.binary_search_by_key(&tag, |(found, _)| *found).ok();
        let mark = mark.and_then(|idx| self.marks.get(idx));
        mark.map_or(floor, |(_, times)| floor.max(times.standing(asked)))
    }

    /// How many tags it remembers exactly.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// What counts for every tag of the set.
    pub const fn floor(&self) -> Times {
        self.floor
    }

    /// Merges the oldest into the floor where there is one too many.
    fn bound(&mut self) {
        while self.marks.len() > MAX_MARKS {
            let oldest = self.marks.iter().enumerate().min_by_key(|(_, (_, times))| times.latest());
            let Some((idx, _)) = oldest else { break };
            let (_, times) = self.marks.remove(idx);
            self.floor = self.floor.merged(times);
        }
    }
}
