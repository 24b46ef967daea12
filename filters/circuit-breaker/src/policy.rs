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
//! A bootstrap can have Envoy keep no value for a gauge; then every request reads its breaker.

use kit::hash::{Secret, Tag};
use kit::meter::{Kind, MetricId};
use kit::shared::UpdateError;
use kit::table::{Place, Table, Verb};
use kit::{Host, Nanos};

use crate::breaker::settings::{ProbeMethods, Settings};
use crate::breaker::{Asker, Breaker, Decision, Effects, Event, Refusal};
use crate::config::Per;
use crate::entry::Packed;
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
    /// None if the host keeps no value for it.
    n_not_closed: Option<MetricId>,
}

/// What a step did, and to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    /// What it did to the breaker.
    pub effects: Effects,
    /// Whether another breaker was forgotten for it.
    pub has_evicted: bool,
    /// When: never before the state began that it met, also if this worker's callback began earlier.
    pub at: Nanos,
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
        Self { table, secret: Secret::of_process(host), n_not_closed: counting_gauge(host) }
    }

    /// The place of a breaker: the same for every worker and configuration.
    pub fn place(&self, rule: &str, per: Per, scope: &[u8]) -> Tag {
        self.secret.tag(&[rule.as_bytes(), b"\0", per.as_str().as_bytes(), b"\0", scope].concat())
    }

    /// Stands for a breaker wherever it is told: a hash of its place, so that nobody learns what crowds it out.
    pub fn id(&self, place: Tag) -> String {
        self.secret.alias(place.to_bytes())
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
    /// **Cost**: one get where nothing changes: the breaker is closed, recovering or open;
    /// for probes and what is shed as [`Breakers::step`], on top of it.
    ///
    /// # Errors
    /// The breaker had to change, and could not.
    pub fn ask(
        &self,
        host: &dyn Host,
        place: Tag,
        settings: &Settings,
        is_safe: impl FnOnce() -> bool,
        now: Nanos,
    ) -> Result<Stepped, UpdateError> {
        let luck = host.random();
        let breaker = self.find(host, place).unwrap_or_default();
        let (next, effects) =
            breaker.step(settings, Event::Ask { asker: Asker::Unsafe, luck }, now);
        let depends_on_asker = matches!(
            effects.decision,
            Some(
                Decision::Probe(_)
                    | Decision::Reject { reason: Refusal::Probing | Refusal::Unsafe, .. }
            )
        ) && settings.probes.methods != ProbeMethods::Own;
        if next == breaker && !depends_on_asker {
            return Ok(Stepped { effects, has_evicted: false, at: now });
        }
        let asker = if depends_on_asker && is_safe() { Asker::Safe } else { Asker::Unsafe };
        self.step(host, place, settings, Event::Ask { asker, luck }, now)
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
            let change = i64::from(next.is_out()) - i64::from(breaker.is_out());
            if change > 0 && raised == 0 {
                self.raise(host, 1);
                raised = 1;
            }
            let verb = if next == breaker { Verb::Keep } else { Verb::Store(next) };
            (verb, (effects, change, breaker.not_before(now)))
        });
        let change = stepped.map_or(0, |done| done.value.1);
        self.raise(host, change - raised);
        stepped.map(|done| Stepped {
            effects: done.value.0,
            has_evicted: matches!(done.place, Place::Evicted(_)),
            at: done.value.2,
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

/// The gauge of breakers that are not closed, if the host keeps what is added to it.
///
/// It is moved up and back to see: in between, whoever else does the same, it is above zero if it keeps anything.
fn counting_gauge(host: &dyn Host) -> Option<MetricId> {
    let metric = host.define(Kind::Gauge, signals::NOT_CLOSED)?;
    host.add(metric, 1);
    let keeps = host.read(metric) > 0;
    host.add(metric, -1);
    if !keeps {
        log::warn!(
            "{}: {} keeps no value, so every request reads its breaker; \
             let the bootstrap's stats_config.stats_matcher include it",
            signals::NAME,
            signals::NOT_CLOSED
        );
    }
    keeps.then_some(metric)
}
