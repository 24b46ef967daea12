//! The small records beside the marks: what concerns everything, and the list of patterns.
//!
//! Each is one value in shared data, changed by compare-and-swap.
//! No bytes are an empty record; bytes of another shape purge everything, since what they said is not known.

use kit::{Nanos, record};
use serde::{Deserialize, Serialize};

use crate::store::purges::Mode;
use crate::store::purges::marks::Times;
use crate::store::purges::pattern::Form;

/// Changes with the fields of the records here.
const VERSION: u8 = 1;

/// The names of the records.
pub(super) const HEAD: &str = "head";
pub(super) const LIST: &str = "list";
pub(super) const LOG: &str = "log";
pub(super) const WALK: &str = "walk";

/// Patterns in force at a time.
pub const MAX_PATTERNS: usize = 64;

/// Purges that are remembered for operators.
pub const MAX_LOGGED: usize = 32;

/// What every reader looks at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// For every object.
    pub everything: Times,
    /// Which writing of the list of patterns is in force.
    pub patterns: u64,
    /// Whether a tag was ever purged: until then no set is read for tags.
    pub has_tags: bool,
    /// Whether a URI was ever purged: until then no set is read for URIs.
    pub has_uris: bool,
    /// When the last purge was, in nanoseconds of the monotonic clock.
    pub latest: u64,
    /// When the next sweep may begin, in nanoseconds of the monotonic clock; zero for no need.
    pub sweep_due: u64,
}

/// The patterns in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patterns {
    /// Grows with each change.
    pub serial: u64,
    /// For every object: patterns that had to leave a full list.
    pub merged: Times,
    /// The latest of the patterns that a sweep has applied and dropped, in nanoseconds of the monotonic clock:
    /// what was asked for until then may not be stored any more.
    pub swept: u64,
    /// What is in force, the oldest first.
    pub list: Vec<Entry>,
}

/// One pattern in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, never used again.
    pub id: u64,
    /// As it was written.
    pub text: String,
    /// How that is read.
    pub form: Form,
    /// Hard or soft.
    pub mode: Mode,
    /// What was asked for until then is meant, in nanoseconds of the monotonic clock.
    pub at: u64,
}

impl Patterns {
    /// Adds a pattern; answers whether another had to leave for it, which purges all that it is older than.
    pub fn add(&mut self, text: &str, form: Form, mode: Mode, at: Nanos) -> bool {
        self.serial = self.serial.saturating_add(1);
        let same =
            |entry: &Entry| (entry.text.as_str(), entry.form, entry.mode) == (text, form, mode);
        let before = self.list.iter().position(same).map(|idx| self.list.remove(idx));
        // Never an earlier instant than it had: two workers may come here in either order.
        let at = before.map_or(at.0, |entry| entry.at.max(at.0)).max(1);
        self.list.push(Entry { id: self.serial, text: text.to_owned(), form, mode, at });
        self.list.sort_by_key(|entry| entry.at);
        let n_over = self.list.len().saturating_sub(MAX_PATTERNS);
        for entry in self.list.drain(..n_over) {
            self.merged.raise(entry.mode, Nanos(entry.at));
        }
        n_over > 0
    }

    /// Drops these, which a sweep has applied.
    pub fn drop_swept(&mut self, ids: &[u64]) {
        self.serial = self.serial.saturating_add(1);
        for entry in self.list.extract_if(.., |entry| ids.contains(&entry.id)) {
            self.swept = self.swept.max(entry.at);
        }
    }

    /// The instant of the youngest; nothing that was asked for later is meant. Zero if there is none.
    pub fn latest(&self) -> u64 {
        self.list.last().map_or(0, |entry| entry.at)
    }
}

/// The last purges, for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The youngest last.
    pub purges: Vec<Logged>,
}

/// One purge that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// When, in nanoseconds of the monotonic clock.
    pub at: u64,
    /// Hard or soft.
    pub mode: Mode,
    /// What, in a line of at most 256 bytes of text.
    pub what: String,
}

impl Log {
    /// Adds one and forgets the oldest where there are too many.
    pub fn add(&mut self, logged: Logged) {
        self.purges.push(logged);
        let n_over = self.purges.len().saturating_sub(MAX_LOGGED);
        self.purges.drain(..n_over);
    }
}

/// A record in shared data.
pub trait Record: Default + Serialize + serde::de::DeserializeOwned {
    /// What takes the place of one that can not be read: it purges what was asked for until `at`.
    fn lost(at: Nanos) -> Self;

    /// Reads it; no bytes are an empty one, bytes of another shape none.
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { Some(Self::default()) } else { record::decode(VERSION, bytes) }
    }

    /// Writes it.
    fn write(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }
}

impl Record for Head {
    fn lost(at: Nanos) -> Self {
        let mut everything = Times::default();
        everything.raise(Mode::Hard, at);
        // Whether there were marks is not known either.
        Self { everything, has_tags: true, has_uris: true, latest: at.0, ..Self::default() }
    }
}

impl Record for Patterns {
    fn lost(at: Nanos) -> Self {
        let mut merged = Times::default();
        merged.raise(Mode::Hard, at);
        // The numbers go on somewhere else, so that no reader takes them for ones that it has seen.
        Self { serial: at.0, merged, swept: at.0, ..Self::default() }
    }
}

impl Record for Log {
    fn lost(_at: Nanos) -> Self {
        Self::default()
    }
}
