//! What one worker has read of the purges, and whether it is still so.

use kit::{Host, Nanos};

use crate::store::purges::ledger::{self, Entry, Head, Patterns, Record};
use crate::store::purges::marks::{Marks, N_SETS, Times};
use crate::store::purges::pattern::{Address, Pattern};
use crate::store::purges::{Mode, Purges, Standing, Subject, Table, read_head};

/// A worker's copies. Each reading has a number, and a set is valid only in the reading in which it was got.
#[derive(Debug, Default)]
pub(super) struct View {
    head: Head,
    list: Option<InForce>,
    marks: Sets,
    forgotten: Sets,
}

/// The list of patterns, compiled.
#[derive(Debug)]
struct InForce {
    serial: u64,
    merged: Times,
    swept: u64,
    latest: u64,
    patterns: Vec<(Entry, Option<Pattern>)>,
}

/// One table's sets, got when they are asked for.
#[derive(Debug)]
struct Sets {
    /// Where the sequence was at the last reading; `None` before the first.
    seen: Option<u64>,
    reading: u64,
    sets: Vec<(u64, Marks)>,
}

impl Default for Sets {
    fn default() -> Self {
        Self { seen: None, reading: 0, sets: vec![(0, Marks::default()); N_SETS] }
    }
}

impl Sets {
    /// Begins another reading unless the sequence says that nothing has changed; answers whether it did.
    fn renew(&mut self, sequence: Option<u64>) -> bool {
        let is_current = sequence.is_some() && self.seen == sequence;
        if !is_current {
            self.seen = sequence;
            self.reading = self.reading.saturating_add(1);
        }
        !is_current
    }

    fn standing(
        &mut self,
        host: &dyn Host,
        purges: &Purges,
        table: Table,
        tag: u64,
        asked: Nanos,
    ) -> Standing {
        let idx = Marks::set_of(tag);
        // There is a set for every tag; without one nothing could be told, so nothing is served.
        let Some((reading, marks)) = self.sets.get_mut(idx) else { return Standing::Gone };
        if *reading != self.reading {
            let bytes = host.shared_get(&purges.set_name(table, idx));
            let bytes = bytes.map(|found| found.value).unwrap_or_default();
            *marks = Marks::read(&bytes).unwrap_or_else(|| Marks::everything(Nanos(u64::MAX)));
            *reading = self.reading;
        }
        marks.standing(tag, asked)
    }
}

impl View {
    /// Reads again what may have changed.
    ///
    /// The order is what makes a purge visible: the sequence first, then what it stands for.
    pub(super) fn refresh(&mut self, host: &dyn Host, purges: &Purges) {
        if !self.marks.renew(purges.purged.read(host)) {
            return;
        }
        self.head = read_head(host, &purges.name(ledger::HEAD));
        if self.list.as_ref().map_or(0, |list| list.serial) != self.head.patterns {
            let bytes = host.shared_get(&purges.name(ledger::LIST));
            let bytes = bytes.map(|found| found.value).unwrap_or_default();
            let lost = || Patterns::lost(Nanos(u64::MAX));
            self.list = Some(InForce::of(Patterns::read(&bytes).unwrap_or_else(lost)));
        }
    }

    /// Makes the next question read everything again.
    pub(super) const fn look_again(&mut self) {
        self.marks.seen = None;
        self.forgotten.seen = None;
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// What counts for every object.
    pub(super) fn floor(&self) -> Times {
        let merged = self.list.as_ref().map_or_else(Times::default, |list| list.merged);
        self.head.everything.merged(merged)
    }

    pub(super) fn mark(
        &mut self,
        host: &dyn Host,
        purges: &Purges,
        tag: u64,
        asked: Nanos,
    ) -> Standing {
        self.marks.standing(host, purges, Table::Marks, tag, asked)
    }

    pub(super) fn forgotten(
        &mut self,
        host: &dyn Host,
        purges: &Purges,
        tag: u64,
        asked: Nanos,
    ) -> Standing {
        self.forgotten.renew(purges.forgotten.read(host));
        self.forgotten.standing(host, purges, Table::Forgotten, tag, asked)
    }

    /// What the patterns say that are younger than the object.
    pub(super) fn patterns(&self, subject: &Subject<'_>) -> Standing {
        let mut standing = Standing::Valid;
        for entry in self.matching(subject) {
            standing = standing.max(match entry.mode {
                Mode::Hard => Standing::Gone,
                Mode::Soft => Standing::Soft,
            });
        }
        standing
    }

    /// The patterns in force that mean this object.
    pub(super) fn matching(&self, subject: &Subject<'_>) -> impl Iterator<Item = &Entry> {
        let list = self.list.as_ref().filter(|list| subject.asked.0 <= list.latest);
        let address = list.and_then(|_| Address::read(subject.uri));
        list.into_iter().flat_map(|list| &list.patterns).filter_map(move |(entry, pattern)| {
            let is_older = subject.asked.0 <= entry.at;
            // What can not be compared is purged: a pattern that no longer compiles, a URI of another shape.
            let is_meant = || match (pattern, &address) {
                (Some(pattern), Some(address)) => pattern.accepts(address),
                (None, _) | (_, None) => true,
            };
            (is_older && is_meant()).then_some(entry)
        })
    }

    /// Whether a pattern was dropped that may have meant an object that was asked for then.
    pub(super) fn was_swept_since(&self, asked: Nanos) -> bool {
        self.list.as_ref().is_some_and(|list| list.swept != 0 && asked.0 <= list.swept)
    }

    /// Every pattern in force.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter().flat_map(|list| &list.patterns).map(|(entry, _)| entry)
    }
}

impl InForce {
    fn of(record: Patterns) -> Self {
        let latest = record.latest();
        let compile = |entry: Entry| {
            let pattern = Pattern::parse(&entry.text, entry.form).ok();
            (entry, pattern)
        };
        Self {
            serial: record.serial,
            merged: record.merged,
            swept: record.swept,
            latest,
            patterns: record.list.into_iter().map(compile).collect(),
        }
    }
}
