//! The exchanges that failed last, of all workers: a list that no number of failures can grow.

use serde::{Deserialize, Serialize};

use kit::net::client_address;
use kit::{Exchange, Nanos, record};

use super::pending::MAX_ROUTE;
use super::settings::Errors;
use crate::facts::Facts;
use crate::policy;

/// The layout of the bytes; those of another are read as none.
const VERSION: u8 = 1;
/// Bytes kept of why a status was sent; Envoy's own words are shorter but for what they quote.
pub const MAX_DETAILS: usize = 128;
/// Bytes kept of a client's name for itself.
pub const MAX_USER_AGENT: usize = 128;

/// An exchange that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// When it was over, by the wall clock.
    pub time: Nanos,
    /// Its method.
    pub method: String,
    /// The name of its route, or the word for why it has none.
    pub route: String,
    /// The status that was sent; zero for none.
    pub status: u64,
    /// How long it took, if Envoy says.
    pub duration: Option<Nanos>,
    /// Why that status was sent.
    pub details: String,
    /// Envoy's response flags.
    pub flags: u64,
    /// The client's address, if it is kept.
    pub address: Option<String>,
    /// What the client called itself, if it is kept.
    pub user_agent: Option<String>,
}

impl Failure {
    /// The failure that an exchange with these facts is; ask in the log phase.
    ///
    /// **Cost**: a clock reading, and up to two values from the host for the client.
    pub fn of(x: &dyn Exchange, facts: &Facts, errors: &Errors) -> Self {
        let address = errors.address.then(|| client_address(x)).flatten();
        let user_agent = errors.user_agent.then(|| x.request_header("user-agent")).flatten();
        Self {
            time: x.host().wall(),
            method: facts.method.as_str().to_owned(),
            route: text(policy::route(facts), MAX_ROUTE),
            status: facts.status,
            duration: facts.duration,
            details: text(facts.why(), MAX_DETAILS),
            flags: facts.flags,
            address: address.map(|address| address.to_string()),
            user_agent: user_agent.map(|name| text(&name, MAX_USER_AGENT)),
        }
    }
}

/// The failures that are kept, as they are shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failures {
    /// The reset after which these were.
    generation: Nanos,
    /// All failures since then, also those that are no longer kept.
    pub total: u64,
    /// The latest, in the order of their times.
    pub kept: Vec<Failure>,
}

impl Failures {
    /// The failures in these bytes after this reset; none if they are of an earlier one or another layout.
    pub fn read(bytes: &[u8], generation: Nanos) -> Self {
        record::decode(VERSION, bytes)
            .filter(|found: &Self| found.generation >= generation)
            .unwrap_or_else(|| Self { generation, ..Self::default() })
    }

    /// As they are shared.
    pub fn to_bytes(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// Whether these are of this reset, and not of a later one.
    pub fn is_of(&self, generation: Nanos) -> bool {
        self.generation == generation
    }

    /// Adds what one worker has met, and keeps the latest `max`.
    pub fn add(&mut self, failures: &[Failure], n_failures: u64, max: usize) {
        self.total = self.total.saturating_add(n_failures);
        self.kept.extend_from_slice(failures);
        self.kept.sort_by_key(|failure| failure.time);
        let n_spare = self.kept.len().saturating_sub(max);
        self.kept.drain(..n_spare);
    }
}

/// At most `max` bytes of a text, characters kept whole; what is no text has replacement characters.
pub fn text(bytes: &[u8], max: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes.get(..max).unwrap_or(bytes)).into_owned();
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    text
}
