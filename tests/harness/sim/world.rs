//! The process around the VMs: what all workers share, and time.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::clusters::{Answer, Call, Cluster};
use super::conflicts::Conflicts;
use super::metrics::{Kind, Metrics};
use super::queues::{Queues, Registrant};
use super::shared::SharedData;
use super::vm::VmState;

/// Monotonic time at which every world starts: some time after the machine did.
const MONOTONIC_START: u64 = 1_000_000_000_000;
/// Wall time at which every world starts: 2026-01-01T00:00:00Z.
const WALL_START: u64 = 1_767_225_600_000_000_000;

/// A process: shared data, queues, metrics, clocks, entropy, clusters, and the VMs in it.
///
/// It is a handle: clones mean the same process.
#[derive(Clone)]
pub struct World(Rc<RefCell<State>>);

pub(crate) struct State {
    pub(crate) shared: SharedData,
    pub(crate) queues: Queues,
    pub(crate) metrics: Metrics,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) conflicts: Conflicts,
    pub(crate) posted: VecDeque<(Registrant, u32)>,
    pub(crate) monotonic: u64,
    pub(crate) wall: u64,
    pub(crate) log_level: i32,
    entropy: u64,
    vms: Vec<Weak<RefCell<VmState>>>,
}

impl World {
    /// A process whose entropy is drawn from `seed`; the same seed gives the same run.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            shared: SharedData::default(),
            queues: Queues::default(),
            metrics: Metrics::default(),
            clusters: BTreeMap::new(),
            conflicts: Conflicts::default(),
            posted: VecDeque::new(),
            monotonic: MONOTONIC_START,
            wall: WALL_START,
            log_level: 2,
            entropy: seed,
            vms: Vec::new(),
        })))
    }

    /// Sets the level below which Envoy drops what a guest logs: 0 trace to 5 critical; 2 (info) at first.
    pub fn set_log_level(&self, level: i32) {
        self.state().log_level = level;
    }

    /// Makes `name` a cluster whose service answers with `serve`.
    pub fn cluster(&self, name: &str, serve: impl FnMut(&Call) -> Answer + 'static) {
        self.state().clusters.insert(name.to_owned(), Cluster::Serves(Box::new(serve)));
    }

    /// Makes `name` a cluster without a healthy host.
    pub fn cluster_without_hosts(&self, name: &str) {
        self.state().clusters.insert(name.to_owned(), Cluster::NoHosts);
    }

    /// The present value of a counter or gauge, or how many numbers a histogram holds; 0 when unknown.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.metrics().get(name).copied().unwrap_or(0)
    }

    /// The sum of a family's series whose names carry all of these labels, such as `("rule", "general")`.
    #[must_use]
    pub fn series(&self, family: &str, labels: &[(&str, &str)]) -> u64 {
        let fits = |name: &str| {
            let carried: Vec<&str> = name.split(';').collect();
            carried.first() == Some(&family)
                && labels
                    .iter()
                    .all(|(label, value)| carried.contains(&format!("{label}={value}").as_str()))
        };
        self.metrics().iter().filter(|(name, _)| fits(name)).map(|(_, value)| value).sum()
    }

    /// All metrics by name.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.state().metrics.all()
    }

    /// The numbers recorded in a histogram.
    #[must_use]
    pub fn samples(&self, histogram: &str) -> Vec<u64> {
        self.state().metrics.samples(&(Kind::Histogram, histogram.to_owned()))
    }

    /// The keys of shared data under `vm_id`.
    #[must_use]
    pub fn shared_keys(&self, vm_id: &str) -> Vec<String> {
        let keys = self.state().shared.keys(vm_id);
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    /// A shared value.
    #[must_use]
    pub fn shared(&self, vm_id: &str, key: &str) -> Option<Vec<u8>> {
        self.state().shared.get(vm_id, key.as_bytes()).ok().map(|(value, _)| value)
    }

    /// Writes a shared value as another program part would.
    pub fn set_shared(&self, vm_id: &str, key: &str, value: &[u8]) {
        let written = self.state().shared.set(vm_id, key.as_bytes(), value, 0);
        debug_assert!(written.is_ok(), "an unconditional set cannot lose");
    }

    /// How many compare-and-sets lost so far.
    #[must_use]
    pub fn lost_sets(&self) -> u64 {
        self.state().shared.conflicts()
    }

    /// Lets another VM rewrite the value before each of the next `times` compare-and-sets, which lose.
    pub fn conflict(&self, times: u32) {
        self.state().conflicts.plan(times);
    }

    /// Lets compare-and-sets lose in `percent` of cases, drawn from `seed`; 0 switches it off.
    pub fn conflict_by_seed(&self, seed: u64, percent: u8) {
        self.state().conflicts.draw(seed, percent);
    }

    /// Runs `act` once, between the next compare-and-set's get and its set: for instance a whole
    /// request on another VM.
    pub fn before_next_set(&self, act: impl FnOnce() + 'static) {
        self.state().conflicts.once(Box::new(act));
    }

    /// Monotonic time in nanoseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.state().monotonic
    }

    /// Moves the wall clock alone, back as well as forth, as an operator or NTP would.
    pub fn step_wall_clock(&self, nanos: i64) {
        let mut state = self.state();
        state.wall = state.wall.saturating_add_signed(nanos);
    }

    /// Lets time pass: ticks and answers happen when they are due, wake-ups at once.
    pub fn advance(&self, time: Duration) {
        let target = self.now().saturating_add(nanos(time));
        self.settle();
        while let Some((due, vm)) = self.next_event().filter(|(due, _)| *due <= target) {
            self.move_clock(due);
            VmState::fire(&vm, due);
            self.settle();
        }
        self.move_clock(target);
    }

    /// Delivers what is posted to event loops and due now, without letting time pass.
    pub fn settle(&self) {
        loop {
            let posted = self.state().posted.pop_front();
            let Some((registrant, token)) = posted else { return };
            if let Some(vm) = self.vm(registrant.vm) {
                VmState::queue_ready(&vm, registrant.context, token);
            }
        }
    }

    /// Time until the next tick or answer anywhere; `None` when nothing is to come.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let now = self.now();
        self.next_event().map(|(due, _)| Duration::from_nanos(due.saturating_sub(now)))
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub(crate) fn places(&self) -> usize {
        self.state().vms.len()
    }

    pub(crate) fn enter(&self, vm: &Rc<RefCell<VmState>>) {
        self.state().vms.push(Rc::downgrade(vm));
    }

    fn vm(&self, place: usize) -> Option<Rc<RefCell<VmState>>> {
        self.state().vms.get(place).and_then(Weak::upgrade)
    }

    fn next_event(&self) -> Option<(u64, Rc<RefCell<VmState>>)> {
        let vms: Vec<_> = self.state().vms.iter().filter_map(Weak::upgrade).collect();
        vms.into_iter()
            .filter_map(|vm| {
                let due = vm.try_borrow().ok()?.next_due()?;
                Some((due, vm))
            })
            .min_by_key(|(due, _)| *due)
    }

    fn move_clock(&self, to: u64) {
        let mut state = self.state();
        let passed = to.saturating_sub(state.monotonic);
        state.monotonic += passed;
        state.wall = state.wall.saturating_add(passed);
    }
}

impl State {
    /// The next eight bytes of entropy (splitmix64).
    pub(crate) fn entropy(&mut self) -> [u8; 8] {
        splitmix(&mut self.entropy).to_le_bytes()
    }
}

/// One step of splitmix64: small, seeded, good enough to stand in for entropy.
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
