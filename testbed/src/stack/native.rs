//! The stack as plain processes: the same commands and files, with other addresses.

mod control;
mod prepare;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::compose_file::{self, Service};
use super::health;
use super::images::upstream_program;
use super::rewrite::Rewrite;
use super::run::Stop;
use super::settings::{self, Settings};
use super::state::run_folder;
use super::trouble::Trouble;
use crate::process::{Echo, Running, Settings as ProcessSettings};
use crate::wait;

pub use control::Control;

/// How long one process may take to become healthy; Envoy compiles the module first.
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);

/// How many of its last lines explain why a process ended; all are in its log file.
const KEPT_LINES: usize = 20;

/// A service and its process, if it runs.
#[derive(Debug)]
struct Slot {
    service: Service,
    rewrite: Rewrite,
    folder: PathBuf,
    running: Option<Running>,
}

/// The running processes; all end when this is dropped.
#[derive(Debug)]
pub struct Native {
    slots: Vec<Slot>,
    upstream: PathBuf,
}

impl Native {
    /// Builds the demo upstream, starts everything in order and waits for each to be healthy; says each that gets there.
    ///
    /// # Errors
    /// A program is missing, a port is taken, or a process does not become healthy. Nothing is left running.
    pub fn up(settings: &Settings, stop: &Stop, say: fn(&str)) -> Result<Self, Trouble> {
        settings.check_ports_free()?;
        say("building the demo upstream");
        let upstream = upstream_program(stop, say)?;
        Self::up_with(upstream, settings, stop, say)
    }

    /// Starts everything as [`Native::up`] does, with a demo upstream that was built before.
    ///
    /// # Errors
    /// As there.
    pub fn up_with(
        upstream: PathBuf,
        settings: &Settings,
        stop: &Stop,
        say: fn(&str),
    ) -> Result<Self, Trouble> {
        settings.check_ports_free()?;
        let mut services = compose_file::services(settings)?;
        services.retain(|service| !service.is_optional);
        let ports = ports(&services)?;
        let run_folder = run_folder(settings.project()?);
        let slot = |service: Service| {
            let folder = run_folder.join(&service.name);
            let scratch = service.scratch.iter().map(|path| (path.clone(), folder.clone()));
            let paths = service
                .mounts
                .iter()
                .map(|(from, to)| (to.clone(), from.clone()))
                .chain(scratch)
                .collect();
            let rewrite = Rewrite { ports: ports.clone(), paths, own: service.name.clone() };
            Slot { service, rewrite, folder, running: None }
        };
        let mut native = Self { slots: services.into_iter().map(slot).collect(), upstream };
        for idx in 0..native.slots.len() {
            native.start_slot(idx, stop)?;
            if let Some(slot) = native.slots.get(idx) {
                say(&format!("{}: healthy at {}", slot.service.name, slot.asked_at()));
            }
        }
        Ok(native)
    }

    /// Kills a service at once.
    ///
    /// # Errors
    /// There is no such service, or it does not run.
    pub fn kill(&mut self, name: &str) -> Result<(), Trouble> {
        let idx = self.find(name)?;
        let running = self.slots.get_mut(idx).and_then(|slot| slot.running.take());
        let why = || Trouble::Setting { name: name.to_owned(), why: "it does not run".to_owned() };
        let mut running = running.ok_or_else(why)?;
        running.signal(Signal::KILL);
        running.stop();
        Ok(())
    }

    /// Starts a service that was killed, and waits until it is healthy.
    ///
    /// # Errors
    /// There is no such service, or it does not become healthy.
    pub fn start(&mut self, name: &str, stop: &Stop) -> Result<(), Trouble> {
        let idx = self.find(name)?;
        self.start_slot(idx, stop)
    }

    /// The first service that ended by itself, with the last lines that it wrote.
    #[must_use]
    pub fn fallen(&self) -> Option<Trouble> {
        let ended = |running: &&Running| running.ended().is_some();
        let running = self.slots.iter().filter_map(|slot| slot.running.as_ref()).find(ended)?;
        Some(Trouble::Command { what: running.name().to_owned(), tail: running.log().text() })
    }

    fn find(&self, name: &str) -> Result<usize, Trouble> {
        let found = self.slots.iter().position(|slot| slot.service.name == name);
        let names = || {
            self.slots.iter().map(|slot| slot.service.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        found.ok_or_else(|| Trouble::Setting {
            name: name.to_owned(),
            why: format!("no such service; allowed: {}", names()),
        })
    }

    fn start_slot(&mut self, idx: usize, stop: &Stop) -> Result<(), Trouble> {
        let upstream = self.upstream.clone();
        let Some(slot) = self.slots.get_mut(idx).filter(|slot| slot.running.is_none()) else {
            return Ok(());
        };
        let name = slot.service.name.clone();
        let command = prepare::command(&slot.service, &slot.rewrite, &slot.folder, &upstream)?;
        let log_path = slot.folder.join("log.txt");
        let log = std::fs::File::options().create(true).append(true).open(&log_path);
        let log = log.map_err(|e| Trouble::file(&log_path, e))?;
        let second = log.try_clone().map_err(|e| Trouble::file(&log_path, e))?;
        let settings = ProcessSettings {
            stdout: Echo::file(log),
            stderr: Echo::file(second),
            keep_lines: KEPT_LINES,
            ..ProcessSettings::default()
        };
        let running =
            Running::start(&name, command, settings).map_err(|e| Trouble::file(&log_path, e))?;
        let address = slot.asked_at();
        let well = stop.or_until(HEALTHY_WITHIN, || {
            (health::is_well(&name, address) || running.ended().is_some())
                .then_some(running.ended().is_none())
        });
        match well {
            Some(true) => {
                slot.running = Some(running);
                Ok(())
            }
            Some(false) => {
                wait::until(Duration::from_secs(1), || {
                    (!running.log().lines().is_empty()).then_some(())
                });
                Err(Trouble::Command { what: name, tail: running.log().text() })
            }
            None if stop.is_asked() => Err(Trouble::Stopped),
            None => {
                let (seconds, tail) = (HEALTHY_WITHIN.as_secs(), running.log().text());
                Err(Trouble::NotHealthy { service: name, seconds, tail })
            }
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // In the opposite order, so that nobody misses what has gone before.
        for slot in self.slots.iter_mut().rev() {
            slot.running = None;
        }
    }
}

impl Slot {
    /// Where the service is asked for its health: its last port (Envoy's admin stands behind its listener).
    fn asked_at(&self) -> SocketAddr {
        let own = self.rewrite.ports.iter().filter(|(name, _, _)| *name == self.service.name);
        let port = own.last().map_or(0, |(_, _, outside)| *outside);
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

/// The port of every service: the published one, or a free one for what only other services reach.
fn ports(services: &[Service]) -> Result<Vec<(String, u16, u16)>, Trouble> {
    let mut ports = Vec::new();
    let mut held = Vec::new();
    for service in services {
        for (outside, inside) in &service.ports {
            let outside = match outside {
                Some(port) => *port,
                None => {
                    let free = settings::free_port();
                    let why = |e| Trouble::Setting {
                        name: service.name.clone(),
                        why: format!("no free port ({e})"),
                    };
                    let (listener, port) = free.map_err(why)?;
                    held.push(listener);
                    port
                }
            };
            ports.push((service.name.clone(), *inside, outside));
        }
    }
    Ok(ports)
}
