//! The statistics of all workers, as they are shared: one value, so that what is read of it belongs together.

use serde::{Deserialize, Serialize};

use kit::{Nanos, record};

use super::pending::Pending;
use super::tally::{Tally, add_up};
use crate::labels::Method;

/// The layout of the bytes; those of another are read as none.
const VERSION: u8 = 2;

/// Everything that was counted since the last reset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Book {
    /// When the first worker made it, by the monotonic clock.
    pub started: Nanos,
    /// When it was reset last, or made.
    pub reset_at: Nanos,
    /// By method, in the order of [`Method::ALL`].
    pub methods: [u64; Method::ALL.len()],
    /// By status from 100 to 599, in order; no others.
    pub statuses: Vec<(u16, u64)>,
    /// By filter and its word for what it decided.
    pub decisions: Vec<Decided>,
    /// Requests for operations endpoints, which are in none of the other numbers.
    pub operations: u64,
    /// Health checks, and what the configuration excludes, likewise.
    pub excluded: u64,
    /// By route, in the order in which routes were met.
    pub routes: Vec<(Vec<u8>, Tally)>,
    /// The routes for which there was no room.
    pub folded: Tally,
}

/// How often a filter said a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The filter.
    pub filter: String,
    /// Its word.
    pub word: String,
    /// How often.
    pub count: u64,
}

impl Book {
    /// An empty one that begins now.
    pub fn new(started: Nanos, reset_at: Nanos) -> Self {
        Self { started, reset_at, ..Self::default() }
    }

    /// The book in these bytes; `None` if there is none, or one of another layout.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        record::decode(VERSION, bytes)
    }

    /// As it is shared.
    pub fn to_bytes(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// Adds what one worker has counted; a route beyond `max_routes` is folded.
    pub fn add(&mut self, pending: &Pending, max_routes: usize) {
        add_up(&mut self.methods, &pending.methods);
        for (status, count) in &pending.statuses {
            match self.statuses.binary_search_by_key(status, |(found, _)| *found) {
                Ok(idx) => {
                    if let Some((_, sum)) = self.statuses.get_mut(idx) {
                        *sum = sum.saturating_add(*count);
                    }
                }
                Err(idx) => self.statuses.insert(idx, (*status, *count)),
            }
        }
        for (filter, word, count) in &pending.decisions {
            let is_it = |decided: &&mut Decided| decided.filter == *filter && decided.word == *word;
            match self.decisions.iter_mut().find(is_it) {
                Some(decided) => decided.count = decided.count.saturating_add(*count),
                None => self.decisions.push(Decided {
                    filter: (*filter).to_owned(),
                    word: (*word).to_owned(),
                    count: *count,
                }),
            }
        }
        self.operations = self.operations.saturating_add(pending.operations);
        self.excluded = self.excluded.saturating_add(pending.excluded);
        for (route, tally) in pending.routes() {
            let has_room = self.routes.len() < max_routes;
            match self.routes.iter_mut().find(|(found, _)| found == route) {
                Some((_, sum)) => sum.merge(tally),
                None if has_room => self.routes.push((route.to_vec(), tally.clone())),
                None => self.folded.merge(tally),
            }
        }
        self.folded.merge(&pending.folded);
    }

    /// All routes together, those for which there was no room among them.
    pub fn total(&self) -> Tally {
        let mut total = self.folded.clone();
        for (_, tally) in &self.routes {
            total.merge(tally);
        }
        total
    }
}
