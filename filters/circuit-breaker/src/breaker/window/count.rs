//! The outcomes of the last so many requests: two bits for each.

use super::{Call, Tally};

/// The most requests that can be looked back on: two bits for each are kept for every breaker.
pub const MAX_COUNT: u16 = 1_024;

/// Words of 64 bits.
const N_WORDS: usize = MAX_COUNT as usize / 64;

/// A ring of outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// How many the ring was made for; another number starts it anew.
    pub size: u16,
    /// How many it holds.
    pub n_ended: u16,
    /// Where the next one goes.
    pub next: u16,
    /// The number of the last one; it runs on, past the largest from zero again.
    pub serial: u32,
    /// Which failed, a bit each.
    pub failed: [u64; N_WORDS],
    /// Which were slow, a bit each.
    pub slow: [u64; N_WORDS],
}

impl Count {
    pub(super) fn record(&mut self, size: u16, call: Call) -> u32 {
        let size = size.clamp(1, MAX_COUNT);
        if self.size != size || self.next >= size || self.n_ended > size {
            *self = Self { size, serial: self.serial, ..Self::default() };
        }
        put(&mut self.failed, self.next, call.is_failed);
        put(&mut self.slow, self.next, call.is_slow);
        self.next = self.next.saturating_add(1).checked_rem(size).unwrap_or(0);
        self.n_ended = self.n_ended.saturating_add(1).min(size);
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Has the outcome of this number be a failure; false if it is not among the last ones any more.
    pub(super) fn fail(&mut self, size: u16, serial: u32) -> bool {
        let age = u16::try_from(self.serial.wrapping_sub(serial)).unwrap_or(u16::MAX);
        if self.size != size || age >= self.n_ended {
            return false;
        }
        let newest = self.next.saturating_add(size).saturating_sub(1);
        let place = newest.saturating_sub(age).checked_rem(size).unwrap_or(0);
        put(&mut self.failed, place, true);
        true
    }

    pub(super) fn tally(&self, size: u16) -> Tally {
        if self.size != size {
            return Tally::default();
        }
        let n_set = |words: &[u64; N_WORDS]| words.iter().map(|word| word.count_ones()).sum();
        Tally {
            n_ended: u32::from(self.n_ended),
            n_failed: n_set(&self.failed),
            n_slow: n_set(&self.slow),
            n_shed: 0,
        }
    }
}

fn put(words: &mut [u64; N_WORDS], place: u16, is_set: bool) {
    if let Some(word) = words.get_mut(usize::from(place >> 6)) {
        let bit = 1_u64 << (place & 63);
        *word = if is_set { *word | bit } else { *word & !bit };
    }
}
