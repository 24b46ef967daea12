//! What can go wrong with the stack, in words for the person at the terminal.

use std::path::PathBuf;

/// Why the stack, or a part of it, is not there.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no container engine that can be used.
    #[error("no container engine: {0}")]
    NoEngine(String),
    /// A file is missing or cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        why: String,
    },
    /// A command failed.
    #[error("{what} failed: {tail}")]
    Command {
        /// The command as one would type it.
        what: String,
        /// The last lines that it wrote.
        tail: String,
    },
    /// A port is taken.
    #[error(
        "port {port} on 127.0.0.1 is in use; set {name} to another port, for instance {name}=0 for a free one"
    )]
    PortTaken {
        /// The setting in `.env`.
        name: String,
        /// The port.
        port: u16,
    },
    /// A setting in `.env` or the environment is missing or wrong.
    #[error("{name}: {why}")]
    Setting {
        /// The setting's name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A program that the plain processes need is not installed.
    #[error(
        "{program} is not installed; run `make setup`, or install it with the system's package manager"
    )]
    NoProgram {
        /// The program's name.
        program: String,
    },
    /// A part did not become healthy.
    #[error("{service} is not healthy after {seconds} s; its last lines were:\n{tail}")]
    NotHealthy {
        /// The service.
        service: String,
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        tail: String,
    },
    /// Nothing runs that could be used.
    #[error("no running testbed; start one with `make testbed` or `make testbed-native`")]
    NotRunning,
    /// The user asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Trouble {
    /// Trouble with a file.
    #[expect(clippy::needless_pass_by_value, reason = "reads better where errors are mapped")]
    pub fn file(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::File { path: path.into(), why: why.to_string() }
    }
}
