//! The local stack: Envoy with the gateway module, three demo services, Redis, Prometheus, and Grafana where it is to be had.
//!
//! One description, `testbed/docker-compose.yaml` with `testbed/.env`, is run in two ways: as containers
//! ([`containers`]) and, where there is no engine, as plain processes with the same commands ([`native`]).
//! Whoever wants something of a running stack reads its [`state`] and pulls the [`lever`], which hides the difference.

pub mod compose_file;
pub mod containers;
pub mod engine;
pub mod health;
pub mod images;
pub mod lever;
pub mod native;
pub mod rewrite;
pub mod run;
pub mod settings;
pub mod state;
pub mod trouble;
pub mod welcome;
