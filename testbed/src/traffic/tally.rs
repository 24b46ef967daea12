//! What became of the traffic, and how it is told. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::mix::Kind;
use super::phase::Phase;

/// One request that is over.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What it was.
    pub kind: Kind,
    /// The status; `None` if there was no whole answer.
    pub status: Option<u16>,
    /// From the first byte sent to the last one read, or to giving up.
    pub took: Duration,
    /// Whether the cache answered.
    pub is_hit: bool,
    /// Whether the breaker answered.
    pub is_rejected: bool,
}

impl Default for Answered {
    fn default() -> Self {
        Self {
            kind: Kind::Plain,
            status: None,
            took: Duration::ZERO,
            is_hit: false,
            is_rejected: false,
        }
    }
}

/// The counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that are over, answered or not.
    pub n_over: u64,
    /// Requests that were not sent, since all clients were busy.
    pub n_unsent: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers that the cache gave, stale ones too.
    pub n_hits: u64,
    /// Answers of the cache's route that came from the service.
    pub n_misses: u64,
    /// Requests that the limit refused.
    pub n_limited: u64,
    /// Requests that the breaker refused.
    pub n_rejected: u64,
    /// How often the breaker let a request pass after it had refused one.
    pub n_closed: u64,
    /// Clients that did not wait for their answer.
    pub n_given_up: u64,
    /// Requests without a whole answer, from clients that waited.
    pub n_lost: u64,
    /// How long whole answers took, in milliseconds.
    took_ms: Vec<u64>,
    is_open: bool,
}

impl Tally {
    /// Counts a request that is over.
    pub fn count(&mut self, answered: &Answered) {
        self.n_over += 1;
        let Some(status) = answered.status else {
            let gives_up = answered.kind == Kind::Impatient;
            *(if gives_up { &mut self.n_given_up } else { &mut self.n_lost }) += 1;
            return;
        };
        *self.statuses.entry(status).or_default() += 1;
        self.took_ms.push(u64::try_from(answered.took.as_millis()).unwrap_or(u64::MAX));
        match answered.kind {
            Kind::Cached if answered.is_hit => self.n_hits += 1,
            Kind::Cached => self.n_misses += 1,
            Kind::Limited if status == 429 => self.n_limited += 1,
            Kind::Fragile if answered.is_rejected => {
                self.n_rejected += 1;
                self.is_open = true;
            }
            // A probe that fails is answered by the service too.
            Kind::Fragile if status == 200 && self.is_open => {
                self.n_closed += 1;
                self.is_open = false;
            }
            Kind::Plain | Kind::Limited | Kind::Fragile | Kind::Slow | Kind::Impatient => {}
        }
    }

    /// Counts a request that could not be sent.
    pub fn unsent(&mut self) {
        self.n_unsent += 1;
    }

    /// One line while it goes on.
    #[must_use]
    pub fn progress(&self, passed: Duration, total: Duration, phase: Phase) -> String {
        format!(
            "{:>3} of {} s, {} requests, {} hits, {} limited, {} refused: {}",
            passed.as_secs(),
            total.as_secs(),
            self.n_over,
            self.n_hits,
            self.n_limited,
            self.n_rejected,
            phase.words(),
        )
    }

    /// What it all came to, some lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut told = format!("{} requests", self.n_over);
        let statuses: Vec<String> =
            self.statuses.iter().map(|(status, n)| format!("{status}: {n}")).collect();
        let quantile = |share| self.quantile(share);
        let asked = self.n_hits + self.n_misses;
        let lines = [
            ("answers", statuses.join(", ")),
            (
                "time",
                format!(
                    "half within {} ms, 95 of 100 within {} ms, the last {} ms",
                    quantile(0.5),
                    quantile(0.95),
                    quantile(1.0)
                ),
            ),
            (
                "cache",
                format!("{} hits of {asked}, {} went to the service", self.n_hits, self.n_misses),
            ),
            ("limit", format!("{} refused", self.n_limited)),
            (
                "breaker",
                format!("{} refused, closed again {} times", self.n_rejected, self.n_closed),
            ),
            ("clients", format!("{} did not wait for their answer", self.n_given_up)),
        ];
        for (name, text) in lines {
            let _ = write!(told, "\n  {name:<8} {text}");
        }
        if self.n_lost > 0 {
            let _ = write!(told, "\n  lost     {} had no whole answer", self.n_lost);
        }
        if self.n_unsent > 0 {
            let _ = write!(
                told,
                "\n  unsent   {}, all clients were busy: a lower rate fits this machine",
                self.n_unsent
            );
        }
        told
    }

    /// The time within which this share of the answers came, in milliseconds.
    fn quantile(&self, share: f64) -> u64 {
        let mut sorted = self.took_ms.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let idx = (0..=last).find(|idx| *idx as f64 >= share * last as f64);
        idx.and_then(|idx| sorted.get(idx)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(kind: Kind, status: Option<u16>, ms: u64) -> Answered {
        Answered { kind, status, took: Duration::from_millis(ms), ..Answered::default() }
    }

    #[test]
    fn each_end_of_a_request_is_told_under_its_name() {
        let mut tally = Tally::default();
        for ms in 1..=20 {
            tally.count(&answered(Kind::Plain, Some(200), ms));
        }
        tally.count(&Answered { is_hit: true, ..answered(Kind::Cached, Some(200), 1) });
        tally.count(&answered(Kind::Cached, Some(200), 1));
        tally.count(&answered(Kind::Limited, Some(429), 1));
        tally.count(&Answered { is_rejected: true, ..answered(Kind::Fragile, Some(503), 1) });
        tally.count(&answered(Kind::Fragile, Some(200), 1));
        tally.count(&answered(Kind::Fragile, Some(200), 1));
        tally.count(&answered(Kind::Impatient, None, 100));
        tally.unsent();
        assert_eq!(
            tally.summary(),
            "27 requests\n  \
             answers  200: 24, 429: 1, 503: 1\n  \
             time     half within 8 ms, 95 of 100 within 19 ms, the last 20 ms\n  \
             cache    1 hits of 2, 1 went to the service\n  \
             limit    1 refused\n  \
             breaker  1 refused, closed again 1 times\n  \
             clients  1 did not wait for their answer\n  \
             unsent   1, all clients were busy: a lower rate fits this machine"
        );
    }

    #[test]
    fn the_line_of_progress_tells_time_counts_and_phase() {
        let seconds = Duration::from_secs;
        assert_eq!(
            Tally::default().progress(seconds(7), seconds(60), Phase::Slow),
            "  7 of 60 s, 0 requests, 0 hits, 0 limited, 0 refused: one instance is slow"
        );
        assert!(Tally::default().summary().starts_with("0 requests\n"));
    }
}
