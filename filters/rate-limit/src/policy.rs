//! All rules over one request: every rule that counts it must admit it.
//!
//! Rules are asked in their order and charged as they admit.
//! When one refuses, what the others were charged is taken back, so that a refused request costs nothing,
//! and the rules behind it are only looked at, so that the answer can tell the longest wait.

use std::cell::RefCell;

use kit::hash::{Secret, Tag};
use kit::shared::UpdateError;
use kit::{Exchange, Nanos};

use crate::rule::{Charged, Claim, OnFailure, Rule};

/// The rules of one configuration, and the secret that places their keys.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    secret: Secret,
    /// Reused for every key, so that an admitted request allocates none.
    scratch: RefCell<Vec<u8>>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// No rule refuses.
    Admit,
    /// This rule's quota is spent; all rules would admit after the wait.
    Limit {
        /// The first rule that refuses.
        rule: &'a Rule,
        /// The first of its limits that refuses.
        limit_idx: usize,
        /// The longest wait of all rules.
        wait: Nanos,
    },
    /// This rule needs a key that the request does not have.
    Keyless(&'a Rule),
    /// This rule could not keep its count, and says that such a request must not pass.
    Failed(&'a Rule),
}

/// What happened at one rule, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was charged, or refused.
    Charged(Charged),
    /// The key is missing.
    Keyless,
    /// Its count could not be kept.
    Failed(UpdateError),
}

impl Policy {
    /// These rules, in this order.
    pub const fn new(rules: Vec<Rule>, secret: Secret) -> Self {
        Self { rules, secret, scratch: RefCell::new(Vec::new()) }
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Decides on the request now; `told` hears what happened at which rule, by its place.
    ///
    /// **Cost**: for each rule that counts the request one shared get and one set, besides what its match and key
    /// read; a refusal costs no set, and one get more for each further rule.
    pub fn decide(
        &self,
        x: &dyn Exchange,
        now: Nanos,
        mut told: impl FnMut(usize, Event),
    ) -> Decision<'_> {
        let host = x.host();
        let mut charged: Vec<(&Rule, Tag)> = Vec::new();
        for (idx, rule) in self.rules.iter().enumerate() {
            let key = match self.claim(rule, x) {
                Claim::None => continue,
                Claim::Keyless => {
                    told(idx, Event::Keyless);
                    take_back(x, &charged, now);
                    return Decision::Keyless(rule);
                }
                Claim::Key(key) => key,
            };
            match rule.charge(host, key, now) {
                Ok(done) => {
                    told(idx, Event::Charged(done));
                    let Some(refusal) = done.refusal else {
                        // The last rule has none behind it that could refuse: nothing to take back.
                        if idx + 1 < self.rules.len() {
                            charged.push((rule, key));
                        }
                        continue;
                    };
                    take_back(x, &charged, now);
                    let wait = refusal.wait.max(self.longest_wait(idx, x, now));
                    return Decision::Limit { rule, limit_idx: refusal.limit_idx, wait };
                }
                Err(error) => {
                    told(idx, Event::Failed(error));
                    if rule.on_failure == OnFailure::Deny {
                        take_back(x, &charged, now);
                        return Decision::Failed(rule);
                    }
                }
            }
        }
        Decision::Admit
    }

    fn claim(&self, rule: &Rule, x: &dyn Exchange) -> Claim {
        rule.claim(x, &self.secret, &mut self.scratch.borrow_mut())
    }

    /// The longest wait of the rules behind the one at `idx`.
    fn longest_wait(&self, idx: usize, x: &dyn Exchange, now: Nanos) -> Nanos {
        let waits = self.rules.iter().skip(idx + 1).filter_map(|rule| match self.claim(rule, x) {
            Claim::Key(key) => rule.peek(x.host(), key, now).map(|refusal| refusal.wait),
            Claim::None | Claim::Keyless => None,
        });
        waits.max().unwrap_or(Nanos::ZERO)
    }
}

fn take_back(x: &dyn Exchange, charged: &[(&Rule, Tag)], now: Nanos) {
    for (rule, key) in charged {
        if let Err(error) = rule.refund(x.host(), *key, now) {
            log::debug!("rate-limit: refund not kept rule={} error={error}", rule.name);
        }
    }
}
