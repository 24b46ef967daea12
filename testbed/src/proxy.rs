//! `weir-proxy`: a real Envoy with one Weir module in front of a service, in the foreground.
//!
//! It says what is in force, in the modules' own words, and ends on Ctrl-C or SIGTERM with nothing
//! left behind. Whatever can be wrong before Envoy starts is said before, in one line.

pub mod arguments;
pub mod bootstrap;
pub mod check;
pub mod config;
mod report;
mod run;
pub mod stats;
mod watch;

use std::io;
use std::net::SocketAddr;

pub use run::run;

use crate::envoy::{AdminError, StartError};
use crate::yaml::ReadError;
use arguments::Upstream;

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
    #[error("cannot read the configuration: {0}")]
    Config(#[from] ReadError),
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
    #[error("Envoy ended by itself ({status}); its last lines were:\n{tail}")]
    Died {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// Signals cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signals(io::Error),
}

/// A port to propose instead of one that is taken.
fn other(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(10_000)
}
