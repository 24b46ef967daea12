//! The breaker itself: state and event and now in, state and effects out.
//!
//! ```text
//!            enough failures                 a probe is due and asked for
//!   Closed ──────────────────▶ Open ───────────────────────────▶ HalfOpen
//!     ▲                         ▲                                   │  │
//!     │                         └────────── one probe fails ────────┘  │
//!     └───────────────────── enough probes succeed ────────────────────┘
//! ```
//!
//! [`Breaker::step`] is total: every event is meaningful in every state, an outdated one changes nothing.
//! An outcome belongs to the state in which its request was admitted: one of a request that was admitted
//! before the last transition is late, and no evidence of how the upstream does now.
//! Only a failure opens a breaker, never a success that fills the minimum volume.
//!
//! All workers read one clock, each at the start of its callback, so instants of two workers may be a little
//! out of order: [`CLOCK_SLACK`]. An instant that lies further in the future comes from before the clock jumped
//! back; then the current state starts anew at `now`, so a jump costs at most one more open time.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

use crate::backoff::MAX_STEPS;
use crate::permits::{CLOCK_SLACK, Permits};
use crate::settings::{ProbeMethods, Probing, Settings};
use crate::window::Window;

/// What a breaker does with requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets them through and counts how they end.
    #[default]
    Closed,
    /// Rejects them.
    Open,
    /// Lets a few through as probes, rejects the others.
    HalfOpen,
}

/// What happens to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request wants to pass; `is_safe` if it can be repeated without harm.
    Ask {
        /// Whether its method is safe.
        is_safe: bool,
    },
    /// The upstream answered it well.
    Success(Ticket),
    /// The upstream failed; `luck` decides on the jitter if this opens the breaker.
    Failure {
        /// Of which request.
        ticket: Ticket,
        /// Any number.
        luck: u64,
    },
    /// It ended without saying anything about the upstream.
    Nothing(Ticket),
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
    /// It is half-open and its probes are out.
    Probing,
    /// A probe is due, but this request may not be one.
    Unsafe,
}

/// A change of state, for logs and metrics: told to the worker whose change it was, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    /// Before.
    pub from: State,
    /// After.
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
    /// A probe failed.
    ProbeFailed {
        /// Openings since it last recovered for good, this one counted.
        n_opens: u8,
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
}

/// What a step did besides changing the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Effects {
    /// The answer to [`Event::Ask`]; none for other events.
    pub decision: Option<Decision>,
    /// The change of state, if there was one.
    pub transition: Option<Transition>,
    /// Whether an outcome came too late to be evidence.
    pub is_late: bool,
}

/// One breaker. The default is closed and has seen nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// What it does with requests.
    pub state: State,
    /// When this state began.
    pub since: Nanos,
    /// How long the last opening lasts, or lasted.
    pub open_for: Nanos,
    /// Openings not yet undone by success: the next one's step of back-off.
    pub n_opens: u8,
    /// Failures since the last success; closed only.
    pub n_consecutive: u32,
    /// Probes that succeeded; half-open only.
    pub n_successes: u16,
    /// Half-open: when a probe last went or came back. Closed: when a step of back-off was last undone.
    pub marked_at: Nanos,
    /// The probes that are out; they count in every state until they end or run out.
    pub permits: Permits,
    /// How requests ended lately; closed only.
    pub window: Window,
}

impl Breaker {
    /// The state and the effects after `event`.
    ///
    /// **Cost**: no allocation; at most ten buckets and eight permits are looked at.
    #[must_use]
    pub fn step(self, settings: &Settings, event: Event, now: Nanos) -> (Self, Effects) {
        let mut next = self.after_jump(now);
        let effects = match event {
            Event::Ask { is_safe } => next.ask(settings, is_safe, now),
            Event::Success(ticket) => next.end(ticket, now, |next| next.succeed(settings, now)),
            Event::Failure { ticket, luck } => {
                next.end(ticket, now, |next| next.fail(settings, now, luck))
            }
            Event::Nothing(ticket) => next.end(ticket, now, |_| None),
        };
        (next, effects)
    }

    /// When the next probe is due; meaningful while open.
    pub fn retry_at(&self) -> Nanos {
        self.since.saturating_add(self.open_for)
    }

    /// A state that begins in the future begins now: the clock jumped back.
    fn after_jump(mut self, now: Nanos) -> Self {
        let latest = now.saturating_add(CLOCK_SLACK);
        if self.since > latest {
            self.since = now;
        }
        if self.marked_at > latest {
            self.marked_at = now;
        }
        self
    }

    fn ask(&mut self, settings: &Settings, is_safe: bool, now: Nanos) -> Effects {
        match self.state {
            State::Closed => decided(Decision::Admit(self.ticket(None, now)), None),
            State::Open if now < self.retry_at() => {
                decided(reject(Refusal::Open, self.retry_at().saturating_sub(now)), None)
            }
            State::Open if !self.may_probe(settings, is_safe, self.retry_at(), now) => {
                decided(reject(Refusal::Unsafe, Nanos::ZERO), None)
            }
            State::Open => {
                let cause = Cause::ProbeDue { open_for: now.saturating_sub(self.since) };
                let transition = self.change(State::HalfOpen, cause, now);
                decided(self.probe(settings, now), Some(transition))
            }
            State::HalfOpen if !self.may_probe(settings, is_safe, self.marked_at, now) => {
                decided(reject(Refusal::Unsafe, Nanos::ZERO), None)
            }
            State::HalfOpen => decided(self.probe(settings, now), None),
        }
    }

    fn may_probe(&self, settings: &Settings, is_safe: bool, due_at: Nanos, now: Nanos) -> bool {
        is_safe
            || match settings.probes.methods {
                ProbeMethods::Any => true,
                ProbeMethods::SafeOnly => false,
                ProbeMethods::SafeFirst => {
                    self.n_successes > 0 || now >= due_at.saturating_add(settings.open.base)
                }
            }
    }

    fn probe(&mut self, settings: &Settings, now: Nanos) -> Decision {
        let Probing { at_once, lease, .. } = settings.probes;
        // The lease runs from the instant on the ticket, also on a worker that is behind.
        let at = now.max(self.since);
        match self.permits.take(at_once, lease, at) {
            Some(permit) => {
                self.marked_at = at;
                Decision::Probe(self.ticket(Some(permit), at))
            }
            None => reject(Refusal::Probing, Nanos::ZERO),
        }
    }

    /// A ticket of this state, also if the asking worker's `now` is older than the state.
    fn ticket(&self, permit: Option<u32>, now: Nanos) -> Ticket {
        Ticket { admitted_at: now.max(self.since), permit }
    }

    /// A request ended; `judge` hears of it only if it tells of the state that is.
    fn end(
        &mut self,
        ticket: Ticket,
        now: Nanos,
        judge: impl FnOnce(&mut Self) -> Option<Transition>,
    ) -> Effects {
        if let Some(permit) = ticket.permit {
            self.permits.put_back(permit);
        }
        let is_of_this_state = match self.state {
            State::Closed => ticket.permit.is_none(),
            State::Open => false,
            State::HalfOpen => ticket.permit.is_some(),
        };
        // A ticket from the future is one from before the clock jumped back: it tells nothing.
        let latest = now.saturating_add(CLOCK_SLACK);
        if !is_of_this_state || ticket.admitted_at < self.since || ticket.admitted_at > latest {
            return Effects { is_late: true, ..Effects::default() };
        }
        if self.state == State::HalfOpen {
            self.marked_at = now;
        }
        Effects { transition: judge(self), ..Effects::default() }
    }

    fn succeed(&mut self, settings: &Settings, now: Nanos) -> Option<Transition> {
        if self.state == State::HalfOpen {
            self.n_successes = self.n_successes.saturating_add(1);
            let cause = Cause::Recovered { n_successes: self.n_successes };
            return (self.n_successes >= settings.probes.n_successes)
                .then(|| self.change(State::Closed, cause, now));
        }
        self.n_consecutive = 0;
        if settings.ratio.is_some() {
            self.window.record(settings.window, now, false);
        }
        self.calm_down(settings, now);
        None
    }

    /// Undoes one step of back-off when the upstream has done well for as long as that step was.
    fn calm_down(&mut self, settings: &Settings, now: Nanos) {
        let Some(fewer) = self.n_opens.checked_sub(1) else { return };
        if now >= self.marked_at.saturating_add(settings.open.plain(fewer)) {
            self.n_opens = fewer;
            self.marked_at = now;
        }
    }

    fn fail(&mut self, settings: &Settings, now: Nanos, luck: u64) -> Option<Transition> {
        let retry_in = settings.open.lucky(self.n_opens, luck);
        if self.state == State::HalfOpen {
            let n_opens = self.n_opens.saturating_add(1);
            return Some(self.open(Cause::ProbeFailed { n_opens, retry_in }, retry_in, now));
        }
        self.n_consecutive = self.n_consecutive.saturating_add(1);
        let n_failed = self.n_consecutive;
        if settings.consecutive.is_some_and(|threshold| n_failed >= threshold) {
            return Some(self.open(Cause::Consecutive { n_failed, retry_in }, retry_in, now));
        }
        let trip = settings.ratio?;
        self.window.record(settings.window, now, true);
        let tally = self.window.tally(settings.window, now);
        let (n_failed, n_ended) = (tally.n_failed, tally.n_ended);
        let reached = trip.threshold.is_reached_by(u64::from(n_failed), u64::from(n_ended));
        (n_ended >= trip.min_requests && reached)
            .then(|| self.open(Cause::Ratio { n_failed, n_ended, retry_in }, retry_in, now))
    }

    fn open(&mut self, cause: Cause, retry_in: Nanos, now: Nanos) -> Transition {
        self.n_opens = self.n_opens.saturating_add(1).min(MAX_STEPS);
        self.open_for = retry_in;
        self.change(State::Open, cause, now)
    }

    /// Enters a state; what only the old one needed is forgotten.
    fn change(&mut self, to: State, cause: Cause, now: Nanos) -> Transition {
        let from = self.state;
        *self = Self {
            state: to,
            since: now,
            open_for: self.open_for,
            n_opens: self.n_opens,
            marked_at: now,
            permits: self.permits,
            ..Self::default()
        };
        Transition { from, to, cause }
    }
}

const fn reject(reason: Refusal, retry_in: Nanos) -> Decision {
    Decision::Reject { reason, retry_in }
}

fn decided(decision: Decision, transition: Option<Transition>) -> Effects {
    Effects { decision: Some(decision), transition, is_late: false }
}
