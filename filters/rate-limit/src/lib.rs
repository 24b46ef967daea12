//! Admits a request, or answers 429: quotas by key and plan, counted once for all workers.
//!
//! **Question**: has this key, under this rule, spent what it may spend in this time?
//! A rule says which requests it counts (`match`), by what (`key`), at what `cost`, and how many (`limits`, by plan);
//! every rule that counts a request must admit it.
//!
//! **Promise**: no worker's count is lost, so the bound of each algorithm ([`limit`]) holds for the whole process,
//! with any number of workers. Memory is a product of configured numbers whatever clients send ([`kit::table`]).
//! Counts outlive configuration updates and crashed VMs; they end with the Envoy process.
//!
//! **Not promised**: counts across machines. A key that was evicted while it had debt starts afresh; that takes
//! more live keys in one bucket than it has room for, goes to the key with the least debt first, and is counted.
//!
//! In reading order: [`limit`] and its algorithms ([`limit::gcra`], [`limit::fixed_window`], [`limit::slices`]); [`account`], all limits
//! of a key; [`allowance`], over the table of keys. [`plans`] says who asks, [`cost`] how much, [`settlement`] what it
//! came to; [`rule`] puts these together, [`policy`] all rules over one request. What clients see is in [`standing`],
//! [`fields`] and [`answer`], what operators see in [`signals`] and [`operations`].
//! [`filter`] is the request's life.

pub mod account;
pub mod allowance;
pub mod answer;
pub mod config;
pub mod cost;
pub mod fields;
pub mod filter;
pub mod limit;
pub mod operations;
pub mod plans;
pub mod policy;
pub mod rule;
pub mod settlement;
pub mod signals;
pub mod standing;
mod watch;

#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;

pub use config::Config;
pub use filter::RateLimit;
