//! Who sends the requests: a series for each of the busiest consumers, and a list of them, however many there are.
//!
//! # How
//!
//! A consumer is what the configured key makes of a request, known by a keyed hash of it.
//! Each worker takes note of whose requests end and adds that up, four times a second, in a sketch that all workers
//! share ([`kit::top`]). At the same moment it looks who was certainly busy, and admits them to a list that all workers
//! share as well ([`admitted`]); who is in the list has series of his own, and everybody else is `_other`.
//!
//! # What it promises
//!
//! * Every exchange is counted once: the sum over all consumers is the number of exchanges.
//! * There are at most `max` consumers with series in the whole process, and `_other` and `_none`, whatever clients send.
//!   The list is changed by compare-and-swap, so no two workers fill one place.
//! * A name gets no series for a request or two: only with [`LEAST_REQUESTS`] of them.
//! * Requests that were refused, by a limit or for lack of a right, win nobody a place.
//! * Nothing of a key but its hash is kept or told, unless the operator says `show`.
//!
//! # What it does not
//!
//! Envoy never frees a metric, so a consumer keeps its place until Envoy ends; it is not given to a busier one.
//! The list outlives workers and configurations; one with another key, or that shows what another hides, has a list of
//! its own. Of more than [`MAX_GATHERED`] consumers without series that one worker meets between two ticks, the further
//! ones are not ranked; they are counted as `_other` all the same.

pub mod admitted;
mod series;
pub mod settings;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kit::hash::{Secret, Tag, hex};
use kit::key::{KeyOutcome, readable};
use kit::shared::{Change, SetError, UpdateError, update};
use kit::throttle::Throttle;
use kit::top::{Gathered, Labels, MAX_LABEL, Report, Shape, Top};
use kit::{Exchange, Host, Nanos};

use crate::facts::Facts;
use crate::labels::Outcome;
use crate::signals;
pub use crate::stats::TICK;
use crate::stats::is_due;
use admitted::{Admitted, LEAST_REQUESTS};
use series::Series;
use settings::Settings;

/// Counters of the sketch in each period: more than can be admitted, so that there is always room for those who are not.
const COUNTERS: usize = 128;

/// Consumers without series that a worker takes note of between two ticks.
///
/// Who is busy is among the first that it meets.
pub const MAX_GATHERED: usize = 256;

/// The consumers as one worker counts and knows them.
#[derive(Debug)]
pub struct Consumers {
    settings: Settings,
    secret: Secret,
    top: Top,
    /// The shared name of the list.
    list: String,
    /// Room to write a key.
    key: RefCell<Vec<u8>>,
    counted: RefCell<Counted>,
    /// Requests of those who have series, and of others, that are not yet in the sketch.
    gathered: [Gathered; 2],
    added_up_at: Cell<Nanos>,
    complaints: Throttle,
}

/// The metrics.
#[derive(Debug)]
struct Counted {
    own: BTreeMap<[u8; 16], Series>,
    other: Series,
    none: Series,
}

/// Who sent a request: what is kept of it until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    tag: Tag,
    /// The readable key, if keys are shown and this worker does not have it yet.
    label: Option<Box<str>>,
}

/// Who was busy in the last minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busiest {
    /// How far back it reaches.
    pub span: Nanos,
    /// All requests of consumers in that span.
    pub requests: u64,
    /// Consumers that may have series.
    pub max: usize,
    /// Consumers that have some.
    pub with_series: usize,
    /// The busiest first.
    pub consumers: Vec<Busy>,
}

/// One of the busiest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// As the label `consumer` has it.
    pub consumer: String,
    /// Whether there are series of it.
    pub has_series: bool,
    /// Requests at the least.
    pub at_least: u64,
    /// Requests at the most.
    pub at_most: u64,
}

impl Consumers {
    /// The consumers of all workers, with the list as it is.
    pub fn open(host: &dyn Host, settings: Settings) -> Self {
        let secret = Secret::of_process(host);
        let shown = if settings.show { "shown" } else { "hidden" };
        let identity = hex(&secret.tag(settings.key.identity().as_bytes()).to_bytes());
        let labels = if settings.show { Labels::Shown } else { Labels::Hidden };
        let this = Self {
            top: Top::new(
                format!("weir/metrics/consumers-top/{shown}/{identity}"),
                Shape { labels, counters: COUNTERS },
            ),
            list: format!("weir/metrics/consumers/{shown}/{identity}"),
            key: RefCell::new(Vec::new()),
            counted: RefCell::new(Counted {
                own: BTreeMap::new(),
                other: Series::new(signals::OTHER),
                none: Series::new(signals::NO_CONSUMER),
            }),
            gathered: [Gathered::new(*settings::MAX.end()), Gathered::new(MAX_GATHERED)],
            added_up_at: Cell::new(host.now()),
            complaints: Throttle::default(),
            settings,
            secret,
        };
        if let Err(error) = this.prepare(host) {
            log::error!("metrics: consumers not prepared error={error}");
        }
        this.pick_up(host);
        this
    }

    /// Whose request this is; nobody's if it lacks a part of the key. Ask in the request phase.
    ///
    /// **Cost**: what reading the key costs, and nothing of the host besides. It allocates for the readable key of a
    /// consumer without series, if keys are shown.
    pub fn identify(&self, x: &dyn Exchange) -> Option<Consumer> {
        let key = &mut *self.key.borrow_mut();
        key.clear();
        match self.settings.key.build(x, key) {
            KeyOutcome::Key => {}
            KeyOutcome::Missing(_) => return None,
        }
        let tag = self.secret.tag(key);
        let is_new = || !self.counted.borrow().own.contains_key(&tag.to_bytes());
        let label = (self.settings.show && is_new()).then(|| cut(&readable(key)));
        Some(Consumer { tag, label })
    }

    /// Counts an exchange that is over.
    ///
    /// **Cost**: an increment; a definition for a series that is new to this worker.
    pub fn count(&self, host: &dyn Host, consumer: Option<Consumer>, facts: &Facts) {
        let class = facts.class();
        let counted = &mut *self.counted.borrow_mut();
        let Some(Consumer { tag, label }) = consumer else {
            return counted.none.count(host, class);
        };
        let [of_own, of_others] = &self.gathered;
        if let Some(own) = counted.own.get_mut(&tag.to_bytes()) {
            own.count(host, class);
            of_own.add(
                tag,
                || if self.settings.show { own.label.to_string() } else { String::new() },
            );
        } else {
            counted.other.count(host, class);
            if is_refused(facts) {
                return;
            }
            of_others.add(tag, || label.map(String::from).unwrap_or_default());
        }
    }

    /// Adds up, and admits who was busy, if it is time.
    pub fn tick(&self, host: &dyn Host) {
        if is_due(self.added_up_at.get(), TICK, host.now()) {
            self.flush(host);
        }
    }

    /// Adds up what this worker has counted; admits who was busy, and learns whom others have admitted.
    ///
    /// **Cost**: a get of the list, and none once it is full; if something was counted, a get and a set of the sketch,
    /// and while the list has room another get; if somebody is admitted, a get and a set of the list.
    pub fn flush(&self, host: &dyn Host) {
        let now = host.now();
        self.added_up_at.set(now);
        let [of_own, of_others] = &self.gathered;
        let has_new = !of_others.is_empty();
        if let Err(error) = self.top.count(host, &[of_own, of_others], now) {
            self.complain(now, error);
        }
        let has_room = self.counted.borrow().own.len() < self.settings.max;
        if has_room {
            self.pick_up(host);
        }
        if has_room && has_new {
            self.admit(host, now);
        }
    }

    /// The busiest consumers, also those that have series.
    pub fn busiest(&self, host: &dyn Host) -> Busiest {
        self.flush(host);
        let Report { span, total, counters } = self.top.report(host, host.now());
        let own = &self.counted.borrow().own;
        let consumers = counters.into_iter().map(|counter| Busy {
            consumer: self.label(counter.tag, counter.label.as_deref()),
            has_series: own.contains_key(&counter.tag),
            at_least: counter.at_least(),
            at_most: counter.at_most,
        });
        Busiest {
            span,
            requests: total,
            max: self.settings.max,
            with_series: own.len(),
            consumers: consumers.collect(),
        }
    }

    /// Makes what is shared where there is none, so that later updates swap and never create.
    fn prepare(&self, host: &dyn Host) -> Result<(), SetError> {
        self.top.prepare(host)?;
        match host.shared_get(&self.list) {
            Some(_) => Ok(()),
            None => host.shared_set(&self.list, &Admitted::default().to_bytes(), None),
        }
    }

    /// Learns who is in the list.
    fn pick_up(&self, host: &dyn Host) {
        if let Some(found) = host.shared_get(&self.list) {
            self.learn(&Admitted::read(&found.value));
        }
    }

    fn learn(&self, list: &Admitted) {
        let own = &mut self.counted.borrow_mut().own;
        for entry in list.entries() {
            own.entry(entry.tag)
                .or_insert_with(|| Series::new(&self.label(entry.tag, entry.label.as_deref())));
        }
    }

    /// Admits who was busy while there is room.
    fn admit(&self, host: &dyn Host, now: Nanos) {
        let report = self.top.report(host, now);
        let is_new = {
            let own = &self.counted.borrow().own;
            report.counters.iter().any(|counter| {
                counter.at_least() >= LEAST_REQUESTS && !own.contains_key(&counter.tag)
            })
        };
        if !is_new {
            return;
        }
        let admitted = update(host, &self.list, |bytes| {
            let mut list = Admitted::read(bytes);
            let is_longer = list.admit(&report, self.settings.max);
            if is_longer {
                *bytes = list.to_bytes();
            }
            (if is_longer { Change::Store } else { Change::Keep }, list)
        });
        match admitted {
            Ok(done) => self.learn(&done.value),
            Err(error) => self.complain(now, error),
        }
    }

    /// The value of the label `consumer`.
    fn label(&self, tag: [u8; 16], shown: Option<&str>) -> String {
        match shown {
            Some(label) => label.to_owned(),
            None => self.secret.alias(tag),
        }
    }

    fn complain(&self, now: Nanos, error: UpdateError) {
        if self.complaints.is_due(now) {
            log::warn!("metrics: consumers not added up, tried again error={error}");
        }
    }
}

/// Whether nobody has vouched for who sent it: an invented key can be refused as often as one likes.
fn is_refused(facts: &Facts) -> bool {
    facts.outcome == Outcome::Limited || matches!(facts.status, 401 | 403)
}

/// As much of a readable key as is kept of it, without what would end a label in a metric's name.
fn cut(readable: &str) -> Box<str> {
    let kept = readable.get(..readable.floor_char_boundary(MAX_LABEL)).unwrap_or(readable);
    kept.replace(';', "_").into_boxed_str()
}
