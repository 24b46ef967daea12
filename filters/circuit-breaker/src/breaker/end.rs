//! What the end of a request says, and what follows from it.

use kit::Nanos;

use super::permits::CLOCK_SLACK;
use super::settings::{Settings, Trip};
use super::window::Call;
use super::{Begun, Breaker, Cause, Control, Event, State, Ticket};

/// A call that tells of the state that is.
#[derive(Clone, Copy)]
struct Heard {
    call: Call,
    progress: Progress,
    luck: u64,
    come_back: Nanos,
}

/// How much of an answer there is.
#[derive(Clone, Copy)]
enum Progress {
    /// All that says something.
    Whole,
    /// Its beginning.
    Begun,
    /// It failed after a beginning that was counted like this.
    Broken(Begun),
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
        begun: &mut Option<Begun>,
        now: Nanos,
    ) -> Option<Option<Cause>> {
        let well = |is_slow, progress| Heard {
            call: Call { is_failed: false, is_slow },
            progress,
            luck: 0,
            come_back: Nanos::ZERO,
        };
        let (ticket, heard) = match event {
            Event::Success { ticket, is_slow } => (ticket, Some(well(is_slow, Progress::Whole))),
            Event::Begun { ticket, is_slow } => (ticket, Some(well(is_slow, Progress::Begun))),
            Event::Failure { ticket, is_slow, luck, come_back } => {
                let call = Call { is_failed: true, is_slow };
                (ticket, Some(Heard { call, progress: Progress::Whole, luck, come_back }))
            }
            Event::Broken { ticket, begun, luck } => {
                let call = Call { is_failed: true, is_slow: begun.is_slow };
                let progress = Progress::Broken(begun);
                (ticket, Some(Heard { call, progress, luck, come_back: Nanos::ZERO }))
            }
            Event::Whole(ticket) => {
                let is_current = self.is_of_this_state(ticket, now);
                if is_current {
                    self.n_doubtful = 0;
                }
                return is_current.then_some(None);
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
        let is_slow = heard.call.is_slow;
        Some(match (self.control(), self.state) {
            (Some(Control::Disable), _) => None,
            (Some(Control::ForceClosed), _) => {
                *begun = self.count(settings, heard, now);
                None
            }
            (_, State::HalfOpen) => {
                *begun = matches!(heard.progress, Progress::Begun).then_some(Begun {
                    at: now,
                    serial: 0,
                    is_slow,
                    ends_row: false,
                });
                self.probed(settings, heard, now)
            }
            _ => {
                *begun = self.count(settings, heard, now);
                self.passed(settings, heard, now)
            }
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
            if let Progress::Broken(begun) = heard.progress {
                if begun.is_slow {
                    // It was a failed probe already.
                    return None;
                }
                self.n_successes = self.n_successes.saturating_sub(1);
            }
            self.n_failures = self.n_failures.saturating_add(1);
            if self.n_failures < settings.probes.n_failures {
                return None;
            }
            let retry_in = self.time_to_open(settings, heard);
            self.open(settings, retry_in, now);
            return Some(Cause::ProbeFailed { n_opens: self.n_opens, retry_in });
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
        if !heard.is_bad() {
            self.calm_down(settings, now);
            return None;
        }
        let retry_in = self.time_to_open(settings, heard);
        if let Some(cause) = self.why_open(settings, heard.call, retry_in, now) {
            self.open(settings, retry_in, now);
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

    /// Counts a call in the row and in the window; says how, if it has only begun.
    fn count(&mut self, settings: &Settings, heard: Heard, now: Nanos) -> Option<Begun> {
        let Heard { call, progress, .. } = heard;
        let keeps_window =
            settings.ratio.is_some() || settings.slow.is_some() || settings.shedding.is_some();
        match (progress, call.is_failed) {
            (Progress::Broken(_), _) => {
                let n_before = self.n_consecutive.saturating_add(self.n_doubtful);
                self.n_consecutive = n_before.saturating_add(1);
                self.n_doubtful = 0;
            }
            (_, true) => self.n_consecutive = self.n_consecutive.saturating_add(1),
            (Progress::Whole, false) => (self.n_consecutive, self.n_doubtful) = (0, 0),
            // More answers that begin end no other row than the last one.
            (Progress::Begun, false) if self.n_consecutive > 0 => {
                self.n_doubtful = std::mem::take(&mut self.n_consecutive);
            }
            (Progress::Begun, false) => {}
        }
        let serial = match progress {
            Progress::Broken(begun) if keeps_window => {
                self.window.amend(settings.window, now, begun);
                return None;
            }
            Progress::Whole | Progress::Begun if keeps_window => {
                self.window.record(settings.window, now, call)
            }
            Progress::Whole | Progress::Begun | Progress::Broken(_) => 0,
        };
        let (is_slow, ends_row) = (call.is_slow, self.n_doubtful > 0);
        matches!(progress, Progress::Begun).then_some(Begun { at: now, serial, is_slow, ends_row })
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

    fn open(&mut self, settings: &Settings, retry_in: Nanos, now: Nanos) {
        self.open_for = retry_in;
        self.n_opens = settings.open.next_step(self.n_opens);
        self.change(State::Open, now);
    }
}
