//! What is counted of a route, of a slice of time, and of everything: sums that add up.

use serde::{Deserialize, Serialize};

use kit::Nanos;

use super::histogram::Histogram;
use crate::labels::{Class, Outcome};

/// How many exchanges, how they ended and how long they took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// By class of the status, in the order of [`Class::ALL`].
    classes: [u64; Class::ALL.len()],
    /// By outcome, in the order of [`Outcome::ALL`].
    outcomes: [u64; Outcome::ALL.len()],
    /// How long they took that were answered.
    pub latency: Latency,
}

/// How long exchanges took: from the first byte of the request to the last of the response.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    sum: u64,
    min: u64,
    max: u64,
    histogram: Histogram,
}

impl Tally {
    /// Counts an exchange; without a duration it says nothing about latency.
    pub fn add(&mut self, class: Class, outcome: Outcome, duration: Option<Nanos>) {
        let places =
            [self.classes.get_mut(class as usize), self.outcomes.get_mut(outcome as usize)];
        for count in places.into_iter().flatten() {
            *count = count.saturating_add(1);
        }
        if let Some(duration) = duration {
            self.latency.add(duration);
        }
    }

    /// Adds up both.
    pub fn merge(&mut self, other: &Self) {
        add_up(&mut self.classes, &other.classes);
        add_up(&mut self.outcomes, &other.outcomes);
        self.latency.merge(&other.latency);
    }

    /// Exchanges counted.
    pub fn requests(&self) -> u64 {
        self.outcomes.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// Exchanges whose status has this class.
    pub fn of_class(&self, class: Class) -> u64 {
        self.classes.get(class as usize).copied().unwrap_or(0)
    }

    /// Exchanges with this outcome.
    pub fn of_outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).copied().unwrap_or(0)
    }

    /// Exchanges that failed: status 500 and above.
    pub fn errors(&self) -> u64 {
        self.of_class(Class::ServerError)
    }

    /// Forgets everything and keeps the room.
    pub fn clear(&mut self) {
        let mut histogram = std::mem::take(&mut self.latency.histogram);
        histogram.clear();
        *self = Self { latency: Latency { histogram, ..Latency::default() }, ..Self::default() };
    }
}

impl Latency {
    fn add(&mut self, duration: Nanos) {
        self.min = if self.is_empty() { duration.0 } else { self.min.min(duration.0) };
        self.max = self.max.max(duration.0);
        self.sum = self.sum.saturating_add(duration.0);
        self.histogram.add(duration);
    }

    fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.min = if self.is_empty() { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.histogram.merge(&other.histogram);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.histogram.count()
    }

    /// The mean, exact; `None` if nothing was counted.
    pub fn average(&self) -> Option<Nanos> {
        self.sum.checked_div(self.count()).map(Nanos)
    }

    /// The shortest, exact.
    pub fn min(&self) -> Option<Nanos> {
        (!self.is_empty()).then_some(Nanos(self.min))
    }

    /// The longest, exact.
    pub fn max(&self) -> Option<Nanos> {
        (!self.is_empty()).then_some(Nanos(self.max))
    }

    /// A quantile as [`Histogram::quantile`] has it, never outside of the shortest and the longest.
    pub fn quantile(&self, permille: u32) -> Option<Nanos> {
        let middle = self.histogram.quantile(permille)?;
        Some(Nanos(middle.0.max(self.min).min(self.max)))
    }
}

/// Adds each count to the one in its place.
pub(super) fn add_up(ours: &mut [u64], theirs: &[u64]) {
    for (count, more) in ours.iter_mut().zip(theirs) {
        *count = count.saturating_add(*more);
    }
}
