//! Requests that are not clients': admin endpoints, health checks, and what the operator leaves out.
//!
//! They are in no family of requests, durations, flow, failures, consumers or decisions, nor in the statistics.
//! A console that polls, and a probe every second, would make a failing gateway look well. They are counted in
//! [`signals::EXCLUDED`] alone.

use kit::Exchange;
use kit::config::Fields;
use kit::matching::Matcher;
use kit::meter::{Counter, Meter};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::labels::Class;
use crate::signals;

/// Entries of `exclude`.
pub const MAX_EXCLUDE: RangeInclusive<usize> = 1..=16;

/// Response-code details of admin endpoints, of every filter of Weir.
const OPERATIONS: &[u8] = b"weir_operations";
/// How the response-code details of Envoy's `health_check` filter begin.
///
/// **Source**: `StreamInfo::ResponseCodeDetailValues` of Envoy 1.40: `health_check_ok`, `health_check_failed`, and
/// both with `_cluster_healthy` or `_cluster_unhealthy` behind.
const HEALTH_CHECK: &[u8] = b"health_check_";

/// Why a request is not a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// An admin endpoint of Weir answered it, health and the console among them; also with a refusal.
    Operations,
    /// Envoy's `health_check` filter answered it.
    HealthCheck,
    /// It matches an entry of `exclude`.
    Configured,
}

impl Exclusion {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Operations, Self::HealthCheck, Self::Configured];

    /// The exclusion that response-code details tell; `None` for a client's request.
    pub fn of(details: &[u8]) -> Option<Self> {
        match details {
            OPERATIONS => Some(Self::Operations),
            details if details.starts_with(HEALTH_CHECK) => Some(Self::HealthCheck),
            _ => None,
        }
    }

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::HealthCheck => "health_check",
            Self::Configured => "configured",
        }
    }
}

/// Reads `exclude`: matches, any of them.
pub fn read(fields: &mut Fields<'_>) -> Vec<Matcher> {
    let read = fields.optional_objects("exclude", MAX_EXCLUDE, |fields| {
        if fields.is_empty() {
            fields.own_problem("no condition", "at least one", "add one, such as \"path\"");
        }
        Matcher::read(fields)
    });
    read.unwrap_or_default()
}

/// Whether a request matches an entry of `exclude`.
///
/// **Cost**: nothing without entries; else as [`Matcher`].
pub fn is_configured(exclude: &[Matcher], x: &dyn Exchange) -> bool {
    exclude.iter().any(|matcher| matcher.matches(x))
}

/// Counters by reason and class, each defined when it is first needed: at most 21.
#[derive(Debug, Default)]
pub struct Excluded(RefCell<BTreeMap<(Exclusion, Class), Counter>>);

impl Excluded {
    /// Counts one request.
    pub fn count<M: Meter + ?Sized>(&self, meter: &M, reason: Exclusion, class: Class) {
        let mut counters = self.0.borrow_mut();
        let counter = counters.entry((reason, class)).or_insert_with(|| {
            let labels = [("reason", reason.as_str()), ("class", class.as_str())];
            Counter::new(meter, signals::EXCLUDED, &labels)
        });
        counter.add(meter, 1);
    }
}
