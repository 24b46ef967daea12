//! Random limits, and what clients and the filter do to them.

use kit::Nanos;
use proptest::prelude::*;
use proptest::sample::Index;
use weir_rate_limit::limit::Algorithm;
use weir_rate_limit::limit::fixed_window::FixedWindow;
use weir_rate_limit::limit::gcra::Quota;
use weir_rate_limit::limit::slices::Slices;

/// One thing that happens, so long after the one before.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// In 64ths of the window.
    pub(crate) after: u64,
    /// And so many nanoseconds, so that edges are met from both sides.
    pub(crate) nanos: u64,
    pub(crate) act: Act,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// A request: charged if it fits.
    Ask(u64),
    /// Charged whether or not it fits.
    Force(u64),
    /// So much of some admitted request is given back, or all of it.
    Refund(Index, u64),
}

/// From a few nanoseconds, where every rounding shows, to a month.
fn window() -> impl Strategy<Value = u64> {
    prop_oneof![1..40_u64, 100..10_000_u64, 1_000_000_000..2_592_000_000_000_000_u64]
}

fn units() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..12_u64, 1 => 1..1_000_000_u64]
}

/// Any of the four, each as likely.
pub(crate) fn algorithm() -> impl Strategy<Value = Algorithm> {
    over(0..4, window())
}

/// One whose waits are known: not a limit of concurrency.
pub(crate) fn predictable() -> impl Strategy<Value = Algorithm> {
    over(0..3, window())
}

/// A sliding window or a limit of concurrency.
pub(crate) fn sliced() -> impl Strategy<Value = Algorithm> {
    over(2..4, window())
}

/// Any of the four over a window that can be configured: the circle of slices is years long.
pub(crate) fn configurable() -> impl Strategy<Value = Algorithm> {
    over(0..4, 1_000_000_000..2_592_000_000_000_000_u64)
}

fn over(
    kinds: std::ops::Range<u8>,
    window: impl Strategy<Value = u64>,
) -> impl Strategy<Value = Algorithm> {
    (kinds, units(), window, any::<Index>()).prop_map(|(kind, units, window, burst)| {
        let (span, narrow) = (Nanos(window), u32::try_from(units).unwrap());
        let burst = match usize::try_from(units) {
            Ok(units) => burst.index(units) as u64 + 1,
            Err(_) => units,
        };
        match kind {
            0 => Algorithm::Gcra(Quota::new(units, span, burst).unwrap()),
            1 => Algorithm::FixedWindow(FixedWindow::new(units, span).unwrap()),
            2 => Algorithm::SlidingWindow(Slices::new(narrow, span).unwrap()),
            _ => Algorithm::Concurrency(Slices::new(narrow, span).unwrap()),
        }
    })
}

/// What a request costs: mostly one, but also nothing, and more than there is.
pub(crate) fn cost() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(1), 1 => Just(0), 3 => 2..6_u64, 1 => 1..2_000_000_u64, 1 => Just(u64::MAX)]
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => cost().prop_map(Act::Ask),
        1 => (0..6_u64).prop_map(Act::Force),
        3 => (any::<Index>(), prop_oneof![1..4_u64, Just(u64::MAX)])
            .prop_map(|(which, units)| Act::Refund(which, units)),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![5 => Just(0), 4 => 1..9_u64, 1 => 9..140_u64];
    let step = (after, 0..3_u64, act()).prop_map(|(after, nanos, act)| Step { after, nanos, act });
    prop::collection::vec(step, 1..60)
}

/// Somewhere in the life of a machine, or at its very start.
pub(crate) fn start() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..100_u64, 0..100_000_000_000_000_000_u64]
}

/// The window, or the lease.
pub(crate) fn span(algorithm: &Algorithm) -> u64 {
    match algorithm {
        Algorithm::Gcra(quota) => quota.window.0,
        Algorithm::FixedWindow(window) => window.window().0,
        Algorithm::SlidingWindow(slices) | Algorithm::Concurrency(slices) => slices.span.0,
    }
}

/// The longest that any key waits, whatever clocks and bytes did to it.
pub(crate) fn longest(algorithm: &Algorithm) -> u64 {
    match algorithm {
        Algorithm::Gcra(quota) => quota.window.0.div_ceil(quota.units) * quota.burst,
        Algorithm::FixedWindow(window) => window.window().0,
        Algorithm::SlidingWindow(slices) | Algorithm::Concurrency(slices) => {
            slices.span.0.div_ceil(10) * 12
        }
    }
}

/// The instant that a step happens at.
pub(crate) fn later(algorithm: &Algorithm, now: u64, step: &Step) -> u64 {
    let part = u128::from(span(algorithm)) * u128::from(step.after) / 64;
    now + u64::try_from(part).unwrap() + step.nanos
}
