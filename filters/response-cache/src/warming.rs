//! URLs that are fetched before anybody asks for them.
//!
//! **What it answers**: which URLs does this worker fetch now, and how far is the list? It fetches nothing itself.
//!
//! The list is one value in shared data, and every change to it a compare-and-swap: the budget of requests at once holds
//! over all workers. Each URL that is being fetched is a lease on its own. When the worker that has it dies, the lease
//! ends and any other takes the URL again, so no worker is special and nothing has to be handed over.
//! What is done leaves the list and is only counted: the value is small when there is nothing to do.
//!
//! The list of the configuration is taken once for each wording of it: neither another worker nor a restarted VM warms
//! it again, a changed list is warmed as a whole.
//! What fails in a way that may pass (no answer, 429, 502, 503, 504) is tried again up to [`MAX_TRIES`] times:
//! Envoy may begin to tick before its listeners and clusters are ready.
//!
//! **Memory**: at most [`MAX_URLS`] URLs of at most [`MAX_BYTES`] together, and 3 KiB.

mod list;

use kit::hash::Secret;
use kit::shared::{Change, UpdateError, update};
use kit::{Host, Nanos};

use list::List;
pub use list::{Failure, Progress};

/// URLs that may wait at once.
pub const MAX_URLS: usize = 1_024;
/// What they may come to together: read in a few microseconds.
pub const MAX_BYTES: usize = 64 << 10;
/// How often a URL is tried.
pub const MAX_TRIES: u32 = 3;
/// Before the second try; before the third twice as long.
pub const RETRY: Nanos = Nanos::from_secs(2);
/// A lease ends so long after the request's own timeout.
const SLACK: Nanos = Nanos::from_secs(2);

/// How fast the list is worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests at once, over all workers.
    pub at_once: u32,
    /// After this a request counts as failed.
    pub timeout: Nanos,
}

/// One worker's view of the list.
#[derive(Debug)]
pub struct Warming {
    name: String,
    budget: Budget,
}

/// A URL to fetch now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What to call it in [`Warming::done`].
    pub id: u64,
    /// The URL.
    pub url: String,
}

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something answered.
    Answered {
        /// Its status.
        status: u16,
        /// Whether the answer is in the store now.
        is_stored: bool,
    },
    /// Nothing did.
    Failed,
}

impl Outcome {
    /// Whether another try may end otherwise.
    const fn may_pass(self) -> bool {
        match self {
            Self::Answered { status, is_stored } => {
                !is_stored && matches!(status, 429 | 502 | 503 | 504)
            }
            Self::Failed => true,
        }
    }
}

/// How many URLs were put on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// New ones.
    pub added: u32,
    /// Those that waited already or are being fetched.
    pub waiting_already: u32,
}

/// Why no URL was put on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// They do not fit.
    #[error(
        "the list has room for {urls} more URLs of {bytes} bytes together; wait until some are done, or send fewer"
    )]
    Full {
        /// URLs that it has room for.
        urls: usize,
        /// Bytes that it has room for.
        bytes: usize,
    },
    /// Shared data was not to be had.
    #[error(transparent)]
    Store(#[from] UpdateError),
}

impl Warming {
    /// Opens the list of the store of this name, and puts the configured URLs on it if they were not before.
    ///
    /// Runs on every worker and every configuration: doing it twice changes nothing.
    pub fn open(host: &dyn Host, store: &str, budget: Budget, configured: &[String]) -> Self {
        let this = Self { name: format!("weir/response-cache/{store}/warm"), budget };
        if !configured.is_empty() {
            let wording = wording(host, configured);
            let taken = this.change(host, |list| {
                if list.taken == wording {
                    return (Change::Keep, Ok(Added::default()));
                }
                list.taken = wording;
                (Change::Store, list.add(configured))
            });
            if let Err(error) = taken.map_err(AddError::from).and_then(|added| added) {
                log::error!("response-cache: configured URLs not warmed: {error}");
            }
        }
        this
    }

    /// Puts these URLs at the end of the list: all or none.
    ///
    /// # Errors
    /// [`AddError::Full`] if they do not fit, [`AddError::Store`] if shared data was not to be had.
    pub fn add(&self, host: &dyn Host, urls: &[String]) -> Result<Added, AddError> {
        self.change(host, |list| {
            let added = list.add(urls);
            (
                if added.is_ok_and(|added| added.added > 0) { Change::Store } else { Change::Keep },
                added,
            )
        })?
    }

    /// Takes all URLs off the list that wait; those that are being fetched go on. Tells how many.
    ///
    /// # Errors
    /// Shared data was not to be had.
    pub fn stop(&self, host: &dyn Host) -> Result<u32, UpdateError> {
        self.change(host, |list| {
            let stopped = list.stop();
            (if stopped > 0 { Change::Store } else { Change::Keep }, stopped)
        })
    }

    /// What this worker fetches now; call it on each tick.
    ///
    /// At most `at_once` of them: what the budget leaves.
    ///
    /// **Cost**: one get, about 1 µs while there is nothing to do; one set if there is.
    pub fn on_tick(&self, host: &dyn Host, now: Nanos) -> Vec<Job> {
        let lease = self.budget.timeout.saturating_add(SLACK);
        let taken = self.change(host, |list| {
            let had_overdue = list.take_back_overdue(lease, now);
            let jobs = list.take(self.budget.at_once, now.saturating_add(lease), now);
            let is_changed = had_overdue || !jobs.is_empty();
            (if is_changed { Change::Store } else { Change::Keep }, jobs)
        });
        // What is not taken now is taken on a later tick.
        taken.unwrap_or_default()
    }

    /// A job ended.
    ///
    /// One that was taken back meanwhile, because its lease was over, counts for whoever took it then.
    ///
    /// **Cost**: one get, one set.
    pub fn done(&self, host: &dyn Host, job: u64, outcome: Outcome, now: Nanos) {
        let told = self.change(host, |list| {
            let is_known = list.done(job, outcome, now);
            (if is_known { Change::Store } else { Change::Keep }, ())
        });
        if let Err(error) = told {
            // The lease ends on its own, and the URL is fetched again.
            log::debug!("response-cache: end of warming not noted: {error}");
        }
    }

    /// How far it is.
    ///
    /// **Cost**: one get.
    pub fn progress(&self, host: &dyn Host) -> Progress {
        let found = host.shared_get(&self.name);
        found.map(|found| List::read(&found.value)).unwrap_or_default().progress()
    }

    fn change<T>(
        &self,
        host: &dyn Host,
        mut change: impl FnMut(&mut List) -> (Change, T),
    ) -> Result<T, UpdateError> {
        let updated = update(host, &self.name, |bytes| {
            let mut list = List::read(bytes);
            let (changed, value) = change(&mut list);
            if changed == Change::Store {
                *bytes = list.write();
            }
            (changed, value)
        })?;
        Ok(updated.value)
    }
}

/// A number for this wording of the configured list; never zero.
fn wording(host: &dyn Host, urls: &[String]) -> u64 {
    let tag = Secret::of_process(host).tag(urls.join("\n").as_bytes()).to_bytes();
    tag.first_chunk::<8>().map_or(1, |low| u64::from_le_bytes(*low)).max(1)
}

#[cfg(test)]
mod tests;
