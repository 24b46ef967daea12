//! Metrics: process-wide by name, while the ids that a guest holds are its VM's own.
//!
//! Source: `defineMetric` to `getMetric` of Envoy's `context.cc` and section 8 of the measured facts.

use std::collections::BTreeMap;

use super::status::Status;

/// What a metric does with the numbers that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Only grows; `record` adds.
    Counter,
    /// Goes both ways; `record` sets.
    Gauge,
    /// Keeps every recorded number; has no value of its own.
    Histogram,
}

impl Kind {
    /// The kind with the number that the ABI gives it.
    ///
    /// # Errors
    /// [`Status::BadArgument`] when there is none.
    pub(crate) fn from_abi(number: i32) -> Result<Self, Status> {
        match number {
            0 => Ok(Self::Counter),
            1 => Ok(Self::Gauge),
            2 => Ok(Self::Histogram),
            _ => Err(Status::BadArgument),
        }
    }
}

/// A metric's identity: its kind and its name.
pub(crate) type Name = (Kind, String);

/// All metrics of the process.
#[derive(Default)]
pub(crate) struct Metrics {
    values: BTreeMap<Name, Vec<u64>>,
}

impl Metrics {
    /// Makes the metric exist; an existing one keeps its value.
    pub(crate) fn define(&mut self, name: &Name) {
        self.values.entry(name.clone()).or_insert_with(|| match name.0 {
            Kind::Counter | Kind::Gauge => vec![0],
            Kind::Histogram => Vec::new(),
        });
    }

    /// Adds `offset`.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for a histogram, and for a counter when `offset` is not above zero.
    pub(crate) fn increment(&mut self, name: &Name, offset: i64) -> Result<(), Status> {
        let allowed = match name.0 {
            Kind::Counter => offset > 0,
            Kind::Gauge => true,
            Kind::Histogram => false,
        };
        if !allowed {
            return Err(Status::BadArgument);
        }
        self.with(name, |value| *value = value.saturating_add_signed(offset));
        Ok(())
    }

    /// Adds to a counter, sets a gauge, appends to a histogram.
    pub(crate) fn record(&mut self, name: &Name, number: u64) {
        match name.0 {
            Kind::Counter => self.with(name, |value| *value = value.saturating_add(number)),
            Kind::Gauge => self.with(name, |value| *value = number),
            Kind::Histogram => self.values.entry(name.clone()).or_default().push(number),
        }
    }

    /// The present value.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for a histogram.
    pub(crate) fn get(&self, name: &Name) -> Result<u64, Status> {
        match name.0 {
            Kind::Histogram => Err(Status::BadArgument),
            Kind::Counter | Kind::Gauge => Ok(self.samples(name).first().copied().unwrap_or(0)),
        }
    }

    /// The recorded numbers of a histogram, or the one value of another metric.
    #[must_use]
    pub(crate) fn samples(&self, name: &Name) -> Vec<u64> {
        self.values.get(name).cloned().unwrap_or_default()
    }

    /// Every metric with its value; histograms show how many numbers they hold.
    #[must_use]
    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        let value = |(name, values): (&Name, &Vec<u64>)| {
            let shown = match name.0 {
                Kind::Histogram => values.len() as u64,
                Kind::Counter | Kind::Gauge => values.first().copied().unwrap_or(0),
            };
            (name.1.clone(), shown)
        };
        self.values.iter().map(value).collect()
    }

    fn with(&mut self, name: &Name, change: impl FnOnce(&mut u64)) {
        let values = self.values.entry(name.clone()).or_default();
        if values.is_empty() {
            values.push(0);
        }
        if let Some(value) = values.first_mut() {
            change(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_refuse_what_does_not_grow_them_and_record_adds() {
        let mut metrics = Metrics::default();
        let name = (Kind::Counter, "c".to_owned());
        metrics.define(&name);
        assert_eq!(metrics.increment(&name, 0), Err(Status::BadArgument));
        assert_eq!(metrics.increment(&name, -1), Err(Status::BadArgument));
        assert_eq!(metrics.increment(&name, 2), Ok(()));
        metrics.record(&name, 3);
        assert_eq!(metrics.get(&name), Ok(5));
    }

    #[test]
    fn gauges_go_both_ways_and_record_sets() {
        let mut metrics = Metrics::default();
        let name = (Kind::Gauge, "g".to_owned());
        metrics.increment(&name, 5).unwrap();
        metrics.increment(&name, -2).unwrap();
        assert_eq!(metrics.get(&name), Ok(3));
        metrics.record(&name, 1);
        assert_eq!(metrics.get(&name), Ok(1));
    }

    #[test]
    fn histograms_only_record() {
        let mut metrics = Metrics::default();
        let name = (Kind::Histogram, "h".to_owned());
        metrics.define(&name);
        assert_eq!(metrics.increment(&name, 1), Err(Status::BadArgument));
        assert_eq!(metrics.get(&name), Err(Status::BadArgument));
        metrics.record(&name, 7);
        assert_eq!(metrics.samples(&name), [7]);
    }
}
