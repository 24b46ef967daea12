//! Probes of the filter's own: sent when a breaker is due, heard of when the call ends.

use std::rc::Rc;

use kit::exchange::{Answer, CallId};
use kit::{Host, Nanos};

use super::CircuitBreaker;
use crate::breaker::{Asker, Breaker, Decision, Event, Ticket};
use crate::config::Rule;
use crate::evidence;
use crate::probe::{ProbeRequest, status};
use crate::records::dossier::Failure;
use crate::signals::{self, Ended, Word};
use crate::unit::Unit;

impl CircuitBreaker {
    /// Meets the breakers that the workers knew before this one, or its configuration, began: where no client asks any
    /// more, nobody else would probe them.
    ///
    /// **Cost**: one get for each bucket of the records, for configurations with own probes.
    pub(super) fn meet_probed(&self, host: &dyn Host) {
        let rules = || self.config.rules.iter().enumerate();
        if !rules().any(|(_, rule)| rule.own_probe.is_some()) {
            return;
        }
        self.records.each(host, |place, dossier| {
            let is_its = |rule: &Rule| {
                rule.own_probe.is_some()
                    && rule.name.as_bytes() == dossier.rule
                    && self.breakers.place(&rule.name, rule.per, &dossier.scope) == place
            };
            if let Some((rule_idx, rule)) = rules().find(|(_, rule)| is_its(rule)) {
                self.units.meet(host, &self.breakers, rule_idx, rule, &dossier.scope);
            }
        });
    }

    /// Sends as many probes as a breaker, which was found like this, has permits for.
    ///
    /// **Cost**: nothing but arithmetic where none is due; else a get and a set for each, and its call.
    pub(super) fn probe(&self, host: &dyn Host, rule: &Rule, unit: &Rc<Unit>, breaker: Breaker) {
        let Some(request) = &rule.own_probe else { return };
        let now = host.now();
        let mut seen = breaker;
        for _ in 0..rule.settings.probes.at_once {
            let event = Event::Ask { asker: Asker::Filter, luck: host.random() };
            let (next, effects) = seen.step(&rule.settings, event, now);
            if !matches!(effects.decision, Some(Decision::Probe(_))) {
                return;
            }
            seen = next;
            let asked = self.breakers.step(host, unit.place, &rule.settings, event, now);
            // Another worker may have taken the permit; what else failed is tried with the next tick.
            if let Ok(Some(Decision::Probe(ticket))) = self.done(host, rule, unit, asked) {
                self.send(host, request, unit, ticket);
            }
        }
    }

    fn send(&self, host: &dyn Host, request: &ProbeRequest, unit: &Rc<Unit>, ticket: Ticket) {
        unit.count(host, Word::Probe);
        self.probes.send(host, request, Rc::clone(unit), ticket);
    }

    /// A probe has ended.
    pub(super) fn heard(&self, host: &dyn Host, id: CallId, answer: &Answer) {
        let Some((unit, ticket)) = self.probes.ended(id) else { return };
        let Some(rule) = self.config.rules.get(unit.rule_idx) else { return };
        let Some(request) = &rule.own_probe else { return };
        let now = host.now();
        let took = now.saturating_sub(ticket.admitted_at);
        let is_slow = rule.settings.slow.is_some_and(|slow| took > slow.duration);
        if is_slow {
            unit.count_slow(host);
        }
        let (event, ended) = if request.is_good(answer) {
            (Event::Success { ticket, is_slow }, Ended::Success)
        } else {
            let (luck, come_back) = (host.random(), come_back(host, rule, answer));
            (Event::Failure { ticket, is_slow, luck, come_back }, Ended::Failure)
        };
        let stepped = self.breakers.step(host, unit.place, &rule.settings, event, now);
        let is_late = stepped.as_ref().is_ok_and(|done| done.effects.is_late);
        // A lost outcome is counted as degraded; a lost permit runs out.
        let _ = self.done(host, rule, &unit, stepped);
        unit.count_end(host, if is_late { Ended::Late } else { ended });
        if ended == Ended::Failure || is_slow {
            let has_failed = ended == Ended::Failure;
            let failure = failed(host, answer, has_failed, is_slow, took);
            self.records.add(host, rule, &unit, &failure);
        }
        if ended == Ended::Success
            && !is_late
            && let Some(breaker) = self.breakers.find(host, unit.place)
        {
            self.probe(host, rule, &unit, breaker);
        }
    }
}

/// A bad probe, as operators see it.
fn failed(
    host: &dyn Host,
    answer: &Answer,
    has_failed: bool,
    is_slow: bool,
    took: Nanos,
) -> Failure {
    Failure {
        at: host.wall(),
        has_failed,
        is_slow,
        status: status(answer),
        grpc_status: None,
        flags: 0,
        took,
        route: Vec::new(),
        reason: signals::PROBE_REASON.as_bytes().to_vec(),
    }
}

/// How long the upstream asks to be left alone; zero if it says nothing.
fn come_back(host: &dyn Host, rule: &Rule, answer: &Answer) -> Nanos {
    let Answer::Response { headers, .. } = answer else { return Nanos::ZERO };
    let value = headers.get("retry-after").filter(|_| rule.heeds_retry_after);
    value.and_then(|value| evidence::retry_after(value, || host.wall())).unwrap_or_default()
}
