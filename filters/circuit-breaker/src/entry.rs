//! A breaker as bytes in the shared table.
//!
//! **Shape**, little-endian, [`Layout::size`] bytes:
//!
//! | bytes | holds |
//! | --- | --- |
//! | 1 | state: 0 closed, 1 recovering, 2 shedding, 3 half-open, 4 open |
//! | 1 | `n_opens` |
//! | 2 each | `n_successes`, `n_failures` |
//! | 4 each | `n_consecutive`, `n_doubtful` |
//! | 8 each | `since`, `evidence_from`, `open_for`, `marked_at` |
//! | 1, then 1 and 8 | the hand: 0 none, or 1 and its control; whether and when it lets go |
//! | 4, then 16 times 4 and 8 | last permit; each permit's id and `expires_at` |
//! | 1, then 266 | the window: 0 over time, 1 over a number of requests |
//!
//! A window over time is its newest bucket in 8 bytes, and ten times 4 and 4 and 4 and 4: ended, failed, slow, shed.
//! One over a number is its size, how many it holds and where the next one goes, 2 bytes each, the number of the last
//! one in 4, and bits for those that failed and those that were slow; the rest is zero.

use kit::Nanos;
use kit::table::Layout;

use crate::breaker::permits::{MAX_AT_ONCE, Permit, Permits};
use crate::breaker::window::{Count, MAX_COUNT, N_BUCKETS, Tally, Time, Window};
use crate::breaker::{Breaker, Control, Held, State};
use crate::bytes::{Reader, Writer};

/// Added to the loss of a breaker that rejects: it goes after every closed one.
const LOSS_OF_NOT_CLOSED: u64 = 1 << 40;

/// The loss of one that an operator holds: it goes last of all.
const LOSS_OF_HELD: u64 = u64::MAX;

/// Bytes of the larger kind of window.
const WINDOW_SIZE: usize = 10 + 2 * (MAX_COUNT as usize / 8);
const _: () = assert!(WINDOW_SIZE >= 8 + N_BUCKETS * 16);

/// How breakers are kept: the same bytes whatever is configured.
#[derive(Debug, Clone, Copy)]
pub struct Packed;

impl Layout for Packed {
    type Entry = Breaker;

    fn version(&self) -> u32 {
        5
    }

    fn size(&self) -> usize {
        14 + 4 * 8 + 10 + 4 + MAX_AT_ONCE * 12 + 1 + WINDOW_SIZE
    }

    fn read(&self, bytes: &[u8]) -> Option<Breaker> {
        let mut from = Reader(bytes);
        let [state, n_opens] = from.take().filter(|_| bytes.len() == self.size())?;
        Some(Breaker {
            state: state_of(state)?,
            n_opens,
            n_successes: from.u16()?,
            n_failures: from.u16()?,
            n_consecutive: from.u32()?,
            n_doubtful: from.u32()?,
            since: from.nanos()?,
            evidence_from: from.nanos()?,
            open_for: from.nanos()?,
            marked_at: from.nanos()?,
            held: read_hand(&mut from)?,
            permits: read_permits(&mut from)?,
            window: read_window(&mut from)?,
        })
    }

    fn write(&self, breaker: &Breaker, bytes: &mut [u8]) {
        bytes.fill(0);
        let mut to = Writer(bytes);
        to.put(&[number_of(breaker.state), breaker.n_opens]);
        to.put(&breaker.n_successes.to_le_bytes());
        to.put(&breaker.n_failures.to_le_bytes());
        to.put(&breaker.n_consecutive.to_le_bytes());
        to.put(&breaker.n_doubtful.to_le_bytes());
        for instant in [breaker.since, breaker.evidence_from, breaker.open_for, breaker.marked_at] {
            to.put(&instant.0.to_le_bytes());
        }
        write_hand(breaker.held, &mut to);
        to.put(&breaker.permits.last_id.to_le_bytes());
        for permit in breaker.permits.out {
            to.put(&permit.id.to_le_bytes());
            to.put(&permit.expires_at.0.to_le_bytes());
        }
        write_window(&breaker.window, &mut to);
    }

    fn loss(&self, breaker: &Breaker, _now: Nanos) -> u64 {
        let failures = match &breaker.window {
            Window::Time(window) => window
                .buckets
                .iter()
                .fold(0, |sum: u64, tally| sum.saturating_add(u64::from(tally.n_failed))),
            Window::Count(window) => {
                window.failed.iter().map(|word| u64::from(word.count_ones())).sum()
            }
        };
        let failures = failures.saturating_add(u64::from(breaker.n_consecutive));
        if breaker.held.is_some() {
            return LOSS_OF_HELD;
        }
        match breaker.state {
            State::Closed if *breaker == Breaker::default() => 0,
            State::Closed => failures.saturating_add(u64::from(breaker.n_opens)).saturating_add(1),
            State::Recovering | State::Shedding | State::HalfOpen | State::Open => {
                failures.saturating_add(LOSS_OF_NOT_CLOSED)
            }
        }
    }
}

/// The value of the gauge: the higher, the less passes.
pub const fn code_of(state: State) -> u8 {
    match state {
        State::Closed => 0,
        State::Recovering | State::Shedding | State::HalfOpen => 1,
        State::Open => 2,
    }
}

/// A state as a byte.
pub(crate) fn number_of(state: State) -> u8 {
    let place = State::ALL.iter().position(|one| *one == state);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
}

/// The state that this byte stands for.
pub(crate) fn state_of(number: u8) -> Option<State> {
    State::ALL.get(usize::from(number)).copied()
}

fn write_hand(held: Option<Held>, to: &mut Writer<'_>) {
    let control = held.and_then(|held| Control::ALL.iter().position(|one| *one == held.control));
    let number = control.map_or(0, |place| u8::try_from(place.saturating_add(1)).unwrap_or(0));
    let until = held.and_then(|held| held.until);
    to.put(&[number, u8::from(until.is_some())]);
    to.put(&until.unwrap_or(Nanos::ZERO).0.to_le_bytes());
}

fn read_hand(from: &mut Reader<'_>) -> Option<Option<Held>> {
    let [number, has_end] = from.take()?;
    let until = from.nanos()?;
    let Some(place) = usize::from(number).checked_sub(1) else { return Some(None) };
    let control = *Control::ALL.get(place)?;
    Some(Some(Held { control, until: (has_end != 0).then_some(until) }))
}

fn read_permits(from: &mut Reader<'_>) -> Option<Permits> {
    let mut permits = Permits { last_id: from.u32()?, ..Permits::default() };
    for permit in &mut permits.out {
        *permit = Permit { id: from.u32()?, expires_at: from.nanos()? };
    }
    Some(permits)
}

fn write_window(window: &Window, to: &mut Writer<'_>) {
    match window {
        Window::Time(window) => {
            to.put(&[0]);
            to.put(&window.newest.to_le_bytes());
            for tally in window.buckets {
                for n in [tally.n_ended, tally.n_failed, tally.n_slow, tally.n_shed] {
                    to.put(&n.to_le_bytes());
                }
            }
        }
        Window::Count(window) => {
            to.put(&[1]);
            for n in [window.size, window.n_ended, window.next] {
                to.put(&n.to_le_bytes());
            }
            to.put(&window.serial.to_le_bytes());
            for word in window.failed.iter().chain(&window.slow) {
                to.put(&word.to_le_bytes());
            }
        }
    }
}

fn read_window(from: &mut Reader<'_>) -> Option<Window> {
    let [kind] = from.take()?;
    match kind {
        0 => {
            let mut window = Time { newest: from.u64()?, ..Time::default() };
            for tally in &mut window.buckets {
                *tally = Tally {
                    n_ended: from.u32()?,
                    n_failed: from.u32()?,
                    n_slow: from.u32()?,
                    n_shed: from.u32()?,
                };
            }
            Some(Window::Time(window))
        }
        1 => {
            let (size, n_ended, next) = (from.u16()?, from.u16()?, from.u16()?);
            let mut window = Count { size, n_ended, next, serial: from.u32()?, ..Count::default() };
            for word in window.failed.iter_mut().chain(&mut window.slow) {
                *word = from.u64()?;
            }
            Some(Window::Count(window))
        }
        _ => None,
    }
}
