//! What is kept of what happened, for operators: every breaker by name, its last failures, and the last events.
//!
//! None of it decides anything: what cannot be stored is left out, and a healthy request touches none of it.
//! All of it is shared by the workers and bounded; it outlives an update of the configuration and a lost VM.
//! Texts are cut, and a client's key is kept in clear only where the rule says `show_keys`.

pub mod dossier;
pub mod events;
pub mod flags;

use kit::exchange::Attribute;
use kit::hash::Tag;
use kit::table::{Table, Verb};
use kit::{Exchange, Host, Nanos};

use crate::config::Rule;
use crate::signals;
use crate::unit::Unit;
use dossier::{Dossier, Failure, Packed};
use events::Events;

/// The shared name of the dossiers.
const TABLE: &str = "circuit-breaker/dossiers";

/// Slots per configured breaker: as many as the breakers have, so that one that is kept has a name.
const SLOTS_PER_BREAKER: u32 = 4;

/// What all workers keep for operators.
#[derive(Debug)]
pub struct Records {
    dossiers: Table<Packed>,
    /// What happened last.
    pub events: Events,
}

/// How a request ended that speaks against its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bad {
    /// It failed.
    pub has_failed: bool,
    /// Its answer began late.
    pub is_slow: bool,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What gRPC says of it.
    pub grpc_status: Option<u32>,
    /// How long it had taken by then.
    pub took: Nanos,
}

impl Records {
    /// Opens them, and makes what does not exist of them: idempotent.
    pub fn open(host: &dyn Host, max_breakers: u32) -> Self {
        let slots = max_breakers.saturating_mul(SLOTS_PER_BREAKER);
        let this = Self { dossiers: Table::new(TABLE, slots, Packed), events: Events };
        if let Err(error) = this.dossiers.prepare(host) {
            log::error!(
                "{}: dossiers not prepared: {error}; operators may miss some",
                signals::NAME
            );
        }
        this.events.prepare(host);
        this
    }

    /// Takes note of a breaker, if this worker meets it for the first time.
    ///
    /// One that is met anew each time, a key's or one beyond `max_breakers`, is noted when it first fails.
    ///
    /// **Cost**: nothing but at the first meeting; then one get, and a set if no worker met it before.
    pub fn meet(&self, host: &dyn Host, rule: &Rule, unit: &Unit) {
        if unit.is_listed.replace(true) {
            return;
        }
        self.write(host, rule, unit, |dossier, is_new| is_new.then_some(dossier));
    }

    /// Takes note of a request that failed or was slow.
    ///
    /// **Cost**: one get and one set of the dossiers' table, about five values of the exchange, and the wall clock.
    pub fn fail(&self, x: &dyn Exchange, rule: &Rule, unit: &Unit, bad: Bad) {
        let text = |attribute| x.attribute(attribute);
        let failure = Failure {
            at: x.host().wall(),
            has_failed: bad.has_failed,
            is_slow: bad.is_slow,
            status: bad.status,
            grpc_status: bad.grpc_status,
            flags: x.number(Attribute::ResponseFlags).unwrap_or(0),
            took: bad.took,
            route: text(Attribute::RouteName).map(|name| name.to_vec()).unwrap_or_default(),
            reason: text(Attribute::ResponseDetails).map(|why| why.to_vec()).unwrap_or_default(),
        };
        self.add(x.host(), rule, unit, &failure);
    }

    /// Takes note of a failure.
    ///
    /// **Cost**: one get and one set of the dossiers' table.
    pub fn add(&self, host: &dyn Host, rule: &Rule, unit: &Unit, failure: &Failure) {
        self.write(host, rule, unit, |mut dossier, _is_new| {
            dossier.add(failure.clone());
            Some(dossier)
        });
    }

    /// Takes note of how long an operator's hand holds it, so that its name is not forgotten before.
    pub fn hold(&self, host: &dyn Host, rule: &Rule, unit: &Unit, until: Nanos) {
        self.write(host, rule, unit, |mut dossier, is_new| {
            let is_changed = is_new || dossier.held_until != until;
            dossier.held_until = until;
            is_changed.then_some(dossier)
        });
    }

    /// The dossier of a breaker; none if it was never met, or forgotten.
    ///
    /// **Cost**: one get.
    pub fn find(&self, host: &dyn Host, place: Tag) -> Option<Dossier> {
        self.dossiers.find(host, place)
    }

    /// Shows every dossier.
    ///
    /// **Cost**: one get for each bucket, half as many as `max_breakers`.
    pub fn each(&self, host: &dyn Host, see: impl FnMut(Tag, Dossier)) {
        self.dossiers.each(host, see);
    }

    /// Changes a dossier as `change` says, which gets a new one if there is none; `None` changes nothing.
    fn write(
        &self,
        host: &dyn Host,
        rule: &Rule,
        unit: &Unit,
        mut change: impl FnMut(Dossier, bool) -> Option<Dossier>,
    ) {
        let now = host.now();
        let done = self.dossiers.update(host, unit.place, now, |found| {
            let is_new = found.is_none();
            let changed = change(found.unwrap_or_else(|| Dossier::new(rule, unit)), is_new);
            let verb = changed
                .map_or(Verb::Keep, |dossier| Verb::Store(Dossier { seen_at: now, ..dossier }));
            (verb, ())
        });
        // What is not kept is missing in an operator's list, and nowhere else.
        let _ = done;
    }
}
