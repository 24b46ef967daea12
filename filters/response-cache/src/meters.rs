//! The numbers that the filter counts.

use kit::Host;
use kit::meter::{Counter, Gauge};

use crate::config::Rule;
use crate::signals::{
    BYTES, COLLAPSED, Decision, ENTRIES, EVICTIONS, Eviction, INVALIDATIONS, NO_RULE, PURGES,
    Purged, REFRESHES, REFUSED, REQUESTS, Refresh, Refusal, SERVED_BYTES, STALE_SERVED, STORED,
    Staleness, VALIDATIONS, Validation, Wait,
};
use crate::store::index::Changed;

/// Every metric of the filter, defined once: 12 for each rule, 12 for none, and some 40 more.
#[derive(Debug)]
pub(crate) struct Meters {
    requests: Vec<[Counter; Decision::ALL.len()]>,
    unruled: [Counter; Decision::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
    evictions: [Counter; Eviction::ALL.len()],
    validations: [Counter; Validation::ALL.len()],
    stale_served: [Counter; Staleness::ALL.len()],
    refreshes: [Counter; Refresh::ALL.len()],
    waits: [Counter; Wait::ALL.len()],
    purges: [Counter; Purged::ALL.len()],
    stored: Counter,
    served_bytes: Vec<Counter>,
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
        let of = |name: &str, label: &str, word: &str| Counter::new(host, name, &[(label, word)]);
        Self {
            requests: rules.iter().map(|rule| requests(&rule.name)).collect(),
            unruled: requests(NO_RULE),
            refused: Refusal::ALL.map(|reason| of(REFUSED, "reason", reason.as_str())),
            evictions: Eviction::ALL.map(|cause| of(EVICTIONS, "reason", cause.as_str())),
            validations: Validation::ALL.map(|came| of(VALIDATIONS, "result", came.as_str())),
            stale_served: Staleness::ALL.map(|why| of(STALE_SERVED, "reason", why.as_str())),
            refreshes: Refresh::ALL.map(|came| of(REFRESHES, "result", came.as_str())),
            waits: Wait::ALL.map(|came| of(COLLAPSED, "result", came.as_str())),
            purges: Purged::ALL.map(|what| of(PURGES, "reason", what.as_str())),
            stored: Counter::new(host, STORED, &[]),
            served_bytes: rules.iter().map(|rule| of(SERVED_BYTES, "rule", &rule.name)).collect(),
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
        count(self.row(rule), host, decision as usize);
    }

    pub(crate) fn refused(&self, host: &dyn Host, refusal: Refusal) {
        count(&self.refused, host, refusal as usize);
    }

    pub(crate) fn validated(&self, host: &dyn Host, came: Validation) {
        count(&self.validations, host, came as usize);
    }

    pub(crate) fn served_stale(&self, host: &dyn Host, why: Staleness) {
        count(&self.stale_served, host, why as usize);
    }

    pub(crate) fn refreshed(&self, host: &dyn Host, came: Refresh) {
        count(&self.refreshes, host, came as usize);
    }

    pub(crate) fn waited(&self, host: &dyn Host, came: Wait) {
        count(&self.waits, host, came as usize);
    }

    pub(crate) fn purged(&self, host: &dyn Host, what: Purged) {
        count(&self.purges, host, what as usize);
    }

    pub(crate) fn served(&self, host: &dyn Host, rule: usize, bytes: usize) {
        if let Some(counter) = self.served_bytes.get(rule) {
            counter.add(host, u64::try_from(bytes).unwrap_or(0));
        }
    }

    pub(crate) fn stored(&self, host: &dyn Host, changed: &Changed) {
        self.stored.add(host, 1);
        self.changed(host, changed);
    }

    pub(crate) fn invalidated(&self, host: &dyn Host, changed: &Changed) {
        self.invalidations.add(host, u64::from(!changed.freed.is_empty()));
        self.changed(host, changed);
    }

    /// Entries came or went, whether or not a request asked for it.
    pub(crate) fn changed(&self, host: &dyn Host, changed: &Changed) {
        for cause in &changed.evicted {
            count(&self.evictions, host, *cause as usize);
        }
        self.entries.add(host, changed.entries);
        self.bytes.add(host, changed.bytes);
    }

    /// Everything that is counted, over all workers.
    ///
    /// **Cost**: one host call for each counter.
    pub(crate) fn read(&self, host: &dyn Host) -> Read {
        let rows = self.requests.iter().chain([&self.unruled]);
        let served = self.served_bytes.iter().map(|counter| counter.read(host)).chain([0]);
        let words = |words: &[&'static str], counters: &[Counter]| {
            words.iter().zip(counters).map(|(word, counter)| (*word, counter.read(host))).collect()
        };
        Read {
            rules: rows.map(|row| zip(host, Decision::ALL, row)).zip(served).collect(),
            entries: self.entries.read(host),
            bytes: self.bytes.read(host),
            stored: self.stored.read(host),
            refused: zip(host, Refusal::ALL, &self.refused),
            evictions: zip(host, Eviction::ALL, &self.evictions),
            invalidations: self.invalidations.read(host),
            others: vec![
                ("validations", words(&Validation::ALL.map(Validation::as_str), &self.validations)),
                ("stale_served", words(&Staleness::ALL.map(Staleness::as_str), &self.stale_served)),
                ("refreshes", words(&Refresh::ALL.map(Refresh::as_str), &self.refreshes)),
                ("collapsed", words(&Wait::ALL.map(Wait::as_str), &self.waits)),
                ("purges", words(&Purged::ALL.map(Purged::as_str), &self.purges)),
            ],
        }
    }

    fn row(&self, rule: Option<usize>) -> &[Counter] {
        rule.and_then(|rule| self.requests.get(rule)).unwrap_or(&self.unruled)
    }
}

/// What is counted, read at one time.
#[derive(Debug)]
pub(crate) struct Read {
    /// Requests by decision and bytes served, for each rule, then for none.
    pub(crate) rules: Vec<(Vec<(Decision, u64)>, u64)>,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) stored: u64,
    pub(crate) refused: Vec<(Refusal, u64)>,
    pub(crate) evictions: Vec<(Eviction, u64)>,
    pub(crate) invalidations: u64,
    /// Everything else, by the word for it.
    pub(crate) others: Vec<(&'static str, Vec<(&'static str, u64)>)>,
}

fn zip<T, const N: usize>(host: &dyn Host, all: [T; N], counters: &[Counter]) -> Vec<(T, u64)> {
    all.into_iter().zip(counters.iter().map(|counter| counter.read(host))).collect()
}

fn count(counters: &[Counter], host: &dyn Host, idx: usize) {
    if let Some(counter) = counters.get(idx) {
        counter.add(host, 1);
    }
}
