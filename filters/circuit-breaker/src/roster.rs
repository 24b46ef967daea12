//! The breakers that wait for probes of the filter's own: kept for all workers, so that probing goes on.
//!
//! A worker probes the breakers that it knows, and knows those that its requests met. After an update of the
//! configuration, or a crash of its VM, it has met none, and where no client asks any more it would meet none:
//! so the scopes of those that are open stand in shared data. They are names of the configuration
//! (cluster, route, virtual host), never a client's words.
//!
//! The edge: of more than [`MAX_ENTRIES`] the oldest is forgotten, and probed again once a request meets it.

use kit::Host;
use kit::record;
use kit::shared::{self, Change};

use crate::config::{Per, Rule};

/// The shared name of the list.
const KEY: &str = "circuit-breaker/probed";
const VERSION: u8 = 1;

/// As many breakers as are open at a time in the worst of incidents; some 20 KiB.
pub const MAX_ENTRIES: usize = 256;

/// A breaker: its rule, what the rule told its breakers apart by, and its scope.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The rule's name.
    pub rule: String,
    /// The word of [`Per`].
    pub per: String,
    /// The scope, as it came.
    pub scope: Vec<u8>,
}

impl Entry {
    /// The breaker of this rule for this scope.
    pub fn new(rule: &Rule, scope: &[u8]) -> Self {
        Self { rule: rule.name.clone(), per: rule.per.as_str().to_owned(), scope: scope.to_vec() }
    }

    /// Whether it is a breaker of this rule.
    pub fn is_of(&self, rule: &Rule) -> bool {
        self.rule == rule.name && self.per == rule.per.as_str() && rule.per != Per::Key
    }
}

/// Adds a breaker to those that are probed, or takes it out.
///
/// **Cost**: one get, and one set if it changes; with each change of a breaker's state.
pub fn put(host: &dyn Host, entry: &Entry, is_probed: bool) {
    let updated = shared::update(host, KEY, |bytes| {
        let mut entries = decode(bytes);
        if entries.contains(entry) == is_probed {
            return (Change::Keep, ());
        }
        entries.retain(|found| found != entry);
        if is_probed {
            let n_over = entries.len().saturating_add(1).saturating_sub(MAX_ENTRIES);
            entries.drain(..n_over);
            entries.push(entry.clone());
        }
        *bytes = record::encode(VERSION, &entries);
        (Change::Store, ())
    });
    if let Err(error) = updated {
        log::warn!("{}: list of probed breakers not changed: {error}", crate::signals::NAME);
    }
}

/// The breakers that are probed; makes the list if there is none, before workers could do it at once.
pub fn all(host: &dyn Host) -> Vec<Entry> {
    let found = host.shared_get(KEY);
    if found.is_none() {
        let _ = host.shared_set(KEY, &record::encode(VERSION, &Vec::<Entry>::new()), None);
    }
    found.map(|found| decode(&found.value)).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Vec<Entry> {
    record::decode(VERSION, bytes).unwrap_or_default()
}
