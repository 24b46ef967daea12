//! Grafana's dashboards: well formed as far as that can be told without Grafana, and every query of every panel gives
//! data from a real Prometheus that scraped a testbed under traffic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]
#![allow(clippy::disallowed_methods, reason = "a test of the programs, which have a clock")]

mod live;
mod model;
mod shape;
