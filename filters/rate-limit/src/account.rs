//! What is kept per key of a rule: one TAT for each of the rule's limits, in one entry.
//!
//! All limits of a rule count the same key, so they are decided and charged in one swap:
//! either all of them admit and are charged, or none is.
//!
//! **Shape**: [`MAX_LIMITS`] little-endian `u64`, the TATs in nanoseconds of the monotonic clock,
//! in the order in which the limits are configured; unused ones are zero.

use kit::Nanos;
use kit::table::Layout;

use crate::gcra::{Quota, Tat, Verdict};

/// Limits that a rule can have: what fits an entry.
pub const MAX_LIMITS: usize = 4;

/// The TATs of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account([Tat; MAX_LIMITS]);

/// What all limits of a rule say of one request.
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
    /// The first limit that refuses, by its place in the rule.
    pub limit_idx: usize,
    /// After this every limit of the rule would admit.
    pub wait: Nanos,
}

impl Account {
    /// The account without debt that no request can have made: keep it, also when the request is refused.
    #[must_use]
    pub fn healed(mut self, limits: &[Quota], now: Nanos) -> Self {
        for (quota, tat) in limits.iter().zip(&mut self.0) {
            *tat = quota.heal(*tat, now);
        }
        self
    }

    /// Decides on one request now: charged to all limits, or to none.
    pub fn decide(mut self, limits: &[Quota], now: Nanos) -> Ruling {
        let mut refusal: Option<Refusal> = None;
        for (limit_idx, (quota, tat)) in limits.iter().zip(&mut self.0).enumerate() {
            match quota.decide(*tat, now) {
                Verdict::Admit(next) => *tat = next,
                Verdict::Limit(wait) => {
                    let first = refusal.map_or(limit_idx, |refusal| refusal.limit_idx);
                    let longest = refusal.map_or(wait, |refusal| refusal.wait.max(wait));
                    refusal = Some(Refusal { limit_idx: first, wait: longest });
                }
            }
        }
        refusal.map_or(Ruling::Admit(self), Ruling::Limit)
    }

    /// Takes back one request that was charged to all limits.
    #[must_use]
    pub fn refunded(mut self, limits: &[Quota]) -> Self {
        for (quota, tat) in limits.iter().zip(&mut self.0) {
            *tat = quota.refund(*tat);
        }
        self
    }
}

/// How accounts are kept: the same bytes whatever is configured.
#[derive(Debug, Clone, Copy)]
pub struct Accounts;

impl Layout for Accounts {
    type Entry = Account;

    fn version(&self) -> u32 {
        2
    }

    fn size(&self) -> usize {
        8 * MAX_LIMITS
    }

    fn read(&self, bytes: &[u8]) -> Option<Account> {
        let mut tats = [Tat::default(); MAX_LIMITS];
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        for (tat, word) in tats.iter_mut().zip(words) {
            *tat = Tat(Nanos(u64::from_le_bytes(*word)));
        }
        (words.len() == MAX_LIMITS).then_some(Account(tats))
    }

    fn write(&self, account: &Account, bytes: &mut [u8]) {
        for (tat, word) in account.0.iter().zip(bytes.as_chunks_mut::<8>().0) {
            *word = tat.0.0.to_le_bytes();
        }
    }

    /// The longest debt: forgetting a key hands it back what it has spent.
    fn loss(&self, account: &Account, now: Nanos) -> u64 {
        account.0.iter().map(|tat| tat.0.saturating_sub(now).0).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> [Quota; 2] {
        [Quota::new(2, Nanos::SECOND, 2).unwrap(), Quota::new(3, Nanos::MINUTE, 3).unwrap()]
    }

    fn admit(account: &mut Account, now: Nanos) -> Option<Refusal> {
        match account.decide(&limits(), now) {
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
        assert_eq!(refusal, Refusal { limit_idx: 0, wait: Nanos::from_millis(500) });
        assert_eq!(account, before);
    }

    #[test]
    fn the_first_limit_is_named_and_the_longest_wait_is_told() {
        let mut account = Account::default();
        let now = Nanos::HOUR;
        for step in [0, 0, 500] {
            let now = now.saturating_add(Nanos::from_millis(step));
            assert_eq!(admit(&mut account, now), None);
        }
        let refusal = admit(&mut account, now.saturating_add(Nanos::from_millis(500))).unwrap();
        assert_eq!(refusal, Refusal { limit_idx: 0, wait: Nanos::from_millis(19_500) });
    }

    #[test]
    fn bytes_and_back() {
        let mut account = Account::default();
        admit(&mut account, Nanos::HOUR);
        let mut bytes = vec![0; Accounts.size()];
        Accounts.write(&account, &mut bytes);
        assert_eq!(Accounts.read(&bytes), Some(account));
        assert_eq!(Accounts.read(&bytes[1..]), None);
        assert_eq!(Accounts.loss(&account.refunded(&limits()), Nanos::HOUR), 0);
    }
}
