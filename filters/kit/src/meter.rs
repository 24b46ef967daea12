//! Metrics, and names that carry labels.
//!
//! Envoy's Wasm metrics have a name and nothing else.
//! Ours carry their labels in the name, `weir_<filter>_<what>;label=value;label=value`,
//! and the bootstrap's `stats_tags`, one regular expression per name in [`LABELS`], lift them out again.
//! Envoy never frees a metric, so label values come from the configuration or from closed sets,
//! and a [`Family`] has a bound on its series.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Every label that a Weir metric may have; the shipped `stats_tags` are made from this list.
pub const LABELS: [&str; 21] = [
    "rule",
    "plan",
    "limit",
    "decision",
    "route",
    "cluster",
    "method",
    "class",
    "status",
    "outcome",
    "flag",
    "grpc_status",
    "consumer",
    "family",
    "breaker",
    "from",
    "to",
    "reason",
    "result",
    "filter",
    "kind",
];

/// The regular expression that lifts a label out of a metric's name, for `stats_config.stats_tags`.
///
/// Its first group is cut from the name, its second is the value.
pub fn tag_regex(label: &str) -> String {
    format!("(;{label}=([^;]*))")
}

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of whole numbers.
    Histogram,
}

/// A metric of this worker's VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricId(pub u32);

/// The host's metrics: process-wide by name.
pub trait Meter {
    /// The metric of this name, made if there is none; `None` if the host refuses.
    ///
    /// **Cost**: 1.3 µs, so keep the id.
    fn define(&self, kind: Kind, name: &str) -> Option<MetricId>;

    /// Adds to a counter (more than zero) or a gauge (either sign).
    ///
    /// **Cost**: 0.16 µs.
    fn add(&self, metric: MetricId, offset: i64);

    /// Records a value in a histogram, or sets a gauge.
    ///
    /// **Cost**: 0.23 µs.
    fn record(&self, metric: MetricId, value: u64);

    /// A counter's or gauge's value, over all workers.
    fn read(&self, metric: MetricId) -> u64;
}

/// A metric's full name: family and labels in the grammar of this module.
///
/// Characters of a value that would end it are replaced by `_`.
pub fn series_name(family: &str, labels: &[(&str, &str)]) -> String {
    let mut name = String::new();
    write_name(&mut name, family, labels.iter().copied());
    name
}

fn write_name<'a>(
    name: &mut String,
    family: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    name.clear();
    name.push_str(family);
    for (label, value) in labels {
        name.push(';');
        name.push_str(label);
        name.push('=');
        name.extend(value.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }));
    }
}

/// A counter of a fixed name.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Option<MetricId>);

impl Counter {
    /// Defines the counter.
    pub fn new<M: Meter + ?Sized>(meter: &M, family: &str, labels: &[(&str, &str)]) -> Self {
        Self(meter.define(Kind::Counter, &series_name(family, labels)))
    }

    /// Counts `n` more; zero is no call.
    pub fn add<M: Meter + ?Sized>(&self, meter: &M, n: u64) {
        if let (Some(metric), Ok(offset @ 1..)) = (self.0, i64::try_from(n)) {
            meter.add(metric, offset);
        }
    }

    /// Its value over all workers.
    pub fn read<M: Meter + ?Sized>(&self, meter: &M) -> u64 {
        self.0.map_or(0, |metric| meter.read(metric))
    }
}

/// A gauge of a fixed name.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(Option<MetricId>);

impl Gauge {
    /// Defines the gauge.
    pub fn new<M: Meter + ?Sized>(meter: &M, family: &str, labels: &[(&str, &str)]) -> Self {
        Self(meter.define(Kind::Gauge, &series_name(family, labels)))
    }

    /// Adds either sign; sums over workers commute, so no update is lost.
    pub fn add<M: Meter + ?Sized>(&self, meter: &M, offset: i64) {
        if let Some(metric) = self.0
            && offset != 0
        {
            meter.add(metric, offset);
        }
    }

    /// Sets the value; of two workers the later wins.
    pub fn set<M: Meter + ?Sized>(&self, meter: &M, value: u64) {
        if let Some(metric) = self.0 {
            meter.record(metric, value);
        }
    }

    /// Its value over all workers.
    pub fn read<M: Meter + ?Sized>(&self, meter: &M) -> u64 {
        self.0.map_or(0, |metric| meter.read(metric))
    }
}

/// A metric with labels whose values are met while running: a bounded number of series, each defined once.
///
/// A series beyond the bound is counted under the value `_other` for every label.
#[derive(Debug)]
pub struct Family {
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    max_series: usize,
    series: RefCell<Series>,
}

/// The metrics that there are, by their full names, and room to write the name that is asked for.
#[derive(Debug)]
struct Series {
    by_name: BTreeMap<Box<str>, Option<MetricId>>,
    name: String,
}

/// The label value under which series beyond the bound are counted together.
pub const OVERFLOW: &str = "_other";

impl Family {
    /// A family of at most `max_series` series, plus the overflow.
    pub const fn new(
        kind: Kind,
        name: &'static str,
        labels: &'static [&'static str],
        max_series: usize,
    ) -> Self {
        let series = Series { by_name: BTreeMap::new(), name: String::new() };
        Self { kind, name, labels, max_series, series: RefCell::new(series) }
    }

    /// The metric of these label values, in the order of the labels, and whether it is the overflow.
    ///
    /// **Cost**: no host call and no allocation but for a new series.
    pub fn series<M: Meter + ?Sized>(
        &self,
        meter: &M,
        values: &[&str],
    ) -> (Option<MetricId>, bool) {
        let Series { by_name, name } = &mut *self.series.borrow_mut();
        let labels = self.labels.iter().copied();
        write_name(name, self.name, labels.clone().zip(values.iter().copied()));
        if let Some(metric) = by_name.get(name.as_str()) {
            return (*metric, false);
        }
        let is_overflow = by_name.len() >= self.max_series;
        if is_overflow {
            write_name(name, self.name, labels.map(|label| (label, OVERFLOW)));
            if let Some(metric) = by_name.get(name.as_str()) {
                return (*metric, true);
            }
        }
        let metric = meter.define(self.kind, name);
        by_name.insert(Box::from(name.as_str()), metric);
        (metric, is_overflow)
    }

    /// How many series there are now.
    pub fn len(&self) -> usize {
        self.series.borrow().by_name.len()
    }

    /// Whether there is no series yet.
    pub fn is_empty(&self) -> bool {
        self.series.borrow().by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn names_carry_labels_and_values_can_not_end_them() {
        assert_eq!(series_name("weir_x_total", &[]), "weir_x_total");
        assert_eq!(
            series_name("weir_x_total", &[("rule", "a;b=c"), ("decision", "admit")]),
            "weir_x_total;rule=a_b=c;decision=admit"
        );
    }

    #[test]
    fn a_family_is_bounded_and_counts_the_rest_together() {
        let host = FakeHost::default();
        let family = Family::new(Kind::Counter, "weir_x_total", &["route"], 2);
        for route in ["a", "b", "a"] {
            assert!(!family.series(&host, &[route]).1);
        }
        for route in ["c", "d"] {
            assert!(family.series(&host, &[route]).1);
        }
        assert_eq!(family.len(), 3);
        assert_eq!(
            host.metric_names(),
            ["weir_x_total;route=_other", "weir_x_total;route=a", "weir_x_total;route=b"]
        );
    }

    #[test]
    fn values_that_read_the_same_in_a_name_are_one_series() {
        let host = FakeHost::default();
        let family = Family::new(Kind::Counter, "weir_x_total", &["a", "b"], 2);
        for values in [["x;b=y", "z"], ["x_b=y", "z"], ["x\0b=y", "z"]] {
            let (metric, is_overflow) = family.series(&host, &values);
            assert!(metric.is_some() && !is_overflow);
        }
        assert_eq!(host.metric_names(), ["weir_x_total;a=x_b=y;b=z"]);
    }

    #[test]
    fn counters_add_up_over_workers() {
        let host = FakeHost::default();
        let (a, b) = (Counter::new(&host, "n", &[]), Counter::new(&host, "n", &[]));
        a.add(&host, 2);
        b.add(&host, 0);
        b.add(&host, 3);
        assert_eq!(a.read(&host), 5);
    }
}
