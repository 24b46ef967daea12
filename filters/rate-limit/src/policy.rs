//! All rules over one request: every rule that counts it must admit it.
//!
//! Rules are asked in their order and charged as they admit.
//! When one refuses, what the others were charged is taken back, so that a refused request costs nothing,
//! and the rules behind it are only looked at, so that the answer can tell the longest wait and all that refuse.
//! Rules with `charge_refused` are charged all the same, wherever they stand.

mod walk;

use std::cell::RefCell;

use kit::hash::{Secret, Tag};
use kit::key::KeyOutcome;
use kit::matching::Matcher;
use kit::shared::UpdateError;
use kit::table::{Outcome, Place};
use kit::{Exchange, Nanos};

use crate::account::{Account, Refusal};
use crate::allowance::{Allowance, Charged};
use crate::cost;
use crate::limit::Algorithm;
use crate::plans::{Identity, Plans};
use crate::rule::{CONSUMER, Claim, KeyClaim, Rule};
use crate::standing::{Standing, Unit};
use walk::Walk;

/// The rules of one configuration, and the secret that places their keys.
#[derive(Debug)]
pub struct Policy {
    /// No rule looks at what one of these matches.
    pub exempt: Vec<Matcher>,
    /// Who has which plan.
    pub plans: Option<Plans>,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// What places their keys.
    pub secret: Secret,
    /// Whether to keep the accounts of all rules, for whoever tells clients where they stand.
    pub keeps_accounts: bool,
    /// Reused for every key, so that an admitted request allocates none.
    scratch: RefCell<Vec<u8>>,
}

/// What becomes of a request, and what has to be remembered of it.
#[derive(Debug, Default)]
pub struct Assessment<'a> {
    /// What becomes of it.
    pub decision: Decision<'a>,
    /// What it was charged and may have to be settled, in the order of the rules.
    pub charges: Vec<Charge>,
    /// What was found at the rules that refuse it; with [`Policy::keeps_accounts`] at all that count it.
    pub seen: Vec<Seen<'a>>,
    /// The rules that have not much left.
    pub near: Vec<&'a Rule>,
    /// The first rule that does not enforce and would have refused it.
    pub shadow: Option<&'a Rule>,
    /// The most that an enforced rule charged it, or the one that refuses would have; 0 if none counts it.
    pub cost: u64,
}

/// What becomes of a request.
#[derive(Debug, Default)]
pub enum Decision<'a> {
    /// Nothing looks at it.
    Exempt,
    /// No rule refuses.
    #[default]
    Admit,
    /// A quota is spent.
    Limit(Limited<'a>),
    /// This rule needs a key that the request does not have.
    Keyless(&'a Rule),
    /// This rule could not keep its count, and says that such a request must not pass.
    Failed(&'a Rule),
}

/// Why a request is refused: quotas are spent. Which ones, the [`Seen`] say.
#[derive(Debug)]
pub struct Limited<'a> {
    /// The first rule that refuses.
    pub rule: &'a Rule,
    /// Its place.
    pub rule_idx: usize,
    /// The key that it counts.
    pub key: KeyClaim<'a>,
    /// All rules would admit after this.
    pub wait: Nanos,
}

/// A request on a key's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The rule, by its place.
    pub rule_idx: usize,
    /// The plan under which it was charged.
    pub plan: usize,
    /// The key.
    pub tag: Tag,
    /// The units that it was charged.
    pub cost: u64,
    /// When it was charged.
    pub at: Nanos,
}

/// A key at a rule, after the decision.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The key.
    pub key: KeyClaim<'a>,
    /// Its account.
    pub account: Account,
    /// What the request was charged.
    pub charged: Option<u64>,
    /// Whether it is what refuses.
    pub refusal: Option<Refusal>,
}

/// What happened at one rule, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The rule would count the request, which is exempt.
    Exempt,
    /// The key is missing.
    Keyless {
        /// Whether the rule refuses the request for it.
        is_enforced: bool,
    },
    /// What was charged could not be settled or taken back, and stays.
    Unsettled(UpdateError),
    /// What was charged is settled or taken back.
    Amended {
        /// What happened to the table.
        place: Place,
        /// Attempts that another worker's change undid.
        n_conflicts: u32,
    },
    /// Its count could not be kept.
    Failed(UpdateError),
    /// It was decided on.
    Decided {
        /// How.
        verdict: Verdict,
        /// Whether the key has not much left.
        is_near: bool,
        /// What happened to its account and its table.
        charged: &'a Charged,
    },
}

/// What a rule says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It fits.
    Admit,
    /// It does not fit.
    Limit,
    /// It does not fit, and passes because the rule does not enforce.
    Shadow,
}

impl Policy {
    /// These rules, in this order.
    pub const fn new(
        exempt: Vec<Matcher>,
        plans: Option<Plans>,
        rules: Vec<Rule>,
        secret: Secret,
        keeps_accounts: bool,
    ) -> Self {
        Self { exempt, plans, rules, secret, keeps_accounts, scratch: RefCell::new(Vec::new()) }
    }

    /// Who sent the request.
    pub fn identify(&self, x: &dyn Exchange) -> Identity<'_> {
        self.plans.as_ref().map_or(Identity::NOBODY, |plans| plans.identify(x))
    }

    /// Whether no rule looks at the request.
    pub fn is_exempt(&self, x: &dyn Exchange) -> bool {
        self.exempt.iter().any(|matcher| matcher.matches(x))
    }

    /// Decides on the request now; `told` hears what happened at which rule, by its place.
    ///
    /// **Cost**: for each rule that counts the request one shared get and one set, besides what its match and key
    /// read; a refusal costs no set, and one get more for each further rule.
    pub fn decide(
        &self,
        x: &dyn Exchange,
        identity: &Identity<'_>,
        now: Nanos,
        mut told: impl FnMut(usize, Event<'_>),
    ) -> Assessment<'_> {
        let assessment = Assessment::default();
        let mut walk = Walk { policy: self, x, identity, now, assessment, kept_wait: Nanos::ZERO };
        if self.is_exempt(x) {
            walk.assessment.decision = Decision::Exempt;
            return walk.assessment;
        }
        for (idx, rule) in self.rules.iter().enumerate() {
            if let Some(decision) = walk.pass(idx, rule, &mut told) {
                if !matches!(decision, Decision::Limit(_)) {
                    walk.charge_behind(idx, &mut told);
                }
                walk.take_back(&mut told);
                walk.assessment.decision = decision;
                break;
            }
        }
        walk.assessment
    }

    /// Whether something is left to do for this charge when the exchange ends.
    pub fn settles(&self, charge: &Charge) -> bool {
        self.place(charge).is_some_and(|(rule, allowance)| rule.settles(allowance))
    }

    /// Ends the exchange for the rules that were waiting for its end; `told` hears what happened to which charge.
    ///
    /// **Cost**: for each charge that is not what the request came to, one shared get and one set.
    pub fn settle(
        &self,
        x: &dyn Exchange,
        charges: &[Charge],
        now: Nanos,
        mut told: impl FnMut(&Charge, Event<'_>),
    ) {
        for charge in charges {
            let Some((rule, allowance)) = self.place(charge) else { continue };
            let total = rule.settlement.final_cost(&rule.cost, charge.cost, x);
            if total == charge.cost && !allowance.limits().has_concurrency() {
                continue;
            }
            let settled = allowance.amend(x.host(), charge.tag, now, |account| {
                allowance.limits().settle(account, charge.cost, total, charge.at, now)
            });
            told(charge, amended(&settled));
        }
    }

    /// Where keys stand with each of their limits.
    pub fn standings<'a>(&self, seen: &[Seen<'a>], now: Nanos) -> Vec<Standing<'a>> {
        let standings = seen.iter().flat_map(|seen| {
            let limits = seen.key.allowance.limits();
            let refuses = seen.refusal.map(|refusal| refusal.refuses).unwrap_or_default();
            let partition = self.partition(seen.key.tag.to_bytes());
            limits.iter().zip(refuses).enumerate().map(move |(idx, (limit, refused))| {
                let algorithm = &limit.algorithm;
                let words = limits.words(&seen.account, idx);
                Standing {
                    policy: &limit.name,
                    quota: algorithm.quota(),
                    capacity: algorithm.capacity(),
                    window: algorithm.window(),
                    unit: unit(seen.rule, algorithm),
                    remaining: algorithm.remaining(words, now),
                    reset: algorithm.reset(words, now),
                    next: algorithm.next(words, now),
                    partition,
                    refused,
                }
            })
        });
        standings.collect()
    }

    /// Stands for a key wherever it is told: to clients, to operators, in logs.
    ///
    /// A hash of the tag: who knew tags could look for keys that crowd another one out of its bucket.
    pub fn partition(&self, tag: [u8; 16]) -> [u8; 16] {
        self.secret.tag(&tag).to_bytes()
    }

    /// The key of a request that the rule counts, readable.
    pub fn readable_key(&self, rule: &Rule, x: &dyn Exchange, identity: &Identity<'_>) -> String {
        let mut key = Vec::new();
        let consumer = identity.readable();
        let consumer = consumer.as_deref().map(str::as_bytes);
        match rule.key.build_with(x, &|name| consumer.filter(|_| name == CONSUMER), &mut key) {
            KeyOutcome::Key => kit::key::readable_with(&key, &[CONSUMER]),
            KeyOutcome::Missing(_) => String::new(),
        }
    }

    /// What a rule has to say of the request, with nothing charged.
    pub fn claim<'a>(
        &self,
        rule: &'a Rule,
        x: &dyn Exchange,
        identity: &Identity<'_>,
    ) -> Claim<'a> {
        rule.claim(x, identity, &self.secret, &mut self.scratch.borrow_mut())
    }

    fn place(&self, charge: &Charge) -> Option<(&Rule, &Allowance)> {
        let rule = self.rules.get(charge.rule_idx)?;
        Some((rule, rule.allowances.of(charge.plan)?))
    }
}

/// What happened to a charge.
pub(crate) fn amended<T>(done: &Result<Outcome<T>, UpdateError>) -> Event<'static> {
    match done {
        Ok(done) => Event::Amended { place: done.place, n_conflicts: done.n_conflicts },
        Err(error) => Event::Unsettled(*error),
    }
}

/// What a limit counts, for clients.
fn unit(rule: &Rule, algorithm: &Algorithm) -> Unit {
    if algorithm.is_concurrency() {
        return Unit::Concurrent;
    }
    match rule.cost.unit() {
        cost::Unit::Requests => Unit::Requests,
        cost::Unit::ContentBytes => Unit::Bytes,
        cost::Unit::Other => Unit::Cost,
    }
}
