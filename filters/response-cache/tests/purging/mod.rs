//! Objects to ask about, purges to make, and hosts that misbehave.
#![allow(unreachable_pub, dead_code, reason = "a module of several test programs")]

use std::cell::{Cell, RefCell};

use kit::exchange::{Call, Waker};
use kit::fake::FakeHost;
use kit::meter::{Kind, Meter, MetricId};
use kit::shared::{SetError, SharedData, Versioned};
use kit::{Host, Nanos};
use weir_response_cache::store::purges::pattern::Pattern;
use weir_response_cache::store::purges::{Purge, Purges, Standing, Subject};

/// A stored response, as far as purges ask.
#[derive(Debug, Clone)]
pub struct Object {
    pub uri: String,
    pub tags: Vec<String>,
    pub has_parts: bool,
}

impl Object {
    pub fn at(uri: &str) -> Self {
        Self { uri: uri.to_owned(), tags: Vec::new(), has_parts: false }
    }

    pub fn tagged(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self
    }

    pub fn keyed(mut self) -> Self {
        self.has_parts = true;
        self
    }

    pub fn hashed(&self, purges: &Purges) -> Vec<u64> {
        self.tags.iter().map(|tag| purges.tag(tag.as_bytes())).collect()
    }

    pub fn subject<'a>(&'a self, tags: &'a [u64], asked: Nanos) -> Subject<'a> {
        let uri = self.uri.as_bytes();
        Subject { asked, uri, uri_key: uri, has_parts: self.has_parts, tags }
    }

    pub fn standing(&self, purges: &Purges, host: &dyn Host, asked: Nanos) -> Standing {
        purges.verdict(host, &self.subject(&self.hashed(purges), asked))
    }

    pub fn is_admitted(&self, purges: &Purges, host: &dyn Host, asked: Nanos) -> bool {
        purges.admits(host, &self.subject(&self.hashed(purges), asked))
    }
}

pub fn tags(tags: &[&str]) -> Purge {
    Purge::Tags(tags.iter().map(|tag| tag.as_bytes().to_vec()).collect())
}

pub fn uri(text: &str) -> Purge {
    Purge::Uris { keys: vec![text.as_bytes().to_vec()], shown: text.to_owned() }
}

pub fn pattern(text: &str) -> Purge {
    Purge::Patterns(vec![Pattern::glob(text).unwrap()])
}

/// What another worker does.
pub type Meddle<'a> = Box<dyn FnOnce(&FakeHost) + 'a>;

/// A host on which another worker comes in between, just before one of the steps that all workers can see,
/// or whose gauges keep no value.
pub struct Odd<'a> {
    host: &'a FakeHost,
    is_deaf: bool,
    steps_left: Cell<usize>,
    meddle: RefCell<Option<Meddle<'a>>>,
}

impl<'a> Odd<'a> {
    pub fn deaf(host: &'a FakeHost) -> Self {
        Self { host, is_deaf: true, steps_left: Cell::new(0), meddle: RefCell::new(None) }
    }

    pub fn meddled(host: &'a FakeHost, before_step: usize, meddle: Meddle<'a>) -> Self {
        let steps_left = Cell::new(before_step);
        Self { host, is_deaf: false, steps_left, meddle: RefCell::new(Some(meddle)) }
    }

    /// Whether the other worker has had its turn; else there were fewer steps.
    pub fn is_done(&self) -> bool {
        self.meddle.borrow().is_none()
    }

    fn step(&self) {
        if self.steps_left.get() > 0 {
            self.steps_left.set(self.steps_left.get() - 1);
        } else if let Some(meddle) = self.meddle.take() {
            meddle(self.host);
        }
    }
}

impl SharedData for Odd<'_> {
    fn shared_get(&self, key: &str) -> Option<Versioned> {
        self.step();
        self.host.shared_get(key)
    }

    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError> {
        self.step();
        self.host.shared_set(key, value, version)
    }
}

impl Meter for Odd<'_> {
    fn define(&self, kind: Kind, name: &str) -> Option<MetricId> {
        self.host.define(kind, name)
    }

    fn add(&self, metric: MetricId, offset: i64) {
        self.step();
        if !self.is_deaf {
            self.host.add(metric, offset);
        }
    }

    fn record(&self, metric: MetricId, value: u64) {
        self.host.record(metric, value);
    }

    fn read(&self, metric: MetricId) -> u64 {
        self.step();
        self.host.read(metric)
    }
}

impl Host for Odd<'_> {
    fn now(&self) -> Nanos {
        self.host.now()
    }

    fn wall(&self) -> Nanos {
        self.host.wall()
    }

    fn random(&self) -> u64 {
        self.host.random()
    }

    fn wake(&self, waker: &Waker) {
        self.host.wake(waker);
    }

    fn call(&self, call: Call) {
        self.host.call(call);
    }
}
