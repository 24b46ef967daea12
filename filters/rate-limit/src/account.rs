//! What is kept per key: the words of each limit, in one entry.
//!
//! All limits of a rule count the same key, so they are decided and charged in one swap:
//! either all of them admit and are charged, or none is.
//!
//! **Shape**: little-endian `u64`, the words of the first limit, then of the second, and so on ([`Limit`] says how many).
//! The layout's version names the algorithms in their order, so that words are never read as another algorithm's.

use std::fmt;
use std::iter;

use kit::Nanos;
use kit::hash::Secret;
use kit::table::Layout;
use kit::units::Ratio;

use crate::limit::{Limit, MAX_WORDS};

/// Limits that a rule can have.
pub const MAX_LIMITS: usize = 4;

/// The first byte of the layout's version; changes when an algorithm's words change their meaning.
const FORMAT: u32 = 2;

/// The limits that hold for a key, at least one: how its entry is laid out, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    limits: Vec<Limit>,
    n_words: usize,
    version: u32,
}

/// The words of one key. All zero for a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account([u64; MAX_LIMITS * MAX_WORDS]);

/// What all limits say of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// All admit; this is the key's new account.
    Admit(Account),
    /// At least one refuses.
    Limit(Refusal),
}

/// Why a rule refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which limits refuse, by their places; at least one does.
    pub refuses: [bool; MAX_LIMITS],
    /// After this every limit of the rule would admit.
    pub wait: Nanos,
}

impl Refusal {
    /// The first limit that refuses, by its place.
    pub fn first(&self) -> usize {
        self.refuses.iter().position(|refuses| *refuses).unwrap_or(0)
    }
}

impl Limits {
    /// These limits, of which there are at most [`MAX_LIMITS`].
    pub fn new(limits: Vec<Limit>) -> Self {
        let n_words = limits.iter().map(|limit| limit.algorithm.n_words()).sum();
        let version = version(&limits);
        Self { limits, n_words, version }
    }

    /// The limits, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter()
    }

    /// Whether one of them counts requests in flight.
    pub fn has_concurrency(&self) -> bool {
        self.limits.iter().any(|limit| limit.algorithm.is_concurrency())
    }

    /// Undoes what no request can have made: keep the outcome, also when the request is refused.
    #[must_use]
    pub fn heal(&self, mut account: Account, now: Nanos) -> Account {
        for (limit, words) in self.parts_mut(&mut account) {
            limit.algorithm.heal(words, now);
        }
        account
    }

    /// Decides on one request, for a [healed](Self::heal) account: charged to all limits, or to none.
    pub fn decide(&self, account: &Account, cost: u64, now: Nanos) -> Ruling {
        let mut next = *account;
        let mut refusal: Option<Refusal> = None;
        for (idx, (limit, words)) in self.parts_mut(&mut next).enumerate() {
            let Some(wait) = limit.algorithm.take(words, cost, now) else { continue };
            let nothing = Refusal { refuses: [false; MAX_LIMITS], wait: Nanos::ZERO };
            let found = refusal.get_or_insert(nothing);
            found.wait = found.wait.max(wait);
            if let Some(refuses) = found.refuses.get_mut(idx) {
                *refuses = true;
            }
        }
        refusal.map_or(Ruling::Admit(next), Ruling::Limit)
    }

    /// Charges without asking.
    #[must_use]
    pub fn charge(&self, mut account: Account, cost: u64, now: Nanos) -> Account {
        for (limit, words) in self.parts_mut(&mut account) {
            // Refused requests are not in flight.
            if !limit.algorithm.is_concurrency() {
                limit.algorithm.charge(words, cost, now);
            }
        }
        account
    }

    /// Takes back a request that was admitted at an instant, as if it had never come.
    #[must_use]
    pub fn refund(&self, account: Account, cost: u64, charged_at: Nanos, now: Nanos) -> Account {
        self.settle(account, cost, 0, charged_at, now)
    }

    /// Ends a request that was admitted at an instant: it is no longer in flight, and costs `total` instead of `reserved`.
    #[must_use]
    pub fn settle(
        &self,
        mut account: Account,
        reserved: u64,
        total: u64,
        charged_at: Nanos,
        now: Nanos,
    ) -> Account {
        for (limit, words) in self.parts_mut(&mut account) {
            let algorithm = &limit.algorithm;
            // What costs more than fits at once costs that.
            let [charged, total] = [reserved, total].map(|cost| cost.min(algorithm.capacity()));
            if algorithm.is_concurrency() {
                algorithm.refund(words, 1, charged_at, now);
            } else if total < charged {
                algorithm.refund(words, charged.saturating_sub(total), charged_at, now);
            } else if total > charged {
                algorithm.charge(words, total.saturating_sub(charged), now);
            }
        }
        account
    }

    /// Whether this share of some limit is spent.
    pub fn is_near(&self, account: &Account, at: Ratio, now: Nanos) -> bool {
        self.parts(account).any(|(limit, words)| {
            let capacity = limit.algorithm.capacity();
            let spent = capacity.saturating_sub(limit.algorithm.remaining(words, now));
            // Where only the last unit reaches the share, to be near is to be there.
            at.is_reached_by(spent, capacity)
                && at.is_reached_by(capacity.saturating_sub(1), capacity)
        })
    }

    /// Each limit with its words.
    pub fn parts<'a>(
        &'a self,
        account: &'a Account,
    ) -> impl Iterator<Item = (&'a Limit, &'a [u64])> {
        let mut rest = account.0.as_slice();
        self.limits.iter().map(move |limit| {
            let (words, behind) =
                rest.split_at_checked(limit.algorithm.n_words()).unwrap_or_default();
            rest = behind;
            (limit, words)
        })
    }

    /// The words of one limit, by its place.
    pub fn words<'a>(&self, account: &'a Account, idx: usize) -> &'a [u64] {
        let start: usize =
            self.limits.iter().take(idx).map(|limit| limit.algorithm.n_words()).sum();
        account.0.get(start..).unwrap_or_default()
    }

    fn parts_mut<'a>(
        &'a self,
        account: &'a mut Account,
    ) -> impl Iterator<Item = (&'a Limit, &'a mut [u64])> {
        let mut rest = account.0.as_mut_slice();
        self.limits.iter().map(move |limit| {
            let taken = std::mem::take(&mut rest);
            let (words, behind) =
                taken.split_at_mut_checked(limit.algorithm.n_words()).unwrap_or_default();
            rest = behind;
            (limit, words)
        })
    }
}

/// The format, three bits for each limit's algorithm, and twelve that tell apart what slices were cut of:
/// slices of another span are numbered otherwise, so their counts start afresh.
fn version(limits: &[Limit]) -> u32 {
    let kinds = limits.iter().rev().fold(0, |kinds, limit| kinds << 3 | limit.algorithm.kind());
    let spans = limits.iter().filter_map(|limit| limit.algorithm.sliced());
    let bytes: Vec<u8> = spans.flat_map(|span| span.0.to_le_bytes()).collect();
    // No secret: every worker and every configuration must come to the same.
    let told_apart = Secret::new([0; 16]).tag(&bytes).bucket(1 << 12);
    FORMAT | kinds << 8 | told_apart << 20
}

impl Layout for Limits {
    type Entry = Account;

    fn version(&self) -> u32 {
        self.version
    }

    fn size(&self) -> usize {
        self.n_words * 8
    }

    fn read(&self, bytes: &[u8]) -> Option<Account> {
        let mut account = Account::default();
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        for (word, found) in account.0.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*found);
        }
        (words.len() == self.n_words).then_some(account)
    }

    fn write(&self, account: &Account, bytes: &mut [u8]) {
        for (word, to) in iter::zip(account.0, bytes.as_chunks_mut::<8>().0) {
            *to = word.to_le_bytes();
        }
    }

    /// The longest debt: forgetting a key hands it back what it has spent.
    fn loss(&self, account: &Account, now: Nanos) -> u64 {
        self.parts(account)
            .map(|(limit, words)| limit.algorithm.loss(words, now))
            .max()
            .unwrap_or(0)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, limit) in self.limits.iter().enumerate() {
            if idx > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{}", limit.algorithm)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Algorithm;
    use crate::limit::gcra::Quota;
    use crate::limit::slices::Slices;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn limit(algorithm: Algorithm) -> Limit {
        Limit { name: String::new(), algorithm }
    }

    fn gcra(units: u64, window: Nanos) -> Limit {
        limit(Algorithm::Gcra(Quota::new(units, window, units).unwrap()))
    }

    fn limits() -> Limits {
        Limits::new(vec![gcra(2, Nanos::SECOND), gcra(3, Nanos::MINUTE)])
    }

    fn admit(account: &mut Account, now: Nanos) -> Option<Refusal> {
        match limits().decide(account, 1, now) {
            Ruling::Admit(next) => {
                *account = next;
                None
            }
            Ruling::Limit(refusal) => Some(refusal),
        }
    }

    #[test]
    fn what_one_limit_refuses_is_charged_to_none() {
        let mut account = Account::default();
        let now = Nanos::HOUR;
        assert_eq!((admit(&mut account, now), admit(&mut account, now)), (None, None));
        let before = account;
        let refusal = admit(&mut account, now).unwrap();
        assert_eq!(refusal.refuses, [true, false, false, false]);
        assert_eq!(refusal.wait, Nanos::from_millis(500));
        assert_eq!(account, before);
    }

    #[test]
    fn all_that_refuse_are_named_and_the_longest_wait_is_told() {
        let mut account = Account::default();
        let now = Nanos::HOUR;
        for step in [0, 0, 500] {
            let now = now.saturating_add(Nanos::from_millis(step));
            assert_eq!(admit(&mut account, now), None);
        }
        let refusal = admit(&mut account, now.saturating_add(Nanos::from_millis(500))).unwrap();
        assert_eq!((refusal.refuses, refusal.first()), ([true, true, false, false], 0));
        assert_eq!(refusal.wait, Nanos::from_millis(19_500));
    }

    #[test]
    fn bytes_and_back() {
        let slices = Slices::new(3, Nanos::MINUTE).unwrap();
        let limits = Limits::new(vec![
            gcra(2, Nanos::SECOND),
            limit(Algorithm::SlidingWindow(slices)),
            limit(Algorithm::Concurrency(slices)),
        ]);
        let Ruling::Admit(account) = limits.decide(&Account::default(), 1, Nanos::HOUR) else {
            panic!("refused")
        };
        assert_eq!((limits.size(), limits.version() & 0xf_ffff), (13 * 8, 2 | 0b100_011_001 << 8));
        let mut bytes = vec![0; limits.size()];
        limits.write(&account, &mut bytes);
        assert_eq!(limits.read(&bytes), Some(account));
        assert_eq!(limits.read(&bytes[8..]), None);
        assert_eq!(limits.read(&bytes[1..]), None);
    }

    #[test]
    fn counts_of_another_algorithm_or_span_are_never_read() {
        let sliding =
            |secs| limit(Algorithm::SlidingWindow(Slices::new(3, Nanos::from_secs(secs)).unwrap()));
        let version = |limits: &[Limit]| Limits::new(limits.to_vec()).version();
        let one = gcra(2, Nanos::SECOND);
        assert_eq!(version(std::slice::from_ref(&one)), version(&[gcra(9, Nanos::MINUTE)]));
        let all = [vec![one.clone()], vec![sliding(10)], vec![sliding(20)], vec![sliding(10), one]];
        for (idx, limits) in all.iter().enumerate() {
            for other in all.iter().skip(idx + 1) {
                assert_ne!(version(limits), version(other));
            }
        }
    }

    #[test]
    fn a_request_that_ends_is_out_of_flight_and_costs_what_it_came_to() {
        let limits = Limits::new(vec![
            gcra(10, Nanos::MINUTE),
            limit(Algorithm::Concurrency(Slices::new(3, Nanos::MINUTE).unwrap())),
        ]);
        let now = Nanos::HOUR;
        let left = |account: &Account| -> Vec<u64> {
            limits
                .parts(account)
                .map(|(limit, words)| limit.algorithm.remaining(words, now))
                .collect()
        };
        let Ruling::Admit(open) = limits.decide(&Account::default(), 4, now) else {
            panic!("refused")
        };
        assert_eq!(left(&open), [6, 2]);
        assert_eq!(left(&limits.settle(open, 4, 4, now, now)), [6, 3]);
        assert_eq!(left(&limits.settle(open, 4, 1, now, now)), [9, 3]);
        assert_eq!(left(&limits.settle(open, 4, 9, now, now)), [1, 3]);
        assert_eq!(left(&limits.refund(open, 4, now, now)), [10, 3]);
        assert_eq!(limits.loss(&limits.refund(open, 4, now, now), now), 0);
    }

    #[test]
    fn near_is_a_share_of_what_may_come_at_once() {
        let limits = Limits::new(vec![gcra(10, Nanos::MINUTE)]);
        let near = |spent: u64| {
            let account = limits.charge(Account::default(), spent, Nanos::HOUR);
            limits.is_near(&account, Ratio::from_percent(80), Nanos::HOUR)
        };
        assert_eq!([0, 7, 8, 10].map(near), [false, false, true, true]);
    }
}
