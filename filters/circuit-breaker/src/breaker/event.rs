//! What happens to a breaker, and what it answers: the words of the machine.

use kit::Nanos;
use kit::units::Ratio;

/// What a breaker does with requests.
///
/// The order is that of how much passes, most first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Lets them through and counts how they end.
    #[default]
    Closed,
    /// Has closed a while ago, and lets a growing share through.
    Recovering,
    /// Lets through what the upstream can take, by the failures seen.
    Shedding,
    /// Lets a few through as probes, rejects the others.
    HalfOpen,
    /// Rejects them.
    Open,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Closed, Self::Recovering, Self::Shedding, Self::HalfOpen, Self::Open];
}

/// What happens to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request wants to pass; `luck` is any number, all equally likely.
    Ask {
        /// Who asks.
        asker: Asker,
        /// Decides where only a share may pass.
        luck: u64,
    },
    /// The upstream answered it well.
    Success {
        /// Of which request.
        ticket: Ticket,
        /// Whether it took too long.
        is_slow: bool,
    },
    /// The upstream failed.
    Failure {
        /// Of which request.
        ticket: Ticket,
        /// Whether it took too long.
        is_slow: bool,
        /// Decides on the jitter if this opens the breaker.
        luck: u64,
        /// The upstream asked to be left alone for as long; zero if it said nothing.
        come_back: Nanos,
    },
    /// The upstream has begun to answer it well; more of the answer is to come.
    Begun {
        /// Of which request.
        ticket: Ticket,
        /// Whether it took too long.
        is_slow: bool,
    },
    /// An answer that had begun well failed, and the upstream is the cause: this takes the place of [`Event::Begun`].
    Broken {
        /// Of which request.
        ticket: Ticket,
        /// How its beginning was counted.
        begun: Begun,
        /// Decides on the jitter if this opens the breaker.
        luck: u64,
    },
    /// An answer that had begun well is over, and did not fail.
    Whole(Ticket),
    /// It ended without saying anything about the upstream.
    Nothing(Ticket),
    /// Time has passed: what is over ends.
    Look,
    /// An operator takes the breaker in hand, or lets go of it.
    Hold(Option<Held>),
    /// An operator has it forget everything but the hand that holds it.
    Reset,
}

/// Who asks whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A client, with a request that can be repeated without harm.
    Safe,
    /// A client, with another.
    Unsafe,
    /// The filter itself, with its own probe.
    Filter,
}

/// What an admitted request holds until it ends.
///
/// One that passes because every breaker is closed, its own unread, has a ticket of that instant and no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// When it was admitted.
    pub admitted_at: Nanos,
    /// The permit, if it is a probe.
    pub permit: Option<u32>,
}

/// How the beginning of an answer was counted, for what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Begun {
    /// When.
    pub at: Nanos,
    /// Its number in a window over a number of requests.
    pub serial: u32,
    /// Whether it counted as slow.
    pub is_slow: bool,
    /// Whether failures in a row ended with it, unless it fails after all: then its end has to be heard.
    pub ends_row: bool,
}

/// What a breaker says of a request that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It may pass, with this ticket.
    Admit(Ticket),
    /// It may pass as a probe, with this ticket.
    Probe(Ticket),
    /// It may not; a client that comes back after `retry_in` may find it different.
    Reject {
        /// Why.
        reason: Refusal,
        /// Time to the next probe, as far as is known; may be zero.
        retry_in: Nanos,
    },
}

/// Why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The breaker is open.
    Open,
    /// It is half-open and its probes are out, or its probes are the filter's own.
    Probing,
    /// A probe is due, but this request may not be one.
    Unsafe,
    /// The upstream recovers, and this request was not in the share that may pass.
    Recovering,
    /// The upstream fails in part, and this request was not in the share that may pass.
    Shed,
    /// An operator holds the breaker open.
    Forced,
}

/// An operator's hand on a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// What it does instead of what it would.
    pub control: Control,
    /// When the hand lets go by itself.
    pub until: Option<Nanos>,
}

/// What an operator has a breaker do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// It rejects every request.
    ForceOpen,
    /// It admits every request, and counts.
    ForceClosed,
    /// It admits every request, and counts nothing.
    Disable,
    /// It goes on as it would and says what it would do, but rejects nothing.
    MetricsOnly,
}

impl Control {
    /// Every control.
    pub const ALL: [Self; 4] =
        [Self::ForceOpen, Self::ForceClosed, Self::Disable, Self::MetricsOnly];
}

/// A change of state, for logs and metrics: told to the worker whose change it was, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    /// What requests met before.
    pub from: State,
    /// What they meet now.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Why a breaker changed its state, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Failures in a row.
    Consecutive {
        /// How many.
        n_failed: u32,
        /// Open for.
        retry_in: Nanos,
    },
    /// Failures among the requests of the window.
    Ratio {
        /// How many failed.
        n_failed: u32,
        /// Of how many.
        n_ended: u32,
        /// Open for.
        retry_in: Nanos,
    },
    /// Slow calls among the requests of the window.
    Slow {
        /// How many were slow.
        n_slow: u32,
        /// Of how many.
        n_ended: u32,
        /// Open for.
        retry_in: Nanos,
    },
    /// Probes failed.
    ProbeFailed {
        /// Openings since it last recovered for good, this one counted.
        n_opens: u8,
        /// Open for.
        retry_in: Nanos,
    },
    /// Failures in a row while traffic returned.
    Relapsed {
        /// How many.
        n_failed: u32,
        /// Open for.
        retry_in: Nanos,
    },
    /// The open time was over and a probe came.
    ProbeDue {
        /// How long it was open.
        open_for: Nanos,
    },
    /// Enough probes succeeded.
    Recovered {
        /// How many.
        n_successes: u16,
    },
    /// All traffic has returned.
    Returned,
    /// More failures than can be made up for.
    Overloaded {
        /// Share of the requests that is rejected from now on.
        share: Ratio,
    },
    /// The upstream takes every request again.
    Relieved,
    /// An operator took it in hand.
    Held(Control),
    /// An operator let go of it, or the time was over.
    Released(Control),
    /// An operator had it forget everything.
    Reset,
}

/// What a step did besides changing the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Effects {
    /// The answer to [`Event::Ask`]; none for other events.
    pub decision: Option<Decision>,
    /// The change of state, if there was one.
    pub transition: Option<Transition>,
    /// How an [`Event::Begun`] was counted; none if it was not.
    pub begun: Option<Begun>,
    /// Whether an outcome came too late to be evidence.
    pub is_late: bool,
    /// Whether the decision is only to be told: a request that is rejected passes all the same.
    pub is_advice: bool,
}
