//! The numbers that the filter counts.

use kit::Host;
use kit::meter::{Counter, Gauge};

use crate::config::Rule;
use crate::signals::{
    BYTES, Decision, ENTRIES, EVICTIONS, Eviction, INVALIDATIONS, NO_RULE, REFUSED, REQUESTS,
    Refusal, STORED,
};
use crate::store::index::Changed;

/// Every metric of the filter, defined once: 8 for each rule, 8 for none, and 25 more.
#[derive(Debug)]
pub(crate) struct Meters {
    requests: Vec<[Counter; Decision::ALL.len()]>,
    unruled: [Counter; Decision::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
    evictions: [Counter; Eviction::ALL.len()],
    stored: Counter,
    invalidations: Counter,
    entries: Gauge,
    bytes: Gauge,
}

impl Meters {
    pub(crate) fn new(host: &dyn Host, rules: &[Rule]) -> Self {
        let requests = |rule: &str| {
            Decision::ALL.map(|decision| {
                Counter::new(host, REQUESTS, &[("rule", rule), ("decision", decision.as_str())])
            })
        };
        Self {
            requests: rules.iter().map(|rule| requests(&rule.name)).collect(),
            unruled: requests(NO_RULE),
            refused: Refusal::ALL
                .map(|reason| Counter::new(host, REFUSED, &[("reason", reason.as_str())])),
            evictions: Eviction::ALL
                .map(|cause| Counter::new(host, EVICTIONS, &[("reason", cause.as_str())])),
            stored: Counter::new(host, STORED, &[]),
            invalidations: Counter::new(host, INVALIDATIONS, &[]),
            entries: Gauge::new(host, ENTRIES, &[]),
            bytes: Gauge::new(host, BYTES, &[]),
        }
    }

    /// The store is empty.
    pub(crate) fn reset(&self, host: &dyn Host) {
        self.entries.set(host, 0);
        self.bytes.set(host, 0);
    }

    pub(crate) fn decided(&self, host: &dyn Host, rule: Option<usize>, decision: Decision) {
        let row = rule.and_then(|rule| self.requests.get(rule)).unwrap_or(&self.unruled);
        if let Some(counter) = row.get(decision as usize) {
            counter.add(host, 1);
        }
    }

    pub(crate) fn refused(&self, host: &dyn Host, refusal: Refusal) {
        if let Some(counter) = self.refused.get(refusal as usize) {
            counter.add(host, 1);
        }
    }

    pub(crate) fn stored(&self, host: &dyn Host, changed: &Changed) {
        self.stored.add(host, 1);
        for cause in &changed.evicted {
            if let Some(counter) = self.evictions.get(*cause as usize) {
                counter.add(host, 1);
            }
        }
        self.changed(host, changed);
    }

    pub(crate) fn invalidated(&self, host: &dyn Host, changed: &Changed) {
        self.invalidations.add(host, u64::from(!changed.freed.is_empty()));
        self.changed(host, changed);
    }

    fn changed(&self, host: &dyn Host, changed: &Changed) {
        self.entries.add(host, changed.entries);
        self.bytes.add(host, changed.bytes);
    }
}
