//! What one worker has counted and not yet added up: its own memory, no host call.

use std::collections::BTreeMap;

use kit::Nanos;

use super::failures::Failure;
use super::tally::Tally;
use crate::facts::Facts;
use crate::labels::{Method, Outcome};
use crate::policy;

/// Words of other filters that are counted one by one; the words are closed sets, about twenty in all.
const MAX_DECISIONS: usize = 64;

/// The longest name of a route that is kept; routes that differ only behind it are counted together.
pub const MAX_ROUTE: usize = 128;

/// The counts of one worker since it last added them up.
#[derive(Debug, Default)]
pub struct Pending {
    /// Nothing in here ended before.
    pub since: Nanos,
    /// Exchanges counted.
    pub n: u64,
    /// By method, in the order of [`Method::ALL`].
    pub methods: [u64; Method::ALL.len()],
    /// By status from 100 to 599.
    pub statuses: BTreeMap<u16, u64>,
    /// By filter and word.
    pub decisions: Vec<(&'static str, &'static str, u64)>,
    /// Requests for operations endpoints.
    pub operations: u64,
    /// Health checks, and what the configuration excludes.
    pub excluded: u64,
    routes: BTreeMap<Box<[u8]>, Tally>,
    /// The routes for which there was no room.
    pub folded: Tally,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// All failures.
    pub n_failures: u64,
}

impl Pending {
    /// Nothing, of what ends from now on.
    pub fn new(now: Nanos) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// Counts an exchange; a route beyond `max_routes` is folded.
    ///
    /// **Cost**: no host call; an allocation for a route or a duration that is new since the last time.
    pub fn add(&mut self, facts: &Facts, max_routes: usize) {
        self.n = self.n.saturating_add(1);
        if let Some(count) = self.methods.get_mut(facts.method as usize) {
            *count = count.saturating_add(1);
        }
        if let Some(status) = u16::try_from(facts.status).ok().filter(|it| (100..600).contains(it))
        {
            let count = self.statuses.entry(status).or_default();
            *count = count.saturating_add(1);
        }
        let route = policy::route(facts);
        let route = route.get(..MAX_ROUTE).unwrap_or(route);
        let tally = if let Some(tally) = self.routes.get_mut(route) {
            tally
        } else if self.routes.len() < max_routes {
            self.routes.entry(Box::from(route)).or_default()
        } else {
            &mut self.folded
        };
        tally.add(facts.class(), facts.outcome, latency(facts));
    }

    /// Counts a filter's word.
    pub fn decide(&mut self, filter: &'static str, word: &'static str) {
        let is_it = |(a, b, _): &&mut (&'static str, &'static str, u64)| *a == filter && *b == word;
        if let Some((.., count)) = self.decisions.iter_mut().find(is_it) {
            *count = count.saturating_add(1);
        } else if self.decisions.len() < MAX_DECISIONS {
            self.decisions.push((filter, word, 1));
        }
    }

    /// The routes that were met since the last time.
    pub fn routes(&self) -> impl Iterator<Item = (&[u8], &Tally)> {
        let met = self.routes.iter().filter(|(_, tally)| tally.requests() > 0);
        met.map(|(route, tally)| (&**route, tally))
    }

    /// All routes together.
    pub fn total(&self) -> Tally {
        let mut total = self.folded.clone();
        for (_, tally) in self.routes() {
            total.merge(tally);
        }
        total
    }

    /// Whether there is nothing to add up.
    pub fn is_empty(&self) -> bool {
        self.n == 0 && self.operations == 0 && self.excluded == 0
    }

    /// Forgets everything; what is counted from here on ended `now` or later. Keeps room for the routes that it knows.
    pub fn clear(&mut self, now: Nanos) {
        let mut routes = std::mem::take(&mut self.routes);
        routes.values_mut().for_each(Tally::clear);
        let mut folded = std::mem::take(&mut self.folded);
        folded.clear();
        *self = Self { since: now, routes, folded, ..Self::default() };
    }
}

/// The duration, if it tells how long an answer took: a client that left had none.
fn latency(facts: &Facts) -> Option<Nanos> {
    policy::latency(facts).filter(|_| facts.status > 0 && facts.outcome != Outcome::Aborted)
}
