use super::*;
use crate::fake::FakeHost;
use crate::hash::{Secret, Tag};

const HIDDEN: Shape = Shape { labels: Labels::Hidden, counters: 32 };
const SHOWN: Shape = Shape { labels: Labels::Shown, counters: 32 };

fn tag(key: u32) -> Tag {
    Secret::new([5; 16]).tag(&key.to_le_bytes())
}

/// Keys by what is said of them: at least, at most.
fn said(counters: &[Counter]) -> Vec<(u32, u64, u64)> {
    let key = |counter: &Counter| (0..1_000).find(|key| tag(*key).to_bytes() == counter.tag);
    counters.iter().map(|c| (key(c).unwrap(), c.at_least(), c.at_most)).collect()
}

fn count(sketch: &mut Sketch, key: u32, times: u32, now: Nanos) {
    for _ in 0..times {
        sketch.add(tag(key), "", 1, now);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn few_keys_are_counted_exactly() {
    let mut sketch = Sketch::new(HIDDEN);
    for (key, times) in [(1, 3), (2, 5), (3, 1), (2, 2)] {
        count(&mut sketch, key, times, Nanos::HOUR);
    }
    assert_eq!(said(&sketch.top(Nanos::HOUR)), [(2, 7, 7), (1, 3, 3), (3, 1, 1)]);
    assert_eq!(sketch.report(Nanos::HOUR).total, 11);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_newcomer_takes_the_smallest_counter_and_its_count_as_error() {
    let mut sketch = Sketch::new(HIDDEN);
    for key in 0..32 {
        count(&mut sketch, key, 10 + key, Nanos::HOUR);
    }
    count(&mut sketch, 100, 1, Nanos::HOUR);
    let said = said(&sketch.top(Nanos::HOUR));
    assert_eq!(said.len(), 32);
    assert!(said.contains(&(100, 1, 11)) && !said.iter().any(|(key, ..)| *key == 0), "{said:?}");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_report_covers_this_period_and_the_one_before() {
    let mut sketch = Sketch::new(HIDDEN);
    let start = Nanos::HOUR;
    count(&mut sketch, 1, 4, start);
    count(&mut sketch, 1, 3, start + PERIOD);
    count(&mut sketch, 2, 5, start + PERIOD);
    let minutes = |n| start + Nanos::from_mins(n);
    assert_eq!(said(&sketch.top(minutes(9))), [(1, 7, 7), (2, 5, 5)]);
    assert_eq!(sketch.report(minutes(9)).span, Nanos::from_mins(9));
    assert_eq!(said(&sketch.top(minutes(10))), [(2, 5, 5), (1, 3, 3)]);
    assert_eq!(sketch.report(minutes(10)).span, PERIOD);
    assert_eq!(said(&sketch.top(minutes(15))), []);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_the_other_period_may_hide_widens_the_bounds() {
    let mut sketch = Sketch::new(HIDDEN);
    for key in 0..32 {
        count(&mut sketch, key, 10 + key, Nanos::HOUR);
    }
    let now = Nanos::HOUR + PERIOD;
    count(&mut sketch, 100, 50, now);
    let top = sketch.top(now);
    assert_eq!(said(&top[..2]), [(100, 50, 60), (31, 41, 41)]);
    assert_eq!(top.len(), 33);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_worker_that_is_behind_counts_and_a_clock_that_jumps_starts_afresh() {
    let mut sketch = Sketch::new(HIDDEN);
    count(&mut sketch, 1, 4, Nanos::HOUR);
    count(&mut sketch, 1, 1, Nanos::HOUR - Nanos(1));
    assert_eq!(said(&sketch.top(Nanos::HOUR)), [(1, 5, 5)]);
    count(&mut sketch, 2, 1, Nanos::MINUTE);
    assert_eq!(said(&sketch.top(Nanos::MINUTE)), [(2, 1, 1)]);
    count(&mut sketch, 3, 1, Nanos::MAX);
    assert_eq!(said(&sketch.top(Nanos::MAX)), [(3, 1, 1)]);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn labels_are_kept_only_where_they_are_shown() {
    let label = "ä".repeat(40);
    for (shape, expected) in [(HIDDEN, None), (SHOWN, Some("ä".repeat(32)))] {
        let mut sketch = Sketch::new(shape);
        sketch.add(tag(1), &label, 1, Nanos::HOUR);
        assert_eq!(sketch.top(Nanos::HOUR)[0].label, expected);
        let bytes = sketch.into_bytes();
        assert_eq!(bytes.len(), shape.size());
        assert_eq!(bytes.windows(2).any(|pair| pair == "ä".as_bytes()), expected.is_some());
    }
    assert_eq!([HIDDEN.size(), SHOWN.size()], [1_545, 5_705]);
}

/// The first key, once.
fn gathered() -> Gathered {
    let gathered = Gathered::new(16);
    gathered.add(tag(1), String::new);
    gathered
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_is_gathered_costs_one_get_and_one_set() {
    let (host, top) = (FakeHost::default(), Top::new("weir/list".to_owned(), HIDDEN));
    top.prepare(&host).unwrap();
    top.prepare(&host).unwrap();
    assert_eq!(host.shared_keys(), ["weir/list"]);
    let before = host.shared_ops();
    top.count(&host, &[&gathered()], Nanos::HOUR).unwrap();
    let after = host.shared_ops();
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
    assert_eq!(host.shared_bytes(), HIDDEN.size());
    assert_eq!(said(&top.report(&host, Nanos::HOUR).counters), [(1, 1, 1)]);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn contention_takes_no_time_and_loses_nothing_that_is_told_again() {
    let (host, top) = (FakeHost::default(), Top::new("weir/list".to_owned(), HIDDEN));
    top.count(&host, &[&gathered()], Nanos::HOUR).unwrap();
    host.schedule_conflicts(2);
    top.count(&host, &[&gathered()], Nanos::HOUR).unwrap();
    assert_eq!(said(&top.report(&host, Nanos::HOUR).counters), [(1, 2, 2)]);
    host.schedule_conflicts(u32::MAX);
    let (before, late) = (host.shared_ops(), gathered());
    top.count(&host, &[&late], Nanos::HOUR).unwrap();
    assert_eq!(host.shared_ops().1 - before.1, 3);
    assert_eq!(said(&top.report(&host, Nanos::HOUR).counters), [(1, 2, 2)]);
    host.schedule_conflicts(0);
    top.count(&host, &[&late], Nanos::HOUR).unwrap();
    assert_eq!(said(&top.report(&host, Nanos::HOUR).counters), [(1, 3, 3)]);
    assert!(late.is_empty());
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn bytes_of_another_layout_count_as_none() {
    let mut shown = Sketch::new(SHOWN);
    shown.add(tag(1), "x", 1, Nanos::HOUR);
    let shown = shown.into_bytes();
    let wider = Shape { counters: 33, ..HIDDEN };
    let wide = Sketch::new(wider).into_bytes();
    for bytes in [Vec::new(), vec![1], vec![9; HIDDEN.size()], shown, wide] {
        let mut sketch = Sketch::from_bytes(HIDDEN, bytes);
        assert_eq!(sketch.top(Nanos::HOUR), []);
        count(&mut sketch, 2, 1, Nanos::HOUR);
        assert_eq!(said(&sketch.top(Nanos::HOUR)), [(2, 1, 1)]);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn several_batches_are_added_up_at_once() {
    let (host, top) = (FakeHost::default(), Top::new("weir/list".to_owned(), HIDDEN));
    let (one, other) = (gathered(), Gathered::new(16));
    other.add(tag(1), String::new);
    other.add(tag(2), String::new);
    top.count(&host, &[&one, &other], Nanos::HOUR).unwrap();
    assert_eq!(host.shared_ops(), (1, 1));
    let mut found = said(&top.report(&host, Nanos::HOUR).counters);
    found.sort_unstable();
    assert_eq!(found, [(1, 2, 2), (2, 1, 1)]);
    assert!(one.is_empty() && other.is_empty());
}
