//! The questions to Envoy's admin interface, and its answers.
//!
//! Three fixed paths that only read, with `GET`; nothing of a client's request is ever in one.
//!
//! **Source**: <https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin>; the shape of `/clusters` is
//! `envoy.admin.v3.Clusters`.

use std::fmt::Write;

use serde::Deserialize;

use super::report::{Cluster, Host, MAX_HOSTS, Memory, Server};

/// An answer that is longer is not read: more than a thousand hosts have.
pub const MAX_ANSWER: usize = 4 << 20;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Which hosts of the configured clusters are healthy?
    Clusters,
    /// Which version, and does it serve?
    Server,
    /// How much memory?
    Memory,
}

/// An answer that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// To [`Question::Clusters`]: those of the configured ones that there are.
    Clusters(Vec<Cluster>),
    /// To [`Question::Server`].
    Server(Server),
    /// To [`Question::Memory`].
    Memory(Memory),
}

/// Why an answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is no such cluster.
    #[error("no such cluster")]
    NoCluster,
    /// There is none: the cluster has no host, or the call could not be made.
    #[error("no answer")]
    None,
    /// Another status than 200.
    #[error("status {0}")]
    Status(u16),
    /// Longer than [`MAX_ANSWER`].
    #[error("longer than {MAX_ANSWER} bytes")]
    Long,
    /// Not the JSON that it should be.
    #[error("not the JSON that was expected")]
    Unreadable,
}

impl Question {
    /// Every question, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Clusters, Self::Server, Self::Memory];

    /// The path to ask at.
    pub fn path(self, clusters: &[String]) -> String {
        match self {
            Self::Clusters => clusters_path(clusters),
            Self::Server => "/server_info".to_owned(),
            Self::Memory => "/memory".to_owned(),
        }
    }

    /// What an answer says.
    ///
    /// # Errors
    /// It can not be used.
    pub fn read(self, status: u16, body: &[u8]) -> Result<Said, Unusable> {
        if status != 200 {
            return Err(Unusable::Status(status));
        }
        if body.len() > MAX_ANSWER {
            return Err(Unusable::Long);
        }
        let said = match self {
            Self::Clusters => serde_json::from_slice(body).map(clusters),
            Self::Server => serde_json::from_slice(body).map(server),
            Self::Memory => serde_json::from_slice(body).map(memory),
        };
        said.map_err(|_| Unusable::Unreadable)
    }
}

/// The path that asks for these clusters and no others: a gateway may have thousands.
fn clusters_path(clusters: &[String]) -> String {
    let mut pattern = String::from("^(");
    for (idx, name) in clusters.iter().enumerate() {
        if idx > 0 {
            pattern.push('|');
        }
        for c in name.chars() {
            if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    pattern.push_str(")$");
    let mut path = String::from("/clusters?format=json&filter=");
    for byte in pattern.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Clusters {
    cluster_statuses: Vec<ClusterStatus>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ClusterStatus {
    name: String,
    host_statuses: Vec<HostStatus>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HostStatus {
    address: Address,
    health_status: HealthStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Address {
    socket_address: Option<SocketAddress>,
    pipe: Option<Pipe>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Pipe {
    path: String,
}

/// `envoy.admin.v3.HostHealthStatus`; what is false is left out.
#[derive(Deserialize, Default)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "Envoy's own fields")]
struct HealthStatus {
    eds_health_status: String,
    failed_active_health_check: bool,
    failed_outlier_check: bool,
    pending_dynamic_removal: bool,
    pending_active_hc: bool,
    excluded_via_immediate_hc_fail: bool,
    active_hc_timeout: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServerInfo {
    version: String,
    state: String,
}

/// Numbers of 64 bits are texts in protobuf's JSON.
#[derive(Deserialize, Default)]
#[serde(default)]
struct MemoryInfo {
    allocated: String,
    heap_size: String,
    total_physical_bytes: String,
}

fn clusters(found: Clusters) -> Said {
    let clusters = found.cluster_statuses.into_iter().map(|cluster| {
        let n_hosts = cluster.host_statuses.len();
        let healthy = |host: &&HostStatus| host.health_status.troubles().is_empty();
        let n_healthy = cluster.host_statuses.iter().filter(healthy).count();
        let hosts = cluster.host_statuses.into_iter().take(MAX_HOSTS).map(|host| Host {
            troubles: host.health_status.troubles(),
            address: host.address.text(),
        });
        Cluster {
            hosts: hosts.collect(),
            name: cluster.name,
            n_hosts: n_hosts as u64,
            n_healthy: n_healthy as u64,
        }
    });
    Said::Clusters(clusters.collect())
}

impl Address {
    fn text(self) -> String {
        match (self.socket_address, self.pipe) {
            (Some(socket), _) if socket.address.contains(':') => {
                format!("[{}]:{}", socket.address, socket.port_value)
            }
            (Some(socket), _) => format!("{}:{}", socket.address, socket.port_value),
            (None, Some(pipe)) => pipe.path,
            (None, None) => "unknown".to_owned(),
        }
    }
}

impl HealthStatus {
    /// Why the host gets no traffic, in Envoy's words.
    fn troubles(&self) -> Vec<String> {
        let eds = self.eds_health_status.to_ascii_lowercase();
        let by_eds = matches!(eds.as_str(), "unhealthy" | "draining" | "timeout");
        let flags = [
            (self.failed_active_health_check, "failed_active_health_check"),
            (self.active_hc_timeout, "active_hc_timeout"),
            (self.failed_outlier_check, "failed_outlier_check"),
            (self.pending_active_hc, "pending_active_hc"),
            (self.pending_dynamic_removal, "pending_dynamic_removal"),
            (self.excluded_via_immediate_hc_fail, "excluded_via_immediate_hc_fail"),
        ];
        let flags =
            flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned());
        by_eds.then(|| format!("eds_{eds}")).into_iter().chain(flags).collect()
    }
}

/// Of `<commit>/1.40.0/Clean/RELEASE/BoringSSL` the second part is the version.
fn server(found: ServerInfo) -> Said {
    let version = found.version.split('/').nth(1).unwrap_or(&found.version).to_owned();
    Said::Server(Server { version, state: found.state })
}

fn memory(found: MemoryInfo) -> Said {
    let MemoryInfo { allocated, heap_size, total_physical_bytes } = found;
    let number = |text: String| text.parse().unwrap_or(0);
    Said::Memory(Memory {
        allocated: number(allocated),
        heap: number(heap_size),
        physical: number(total_physical_bytes),
    })
}
