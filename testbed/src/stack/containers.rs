//! The stack as containers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::{Engine, docker};
use super::run::{self, Stop};
use super::settings::Settings;
use super::trouble::Trouble;

/// How long all containers may take to become healthy, images there.
const UP_WITHIN: Duration = Duration::from_secs(180);

/// One stack of containers, running or not.
#[derive(Clone, Debug)]
pub struct Containers {
    engine: Engine,
    settings: Settings,
}

impl Containers {
    /// The stack with these settings.
    #[must_use]
    pub fn new(engine: Engine, settings: Settings) -> Self {
        Self { engine, settings }
    }

    /// Starts every container and waits until all are healthy; says each that gets there.
    ///
    /// # Errors
    /// One does not start or does not become healthy, with the last lines of its log. What was started stays:
    /// call [`Containers::down`].
    pub fn up(&self, stop: &Stop, say: fn(&str)) -> Result<(), Trouble> {
        let mut seen = BTreeMap::new();
        let up = self.engine.compose(&self.settings, &["up", "--detach", "--no-build"])?;
        let (outcome, result) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| outcome.send(run::follow(up, stop, |_| ())));
            let mut ended = None;
            let healthy = stop.or_until(UP_WITHIN, || {
                ended = ended.take().or_else(|| result.try_recv().ok());
                self.report(&mut seen, say);
                let failed = matches!(ended, Some(Err(_)));
                let all = ended.is_some()
                    && !seen.is_empty()
                    && seen.values().all(|state| state == "healthy");
                (failed || all).then_some(())
            });
            match (healthy, ended) {
                (_, Some(Err(trouble))) => Err(trouble),
                (Some(()), _) => Ok(()),
                (None, _) if stop.is_asked() => Err(Trouble::Stopped),
                (None, _) => Err(self.not_healthy(&seen)),
            }
        })
    }

    /// Stops and removes the containers, networks and volumes of this stack; none is no error.
    ///
    /// # Errors
    /// The Compose tool fails.
    pub fn down(&self) -> Result<(), Trouble> {
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "3"];
        // Whether Grafana was part of it or not.
        let mut all = self.settings.clone();
        all.add_grafana();
        run::output(self.engine.compose(&all, &down)?).map(|_| ())
    }

    /// Health of each service that has a container: `healthy`, `starting`, `unhealthy`, or its state.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn health(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let filter = format!("label=com.docker.compose.project={}", self.settings.project()?);
        let format = "{{.Label \"com.docker.compose.service\"}}\t{{.State}}\t{{.Status}}";
        let listed = docker(&["ps", "--all", "--filter", &filter, "--format", format])?;
        Ok(listed.lines().filter_map(health_of).collect())
    }

    /// Containers, networks and volumes that bear the name of this stack.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn leftovers(&self) -> Result<Vec<String>, Trouble> {
        let filter = format!("label=com.docker.compose.project={}", self.settings.project()?);
        let mut left = Vec::new();
        for (kind, list) in [
            ("container", ["ps", "--all", "--format", "{{.Names}}"].as_slice()),
            ("network", ["network", "ls", "--format", "{{.Name}}"].as_slice()),
            ("volume", ["volume", "ls", "--format", "{{.Name}}"].as_slice()),
        ] {
            let listed = docker(&[list, ["--filter", &filter].as_slice()].concat())?;
            left.extend(listed.lines().map(|name| format!("{kind} {name}")));
        }
        Ok(left)
    }

    /// The last lines that a service logged.
    pub fn log(&self, service: &str) -> String {
        let logs =
            self.engine.compose(&self.settings, &["logs", "--no-color", "--tail", "15", service]);
        logs.and_then(run::output).unwrap_or_else(|trouble| trouble.to_string())
    }

    fn report(&self, seen: &mut BTreeMap<String, String>, say: fn(&str)) {
        // An engine that is busy starting containers may not answer in between; the next look will tell.
        for (service, state) in self.health().unwrap_or_default() {
            let before = seen.insert(service.clone(), state.clone());
            if before.as_ref() != Some(&state) {
                say(&format!("{service}: {state}"));
            }
        }
    }

    fn not_healthy(&self, seen: &BTreeMap<String, String>) -> Trouble {
        let ill = seen.iter().find(|(_, state)| *state != "healthy");
        let service = ill.map_or("the stack", |(service, _)| service.as_str());
        let tail = self.log(service);
        Trouble::NotHealthy { service: service.to_owned(), seconds: UP_WITHIN.as_secs(), tail }
    }
}

/// Service and health out of one line of `docker ps`: name, state, and a status such as `Up 3 seconds (healthy)`.
fn health_of(line: &str) -> Option<(String, String)> {
    let mut fields = line.split('\t');
    let (service, state, status) = (fields.next()?, fields.next()?, fields.next()?);
    let told = status.rsplit_once('(').and_then(|(_, told)| told.strip_suffix(')'));
    let health = match (state, told) {
        ("running", Some(told)) => told.trim_start_matches("health: "),
        (state, _) => state,
    };
    Some((service.to_owned(), health.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_read_out_of_the_status() {
        let cases = [
            ("envoy\trunning\tUp 3 seconds (healthy)", ("envoy", "healthy")),
            ("envoy\trunning\tUp 3 seconds (health: starting)", ("envoy", "starting")),
            ("envoy\trunning\tUp 3 seconds (unhealthy)", ("envoy", "unhealthy")),
            ("envoy\trunning\tUp 3 seconds", ("envoy", "running")),
            ("redis\texited\tExited (137) 2 seconds ago", ("redis", "exited")),
            ("redis\tcreated\tCreated", ("redis", "created")),
        ];
        for (line, (service, health)) in cases {
            assert_eq!(health_of(line), Some((service.to_owned(), health.to_owned())), "{line}");
        }
        assert_eq!(health_of(""), None);
    }
}
