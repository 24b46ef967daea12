//! A shared HTTP cache inside Envoy.
//!
//! **What it answers**: may this GET or HEAD be answered with a response seen before, and may this response
//! be kept for later ones? By RFC 9111, for a shared cache, always on the careful side:
//! only a lifetime that the origin states counts, whole keys are compared before a byte is served,
//! and nothing that could be one user's (`private`, `Set-Cookie`, `Authorization` without leave) is ever stored.
//! A rule may let a lifetime be assumed where none is stated, between requests that show nothing of a user ([`policy::assume`]).
//!
//! **What it deliberately does not do**: serve stale, revalidate, answer ranges, hold a response back.
//! A response larger than the limit passes while it is copied, and the copy is dropped.
//!
//! **Where things are**: the index and the responses are in shared data, so all workers hit what one has stored;
//! the memory is a product of configured numbers, whatever clients and origins send ([`store`]).
//!
//! **At the edges**: after a start the store is empty; after a configuration update or a crash of a VM
//! it holds what it held. A stepped wall clock makes nothing fresh again: age runs on the monotonic clock.
//! A full bucket gives up what is stale soonest. Shared data that can not be had is a miss.
//!
//! **Not promised**: that what fits is stored. Two workers that store the same at once keep one of both.

pub mod background;
pub mod config;
pub mod fill;
mod filter;
pub mod http;
pub mod key;
mod meters;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;
pub mod operations;
pub mod policy;
pub mod reply;
pub mod signals;
pub mod store;
pub mod warming;

pub use config::Config;
pub use filter::{ResponseCache, Stream};
