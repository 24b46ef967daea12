//! Every word of this filter that an operator or a client sees. A stable interface: add freely, never rename.

use kit::meter::{Counter, Gauge, Meter};

/// The details of a refused request in Envoy's access log.
pub const LIMITED_DETAILS: &str = "weir_rate_limited";
/// The details of a request refused because its key is missing.
pub const KEYLESS_DETAILS: &str = "weir_rate_limit_no_key";
/// The details of a request refused because its count could not be kept.
pub const FAILED_DETAILS: &str = "weir_rate_limit_failed";
/// Names the rule that refused.
pub const RULE_HEADER: &str = "x-weir-rate-limit";
/// When to come back, in whole seconds (RFC 9110, 10.2.3).
pub const RETRY_AFTER: &str = "retry-after";
/// The problem type of a spent quota, from the IETF draft on RateLimit header fields.
pub const PROBLEM_TYPE: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// gRPC's RESOURCE_EXHAUSTED.
pub const GRPC_RESOURCE_EXHAUSTED: u32 = 8;
/// gRPC's UNAUTHENTICATED, for a key that is missing.
pub const GRPC_UNAUTHENTICATED: u32 = 16;
/// gRPC's UNAVAILABLE, for a count that could not be kept.
pub const GRPC_UNAVAILABLE: u32 = 14;

/// What became of a request, in the decision record and as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Every rule admitted it.
    Admit,
    /// A rule's quota is spent.
    Limit,
    /// A rule needs a key that the request does not have.
    Deny,
    /// A count could not be kept.
    Error,
}

impl Word {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Limit => "limit",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// One rule's metrics.
#[derive(Debug)]
pub struct Metrics {
    admitted: Counter,
    limited: Counter,
    denied: Counter,
    errors: Counter,
    conflicts: Counter,
    evictions: Counter,
    keys: Gauge,
}

impl Metrics {
    /// Defines them for the rule of this name.
    pub fn new<M: Meter + ?Sized>(meter: &M, rule: &str) -> Self {
        let requests = |word: Word| {
            let labels = [("rule", rule), ("decision", word.as_str())];
            Counter::new(meter, "weir_rate_limit_requests_total", &labels)
        };
        Self {
            admitted: requests(Word::Admit),
            limited: requests(Word::Limit),
            denied: requests(Word::Deny),
            errors: requests(Word::Error),
            conflicts: Counter::new(meter, "weir_rate_limit_conflicts_total", &[("rule", rule)]),
            evictions: Counter::new(meter, "weir_rate_limit_evictions_total", &[("rule", rule)]),
            keys: Gauge::new(meter, "weir_rate_limit_keys", &[("rule", rule)]),
        }
    }

    /// Counts a request by what became of it.
    pub fn count<M: Meter + ?Sized>(&self, meter: &M, word: Word) {
        let counter = match word {
            Word::Admit => self.admitted,
            Word::Limit => self.limited,
            Word::Deny => self.denied,
            Word::Error => self.errors,
        };
        counter.add(meter, 1);
    }

    /// Counts what an update did to the table.
    pub fn count_place<M: Meter + ?Sized>(
        &self,
        meter: &M,
        place: kit::table::Place,
        n_conflicts: u32,
    ) {
        use kit::table::Place;
        self.conflicts.add(meter, u64::from(n_conflicts));
        match place {
            Place::Added => self.keys.add(meter, 1),
            Place::Removed => self.keys.add(meter, -1),
            Place::Evicted(_) => self.evictions.add(meter, 1),
            Place::Same | Place::Reused => {}
        }
    }
}
