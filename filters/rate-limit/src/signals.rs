//! Every word of this filter that an operator or a client sees. A stable interface: add freely, never rename.

use kit::meter::{Counter, Gauge, Meter};
use kit::table::{Found, Place};

use crate::allowance::{Allowance, Charged};
use crate::policy::{Event, Verdict};
use crate::rule::{Allowances, Rule};

/// The details of a refused request in Envoy's access log.
pub const LIMITED_DETAILS: &str = "weir_rate_limited";
/// The details of a request refused because its key is missing.
pub const KEYLESS_DETAILS: &str = "weir_rate_limit_no_key";
/// The details of a request refused because its count could not be kept.
pub const FAILED_DETAILS: &str = "weir_rate_limit_failed";
/// Names the first limit that refused; with 401 and 503, the rule.
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

/// Names the limits that a request has come near to, to the upstream and, where the rule says so, to the client.
pub const NEAR_HEADER: &str = "x-weir-rate-limit-near";

/// What became of a request, in the decision record and as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Every rule admitted it.
    Admit,
    /// A rule's quota is spent.
    Limit,
    /// A rule's quota is spent, and the rule does not enforce it.
    Shadow,
    /// It is exempt.
    Exempt,
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
            Self::Shadow => "shadow",
            Self::Exempt => "exempt",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// The metrics of one rule, and of each plan under it.
#[derive(Debug)]
pub struct Metrics {
    exempt: Counter,
    denied: Counter,
    same: Option<PlanMetrics>,
    by_plan: Vec<Option<PlanMetrics>>,
}

/// The metrics of one plan under a rule, or of the rule if it has none.
#[derive(Debug)]
pub struct PlanMetrics {
    admitted: Counter,
    limited: Counter,
    shadowed: Counter,
    errors: Counter,
    near: Counter,
    conflicts: Counter,
    evictions: Counter,
    keys: Gauge,
}

/// Requests that are exempt from all rules.
pub const EXEMPT: &str = "weir_rate_limit_exempt_total";

const REQUESTS: &str = "weir_rate_limit_requests_total";

impl Metrics {
    /// Defines them for a rule.
    pub fn new<M: Meter + ?Sized>(meter: &M, rule: &Rule) -> Self {
        let labels = |word: Word| [("rule", rule.name.as_str()), ("decision", word.as_str())];
        let of = |allowance: &Allowance| PlanMetrics::new(meter, &rule.name, allowance);
        let (same, by_plan) = match &rule.allowances {
            Allowances::Same(allowance) => (Some(of(allowance)), Vec::new()),
            Allowances::ByPlan(by_plan) => {
                (None, by_plan.iter().map(|allowance| allowance.as_ref().map(of)).collect())
            }
        };
        Self {
            exempt: Counter::new(meter, REQUESTS, &labels(Word::Exempt)),
            denied: Counter::new(meter, REQUESTS, &labels(Word::Deny)),
            same,
            by_plan,
        }
    }

    /// Counts what happened at the rule to a request of this plan.
    pub fn count<M: Meter + ?Sized>(&self, meter: &M, plan: usize, event: &Event<'_>) {
        // A rule without limits for the plan has nothing to say of its requests.
        let Some(metrics) = self.plan(plan) else { return };
        match event {
            Event::Exempt => self.exempt.add(meter, 1),
            Event::Keyless { is_enforced: true } => self.denied.add(meter, 1),
            Event::Keyless { is_enforced: false } => metrics.shadowed.add(meter, 1),
            Event::Amended { place, n_conflicts } => {
                metrics.count_table(meter, *place, *n_conflicts);
            }
            Event::Failed(_) | Event::Unsettled(_) => metrics.errors.add(meter, 1),
            Event::Decided { verdict, is_near, charged } => {
                metrics.count(meter, *verdict, *is_near, charged);
            }
        }
    }

    /// The metrics of a plan.
    pub fn plan(&self, plan: usize) -> Option<&PlanMetrics> {
        self.same.as_ref().or_else(|| self.by_plan.get(plan)?.as_ref())
    }

    /// The rule's tables were emptied.
    pub fn emptied<M: Meter + ?Sized>(&self, meter: &M) {
        for metrics in self.same.iter().chain(self.by_plan.iter().flatten()) {
            metrics.keys.set(meter, 0);
        }
    }
}

impl PlanMetrics {
    fn new<M: Meter + ?Sized>(meter: &M, rule: &str, allowance: &Allowance) -> Self {
        let mut labels = vec![("rule", rule)];
        labels.extend(allowance.plan.as_deref().map(|plan| ("plan", plan)));
        let requests = |word: Word| {
            let labels = [labels.as_slice(), &[("decision", word.as_str())]].concat();
            Counter::new(meter, REQUESTS, &labels)
        };
        let capacity = Gauge::new(meter, "weir_rate_limit_capacity", &labels);
        capacity.set(meter, allowance.table.capacity());
        Self {
            admitted: requests(Word::Admit),
            limited: requests(Word::Limit),
            shadowed: requests(Word::Shadow),
            errors: requests(Word::Error),
            near: Counter::new(meter, "weir_rate_limit_near_total", &labels),
            conflicts: Counter::new(meter, "weir_rate_limit_conflicts_total", &labels),
            evictions: Counter::new(meter, "weir_rate_limit_evictions_total", &labels),
            keys: Gauge::new(meter, "weir_rate_limit_keys", &labels),
        }
    }

    fn count<M: Meter + ?Sized>(
        &self,
        meter: &M,
        verdict: Verdict,
        is_near: bool,
        charged: &Charged,
    ) {
        let counter = match verdict {
            Verdict::Admit => self.admitted,
            Verdict::Limit => self.limited,
            Verdict::Shadow => self.shadowed,
        };
        counter.add(meter, 1);
        self.near.add(meter, u64::from(is_near && verdict == Verdict::Admit));
        self.errors.add(meter, u64::from(charged.found == Found::Unreadable));
        self.count_table(meter, charged.place, charged.n_conflicts);
    }

    /// Counts what an update did to the table.
    fn count_table<M: Meter + ?Sized>(&self, meter: &M, place: Place, n_conflicts: u32) {
        self.conflicts.add(meter, u64::from(n_conflicts));
        match place {
            Place::Added => self.keys.add(meter, 1),
            Place::Removed => self.keys.add(meter, -1),
            Place::Evicted(_) => self.evictions.add(meter, 1),
            Place::Same | Place::Reused => {}
        }
    }
}
