//! Says what an exchange is counted as.

use std::borrow::Cow;

use kit::Nanos;

use crate::config::Status;
use crate::facts::Facts;
use crate::labels::{Answerer, Class, Method, Outcome};
use crate::signals::{NO_ROUTE, OWN_DETAILS, UNNAMED_ROUTE};

/// The labels of an exchange but for its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The request's method.
    pub method: Method,
    /// The class of the status.
    pub class: Class,
    /// The status itself, if codes are told apart; zero for none.
    pub code: Option<u64>,
    /// Who answered.
    pub from: Answerer,
}

impl Labels {
    /// The labels of an exchange with these facts.
    ///
    /// **Cost**: no allocation.
    pub fn of(facts: &Facts, status: Status) -> Self {
        Self {
            method: facts.method,
            class: facts.class(),
            code: match status {
                Status::Class => None,
                Status::Code => Some(facts.status),
            },
            from: facts.from,
        }
    }

    /// The same without what a bound on series can not hold.
    #[must_use]
    pub const fn folded(self) -> Self {
        Self { method: Method::Other, code: None, ..self }
    }
}

/// The value of the label `route`, before it is made fit for a metric's name.
pub fn route(facts: &Facts) -> &[u8] {
    if facts.why() == b"route_not_found" || facts.method == Method::None {
        return facts
            .route
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(NO_ROUTE.as_bytes());
    }
    route_name(facts.route.as_deref())
}

/// The value of the label `route` of a request that is under way: that it has no route is known at its end only.
pub fn route_name(route: Option<&[u8]>) -> &[u8] {
    route.filter(|name| !name.is_empty()).unwrap_or(UNNAMED_ROUTE.as_bytes())
}

/// The value of the label `cluster`, before it is made fit for a metric's name.
pub fn cluster(facts: &Facts) -> &[u8] {
    facts.cluster.as_deref().filter(|name| !name.is_empty()).unwrap_or(NO_ROUTE.as_bytes())
}

/// The longest route or cluster in a metric's name; those that differ only behind it are counted together.
pub const MAX_NAME_BYTES: usize = 128;

/// A route's or cluster's name as text, cut at [`MAX_NAME_BYTES`].
pub fn name_text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name.get(..MAX_NAME_BYTES).unwrap_or(name))
}

/// Who answered, and what became of the request: from the status that was sent, zero for none, and why it was sent.
///
/// `has_upstream` says whether an upstream host was chosen; asked only if the details do not tell.
///
/// **Source**: Envoy's `response_code_details`,
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>.
pub fn judge(
    status: u64,
    details: &[u8],
    has_upstream: impl FnOnce() -> bool,
) -> (Answerer, Outcome) {
    match details {
        _ if status == 0 => (Answerer::Nobody, Outcome::Aborted),
        b"via_upstream" => (Answerer::Upstream, Outcome::Upstream),
        own if own.starts_with(OWN_DETAILS) => (Answerer::Weir, own_outcome(own)),
        // The response had begun: its status is the upstream's.
        late if late.starts_with(b"upstream_reset_after_response_started") => {
            (Answerer::Upstream, Outcome::Upstream)
        }
        // The client left in the middle of a response: its status stands, but not who gave it.
        left if left.starts_with(b"downstream_") => {
            let from = if has_upstream() { Answerer::Upstream } else { Answerer::Envoy };
            (from, Outcome::Aborted)
        }
        failed if failed.starts_with(b"upstream_") || has_upstream() => {
            (Answerer::Envoy, Outcome::Upstream)
        }
        _ => (Answerer::Envoy, Outcome::Local),
    }
}

/// What became of a request that a filter of Weir answered with these details.
///
/// Words that are added later are [`Outcome::Local`] until they are told here, so that the sum stays whole.
fn own_outcome(details: &[u8]) -> Outcome {
    match details {
        limited if limited.starts_with(b"weir_rate_") => Outcome::Limited,
        refused if refused.starts_with(b"weir_circuit") => Outcome::Refused,
        stale if stale.starts_with(b"weir_cache_stale") => Outcome::Stale,
        b"weir_cache_contradicted" => Outcome::Stale,
        b"weir_cache_hit"
        | b"weir_cache_not_modified"
        | b"weir_cache_collapsed"
        | b"weir_cache_revalidated" => Outcome::Hit,
        _ => Outcome::Local,
    }
}

/// Whether Envoy may have set response flags: not for what an upstream answered well, nor for most answers of Weir.
///
/// A stale answer in place of an error has the flags of the error.
pub fn may_have_flags(status: u64, details: &[u8]) -> bool {
    match details {
        b"via_upstream" => !(1..400).contains(&status),
        b"weir_cache_stale_if_error" => true,
        details => !details.starts_with(OWN_DETAILS),
    }
}

/// How long an answer took; `None` if the duration is the lifetime of a connection: an upgrade (101), such as a
/// WebSocket, and the tunnel of a `CONNECT`.
pub fn latency(facts: &Facts) -> Option<Nanos> {
    let is_tunnel = facts.method == Method::Connect && matches!(facts.status, 200..=299);
    facts.duration.filter(|_| !is_tunnel && !matches!(facts.status, 100..=199))
}

/// A duration in whole milliseconds, rounded: what a bucket's bound counts is exact to half a millisecond.
pub const fn milliseconds(time: Nanos) -> u64 {
    time.0.saturating_add(500_000) / 1_000_000
}
