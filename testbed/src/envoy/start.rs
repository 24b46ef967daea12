//! The way from a bootstrap to an Envoy that serves, or to a reason why not.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::messages::{LOG_FORMAT, Message, complaint, own_messages};
use super::{Envoy, Options, VERSION, admin, binary};
use crate::process::{Running, Settings};
use crate::wait;

/// Why there is no running Envoy. Nothing is left running in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary is not there.
    #[error("no Envoy {VERSION} at {}; run `make setup`, or set ENVOY to a binary", path.display())]
    NoBinary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file could not be written or the program not be executed.
    #[error("cannot start Envoy: {0}")]
    System(#[from] io::Error),
    /// Envoy ended by itself before it was ready.
    #[error("Envoy did not start ({status}): {}", reason(messages, complaint.as_deref()))]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What the modules said, each text once.
        messages: Vec<Message>,
        /// Envoy's own last error line, if any.
        complaint: Option<String>,
        /// The last lines of its log.
        tail: String,
    },
    /// [`Options::cancel`] was set.
    #[error("the start of Envoy was given up")]
    Cancelled,
    /// Envoy still ran but was not ready in time.
    #[error("Envoy was not ready within {} s; its last lines were:\n{tail}", after.as_secs())]
    NotReady {
        /// How long it was waited for.
        after: Duration,
        /// The last lines of its log.
        tail: String,
    },
}

impl StartError {
    /// What the modules said at level warning or above; empty unless Envoy ended by itself.
    pub fn grave_messages(&self) -> Vec<&str> {
        match self {
            Self::Ended { messages, .. } => grave(messages).collect(),
            Self::NoBinary { .. } | Self::System(_) | Self::Cancelled | Self::NotReady { .. } => {
                Vec::new()
            }
        }
    }
}

/// Where Envoy runs: a directory of its own, or one that was given and stays.
#[derive(Debug)]
pub(super) enum Dir {
    Own(tempfile::TempDir),
    Given(PathBuf),
}

impl Dir {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own(dir) => dir.path(),
            Self::Given(dir) => dir,
        }
    }

    fn new(given: Option<PathBuf>) -> io::Result<Self> {
        match given {
            Some(dir) => Ok(Self::Given(dir)),
            None => Ok(Self::Own(tempfile::Builder::new().prefix("weir-envoy-").tempdir()?)),
        }
    }
}

/// See [`Envoy::start`].
pub(super) fn start(bootstrap: &Value, options: Options) -> Result<Envoy, StartError> {
    let dir = Dir::new(options.dir.clone())?;
    let told = dir.path().join("admin-address.txt");
    let _ = std::fs::remove_file(&told);
    let mut command = command(bootstrap, &options, dir.path())?;
    command.arg("--admin-address-path").arg(&told);

    let Waited { running, event } = run(command, options, || ready(&told))?;
    match event {
        Event::Ready(admin) => Ok(Envoy { running, dir, admin }),
        Event::Ended(status) => Err(ended(running, status)),
    }
}

/// Has Envoy read `bootstrap` without serving; the modules' `on_configure` run too.
///
/// # Errors
///
/// [`StartError::Ended`] with what Envoy and the modules said when they refuse it.
pub fn validate(bootstrap: &Value, options: Options) -> Result<(), StartError> {
    let dir = Dir::new(options.dir.clone())?;
    let mut command = command(bootstrap, &options, dir.path())?;
    command.args(["--mode", "validate"]);
    let Waited { running, event } = run(command, options, || None)?;
    match event {
        Event::Ended(status) if !status.success() => Err(ended(running, status)),
        Event::Ended(_) | Event::Ready(_) => Ok(()),
    }
}

struct Waited {
    running: Running,
    event: Event,
}

enum Event {
    Ready(SocketAddr),
    Ended(ExitStatus),
}

/// Starts Envoy and waits until it is ready or has ended.
fn run(
    command: Command,
    options: Options,
    ready: impl Fn() -> Option<SocketAddr>,
) -> Result<Waited, StartError> {
    let (within, cancel) = (options.ready_within, Arc::clone(&options.cancel));
    let running = Running::start("envoy", command, settings(options))?;
    let event = wait::until(within, || {
        if cancel.load(Ordering::Relaxed) {
            return Some(Err(StartError::Cancelled));
        }
        let ended = running.ended().map(Event::Ended);
        ended.or_else(|| ready().map(Event::Ready)).map(Ok)
    });
    let late = || StartError::NotReady { after: within, tail: running.log().text() };
    let event = event.unwrap_or_else(|| Err(late()))?;
    Ok(Waited { running, event })
}

fn command(bootstrap: &Value, options: &Options, dir: &Path) -> Result<Command, StartError> {
    let file = dir.join("bootstrap.json");
    std::fs::write(&file, with_admin(bootstrap.clone()).to_string())?;
    let mut command = Command::new(binary()?);
    command.current_dir(dir).arg("--config-path").arg(file).arg("--disable-hot-restart");
    command.args(["--concurrency", &options.workers.to_string()]);
    command.args(["--log-level", &options.log_level, "--log-format", LOG_FORMAT]);
    command.args(&options.args);
    Ok(command)
}

fn with_admin(mut bootstrap: Value) -> Value {
    if let Some(fields) = bootstrap.as_object_mut() {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        fields.entry("admin").or_insert_with(|| json!({"address": address}));
    }
    bootstrap
}

fn settings(options: Options) -> Settings {
    Settings {
        keep_lines: options.keep_lines,
        stdout: options.stdout,
        stderr: options.stderr,
        ..Settings::default()
    }
}

/// The admin address, once Envoy has told it and says that it is ready.
fn ready(told: &Path) -> Option<SocketAddr> {
    let admin = std::fs::read_to_string(told).ok()?.trim().parse().ok()?;
    let answer = admin::get(admin, "/ready", Duration::from_secs(1)).ok()?;
    (answer.status == 200).then_some(admin)
}

fn ended(mut running: Running, status: ExitStatus) -> StartError {
    // Waits for the readers, so that the last line is there.
    running.stop();
    let lines = running.log().lines();
    let lines = || lines.iter().map(String::as_str);
    StartError::Ended {
        status,
        messages: own_messages(lines()),
        complaint: complaint(lines()),
        tail: running.log().text(),
    }
}

fn reason(messages: &[Message], complaint: Option<&str>) -> String {
    let own: Vec<&str> = grave(messages).collect();
    if own.is_empty() {
        return complaint.unwrap_or("it said nothing").to_owned();
    }
    own.join("; ")
}

fn grave(messages: &[Message]) -> impl Iterator<Item = &str> {
    let grave = |message: &&Message| !matches!(message.level.as_str(), "info" | "debug" | "trace");
    messages.iter().filter(grave).map(|message| message.text.as_str())
}
