//! What a rule lets the cache assume about a response that states no lifetime. Off unless a rule says otherwise.
//!
//! An origin that states no lifetime has not thought of caches, so nothing it sends can be trusted to be for everyone.
//! What is kept without its word is therefore kept for little: only between requests that are plain, which means that
//! they carry nothing by which a service commonly makes its answer, neither cookie nor key nor any field unknown here;
//! and, as if the response had said `Vary`, only between requests that agree in the fields of [`COMPARED`].
//! A query is no plain request either unless the rule says so: it mostly asks for something computed, or does something.
//!
//! ```
//! use kit::Nanos;
//! use kit::units::Ratio;
//! use weir_response_cache::policy::assume::{Assumptions, Heuristic};
//! use weir_response_cache::http::freshness::Dated;
//!
//! let tenth = Heuristic { fraction: Ratio::from_percent(10), max: Nanos::HOUR };
//! let assumptions = Assumptions { heuristic: Some(tenth), ..Assumptions::default() };
//! assert_eq!(assumptions.lifetime(Dated::At(1_000), Dated::At(1_050), 0), Some(Nanos::from_secs(5)));
//! ```
//!
//! **Source**: RFC 9111 section 4.2.2; RFC 9110 sections 8.8.2 (Last-Modified), 15.1 (statuses).
//! RFC 9111 no longer forbids heuristics for queries, as RFC 2616 did in 13.9; the careful default stays here.

use kit::Nanos;
use kit::headers::Headers;
use kit::units::Ratio;

use crate::http::freshness::Dated;
use crate::policy::fields::KnownFields;

/// Lifetimes for responses that state none; none of them by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assumptions {
    /// By how long the resource has not changed.
    pub heuristic: Option<Heuristic>,
    /// Where that is off, or nothing says when the resource changed.
    pub default_ttl: Option<Nanos>,
    /// Also for requests with a query.
    pub with_query: bool,
}

/// What has not changed for long will not change soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heuristic {
    /// The lifetime's share of the time since the last change.
    pub fraction: Ratio,
    /// No lifetime is longer.
    pub max: Nanos,
}

impl Assumptions {
    /// What it adds to "as the origin allows", for operators; empty if nothing is assumed.
    pub fn describe(&self) -> String {
        let query = if self.with_query { ", also with a query" } else { "" };
        match (self.heuristic, self.default_ttl) {
            (None, None) => String::new(),
            (None, Some(ttl)) => format!("; without a lifetime {ttl}{query}"),
            (Some(heuristic), None) => {
                format!("; without a lifetime {}{query}", heuristic.describe())
            }
            (Some(heuristic), Some(ttl)) => {
                format!("; without a lifetime {}, else {ttl}{query}", heuristic.describe())
            }
        }
    }

    /// Whether this request may share an assumed lifetime with others, where these fields are known.
    ///
    /// **Cost**: one pass over the headers, without allocation; asked only where a lifetime is, or was, assumed.
    pub fn cover(&self, request: &Headers, known: &KnownFields) -> bool {
        let any = self.heuristic.is_some() || self.default_ttl.is_some();
        any && request.iter().all(|(name, value)| match name {
            b":path" => self.with_query || !value.contains(&b'?'),
            _ => known.is_neutral(name) || is_compared(name),
        })
    }

    /// The lifetime for a response with this `Last-Modified` and this `Date`; it came at `wall`, in seconds since 1970.
    ///
    /// A `Last-Modified` that is no date, or later than the response itself, says nothing.
    pub fn lifetime(&self, modified: Dated, date: Dated, wall: u64) -> Option<Nanos> {
        let sent = match date {
            Dated::At(date) => Some(date),
            Dated::Absent => Some(wall),
            Dated::Invalid => None,
        };
        let unchanged = match (modified, sent) {
            (Dated::At(modified), Some(sent)) => sent.checked_sub(modified),
            (Dated::Absent | Dated::Invalid, _) | (_, None) => None,
        };
        let share = |heuristic: Heuristic| {
            let share = heuristic.fraction.of(Nanos::from_secs(unchanged?).0);
            Some(Nanos(share).min(heuristic.max))
        };
        self.heuristic.and_then(share).or(self.default_ttl)
    }
}

impl Heuristic {
    fn describe(&self) -> String {
        format!("{} of the time since its last change, at most {}", self.fraction, self.max)
    }
}

/// Statuses for which a lifetime may be assumed (RFC 9110, 15.1); 206 is not among them, since it is never stored.
pub const fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Fields that services answer by and often forget to name in `Vary`: lower case, sorted.
pub const COMPARED: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "origin",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// Whether a field is one of [`COMPARED`].
pub fn is_compared(name: &[u8]) -> bool {
    COMPARED.iter().any(|compared| compared.as_bytes() == name)
}
