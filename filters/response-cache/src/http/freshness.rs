//! How long a response stays fresh, and how old it is.
//!
//! Only lifetimes that the origin states count here; [`crate::policy::assume`] has those that it does not state.
//! Resident time runs on the monotonic clock, so that a stepped wall clock makes nothing fresh again;
//! the wall clock is read once, when the response arrives, to compare it with the response's `Date`.
//!
//! ```
//! use kit::Nanos;
//! use weir_response_cache::http::freshness::{Arrival, Dated, initial_age};
//!
//! // Sent by the origin at 1,000 s, announced as 7 s old, asked for at 5 s and here at 6 s.
//! let arrival = Arrival { asked: Nanos::from_secs(5), received: Nanos::from_secs(6), wall: 1_002 };
//! assert_eq!(initial_age(Some(7), Dated::At(1_000), arrival), Nanos::from_secs(8));
//! ```
//!
//! **Source**: RFC 9111 sections 4.2.1 (lifetime), 4.2.3 (age), 5.1 (Age), 5.3 (Expires).

use kit::Nanos;

use crate::http::directives::{Delta, ResponseDirectives};
use crate::http::field;

/// A header field that holds one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dated {
    /// It is not there.
    #[default]
    Absent,
    /// Seconds since 1970.
    At(u64),
    /// It is no date, or there are several different ones.
    Invalid,
}

impl Dated {
    /// Adds one line of the field; equal lines count once, also where they were joined.
    pub fn read(&mut self, line: &[u8]) {
        let read = field::date(field::once(line)).map_or(Self::Invalid, Self::At);
        *self = if *self == Self::Absent || *self == read { read } else { Self::Invalid };
    }
}

/// When a response was asked for and came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When the request was forwarded, monotonic.
    pub asked: Nanos,
    /// When the response's headers came, monotonic.
    pub received: Nanos,
    /// When they came, in whole seconds since 1970.
    pub wall: u64,
}

/// What the origin states about a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// Nothing.
    Nothing,
    /// Something, but not clearly.
    Unclear,
    /// This many seconds.
    Seconds(u64),
}

/// The lifetime that the origin states.
///
/// `s-maxage` goes before `max-age`, and that before `Expires` (4.2.1).
/// A lifetime that is there but invalid makes the response stale, whatever weaker ones say.
/// An invalid `Expires`, such as `0`, is a date in the past.
pub fn lifetime(
    directives: &ResponseDirectives,
    expires: Dated,
    date: Dated,
    arrival: Arrival,
) -> Stated {
    match (directives.s_maxage, directives.max_age) {
        (Delta::Invalid, _) | (_, Delta::Invalid) => Stated::Unclear,
        (Delta::Seconds(seconds), _) | (Delta::Absent, Delta::Seconds(seconds)) => {
            Stated::Seconds(seconds)
        }
        (Delta::Absent, Delta::Absent) => match (expires, date) {
            (Dated::At(expires), Dated::At(date)) => Stated::Seconds(expires.saturating_sub(date)),
            (Dated::At(expires), Dated::Absent) => {
                Stated::Seconds(expires.saturating_sub(arrival.wall))
            }
            (Dated::Invalid, _) => Stated::Seconds(0),
            (Dated::At(_), Dated::Invalid) => Stated::Unclear,
            (Dated::Absent, _) => Stated::Nothing,
        },
    }
}

/// The first member of an `Age` field, in seconds; one that is no number is ignored (5.1).
pub fn age_value(line: &[u8]) -> Option<u64> {
    let first = line.split(|byte| *byte == b',').next()?;
    crate::http::directives::seconds(field::trim(first))
}

/// How old a response was when it came: the `corrected_initial_age` of 4.2.3.
pub fn initial_age(age_value: Option<u64>, date: Dated, arrival: Arrival) -> Nanos {
    let apparent = match date {
        Dated::At(date) => arrival.wall.saturating_sub(date),
        Dated::Absent | Dated::Invalid => 0,
    };
    let delay = arrival.received.saturating_sub(arrival.asked);
    let corrected = Nanos::from_secs(age_value.unwrap_or(0)).saturating_add(delay);
    corrected.max(Nanos::from_secs(apparent))
}

/// The freshness of a stored response: what is needed to tell its age and its end at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// When it came, monotonic.
    pub received: Nanos,
    /// How old it was then.
    pub initial_age: Nanos,
    /// How old it may become.
    pub lifetime: Nanos,
}

impl Freshness {
    /// Its age at `now`.
    pub const fn age(&self, now: Nanos) -> Nanos {
        self.initial_age.saturating_add(now.saturating_sub(self.received))
    }

    /// How much longer it is fresh; zero when it is stale.
    pub const fn left(&self, now: Nanos) -> Nanos {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// The instant from which it is stale, monotonic.
    pub const fn expires_at(&self) -> Nanos {
        self.received.saturating_add(self.lifetime.saturating_sub(self.initial_age))
    }
}
