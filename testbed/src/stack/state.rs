//! What a running stack leaves for others to find it: one small file per project.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::health;
use super::run::Stop;
use super::settings::Settings;
use super::trouble::Trouble;
use crate::root::root;

/// How a stack runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As containers.
    Containers,
    /// As plain processes.
    Processes,
}

/// Where a running stack is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How it runs.
    pub kind: Kind,
    /// Its project name.
    pub project: String,
    /// Envoy's listener.
    pub gateway: SocketAddr,
    /// Envoy's listener for operators.
    pub operations: SocketAddr,
    /// Envoy's admin interface.
    pub admin: SocketAddr,
    /// Prometheus.
    pub prometheus: SocketAddr,
    /// Grafana, where it runs.
    pub grafana: Option<SocketAddr>,
    /// The instances of the demo upstream, passing Envoy by.
    pub upstreams: Vec<SocketAddr>,
}

/// How long Envoy may take to find all instances once it is ready.
const BALANCES_WITHIN: Duration = Duration::from_secs(30);

/// The folder for the run-time files of a project; it is not under version control.
pub fn run_folder(project: &str) -> PathBuf {
    root().join("target/testbed").join(project)
}

impl State {
    /// What the settings say about a stack of this kind.
    ///
    /// # Errors
    /// A port is missing.
    pub fn of(kind: Kind, settings: &Settings) -> Result<Self, Trouble> {
        let address = |name: &str| -> Result<SocketAddr, Trouble> {
            let port = settings.value(name)?.parse();
            let port =
                port.map_err(|e| Trouble::Setting { name: name.to_owned(), why: format!("{e}") })?;
            Ok((Ipv4Addr::LOCALHOST, port).into())
        };
        Ok(Self {
            kind,
            project: settings.project()?.to_owned(),
            gateway: address("GATEWAY_PORT")?,
            operations: address("OPERATIONS_PORT")?,
            admin: address("ADMIN_PORT")?,
            prometheus: address("PROMETHEUS_PORT")?,
            grafana: if settings.has_grafana() { Some(address("GRAFANA_PORT")?) } else { None },
            upstreams: ["UPSTREAM_1_PORT", "UPSTREAM_2_PORT", "UPSTREAM_3_PORT"]
                .into_iter()
                .map(address)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Waits until Envoy balances over all instances.
    ///
    /// # Errors
    /// It does not within half a minute, or the user asks to stop.
    pub fn wait_until_balanced(&self, stop: &Stop) -> Result<(), Trouble> {
        let all = || health::balances(self.admin, self.upstreams.len()).then_some(());
        match stop.or_until(BALANCES_WITHIN, all) {
            Some(()) => Ok(()),
            None if stop.is_asked() => Err(Trouble::Stopped),
            None => Err(Trouble::NotHealthy {
                service: "envoy".to_owned(),
                seconds: BALANCES_WITHIN.as_secs(),
                tail: format!(
                    "see http://{}/clusters for the instances that it misses",
                    self.admin
                ),
            }),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self) -> Result<(), Trouble> {
        let folder = run_folder(&self.project);
        std::fs::create_dir_all(&folder).map_err(|e| Trouble::file(&folder, e))?;
        let path = folder.join("state.json");
        let text = serde_json::to_string_pretty(self).map_err(|e| Trouble::file(&path, e))?;
        std::fs::write(&path, text).map_err(|e| Trouble::file(&path, e))
    }

    /// The state that a stack of this project left; it may have ended without taking it away.
    pub fn load(project: &str) -> Option<Self> {
        let text = std::fs::read_to_string(run_folder(project).join("state.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Takes the run-time files away; that there are none is no error.
    pub fn remove(project: &str) {
        let _ = std::fs::remove_dir_all(run_folder(project));
    }
}
