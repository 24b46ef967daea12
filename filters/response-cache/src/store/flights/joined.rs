//! What a request is told to do, how its flight ends, and what others are told of it.

use kit::exchange::Waker;
use kit::hash::Tag;
use kit::units::Nanos;

use crate::signals::Refusal;

/// What a request is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// Go to the origin, and [land](super::Flights::land) in every case.
    Lead(Flight),
    /// Pause; when woken, look into the store, and if there is nothing, [ask again](super::Flights::rejoin).
    Wait(Waiting),
    /// Something was stored a moment ago: look into the store once more, and if there is nothing,
    /// [ask again](super::Flights::rejoin), all in this callback.
    Landed(Waiting),
    /// Go to the origin; nobody waits for it. If its answer is stored, say so with [`Flights::stored`](super::Flights::stored).
    Pass(Why),
}

/// Why a request neither leads nor waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The answer could not be stored a while ago, for this reason.
    Uncacheable(Refusal),
    /// The last flights failed.
    Failing,
    /// Too many wait, or too many keys are under way.
    Full,
    /// It has waited as long as it may.
    TimedOut,
    /// It has waited for one flight, which brought nothing for it.
    Waited,
    /// Somebody else fetches it, and this one is not to wait.
    UnderWay,
    /// This worker's streams can not be woken.
    Unwakeable,
    /// The shared table was not to be had.
    Store,
}

impl Why {
    /// The word for it in explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uncacheable(_) => "uncacheable",
            Self::Failing => "failing",
            Self::Full => "full",
            Self::TimedOut => "timed_out",
            Self::Waited => "waited",
            Self::UnderWay => "under_way",
            Self::Unwakeable => "unwakeable",
            Self::Store => "store",
        }
    }
}

/// One request that fetches for all; must be [landed](super::Flights::land).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "others wait until it has landed"]
pub struct Flight {
    pub(super) key: [u8; 16],
    pub(super) token: u64,
}

impl Flight {
    /// 24 bytes that tell another worker which flight it is.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.key[..], &self.token.to_le_bytes()].concat()
    }

    /// The flight of these bytes. They must come from a source that is trusted: whoever knows them may land it.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, token) = bytes.split_first_chunk::<16>()?;
        Some(Self { key: *key, token: u64::from_le_bytes(token.try_into().ok()?) })
    }
}

/// One stream that waits, or has waited: what [`Flights::rejoin`](super::Flights::rejoin) needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub(super) key: Tag,
    pub(super) me: Waker,
    pub(super) until: Nanos,
    pub(super) seen: u64,
    /// The flights of this key that it has waited for.
    pub(super) waited: u8,
}

impl Waiting {
    /// When it stops waiting, whatever happens; monotonic.
    pub const fn until(&self) -> Nanos {
        self.until
    }
}

/// How a flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// Its answer is stored: those who wait will find it.
    Stored,
    /// Its answer can not be stored, by the answer's own fault: remembered, those who wait go on by themselves.
    ///
    /// Said as soon as it is known, which is with the headers. A refusal by fault of the leader's request alone
    /// (its condition, its `Authorization`) is [`Landing::Unshared`]: one client must not decide for the others.
    Uncacheable(Refusal),
    /// The origin failed: no answer, a broken one, or 5xx.
    Failed,
    /// The answer is no use to those who wait, by fault of the leader's request alone: they go on by themselves, and
    /// the next one that asks leads.
    Unshared,
    /// The leader went before a response had begun, such as when its client left.
    Abandoned,
}

/// What is known of a key now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing: the next one leads.
    Idle,
    /// Somebody fetches it.
    UnderWay {
        /// How many wait for it.
        waiting: usize,
        /// How many flights failed just before.
        failures: u32,
        /// When it is overdue, monotonic.
        until: Nanos,
    },
    /// It was stored a moment ago.
    Landed,
    /// The last flights failed.
    Failing {
        /// How many.
        failures: u32,
        /// When that is forgotten, monotonic.
        until: Nanos,
    },
    /// Its answer could not be stored.
    Uncacheable {
        /// Why.
        refusal: Refusal,
        /// When that is forgotten, monotonic.
        until: Nanos,
    },
}
