//! A breaker as bytes in the shared table.
//!
//! **Shape**, little-endian, [`Layout::size`] bytes:
//!
//! | bytes | holds |
//! | --- | --- |
//! | 1 | state: 0 closed, 1 half-open, 2 open |
//! | 1 | `n_opens` |
//! | 2 | `n_successes` |
//! | 4 | `n_consecutive` |
//! | 8 each | `since`, `open_for`, `marked_at` |
//! | 4, then 8 times 4 and 8 | last permit; each permit's id and `expires_at` |
//! | 8, then 10 times 4 and 4 | newest bucket; each bucket's ended and failed |

use kit::Nanos;
use kit::table::Layout;

use crate::breaker::{Breaker, State};
use crate::permits::{MAX_AT_ONCE, Permit, Permits};
use crate::window::{N_BUCKETS, Tally, Window};

/// Added to the loss of a breaker that rejects: it goes after every closed one.
const LOSS_OF_NOT_CLOSED: u64 = 1 << 40;

/// How breakers are kept: the same bytes whatever is configured.
#[derive(Debug, Clone, Copy)]
pub struct Packed;

impl Layout for Packed {
    type Entry = Breaker;

    fn version(&self) -> u32 {
        2
    }

    fn size(&self) -> usize {
        8 + 3 * 8 + 4 + MAX_AT_ONCE * 12 + 8 + N_BUCKETS * 8
    }

    fn read(&self, bytes: &[u8]) -> Option<Breaker> {
        let mut from = Reader(bytes);
        let [state, n_opens] = from.take()?;
        Some(Breaker {
            state: state_of(state)?,
            n_opens,
            n_successes: u16::from_le_bytes(from.take()?),
            n_consecutive: from.u32()?,
            since: from.nanos()?,
            open_for: from.nanos()?,
            marked_at: from.nanos()?,
            permits: read_permits(&mut from)?,
            window: read_window(&mut from)?,
        })
        .filter(|_| from.0.is_empty())
    }

    fn write(&self, breaker: &Breaker, bytes: &mut [u8]) {
        let mut to = Writer(bytes);
        to.put(&[code_of(breaker.state), breaker.n_opens]);
        to.put(&breaker.n_successes.to_le_bytes());
        to.put(&breaker.n_consecutive.to_le_bytes());
        for instant in [breaker.since, breaker.open_for, breaker.marked_at] {
            to.put(&instant.0.to_le_bytes());
        }
        to.put(&breaker.permits.last_id.to_le_bytes());
        for permit in breaker.permits.out {
            to.put(&permit.id.to_le_bytes());
            to.put(&permit.expires_at.0.to_le_bytes());
        }
        to.put(&breaker.window.newest.to_le_bytes());
        for tally in breaker.window.buckets {
            to.put(&tally.n_ended.to_le_bytes());
            to.put(&tally.n_failed.to_le_bytes());
        }
    }

    fn loss(&self, breaker: &Breaker, _now: Nanos) -> u64 {
        let failures =
            breaker.window.buckets.iter().fold(u64::from(breaker.n_consecutive), |sum, tally| {
                sum.saturating_add(u64::from(tally.n_failed))
            });
        match breaker.state {
            State::Closed if *breaker == Breaker::default() => 0,
            State::Closed => failures.saturating_add(u64::from(breaker.n_opens)).saturating_add(1),
            State::Open | State::HalfOpen => failures.saturating_add(LOSS_OF_NOT_CLOSED),
        }
    }
}

/// The number of a state, in records and as the value of the gauge: the higher, the less passes.
pub const fn code_of(state: State) -> u8 {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

const fn state_of(code: u8) -> Option<State> {
    match code {
        0 => Some(State::Closed),
        1 => Some(State::HalfOpen),
        2 => Some(State::Open),
        _ => None,
    }
}

fn read_permits(from: &mut Reader<'_>) -> Option<Permits> {
    let mut permits = Permits { last_id: from.u32()?, ..Permits::default() };
    for permit in &mut permits.out {
        *permit = Permit { id: from.u32()?, expires_at: from.nanos()? };
    }
    Some(permits)
}

fn read_window(from: &mut Reader<'_>) -> Option<Window> {
    let mut window = Window { newest: from.u64()?, ..Window::default() };
    for tally in &mut window.buckets {
        *tally = Tally { n_ended: from.u32()?, n_failed: from.u32()? };
    }
    Some(window)
}

/// What is not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn nanos(&mut self) -> Option<Nanos> {
        self.u64().map(Nanos)
    }
}

/// What is not written yet; bytes that do not fit any more are dropped.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some((place, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}
