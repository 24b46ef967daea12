//! The last minutes: a ring of slices of time, each a shared value of its own.
//!
//! A worker touches only the running slice, so adding up costs the same however long the ring is.
//! What a worker has gathered counts into the slice in which it is added up, at most a tick late.

use serde::{Deserialize, Serialize};

use kit::shared::{Change, SetError, SharedData, UpdateError, update};
use kit::{Nanos, record};

use super::tally::Tally;

/// The layout of the bytes; those of another are read as none.
const VERSION: u8 = 2;
/// How long a slice is: short enough for a live picture, long enough that a quarter of a second does not matter.
pub const SLICE: Nanos = Nanos::from_secs(5);
/// Slices that are kept: five minutes and the running one.
pub const N_SLICES: u64 = 61;

/// What was counted in one slice of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Which one, counted from the start of the monotonic clock.
    number: u64,
    /// The reset after which it was counted.
    generation: Nanos,
    /// What.
    pub tally: Tally,
}

impl Slice {
    /// When it began.
    pub fn began(&self) -> Nanos {
        SLICE.saturating_mul(self.number)
    }
}

/// The number of the slice that runs at this time.
const fn number(now: Nanos) -> u64 {
    now.0 / SLICE.0
}

fn key(number: u64) -> String {
    format!("weir/metrics/slices/{}", number % N_SLICES)
}

/// Makes the slices that there are not, so that later updates swap and never create.
///
/// **Cost**: a get for each slice, and a set the first time.
///
/// # Errors
/// The host refused to store.
pub fn prepare<S: SharedData + ?Sized>(store: &S) -> Result<(), SetError> {
    let keys = (0..N_SLICES).map(key);
    keys.filter(|key| store.shared_get(key).is_none())
        .try_for_each(|key| store.shared_set(&key, &[], None))
}

/// Adds to the slice that runs now; what was counted before an earlier reset, or in this place's earlier slice, goes.
///
/// **Cost**: a get and a set of 0.2 to 10 KiB.
///
/// # Errors
/// The host refused, or other workers were always faster.
pub fn add<S: SharedData + ?Sized>(
    store: &S,
    now: Nanos,
    generation: Nanos,
    tally: &Tally,
) -> Result<(), UpdateError> {
    let number = number(now);
    let done = update(store, &key(number), |bytes| {
        let found: Option<Slice> = record::decode(VERSION, bytes);
        let mut slice = match found {
            // Another worker knows of a later reset, or is further on: what we have is of no use any more.
            Some(found) if found.generation > generation => return (Change::Keep, ()),
            Some(found) if found.number == number && found.generation == generation => found,
            Some(_) | None => Slice { number, generation, ..Slice::default() },
        };
        slice.tally.merge(tally);
        *bytes = record::encode(VERSION, &slice);
        (Change::Store, ())
    });
    done.map(|_| ())
}

/// The slices of the last `window`, the running one among them, the oldest first; those in which nothing was counted
/// are left out.
///
/// **Cost**: a get for each.
pub fn last<S: SharedData + ?Sized>(
    store: &S,
    now: Nanos,
    generation: Nanos,
    window: Nanos,
) -> Vec<Slice> {
    let last = number(now);
    let n = (window.0 / SLICE.0).min(N_SLICES - 1);
    let numbers = last.saturating_sub(n)..=last;
    let slices = numbers.filter_map(|number| {
        let found = store.shared_get(&key(number))?;
        let slice: Slice = record::decode(VERSION, &found.value)?;
        (slice.number == number && slice.generation == generation).then_some(slice)
    });
    slices.collect()
}

/// From the beginning of the oldest slice of the last `window` until now.
pub fn span(now: Nanos, window: Nanos) -> Nanos {
    let first = number(now).saturating_sub((window.0 / SLICE.0).min(N_SLICES - 1));
    now.saturating_sub(SLICE.saturating_mul(first))
}
