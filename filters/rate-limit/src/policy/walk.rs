//! One request on its way along the rules: charged as they admit, and given back when one refuses.
//!
//! A rule that charges refused requests is charged wherever it stands: before the one that refuses, or behind it.

use kit::table::Found;
use kit::{Exchange, Nanos};

use super::{Assessment, Charge, Decision, Event, Limited, Policy, Seen, Verdict, amended};
use crate::account::{Account, Refusal, Ruling};
use crate::allowance::Charged;
use crate::plans::Identity;
use crate::rule::{Claim, KeyClaim, OnFailure, Rule};

/// One request's way along the rules.
pub(super) struct Walk<'a, 'x> {
    pub(super) policy: &'a Policy,
    pub(super) x: &'x dyn Exchange,
    pub(super) identity: &'x Identity<'x>,
    pub(super) now: Nanos,
    pub(super) assessment: Assessment<'a>,
    /// What was charged and stays, should another rule refuse, has to be waited for as well.
    pub(super) kept_wait: Nanos,
}

impl<'a> Walk<'a, '_> {
    /// What one rule makes of the request; a decision, if it ends the way.
    pub(super) fn pass(
        &mut self,
        idx: usize,
        rule: &'a Rule,
        told: &mut impl FnMut(usize, Event<'_>),
    ) -> Option<Decision<'a>> {
        let key = match self.policy.claim(rule, self.x, self.identity) {
            Claim::OtherPlan | Claim::NotMatching | Claim::Skipped => return None,
            Claim::Exempt => {
                told(idx, Event::Exempt);
                return None;
            }
            Claim::Keyless => {
                let is_enforced = rule.refuses_keyless();
                told(idx, Event::Keyless { is_enforced });
                if !is_enforced {
                    self.assessment.shadow.get_or_insert(rule);
                }
                return is_enforced.then_some(Decision::Keyless(rule));
            }
            Claim::Key(key) => key,
        };
        let cost = rule.cost.estimate(self.x);
        let (host, now) = (self.x.host(), self.now);
        let denies = rule.on_failure == OnFailure::Deny && key.is_enforced;
        let failed = denies.then_some(Decision::Failed(rule));
        let charged = match key.allowance.charge(host, key.tag, cost, now, rule.charge_refused) {
            Ok(charged) => charged,
            Err(error) => {
                told(idx, Event::Failed(error));
                return failed;
            }
        };
        let is_near = key.allowance.limits().is_near(&charged.account, rule.near.at, now);
        let verdict = match charged.refusal {
            None => Verdict::Admit,
            Some(_) if key.is_enforced => Verdict::Limit,
            Some(_) => Verdict::Shadow,
        };
        told(idx, Event::Decided { verdict, is_near, charged: &charged });
        if verdict == Verdict::Limit || self.policy.keeps_accounts && key.is_enforced {
            let Charged { account, refusal, .. } = charged;
            let paid = refusal.is_none().then_some(cost);
            self.assessment.seen.push(Seen { rule, key, account, charged: paid, refusal });
        }
        match verdict {
            Verdict::Admit if !key.is_enforced => {}
            Verdict::Admit => self.assessment.cost = self.assessment.cost.max(cost),
            Verdict::Limit => self.assessment.cost = cost,
            Verdict::Shadow => drop(self.assessment.shadow.get_or_insert(rule)),
        }
        if verdict == Verdict::Admit {
            if is_near && key.is_enforced {
                self.assessment.near.push(rule);
            }
            if rule.charge_refused && key.is_enforced {
                self.keep_wait(key, &charged.account, cost);
            }
            // An admission by the last rule is taken back only if its own count was lost: none behind it could refuse.
            let may_be_refused =
                idx + 1 < self.policy.rules.len() || charged.found == Found::Unreadable;
            if rule.settles(key.allowance) || may_be_refused {
                let (tag, plan) = (key.tag, self.identity.plan);
                self.assessment.charges.push(Charge { rule_idx: idx, plan, tag, cost, at: now });
            }
        }
        match (charged.refusal, verdict) {
            (Some(refusal), Verdict::Limit) => Some(self.limit(idx, rule, key, &refusal, told)),
            _ if charged.found == Found::Unreadable => failed,
            _ => None,
        }
    }

    /// The refusal of one rule, with what the rules behind it would say.
    fn limit(
        &mut self,
        idx: usize,
        rule: &'a Rule,
        key: KeyClaim<'a>,
        refusal: &Refusal,
        told: &mut impl FnMut(usize, Event<'_>),
    ) -> Decision<'a> {
        let mut wait = refusal.wait;
        for (idx, rule) in self.policy.rules.iter().enumerate().skip(idx + 1) {
            let Claim::Key(key) = self.policy.claim(rule, self.x, self.identity) else { continue };
            let cost = rule.cost.estimate(self.x);
            if key.is_enforced {
                let (host, now) = (self.x.host(), self.now);
                let (mut account, refusal) = key.allowance.preview(host, key.tag, cost, now);
                wait = wait.max(refusal.map(|refusal| refusal.wait).unwrap_or_default());
                if rule.charge_refused {
                    account = key.allowance.limits().charge(account, cost, now);
                    self.keep_wait(key, &account, cost);
                }
                self.assessment.seen.push(Seen { rule, key, account, charged: None, refusal });
            }
            self.charge_refused(idx, rule, key, cost, told);
        }
        Decision::Limit(Limited { rule, rule_idx: idx, key, wait: wait.max(self.kept_wait) })
    }

    /// Charges the rules behind the one that refuses which charge refused requests.
    pub(super) fn charge_behind(&self, idx: usize, told: &mut impl FnMut(usize, Event<'_>)) {
        for (idx, rule) in self.policy.rules.iter().enumerate().skip(idx + 1) {
            if !rule.charge_refused {
                continue;
            }
            let Claim::Key(key) = self.policy.claim(rule, self.x, self.identity) else { continue };
            self.charge_refused(idx, rule, key, rule.cost.estimate(self.x), told);
        }
    }

    fn charge_refused(
        &self,
        idx: usize,
        rule: &Rule,
        key: KeyClaim<'_>,
        cost: u64,
        told: &mut impl FnMut(usize, Event<'_>),
    ) {
        if rule.charge_refused {
            let limits = key.allowance.limits();
            let done = key.allowance.amend(self.x.host(), key.tag, self.now, |account| {
                limits.charge(account, cost, self.now)
            });
            told(idx, amended(&done));
        }
    }

    fn keep_wait(&mut self, key: KeyClaim<'_>, account: &Account, cost: u64) {
        if let Ruling::Limit(refusal) = key.allowance.limits().decide(account, cost, self.now) {
            self.kept_wait = self.kept_wait.max(refusal.wait);
        }
    }

    /// A refused request costs nothing, except at the rules that charge those too; in flight it is nowhere.
    pub(super) fn take_back(&mut self, told: &mut impl FnMut(usize, Event<'_>)) {
        let now = self.now;
        for seen in &mut self.assessment.seen {
            if let Some(cost) = seen.charged.take() {
                let limits = seen.key.allowance.limits();
                seen.account = limits.settle(seen.account, cost, kept(seen.rule, cost), now, now);
            }
        }
        for charge in std::mem::take(&mut self.assessment.charges) {
            let Some((rule, allowance)) = self.policy.place(&charge) else { continue };
            let (limits, kept) = (allowance.limits(), kept(rule, charge.cost));
            if kept == charge.cost && !limits.has_concurrency() {
                continue;
            }
            let taken_back = allowance.amend(self.x.host(), charge.tag, now, |account| {
                limits.settle(account, charge.cost, kept, charge.at, now)
            });
            told(charge.rule_idx, amended(&taken_back));
        }
    }
}

/// What a refused request still costs at a rule that admitted it.
const fn kept(rule: &Rule, cost: u64) -> u64 {
    if rule.charge_refused { cost } else { 0 }
}
