//! What every Weir filter stands on.
//!
//! A filter is policy: bytes and `now` in, a decision out.
//! This crate gives it the request to look at ([`Exchange`]), the life it is called in ([`Filter`]),
//! its configuration ([`config`]), the words of matching and keys ([`matching`], [`key`]),
//! and state that all workers share and no client can grow ([`shared`], [`table`], [`top`], [`record`]).
//!
//! Two invariants hold the house up:
//! this crate names no filter, and nothing in it but `host` knows that Envoy exists.
//! `host` compiles only for wasm32 and only with the feature of that name.

pub mod answer;
pub mod callbacks;
mod claims;
pub mod clusters;
pub mod config;
pub mod described;
pub mod exchange;
pub mod filter;
pub mod hash;
pub mod headers;
pub mod key;
pub mod matching;
pub mod meter;
pub mod net;
pub mod notes;
pub mod operations;
pub mod place;
pub mod record;
pub mod shared;
pub mod status;
pub mod table;
pub mod target;
pub mod throttle;
pub mod top;
pub mod units;

#[cfg(any(test, feature = "fake"))]
pub mod fake;
#[cfg(all(target_arch = "wasm32", feature = "host"))]
pub mod host;

pub use exchange::{Exchange, Host};
pub use filter::{Filter, Flow, Reply};
pub use units::Nanos;
