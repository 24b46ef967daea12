//! The consumers that have series: one list for the whole process, which only grows.

use serde::{Deserialize, Serialize};

use kit::record;
use kit::top::Report;

/// The layout of the bytes; those of another are read as none.
const VERSION: u8 = 1;

/// Requests that a consumer must certainly have sent, in the time of a report, to be admitted.
///
/// So a name that is invented for one request never gets a series, and a place costs who wants to fill it
/// this many requests.
pub const LEAST_REQUESTS: u64 = 20;

/// The list, in the order of admission.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Admitted(Vec<Entry>);

/// A consumer that was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key's tag.
    pub tag: [u8; 16],
    /// The readable key, if keys are shown.
    pub label: Option<String>,
}

impl Admitted {
    /// The list in these bytes; an empty one if they are of another layout.
    pub fn read(bytes: &[u8]) -> Self {
        record::decode(VERSION, bytes).unwrap_or_default()
    }

    /// As it is shared.
    pub fn to_bytes(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// The consumers.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Whether this consumer is in it.
    pub fn has(&self, tag: &[u8; 16]) -> bool {
        self.0.iter().any(|entry| entry.tag == *tag)
    }

    /// Admits whoever was busy enough, the busiest first, while there are fewer than `max`; whether it admitted any.
    pub fn admit(&mut self, report: &Report, max: usize) -> bool {
        let before = self.0.len();
        let mut busy: Vec<_> = report
            .counters
            .iter()
            .filter(|counter| counter.at_least() >= LEAST_REQUESTS && !self.has(&counter.tag))
            .collect();
        busy.sort_by_key(|counter| std::cmp::Reverse(counter.at_least()));
        let room = max.saturating_sub(before);
        let entries = busy.into_iter().take(room);
        self.0.extend(entries.map(|it| Entry { tag: it.tag, label: it.label.clone() }));
        self.0.len() > before
    }
}
