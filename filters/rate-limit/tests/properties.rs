//! Laws of the limiter over all inputs, against models that are slow and obviously right.
#![cfg(all(test, not(target_arch = "wasm32")))]

use kit::Nanos;
use proptest::prelude::*;
use weir_rate_limit::account::{Account, Ruling};
use weir_rate_limit::gcra::{Quota, Tat, Verdict};

fn quota() -> impl Strategy<Value = Quota> {
    (1..50_u64, 1..100_000_000_000_u64)
        .prop_flat_map(|(requests, window)| (Just(requests), Just(window), 1..=requests))
        .prop_filter_map("a quota", |(requests, window, burst)| {
            Quota::new(requests, Nanos(window), burst)
        })
}

/// Instants in any order: the clock may jump both ways.
fn instants() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0..200_000_000_000_u64, 1..300)
}

/// A bucket of `burst` tokens that gains one per interval: exact rational arithmetic, no cleverness.
struct TokenBucket {
    tokens_times_interval: u128,
    last: u64,
}

proptest! {
    #[test]
    fn decides_as_a_token_bucket_does(quota in quota(), mut at in instants()) {
        at.sort_unstable();
        let interval = u128::from(quota.window.0.div_ceil(quota.requests));
        let full = interval * u128::from(quota.burst);
        let mut model = TokenBucket { tokens_times_interval: full, last: 0 };
        let mut tat = Tat::default();
        for now in at {
            model.tokens_times_interval = full.min(model.tokens_times_interval + u128::from(now - model.last));
            model.last = now;
            let expected = model.tokens_times_interval >= interval;
            let verdict = quota.decide(tat, Nanos(now));
            prop_assert_eq!(matches!(verdict, Verdict::Admit(_)), expected);
            if let Verdict::Admit(next) = verdict {
                model.tokens_times_interval -= interval;
                tat = next;
            }
        }
    }

    #[test]
    fn no_span_admits_more_than_the_law(quota in quota(), mut at in instants()) {
        at.sort_unstable();
        let mut tat = Tat::default();
        let mut admitted = Vec::new();
        for now in at {
            if let Verdict::Admit(next) = quota.decide(tat, Nanos(now)) {
                tat = next;
                admitted.push(now);
            }
        }
        let interval = quota.window.0.div_ceil(quota.requests);
        for (idx, from) in admitted.iter().enumerate() {
            for (n, to) in (1_u64..).zip(&admitted[idx..]) {
                prop_assert!(n <= quota.burst + (to - from).div_ceil(interval));
            }
        }
    }

    #[test]
    fn a_key_that_waits_as_told_is_admitted(quota in quota(), at in instants()) {
        let mut tat = Tat::default();
        for now in at {
            tat = quota.heal(tat, Nanos(now));
            match quota.decide(tat, Nanos(now)) {
                Verdict::Admit(next) => tat = next,
                Verdict::Limit(wait) => {
                    let then = Nanos(now).saturating_add(wait);
                    prop_assert!(matches!(quota.decide(tat, then), Verdict::Admit(_)));
                    let too_early = Nanos(then.0 - 1);
                    prop_assert!(matches!(quota.decide(tat, too_early), Verdict::Limit(_)));
                }
            }
        }
    }

    #[test]
    fn a_clock_that_jumps_never_admits_more_than_a_burst_at_one_instant(quota in quota(), at in instants()) {
        let mut tat = Tat::default();
        for now in at {
            let mut n = 0;
            while let Verdict::Admit(next) = quota.decide(tat, Nanos(now)) {
                tat = next;
                n += 1;
            }
            prop_assert!(n <= quota.burst);
            prop_assert_eq!(quota.remaining(tat, Nanos(now)), 0);
        }
    }

    #[test]
    fn what_is_left_is_what_is_admitted(quota in quota(), at in instants()) {
        let mut tat = Tat::default();
        for now in at {
            let left = quota.remaining(tat, Nanos(now));
            match quota.decide(tat, Nanos(now)) {
                Verdict::Admit(next) => {
                    prop_assert!(left >= 1);
                    prop_assert_eq!(quota.remaining(next, Nanos(now)), left - 1);
                    tat = next;
                }
                Verdict::Limit(_) => prop_assert_eq!(left, 0),
            }
        }
    }

    #[test]
    fn several_limits_admit_what_each_alone_admits(a in quota(), b in quota(), at in instants()) {
        let limits = [a, b];
        let (mut account, mut alone) = (Account::default(), [Tat::default(); 2]);
        for now in at.into_iter().map(Nanos) {
            let verdicts = [a.decide(alone[0], now), b.decide(alone[1], now)];
            match (account.decide(&limits, now), verdicts) {
                (Ruling::Admit(next), [Verdict::Admit(first), Verdict::Admit(second)]) => {
                    account = next;
                    alone = [first, second];
                }
                (Ruling::Limit(refusal), verdicts) => {
                    let waits = verdicts.map(|verdict| match verdict {
                        Verdict::Admit(_) => Nanos::ZERO,
                        Verdict::Limit(wait) => wait,
                    });
                    prop_assert_eq!(refusal.wait, waits[0].max(waits[1]));
                    prop_assert!(!refusal.wait.is_zero());
                }
                (Ruling::Admit(_), verdicts) => prop_assert!(false, "admitted against {:?}", verdicts),
            }
        }
    }
}
