//! The list of URLs, as it is kept in shared data.

use std::collections::VecDeque;

use kit::{Nanos, record};
use serde::{Deserialize, Serialize};

use super::{AddError, Added, Job, MAX_BYTES, MAX_TRIES, MAX_URLS, Outcome, RETRY};

/// Changes with the fields of [`List`].
const VERSION: u8 = 1;

/// Failures that are told one by one, the latest.
const MAX_FAILURES: usize = 16;
/// Bytes of a failed URL that are told.
const MAX_TOLD: usize = 128;

/// Everything about the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    /// Which wording of the configured list was taken.
    pub(super) taken: u64,
    /// What the next job is called.
    next_id: u64,
    waiting: VecDeque<Waiting>,
    running: Vec<Running>,
    /// Jobs ended for good, by the class of their status; first those without one.
    ended: [u64; 6],
    stored: u64,
    retries: u64,
    lost: u64,
    failures: VecDeque<(String, u16)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    url: String,
    tries: u32,
    not_before: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    id: u64,
    until: u64,
    url: String,
    tries: u32,
}

/// How far warming is, since Envoy started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// URLs that wait.
    pub waiting: u32,
    /// URLs that are being fetched.
    pub running: u32,
    /// URLs that are done with: without an answer, then by the class of their last status, 1xx to 5xx.
    pub ended: [u64; 6],
    /// Those of them whose answer was stored.
    pub stored: u64,
    /// Tries after the first one of a URL.
    pub retries: u64,
    /// URLs whose worker was gone before they were done, and that another took again.
    pub lost: u64,
    /// The latest that were not stored, the last one last.
    pub failures: Vec<Failure>,
}

/// A URL that was fetched and not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The URL, perhaps cut.
    pub url: String,
    /// Its last status; `None` if nothing answered.
    pub status: Option<u16>,
}

impl List {
    /// The list in these bytes; an empty one if they are none.
    pub(super) fn read(bytes: &[u8]) -> Self {
        record::decode(VERSION, bytes).unwrap_or_default()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// Adds what is not there yet, if all of that fits.
    pub(super) fn add(&mut self, urls: &[String]) -> Result<Added, AddError> {
        let mut fresh: Vec<&String> = Vec::new();
        for url in urls {
            if !self.has(url) && !fresh.contains(&url) {
                fresh.push(url);
            }
        }
        let held = self.waiting.len().saturating_add(self.running.len());
        let all = self.waiting.iter().map(|entry| &entry.url);
        let all = all.chain(self.running.iter().map(|entry| &entry.url));
        let held_bytes: usize = all.map(String::len).sum();
        let room = (MAX_URLS.saturating_sub(held), MAX_BYTES.saturating_sub(held_bytes));
        let needed = fresh.iter().map(|url| url.len()).sum::<usize>();
        if fresh.len() > room.0 || needed > room.1 {
            return Err(AddError::Full { urls: room.0, bytes: room.1 });
        }
        let added = count(fresh.len());
        let fresh: Vec<String> = fresh.into_iter().cloned().collect();
        for url in fresh {
            self.waiting.push_back(Waiting { url, tries: 0, not_before: 0 });
        }
        Ok(Added { added, waiting_already: count(urls.len()).saturating_sub(added) })
    }

    fn has(&self, url: &String) -> bool {
        self.waiting.iter().any(|entry| entry.url == *url)
            || self.running.iter().any(|entry| entry.url == *url)
    }

    /// Forgets what waits.
    pub(super) fn stop(&mut self) -> u32 {
        let stopped = count(self.waiting.len());
        self.waiting.clear();
        stopped
    }

    /// Puts back in front what nobody has any longer. A lease longer than a lease can be is none either.
    pub(super) fn take_back_overdue(&mut self, lease: Nanos, now: Nanos) -> bool {
        let latest = now.saturating_add(lease).0;
        let is_held = |entry: &Running| entry.until > now.0 && entry.until <= latest;
        let overdue: Vec<Running> =
            self.running.iter().filter(|entry| !is_held(entry)).cloned().collect();
        self.running.retain(is_held);
        for Running { url, tries, .. } in overdue.iter().cloned() {
            self.lost = self.lost.saturating_add(1);
            if tries < MAX_TRIES {
                self.waiting.push_front(Waiting { url, tries, not_before: 0 });
            } else {
                self.end(&url, None);
            }
        }
        !overdue.is_empty()
    }

    /// Hands out what may run now.
    pub(super) fn take(&mut self, at_once: u32, until: Nanos, now: Nanos) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut idx = 0_usize;
        while count(self.running.len()) < at_once && idx < self.waiting.len() {
            if self.waiting.get(idx).is_none_or(|entry| entry.not_before > now.0) {
                idx = idx.saturating_add(1);
                continue;
            }
            let Some(Waiting { url, tries, .. }) = self.waiting.remove(idx) else { break };
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let tries = tries.saturating_add(1);
            self.running.push(Running { id, until: until.0, url: url.clone(), tries });
            jobs.push(Job { id, url });
        }
        jobs
    }

    /// Notes how a job ended; whether it was one.
    pub(super) fn done(&mut self, job: u64, outcome: Outcome, now: Nanos) -> bool {
        let Some(idx) = self.running.iter().position(|entry| entry.id == job) else { return false };
        let Running { url, tries, .. } = self.running.swap_remove(idx);
        if outcome.may_pass() && tries < MAX_TRIES {
            self.retries = self.retries.saturating_add(1);
            let wait = RETRY.0.saturating_mul(u64::from(tries));
            self.waiting.push_back(Waiting { url, tries, not_before: now.0.saturating_add(wait) });
            return true;
        }
        match outcome {
            Outcome::Answered { status, is_stored: true } => {
                self.stored = self.stored.saturating_add(1);
                self.count_end(Some(status));
            }
            Outcome::Answered { status, is_stored: false } => self.end(&url, Some(status)),
            Outcome::Failed => self.end(&url, None),
        }
        true
    }

    /// A URL is done with, and not stored.
    fn end(&mut self, url: &str, status: Option<u16>) {
        self.count_end(status);
        if self.failures.len() >= MAX_FAILURES {
            self.failures.pop_front();
        }
        // A URL is ASCII, so it can be cut anywhere.
        let told = url.get(..MAX_TOLD).unwrap_or(url);
        self.failures.push_back((told.to_owned(), status.unwrap_or(0)));
    }

    fn count_end(&mut self, status: Option<u16>) {
        let class = usize::from(status.map_or(0, |status| status / 100));
        if let Some(count) = self.ended.get_mut(class) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let failures = self.failures.iter().map(|(url, status)| Failure {
            url: url.clone(),
            status: (*status != 0).then_some(*status),
        });
        Progress {
            waiting: count(self.waiting.len()),
            running: count(self.running.len()),
            ended: self.ended,
            stored: self.stored,
            retries: self.retries,
            lost: self.lost,
            failures: failures.collect(),
        }
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
