//! Which keys occur most: a short list that no number of clients can grow.
//!
//! **Question**: which keys were met in the last minutes, and how often? The caller says what is counted, such as
//! refusals or requests, and under which shared name.
//!
//! The answer is the *space-saving* sketch: a fixed number of counters ([`Shape`]), each for one key.
//! A key that has none takes over the smallest, and with it its count, which it remembers as its possible error.
//! Counts are kept for the running period of five minutes and for the one before; a report adds both up.
//!
//! **Promise**, with no update lost: a key's true number lies between [`Counter::at_least`] and
//! [`Counter::at_most`], and of `n` counters every key with more than an `n`th of all is in the list.
//!
//! Counting must stay cheap while somebody floods: each worker gathers its own ([`Gathered`]) and adds them up
//! at its tick, so a report is up to a tick behind.
//!
//! **Not promised**: that none is lost. This is statistics: a worker that can not add up what it gathered,
//! because others are faster, does not try for long; it stays gathered, and the caller keeps it for the next time or
//! forgets it. What a lost VM had gathered is lost.
//!
//! **Edges**: a worker that is one period behind counts into the running one; a clock that jumped further, either
//! way, starts afresh. Bytes of another layout count as none.
//!
//! **Source**: Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data
//! Streams", ICDT 2005; adding two sketches up: Agarwal et al., "Mergeable Summaries", PODS 2012.

mod gathered;
mod sketch;

use crate::shared::{Change, SetError, SharedData, UpdateError, update_within};
use crate::units::Nanos;

pub use gathered::{Gathered, Noted};
pub use sketch::Sketch;

/// How long one period is: a report covers one to two of them.
pub const PERIOD: Nanos = Nanos::from_mins(5);

/// Bytes of a readable key that are kept.
pub const MAX_LABEL: usize = 64;

/// Tries to add up; a conflict means that another worker did.
const ATTEMPTS: u32 = 3;

/// The keys that occur most, in one shared value.
#[derive(Debug, Clone)]
pub struct Top {
    name: String,
    shape: Shape,
}

/// What is kept, and for how many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether readable keys are kept.
    pub labels: Labels,
    /// Counters per period.
    pub counters: usize,
}

/// Whether readable keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// Nothing of a key but its tag.
    Hidden,
    /// Its first [`MAX_LABEL`] bytes.
    Shown,
}

/// What a list says now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How far back it reaches: one to two periods.
    pub span: Nanos,
    /// All that was counted in that span, of any key.
    pub total: u64,
    /// The key with the highest count first: at most two times [`Shape::counters`].
    pub counters: Vec<Counter>,
}

/// How often one key was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The key's tag.
    pub tag: [u8; 16],
    /// How often at the most.
    pub at_most: u64,
    /// By how much that may be too many.
    pub error: u64,
    /// The readable key, if it is kept, cut at [`MAX_LABEL`] bytes.
    pub label: Option<String>,
}

impl Counter {
    /// How often at the least.
    pub const fn at_least(&self) -> u64 {
        self.at_most.saturating_sub(self.error)
    }
}

impl Top {
    /// The list under this shared name, which must be made of nothing that a client sends.
    pub const fn new(name: String, shape: Shape) -> Self {
        Self { name, shape }
    }

    /// Makes the shared value if there is none, so that later updates swap and never create.
    ///
    /// **Cost**: one get, and one set the first time.
    ///
    /// # Errors
    /// The host refused to store.
    pub fn prepare<S: SharedData + ?Sized>(&self, store: &S) -> Result<(), SetError> {
        match store.shared_get(&self.name) {
            Some(_) => Ok(()),
            None => store.shared_set(&self.name, &[], None),
        }
    }

    /// Counts what a worker has gathered, and forgets it there; after three conflicts it stays for the next time.
    ///
    /// **Cost**: nothing if nothing is gathered; else one get and one set of [`Shape::size`] bytes;
    /// each conflict the same again.
    ///
    /// # Errors
    /// The host refused to store.
    pub fn count<S: SharedData + ?Sized>(
        &self,
        store: &S,
        gathered: &[&Gathered],
        now: Nanos,
    ) -> Result<(), UpdateError> {
        if gathered.iter().all(|gathered| gathered.is_empty()) {
            return Ok(());
        }
        let done = update_within(store, &self.name, ATTEMPTS, |bytes| {
            let mut sketch = Sketch::from_bytes(self.shape, std::mem::take(bytes));
            for gathered in gathered {
                gathered.each(|noted| sketch.add(noted.tag, &noted.label, noted.count, now));
            }
            *bytes = sketch.into_bytes();
            (Change::Store, ())
        })?;
        if done.is_some() {
            gathered.iter().for_each(|gathered| gathered.clear());
        }
        Ok(())
    }

    /// What the list says now.
    ///
    /// **Cost**: one get.
    pub fn report<S: SharedData + ?Sized>(&self, store: &S, now: Nanos) -> Report {
        let bytes = store.shared_get(&self.name).map(|found| found.value).unwrap_or_default();
        Sketch::from_bytes(self.shape, bytes).report(now)
    }
}

#[cfg(test)]
mod tests;
