//! Killing and starting single services of a running stack, containers or processes alike.
//!
//! Containers are reached through the engine; the program that runs the plain processes listens on a Unix socket in the
//! run folder, which only its user can reach, for lines such as `kill upstream-2`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::engine::docker;
use super::state::{Kind, State, run_folder};
use super::trouble::Trouble;
use crate::wait;

/// What can be done to a running stack from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends a service at once, without a farewell (SIGKILL).
    Kill,
    /// Starts a service that was killed.
    Start,
    /// Stops everything.
    Down,
}

impl Action {
    /// The word on the socket.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Start => "start",
            Self::Down => "down",
        }
    }

    /// Reads a line of the socket: the action and the service it is for, empty for all.
    #[must_use]
    pub fn read(line: &str) -> Option<(Self, &str)> {
        let line = line.trim();
        let (word, service) = line.split_once(' ').unwrap_or((line, ""));
        let action = [Self::Kill, Self::Start, Self::Down]
            .into_iter()
            .find(|action| action.word() == word)?;
        Some((action, service))
    }
}

/// How long the answer to an action may take; a start waits until the service is healthy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The socket of the plain processes of a project.
#[must_use]
pub fn socket(project: &str) -> PathBuf {
    run_folder(project).join("socket")
}

/// Kills a service.
///
/// # Errors
/// There is no such service or no such stack.
pub fn kill(state: &State, service: &str) -> Result<(), Trouble> {
    pull(state, Action::Kill, service)
}

/// Starts a service that was killed; it may take a moment more until it is healthy.
///
/// # Errors
/// There is no such service or no such stack.
pub fn start(state: &State, service: &str) -> Result<(), Trouble> {
    pull(state, Action::Start, service)
}

/// Stops a stack of plain processes and waits for its end; `false` if none was running.
#[must_use]
pub fn stop_processes(project: &str) -> bool {
    // The socket goes last, when every process has ended.
    ask(project, Action::Down, "").is_ok()
        && wait::until(PATIENCE, || UnixStream::connect(socket(project)).is_err().then_some(()))
            .is_some()
}

fn pull(state: &State, action: Action, service: &str) -> Result<(), Trouble> {
    match state.kind {
        Kind::Processes => ask(&state.project, action, service),
        Kind::Containers => {
            docker(&[action.word(), &container(&state.project, service)?]).map(|_| ())
        }
    }
}

fn container(project: &str, service: &str) -> Result<String, Trouble> {
    let project = format!("label=com.docker.compose.project={project}");
    let wanted = format!("label=com.docker.compose.service={service}");
    let found = docker(&["ps", "--all", "--quiet", "--filter", &project, "--filter", &wanted])?;
    found.lines().next().map(str::to_owned).ok_or(Trouble::NotRunning)
}

fn ask(project: &str, action: Action, service: &str) -> Result<(), Trouble> {
    let path = socket(project);
    let mut stream = UnixStream::connect(&path).map_err(|_| Trouble::NotRunning)?;
    let mut exchange = || {
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{} {service}", action.word())?;
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    match exchange().map_err(|e| Trouble::file(&path, e))?.trim() {
        "done" => Ok(()),
        why => Err(Trouble::Command {
            what: format!("{} {service}", action.word()),
            tail: why.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_socket_are_read() {
        assert_eq!(Action::read("kill upstream-2\n"), Some((Action::Kill, "upstream-2")));
        assert_eq!(Action::read("down \n"), Some((Action::Down, "")));
        assert_eq!(Action::read("dance envoy"), None);
    }
}
