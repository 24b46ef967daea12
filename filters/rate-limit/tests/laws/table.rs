//! Many keys in bounded memory, changed by several workers.

use std::cell::Cell;

use kit::Nanos;
use kit::fake::FakeHost;
use kit::hash::{Secret, Tag};
use kit::shared::{SetError, SharedData, Versioned};
use kit::table::{Layout, Place};
use proptest::prelude::*;
use weir_rate_limit::account::Account;
use weir_rate_limit::allowance::Allowance;
use weir_rate_limit::limit::Algorithm;
use weir_rate_limit::limit::fixed_window::FixedWindow;
use weir_rate_limit::limit::gcra::Quota;

use crate::limits::named;
use crate::traffic::{configurable, cost};

fn tag(key: u64) -> Tag {
    Secret::new([3; 16]).tag(&key.to_le_bytes())
}

fn gcra(units: u64, window: Nanos) -> Algorithm {
    Algorithm::Gcra(Quota::new(units, window, units).unwrap())
}

/// A store on which another worker gets in between each get and set, so many times.
struct Contended<'a> {
    host: &'a FakeHost,
    n_due: Cell<u32>,
    rival: &'a dyn Fn(),
}

impl SharedData for Contended<'_> {
    fn shared_get(&self, key: &str) -> Option<Versioned> {
        self.host.shared_get(key)
    }

    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError> {
        if let Some(left) = self.n_due.get().checked_sub(1) {
            self.n_due.set(left);
            (self.rival)();
        }
        self.host.shared_set(key, value, version)
    }
}

proptest! {
    /// However many swaps are lost on the way, decisions and accounts are as if none had been.
    #[test]
    fn conflicts_lose_nothing(
        algorithms in prop::collection::vec(configurable(), 1..=4),
        asks in prop::collection::vec((0..3_u64, cost(), 0..64_u32, any::<bool>()), 1..40),
    ) {
        let allowance = Allowance::new("r", None, named(&algorithms), 8);
        let [calm, busy] = [FakeHost::default(), FakeHost::default()];
        allowance.table.prepare(&busy).unwrap();
        for (n, (key, cost, n_conflicts, charge_refused)) in (1_000..).zip(asks) {
            let expected = allowance.charge(&calm, tag(key), cost, Nanos(n), charge_refused).unwrap();
            busy.schedule_conflicts(n_conflicts);
            let done = allowance.charge(&busy, tag(key), cost, Nanos(n), charge_refused).unwrap();
            busy.schedule_conflicts(0);
            prop_assert_eq!((done.account, done.refusal), (expected.account, expected.refusal));
            prop_assert_eq!(allowance.peek(&busy, tag(key), Nanos(n)), allowance.peek(&calm, tag(key), Nanos(n)));
        }
    }

    /// Two workers that get into each other's way on one key admit together exactly the quota.
    #[test]
    fn two_workers_admit_the_quota_together(quota in 1..40_u64, n_between in prop::collection::vec(0..5_u32, 60)) {
        let host = FakeHost::default();
        let allowance = Allowance::new("r", None, named(&[gcra(quota, Nanos::DAY)]), 8);
        allowance.table.prepare(&host).unwrap();
        let n_admitted = Cell::new(0_u64);
        let count = |store: &dyn SharedData| {
            let done = allowance.charge(store, tag(1), 1, Nanos::HOUR, false).unwrap();
            n_admitted.set(n_admitted.get() + u64::from(done.refusal.is_none()));
        };
        let rival = || count(&host);
        for n_due in n_between {
            count(&Contended { host: &host, n_due: Cell::new(n_due), rival: &rival });
        }
        prop_assert_eq!(n_admitted.get(), quota);
    }

    /// A full bucket forgets, per newcomer, exactly one key, and one of those that owe least;
    /// all others keep their accounts, so that an exhausted key stays as long as some other owes less.
    #[test]
    fn the_one_that_owes_least_is_forgotten(
        algorithms in prop::collection::vec(configurable(), 1..=4),
        asks in prop::collection::vec((0..60_u64, cost(), 0..1_000_000_000_000_u64), 1..120),
    ) {
        let host = FakeHost::default();
        let allowance = Allowance::new("r", Some("free"), named(&algorithms), 16);
        let limits = allowance.limits();
        let live = |bucket: u32| -> Vec<(u64, Account)> {
            let here = (0..60).filter(|key| tag(*key).bucket(2) == bucket);
            here.filter_map(|key| Some((key, allowance.table.find(&host, tag(key))?))).collect()
        };
        let mut now = Nanos(1_000);
        for (key, cost, after) in asks {
            now = now.saturating_add(Nanos(after));
            let bucket = tag(key).bucket(2);
            let before = live(bucket);
            let done = allowance.charge(&host, tag(key), cost, now, false).unwrap();
            let after = live(bucket);
            let gone: Vec<_> = before.iter().filter(|(was, _)| after.iter().all(|(is, _)| is != was)).collect();
            let stayed = before.iter().filter(|(was, _)| *was != key && gone.iter().all(|(lost, _)| lost != was));
            for entry in stayed {
                prop_assert!(after.contains(entry));
            }
            let least = before.iter().map(|(_, account)| limits.loss(account, now)).min();
            match done.place {
                Place::Evicted(loss) => {
                    prop_assert_eq!((gone.len(), before.len()), (1, 8));
                    prop_assert!(loss > 0 && Some(loss) == least);
                    prop_assert_eq!(limits.loss(&gone[0].1, now), loss);
                }
                Place::Reused => {
                    prop_assert_eq!((gone.len(), least), (1, Some(0)));
                    prop_assert_eq!(limits.loss(&gone[0].1, now), 0);
                }
                Place::Same | Place::Added | Place::Removed => prop_assert!(gone.is_empty()),
            }
        }
        prop_assert!(host.shared_keys().len() <= 2);
        prop_assert!(host.shared_bytes() as u64 <= allowance.table.memory().0);
    }
}

/// An exhausted key outlives a flood of keys that come once, of every algorithm that keeps a debt that long.
#[test]
fn an_exhausted_key_outlives_a_flood() {
    let fixed = Algorithm::FixedWindow(FixedWindow::new(5, Nanos::HOUR).unwrap());
    for algorithm in [gcra(5, Nanos::HOUR), fixed] {
        let host = FakeHost::default();
        let allowance = Allowance::new("r", None, named(&[algorithm]), 64);
        let now = Nanos::HOUR;
        allowance.charge(&host, tag(0), 5, now, false).unwrap();
        let n_lost = (1..20_000)
            .filter(|key| {
                let done = allowance.charge(&host, tag(*key), 1, now, false).unwrap();
                matches!(done.place, Place::Evicted(_))
            })
            .count();
        assert!(allowance.preview(&host, tag(0), 1, now).1.is_some());
        assert_eq!(n_lost, 20_000 - 64, "every newcomer to a full table takes one slot");
    }
}

/// Keys of a flood: `make` runs this on two shared cores, where they take some seconds.
const FLOOD: u64 = 10_000_000;

/// However many keys come, a table of 65,536 is 8,192 values of exactly the bytes that it says.
#[test]
fn a_flood_of_keys_leaves_memory_where_it_was() {
    let host = FakeHost::default();
    let allowance = Allowance::new("r", None, named(&[gcra(5, Nanos::HOUR)]), 65_536);
    for key in 0..FLOOD {
        allowance.charge(&host, tag(key), 1, Nanos::HOUR, false).unwrap();
    }
    assert_eq!(host.shared_keys().len(), 8_192);
    assert_eq!(host.shared_bytes() as u64, allowance.table.memory().0);
    assert_eq!(allowance.table.memory().0, 8_192 * (4 + 8 * (16 + 8)));
}
