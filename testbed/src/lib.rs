//! The programs around the modules, and the parts they are made of.
//!
//! [`process`] and [`envoy`] are also what the functional tests start their Envoys with.
#![allow(
    clippy::disallowed_methods,
    reason = "these are programs: they have a clock and may wait; `wait` is the one that sleeps"
)]

pub mod bench;
pub mod demo;
pub mod envoy;
pub mod hit_ratios;
pub mod pack;
pub mod process;
pub mod proxy;
pub mod root;
pub mod stack;
pub mod traffic;
pub mod wait;
pub mod yaml;
