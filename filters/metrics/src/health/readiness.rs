//! Whether this gateway can serve, from what is known of Envoy and of the clusters.

use kit::Nanos;

use super::report::{Cluster, Report};
use super::settings::Asking;

/// Why a gateway is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was ever said.
    Unknown,
    /// What was said last is too old.
    Old {
        /// So old.
        age: Nanos,
    },
    /// Envoy starts, or is about to end.
    Server {
        /// Its own word for it.
        state: String,
    },
    /// A cluster can not serve.
    Cluster {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: Trouble,
    },
}

/// What is wrong with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Envoy knows of none with this name.
    Missing,
    /// It has no host.
    Empty,
    /// Too few of its hosts are healthy.
    Unhealthy {
        /// So many are.
        n_healthy: u64,
        /// Of so many.
        n_hosts: u64,
    },
}

/// What keeps the gateway from serving, now; nothing if it is ready.
///
/// Without anything to ask it is ready whenever it answers.
pub fn reasons(asking: Option<&Asking>, report: &Report, now: Nanos) -> Vec<Reason> {
    let Some(asking) = asking else { return Vec::new() };
    let oldest = match (&report.clusters, &report.server) {
        (Some((clusters, _)), Some((server, _))) => (*clusters).min(*server),
        // Where readiness depends on no cluster, none is asked for.
        (None, Some((server, _))) if asking.clusters.is_empty() => *server,
        (None, _) | (_, None) => return vec![Reason::Unknown],
    };
    let age = now.saturating_sub(oldest);
    if age > asking.max_age {
        return vec![Reason::Old { age }];
    }
    let server = report.server.iter().filter(|(_, server)| server.state != "LIVE");
    let server = server.map(|(_, server)| Reason::Server { state: server.state.clone() });
    let clusters = asking.clusters.iter().filter_map(|name| {
        let what = trouble(asking, report.cluster(name))?;
        Some(Reason::Cluster { name: name.clone(), what })
    });
    server.chain(clusters).collect()
}

/// What is wrong with a cluster; `None` if it can serve.
pub fn trouble(asking: &Asking, cluster: Option<&Cluster>) -> Option<Trouble> {
    let Some(cluster) = cluster else { return Some(Trouble::Missing) };
    let Cluster { n_hosts, n_healthy, .. } = *cluster;
    let is_enough = match asking.min_healthy {
        Some(share) => share.is_reached_by(n_healthy, n_hosts),
        None => n_healthy > 0,
    };
    match n_hosts {
        0 => Some(Trouble::Empty),
        _ if is_enough => None,
        _ => Some(Trouble::Unhealthy { n_healthy, n_hosts }),
    }
}

impl Report {
    /// What is known of the cluster of this name.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        let (_, clusters) = self.clusters.as_ref()?;
        clusters.iter().find(|cluster| cluster.name == name)
    }
}
