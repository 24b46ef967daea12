//! How many exchanges are under way, by route, over all workers.
//!
//! # How
//!
//! Each worker counts in its own memory, and at its tick tells the others what has changed: an exchange costs no host
//! call, and what is told is at most a tick old. What a worker has told stands in one shared list, with a deadline
//! that it renews; the gauges move by what changes in the list.
//!
//! # What it promises
//!
//! * The gauges are what the list says, and the list is what is under way, at most a [`TICK`] ago.
//! * What a lost VM had told is taken back by the others once its deadline has passed, by exactly one of them:
//!   no gauge stays up for ever.
//! * Memory is bounded: a worker tells of at most [`MAX_ROUTES`] routes, and of the rest together.
//!
//! # What it does not
//!
//! Peaks between two ticks are not seen, as they would not be by who scrapes every few seconds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::meter::{Counter, Family, Kind};
use kit::shared::{Change, MAX_ATTEMPTS, SetError, UpdateError, update_within};
use kit::throttle::Throttle;
use kit::{Host, Nanos, record};
use serde::{Deserialize, Serialize};

use crate::config::MAX_SERIES;
use crate::policy::name_text;
use crate::signals;
pub use crate::stats::TICK;
use crate::stats::is_due;

/// How long what was told is believed without being told again.
pub const LEASE: Nanos = Nanos::from_secs(10);
/// How often it is told again, and looked for what lost VMs had told.
const RENEWAL: Nanos = Nanos::from_secs(2);
/// Routes that a worker tells apart: with names as long as they may be, sixty workers fill a shared value by half.
pub const MAX_ROUTES: usize = 250;

/// Tries to tell at a tick; a conflict means that another worker told, and the next tick is near.
const ATTEMPTS: u32 = 3;

/// The shared name of the list.
const LIST: &str = "weir/metrics/in-flight";
/// The layout of its bytes; those of another are read as none.
const VERSION: u8 = 1;

/// What this worker has under way, and how it tells the others.
#[derive(Debug)]
pub struct InFlight {
    /// This worker's name in the list: no two live ones have the same.
    id: u64,
    max_routes: usize,
    routes: RefCell<BTreeMap<Box<[u8]>, Rc<Route>>>,
    other: Rc<Route>,
    /// Exchanges that began under `_other` and are not yet counted as such.
    folded: Cell<u64>,
    gauges: Family,
    told_at: Cell<Nanos>,
    complaints: Throttle,
}

/// A route, and its exchanges on this worker.
#[derive(Debug, Default)]
struct Route {
    name: Box<str>,
    now: Cell<i64>,
    told: Cell<i64>,
}

/// An exchange under way: it is until this is dropped.
#[derive(Debug)]
pub struct UnderWay(Rc<Route>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get().saturating_sub(1));
    }
}

/// What all workers have told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    workers: Vec<Worker>,
}

/// What one worker has told.
#[derive(Debug, Serialize, Deserialize)]
struct Worker {
    id: u64,
    /// Until when it is believed.
    until: Nanos,
    routes: Routes,
}

/// Exchanges by the name of their route, or by how many more they are.
type Routes = Vec<(String, i64)>;

impl InFlight {
    /// Nothing is under way yet; at most `max_series` routes are told apart.
    pub fn open(host: &dyn Host, max_series: usize) -> Self {
        if let Err(error) = prepare(host) {
            log::error!("metrics: exchanges in flight not prepared error={error}");
        }
        Self {
            id: host.random(),
            max_routes: max_series.min(MAX_ROUTES),
            routes: RefCell::default(),
            other: Rc::new(Route { name: Box::from(signals::OTHER), ..Route::default() }),
            folded: Cell::new(0),
            gauges: Family::new(
                Kind::Gauge,
                signals::IN_FLIGHT,
                signals::IN_FLIGHT_LABELS,
                *MAX_SERIES.end(),
            ),
            told_at: Cell::new(host.now()),
            complaints: Throttle::default(),
        }
    }

    /// An exchange of this route begins.
    ///
    /// **Cost**: no host call, and no allocation but for a new route.
    pub fn begin(&self, route: &[u8]) -> UnderWay {
        let mut routes = self.routes.borrow_mut();
        let route = match routes.get(route) {
            Some(found) => Rc::clone(found),
            None if routes.len() >= self.max_routes => {
                self.folded.set(self.folded.get().saturating_add(1));
                Rc::clone(&self.other)
            }
            None => {
                let made = Rc::new(Route { name: name_text(route).into(), ..Route::default() });
                routes.insert(Box::from(route), Rc::clone(&made));
                made
            }
        };
        route.now.set(route.now.get().saturating_add(1));
        UnderWay(route)
    }

    /// Tells what has changed, if something has, and now and then what has not.
    ///
    /// **Cost**: nothing but a clock reading mostly; a get and a set, and an addition per route that has changed,
    /// when something has; a get every other second when nothing is under way.
    pub fn tick(&self, host: &dyn Host) {
        let is_due = |period| is_due(self.told_at.get(), period, host.now());
        if is_due(RENEWAL) || (is_due(TICK) && self.has_changed()) {
            self.tell_within(host, ATTEMPTS);
        }
    }

    /// Tells what is under way now, however many others do.
    pub fn tell(&self, host: &dyn Host) {
        self.tell_within(host, MAX_ATTEMPTS);
    }

    fn tell_within(&self, host: &dyn Host, max_attempts: u32) {
        let now = host.now();
        self.told_at.set(now);
        let own = self.routes_now();
        let done = update_within(host, LIST, max_attempts, |bytes| {
            let mut list: List = record::decode(VERSION, bytes).unwrap_or_default();
            let (change, moved) = list.tell(self.id, now, &own);
            if change == Change::Store {
                *bytes = record::encode(VERSION, &list);
            }
            (change, moved)
        });
        match done {
            Ok(None) => {}
            Ok(Some(done)) => {
                self.each(|route| route.told.set(route.now.get()));
                for (route, offset) in done.value {
                    if let (Some(gauge), _) = self.gauges.series(host, &[&route]) {
                        host.add(gauge, offset);
                    }
                }
            }
            Err(error) => self.complain(now, error),
        }
        if let folded @ 1.. = self.folded.take() {
            let labels = [(signals::FAMILY, "in_flight")];
            Counter::new(host, signals::OVERFLOW, &labels).add(host, folded);
        }
    }

    /// What is under way now over all workers, as far as they have told.
    ///
    /// **Cost**: a get, and what [`InFlight::tell`] costs.
    pub fn total(&self, host: &dyn Host) -> u64 {
        self.tell(host);
        let now = host.now();
        let found = host.shared_get(LIST).and_then(|found| record::decode(VERSION, &found.value));
        let list: List = found.unwrap_or_default();
        let believed = list.workers.iter().filter(|worker| worker.until > now);
        let sum: i64 = believed.flat_map(|worker| &worker.routes).map(|(_, n)| n).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    fn has_changed(&self) -> bool {
        let differs = |route: &Route| route.now != route.told;
        differs(&self.other) || self.routes.borrow().values().any(|route| differs(route))
    }

    fn each(&self, mut what: impl FnMut(&Route)) {
        what(&self.other);
        self.routes.borrow().values().for_each(|route| what(route));
    }

    fn routes_now(&self) -> Routes {
        let mut found = Routes::new();
        self.each(|route| {
            if route.now.get() > 0 {
                add(&mut found, &route.name, route.now.get());
            }
        });
        found
    }

    fn complain(&self, now: Nanos, error: UpdateError) {
        if self.complaints.is_due(now) {
            log::warn!("metrics: exchanges in flight not told, tried again error={error}");
        }
    }
}

impl List {
    /// Puts what a worker has under way in the place of what it had told, and drops who is not believed any more.
    ///
    /// Tells by how much each route has moved.
    fn tell(&mut self, id: u64, now: Nanos, own: &[(String, i64)]) -> (Change, Routes) {
        let mut moved = Vec::new();
        let mut has_changed = false;
        self.workers.retain(|worker| {
            let goes = worker.until <= now || worker.id == id;
            if goes {
                for (route, n) in &worker.routes {
                    add(&mut moved, route, n.saturating_neg());
                }
            }
            has_changed |= goes;
            !goes
        });
        if !own.is_empty() {
            self.workers.push(Worker {
                id,
                until: now.saturating_add(LEASE),
                routes: own.to_vec(),
            });
            for (route, n) in own {
                add(&mut moved, route, *n);
            }
            has_changed = true;
        }
        moved.retain(|(_, offset)| *offset != 0);
        (if has_changed { Change::Store } else { Change::Keep }, moved)
    }
}

/// Makes the list where there is none, so that later updates swap and never create.
fn prepare(host: &dyn Host) -> Result<(), SetError> {
    match host.shared_get(LIST) {
        Some(_) => Ok(()),
        None => host.shared_set(LIST, &record::encode(VERSION, &List::default()), None),
    }
}

/// Adds to a route's number; two routes may have one name, cut at its bound.
fn add(routes: &mut Routes, name: &str, n: i64) {
    match routes.iter_mut().find(|(found, _)| found == name) {
        Some((_, sum)) => *sum = sum.saturating_add(n),
        None => routes.push((name.to_owned(), n)),
    }
}
