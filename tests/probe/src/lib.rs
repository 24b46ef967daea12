//! A filter for tests only: every service of the kit's host side, on demand.
//!
//! A request says with the header `x-probe` what it wants ([`order::Order`]).
//! The filter is never shipped; it exists so that facts about the host are tested through the real Envoy before
//! a filter depends on them: what a trap costs, that calls outlive streams, that any worker can wake any stream.

pub mod order;
pub mod probe;

#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;

pub use probe::Probe;
