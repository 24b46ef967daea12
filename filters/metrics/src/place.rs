//! The metrics of one place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kit::Nanos;
use kit::meter::{Counter, Kind, Meter, MetricId, series_name};

use crate::config::Status;
use crate::facts::Facts;
use crate::labels::Outcome;
use crate::policy::{Labels, latency, milliseconds};
use crate::signals;

/// Which labels and families there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Families {
    pub(crate) status: Status,
    pub(crate) has_cluster: bool,
    pub(crate) has_bytes: bool,
}

/// A route, or a route and a cluster, and what is counted there.
#[derive(Debug)]
pub(crate) struct Place {
    families: Families,
    route: Box<str>,
    cluster: Box<str>,
    series: BTreeMap<Labels, Series>,
    flow: [Option<Counter>; Outcome::ALL.len()],
    upstream: Option<Upstream>,
}

/// The metrics of one label set.
#[derive(Debug, Clone, Copy)]
struct Series {
    requests: Counter,
    duration: Histogram,
    bytes: Option<(Counter, Counter)>,
}

/// Where the time of the upstream's answers went.
#[derive(Debug, Clone, Copy)]
struct Upstream {
    time: Histogram,
    overhead: Histogram,
}

/// A distribution of durations in milliseconds; nothing, if the host refused it.
#[derive(Debug, Clone, Copy)]
struct Histogram(Option<MetricId>);

impl Place {
    /// A place of which nothing was counted yet.
    pub(crate) fn new(families: Families, route: &str, cluster: &str) -> Self {
        Self {
            families,
            route: Box::from(route),
            cluster: Box::from(cluster),
            series: BTreeMap::new(),
            flow: [None; Outcome::ALL.len()],
            upstream: None,
        }
    }

    /// Whether this label set was met here.
    pub(crate) fn has(&self, labels: Labels) -> bool {
        self.series.contains_key(&labels)
    }

    /// Counts one exchange.
    pub(crate) fn count<M: Meter + ?Sized>(&mut self, meter: &M, facts: &Facts, labels: Labels) {
        let series = match self.series.get(&labels) {
            Some(series) => *series,
            None => {
                let series = self.define(meter, labels);
                self.series.insert(labels, series);
                series
            }
        };
        series.count(meter, facts);
        self.flow(meter, facts.outcome).add(meter, 1);
        if let (Some(duration), Some(time)) = (latency(facts), facts.upstream_time) {
            let upstream = self.upstream(meter);
            upstream.time.record(meter, time);
            upstream.overhead.record(meter, duration.saturating_sub(time));
        }
    }

    fn flow<M: Meter + ?Sized>(&mut self, meter: &M, outcome: Outcome) -> Counter {
        if let Some(Some(counter)) = self.flow.get(outcome as usize) {
            return *counter;
        }
        let labels = self.labels([("outcome", outcome.as_str())]);
        let counter = Counter::new(meter, signals::FLOW, &labels);
        if let Some(place) = self.flow.get_mut(outcome as usize) {
            *place = Some(counter);
        }
        counter
    }

    fn upstream<M: Meter + ?Sized>(&mut self, meter: &M) -> Upstream {
        if let Some(upstream) = self.upstream {
            return upstream;
        }
        let labels = self.labels([]);
        let upstream = Upstream {
            time: Histogram::new(meter, signals::UPSTREAM_TIME, &labels),
            overhead: Histogram::new(meter, signals::OVERHEAD, &labels),
        };
        *self.upstream.insert(upstream)
    }

    fn define<M: Meter + ?Sized>(&self, meter: &M, labels: Labels) -> Series {
        let status = labels.code.map_or(Cow::Borrowed(signals::OTHER), |code| match code {
            0 => Cow::Borrowed(labels.class.as_str()),
            _ => Cow::Owned(code.to_string()),
        });
        let own = [
            ("method", labels.method.as_str()),
            ("class", labels.class.as_str()),
            ("from", labels.from.as_str()),
        ];
        let mut labels = self.labels(own);
        if self.families.status == Status::Code {
            labels.push(("status", &status));
        }
        Series {
            requests: Counter::new(meter, signals::REQUESTS, &labels),
            duration: Histogram::new(meter, signals::DURATION, &labels),
            bytes: self.families.has_bytes.then(|| {
                (
                    Counter::new(meter, signals::REQUEST_BYTES, &labels),
                    Counter::new(meter, signals::RESPONSE_BYTES, &labels),
                )
            }),
        }
    }

    /// The labels of this place, and those that a family has besides.
    fn labels<'a, const N: usize>(
        &'a self,
        own: [(&'static str, &'a str); N],
    ) -> Vec<(&'static str, &'a str)> {
        let cluster = self.families.has_cluster.then_some(("cluster", &*self.cluster));
        [("route", &*self.route)].into_iter().chain(cluster).chain(own).collect()
    }
}

impl Series {
    fn count<M: Meter + ?Sized>(&self, meter: &M, facts: &Facts) {
        self.requests.add(meter, 1);
        if let Some(duration) = latency(facts) {
            self.duration.record(meter, duration);
        }
        if let (Some((request, response)), Some((n_in, n_out))) = (self.bytes, facts.bytes) {
            request.add(meter, n_in);
            response.add(meter, n_out);
        }
    }
}

impl Histogram {
    fn new<M: Meter + ?Sized>(meter: &M, family: &str, labels: &[(&str, &str)]) -> Self {
        Self(meter.define(Kind::Histogram, &series_name(family, labels)))
    }

    fn record<M: Meter + ?Sized>(self, meter: &M, time: Nanos) {
        if let Some(metric) = self.0 {
            meter.record(metric, milliseconds(time));
        }
    }
}
