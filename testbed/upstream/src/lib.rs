//! The demo upstream: a small HTTP/1.1 service whose behaviour is switched while it runs.
//!
//! It answers what a test or a curious person needs from "the service behind the gateway": which instance answered,
//! how slowly, with which status, with which caching headers, cut off in the middle or not at all.
//! It does not log, does not persist and speaks no TLS.
//!
//! Every switch is set for the whole instance with `POST /_control` ([`switches`]) and, for one request, with a query
//! parameter of the same name on any path: `/anything?status=503&latency=50ms`.
//! What a request gets is decided by [`answer`] (pure); [`server`] does the talking.
#![allow(
    clippy::disallowed_methods,
    reason = "a program: it has a clock; the deciding parts take the time as an argument"
)]

pub mod amount;
pub mod answer;
pub mod body;
pub mod ledger;
pub mod server;
pub mod switches;
