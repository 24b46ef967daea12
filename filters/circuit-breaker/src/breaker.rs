//! The breaker itself: state and event and now in, state and effects out.
//!
//! ```text
//!              enough failures                a probe is due and asked for
//!   ┌─ Closed ──────────────────▶ Open ───────────────────────────▶ HalfOpen
//!   │    ▲                       ▲   ▲                                │   │
//!   │    │ all traffic is back   │   └──────── probes fail ───────────┘   │
//!   │    └──────── Recovering ───┘                                        │
//!   │                  ▲    a relapse                                     │
//!   │                  └───────────────── enough probes succeed ──────────┘
//!   │     more failures than
//!   └─▶ Shedding   the upstream's share is taken again: back to Closed
//! ```
//!
//! Without a ramp, enough successful probes close at once. An operator's hand ([`Held`]) stands above all states.
//!
//! [`Breaker::step`] is total: every event is meaningful in every state, an outdated one changes nothing.
//! An outcome belongs to the state in which its request was admitted: one of a request that was admitted
//! before the last transition is late, and no evidence of how the upstream does now. Closed, shedding and recovering
//! are one in this: they all let clients' requests through.
//! Only a bad call opens a breaker, never a good one that fills the minimum volume.
//!
//! An answer is evidence when it begins. One that has begun well can fail later; then the failure takes the place of the
//! success in the window. In the row of failures it stands where it ended: a row that only answers in progress have
//! ended goes on with the first of them that fails, so that a service whose every answer breaks off opens its breaker.
//!
//! All workers read one clock, each at the start of its callback, so instants of two workers may be a little
//! out of order: [`CLOCK_SLACK`]. An instant that lies further in the future comes from before the clock jumped
//! back; then the current state starts anew at `now`, so a jump costs at most one more open time.

#![deny(clippy::arithmetic_side_effects)]

mod ask;
pub mod backoff;
mod end;
mod event;
mod hand;
pub mod permits;
pub mod settings;
pub mod shedding;
pub mod window;

use kit::Nanos;

pub use event::{
    Asker, Begun, Cause, Control, Decision, Effects, Event, Held, Refusal, State, Ticket,
    Transition,
};
pub use hand::MAX_HOLD;
use permits::{CLOCK_SLACK, Permits};
use settings::Settings;
use window::{Span, Tally, Window};

/// One breaker. The default is closed and has seen nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// What it does with requests, unless it is held.
    pub state: State,
    /// When this state began.
    pub since: Nanos,
    /// Requests that were admitted before this are no evidence.
    pub evidence_from: Nanos,
    /// How long the last opening lasts, or lasted.
    pub open_for: Nanos,
    /// Openings not yet undone by success: the next one's step of back-off.
    pub n_opens: u8,
    /// Failures since the last success; while clients' requests pass.
    pub n_consecutive: u32,
    /// Failures in a row that answers ended which have only begun: they count again if the next of these fails.
    pub n_doubtful: u32,
    /// Probes that succeeded; half-open only.
    pub n_successes: u16,
    /// Probes that failed; half-open only.
    pub n_failures: u16,
    /// Half-open: when a probe last went or came back. Else: when a step of back-off was last undone.
    pub marked_at: Nanos,
    /// The operator's hand on it.
    pub held: Option<Held>,
    /// The probes that are out; they count in every state until they end or run out.
    pub permits: Permits,
    /// How requests ended lately; while clients' requests pass.
    pub window: Window,
}

impl Breaker {
    /// The state and the effects after `event`.
    ///
    /// **Cost**: no allocation; at most ten buckets and sixteen permits are looked at.
    #[must_use]
    pub fn step(self, settings: &Settings, event: Event, now: Nanos) -> (Self, Effects) {
        let mut next = self.after_jump(now);
        let settled = next.settle(settings, now);
        let mut effects = Effects {
            is_advice: next.control() == Some(Control::MetricsOnly),
            ..Effects::default()
        };
        let cause = match event {
            Event::Ask { asker, luck } => {
                let (decision, cause) = next.ask(settings, asker, luck, now);
                effects.decision = Some(decision);
                cause
            }
            Event::Success { .. }
            | Event::Failure { .. }
            | Event::Begun { .. }
            | Event::Broken { .. }
            | Event::Whole(_)
            | Event::Nothing(_) => {
                let ended = next.end(settings, event, &mut effects.begun, now);
                effects.is_late = ended.is_none();
                ended.flatten()
            }
            Event::Look => None,
            Event::Hold(held) => next.hold(held, now),
            Event::Reset => next.reset(now),
        };
        let (from, to) = (self.shown(), next.shown());
        if from != to {
            effects.transition = cause.or(settled).map(|cause| Transition { from, to, cause });
        }
        (next, effects)
    }

    /// What requests meet: the state, or what the operator's hand makes of it.
    pub fn shown(&self) -> State {
        match self.control() {
            Some(Control::ForceOpen) => State::Open,
            Some(Control::ForceClosed | Control::Disable) => State::Closed,
            Some(Control::MetricsOnly) | None => self.state,
        }
    }

    /// Whether a request has to ask: in every other case it is admitted.
    pub fn is_out(&self) -> bool {
        self.state != State::Closed || self.control() == Some(Control::ForceOpen)
    }

    /// When the next probe is due; meaningful while open.
    pub fn retry_at(&self) -> Nanos {
        self.since.saturating_add(self.open_for)
    }

    /// How requests ended lately.
    pub fn tally(&self, settings: &Settings, now: Nanos) -> Tally {
        self.window.tally(settings.window, now)
    }

    /// The instant of what happens to it in a callback that began at `now`: not before its state did, which a worker
    /// whose callback began a little later may have stored in between.
    pub fn not_before(&self, now: Nanos) -> Nanos {
        now.max(self.after_jump(now).since)
    }

    fn control(&self) -> Option<Control> {
        self.held.map(|held| held.control)
    }

    /// A state that begins in the future begins now: the clock jumped back.
    fn after_jump(mut self, now: Nanos) -> Self {
        let latest = now.saturating_add(CLOCK_SLACK);
        for instant in [&mut self.since, &mut self.evidence_from, &mut self.marked_at] {
            if *instant > latest {
                *instant = now;
            }
        }
        self
    }

    /// Ends what time has ended.
    fn settle(&mut self, settings: &Settings, now: Nanos) -> Option<Cause> {
        let released = self.let_go_when_over(now);
        let elapsed = now.saturating_sub(self.since);
        let ended = match self.state {
            State::Recovering => {
                let is_over = settings.ramp.as_ref().is_none_or(|ramp| elapsed >= ramp.time);
                is_over.then_some(Cause::Returned)
            }
            State::Shedding => self.is_relieved(settings, now).then_some(Cause::Relieved),
            State::Closed | State::HalfOpen | State::Open => None,
        };
        if ended.is_some() {
            self.pass_to(State::Closed, now);
        }
        ended.or(released)
    }

    /// Whether nothing has to be shed any more; looked at only once the state has lasted for a bucket of the window,
    /// so that it does not come and go with every request.
    fn is_relieved(&self, settings: &Settings, now: Nanos) -> bool {
        let (Some(shedding), Span::Time(length)) = (settings.shedding, settings.window) else {
            return true;
        };
        let bucket = length.checked_div(10).unwrap_or(length);
        now >= self.since.saturating_add(bucket)
            && shedding.share(&self.tally(settings, now)).as_ppm() == 0
    }

    /// Enters a state in which the same evidence goes on counting.
    const fn pass_to(&mut self, to: State, now: Nanos) {
        self.state = to;
        self.since = now;
    }

    /// Enters a state; what only the old one needed is forgotten.
    fn change(&mut self, to: State, now: Nanos) {
        *self = Self {
            state: to,
            since: now,
            evidence_from: now,
            open_for: self.open_for,
            n_opens: self.n_opens,
            marked_at: now,
            held: self.held,
            permits: self.permits,
            ..Self::default()
        };
    }
}
