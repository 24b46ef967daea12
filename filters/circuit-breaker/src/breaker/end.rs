//! What the end of a request says, and what follows from it.

use kit::Nanos;

use super::backoff::MAX_STEPS;
use super::permits::CLOCK_SLACK;
use super::settings::{Settings, Trip};
use super::window::Call;
use super::{Breaker, Cause, Control, Event, State, Ticket};

/// A call that tells of the state that is.
#[derive(Clone, Copy)]
struct Heard {
    call: Call,
    luck: u64,
    come_back: Nanos,
}

impl Heard {
    const fn is_bad(self) -> bool {
        self.call.is_failed || self.call.is_slow
    }
}

impl Breaker {
    /// A request ended; `None` if that came too late to say anything.
    pub(super) fn end(
        &mut self,
        settings: &Settings,
        event: Event,
        now: Nanos,
    ) -> Option<Option<Cause>> {
        let (ticket, heard) = match event {
            Event::Success { ticket, is_slow } => {
                let call = Call { is_failed: false, is_slow };
                (ticket, Some(Heard { call, luck: 0, come_back: Nanos::ZERO }))
            }
            Event::Failure { ticket, is_slow, luck, come_back } => {
                let call = Call { is_failed: true, is_slow };
                (ticket, Some(Heard { call, luck, come_back }))
            }
            Event::Nothing(ticket) => (ticket, None),
            Event::Ask { .. } | Event::Look | Event::Hold(_) | Event::Reset => return Some(None),
        };
        if let Some(permit) = ticket.permit {
            self.permits.put_back(permit);
        }
        if !self.is_of_this_state(ticket, now) {
            return None;
        }
        if self.state == State::HalfOpen {
            self.marked_at = now;
        }
        let Some(heard) = heard else { return Some(None) };
        Some(match (self.control(), self.state) {
            (Some(Control::Disable), _) => None,
            (Some(Control::ForceClosed), _) => {
                self.count(settings, heard.call, now);
                None
            }
            (_, State::HalfOpen) => self.probed(settings, heard, now),
            _ => self.passed(settings, heard, now),
        })
    }

    fn is_of_this_state(&self, ticket: Ticket, now: Nanos) -> bool {
        let is_of_kind = match self.state {
            _ if self.control() == Some(Control::ForceOpen) => false,
            State::Closed | State::Recovering | State::Shedding => ticket.permit.is_none(),
            State::Open => false,
            State::HalfOpen => ticket.permit.is_some(),
        };
        // A ticket from the future is one from before the clock jumped back: it tells nothing.
        let latest = now.saturating_add(CLOCK_SLACK);
        is_of_kind && ticket.admitted_at >= self.evidence_from && ticket.admitted_at <= latest
    }

    /// A probe came back.
    fn probed(&mut self, settings: &Settings, heard: Heard, now: Nanos) -> Option<Cause> {
        if heard.is_bad() {
            self.n_failures = self.n_failures.saturating_add(1);
            if self.n_failures < settings.probes.n_failures {
                return None;
            }
            let n_opens = self.n_opens.saturating_add(1);
            let retry_in = self.time_to_open(settings, heard);
            self.open(retry_in, now);
            return Some(Cause::ProbeFailed { n_opens, retry_in });
        }
        self.n_successes = self.n_successes.saturating_add(1);
        if self.n_successes < settings.probes.n_successes {
            return None;
        }
        let cause = Cause::Recovered { n_successes: self.n_successes };
        let to = if settings.ramp.is_some() { State::Recovering } else { State::Closed };
        self.change(to, now);
        Some(cause)
    }

    /// A client's request ended that was no probe.
    fn passed(&mut self, settings: &Settings, heard: Heard, now: Nanos) -> Option<Cause> {
        self.count(settings, heard.call, now);
        if !heard.is_bad() {
            self.calm_down(settings, now);
            return None;
        }
        let retry_in = self.time_to_open(settings, heard);
        if let Some(cause) = self.why_open(settings, heard.call, retry_in, now) {
            self.open(retry_in, now);
            return Some(cause);
        }
        if self.state == State::Closed
            && let Some(shedding) = settings.shedding
        {
            let share = shedding.share(&self.tally(settings, now));
            if share.as_ppm() > 0 {
                self.pass_to(State::Shedding, now);
                return Some(Cause::Overloaded { share });
            }
        }
        None
    }

    fn count(&mut self, settings: &Settings, call: Call, now: Nanos) {
        let more = if call.is_failed { self.n_consecutive.saturating_add(1) } else { 0 };
        self.n_consecutive = more;
        if settings.ratio.is_some() || settings.slow.is_some() || settings.shedding.is_some() {
            self.window.record(settings.window, now, call);
        }
    }

    /// Why a bad call opens for so long; none if it does not.
    fn why_open(
        &self,
        settings: &Settings,
        call: Call,
        retry_in: Nanos,
        now: Nanos,
    ) -> Option<Cause> {
        let n_failed = self.n_consecutive;
        if call.is_failed {
            let ramp = settings.ramp.as_ref().filter(|_| self.state == State::Recovering);
            if ramp.is_some_and(|ramp| n_failed >= ramp.n_failures) {
                return Some(Cause::Relapsed { n_failed, retry_in });
            }
            if settings.consecutive.is_some_and(|threshold| n_failed >= threshold) {
                return Some(Cause::Consecutive { n_failed, retry_in });
            }
        }
        let tally = self.tally(settings, now);
        let (n_failed, n_slow, n_ended) = (tally.n_failed, tally.n_slow, tally.n_ended);
        if call.is_failed
            && settings.ratio.is_some_and(|trip| trip.is_reached_by(n_failed, n_ended))
        {
            return Some(Cause::Ratio { n_failed, n_ended, retry_in });
        }
        let is_reached = |trip: Trip| trip.is_reached_by(n_slow, n_ended);
        (call.is_slow && settings.slow.is_some_and(|slow| is_reached(slow.trip)))
            .then_some(Cause::Slow { n_slow, n_ended, retry_in })
    }

    /// Undoes one step of back-off when the upstream has done well for as long as that step was.
    fn calm_down(&mut self, settings: &Settings, now: Nanos) {
        let Some(fewer) = self.n_opens.checked_sub(1) else { return };
        if now >= self.marked_at.saturating_add(settings.open.plain(fewer)) {
            self.n_opens = fewer;
            self.marked_at = now;
        }
    }

    /// How long an opening lasts: as the back-off says, or longer if the upstream asked for it, up to the cap.
    fn time_to_open(&self, settings: &Settings, heard: Heard) -> Nanos {
        let asked = heard.come_back.min(settings.open.max);
        settings.open.lucky(self.n_opens, heard.luck).max(asked)
    }

    fn open(&mut self, retry_in: Nanos, now: Nanos) {
        self.open_for = retry_in;
        self.n_opens = self.n_opens.saturating_add(1).min(MAX_STEPS);
        self.change(State::Open, now);
    }
}
