//! Several limits in one account: each counts as if it were alone, and all of them admit or none is charged.

use kit::Nanos;
use kit::table::Layout;
use proptest::prelude::*;
use weir_rate_limit::account::{Account, Limits, Ruling};
use weir_rate_limit::limit::{Algorithm, Limit, MAX_WORDS};

use crate::traffic::{configurable, cost, longest};

pub(crate) fn named(algorithms: &[Algorithm]) -> Limits {
    let limit = |algorithm: &Algorithm| Limit { name: String::new(), algorithm: *algorithm };
    Limits::new(algorithms.iter().map(limit).collect())
}

fn algorithms() -> impl Strategy<Value = Vec<Algorithm>> {
    prop::collection::vec(configurable(), 1..=4)
}

/// So long after the last one a request of this cost; and how it ends if it is admitted: what it came to, how much later.
type Exchange = (u64, u64, Option<(u64, u64)>);

fn exchanges() -> impl Strategy<Value = Vec<Exchange>> {
    let after =
        prop_oneof![Just(0), 0..30_u64, 0..5_000_000_000_u64, 0..10_000_000_000_000_000_u64];
    let end = prop::option::of((cost(), prop_oneof![Just(0), 0..40_u64, 0..1_000_000_000_000_u64]));
    prop::collection::vec((after, cost(), end), 1..40)
}

proptest! {
    /// Decisions are the conjunction of each limit's own, the wait is the longest, and a refusal charges nothing;
    /// a settled request leaves each limit as one that was refunded the difference, or charged it.
    #[test]
    fn all_admit_or_none_is_charged(algorithms in algorithms(), exchanges in exchanges()) {
        let limits = named(&algorithms);
        let mut account = Account::default();
        let mut alone = vec![[0; MAX_WORDS]; algorithms.len()];
        let mut now = Nanos(1_000);
        for (after, cost, end) in exchanges {
            now = now.saturating_add(Nanos(after));
            account = limits.heal(account, now);
            for (algorithm, words) in algorithms.iter().zip(&mut alone) {
                algorithm.heal(words, now);
            }
            let mut next = alone.clone();
            let waits: Vec<Option<Nanos>> = algorithms.iter().zip(&mut next).map(|(algorithm, words)| {
                algorithm.heal(words, now);
                algorithm.take(words, cost, now)
            }).collect();
            match limits.decide(&account, cost, now) {
                Ruling::Admit(admitted) => {
                    prop_assert!(waits.iter().all(Option::is_none));
                    (account, alone) = (admitted, next);
                }
                Ruling::Limit(refusal) => {
                    prop_assert_eq!(Some(refusal.wait), waits.iter().flatten().max().copied());
                    let refuses: Vec<bool> = waits.iter().map(Option::is_some).collect();
                    prop_assert_eq!(&refusal.refuses[..refuses.len()], &refuses[..]);
                    prop_assert_eq!(refusal.first(), refuses.iter().position(|refuses| *refuses).unwrap());
                    if !limits.has_concurrency() {
                        let then = now.saturating_add(refusal.wait);
                        prop_assert!(matches!(limits.decide(&account, cost, then), Ruling::Admit(_)));
                    }
                    continue;
                }
            }
            let Some((total, later)) = end else { continue };
            let charged_at = now;
            now = now.saturating_add(Nanos(later));
            account = limits.settle(account, cost, total, charged_at, now);
            for (algorithm, words) in algorithms.iter().zip(&mut alone) {
                let capacity = algorithm.capacity();
                let (charged, total) = (cost.min(capacity), total.min(capacity));
                if algorithm.is_concurrency() {
                    algorithm.refund(words, 1, charged_at, now);
                } else if total < charged {
                    algorithm.refund(words, charged - total, charged_at, now);
                } else if total > charged {
                    algorithm.charge(words, total - charged, now);
                }
            }
            for (idx, ((_, words), expected)) in limits.parts(&account).zip(&alone).enumerate() {
                prop_assert_eq!(words, &expected[..words.len()]);
                prop_assert_eq!(&limits.words(&account, idx)[..words.len()], words);
            }
        }
    }

    /// A request that is taken back at once never was; one that costs what was reserved changes nothing but what is in flight.
    #[test]
    fn what_is_taken_back_at_once_never_was(algorithms in algorithms(), costs in prop::collection::vec(cost(), 1..9)) {
        let limits = named(&algorithms);
        let now = Nanos::HOUR;
        let rooms = |account: &Account| -> Vec<u64> {
            limits.parts(account).map(|(limit, words)| limit.algorithm.remaining(words, now)).collect()
        };
        let mut account = Account::default();
        for cost in costs {
            let Ruling::Admit(open) = limits.decide(&account, cost, now) else { continue };
            prop_assert_eq!(rooms(&limits.refund(open, cost, now, now)), rooms(&account));
            let ended = limits.settle(open, cost, cost, now, now);
            for ((limit, words), room) in limits.parts(&ended).zip(rooms(&open)) {
                let back = u64::from(limit.algorithm.is_concurrency());
                prop_assert_eq!(limit.algorithm.remaining(words, now), room + back);
            }
            account = open;
        }
    }

    /// Any bytes of the right length are read and written back; what they say is forgotten within the longest wait,
    /// and nothing panics on the way there.
    #[test]
    fn hostile_bytes_are_survived(
        algorithms in algorithms(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 4 * MAX_WORDS * 8),
        now in 0..100_000_000_000_000_000_u64,
        cost in cost(),
    ) {
        let limits = named(&algorithms);
        let bytes = &bytes[..limits.size()];
        let account = limits.read(bytes).unwrap();
        let mut written = vec![7; limits.size()];
        limits.write(&account, &mut written);
        prop_assert_eq!(bytes, &written[..]);
        prop_assert_eq!(limits.read(&bytes[1..]), None);
        prop_assert_eq!(limits.read(&bytes[8..]), None);
        let now = Nanos(now);
        let healed = limits.heal(account, now);
        for (limit, words) in limits.parts(&healed) {
            let end = Nanos(now.0 + longest(&limit.algorithm));
            prop_assert!(limit.algorithm.reset(words, now).0 <= longest(&limit.algorithm));
            prop_assert!(limit.algorithm.next(words, now).0 <= longest(&limit.algorithm));
            prop_assert_eq!(limit.algorithm.remaining(words, end), limit.algorithm.capacity());
            prop_assert_eq!(limit.algorithm.loss(words, end), 0);
        }
        // Also unhealed, and at any instant.
        for at in [Nanos::ZERO, now, Nanos::MAX] {
            for account in [account, healed] {
                let _ = (limits.decide(&account, cost, at), limits.charge(account, cost, at));
                let _ = (limits.settle(account, cost, 1, now, at), limits.loss(&account, at));
            }
        }
    }

    /// Entries of one list of algorithms are never read as those of another; other numbers keep what was counted,
    /// but for slices of another span, which a version tells apart but for one pair of spans in 4096.
    #[test]
    fn another_list_of_algorithms_is_another_version(a in algorithms(), b in algorithms()) {
        let kinds = |list: &[Algorithm]| list.iter().map(Algorithm::kind).collect::<Vec<_>>();
        let spans = |list: &[Algorithm]| list.iter().filter_map(Algorithm::sliced).collect::<Vec<_>>();
        let same_version = named(&a).version() == named(&b).version();
        if kinds(&a) != kinds(&b) {
            prop_assert!(!same_version);
        } else if spans(&a) == spans(&b) {
            prop_assert!(same_version);
        }
    }
}
