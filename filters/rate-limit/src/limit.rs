//! One limit: an algorithm with its numbers, over the few words that it keeps of a key.
//!
//! | algorithm | words | promise |
//! | --- | --- | --- |
//! | [`gcra`] | 1 | within any span `w` at most `burst + ceil(w / interval)` |
//! | [`fixed_window`] | 2 | at most the quota in each window of a key |
//! | [`sliding_window`](slices) | 6 | at most the quota in any span of one window |
//! | [`concurrency`](slices) | 6 | at most the quota in flight, as long as none outlives its lease |

pub mod fixed_window;
pub mod gcra;
pub mod slices;
mod verdict;

use std::fmt;

use kit::Nanos;

use fixed_window::{FixedWindow, Spent};
use gcra::{Quota, Tat};
use slices::{COUNTS, Slices, Tally};
pub use verdict::Verdict;

/// The most words that a limit keeps.
pub const MAX_WORDS: usize = 6;

/// How long a client is told to wait for somebody's request to end: nobody knows.
const UNKNOWN_WAIT: Nanos = Nanos::SECOND;

/// A limit of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name in answers and lookups.
    pub name: String,
    /// How it counts, and how much it admits.
    pub algorithm: Algorithm,
}

/// How a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// A steady rate with a burst.
    Gcra(Quota),
    /// So much per window, and then all anew.
    FixedWindow(FixedWindow),
    /// So much in any span.
    SlidingWindow(Slices),
    /// So many in flight; the span is the lease.
    Concurrency(Slices),
}

/// One call for whichever algorithm it is: its numbers, and its state out of words.
macro_rules! each {
    ($algorithm:expr, $words:expr, |$limit:ident, $state:ident| $gcra:expr, $fixed:expr, $slices:expr) => {
        match $algorithm {
            Algorithm::Gcra($limit) => {
                let $state = tat($words);
                $gcra
            }
            Algorithm::FixedWindow($limit) => {
                let $state = spent($words);
                $fixed
            }
            Algorithm::SlidingWindow($limit) | Algorithm::Concurrency($limit) => {
                let $state = tally($words);
                $slices
            }
        }
    };
    ($algorithm:expr, $words:expr, |$limit:ident, $state:ident| $any:expr) => {
        each!($algorithm, $words, |$limit, $state| $any, $any, $any)
    };
}

impl Algorithm {
    /// How many words it keeps.
    pub const fn n_words(&self) -> usize {
        match self {
            Self::Gcra(_) => 1,
            Self::FixedWindow(_) => 2,
            Self::SlidingWindow(_) | Self::Concurrency(_) => MAX_WORDS,
        }
    }

    /// The kind in three bits, for the layout's version; never zero, never changed.
    pub const fn kind(&self) -> u32 {
        match self {
            Self::Gcra(_) => 1,
            Self::FixedWindow(_) => 2,
            Self::SlidingWindow(_) => 3,
            Self::Concurrency(_) => 4,
        }
    }

    /// What its slices were cut of, if it counts in slices.
    pub const fn sliced(&self) -> Option<Nanos> {
        match self {
            Self::Gcra(_) | Self::FixedWindow(_) => None,
            Self::SlidingWindow(slices) | Self::Concurrency(slices) => Some(slices.span),
        }
    }

    /// Whether it counts requests in flight.
    pub const fn is_concurrency(&self) -> bool {
        matches!(self, Self::Concurrency(_))
    }

    /// What is admitted in one window, or at one time.
    pub fn quota(&self) -> u64 {
        match self {
            Self::Gcra(quota) => quota.units,
            Self::FixedWindow(window) => window.units(),
            Self::SlidingWindow(slices) | Self::Concurrency(slices) => u64::from(slices.units),
        }
    }

    /// What is admitted at once to a key that owes nothing.
    pub fn capacity(&self) -> u64 {
        if let Self::Gcra(quota) = self { quota.burst } else { self.quota() }
    }

    /// Its word in the configuration.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Gcra(_) => "gcra",
            Self::FixedWindow(_) => "fixed_window",
            Self::SlidingWindow(_) => "sliding_window",
            Self::Concurrency(_) => "concurrency",
        }
    }

    /// The window, or the lease.
    pub const fn span(&self) -> Nanos {
        match self {
            Self::Gcra(quota) => quota.window,
            Self::FixedWindow(window) => window.window(),
            Self::SlidingWindow(slices) | Self::Concurrency(slices) => slices.span,
        }
    }

    /// The window; `None` for a limit of concurrency.
    pub const fn window(&self) -> Option<Nanos> {
        if self.is_concurrency() { None } else { Some(self.span()) }
    }

    /// Undoes in the words what no request can have made: a clock that jumped back.
    pub fn heal(&self, words: &mut [u64], now: Nanos) {
        each!(
            self,
            words,
            |limit, state| put_tat(words, limit.heal(state, now)),
            put_spent(words, limit.heal(state, now)),
            put_tally(words, limit.heal(state, now))
        );
    }

    /// Decides on a request, and charges it if it fits; `None` means that, else the wait.
    pub fn take(&self, words: &mut [u64], cost: u64, now: Nanos) -> Option<Nanos> {
        let cost = self.cost(cost);
        let limited = each!(
            self,
            words,
            |limit, state| kept(limit.decide(state, cost, now), |next| put_tat(words, next)),
            kept(limit.decide(state, cost, now), |next| put_spent(words, next)),
            kept(limit.decide(state, cost, now), |next| put_tally(words, next))
        )?;
        Some(if self.is_concurrency() { UNKNOWN_WAIT } else { limited })
    }

    /// Charges without asking.
    pub fn charge(&self, words: &mut [u64], cost: u64, now: Nanos) {
        let cost = self.cost(cost);
        each!(
            self,
            words,
            |limit, state| put_tat(words, limit.charge(state, cost, now)),
            put_spent(words, limit.charge(state, cost, now)),
            put_tally(words, limit.charge(state, cost, now))
        );
    }

    /// Takes back what was charged at an instant.
    pub fn refund(&self, words: &mut [u64], cost: u64, charged_at: Nanos, now: Nanos) {
        let cost = self.cost(cost);
        each!(
            self,
            words,
            |limit, state| put_tat(words, limit.refund(state, cost, charged_at, now)),
            put_spent(words, limit.refund(state, cost, charged_at, now)),
            put_tally(words, limit.refund(state, cost, charged_at, now))
        );
    }

    /// How many units would be admitted at once now.
    pub fn remaining(&self, words: &[u64], now: Nanos) -> u64 {
        each!(self, words, |limit, state| limit.remaining(state, now))
    }

    /// Until everything is back; a limit of concurrency knows only when leases end.
    pub fn reset(&self, words: &[u64], now: Nanos) -> Nanos {
        each!(self, words, |limit, state| limit.reset(state, now))
    }

    /// Until more than what remains is back; zero if everything is.
    pub fn next(&self, words: &[u64], now: Nanos) -> Nanos {
        each!(
            self,
            words,
            |limit, state| limit.next(state, now),
            limit.reset(state, now),
            limit.next(state, now)
        )
    }

    /// What forgetting the key would lose, in nanoseconds of debt: comparable between algorithms.
    pub fn loss(&self, words: &[u64], now: Nanos) -> u64 {
        each!(self, words, |limit, state| limit.loss(state, now))
    }

    /// What a request costs here: in flight each is one, whatever it costs otherwise.
    const fn cost(&self, cost: u64) -> u64 {
        if self.is_concurrency() { 1 } else { cost }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gcra(quota) => write!(f, "{quota}"),
            Self::FixedWindow(window) => write!(f, "{window}"),
            Self::SlidingWindow(slices) => write!(f, "{} in any {}", slices.units, slices.span),
            Self::Concurrency(slices) => {
                write!(f, "{} in flight, lease {}", slices.units, slices.span)
            }
        }
    }
}

fn kept<S>(verdict: Verdict<S>, put: impl FnOnce(S)) -> Option<Nanos> {
    match verdict {
        Verdict::Admit(state) => {
            put(state);
            None
        }
        Verdict::Limit(wait) => Some(wait),
    }
}

fn tat(words: &[u64]) -> Tat {
    Tat(Nanos(words.first().copied().unwrap_or(0)))
}

fn put_tat(words: &mut [u64], tat: Tat) {
    if let Some(word) = words.first_mut() {
        *word = tat.0.0;
    }
}

fn spent(words: &[u64]) -> Spent {
    match words {
        [start, units, ..] => Spent { start: Nanos(*start), units: *units },
        _ => Spent::default(),
    }
}

fn put_spent(words: &mut [u64], spent: Spent) {
    if let [start, units, ..] = words {
        (*start, *units) = (spent.start.0, spent.units);
    }
}

/// The number of the youngest slice, then the counts, two to a word.
fn tally(words: &[u64]) -> Tally {
    let mut halves = words.iter().flat_map(|word| {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    });
    let youngest = halves.next().unwrap_or(0);
    let mut counts = [0; COUNTS];
    for (count, half) in counts.iter_mut().zip(halves) {
        *count = half;
    }
    Tally { youngest, counts }
}

fn put_tally(words: &mut [u64], tally: Tally) {
    let mut halves = std::iter::once(tally.youngest).chain(tally.counts);
    for word in words {
        let (low, high) = (halves.next().unwrap_or(0), halves.next().unwrap_or(0));
        *word = u64::from(low) | u64::from(high) << 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn each_algorithm() -> [Algorithm; 4] {
        [
            Algorithm::Gcra(Quota::new(3, Nanos::MINUTE, 3).unwrap()),
            Algorithm::FixedWindow(FixedWindow::new(3, Nanos::MINUTE).unwrap()),
            Algorithm::SlidingWindow(Slices::new(3, Nanos::MINUTE).unwrap()),
            Algorithm::Concurrency(Slices::new(3, Nanos::MINUTE).unwrap()),
        ]
    }

    #[test]
    fn each_admits_its_quota_and_gives_back_what_is_refunded() {
        let now = Nanos::HOUR;
        for algorithm in each_algorithm() {
            let mut words = [0; MAX_WORDS];
            let waits = [1, 1, 1, 1].map(|cost| algorithm.take(&mut words, cost, now));
            assert!(waits.iter().take(3).all(Option::is_none) && waits[3].is_some(), "{algorithm}");
            assert_eq!(algorithm.remaining(&words, now), 0, "{algorithm}");
            assert_eq!(algorithm.loss(&words, now), Nanos::MINUTE.0, "{algorithm}");
            algorithm.refund(&mut words, 1, now, now);
            assert_eq!(algorithm.remaining(&words, now), 1, "{algorithm}");
            assert!(words.iter().skip(algorithm.n_words()).all(|word| *word == 0), "{algorithm}");
        }
    }

    #[test]
    fn a_slice_count_survives_the_words() {
        let tally_in =
            Tally { youngest: u32::MAX, counts: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, u32::MAX] };
        let mut words = [0; MAX_WORDS];
        put_tally(&mut words, tally_in);
        assert_eq!(tally(&words), tally_in);
    }

    #[test]
    fn in_flight_each_request_counts_one() {
        let [.., concurrency] = each_algorithm();
        let mut words = [0; MAX_WORDS];
        assert_eq!(concurrency.take(&mut words, 1_000, Nanos::HOUR), None);
        assert_eq!(concurrency.remaining(&words, Nanos::HOUR), 2);
        for _ in 0..2 {
            assert_eq!(concurrency.take(&mut words, 1, Nanos::HOUR), None);
        }
        assert_eq!(concurrency.take(&mut words, 1, Nanos::HOUR), Some(Nanos::SECOND));
    }

    #[test]
    fn told_in_operators_words() {
        assert_eq!(
            each_algorithm().map(|algorithm| algorithm.to_string()),
            ["3 per 1m", "3 per fixed window of 1m", "3 in any 1m", "3 in flight, lease 1m"]
        );
    }
}
