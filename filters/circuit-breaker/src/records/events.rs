//! The last events: changes of state and acts of operators, over all breakers and workers.
//!
//! One shared value, a [`kit::record`] of at most [`N_EVENTS`] entries. The worker whose change it was adds it, once,
//! after its swap held; so a list can lack the event of a worker that died in between, and never has one twice.
//!
//! **Order**: by the clock that all workers share, whenever they come in: when the callback began, or the state that was
//! met there. So each breaker's events follow one another.

use kit::shared::{Change, update};
use kit::{Host, Nanos, record};
use serde::{Deserialize, Serialize};

use crate::breaker::State;
use crate::bytes::cut;
use crate::config::{Per, Rule};
use crate::entry::{number_of, state_of};
use crate::records::dossier::MAX_SCOPE;
use crate::signals;
use crate::unit::Unit;

/// Events that are kept: a bad hour of a few breakers.
pub const N_EVENTS: usize = 64;

/// Bytes of a cause that are kept: more than the longest with its numbers.
pub const MAX_CAUSE: usize = 128;

const NAME: &str = "weir/circuit-breaker-events";

const VERSION: u8 = 1;

/// The list of all workers.
#[derive(Debug, Clone, Copy)]
pub struct Events;

/// Something that happened to a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Wall-clock time in nanoseconds.
    pub wall: u64,
    /// Monotonic time in nanoseconds.
    pub at: u64,
    /// The rule.
    pub rule: String,
    /// What it is for, as operators may see it; empty if it is for the whole rule, or the key is not to be seen.
    pub scope: String,
    /// What stands for it.
    pub id: String,
    per: u8,
    from: u8,
    to: u8,
    /// Why, with the numbers: words with `=` between name and value.
    pub cause: String,
    /// The address of the operator whose act it was; empty if it was nobody's.
    pub by: String,
}

/// The list as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct List {
    /// How many there were since Envoy started.
    pub total: u64,
    /// The last of them, oldest first.
    pub events: Vec<Event>,
}

/// What happened, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When, by the monotonic clock; [`crate::policy::Stepped::at`].
    pub at: Nanos,
    /// The state before.
    pub from: State,
    /// The state after; the same if only an operator's hand came or went.
    pub to: State,
    /// Why, with the numbers: [`crate::report::because`].
    pub cause: String,
    /// The address of the operator whose act it was; empty if it was nobody's.
    pub by: String,
}

impl Event {
    /// This happened to this breaker; `id` stands for it.
    pub fn new(host: &dyn Host, rule: &Rule, unit: &Unit, id: String, what: Happened) -> Self {
        let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        // What is no text becomes longer as one.
        let short = |text: &[u8], room| lossy(cut(lossy(cut(text, room)).as_bytes(), room));
        let per = Per::ALL.iter().position(|per| *per == rule.per);
        Self {
            wall: host.wall().0,
            at: what.at.0,
            rule: rule.name.clone(),
            scope: short(&unit.shown.text(), MAX_SCOPE),
            id,
            per: per.and_then(|place| u8::try_from(place).ok()).unwrap_or(0),
            from: number_of(what.from),
            to: number_of(what.to),
            cause: short(what.cause.as_bytes(), MAX_CAUSE),
            by: what.by,
        }
    }

    /// What tells the breakers of its rule apart.
    pub fn per(&self) -> Per {
        Per::ALL.get(usize::from(self.per)).copied().unwrap_or_default()
    }

    /// The state before.
    pub fn from(&self) -> State {
        state_of(self.from).unwrap_or_default()
    }

    /// The state after.
    pub fn to(&self) -> State {
        state_of(self.to).unwrap_or_default()
    }
}

/// Where an event belongs among those that are there.
///
/// Of two of one breaker at one instant, which can come in in any order, the first begins where the one before ended.
fn place_of(event: &Event, others: &[Event]) -> usize {
    let is_own = |other: &&Event| other.id == event.id;
    let twin = others.iter().position(|other| is_own(&other) && other.at == event.at);
    let before = twin.and_then(|twin| others.get(..twin)?.iter().rfind(is_own));
    if let (Some(place), Some(before)) = (twin, before)
        && before.to == event.from
        && others.get(place).is_some_and(|twin| twin.from != event.from)
    {
        return place;
    }
    let last = others.iter().rposition(|other| other.at <= event.at);
    last.map_or(0, |last| last.saturating_add(1))
}

impl Events {
    /// Makes the shared value if there is none, so that later updates swap and never create.
    pub fn prepare(&self, host: &dyn Host) {
        if host.shared_get(NAME).is_none()
            && let Err(error) = host.shared_set(NAME, &[], None)
        {
            log::error!("{}: list of events not prepared: {error}", signals::NAME);
        }
    }

    /// Adds an event; the oldest gives way.
    ///
    /// **Cost**: one get and one set of at most 28 KiB.
    pub fn add(&self, host: &dyn Host, event: &Event) {
        let done = update(host, NAME, |bytes| {
            let mut list: List = record::decode(VERSION, bytes).unwrap_or_default();
            list.events.insert(place_of(event, &list.events), event.clone());
            let surplus = list.events.len().saturating_sub(N_EVENTS);
            list.events.drain(..surplus);
            list.total = list.total.saturating_add(1);
            *bytes = record::encode(VERSION, &list);
            (Change::Store, ())
        });
        if let Err(error) = done {
            log::warn!("{}: event not kept: {error}", signals::NAME);
        }
    }

    /// The list as it is.
    ///
    /// **Cost**: one get.
    pub fn list(&self, host: &dyn Host) -> List {
        let found = host.shared_get(NAME);
        found.and_then(|found| record::decode(VERSION, &found.value)).unwrap_or_default()
    }
}
