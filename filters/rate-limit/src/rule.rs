//! One rule over the shared table: which requests, counted by what, how many.

use kit::hash::{Secret, Tag};
use kit::key::{KeyOutcome, KeyTemplate, Missing};
use kit::matching::Matcher;
use kit::shared::{SharedData, UpdateError};
use kit::table::{Place, Table, Verb};
use kit::{Exchange, Nanos};

use crate::account::{Accounts, Refusal, Ruling};
use crate::gcra::Quota;

/// A rule, resolved.
#[derive(Debug)]
pub struct Rule {
    /// Its name: in answers, metrics and the name of its table.
    pub name: String,
    /// Which requests it counts.
    pub matcher: Matcher,
    /// By what it counts them.
    pub key: KeyTemplate,
    /// How many are admitted: at least one limit, at most [`crate::account::MAX_LIMITS`].
    pub limits: Vec<Quota>,
    /// What happens when a count can not be kept.
    pub on_failure: OnFailure,
    /// Where the accounts are.
    pub table: Table<Accounts>,
}

/// What happens to a request whose count can not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It passes.
    #[default]
    Admit,
    /// It is answered with 503.
    Deny,
}

/// Whether a rule has something to say of a request, and about which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    None,
    /// It counts the request under this key.
    Key(Tag),
    /// It refuses the request, whose key is missing.
    Keyless,
}

/// What charging a rule came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// Admitted and charged, or refused and not.
    pub refusal: Option<Refusal>,
    /// What happened to the table.
    pub place: Place,
    /// Attempts that another worker's change undid.
    pub n_conflicts: u32,
}

impl OnFailure {
    /// The word in the configuration and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Deny => "deny",
        }
    }
}

impl Rule {
    /// Whether the rule counts this request, and under which key; `scratch` is any buffer.
    pub fn claim(&self, x: &dyn Exchange, secret: &Secret, scratch: &mut Vec<u8>) -> Claim {
        if !self.matcher.matches(x) {
            return Claim::None;
        }
        scratch.clear();
        match self.key.build(x, scratch) {
            KeyOutcome::Key => Claim::Key(secret.tag(scratch)),
            KeyOutcome::Missing(Missing::Skip) => Claim::None,
            KeyOutcome::Missing(Missing::Deny) => Claim::Keyless,
        }
    }

    /// Charges one request to the key, if all limits admit it.
    ///
    /// **Cost**: one shared get, and one set if admitted.
    pub fn charge<S: SharedData + ?Sized>(
        &self,
        store: &S,
        key: Tag,
        now: Nanos,
    ) -> Result<Charged, UpdateError> {
        let done = self.table.update(store, key, now, |account| {
            let found = account.unwrap_or_default();
            let healed = found.healed(&self.limits, now);
            match healed.decide(&self.limits, now) {
                Ruling::Admit(next) => (Verb::Store(next), None),
                Ruling::Limit(refusal) if healed == found => (Verb::Keep, Some(refusal)),
                Ruling::Limit(refusal) => (Verb::Store(healed), Some(refusal)),
            }
        })?;
        Ok(Charged { refusal: done.value, place: done.place, n_conflicts: done.n_conflicts })
    }

    /// What the rule would say now, with nothing charged.
    ///
    /// **Cost**: one shared get.
    pub fn peek<S: SharedData + ?Sized>(&self, store: &S, key: Tag, now: Nanos) -> Option<Refusal> {
        let account = self.table.find(store, key)?;
        match account.decide(&self.limits, now) {
            Ruling::Admit(_) => None,
            Ruling::Limit(refusal) => Some(refusal),
        }
    }

    /// Takes back one charged request.
    ///
    /// **Cost**: one shared get and one set.
    pub fn refund<S: SharedData + ?Sized>(
        &self,
        store: &S,
        key: Tag,
        now: Nanos,
    ) -> Result<(), UpdateError> {
        self.table
            .update(store, key, now, |account| {
                (
                    account
                        .map_or(Verb::Keep, |account| Verb::Store(account.refunded(&self.limits))),
                    (),
                )
            })
            .map(|_done| ())
    }

    /// The rule in an operator's words.
    pub fn describe(&self) -> String {
        let limits: Vec<String> = self.limits.iter().map(ToString::to_string).collect();
        format!(
            "rule {}, for {}: {} by {}; up to {} keys",
            self.name,
            self.matcher.describe(),
            limits.join(" and "),
            self.key.describe(),
            self.table.capacity(),
        )
    }
}
