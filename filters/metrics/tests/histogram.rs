//! Quantiles against exact ones: whatever was counted, in whatever order, by however many workers.
#![cfg(test)]

use kit::Nanos;
use weir_metrics::stats::histogram::{FINEST, Histogram, LONGEST, MAX_RELATIVE_ERROR, N_BUCKETS};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn histogram(durations: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::default();
    durations.into_iter().for_each(|nanos| histogram.add(Nanos(nanos)));
    histogram
}

/// The exact quantile of nearest rank.
#[cfg(not(target_arch = "wasm32"))]
fn exact(durations: &[u64], permille: usize) -> u64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * permille).div_ceil(1_000).max(1) - 1]
}

#[allow(clippy::cast_precision_loss, reason = "durations up to an hour are exact in 53 bits")]
fn error(found: u64, exact: u64) -> f64 {
    found.abs_diff(exact) as f64 / exact as f64
}

fn assert_close(found: u64, exact: u64) {
    let is_fine = found.abs_diff(exact) <= 32;
    assert!(is_fine || error(found, exact) <= MAX_RELATIVE_ERROR, "{found} for {exact}");
}

#[test]
fn a_duration_alone_is_told_within_the_error() {
    let mut nanos = 1_u64;
    while nanos <= LONGEST.0 {
        for nearby in [nanos.saturating_sub(1), nanos, nanos + 1] {
            let found = histogram([nearby]).quantile(500).unwrap().0;
            if nearby >= FINEST.0 {
                assert!(error(found, nearby) <= MAX_RELATIVE_ERROR, "{found} for {nearby}");
            }
            assert_close(found, nearby);
        }
        nanos += (nanos / 37).max(1);
    }
}

#[test]
fn what_is_longer_is_in_the_last_bucket() {
    for nanos in [LONGEST.0, LONGEST.0 + 1, u64::MAX] {
        assert_close(histogram([nanos]).quantile(500).unwrap().0, LONGEST.0);
    }
}

#[test]
fn buckets_are_bounded() {
    let every =
        histogram((0..64).flat_map(|bit| (0..64).map(move |step| (1_u64 << bit) / 64 * step)));
    assert!(every.len() <= usize::from(N_BUCKETS), "{}", every.len());
}

#[test]
fn quantiles_are_those_of_nearest_rank() {
    let seconds = |n: u64| n * 1_000_000_000;
    let durations: Vec<u64> = (1..=100).map(seconds).collect();
    for (permille, rank) in [(0, 1), (500, 50), (501, 51), (950, 95), (990, 99), (1_000, 100)] {
        let found = histogram(durations.iter().copied()).quantile(permille).unwrap().0;
        assert_close(found, seconds(rank));
    }
    assert_eq!(Histogram::default().quantile(500), None);
}

#[cfg(not(target_arch = "wasm32"))]
mod laws {
    use super::*;
    use proptest::prelude::*;

    /// From a hundred nanoseconds to an hour, every power of ten as likely.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        let one = (7_u32..42, 0..u64::MAX).prop_map(|(bits, n)| (1 << bits) + n % (1 << bits));
        prop::collection::vec(one, 1..600)
    }

    proptest! {
        #[test]
        fn every_quantile_is_within_the_error(durations in durations(), permille in 0_u32..=1_000) {
            let found = histogram(durations.iter().copied()).quantile(permille).unwrap().0;
            assert_close(found, exact(&durations, permille as usize).min(LONGEST.0));
        }

        #[test]
        fn any_division_among_workers_adds_up_to_the_same(
            durations in durations(),
            workers in prop::collection::vec(0_usize..4, 600),
            order in Just([0_usize, 1, 2, 3]).prop_shuffle(),
        ) {
            let mut parts = [const { Vec::new() }; 4];
            for (nanos, worker) in durations.iter().zip(&workers) {
                parts[*worker].push(*nanos);
            }
            let mut sum = Histogram::default();
            for worker in order {
                sum.merge(&histogram(parts[worker].iter().copied()));
            }
            let whole = histogram(durations.iter().copied());
            prop_assert_eq!(sum.count(), durations.len() as u64);
            prop_assert_eq!(sum, whole);
        }
    }
}
