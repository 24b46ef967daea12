//! The counters of both periods, as the bytes that are shared.

use super::{Counter, Labels, MAX_LABEL, PERIOD, Report, Shape};
use crate::hash::Tag;
use crate::units::Nanos;

/// Both periods' counters, as the bytes that are shared.
///
/// **Shape**: one byte version (another one with labels), the number of the running period since the clock's start
/// in eight, then [`Shape::counters`] slots of the running period and as many of the one before.
/// A slot is 16 bytes tag, four count and four error, and with labels one byte length and [`MAX_LABEL`] bytes of
/// label; a count of zero is an empty slot. Numbers are little-endian.
///
/// It is edited in place: each key that is added costs one pass over the slots of a period and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    shape: Shape,
    bytes: Vec<u8>,
}

const TAG: usize = 16;
const HEADER: usize = 1 + 8;

impl Shape {
    const fn version(self) -> u8 {
        match self.labels {
            Labels::Hidden => 1,
            Labels::Shown => 2,
        }
    }

    /// Bytes of one slot.
    const fn slot(self) -> usize {
        match self.labels {
            Labels::Hidden => TAG + 4 + 4,
            Labels::Shown => TAG + 4 + 4 + 1 + MAX_LABEL,
        }
    }

    /// Bytes of one period.
    const fn period(self) -> usize {
        self.counters.saturating_mul(self.slot())
    }

    /// Bytes of a sketch, however much it has counted.
    pub const fn size(self) -> usize {
        HEADER.saturating_add(self.period().saturating_mul(2))
    }
}

impl Sketch {
    /// A sketch that has counted nothing.
    pub fn new(shape: Shape) -> Self {
        let mut bytes = vec![0; shape.size()];
        if let Some(version) = bytes.first_mut() {
            *version = shape.version();
        }
        Self { shape, bytes }
    }

    /// The sketch in these bytes; an empty one if they are of another layout.
    pub fn from_bytes(shape: Shape, bytes: Vec<u8>) -> Self {
        let is_ours = bytes.len() == shape.size() && bytes.first() == Some(&shape.version());
        if is_ours { Self { shape, bytes } } else { Self::new(shape) }
    }

    /// The bytes to share.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Counts a key so many times more; `label` is its readable form, kept only where labels are shown.
    pub fn add(&mut self, tag: Tag, label: &str, times: u32, now: Nanos) {
        self.turn_to(period_of(now));
        let size = self.shape.period();
        let Some(running) = self.bytes.get_mut(HEADER..HEADER.saturating_add(size)) else { return };
        let mut least: Option<(u32, &mut [u8])> = None;
        for slot in running.chunks_exact_mut(self.shape.slot()) {
            let count = number(slot, COUNT_AT);
            if count > 0 && slot.starts_with(&tag.to_bytes()) {
                set_number(slot, COUNT_AT, count.saturating_add(times));
                return;
            }
            if least.as_ref().is_none_or(|(found, _)| count < *found) {
                least = Some((count, slot));
            }
        }
        if let Some((count, slot)) = least {
            slot.fill(0);
            set(slot, 0, &tag.to_bytes());
            set_number(slot, COUNT_AT, count.saturating_add(times));
            set_number(slot, ERROR_AT, count);
            if self.shape.labels == Labels::Shown {
                let label = label.get(..label.floor_char_boundary(MAX_LABEL)).unwrap_or(label);
                set(slot, LABEL_AT, &[u8::try_from(label.len()).unwrap_or(0)]);
                set(slot, LABEL_AT + 1, label.as_bytes());
            }
        }
    }

    /// The key with the highest count first: both periods added up.
    ///
    /// A key that only one period has a counter for may have been met in the other as well, as often as its
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
        let total = self.periods(now).iter().map(|period| period.total).sum();
        let span = PERIOD.saturating_add(Nanos(now.0 % PERIOD.0));
        Report { span, total, counters: self.top(now) }
    }

    /// The running period and the one before, as they are now.
    fn periods(&self, now: Nanos) -> [Period; 2] {
        let mut turned = self.clone();
        turned.turn_to(period_of(now));
        let slots = turned.bytes.get(HEADER..).unwrap_or_default();
        let (running, previous) = slots.split_at_checked(self.shape.period()).unwrap_or_default();
        [running, previous].map(|slots| Period::read(slots, self.shape))
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
        let Some((running, previous)) = slots.split_at_mut_checked(self.shape.period()) else {
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
    /// How often a key without a counter may have been met.
    floor: u64,
    /// All that was counted: taking a counter over keeps the sum.
    total: u64,
}

impl Period {
    fn read(slots: &[u8], shape: Shape) -> Self {
        let counters: Vec<Counter> = slots
            .chunks_exact(shape.slot())
            .filter_map(|slot| read_slot(slot, shape.labels))
            .collect();
        let least = counters.iter().map(|counter| counter.at_most).min();
        let floor = least.filter(|_| counters.len() == shape.counters).unwrap_or(0);
        let total = counters.iter().map(|counter| counter.at_most).sum();
        Self { counters, floor, total }
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
