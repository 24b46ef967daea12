//! An in-memory host for tests: the same seam, everything visible and settable.
//!
//! It keeps Envoy's rules where a filter could trip over them (compare-and-swap, a missing key takes any
//! version) and can make another worker's change come in between.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::exchange::{Attribute, Call, Exchange, Host, Map, Waker};
use crate::headers::Headers;
use crate::meter::{Kind, Meter, MetricId};
use crate::notes::Notes;
use crate::shared::{SetError, SharedData, Versioned};
use crate::units::Nanos;

/// A host in memory. Clones share everything, as the workers of one Envoy do.
#[derive(Debug, Clone, Default)]
pub struct FakeHost {
    world: Rc<World>,
}

#[derive(Debug, Default)]
struct World {
    now: Cell<u64>,
    wall: Cell<u64>,
    n_random: Cell<u64>,
    store: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    last_version: Cell<u32>,
    n_conflicts_due: Cell<u32>,
    refused_key: RefCell<Option<String>>,
    n_gets: Cell<u64>,
    n_sets: Cell<u64>,
    metrics: RefCell<Vec<(String, Kind, i64)>>,
    calls: RefCell<Vec<Call>>,
    woken: RefCell<Vec<Waker>>,
}

impl FakeHost {
    /// Sets the monotonic clock.
    pub fn set_now(&self, now: Nanos) {
        self.world.now.set(now.0);
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Nanos) {
        self.world.now.set(self.world.now.get().saturating_add(by.0));
        self.world.wall.set(self.world.wall.get().saturating_add(by.0));
    }

    /// Sets the wall clock.
    pub fn set_wall(&self, wall: Nanos) {
        self.world.wall.set(wall.0);
    }

    /// Makes the next `n` swaps fail as if another worker had stored the same value in between.
    pub fn schedule_conflicts(&self, n: u32) {
        self.world.n_conflicts_due.set(n);
    }

    /// Refuses from now on to store anything under keys that contain this; `None` refuses nothing.
    pub fn refuse_sets(&self, of: Option<&str>) {
        self.world.refused_key.replace(of.map(str::to_owned));
    }

    /// Gets and sets of shared data so far.
    pub fn shared_ops(&self) -> (u64, u64) {
        (self.world.n_gets.get(), self.world.n_sets.get())
    }

    /// The keys in shared data.
    pub fn shared_keys(&self) -> Vec<String> {
        self.world.store.borrow().keys().cloned().collect()
    }

    /// The bytes of all values in shared data.
    pub fn shared_bytes(&self) -> usize {
        self.world.store.borrow().values().map(|(value, _)| value.len()).sum()
    }

    /// The names of all metrics, sorted.
    pub fn metric_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.world.metrics.borrow().iter().map(|(name, ..)| name.clone()).collect();
        names.sort();
        names
    }

    /// A metric's value by name: a histogram's is how often it was recorded.
    pub fn metric(&self, name: &str) -> Option<i64> {
        self.world
            .metrics
            .borrow()
            .iter()
            .find(|(found, ..)| found == name)
            .map(|(.., value)| *value)
    }

    /// The calls started and not yet taken.
    pub fn take_calls(&self) -> Vec<Call> {
        self.world.calls.take()
    }

    /// The streams woken and not yet taken.
    pub fn take_woken(&self) -> Vec<Waker> {
        self.world.woken.take()
    }
}

impl SharedData for FakeHost {
    fn shared_get(&self, key: &str) -> Option<Versioned> {
        self.world.n_gets.set(self.world.n_gets.get() + 1);
        let store = self.world.store.borrow();
        store.get(key).map(|(value, version)| Versioned { value: value.clone(), version: *version })
    }

    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError> {
        self.world.n_sets.set(self.world.n_sets.get() + 1);
        if self.world.refused_key.borrow().as_ref().is_some_and(|refused| key.contains(refused)) {
            return Err(SetError::Refused);
        }
        let fresh = self.world.last_version.get() + 1;
        self.world.last_version.set(fresh);
        let mut store = self.world.store.borrow_mut();
        if let (Some((_, found)), Some(version)) = (store.get_mut(key), version) {
            if self.world.n_conflicts_due.get() > 0 {
                self.world.n_conflicts_due.set(self.world.n_conflicts_due.get() - 1);
                *found = fresh;
                return Err(SetError::Conflict);
            }
            if *found != version {
                return Err(SetError::Conflict);
            }
        }
        store.insert(key.to_owned(), (value.to_vec(), fresh));
        Ok(())
    }
}

impl Meter for FakeHost {
    fn define(&self, kind: Kind, name: &str) -> Option<MetricId> {
        let mut metrics = self.world.metrics.borrow_mut();
        let idx = metrics.iter().position(|(found, ..)| found == name).unwrap_or_else(|| {
            metrics.push((name.to_owned(), kind, 0));
            metrics.len() - 1
        });
        u32::try_from(idx).ok().map(MetricId)
    }

    fn add(&self, metric: MetricId, offset: i64) {
        if let Some((.., value)) = self.world.metrics.borrow_mut().get_mut(metric.0 as usize) {
            *value += offset;
        }
    }

    fn record(&self, metric: MetricId, recorded: u64) {
        if let Some((_, kind, value)) = self.world.metrics.borrow_mut().get_mut(metric.0 as usize) {
            match kind {
                Kind::Histogram => *value += 1,
                Kind::Counter | Kind::Gauge => *value = i64::try_from(recorded).unwrap_or(i64::MAX),
            }
        }
    }

    fn read(&self, metric: MetricId) -> u64 {
        let metrics = self.world.metrics.borrow();
        metrics
            .get(metric.0 as usize)
            .and_then(|(.., value)| u64::try_from(*value).ok())
            .unwrap_or(0)
    }
}

impl Host for FakeHost {
    fn now(&self) -> Nanos {
        Nanos(self.world.now.get())
    }

    fn wall(&self) -> Nanos {
        Nanos(self.world.wall.get())
    }

    /// A sequence that is the same in every run (splitmix64).
    fn random(&self) -> u64 {
        let n = self.world.n_random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.world.n_random.set(n);
        let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn wake(&self, waker: &Waker) {
        self.world.woken.borrow_mut().push(*waker);
    }

    fn call(&self, call: Call) {
        self.world.calls.borrow_mut().push(call);
    }
}

/// One exchange in memory, on a [`FakeHost`].
#[derive(Debug, Clone, Default)]
pub struct FakeExchange {
    /// The host it runs on.
    pub host: FakeHost,
    maps: RefCell<[Rc<Headers>; 3]>,
    attributes: RefCell<BTreeMap<usize, Vec<u8>>>,
    properties: RefCell<BTreeMap<Vec<String>, Vec<u8>>>,
    body: RefCell<Vec<u8>>,
    notes: RefCell<Notes>,
    stream: u32,
}

impl FakeExchange {
    /// An exchange with these request headers.
    pub fn new(host: &FakeHost, request: &[(&str, &str)]) -> Self {
        let this = Self { host: host.clone(), stream: 1, ..Self::default() };
        this.set_map(Map::Request, Headers::new(request));
        this
    }

    /// A GET of this path on `example.com` over https from 192.0.2.1, and these further headers.
    pub fn get(host: &FakeHost, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut all = vec![
            (":method", "GET"),
            (":path", path),
            (":authority", "example.com"),
            (":scheme", "https"),
        ];
        all.extend_from_slice(headers);
        Self::new(host, &all).with_attribute(Attribute::SourceAddress, b"192.0.2.1:4711")
    }

    /// Sets a whole map.
    pub fn set_map(&self, map: Map, headers: Headers) {
        if let Some(place) = self.maps.borrow_mut().get_mut(map as usize) {
            *place = Rc::new(headers);
        }
    }

    /// Sets an attribute's raw bytes.
    #[must_use]
    pub fn with_attribute(self, attribute: Attribute, value: &[u8]) -> Self {
        self.set_attribute(attribute, value);
        self
    }

    /// Sets an attribute's raw bytes.
    pub fn set_attribute(&self, attribute: Attribute, value: &[u8]) {
        self.attributes.borrow_mut().insert(attribute as usize, value.to_vec());
    }

    /// Sets any other property.
    #[must_use]
    pub fn with_property(self, path: &[&str], value: &[u8]) -> Self {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.properties.borrow_mut().insert(path, value.to_vec());
        self
    }

    /// The decision record as access logs have it.
    pub fn record(&self) -> String {
        self.notes.borrow().to_string()
    }

    /// Sets the body chunk of the next callback.
    pub fn set_body(&self, body: &[u8]) {
        *self.body.borrow_mut() = body.to_vec();
    }
}

impl Exchange for FakeExchange {
    fn host(&self) -> &dyn Host {
        &self.host
    }

    fn headers(&self, map: Map) -> Rc<Headers> {
        self.maps.borrow().get(map as usize).cloned().unwrap_or_default()
    }

    fn set_header(&self, map: Map, name: &str, value: &[u8]) {
        self.set_map(map, self.headers(map).with(name, Some(value)));
    }

    fn add_header(&self, map: Map, name: &str, value: &[u8]) {
        self.set_map(map, self.headers(map).with_added(name, value));
    }

    fn remove_header(&self, map: Map, name: &str) {
        self.set_map(map, self.headers(map).with(name, None));
    }

    fn attribute(&self, attribute: Attribute) -> Option<Rc<[u8]>> {
        self.attributes.borrow().get(&(attribute as usize)).map(|value| Rc::from(value.as_slice()))
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        self.properties.borrow().get(&path).cloned()
    }

    fn publish(&self, name: &str, value: &[u8]) {
        self.properties.borrow_mut().insert(vec![name.to_owned()], value.to_vec());
    }

    fn body(&self, len: usize) -> Vec<u8> {
        self.body.borrow().iter().copied().take(len).collect()
    }

    fn waker(&self) -> Waker {
        Waker { queue: 1, stream: self.stream }
    }

    fn note(&self, filter: &'static str, word: &'static str) {
        self.notes.borrow_mut().put(filter, word);
    }

    fn detail(&self, filter: &'static str, name: &'static str, value: &dyn fmt::Display) {
        self.notes.borrow_mut().detail(filter, name, value);
    }

    fn notes(&self) -> Vec<(&'static str, &'static str)> {
        self.notes.borrow().words()
    }
}
