//! What the functional tests stand on: a simulated host, and what both hosts share.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a harness that cannot go on fails the test, and says why"
)]

pub mod admin;
pub mod browser;
pub mod client;
pub mod filters;
pub mod gateway;
pub mod h2;
pub mod hpack;
pub mod http;
pub mod openapi;
pub mod origin;
pub mod scenarios;
pub mod sim;
pub mod token;
