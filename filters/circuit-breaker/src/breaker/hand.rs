//! The operator's hand on a breaker.
//!
//! A hand that forces or disables makes the breaker forget what it saw, so that it starts closed and empty once the
//! hand lets go. One that only wants metrics changes nothing but whether requests are rejected.

use kit::Nanos;

use super::permits::CLOCK_SLACK;
use super::{Breaker, Cause, Control, Held, State};

/// The longest that a hand may be told to hold, if it is told: a longer hold is one without an end.
pub const MAX_HOLD: Nanos = Nanos::from_days(30);

impl Breaker {
    /// Takes it in hand, or lets go of it.
    pub(super) fn hold(&mut self, held: Option<Held>, now: Nanos) -> Option<Cause> {
        let before = self.control();
        if [before, held.map(|held| held.control)].into_iter().flatten().any(forgets) {
            self.forget(now);
        }
        self.held = held;
        match (held, before) {
            (Some(held), _) => Some(Cause::Held(held.control)),
            (None, Some(control)) => Some(Cause::Released(control)),
            (None, None) => None,
        }
    }

    /// Forgets everything but the hand and the probes that are out.
    pub(super) fn reset(&mut self, now: Nanos) -> Option<Cause> {
        self.forget(now);
        Some(Cause::Reset)
    }

    /// Lets go when the time is over; an end that lies too far ahead is one from before the clock jumped back.
    pub(super) fn let_go_when_over(&mut self, now: Nanos) -> Option<Cause> {
        let held = self.held?;
        let until = held.until?;
        let latest = now.saturating_add(MAX_HOLD).saturating_add(CLOCK_SLACK);
        if now < until && until <= latest {
            return None;
        }
        self.hold(None, now)
    }

    fn forget(&mut self, now: Nanos) {
        self.n_opens = 0;
        self.open_for = Nanos::ZERO;
        self.change(State::Closed, now);
    }
}

/// Whether the breaker learns nothing while it is held like this.
const fn forgets(control: Control) -> bool {
    match control {
        Control::ForceOpen | Control::ForceClosed | Control::Disable => true,
        Control::MetricsOnly => false,
    }
}
