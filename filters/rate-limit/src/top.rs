//! The keys that a rule refuses most: a short list that no number of clients can grow.
//!
//! **Question**: who was limited in the last minutes, and how often?
//!
//! The answer is the *space-saving* sketch: [`COUNTERS`] counters, each for one key.
//! A key that has none takes over the smallest, and with it its count, which it remembers as its possible error.
//! Counts are kept for the running period of five minutes and for the one before; a report adds both up.
//!
//! **Promise**, with no update lost: a key's true number of refusals lies between [`Counter::at_least`] and
//! [`Counter::at_most`], and every key with more than a thirty-second of all refusals is in the list.
//!
//! Refusals must stay cheap while somebody floods: each worker gathers its own ([`Gathered`]) and adds them up
//! once a second, so a report is up to a second behind.
//!
//! **Not promised**: that none is lost. This is statistics: a worker that can not add up what it gathered,
//! because others are faster or it ends, forgets it rather than try for long.
//!
//! **Edges**: a worker that is one period behind counts into the running one; a clock that jumped further, either
//! way, starts afresh. Bytes of another layout count as none.
//!
//! **Source**: Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data
//! Streams", ICDT 2005; adding two sketches up: Agarwal et al., "Mergeable Summaries", PODS 2012.

mod gathered;

use kit::Nanos;
use kit::hash::Tag;
use kit::shared::{Change, SetError, SharedData, UpdateError, update};

pub use gathered::Gathered;

/// Counters per period: as many keys as an operator reads, and a sketch that a get costs little for.
pub const COUNTERS: usize = 32;

/// How long one period is: a report covers one to two of them.
pub const PERIOD: Nanos = Nanos::from_mins(5);

/// Bytes of a readable key that are kept.
pub const MAX_LABEL: usize = 64;

/// Tries to count one refusal; a conflict means that another worker counted one.
const ATTEMPTS: u32 = 3;

/// The most refused keys of one rule, in one shared value.
#[derive(Debug, Clone)]
pub struct Top {
    name: String,
    labels: Labels,
}

/// Whether readable keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// Nothing of a key but its tag.
    Hidden,
    /// Its first [`MAX_LABEL`] bytes.
    Shown,
}

/// What a rule's list says now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How far back it reaches: one to two periods.
    pub span: Nanos,
    /// All refusals in that span, of any key.
    pub refusals: u64,
    /// The most refused keys first: at most two times [`COUNTERS`].
    pub counters: Vec<Counter>,
}

/// How often one key was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The key's tag.
    pub tag: [u8; TAG],
    /// Refusals at the most.
    pub at_most: u64,
    /// By how much that may be too many.
    pub error: u64,
    /// The readable key, if it is kept, cut at [`MAX_LABEL`] bytes.
    pub label: Option<String>,
}

impl Counter {
    /// Refusals at the least.
    pub const fn at_least(&self) -> u64 {
        self.at_most.saturating_sub(self.error)
    }
}

impl Top {
    /// The list of the rule of this name.
    pub fn new(rule: &str, labels: Labels) -> Self {
        Self { name: format!("weir/rate-limit-top/{rule}"), labels }
    }

    /// Makes the shared value if there is none, so that later updates swap and never create.
    ///
    /// **Cost**: one get, and one set the first time.
    ///
    /// # Errors
    /// The host refused to store.
    pub fn prepare<S: SharedData + ?Sized>(&self, store: &S) -> Result<(), SetError> {
        match store.shared_get(&self.name) {
            Some(_) => Ok(()),
            None => store.shared_set(&self.name, &[], None),
        }
    }

    /// Counts what a worker has gathered, and forgets it there; after three conflicts it stays for the next time.
    ///
    /// **Cost**: nothing if nothing is gathered; else one get and one set of 1.5 KiB, or 5.6 KiB with labels;
    /// each conflict the same again.
    ///
    /// # Errors
    /// The host refused to store.
    pub fn count<S: SharedData + ?Sized>(
        &self,
        store: &S,
        gathered: &Gathered,
        now: Nanos,
    ) -> Result<(), UpdateError> {
        if gathered.is_empty() {
            return Ok(());
        }
        let mut attempts = 0;
        let done = update(store, &self.name, |bytes| {
            if attempts == ATTEMPTS {
                return (Change::Keep, false);
            }
            attempts += 1;
            let mut sketch = Sketch::from_bytes(self.labels, std::mem::take(bytes));
            gathered.each(|refused| sketch.add(refused.tag, &refused.label, refused.count, now));
            *bytes = sketch.into_bytes();
            (Change::Store, true)
        })?;
        if done.value {
            gathered.clear();
        }
        Ok(())
    }

    /// What the list says now.
    ///
    /// **Cost**: one get.
    pub fn report<S: SharedData + ?Sized>(&self, store: &S, now: Nanos) -> Report {
        let bytes = store.shared_get(&self.name).map(|found| found.value).unwrap_or_default();
        Sketch::from_bytes(self.labels, bytes).report(now)
    }
}

/// Both periods' counters, as the bytes that are shared.
///
/// **Shape**: one byte version (another one with labels), the number of the running period since the clock's start
/// in eight, then [`COUNTERS`] slots of the running period and as many of the one before.
/// A slot is 16 bytes tag, four count and four error, and with labels one byte length and [`MAX_LABEL`] bytes of
/// label; a count of zero is an empty slot. Numbers are little-endian.
///
/// It is edited in place: whoever is refused pays for one pass over 32 slots and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    labels: Labels,
    bytes: Vec<u8>,
}

const TAG: usize = 16;
const HEADER: usize = 1 + 8;

impl Labels {
    const fn version(self) -> u8 {
        match self {
            Self::Hidden => 1,
            Self::Shown => 2,
        }
    }

    /// Bytes of one slot.
    const fn slot(self) -> usize {
        match self {
            Self::Hidden => TAG + 4 + 4,
            Self::Shown => TAG + 4 + 4 + 1 + MAX_LABEL,
        }
    }

    /// Bytes of one period.
    const fn period(self) -> usize {
        COUNTERS * self.slot()
    }

    /// Bytes of a sketch, however much it has counted.
    pub const fn size(self) -> usize {
        HEADER + 2 * self.period()
    }
}

impl Sketch {
    /// A sketch that has counted nothing.
    pub fn new(labels: Labels) -> Self {
        let mut bytes = vec![0; labels.size()];
        if let Some(version) = bytes.first_mut() {
            *version = labels.version();
        }
        Self { labels, bytes }
    }

    /// The sketch in these bytes; an empty one if they are of another layout.
    pub fn from_bytes(labels: Labels, bytes: Vec<u8>) -> Self {
        let is_ours = bytes.len() == labels.size() && bytes.first() == Some(&labels.version());
        if is_ours { Self { labels, bytes } } else { Self::new(labels) }
    }

    /// The bytes to share.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Counts so many refusals of a key; `label` is its readable form, kept only if the rule shows keys.
    pub fn add(&mut self, tag: Tag, label: &str, refusals: u32, now: Nanos) {
        self.turn_to(period_of(now));
        let size = self.labels.period();
        let Some(running) = self.bytes.get_mut(HEADER..HEADER + size) else { return };
        let mut least: Option<(u32, &mut [u8])> = None;
        for slot in running.chunks_exact_mut(self.labels.slot()) {
            let count = number(slot, COUNT_AT);
            if count > 0 && slot.starts_with(&tag.to_bytes()) {
                set_number(slot, COUNT_AT, count.saturating_add(refusals));
                return;
            }
            if least.as_ref().is_none_or(|(found, _)| count < *found) {
                least = Some((count, slot));
            }
        }
        if let Some((count, slot)) = least {
            slot.fill(0);
            set(slot, 0, &tag.to_bytes());
            set_number(slot, COUNT_AT, count.saturating_add(refusals));
            set_number(slot, ERROR_AT, count);
            if self.labels == Labels::Shown {
                let label = label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or(label);
                set(slot, LABEL_AT, &[u8::try_from(label.len()).unwrap_or(0)]);
                set(slot, LABEL_AT + 1, label.as_bytes());
            }
        }
    }

    /// The most refused keys first: both periods added up.
    ///
    /// A key that only one period has a counter for may have been refused in the other as well, as often as its
    /// smallest counter says: that is added to its count and to its error.
    pub fn top(&self, now: Nanos) -> Vec<Counter> {
        let periods = self.periods(now);
        let mut counters: Vec<Counter> = Vec::new();
        for found in periods.iter().flat_map(|period| &period.counters) {
            if counters.iter().any(|counter| counter.tag == found.tag) {
                continue;
            }
            let in_each = periods.each_ref().map(|period| period.bounds(&found.tag));
            let sum = |n: fn(&(u64, u64)) -> u64| in_each.iter().map(n).sum();
            counters.push(Counter {
                at_most: sum(|(at_most, _)| *at_most),
                error: sum(|(_, error)| *error),
                ..found.clone()
            });
        }
        counters.sort_by(|a, b| {
            b.at_most.cmp(&a.at_most).then(a.error.cmp(&b.error)).then(a.tag.cmp(&b.tag))
        });
        counters
    }

    /// All that it says now.
    pub fn report(&self, now: Nanos) -> Report {
        let refusals = self.periods(now).iter().map(|period| period.refusals).sum();
        let span = PERIOD.saturating_add(Nanos(now.0 % PERIOD.0));
        Report { span, refusals, counters: self.top(now) }
    }

    /// The running period and the one before, as they are now.
    fn periods(&self, now: Nanos) -> [Period; 2] {
        let mut turned = self.clone();
        turned.turn_to(period_of(now));
        let slots = turned.bytes.get(HEADER..).unwrap_or_default();
        let (running, previous) = slots.split_at_checked(self.labels.period()).unwrap_or_default();
        [running, previous].map(|slots| Period::read(slots, self.labels))
    }

    /// Makes this period the running one.
    fn turn_to(&mut self, period: u64) {
        let stored = self.bytes.get(1..HEADER).and_then(|bytes| bytes.try_into().ok());
        let stored = stored.map_or(0, u64::from_le_bytes);
        if period == stored || period.saturating_add(1) == stored {
            return;
        }
        set(&mut self.bytes, 1, &period.to_le_bytes());
        let slots = self.bytes.get_mut(HEADER..).unwrap_or_default();
        let Some((running, previous)) = slots.split_at_mut_checked(self.labels.period()) else {
            return;
        };
        if stored.saturating_add(1) == period {
            set(previous, 0, running);
        } else {
            previous.fill(0);
        }
        running.fill(0);
    }
}

/// One period's counters, read.
struct Period {
    counters: Vec<Counter>,
    /// How often a key without a counter may have been refused.
    floor: u64,
    /// All refusals: taking a counter over keeps their sum.
    refusals: u64,
}

impl Period {
    fn read(slots: &[u8], labels: Labels) -> Self {
        let counters: Vec<Counter> =
            slots.chunks_exact(labels.slot()).filter_map(|slot| read_slot(slot, labels)).collect();
        let least = counters.iter().map(|counter| counter.at_most).min();
        let floor = least.filter(|_| counters.len() == COUNTERS).unwrap_or(0);
        let refusals = counters.iter().map(|counter| counter.at_most).sum();
        Self { counters, floor, refusals }
    }

    /// Count and error of a key, whether it has a counter or not.
    fn bounds(&self, tag: &[u8; TAG]) -> (u64, u64) {
        let own = self.counters.iter().find(|counter| counter.tag == *tag);
        own.map_or((self.floor, self.floor), |counter| (counter.at_most, counter.error))
    }
}

/// Where the numbers of a slot stand.
const COUNT_AT: usize = TAG;
const ERROR_AT: usize = TAG + 4;
const LABEL_AT: usize = TAG + 8;

fn period_of(now: Nanos) -> u64 {
    now.0 / PERIOD.0
}

fn read_slot(slot: &[u8], labels: Labels) -> Option<Counter> {
    let (tag, _) = slot.split_first_chunk::<TAG>()?;
    let count = number(slot, COUNT_AT);
    if count == 0 {
        return None;
    }
    let error = number(slot, ERROR_AT).min(count);
    let label = match labels {
        Labels::Hidden => None,
        Labels::Shown => {
            let (len, rest) = slot.get(LABEL_AT..)?.split_first()?;
            let label = rest.get(..usize::from(*len)).unwrap_or_default();
            Some(String::from_utf8_lossy(label).into_owned())
        }
    };
    Some(Counter { tag: *tag, at_most: count.into(), error: error.into(), label })
}

fn number(slot: &[u8], at: usize) -> u32 {
    let bytes = slot.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn set_number(slot: &mut [u8], at: usize, number: u32) {
    set(slot, at, &number.to_le_bytes());
}

/// Puts bytes over others of the same number; nothing happens where there are none.
fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    let place = bytes.get_mut(at..).and_then(|bytes| bytes.get_mut(..new.len()));
    if let Some(place) = place {
        place.copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests;
