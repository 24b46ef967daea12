//! Whether a request may pass.

use kit::Nanos;
use kit::units::Ratio;

use super::settings::{ProbeMethods, Probing, Settings};
use super::shedding::is_in;
use super::{Asker, Breaker, Cause, Control, Decision, Refusal, State, Ticket};

impl Breaker {
    pub(super) fn ask(
        &mut self,
        settings: &Settings,
        asker: Asker,
        luck: u64,
        now: Nanos,
    ) -> (Decision, Option<Cause>) {
        match (self.control(), self.held.and_then(|held| held.until)) {
            (Some(Control::ForceOpen), until) => {
                let retry_in = until.map_or(settings.open.base, |until| until.saturating_sub(now));
                return (reject(Refusal::Forced, retry_in), None);
            }
            (Some(Control::ForceClosed | Control::Disable), _) => return (self.admit(now), None),
            (Some(Control::MetricsOnly) | None, _) => {}
        }
        let elapsed = now.saturating_sub(self.since);
        match self.state {
            State::Closed => (self.admit(now), None),
            State::Recovering => {
                let share = settings.ramp.as_ref().and_then(|ramp| ramp.share(elapsed));
                let may_pass = is_in(share.unwrap_or(Ratio::ONE), luck);
                let refused = || reject(Refusal::Recovering, Nanos::ZERO);
                (if may_pass { self.admit(now) } else { refused() }, None)
            }
            State::Shedding => {
                let tally = self.tally(settings, now);
                let share =
                    settings.shedding.map_or(Ratio::ZERO, |shedding| shedding.share(&tally));
                if is_in(share, luck) {
                    self.window.shed(settings.window, now);
                    return (reject(Refusal::Shed, Nanos::ZERO), None);
                }
                (self.admit(now), None)
            }
            State::Open if now < self.retry_at() => {
                (reject(Refusal::Open, self.retry_at().saturating_sub(now)), None)
            }
            State::Open => match self.why_no_probe(settings, asker, self.retry_at(), now) {
                Some(reason) => (reject(reason, Nanos::ZERO), None),
                None => {
                    let cause = Cause::ProbeDue { open_for: elapsed };
                    self.change(State::HalfOpen, now);
                    (self.probe(&settings.probes, now), Some(cause))
                }
            },
            State::HalfOpen => match self.why_no_probe(settings, asker, self.marked_at, now) {
                Some(reason) => (reject(reason, Nanos::ZERO), None),
                None => (self.probe(&settings.probes, now), None),
            },
        }
    }

    /// Why this request may be no probe; none if it may.
    fn why_no_probe(
        &self,
        settings: &Settings,
        asker: Asker,
        due_at: Nanos,
        now: Nanos,
    ) -> Option<Refusal> {
        match (settings.probes.methods, asker) {
            (_, Asker::Filter)
            | (ProbeMethods::Any, _)
            | (ProbeMethods::SafeFirst | ProbeMethods::SafeOnly, Asker::Safe) => None,
            (ProbeMethods::Own, Asker::Safe | Asker::Unsafe) => Some(Refusal::Probing),
            (ProbeMethods::SafeOnly, Asker::Unsafe) => Some(Refusal::Unsafe),
            (ProbeMethods::SafeFirst, Asker::Unsafe) => {
                let is_urgent = now >= due_at.saturating_add(settings.open.base);
                (self.n_successes == 0 && !is_urgent).then_some(Refusal::Unsafe)
            }
        }
    }

    fn probe(&mut self, probes: &Probing, now: Nanos) -> Decision {
        // The lease runs from the instant on the ticket, also on a worker that is behind.
        let at = now.max(self.since);
        match self.permits.take(probes.at_once, probes.lease, at) {
            Some(permit) => {
                self.marked_at = at;
                Decision::Probe(self.ticket(Some(permit), at))
            }
            None => reject(Refusal::Probing, Nanos::ZERO),
        }
    }

    fn admit(&self, now: Nanos) -> Decision {
        Decision::Admit(self.ticket(None, now))
    }

    /// A ticket of this state, also if the asking worker's `now` is older than the state.
    fn ticket(&self, permit: Option<u32>, now: Nanos) -> Ticket {
        Ticket { admitted_at: now.max(self.evidence_from), permit }
    }
}

const fn reject(reason: Refusal, retry_in: Nanos) -> Decision {
    Decision::Reject { reason, retry_in }
}
