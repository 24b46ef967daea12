//! What Envoy's admin interface said last, as all workers share it.

use serde::{Deserialize, Serialize};

use kit::{Nanos, record};

/// The layout of the bytes; those of another are read as none.
const VERSION: u8 = 1;
/// Hosts of a cluster that are kept one by one; all are counted.
pub const MAX_HOSTS: usize = 64;

/// What was asked and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Until then nobody else asks.
    pub leased_until: Nanos,
    /// Rounds that were begun.
    pub rounds: u64,
    /// What the clusters are, and when that was said.
    pub clusters: Option<(Nanos, Vec<Cluster>)>,
    /// What Envoy is, and when that was said.
    pub server: Option<(Nanos, Server)>,
    /// Envoy's memory, and when that was said.
    pub memory: Option<(Nanos, Memory)>,
    /// Answers that could not be had or read.
    pub failures: u64,
    /// The last of them: when, and what was wrong.
    pub failed: Option<(Nanos, String)>,
}

/// A cluster and its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// All of its hosts.
    pub n_hosts: u64,
    /// Those that get traffic.
    pub n_healthy: u64,
    /// The first [`MAX_HOSTS`] of them.
    pub hosts: Vec<Host>,
}

/// A host of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Its address, such as `192.0.2.1:8000`.
    pub address: String,
    /// Why it gets no traffic; empty for a healthy one.
    pub troubles: Vec<String>,
}

/// What Envoy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Server {
    /// Its version, such as `1.40.0`.
    pub version: String,
    /// `LIVE` when it serves, `DRAINING` when it is about to end.
    pub state: String,
}

/// Envoy's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// In use.
    pub allocated: u64,
    /// Reserved from the system.
    pub heap: u64,
    /// Of it in physical memory.
    pub physical: u64,
}

impl Report {
    /// The report in these bytes; an empty one if there is none, or one of another layout.
    pub fn read(bytes: &[u8]) -> Self {
        record::decode(VERSION, bytes).unwrap_or_default()
    }

    /// As it is shared.
    pub fn to_bytes(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }
}
