//! Statistics for people, over all workers: for whoever has no Prometheus, or looks at one gateway now.
//!
//! # How
//!
//! Each worker counts in its own memory ([`pending`]) and adds that up four times a second into values that all
//! workers share: one [`book`] of all that was counted since the last reset, a ring of slices of the last five
//! minutes ([`window`]), and a list of the latest [`failures`]. Whoever reads adds up what he has himself, and reads.
//!
//! # What it promises
//!
//! * What is older than a tick is counted exactly, once, whichever worker it passed.
//! * Quantiles are those of all exchanges of all workers, within the error of [`histogram`]; counts, the mean, the
//!   shortest and the longest are exact.
//! * A VM that is lost takes with it what it has not added up: at most a tick's worth.
//! * After a reset nothing comes back that ended before it. What ended in the same tick as the reset is in neither
//!   the old numbers nor the new ones.
//! * Memory is bounded by the configuration, whatever clients send: at most `max_routes` routes.
//!
//! # What it does not
//!
//! Requests for operations endpoints, health checks and what the configuration excludes are counted apart and are in
//! none of the numbers: a health check every second is no traffic.

pub mod book;
pub mod failures;
pub mod flags;
pub mod histogram;
pub mod pending;
pub mod settings;
pub mod tally;
pub mod window;

use std::cell::{Cell, RefCell};

use kit::shared::{Change, SetError, UpdateError, update};
use kit::throttle::Throttle;
use kit::{Host, Nanos};

use crate::exclusion::Exclusion;
use crate::facts::Facts;
use book::Book;
use failures::{Failure, Failures};
use pending::Pending;
use settings::{Errors, Settings};
use window::Slice;

/// How often a worker adds up, at most: what a lost VM takes with it, and how late a reader may be.
pub const TICK: Nanos = Nanos::from_millis(250);

/// The shared name of the book.
const BOOK: &str = "weir/metrics/statistics";
/// The shared name of the failures.
const FAILURES: &str = "weir/metrics/failures";

/// The statistics as one worker keeps and reads them.
#[derive(Debug)]
pub struct Statistics {
    settings: Settings,
    errors: Errors,
    pending: RefCell<Pending>,
    flushed_at: Cell<Nanos>,
    complaints: Throttle,
}

/// All that was counted and is kept, as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was read.
    pub now: Nanos,
    /// Everything since the last reset.
    pub book: Book,
}

impl Statistics {
    /// The statistics of all workers, made if there are none.
    pub fn open(host: &dyn Host, settings: Settings, errors: Errors) -> Self {
        let now = host.now();
        if let Err(error) = prepare(host, now) {
            log::error!("metrics: statistics not prepared error={error}");
        }
        Self {
            settings,
            errors,
            pending: RefCell::new(Pending::new(now)),
            flushed_at: Cell::new(now),
            complaints: Throttle::default(),
        }
    }

    /// Counts an exchange, and what the filters said of it; what is no client's is counted apart.
    ///
    /// `failure` tells the rest of an exchange that failed; it is asked only if there is room for it.
    ///
    /// **Cost**: no host call but those of `failure`.
    pub fn count(
        &self,
        facts: &Facts,
        notes: &[(&'static str, &'static str)],
        failure: impl FnOnce(&Errors) -> Failure,
    ) {
        if !self.settings.enabled {
            return;
        }
        let mut pending = self.pending.borrow_mut();
        match facts.excluded {
            None => {}
            Some(Exclusion::Operations) => {
                pending.operations = pending.operations.saturating_add(1);
                return;
            }
            Some(Exclusion::HealthCheck | Exclusion::Configured) => {
                pending.excluded = pending.excluded.saturating_add(1);
                return;
            }
        }
        pending.add(facts, self.settings.max_routes);
        for (filter, word) in notes {
            pending.decide(filter, word);
        }
        if self.errors.keep(facts) {
            pending.n_failures = pending.n_failures.saturating_add(1);
            if pending.failures.len() < self.errors.max {
                pending.failures.push(failure(&self.errors));
            }
        }
    }

    /// Adds up what this worker has counted, if it is time.
    pub fn tick(&self, host: &dyn Host) {
        if is_due(self.flushed_at.get(), TICK, host.now()) {
            self.flush(host);
        }
    }

    /// Adds up what this worker has counted.
    ///
    /// **Cost**: nothing but a clock reading if there is nothing; else a get and a set of the book and of a slice,
    /// and of the failures if there are some.
    pub fn flush(&self, host: &dyn Host) {
        let now = host.now();
        self.flushed_at.set(now);
        let mut pending = self.pending.borrow_mut();
        if pending.is_empty() {
            pending.since = now;
            return;
        }
        let added = update(host, BOOK, |bytes| {
            let mut book = Book::read(bytes).unwrap_or_else(|| Book::new(now, pending.since));
            let generation = book.reset_at;
            if pending.since < generation {
                return (Change::Keep, None);
            }
            book.add(&pending, self.settings.max_routes);
            *bytes = book.to_bytes();
            (Change::Store, Some(generation))
        });
        let generation = match added {
            Ok(done) => done.value,
            Err(error) => {
                self.complain(now, error);
                return;
            }
        };
        if let Some(generation) = generation
            && let Err(error) = self.flush_rest(host, generation, &pending)
        {
            self.complain(now, error);
        }
        pending.clear(now);
    }

    /// Adds up what is not in the book; what is lost of it is lost.
    fn flush_rest(
        &self,
        host: &dyn Host,
        generation: Nanos,
        pending: &Pending,
    ) -> Result<(), UpdateError> {
        if pending.n > 0 {
            window::add(host, host.now(), generation, &pending.total())?;
        }
        if pending.n_failures == 0 {
            return Ok(());
        }
        let done = update(host, FAILURES, |bytes| {
            let mut failures = Failures::read(bytes, generation);
            if !failures.is_of(generation) {
                return (Change::Keep, ());
            }
            failures.add(&pending.failures, pending.n_failures, self.errors.max);
            *bytes = failures.to_bytes();
            (Change::Store, ())
        });
        done.map(|_| ())
    }

    /// Everything since the last reset, with what this worker has counted so far.
    pub fn snapshot(&self, host: &dyn Host) -> Snapshot {
        self.flush(host);
        let now = host.now();
        let found = host.shared_get(BOOK).and_then(|found| Book::read(&found.value));
        Snapshot { now, book: found.unwrap_or_else(|| Book::new(now, now)) }
    }

    /// The slices of the last `window`; `generation` is the book's last reset.
    pub fn slices(&self, host: &dyn Host, generation: Nanos, window: Nanos) -> Vec<Slice> {
        window::last(host, host.now(), generation, window)
    }

    /// The latest failures; `generation` is the book's last reset.
    pub fn failures(&self, host: &dyn Host, generation: Nanos) -> Failures {
        let found = host.shared_get(FAILURES).map(|found| found.value).unwrap_or_default();
        Failures::read(&found, generation)
    }

    /// How many failures are kept.
    pub const fn max_failures(&self) -> usize {
        self.errors.max
    }

    /// Forgets everything that was counted, for all workers; tells how many exchanges that were.
    ///
    /// # Errors
    /// Nothing was forgotten.
    pub fn reset(&self, host: &dyn Host) -> Result<u64, UpdateError> {
        self.flush(host);
        let now = host.now();
        let done = update(host, BOOK, |bytes| {
            let book = Book::read(bytes).unwrap_or_else(|| Book::new(now, now));
            // Later than any reset before, also where two fall on one reading of the clock.
            let reset_at = Nanos(now.0.max(book.reset_at.0.saturating_add(1)));
            *bytes = Book::new(book.started, reset_at).to_bytes();
            (Change::Store, book.total().requests())
        })?;
        Ok(done.value)
    }

    fn complain(&self, now: Nanos, error: UpdateError) {
        if self.complaints.is_due(now) {
            log::warn!("metrics: statistics not added up, tried again error={error}");
        }
    }
}

/// Whether it is time again for what was done last then; also if the clock has gone back since.
pub(crate) fn is_due(last: Nanos, period: Nanos, now: Nanos) -> bool {
    now.saturating_sub(last) >= period || now < last
}

/// Makes what is shared where there is none, so that later updates swap and never create.
fn prepare(host: &dyn Host, now: Nanos) -> Result<(), SetError> {
    if host.shared_get(BOOK).is_none_or(|found| Book::read(&found.value).is_none()) {
        host.shared_set(BOOK, &Book::new(now, now).to_bytes(), None)?;
    }
    if host.shared_get(FAILURES).is_none() {
        host.shared_set(FAILURES, &[], None)?;
    }
    window::prepare(host)
}
