//! The breakers as operators see them: looked at through the records, and taken in hand by steps like all others.

use std::rc::Rc;

use kit::hash::Tag;
use kit::shared::UpdateError;
use kit::units::Ratio;
use kit::{Host, Nanos};

use super::ledger::{
    Act, Acted, BreakerInfo, Change, Filter, HeldInfo, Ledger, Listed, RuleInfo, Target, Terms,
};
use crate::breaker::{Breaker, Cause, Event, Held, State};
use crate::config::{Per, Rule};
use crate::filter::CircuitBreaker;
use crate::records::events::{Happened, List};
use crate::report;
use crate::unit::Unit;

/// A breaker that the records know.
struct Known {
    rule_idx: usize,
    place: Tag,
    scope: Vec<u8>,
}

impl Known {
    fn text(&self) -> Option<String> {
        shown(&self.scope)
    }
}

impl Ledger for CircuitBreaker {
    fn names(&self) -> Vec<&str> {
        let on = self.config.rules.iter().map(|rule| rule.name.as_str());
        on.chain(self.config.switched_off.iter().map(String::as_str)).collect()
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let on = self.config.rules.iter().map(|rule| RuleInfo {
            name: rule.name.clone(),
            mode: if rule.is_shadow { "shadow" } else { "enforce" },
            terms: Some(terms(rule)),
        });
        let off = self.config.switched_off.iter();
        let off = off.map(|name| RuleInfo { name: name.clone(), mode: "off", terms: None });
        on.chain(off).collect()
    }

    fn breakers(&self, host: &dyn Host, filter: &Filter) -> Listed {
        let known = self.known(host, |known, rule| {
            filter.rule.as_ref().is_none_or(|name| *name == rule.name)
                && filter.scope.as_ref().is_none_or(|scope| known.text().as_ref() == Some(scope))
                && filter.id.as_ref().is_none_or(|id| *id == self.breakers.id(known.place))
        });
        let mut listed = Listed { total: 0, breakers: Vec::new() };
        for known in &known {
            let Some(rule) = self.config.rules.get(known.rule_idx) else { continue };
            let found = self.breakers.find(host, known.place).unwrap_or_default();
            // What time has ended is over, whether or not a request or a tick came to tell.
            let (breaker, _) = found.step(&rule.settings, Event::Look, host.now());
            if filter.state.is_some_and(|state| state != breaker.shown()) {
                continue;
            }
            listed.total = listed.total.saturating_add(1);
            if listed.breakers.len() < filter.limit {
                listed.breakers.push(self.info(host, rule, known, breaker));
            }
        }
        listed
    }

    fn events(&self, host: &dyn Host) -> List {
        self.records.events.list(host)
    }

    fn act(&self, host: &dyn Host, target: &Target, act: Act, by: &str) -> Vec<Acted> {
        let units = self.meant(host, target);
        units.iter().map(|(unit, was_met)| self.act_on(host, unit, *was_met, act, by)).collect()
    }
}

impl CircuitBreaker {
    /// The breakers that the records know of the rules that there are, in the order of rules and names.
    fn known(&self, host: &dyn Host, is_meant: impl Fn(&Known, &Rule) -> bool) -> Vec<Known> {
        let mut known = Vec::new();
        self.records.each(host, |place, dossier| {
            let rules = self.config.rules.iter().enumerate();
            let is_of =
                |rule: &Rule| rule.name.as_bytes() == dossier.rule && rule.per == dossier.per;
            let Some((rule_idx, rule)) = rules.clone().find(|(_, rule)| is_of(rule)) else {
                return;
            };
            let found = Known { rule_idx, place, scope: dossier.scope };
            if is_meant(&found, rule) {
                known.push(found);
            }
        });
        known.sort_by(|a, b| (a.rule_idx, &a.scope, a.place).cmp(&(b.rule_idx, &b.scope, b.place)));
        known
    }

    fn info(&self, host: &dyn Host, rule: &Rule, known: &Known, breaker: Breaker) -> BreakerInfo {
        let now = host.now();
        let dossier = self.records.find(host, known.place);
        let tally = breaker.tally(&rule.settings, now);
        let share = match breaker.state {
            State::Recovering => {
                let elapsed = now.saturating_sub(breaker.since);
                rule.settings.ramp.as_ref().and_then(|ramp| ramp.share(elapsed))
            }
            State::Shedding => rule.settings.shedding.map(|shedding| {
                let shed = shedding.share(&tally).as_ppm();
                Ratio::from_ppm(Ratio::ONE.as_ppm().saturating_sub(shed))
            }),
            State::Closed | State::HalfOpen | State::Open => None,
        };
        BreakerInfo {
            id: self.breakers.id(known.place),
            rule: rule.name.clone(),
            per: rule.per,
            scope: known.text(),
            n_probes: breaker.permits.n_out(rule.settings.probes.lease, now),
            breaker,
            tally,
            share,
            failures: dossier.map(|dossier| dossier.failures).unwrap_or_default(),
        }
    }

    /// The breakers that an operator means, and whether they were met before.
    fn meant(&self, host: &dyn Host, target: &Target) -> Vec<(Rc<Unit>, bool)> {
        let (name, scope, id) = match target {
            Target::All => (None, None, None),
            Target::Rule(rule) => (Some(rule), None, None),
            Target::Scope { rule, scope } => (Some(rule), Some(scope), None),
            Target::Id { rule, id } => (Some(rule), None, Some(id)),
        };
        let is_meant = |rule: &Rule| name.is_none_or(|name| *name == rule.name);
        let known = self.known(host, |known, rule| {
            is_meant(rule)
                && scope.is_none_or(|scope| known.text().as_ref() == Some(scope))
                && id.is_none_or(|id| *id == self.breakers.id(known.place))
        });
        let at = |known: &Known| {
            let rule = self.config.rules.get(known.rule_idx)?;
            let (place, scope) = (known.place, &known.scope);
            Some(self.units.at(host, &self.breakers, known.rule_idx, rule, place, scope))
        };
        let mut units: Vec<(Rc<Unit>, bool)> =
            known.iter().filter_map(|known| Some((at(known)?, true))).collect();
        // The one breaker of a rule and a name that an operator gives need not be known.
        for (rule_idx, rule) in self.config.rules.iter().enumerate().filter(|(_, it)| is_meant(it))
        {
            let new = match (rule.per, scope, id) {
                (Per::Rule, None, None) => b"",
                (Per::Cluster | Per::Route | Per::VirtualHost, Some(scope), _) => scope.as_bytes(),
                _ => continue,
            };
            if !units.iter().any(|(unit, _)| unit.rule_idx == rule_idx) {
                let unit = self.units.meet(host, &self.breakers, rule_idx, rule, new);
                self.records.meet(host, rule, &unit);
                units.push((unit, false));
            }
        }
        units
    }

    fn act_on(&self, host: &dyn Host, unit: &Unit, was_met: bool, act: Act, by: &str) -> Acted {
        let rule = self.config.rules.get(unit.rule_idx);
        let dossier = self.records.find(host, unit.place);
        Acted {
            rule: rule.map(|rule| rule.name.clone()).unwrap_or_default(),
            scope: dossier.and_then(|dossier| shown(&dossier.scope)),
            id: self.breakers.id(unit.place),
            was_met,
            outcome: rule
                .map_or(Err(UpdateError::Refused), |rule| self.change(host, rule, unit, act, by)),
        }
    }

    fn change(
        &self,
        host: &dyn Host,
        rule: &Rule,
        unit: &Unit,
        act: Act,
        by: &str,
    ) -> Result<Change, UpdateError> {
        let now = host.now();
        let before = self.breakers.find(host, unit.place).unwrap_or_default();
        let (event, cause) = match act {
            Act::Hold(hold) => {
                let until = hold.time.map(|time| now.saturating_add(time));
                let held = Held { control: hold.control, until };
                (Event::Hold(Some(held)), Some(Cause::Held(hold.control)))
            }
            Act::LetGo => {
                (Event::Hold(None), before.held.map(|held| Cause::Released(held.control)))
            }
            Act::Reset => (Event::Reset, Some(Cause::Reset)),
        };
        if let Act::Hold(hold) = act {
            let until = hold.time.map_or(Nanos::MAX, |time| now.saturating_add(time));
            self.records.hold(host, rule, unit, until);
        }
        let done = self.breakers.step(host, unit.place, &rule.settings, event, now)?;
        if done.has_evicted {
            self.tell_evicted(host);
        }
        let at = done.at;
        let after = self.breakers.find(host, unit.place).unwrap_or_default();
        let (mut from, mut to) = (after.shown(), after.shown());
        let mut cause = cause;
        if let Some(transition) = &done.effects.transition {
            (from, to, cause) = (transition.from, transition.to, Some(transition.cause));
            self.show(host, rule, unit, transition);
        }
        if act == Act::LetGo {
            self.records.hold(host, rule, unit, Nanos::ZERO);
        }
        if let Some(cause) = cause {
            let cause = match act {
                Act::Hold(hold) => {
                    let time = hold.time.map_or_else(String::new, |time| format!(" for={time}"));
                    report::because(rule, cause) + &time
                }
                Act::LetGo | Act::Reset => report::because(rule, cause),
            };
            self.note(host, rule, unit, Happened { at, from, to, cause, by: by.to_owned() });
        }
        Ok(Change { from, to, held: HeldInfo::of(&after, now) })
    }
}

impl HeldInfo {
    /// The hand on this breaker, and how long it still holds.
    pub(super) fn of(breaker: &Breaker, now: Nanos) -> Option<Self> {
        breaker.held.map(|held| Self {
            control: held.control,
            rest: held.until.map(|until| until.saturating_sub(now)),
        })
    }
}

/// A scope as text; none if there is nothing to be seen.
fn shown(scope: &[u8]) -> Option<String> {
    (!scope.is_empty()).then(|| String::from_utf8_lossy(scope).into_owned())
}

fn terms(rule: &Rule) -> Terms {
    Terms {
        matches: rule.matcher.describe(),
        per: rule.per,
        key: (rule.per == Per::Key).then(|| rule.key.describe()),
        shows_keys: rule.show_keys,
        text: rule.to_string(),
    }
}
