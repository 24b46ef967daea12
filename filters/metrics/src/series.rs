//! The places at which exchanges are counted, and a bound on how many series there are.
//!
//! A place is a route, and its cluster where clusters are told apart.
//! An exchange is counted at one place in all families, so that what became of a place's requests adds up to them.

use std::collections::BTreeMap;

use kit::meter::{Counter, Family, Kind, Meter};

use crate::config::Config;
use crate::facts::Facts;
use crate::flags::Flag;
use crate::place::{Families, Place};
use crate::policy::{Labels, cluster, name_text, route};
use crate::signals;

/// All series of this worker.
///
/// **Shape**: at most `max_series` label sets over all places, and those of [`Labels::folded`] at the place `_other`,
/// one per class and answerer, 28 at most. A place has at most eight outcomes and two histograms besides.
/// Flags and gRPC statuses are at most `max_series` each, and one more.
#[derive(Debug)]
pub struct Table {
    max_series: usize,
    n_series: usize,
    families: Families,
    places: BTreeMap<Box<[u8]>, Place>,
    folded: Place,
    /// Room to write the place that is asked for.
    key: Vec<u8>,
    failures: Family,
    grpc: Family,
    overflow: Overflow,
}

/// What was counted under `_other`, by the family whose series ran out.
#[derive(Debug)]
struct Overflow {
    requests: Counter,
    failures: Counter,
    grpc: Option<Counter>,
}

impl Table {
    /// An empty table.
    pub fn new<M: Meter + ?Sized>(config: &Config, meter: &M) -> Self {
        let overflow =
            |family| Counter::new(meter, signals::OVERFLOW, &[(signals::FAMILY, family)]);
        let family = |name, labels: [&'static [&'static str]; 2]| {
            let [plain, with_cluster] = labels;
            let labels = if config.cluster { with_cluster } else { plain };
            Family::new(Kind::Counter, name, labels, config.max_series)
        };
        let families = Families {
            status: config.status,
            has_cluster: config.cluster,
            has_bytes: config.bytes,
        };
        Self {
            max_series: config.max_series,
            n_series: 0,
            families,
            places: BTreeMap::new(),
            folded: Place::new(families, signals::OTHER, signals::OTHER),
            key: Vec::new(),
            failures: family(signals::FAILURES, signals::FAILURE_LABELS),
            grpc: family(signals::GRPC, signals::GRPC_LABELS),
            overflow: Overflow {
                requests: overflow("requests"),
                failures: overflow("failures"),
                grpc: config.grpc.then(|| overflow("grpc")),
            },
        }
    }

    /// Counts one exchange in every family.
    ///
    /// **Cost**: a host call per metric, none of which returns a value; definitions and some allocations when a
    /// label set is new, else none.
    pub fn count<M: Meter + ?Sized>(&mut self, meter: &M, facts: &Facts) {
        let labels = Labels::of(facts, self.families.status);
        self.write_key(facts);
        let place = self.places.get_mut(self.key.as_slice());
        if let Some(place) = place.filter(|place| place.has(labels)) {
            place.count(meter, facts, labels);
            return self.count_rare(meter, facts, (route(facts), cluster(facts)));
        }
        if self.n_series >= self.max_series {
            self.overflow.requests.add(meter, 1);
            self.folded.count(meter, facts, labels.folded());
            let other = signals::OTHER.as_bytes();
            return self.count_rare(meter, facts, (other, other));
        }
        self.n_series += 1;
        let families = self.families;
        let place = self.places.entry(Box::from(self.key.as_slice())).or_insert_with(|| {
            Place::new(families, &name_text(route(facts)), &name_text(cluster(facts)))
        });
        place.count(meter, facts, labels);
        self.count_rare(meter, facts, (route(facts), cluster(facts)));
    }

    /// How many label sets there are, those beyond the bound not among them.
    pub const fn len(&self) -> usize {
        self.n_series
    }

    /// Whether nothing was counted yet.
    pub const fn is_empty(&self) -> bool {
        self.n_series == 0
    }

    /// The place of an exchange: no name has a zero byte, since Envoy takes its names from text.
    fn write_key(&mut self, facts: &Facts) {
        self.key.clear();
        self.key.extend_from_slice(route(facts));
        if self.families.has_cluster {
            self.key.push(0);
            self.key.extend_from_slice(cluster(facts));
        }
    }

    /// Counts what few exchanges have.
    fn count_rare<M: Meter + ?Sized>(&self, meter: &M, facts: &Facts, place: (&[u8], &[u8])) {
        let at = |family: &Family, overflow: &Counter, value: &str| {
            let (route, cluster) = (name_text(place.0), name_text(place.1));
            let (metric, is_overflow) = if self.families.has_cluster {
                family.series(meter, &[&route, &cluster, value])
            } else {
                family.series(meter, &[&route, value])
            };
            if let Some(metric) = metric {
                meter.add(metric, 1);
            }
            if is_overflow {
                overflow.add(meter, 1);
            }
        };
        for flag in Flag::all(facts.flags) {
            at(&self.failures, &self.overflow.failures, flag.as_str());
        }
        if let (Some(status), Some(overflow)) = (facts.grpc_status, &self.overflow.grpc) {
            at(&self.grpc, overflow, status.as_str());
        }
    }
}
