//! What holds for every sequence of updates.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever keys come, the store holds what was configured and no more,
    /// and a key that still says something never loses to one that says less.
    #[test]
    fn the_table_is_bounded_and_forgets_the_least(keys in prop::collection::vec((0..40_u64, 1..1000_u64), 1..200)) {
        let (host, table) = (FakeHost::default(), Table::new("t", 16, UNTIL));
        table.prepare(&host).unwrap();
        let strongest = keys.iter().map(|(_, until)| *until).max().unwrap() + 1;
        store(&table, &host, 999, strongest, 0);
        for (key, until) in keys {
            store(&table, &host, key, until, 0);
        }
        prop_assert_eq!(host.shared_keys().len(), 2);
        prop_assert!(host.shared_bytes() <= 2 * BUCKET);
        prop_assert_eq!(table.find(&host, tag(999)), Some(strongest));
    }

    /// One bucket against a map of what it must hold: each step loses exactly what it says, and never more
    /// than the least. Few instants, so that losses tie and entries die.
    #[test]
    fn the_victim_is_one_of_least_loss(
        steps in prop::collection::vec((0..16_u64, 0..30_u64, 0..20_u64, any::<bool>()), 1..200),
    ) {
        let (host, table) = (FakeHost::default(), Table::new("t", 8, UNTIL));
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        for (key, until, now, is_store) in steps {
            let before = model.clone();
            if !is_store {
                let place = table.update(&host, tag(key), Nanos(now), |_| (Verb::Remove, ())).unwrap().place;
                let is_gone = model.remove(&key).is_some();
                prop_assert_eq!(place, if is_gone { Place::Removed } else { Place::Same });
            } else {
                let place = store(&table, &host, key, until, now);
                model.retain(|key, _| table.find(&host, tag(*key)).is_some());
                let lost: Vec<u64> = before.iter().filter(|(key, _)| !model.contains_key(key)).map(|(_, until)| *until).collect();
                let losses: Vec<u64> = before.values().map(|until| until.saturating_sub(now)).collect();
                let (least, largest) = (losses.iter().min(), losses.iter().max());
                let expected = if before.contains_key(&key) {
                    Place::Same
                } else if before.len() < WAYS {
                    Place::Added
                } else {
                    match least {
                        Some(0) | None => Place::Reused,
                        Some(least) => Place::Evicted(*least),
                    }
                };
                prop_assert_eq!(place, expected);
                match place {
                    Place::Reused | Place::Evicted(_) => {
                        prop_assert_eq!(lost.len(), 1);
                        let loss = lost[0].saturating_sub(now);
                        prop_assert_eq!(Some(&loss), least);
                        prop_assert!(Some(&loss) != largest || least == largest, "the largest loss went");
                    }
                    Place::Same | Place::Added | Place::Removed => prop_assert!(lost.is_empty()),
                }
                model.insert(key, until);
            }
            for (key, until) in &model {
                prop_assert_eq!(table.find(&host, tag(*key)), Some(*until));
            }
        }
    }
}
