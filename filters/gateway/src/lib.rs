//! Weir's four filters as one: one module, one context, one header fetch per request.
//!
//! Which of them run is said by the configuration: an object per filter, absent for a filter that is not wanted.
//! Their order is fixed, and is the order of the chain that the design draws:
//! metrics sees everything, a limited request costs no cache look-up, the cache stands outside the breaker
//! so that it can answer for an upstream that the breaker keeps away.
//!
//! What this crate adds is composition ([`chain`], [`section`]) and nothing else:
//! it promises that a filter behaves here as it does in a module of its own.

pub mod chain;
pub mod endpoints;
pub mod gateway;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;
pub mod section;

pub use gateway::Gateway;
