//! A shared HTTP cache inside Envoy.
//!
//! **What it answers**: may this GET or HEAD be answered with a response seen before, must the origin be asked about
//! that response, and may a new one be kept? By RFC 9111, for a shared cache, always on the careful side:
//! whole keys are compared before a byte is served, and nothing that could be one user's (`private`, `Set-Cookie`,
//! `Authorization` without leave) is kept under a key that does not tell users apart.
//!
//! **When the origin is slow or ill**: many requests for what is missing become one ([`store::flights`]); what is stale is
//! served while it is refreshed, or when the origin fails, as far as that is allowed ([`policy::reuse`]).
//!
//! **What it deliberately does not do**: hold a response back, or store a part. A response larger than the limit passes
//! while it is copied, and the copy is dropped.
//!
//! **Where things are**: the index and the responses are in shared data, so all workers hit what one has stored, and
//! what is purged is gone for all of them at once ([`store::purges`]); each worker has copies of hot objects, which serve
//! only what the index names. The memory is a product of configured numbers, whatever clients and origins send ([`store`]).
//!
//! **At the edges**: after a start the store is empty; after a configuration update or a crash of a VM
//! it holds what it held. A stepped wall clock makes nothing fresh again: age runs on the monotonic clock.
//! A full bucket gives up what nobody asked for again. Shared data that can not be had is a miss.
//!
//! **Not promised**: that what fits is stored. Two workers that store the same at once keep one of both.
//!
//! In reading order: [`http`], what messages say; [`key`], what tells requests apart; [`policy`], what may be kept and
//! used; [`store`], where it is; [`filter`], the request's life, with [`fill`] and [`reply`]; [`background`] and [`warming`],
//! what the cache asks for by itself; [`operations`], what operators ask it; [`signals`], every word that they see.

pub mod background;
pub mod config;
pub mod fill;
pub mod filter;
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
