//! Every word that an operator or a client may see: a stable interface.

use crate::breaker::{Control, Refusal, State};

/// The name of the filter.
pub const NAME: &str = "circuit-breaker";

/// The header of a rejected request that names the breaker's rule and the reason.
pub const BREAKER_HEADER: &str = "x-weir-breaker";

/// Why Envoy's access log says that a request was rejected.
pub const DETAILS: &str = "weir_circuit_open";

/// Why Envoy's access log says that a rule's static fallback answered.
pub const DETAILS_STATIC: &str = "weir_fallback_static";

/// The header of a request that names the cluster to which it falls back; routes match on it.
pub const FALLBACK_HEADER: &str = "x-weir-fallback";

/// The word of the decision record for a request that got something else than a rejection.
pub const FALLBACK_NOTE: &str = "fallback";

/// The reason of a failure in a dossier that was a probe of the filter's own.
pub const PROBE_REASON: &str = "own_probe";

/// The user agent of the filter's own probes.
pub const PROBE_AGENT: &str = "weir-probe";

/// The gRPC status of a rejected call: UNAVAILABLE.
pub const GRPC_UNAVAILABLE: u32 = 14;

/// Gauge per breaker: 0 closed; 1 half-open, recovering or shedding; 2 open.
pub const STATE: &str = "weir_circuit_breaker_state";
/// Counter per breaker and pair of states.
pub const TRANSITIONS: &str = "weir_circuit_breaker_transitions_total";
/// Counter per breaker and [`Word`].
pub const REQUESTS: &str = "weir_circuit_breaker_requests_total";
/// Counter per breaker and result: what the ends of admitted requests said.
pub const OUTCOMES: &str = "weir_circuit_breaker_outcomes_total";
/// Counter per breaker: admitted requests whose answer began late.
pub const SLOW: &str = "weir_circuit_breaker_slow_total";
/// Gauge per breaker: how many of 100 requests of its window failed.
pub const FAILURE_PERCENT: &str = "weir_circuit_breaker_failure_percent";
/// Counter per reason: requests that no breaker looked at.
pub const BYPASSED: &str = "weir_circuit_breaker_bypassed_total";
/// Counter per reason: times that the failure mode answered, or an outcome was lost.
pub const DEGRADED: &str = "weir_circuit_breaker_degraded_total";
/// Counter: breakers that were forgotten because the table was full.
pub const EVICTIONS: &str = "weir_circuit_breaker_evictions_total";
/// Counter per breaker and [`Kind`]: requests that got something else than a rejection.
pub const FALLBACKS: &str = "weir_circuit_breaker_fallbacks_total";
/// Gauge: breakers that are not closed, over all rules; never too low.
pub const NOT_CLOSED: &str = "weir_circuit_breaker_not_closed";

/// What became of a request: label value and word of the decision record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It passed.
    Admit,
    /// It passed as a probe.
    Probe,
    /// It was rejected: open, held open, half-open without a permit for it, or recovering.
    Reject,
    /// It was rejected so that the upstream can keep up.
    Shed,
    /// It would have been rejected, and passed since the breaker only says what it would do.
    Shadow,
}

impl Word {
    /// Every word, in the order of their metrics.
    pub const ALL: [Self; 5] = [Self::Admit, Self::Probe, Self::Reject, Self::Shed, Self::Shadow];

    /// The value of the label `decision`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Probe => "probe",
            Self::Reject => "reject",
            Self::Shed => "shed",
            Self::Shadow => "shadow",
        }
    }

    /// The breaker's state as the request met it, for the decision record.
    pub const fn as_note(self) -> &'static str {
        match self {
            Self::Admit => "closed",
            Self::Probe => "probe",
            Self::Reject => "open",
            Self::Shed => "shed",
            Self::Shadow => "shadow",
        }
    }
}

/// What the end of a request said: label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The upstream did well.
    Success,
    /// The upstream failed.
    Failure,
    /// Nothing was said about the upstream.
    Ignored,
    /// It was admitted before the breaker changed its state.
    Late,
}

impl Ended {
    /// Every result, in the order of their metrics.
    pub const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::Ignored, Self::Late];

    /// The value of the label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
            Self::Late => "late",
        }
    }
}

/// Why no breaker looked at a request: label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// No rule matched.
    NoRule,
    /// The request has nothing of what the rule tells breakers apart by: no cluster, named route, host or key.
    NoScope,
    /// The request came with the header that marks a fallback, so that Envoy took its route for that one's.
    Forged,
}

impl Bypass {
    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::NoScope => "no_scope",
            Self::Forged => "forged",
        }
    }
}

/// What a request got instead of a rejection: label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The stale copy of a cache in front.
    Stale,
    /// Another cluster's answer.
    Cluster,
    /// A static answer.
    Static,
}

impl Kind {
    /// The value of the label `kind`, and the word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Cluster => "cluster",
            Self::Static => "static",
        }
    }
}

/// Why the failure mode answered: label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Degraded {
    /// Other workers changed the state each time.
    Contended,
    /// The host refused to store it.
    Refused,
}

impl Degraded {
    /// Both, in the order of their metrics.
    pub const ALL: [Self; 2] = [Self::Contended, Self::Refused];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contended => "contended",
            Self::Refused => "refused",
        }
    }
}

/// The reason in the header and the body of a rejected request.
pub const fn refusal(reason: Refusal) -> &'static str {
    match reason {
        Refusal::Open => "open",
        Refusal::Probing => "probing",
        Refusal::Unsafe => "unsafe",
        Refusal::Recovering => "recovering",
        Refusal::Shed => "shed",
        Refusal::Forced => "forced",
    }
}

/// The reason if the breaker's state could not be told and `on_failure` is `deny`.
pub const UNKNOWN: &str = "unknown";

/// What an answer names in the place of a rule that can not be told.
pub const NO_RULE: &str = "none";

/// The reason if the request came with [`FALLBACK_HEADER`] while a breaker was not closed.
pub const FORGED: &str = "forged";

/// A state in metrics: labels `from` and `to`.
pub const fn state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Recovering => "recovering",
        State::Shedding => "shedding",
        State::HalfOpen => "half_open",
        State::Open => "open",
    }
}

/// A change of state in logs: what happened to the breaker.
pub const fn event(to: State) -> &'static str {
    match to {
        State::Closed => "closed",
        State::Recovering => "recovering",
        State::Shedding => "shedding",
        State::HalfOpen => "half-open",
        State::Open => "opened",
    }
}

/// An operator's hand: in requests of the operations endpoints, their answers, and logs.
pub const fn control(control: Control) -> &'static str {
    match control {
        Control::ForceOpen => "force_open",
        Control::ForceClosed => "force_closed",
        Control::Disable => "disable",
        Control::MetricsOnly => "metrics_only",
    }
}
