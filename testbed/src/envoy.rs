//! A real Envoy: start it, know when it serves, ask it, and be sure that it ends.
//!
//! ```no_run
//! use weir_testbed::envoy::{Envoy, Options};
//!
//! let bootstrap = serde_json::json!({"static_resources": {"listeners": []}});
//! let envoy = Envoy::start(&bootstrap, Options { workers: 4, ..Options::default() })?;
//! println!("{} {}", envoy.admin(), envoy.get("/server_info")?.body);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Any number may run at once: the admin interface and every listener may stand on port 0, nothing
//! is shared between two Envoys, and hot restart is off.

mod admin;
mod messages;
mod start;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use admin::{AdminError, Answer, Listener};
pub use messages::{Message, own_messages};
pub use start::{StartError, validate};

use crate::process::{Echo, Log, Running};
use crate::root::root;

/// The version that everything here is tested with.
pub const VERSION: &str = "1.40.0";

/// How an Envoy is started, beyond its bootstrap.
#[derive(Debug)]
pub struct Options {
    /// Worker threads (`--concurrency`).
    pub workers: usize,
    /// Further arguments, for instance `["--component-log-level", "wasm:debug"]`.
    pub args: Vec<String>,
    /// Envoy's log level: `trace` to `critical`, or `off`.
    pub log_level: String,
    /// Where the bootstrap is written and which directory Envoy runs in.
    ///
    /// `None`: a directory of its own, removed at the end.
    pub dir: Option<PathBuf>,
    /// How long the start may take, modules compiled.
    pub ready_within: Duration,
    /// Set from elsewhere (a signal) to give up waiting; the start is then [`StartError::Cancelled`].
    pub cancel: Arc<AtomicBool>,
    /// How many lines of output are kept.
    pub keep_lines: usize,
    /// Where lines of standard output go (access logs to `/dev/stdout`).
    pub stdout: Echo,
    /// Where log lines go besides the tail.
    pub stderr: Echo,
}

impl Default for Options {
    /// One worker, level `info`, a directory of its own, 30 seconds to start, 200 lines kept.
    fn default() -> Self {
        Self {
            workers: 1,
            args: Vec::new(),
            log_level: "info".to_owned(),
            dir: None,
            ready_within: Duration::from_secs(30),
            cancel: Arc::default(),
            keep_lines: 200,
            stdout: Echo::Nowhere,
            stderr: Echo::Nowhere,
        }
    }
}

/// A running Envoy, ended when dropped.
#[derive(Debug)]
pub struct Envoy {
    // Declared before the directory, so that Envoy has ended when its files go.
    running: Running,
    dir: start::Dir,
    admin: SocketAddr,
}

/// The Envoy binary: `ENVOY` if set, else the one that `make setup` unpacked.
///
/// # Errors
///
/// [`StartError::NoBinary`] when neither is there; the message names `make setup`.
pub fn binary() -> Result<PathBuf, StartError> {
    let path = match std::env::var_os("ENVOY") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        Some(_) | None => root().join(format!(".tools/envoy-{VERSION}/envoy")),
    };
    if path.is_file() { Ok(path) } else { Err(StartError::NoBinary { path }) }
}

impl Envoy {
    /// Starts Envoy with `bootstrap` and returns when it is ready to serve on all its listeners.
    ///
    /// An `admin` section is added on 127.0.0.1 and a free port when `bootstrap` has none.
    ///
    /// # Errors
    ///
    /// [`StartError`]; Envoy has ended by then.
    pub fn start(bootstrap: &serde_json::Value, options: Options) -> Result<Self, StartError> {
        start::start(bootstrap, options)
    }

    /// The address of the admin interface.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The directory that Envoy runs in; it holds `bootstrap.json`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process, to signal it or to see whether it has ended.
    pub fn process(&self) -> &Running {
        &self.running
    }

    /// What Envoy wrote last.
    pub fn log(&self) -> &Log {
        self.running.log()
    }

    /// The last lines that Envoy wrote, for a failure's message.
    pub fn log_tail(&self) -> String {
        self.log().text()
    }

    /// Ends Envoy, or takes note that it has ended, and returns all that was read of its last lines.
    pub fn last_words(mut self) -> String {
        self.running.stop();
        self.log_tail()
    }

    /// Ends Envoy now instead of on drop, and returns how it ended.
    pub fn stop(mut self) -> Option<std::process::ExitStatus> {
        self.running.stop()
    }
}
