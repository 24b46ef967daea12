//! One breaker for all workers: the pure machine over the shared table.
//!
//! Every change is read, step, compare-and-swap; the effects are those of the step whose swap held,
//! so a transition is told to exactly one worker, which logs and counts it.
//!
//! Reading a shared value costs a microsecond, reading a gauge a seventh of it.
//! So a gauge counts the breakers that are not closed, and while it says zero a request is admitted unread.
//! This loses nothing: a worker that is about to open a breaker raises the gauge *before* it swaps,
//! and lowers it again only if the swap failed, or after the swap that closed the breaker.
//! At every instant the gauge is at least the number of breakers that are not closed.
//! If a worker dies between the two, or a breaker is evicted, it stays too high: that costs the microsecond.

use kit::hash::{Secret, Tag};
use kit::meter::{Kind, MetricId};
use kit::shared::UpdateError;
use kit::table::{Place, Table, Verb};
use kit::{Host, Nanos};

use crate::breaker::{Breaker, Decision, Effects, Event, Refusal, State};
use crate::config::Per;
use crate::entry::Packed;
use crate::settings::Settings;
use crate::signals;

/// Slots of the table per configured breaker: buckets of eight are then full once in some thousand tables.
const SLOTS_PER_BREAKER: u32 = 4;

/// The shared name of the table.
const TABLE: &str = "circuit-breaker";

/// All breakers.
#[derive(Debug)]
pub struct Breakers {
    table: Table<Packed>,
    secret: Secret,
    n_not_closed: Option<MetricId>,
}

/// What a step did, and to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    /// What it did to the breaker.
    pub effects: Effects,
    /// Whether another breaker was forgotten for it.
    pub has_evicted: bool,
}

impl Breakers {
    /// Opens the table and makes what does not exist of it: idempotent.
    pub fn open(host: &dyn Host, max_breakers: u32) -> Self {
        let table = Table::new(TABLE, max_breakers.saturating_mul(SLOTS_PER_BREAKER), Packed);
        if let Err(error) = table.prepare(host) {
            log::error!(
                "{}: table not prepared: {error}; breakers may lose updates",
                signals::NAME
            );
        }
        let n_not_closed = host.define(Kind::Gauge, signals::NOT_CLOSED);
        Self { table, secret: Secret::of_process(host), n_not_closed }
    }

    /// The place of a breaker: the same for every worker and configuration.
    pub fn place(&self, rule: &str, per: Per, scope: &[u8]) -> Tag {
        self.secret.tag(&[rule.as_bytes(), b"\0", per.as_str().as_bytes(), b"\0", scope].concat())
    }

    /// Whether every breaker is closed, for certain.
    ///
    /// **Cost**: one reading of a metric.
    pub fn are_all_closed(&self, host: &dyn Host) -> bool {
        self.n_not_closed.is_some_and(|metric| host.read(metric) == 0)
    }

    /// A breaker as it is; none if it has seen nothing.
    ///
    /// **Cost**: one get.
    pub fn find(&self, host: &dyn Host, place: Tag) -> Option<Breaker> {
        self.table.find(host, place)
    }

    /// Asks whether a request may pass; `is_safe` tells of its method if that matters.
    ///
    /// **Cost**: one get where nothing changes, as long as the breaker is closed or open;
    /// for probes as [`Breakers::step`], on top of it.
    ///
    /// # Errors
    /// A probe was due, and the step did not happen.
    pub fn ask(
        &self,
        host: &dyn Host,
        place: Tag,
        settings: &Settings,
        is_safe: impl FnOnce() -> bool,
        now: Nanos,
    ) -> Result<Stepped, UpdateError> {
        let breaker = self.find(host, place).unwrap_or_default();
        let (next, effects) = breaker.step(settings, Event::Ask { is_safe: false }, now);
        match effects.decision {
            Some(Decision::Admit(_) | Decision::Reject { reason: Refusal::Open, .. })
                if next == breaker =>
            {
                Ok(Stepped { effects, has_evicted: false })
            }
            _ => self.step(host, place, settings, Event::Ask { is_safe: is_safe() }, now),
        }
    }

    /// Lets a breaker make a step.
    ///
    /// **Cost**: one get, and one set if the breaker changed.
    ///
    /// # Errors
    /// The step did not happen.
    pub fn step(
        &self,
        host: &dyn Host,
        place: Tag,
        settings: &Settings,
        event: Event,
        now: Nanos,
    ) -> Result<Stepped, UpdateError> {
        // How much higher the gauge is than it was.
        let mut raised = 0;
        let stepped = self.table.update(host, place, now, |found| {
            let breaker = found.unwrap_or_default();
            let (next, effects) = breaker.step(settings, event, now);
            let is_opening = breaker.state == State::Closed && next.state != State::Closed;
            if is_opening && raised == 0 {
                self.raise(host, 1);
                raised = 1;
            }
            let verb = if next == breaker { Verb::Keep } else { Verb::Store(next) };
            (verb, effects)
        });
        let change = stepped.map_or(0, |done| change_of_not_closed(&done.value));
        self.raise(host, change - raised);
        stepped.map(|done| Stepped {
            effects: done.value,
            has_evicted: matches!(done.place, Place::Evicted(_)),
        })
    }

    fn raise(&self, host: &dyn Host, by: i64) {
        if let Some(metric) = self.n_not_closed
            && by != 0
        {
            host.add(metric, by);
        }
    }
}

/// By how much a step changes the number of breakers that are not closed.
fn change_of_not_closed(effects: &Effects) -> i64 {
    let is_out = |state: State| i64::from(state != State::Closed);
    effects.transition.map_or(0, |transition| is_out(transition.to) - is_out(transition.from))
}
