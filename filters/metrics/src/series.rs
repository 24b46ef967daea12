//! The metrics of each label set, defined when it is first met, and a bound on how many there are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kit::meter::{Counter, Kind, Meter, MetricId, series_name};

use crate::config::{Config, Status};
use crate::facts::Facts;
use crate::policy::{Labels, milliseconds, route, route_text};
use crate::signals;

/// The metrics of one label set.
#[derive(Debug, Clone, Copy)]
struct Series {
    requests: Counter,
    duration: Option<MetricId>,
    bytes: Option<(Counter, Counter)>,
}

/// All series of this worker.
///
/// **Shape**: by route, then by the other labels; at most `max_series` label sets, and those of
/// [`Labels::folded`] with the route `_other`: one per class and answerer, 28 at most.
#[derive(Debug)]
pub struct Table {
    max_series: usize,
    n_series: usize,
    has_bytes: bool,
    status: Status,
    routes: BTreeMap<Box<[u8]>, BTreeMap<Labels, Series>>,
    folded: BTreeMap<Labels, Series>,
    overflow: Counter,
}

impl Table {
    /// An empty table.
    pub fn new<M: Meter + ?Sized>(config: &Config, meter: &M) -> Self {
        Self {
            max_series: config.max_series,
            n_series: 0,
            has_bytes: config.bytes,
            status: config.status,
            routes: BTreeMap::new(),
            folded: BTreeMap::new(),
            overflow: Counter::new(meter, signals::OVERFLOW, &[]),
        }
    }

    /// Counts one exchange.
    ///
    /// **Cost**: a host call per metric; four definitions and some allocations when a label set is new, else none.
    pub fn count<M: Meter + ?Sized>(&mut self, meter: &M, facts: &Facts) {
        let (route, labels) = (route(facts), Labels::of(facts, self.status));
        if let Some(series) = self.routes.get(route).and_then(|of_route| of_route.get(&labels)) {
            return series.count(meter, facts);
        }
        let series = self.meet(meter, route, labels);
        series.count(meter, facts);
    }

    /// How many label sets there are, those beyond the bound not among them.
    pub const fn len(&self) -> usize {
        self.n_series
    }

    /// Whether nothing was counted yet.
    pub const fn is_empty(&self) -> bool {
        self.n_series == 0
    }

    /// The series of a label set that is new or beyond the bound.
    fn meet<M: Meter + ?Sized>(&mut self, meter: &M, route: &[u8], labels: Labels) -> Series {
        if self.n_series < self.max_series {
            self.n_series += 1;
            let series = self.define(meter, route, labels);
            self.routes.entry(Box::from(route)).or_default().insert(labels, series);
            return series;
        }
        self.overflow.add(meter, 1);
        let labels = labels.folded();
        if let Some(series) = self.folded.get(&labels) {
            return *series;
        }
        let series = self.define(meter, signals::OTHER.as_bytes(), labels);
        self.folded.insert(labels, series);
        series
    }

    fn define<M: Meter + ?Sized>(&self, meter: &M, route: &[u8], labels: Labels) -> Series {
        let route = route_text(route);
        let status = labels.code.map_or(Cow::Borrowed(signals::OTHER), |code| match code {
            0 => Cow::Borrowed(labels.class.as_str()),
            _ => Cow::Owned(code.to_string()),
        });
        let all = [
            ("route", route.as_ref()),
            ("method", labels.method.as_str()),
            ("class", labels.class.as_str()),
            ("from", labels.from.as_str()),
            ("status", status.as_ref()),
        ];
        let labels = match self.status {
            Status::Class => all.get(..4).unwrap_or(&all),
            Status::Code => &all,
        };
        Series {
            requests: Counter::new(meter, signals::REQUESTS, labels),
            duration: meter.define(Kind::Histogram, &series_name(signals::DURATION, labels)),
            bytes: self.has_bytes.then(|| {
                (
                    Counter::new(meter, signals::REQUEST_BYTES, labels),
                    Counter::new(meter, signals::RESPONSE_BYTES, labels),
                )
            }),
        }
    }
}

impl Series {
    fn count<M: Meter + ?Sized>(&self, meter: &M, facts: &Facts) {
        self.requests.add(meter, 1);
        if let (Some(metric), Some(duration)) = (self.duration, facts.duration) {
            meter.record(metric, milliseconds(duration));
        }
        if let (Some((request, response)), Some((n_in, n_out))) = (self.bytes, facts.bytes) {
            request.add(meter, n_in);
            response.add(meter, n_out);
        }
    }
}
