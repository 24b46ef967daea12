//! Fails fast when an upstream fails: a circuit breaker per cluster, route or rule, one state for all workers.
//!
//! Closed, a breaker lets requests through and learns from how they end. Enough failures in a row, or a large
//! enough share of failures, open it: then requests are answered at once, and the upstream is left alone.
//! After the open time one request at a time goes through as a probe (half-open); enough successes close
//! the breaker, one failure opens it for longer. The pattern is Michael Nygard's (Release It!, 2007).
//!
//! # What it promises
//!
//! * One state over all workers: an outcome that one worker sees counts for all, by compare-and-swap.
//! * Once a breaker is open, no request that begins later reaches the upstream, except probes:
//!   never more at a time than configured, as long as none outlasts its lease.
//! * A change of state is logged and counted exactly once, with cause and numbers.
//! * Every state has an exit; no permit for a probe is lost for ever; a jump of the clock costs at most
//!   one open time.
//! * State is a fixed table, made of configured sizes; it outlives configuration updates and crashed VMs.
//!
//! # What it does not
//!
//! It does not choose among hosts (Envoy's outlier detection does), limit connections (Envoy's
//! `circuit_breakers` do), or retry. Requests that are on their way when a breaker opens are not called back.
//!
//! # Reading order
//!
//! [`breaker`] is the machine, with its parts (window, back-off, permits, shedding) and the settings that rules make;
//! [`evidence`] says what a failure is, [`answer`] and [`fallback`] what a rejected request gets, [`probe`] what the
//! filter's own probes ask: all pure. [`entry`] packs a breaker, [`policy`] lets all workers share it, [`filter`] speaks
//! to the host. [`records`] keeps what happened and [`operations`] is the operator's way in.

pub mod answer;
pub mod breaker;
mod bytes;
pub mod config;
mod describe;
pub mod entry;
pub mod evidence;
pub mod fallback;
pub mod filter;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;
pub mod operations;
pub mod policy;
pub mod probe;
pub mod records;
pub mod report;
pub mod signals;
pub mod unit;

pub use config::Config;
pub use filter::CircuitBreaker;
