//! The limiter as operators see it: the same rules and tables, looked at and emptied.

use kit::hash::Tag;
use kit::shared::UpdateError;
use kit::{Exchange, Host, Nanos};

use super::{
    Client, Forgotten, Key, Ledger, LimitState, Quotas, Reset, RuleInfo, RuleState, RuleTop,
    Standing,
};
use crate::account::{Account, Limits};
use crate::allowance::Allowance;
use crate::filter::RateLimit;
use crate::plans::Identity;
use crate::policy::amended;
use crate::rule::{Claim, KeyClaim, Mode, Rule};

impl Ledger for RateLimit {
    fn names(&self) -> Vec<&str> {
        let rules = self.policy.rules.iter().chain(&self.switched_off);
        rules.map(|rule| rule.name.as_str()).collect()
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let on = self.policy.rules.iter().map(|rule| (rule, mode(rule)));
        let off = self.switched_off.iter().map(|rule| (rule, "off"));
        on.chain(off).map(|(rule, mode)| info(rule, mode)).collect()
    }

    fn client(&self, x: &dyn Exchange) -> Client {
        let identity = self.policy.identify(x);
        let plan = self.policy.plans.as_ref().map(|plans| plans.name(identity.plan).to_owned());
        Client { plan, consumer: identity.readable() }
    }

    fn state(&self, x: &dyn Exchange) -> Vec<RuleState> {
        let identity = self.policy.identify(x);
        let is_exempt = self.policy.is_exempt(x);
        let states = self.policy.rules.iter().map(|rule| {
            let claim = self.policy.claim(rule, x, &identity);
            let is_enforced = match claim {
                Claim::Key(key) => key.is_enforced,
                // Without a key there is no share to be in.
                Claim::Keyless => rule.refuses_keyless(),
                Claim::OtherPlan | Claim::NotMatching | Claim::Exempt | Claim::Skipped => false,
            };
            let standing =
                if is_exempt { Standing::Exempt } else { self.standing(rule, claim, x, &identity) };
            RuleState {
                rule: rule.name.clone(),
                mode: mode(rule),
                plan: rule
                    .allowances
                    .of(identity.plan)
                    .and_then(|allowance| allowance.plan.clone()),
                is_enforced,
                standing,
            }
        });
        states.collect()
    }

    fn reset_key(&self, x: &dyn Exchange, rule: Option<&str>) -> Vec<Reset> {
        let (identity, now) = (self.policy.identify(x), x.now());
        let rules = self.policy.rules.iter().zip(&self.watches);
        let chosen = rules.filter(|(found, _)| rule.is_none_or(|name| name == found.name));
        let resets = chosen.filter_map(|(rule, watch)| {
            let Claim::Key(KeyClaim { allowance, tag, .. }) = self.policy.claim(rule, x, &identity)
            else {
                return None;
            };
            let forgotten = allowance.forget(x.host(), tag, now);
            // The operator is told of a failure: it is no error of a request.
            if forgotten.is_ok() {
                watch.metrics.count(x.host(), identity.plan, &amended(&forgotten));
            }
            Some(Reset {
                rule: rule.name.clone(),
                plan: allowance.plan.clone(),
                key: Some(self.key(rule, tag, x, &identity)),
                forgotten: forgotten.map(|done| Forgotten::Keys(u64::from(done.value))),
            })
        });
        resets.collect()
    }

    fn reset_rule(&self, host: &dyn Host, rule: Option<&str>) -> Vec<Reset> {
        let rules = self.policy.rules.iter().chain(&self.switched_off);
        let chosen = rules.filter(|found| rule.is_none_or(|name| name == found.name));
        let tables = chosen.flat_map(|rule| rule.allowances.iter().map(move |all| (rule, all)));
        let resets: Vec<Reset> = tables
            .map(|(rule, allowance)| Reset {
                rule: rule.name.clone(),
                plan: allowance.plan.clone(),
                key: None,
                forgotten: empty(allowance, host),
            })
            .collect();
        for (found, watch) in self.policy.rules.iter().zip(&self.watches) {
            let all = resets.iter().filter(|reset| reset.rule == found.name);
            if rule.is_none_or(|name| name == found.name)
                && all.clone().all(|reset| reset.forgotten.is_ok())
            {
                watch.metrics.emptied(host);
            }
        }
        resets
    }

    fn top(&self, host: &dyn Host, rule: Option<&str>) -> Vec<RuleTop> {
        let rules = self.policy.rules.iter().zip(&self.watches);
        let chosen = rules.filter(|(found, _)| rule.is_none_or(|name| name == found.name));
        chosen
            .map(|(rule, watch)| {
                let mut report = watch.report(host);
                for counter in &mut report.counters {
                    counter.tag = self.policy.partition(counter.tag);
                }
                RuleTop { rule: rule.name.clone(), report }
            })
            .collect()
    }
}

impl RateLimit {
    fn standing(
        &self,
        rule: &Rule,
        claim: Claim<'_>,
        x: &dyn Exchange,
        identity: &Identity<'_>,
    ) -> Standing {
        let KeyClaim { allowance, tag, .. } = match claim {
            Claim::OtherPlan => return Standing::OtherPlan,
            Claim::NotMatching => return Standing::NotMatching,
            Claim::Exempt => return Standing::Exempt,
            Claim::Skipped => return Standing::Skipped,
            Claim::Keyless => return Standing::Keyless,
            Claim::Key(key) => key,
        };
        let now = x.now();
        let account = allowance.peek(x.host(), tag, now);
        let cost = rule.cost.estimate(x);
        Standing::Counted {
            key: self.key(rule, tag, x, identity),
            limits: limit_states(allowance.limits(), &account, cost, now),
        }
    }

    fn key(&self, rule: &Rule, tag: Tag, x: &dyn Exchange, identity: &Identity<'_>) -> Key {
        let text = rule.show_keys.then(|| self.policy.readable_key(rule, x, identity));
        Key { tag: self.policy.partition(tag.to_bytes()), text }
    }
}

fn limit_states(limits: &Limits, account: &Account, cost: u64, now: Nanos) -> Vec<LimitState> {
    let states = limits.parts(account).map(|(limit, words)| {
        let algorithm = &limit.algorithm;
        LimitState {
            name: limit.name.clone(),
            algorithm: algorithm.word(),
            quota: algorithm.quota(),
            window: algorithm.span(),
            remaining: algorithm.remaining(words, now),
            next: algorithm.take(&mut words.to_vec(), cost, now).unwrap_or(Nanos::ZERO),
            reset: algorithm.reset(words, now),
        }
    });
    states.collect()
}

fn empty(allowance: &Allowance, host: &dyn Host) -> Result<Forgotten, UpdateError> {
    allowance.table.clear(host)?;
    Ok(Forgotten::Table(allowance.table.capacity()))
}

const fn mode(rule: &Rule) -> &'static str {
    match rule.mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
    }
}

fn info(rule: &Rule, mode: &'static str) -> RuleInfo {
    let quotas = rule.allowances.iter().map(|allowance| Quotas {
        plan: allowance.plan.clone(),
        limits: allowance.limits().iter().map(|limit| limit.algorithm.to_string()).collect(),
        max_keys: allowance.table.capacity(),
    });
    RuleInfo {
        name: rule.name.clone(),
        mode,
        share: (!rule.is_enforced_for_all()).then(|| rule.enforced.to_string()),
        matches: rule.matcher.describe(),
        key: rule.key.describe(),
        quotas: quotas.collect(),
        cost: rule.unusual_cost().map(ToString::to_string),
        settlement: rule.settlement.describe(),
        shows_keys: rule.show_keys,
    }
}
