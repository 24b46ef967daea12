//! What Envoy offers at any time, as [`Host`].

use std::cell::Cell;

use super::{abi, queue};
use crate::exchange::{Call, Host, Waker};
use crate::meter::{Kind, Meter, MetricId};
use crate::shared::{SetError, SharedData, Versioned};
use crate::units::Nanos;

/// Envoy during one callback: each clock is read at most once.
#[derive(Debug, Default)]
pub(super) struct Envoy {
    /// The root context whose filter runs: it gets the answers of its calls.
    root: u32,
    now: Cell<Option<u64>>,
    wall: Cell<Option<u64>>,
}

impl Envoy {
    /// Envoy for the filter of this root context.
    pub(super) fn of(root: u32) -> Self {
        Self { root, ..Self::default() }
    }

    /// A callback begins: the clocks are to be read anew.
    pub(super) fn begin(&self) {
        self.now.set(None);
        self.wall.set(None);
    }
}

fn read_once(cell: &Cell<Option<u64>>, clock: u32) -> Nanos {
    let time = cell.get().unwrap_or_else(|| abi::clock(clock));
    cell.set(Some(time));
    Nanos(time)
}

impl SharedData for Envoy {
    fn shared_get(&self, key: &str) -> Option<Versioned> {
        abi::shared_get(key).map(|(value, version)| Versioned { value, version })
    }

    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError> {
        abi::shared_set(key, value, version.unwrap_or(0))
            .map_err(|changed| if changed { SetError::Conflict } else { SetError::Refused })
    }
}

impl Meter for Envoy {
    fn define(&self, kind: Kind, name: &str) -> Option<MetricId> {
        abi::define_metric(kind as u32, name).map(MetricId)
    }

    fn add(&self, metric: MetricId, offset: i64) {
        abi::add_metric(metric.0, offset);
    }

    fn record(&self, metric: MetricId, value: u64) {
        abi::record_metric(metric.0, value);
    }

    fn read(&self, metric: MetricId) -> u64 {
        abi::read_metric(metric.0)
    }
}

impl Host for Envoy {
    fn now(&self) -> Nanos {
        read_once(&self.now, abi::CLOCK_MONOTONIC)
    }

    fn wall(&self) -> Nanos {
        read_once(&self.wall, abi::CLOCK_WALL)
    }

    fn random(&self) -> u64 {
        abi::random()
    }

    fn wake(&self, waker: &Waker) {
        queue::wake(*waker);
    }

    fn call(&self, call: Call) {
        queue::call(self.root, call);
    }
}
