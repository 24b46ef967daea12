//! Counts every exchange that Envoy ends: requests, durations and bytes by route, method, status class and
//! who answered; and what the other filters of Weir decided.
//!
//! # What it promises
//!
//! * Every exchange of a client is counted exactly once, in the log phase, which Envoy runs once for each stream however it
//!   ended: also for requests that another filter answered, that have no route, that are no valid HTTP,
//!   or whose client left.
//! * All its metrics carry the same labels, so that they divide by one another:
//!   the requests of a series are the count of its durations, but for upgrades and tunnels, which have none.
//! * Requests for admin endpoints, health checks and what the operator excludes are in a counter of their own and in
//!   nothing else.
//! * Label values come from Envoy's configuration or from closed sets, never raw from a client. Series are
//!   bounded; beyond the bound the route and the method are given up, the status class and the answerer are not,
//!   so that totals and error ratios stay exact.
//! * It changes nothing: no header, no body, no decision.
//!
//! # What it does not
//!
//! It keeps no quantiles and no windows: it feeds Prometheus, which does. The bound on series holds for each worker
//! and each configuration; Envoy never forgets a metric before it ends.
//! Durations are whole milliseconds, rounded, since Envoy's Wasm histograms hold whole numbers.
//!
//! # Sources
//!
//! Methods and `_OTHER` follow OpenTelemetry's semantic conventions for HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>); classes are those of RFC 9110, section 15.
//!
//! # Reading order
//!
//! [`labels`] are the closed sets, [`policy`] says which of them an exchange gets, both pure;
//! [`facts`] is what is known of an exchange when it is over, gathered once for all that count it;
//! [`series`] keeps the metrics of each place and label set, [`decisions`] those of the other filters' words,
//! [`in_flight`] what is under way; [`exclusion`] which requests are no client's;
//! [`consumers`] those of who sends the most;
//! [`filter`] speaks to the host.

pub mod config;
pub mod console;
pub mod consumers;
pub mod decisions;
pub mod exclusion;
pub mod facts;
pub mod filter;
pub mod flags;
pub mod grpc;
pub mod health;
pub mod in_flight;
pub mod labels;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;
pub mod operations;
mod place;
pub mod policy;
pub mod series;
pub mod signals;
pub mod stats;

pub use config::Config;
pub use filter::Metrics;
