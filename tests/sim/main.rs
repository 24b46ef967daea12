//! The shipped modules in the simulated host, and the simulated host against itself.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod circuit_breaker;
mod conformance;
mod cost;
mod gateway;
mod guests;
mod host;
mod hostile;
mod metrics;
mod probe;
mod rate_limit;
mod response_cache;
mod scenarios;
