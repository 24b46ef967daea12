//! `weir-proxy`: a real Envoy with one Weir module in front of a service, in the foreground.
//!
//! It says what is in force, in the modules' own words, and ends on Ctrl-C or SIGTERM with nothing
//! left behind. Whatever can be wrong before Envoy starts is said before, in one line.

pub mod arguments;
pub mod bootstrap;
pub mod check;
pub mod config;
pub mod parse;
mod report;
mod run;
pub mod stats;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use run::run;

use crate::envoy::{AdminError, StartError};
use crate::yaml::ReadError;
use arguments::Upstream;
use config::Misplaced;

/// Why the proxy did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The module is not built.
    #[error("there is no module at {path}; run `make build`")]
    NoModule {
        /// Where it should be.
        path: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read the configuration (CONFIG=, --config): {0}")]
    Config(#[from] ReadError),
    /// The file is a configuration, of something else.
    #[error("{}: {what}", file.display())]
    Misplaced {
        /// The file as it was named.
        file: PathBuf,
        /// What it is.
        what: Misplaced,
    },
    /// The filter refused the configuration.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// Someone listens there.
    #[error("{address} is in use; stop what listens there or choose another port, for instance PORT={} (--port {})", other(*address), other(*address))]
    PortInUse {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the operating system said.
        why: io::Error,
    },
    /// The service and the proxy would be one.
    #[error("the upstream {0} is the proxy's own address; give the address of your service")]
    Loop(Upstream),
    /// Envoy did not start, for a reason that no filter gave.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Envoy's admin interface fails.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Envoy ended although nobody asked.
    #[error("{}Envoy ended by itself ({status}){}", preceding(last), because(cause.as_deref()))]
    Died {
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its last complaints while it served; may be empty.
        last: Vec<String>,
        /// What it said about its own crash, if anything.
        cause: Option<String>,
    },
    /// Signals cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signals(io::Error),
}

/// The lines before the one that says what happened.
fn preceding(last: &[String]) -> String {
    if last.is_empty() {
        return String::new();
    }
    format!("the last that Envoy complained of:\n{}\n", last.join("\n"))
}

fn because(cause: Option<&str>) -> String {
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
}

/// A port to propose instead of one that is taken.
fn other(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(10_000)
}
