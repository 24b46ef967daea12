//! Says what an exchange is counted as.

use std::borrow::Cow;

use crate::config::Status;
use crate::labels::{Answerer, Class, Method};
use crate::signals::{NO_ROUTE, OWN_DETAILS, UNNAMED_ROUTE};

/// What Envoy knows of an exchange when it is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The name of the route, if it has one.
    pub route: Option<&'a [u8]>,
    /// The request's method, if Envoy could tell it.
    pub method: Option<&'a [u8]>,
    /// The status that was sent; zero for none.
    pub status: u64,
    /// Why that status was sent; empty if nobody said.
    pub details: &'a [u8],
}

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
    /// `has_upstream` says whether an upstream host was chosen; asked only if nothing else tells who answered.
    ///
    /// **Cost**: no allocation.
    pub fn of(facts: &Facts<'_>, status: Status, has_upstream: impl FnOnce() -> bool) -> Self {
        Self {
            method: Method::of(facts.method),
            class: Class::of(facts.status),
            code: match status {
                Status::Class => None,
                Status::Code => Some(facts.status),
            },
            from: answerer(facts, has_upstream),
        }
    }

    /// The same without what a bound on series can not hold.
    #[must_use]
    pub const fn folded(self) -> Self {
        Self { method: Method::Other, code: None, ..self }
    }
}

/// The value of the label `route`, before it is made fit for a metric's name.
pub fn route<'a>(facts: &Facts<'a>) -> &'a [u8] {
    match facts.route {
        Some(name) if !name.is_empty() => name,
        _ if facts.details == b"route_not_found" || facts.method.is_none() => NO_ROUTE.as_bytes(),
        _ => UNNAMED_ROUTE.as_bytes(),
    }
}

/// The longest route in a metric's name; routes that differ only behind it are counted together.
pub const MAX_ROUTE_BYTES: usize = 128;

/// A route's name as text, cut at [`MAX_ROUTE_BYTES`].
pub fn route_text(route: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(route.get(..MAX_ROUTE_BYTES).unwrap_or(route))
}

/// Who answered. Details that begin like these are Envoy's words for a response that had already begun.
///
/// **Source**: Envoy's `response_code_details`,
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>.
fn answerer(facts: &Facts<'_>, has_upstream: impl FnOnce() -> bool) -> Answerer {
    match facts.details {
        _ if facts.status == 0 => Answerer::Nobody,
        b"via_upstream" => Answerer::Upstream,
        details if details.starts_with(OWN_DETAILS) => Answerer::Weir,
        details if details.starts_with(b"upstream_reset_after_response_started") => {
            Answerer::Upstream
        }
        // The client left in the middle of a response: its status stands, but not who gave it.
        details if details.starts_with(b"downstream_") && has_upstream() => Answerer::Upstream,
        _ => Answerer::Envoy,
    }
}

/// A duration in whole milliseconds, rounded: what a bucket's bound counts is exact to half a millisecond.
pub const fn milliseconds(nanos: u64) -> u64 {
    nanos.saturating_add(500_000) / 1_000_000
}
