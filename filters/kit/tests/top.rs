//! Laws of the list of the keys that occur most, against an exact count.
#![cfg(all(test, not(target_arch = "wasm32")))]

use std::collections::BTreeMap;

use kit::Nanos;
use kit::hash::{Secret, Tag};
use kit::top::{Labels, PERIOD, Shape, Sketch};
use proptest::prelude::*;

/// Counters in these tests.
const COUNTERS: usize = 32;

fn tag(key: u32) -> Tag {
    Secret::new([5; 16]).tag(&key.to_le_bytes())
}

/// Keys in the order of time: some keys often, many seldom; at times of up to three periods.
fn events() -> impl Strategy<Value = Vec<(u32, u64)>> {
    let key = prop_oneof![0..4_u32, 0..40_u32, 0..400_u32];
    prop::collection::vec((key, 0..3 * PERIOD.0), 0..1_500).prop_map(|mut events| {
        events.sort_by_key(|(_, at)| *at);
        events
    })
}

proptest! {
    #[test]
    fn the_list_holds_every_frequent_key_within_its_bounds(events in events()) {
        let mut sketch = Sketch::new(Shape { labels: Labels::Hidden, counters: COUNTERS });
        let mut exact: [BTreeMap<[u8; 16], u64>; 3] = Default::default();
        let mut now = 0;
        for (key, at) in events {
            sketch.add(tag(key), "", 1, Nanos(at));
            let period = usize::try_from(at / PERIOD.0).unwrap();
            *exact[period].entry(tag(key).to_bytes()).or_default() += 1;
            now = at;
        }
        let period = usize::try_from(now / PERIOD.0).unwrap();
        let mut sums: BTreeMap<[u8; 16], u64> = BTreeMap::new();
        for (tag, count) in exact[period.saturating_sub(1)..=period].iter().flatten() {
            *sums.entry(*tag).or_default() += count;
        }
        let total: u64 = sums.values().sum();
        let report = sketch.report(Nanos(now));
        prop_assert_eq!(report.total, total);
        prop_assert!(report.counters.len() <= 2 * COUNTERS);
        for counter in &report.counters {
            let truth = sums.get(&counter.tag).copied().unwrap_or(0);
            prop_assert!(counter.at_least() <= truth && truth <= counter.at_most);
        }
        let k = u64::try_from(COUNTERS).unwrap();
        for (tag, count) in &sums {
            let is_listed = report.counters.iter().any(|counter| counter.tag == *tag);
            prop_assert!(is_listed || *count <= total / k);
        }
        prop_assert!(report.counters.windows(2).all(|pair| pair[0].at_most >= pair[1].at_most));
    }

    #[test]
    fn any_bytes_any_labels_and_any_clock_are_taken(
        bytes in prop::collection::vec(any::<u8>(), 16_384),
        steps in prop::collection::vec((any::<u32>(), "\\PC{0,80}", any::<u64>()), 1..50),
        shown in any::<bool>(),
        fits in any::<bool>(),
        counters in 1..64_usize,
    ) {
        let labels = if shown { Labels::Shown } else { Labels::Hidden };
        let shape = Shape { labels, counters };
        let mut bytes = bytes;
        if fits {
            bytes.truncate(shape.size());
            bytes[0] = if shown { 2 } else { 1 };
        }
        let mut sketch = Sketch::from_bytes(shape, bytes);
        for (key, label, now) in steps {
            sketch.add(tag(key), &label, 1, Nanos(now));
            let report = sketch.report(Nanos(now));
            prop_assert!(report.counters.iter().any(|counter| counter.tag == tag(key).to_bytes()));
            prop_assert!(report.counters.len() <= 2 * counters);
        }
        prop_assert_eq!(sketch.into_bytes().len(), shape.size());
    }
}
