//! One bucket of the table of flights: what is known of each key, and how a question or a landing changes it.
//!
//! Pure: bytes and `now` in, a decision and new bytes out. Every change is one compare-and-swap of the whole
//! bucket, so of two workers that ask at once exactly one leads, and a landing sees every waiter that was told to wait.

use kit::exchange::Waker;
use kit::record;
use kit::shared::Change;
use kit::units::Nanos;
use serde::{Deserialize, Serialize};

use super::{Landing, Limits, Status, Why};
use crate::signals::Refusal;

/// Keys in one bucket.
///
/// A table of 256 such buckets remembers 16,384 uncacheable keys; one bucket is still read in about 2 µs.
pub const MAX_KEYS: usize = 64;

/// Streams that wait in one bucket, over all its keys: 16 KiB of wakers.
pub const MAX_WAITING: usize = 2_048;

/// No bucket has more bytes: the version, a length, and per key its tag and the largest state.
pub const MAX_SIZE: usize = 9 + MAX_KEYS * (16 + 4 + 8 + 8 + 4 + 8) + MAX_WAITING * 8;

/// How many flights of a key may fail one after the other before the others stop waiting for the next.
///
/// One failure may be chance. Every further one makes everybody wait once more, for an answer that is unlikely.
pub const MAX_FAILURES: u32 = 3;

/// How long failures of a key are remembered after the last one.
pub const FAILING: Nanos = Nanos::SECOND;

/// How long it is remembered that something was stored, for those that looked just before.
///
/// Between a look into the store and the question here lie microseconds; the rest is for a worker that was held up.
pub const LANDED: Nanos = Nanos::from_millis(100);

const VERSION: u8 = 2;

/// What is known of the keys of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Board {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    key: [u8; 16],
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Somebody fetches it; the others wait. Who has taken it over from a leader that went is waited for by those who
    /// waited for that one; for any other leader only by those who have not waited yet.
    UnderWay { token: u64, until: u64, failures: u32, taken_over: bool, waiting: Vec<(u32, u32)> },
    /// It was stored a moment ago.
    Landed { token: u64, until: u64 },
    /// The last flights failed.
    Failing { failures: u32, until: u64 },
    /// Its answer can not be stored, for the reason at this place of [`Refusal::ALL`].
    Uncacheable { reason: u8, until: u64 },
}

/// A question: may this request go to the origin?
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The tag of what is wanted.
    pub key: [u8; 16],
    /// Who waits if somebody else leads; `None` does not wait.
    pub me: Option<Waker>,
    /// The landing after which the store was looked into; zero for none.
    pub seen: u64,
    /// The flights of this key that it has waited for.
    pub waited: u8,
    /// The token of the flight, should it be led.
    pub token: u64,
    /// When that flight is overdue.
    pub until: Nanos,
}

/// What a question is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The asker fetches it.
    Lead,
    /// Somebody else does, and is overdue after this instant.
    Wait(Nanos),
    /// It was stored a moment ago, by this flight.
    Landed(u64),
    /// It goes to the origin by itself.
    Pass(Why),
}

impl State {
    fn until(&self) -> Nanos {
        match self {
            Self::UnderWay { until, .. }
            | Self::Landed { until, .. }
            | Self::Failing { until, .. }
            | Self::Uncacheable { until, .. } => Nanos(*until),
        }
    }

    /// Whether it says anything from now on. An overdue flight does for a while: it counts as a failure.
    fn is_over(&self, now: Nanos) -> bool {
        match self {
            Self::UnderWay { .. } => self.until() + FAILING <= now,
            Self::Landed { .. } | Self::Failing { .. } | Self::Uncacheable { .. } => {
                self.until() <= now
            }
        }
    }
}

impl Board {
    /// Reads a bucket; bytes of another shape are an empty one.
    pub fn read(bytes: &[u8]) -> Self {
        Self { entries: record::decode(VERSION, bytes).unwrap_or_default() }
    }

    /// Writes the bucket; at most [`MAX_SIZE`] bytes.
    pub fn write(&self) -> Vec<u8> {
        record::encode(VERSION, &self.entries)
    }

    /// Answers a question; whoever is told to lead or to wait is entered.
    pub fn ask(&mut self, ask: &Ask, limits: Limits, now: Nanos) -> (Change, Answer) {
        let (failures, waiting) = match self.state_mut(ask.key) {
            Some(State::UnderWay { until, failures, waiting, .. }) => {
                if now < Nanos(*until) {
                    return self.wait(ask, limits);
                }
                let failures = failures.saturating_add(1);
                if failures >= MAX_FAILURES && now < Nanos(*until) + FAILING {
                    return (Change::Keep, Answer::Pass(Why::Failing));
                }
                // Those who waited for the last one wait for this one, should it be quicker than their alarm.
                (failures, std::mem::take(waiting))
            }
            Some(State::Landed { token, until }) => {
                if now < Nanos(*until) && *token != ask.seen {
                    return (Change::Keep, Answer::Landed(*token));
                }
                if ask.waited > 0 {
                    return (Change::Keep, Answer::Pass(Why::Waited));
                }
                (0, Vec::new())
            }
            Some(State::Failing { failures, until }) => {
                let lives = now < Nanos(*until);
                if lives && ask.waited > 0 {
                    return (Change::Keep, Answer::Pass(Why::Waited));
                }
                if lives && (*failures >= MAX_FAILURES || ask.me.is_none()) {
                    return (Change::Keep, Answer::Pass(Why::Failing));
                }
                (if lives { *failures } else { 0 }, Vec::new())
            }
            Some(State::Uncacheable { reason, until }) => {
                if now < Nanos(*until) {
                    return (Change::Keep, Answer::Pass(Why::Uncacheable(reason_at(*reason))));
                }
                (0, Vec::new())
            }
            None => (0, Vec::new()),
        };
        let me = ask.me.map(|me| (me.queue, me.stream));
        let waiting = waiting.into_iter().filter(|each| Some(*each) != me).collect();
        let (token, until, taken_over) = (ask.token, ask.until.0, ask.waited > 0);
        let state = State::UnderWay { token, until, failures, taken_over, waiting };
        if self.set(ask.key, state, now) {
            (Change::Store, Answer::Lead)
        } else {
            (Change::Keep, Answer::Pass(Why::Full))
        }
    }

    fn wait(&mut self, ask: &Ask, limits: Limits) -> (Change, Answer) {
        let n_waiting = self.n_waiting();
        let Some(State::UnderWay { until, taken_over, waiting, .. }) = self.state_mut(ask.key)
        else {
            return (Change::Keep, Answer::Pass(Why::Full));
        };
        let Some(me) = ask.me.map(|me| (me.queue, me.stream)) else {
            return (Change::Keep, Answer::Pass(Why::UnderWay));
        };
        if waiting.contains(&me) {
            return (Change::Keep, Answer::Wait(Nanos(*until)));
        }
        if ask.waited > u8::from(*taken_over) {
            return (Change::Keep, Answer::Pass(Why::Waited));
        }
        let max = usize::try_from(limits.max_waiting).unwrap_or(usize::MAX);
        if waiting.len() >= max || n_waiting >= MAX_WAITING {
            return (Change::Keep, Answer::Pass(Why::Full));
        }
        waiting.push(me);
        (Change::Store, Answer::Wait(Nanos(*until)))
    }

    /// A flight has ended; answers whom to wake.
    ///
    /// A flight that was overdue and has been followed by another still tells what it found.
    pub fn land(
        &mut self,
        key: [u8; 16],
        token: u64,
        how: Landing,
        limits: Limits,
        now: Nanos,
    ) -> (Change, Vec<Waker>) {
        let (own, failures, waiting) = match self.state_mut(key) {
            Some(State::UnderWay { token: found, failures, waiting, .. }) => {
                let own = *found == token;
                match how {
                    Landing::Failed | Landing::Unshared | Landing::Abandoned if !own => {
                        return (Change::Keep, Vec::new());
                    }
                    Landing::Stored if !own => {
                        let woken = std::mem::take(waiting);
                        let change = if woken.is_empty() { Change::Keep } else { Change::Store };
                        return (change, wakers(woken));
                    }
                    Landing::Stored
                    | Landing::Uncacheable(_)
                    | Landing::Failed
                    | Landing::Unshared
                    | Landing::Abandoned => {}
                }
                (own, *failures, std::mem::take(waiting))
            }
            // What was stored meanwhile counts more than what a late flight could not store.
            Some(State::Landed { .. }) if how != Landing::Stored => {
                return (Change::Keep, Vec::new());
            }
            Some(State::Landed { .. } | State::Failing { .. } | State::Uncacheable { .. })
            | None => (false, 0, Vec::new()),
        };
        let next = match how {
            Landing::Stored => Some(State::Landed { token, until: (now + LANDED).0 }),
            Landing::Uncacheable(refusal) => Some(State::Uncacheable {
                reason: place_of(refusal),
                until: (now + limits.remember).0,
            }),
            Landing::Failed | Landing::Unshared | Landing::Abandoned if !own => {
                return (Change::Keep, Vec::new());
            }
            Landing::Failed => Some(State::Failing {
                failures: failures.saturating_add(1),
                until: (now + FAILING).0,
            }),
            Landing::Unshared => Some(State::Failing { failures, until: (now + FAILING).0 }),
            Landing::Abandoned if failures > 0 => {
                Some(State::Failing { failures, until: (now + FAILING).0 })
            }
            Landing::Abandoned => None,
        };
        match next {
            Some(state) => {
                // A full bucket remembers nothing new; nobody waits for what it does not know.
                self.set(key, state, now);
            }
            None => self.entries.retain(|entry| entry.key != key),
        }
        (Change::Store, wakers(waiting))
    }

    /// Takes a stream off the list of a key.
    pub fn leave(&mut self, key: [u8; 16], me: Waker) -> Change {
        let Some(State::UnderWay { waiting, .. }) = self.state_mut(key) else {
            return Change::Keep;
        };
        let before = waiting.len();
        waiting.retain(|each| *each != (me.queue, me.stream));
        if waiting.len() == before { Change::Keep } else { Change::Store }
    }

    /// What is known of a key.
    pub fn status(&self, key: [u8; 16], now: Nanos) -> Status {
        let found = self.entries.iter().find(|entry| entry.key == key);
        match found.map(|entry| &entry.state).filter(|state| now < state.until()) {
            None => Status::Idle,
            Some(State::UnderWay { until, waiting, failures, .. }) => Status::UnderWay {
                waiting: waiting.len(),
                failures: *failures,
                until: Nanos(*until),
            },
            Some(State::Landed { .. }) => Status::Landed,
            Some(State::Failing { failures, until }) => {
                Status::Failing { failures: *failures, until: Nanos(*until) }
            }
            Some(State::Uncacheable { reason, until }) => {
                Status::Uncacheable { refusal: reason_at(*reason), until: Nanos(*until) }
            }
        }
    }

    /// Streams that wait in this bucket.
    pub fn n_waiting(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| match &entry.state {
                State::UnderWay { waiting, .. } => waiting.len(),
                State::Landed { .. } | State::Failing { .. } | State::Uncacheable { .. } => 0,
            })
            .sum()
    }

    fn state_mut(&mut self, key: [u8; 16]) -> Option<&mut State> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.state)
    }

    /// Says something new of a key; whether there was room for it.
    ///
    /// What is over makes room, then what only saves a look, then the memory that ends soonest; never a flight.
    fn set(&mut self, key: [u8; 16], state: State, now: Nanos) -> bool {
        self.entries.retain(|entry| entry.key != key && !entry.state.is_over(now));
        if self.entries.len() >= MAX_KEYS {
            let least = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| !matches!(entry.state, State::UnderWay { .. }))
                .min_by_key(|(_, entry)| {
                    (!matches!(entry.state, State::Landed { .. }), entry.state.until())
                })
                .map(|(idx, _)| idx);
            let Some(idx) = least else { return false };
            self.entries.swap_remove(idx);
        }
        self.entries.push(Entry { key, state });
        true
    }
}

fn wakers(waiting: Vec<(u32, u32)>) -> Vec<Waker> {
    waiting.into_iter().map(|(queue, stream)| Waker { queue, stream }).collect()
}

fn place_of(refusal: Refusal) -> u8 {
    let place = Refusal::ALL.iter().position(|each| *each == refusal);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// Another release may have had another list; its memory lasts seconds.
fn reason_at(place: u8) -> Refusal {
    Refusal::ALL.get(usize::from(place)).copied().unwrap_or(Refusal::Store)
}
