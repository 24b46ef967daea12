//! What only a real Envoy can tell: loading, order, timeouts, resets, updates, statistics, several workers.
#![cfg(test)]

mod abuse;
mod breaker_policies;
mod cache_policies;
mod circuit_breaker;
mod configuration;
mod gateway;
mod host;
mod hostile;
mod metrics;
mod openapi;
mod policies;
mod rate_limit;
mod response_cache;
mod scenarios;
mod shipped;
