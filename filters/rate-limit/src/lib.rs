//! Admits a request, or answers 429: quotas by key, counted once for all workers.
//!
//! **Question**: has this key, under this rule, spent what it may spend in this time?
//! A rule says which requests it counts (`match`), by what (`key`), and how many (`limits`);
//! every rule that matches must admit.
//!
//! **Promise**: no worker's count is lost, so the bound of [`gcra`] holds for the whole process, with any number
//! of workers. Memory is a product of configured numbers whatever clients send ([`kit::table`]).
//! Counts outlive configuration updates and crashed VMs; they end with the Envoy process.
//!
//! **Not promised**: counts across machines. A key that was evicted while it had debt starts afresh; that takes
//! more live keys in one bucket than it has room for, goes to the key with the least debt first, and is counted.
//!
//! In reading order: [`gcra`] is the algorithm, [`account`] what is kept of a key, [`rule`] one rule over the
//! shared table, [`policy`] all of them over one request, [`reply`] the answers, [`filter`] the request's life.

pub mod account;
pub mod answer;
pub mod config;
pub mod cost;
pub mod fields;
pub mod filter;
pub mod gcra;
pub mod plans;
pub mod operations;
pub mod policy;
pub mod reply;
pub mod rule;
pub mod settlement;
pub mod signals;
pub mod standing;
pub mod top;

#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;

pub use config::Config;
pub use filter::RateLimit;
