//! What the operations endpoints need to know of the limiter, and nothing of how it counts.

use std::net::IpAddr;

use kit::hash::hex;
use kit::operations::parameters::word;
use kit::shared::UpdateError;
use kit::top::Report;
use kit::{Exchange, Host, Nanos};

/// The limiter as an operator sees it.
///
/// A `rule` is one of [`Ledger::names`]; without one, every rule is meant.
pub trait Ledger {
    /// The names of the rules, in the operator's order; also of those that are switched off.
    fn names(&self) -> Vec<&str>;

    /// The rules, in the operator's order.
    fn rules(&self) -> Vec<RuleInfo>;

    /// Who sends this request.
    fn client(&self, x: &dyn Exchange) -> Client;

    /// What each rule says of this request, which is charged nowhere.
    fn state(&self, x: &dyn Exchange) -> Vec<RuleState>;

    /// Forgets the counts of this request's keys; one entry for each rule (and plan) that has a key for it.
    fn reset_key(&self, x: &dyn Exchange, rule: Option<&str>) -> Vec<Reset>;

    /// Forgets all counts; one entry for each rule (and plan).
    fn reset_rule(&self, host: &dyn Host, rule: Option<&str>) -> Vec<Reset>;

    /// The keys refused most.
    fn top(&self, host: &dyn Host, rule: Option<&str>) -> Vec<RuleTop>;
}

/// A rule in force, in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// `enforce`, `shadow` or `off`.
    pub mode: &'static str,
    /// The share of its keys that are held to it, as configured; `None` for all.
    pub share: Option<String>,
    /// Which requests it counts.
    pub matches: String,
    /// By what it counts them.
    pub key: String,
    /// Its limits: one entry, or one for each plan.
    pub quotas: Vec<Quotas>,
    /// What a request costs, unless it is one.
    pub cost: Option<String>,
    /// What is not charged in the end; `None` if everything is.
    pub settlement: Option<String>,
    /// Whether operations show its keys in clear.
    pub shows_keys: bool,
}

/// The limits of a rule, or of one plan under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// The plan, if the rule's limits depend on it.
    pub plan: Option<String>,
    /// Each limit in words.
    pub limits: Vec<String>,
    /// Keys that its table has room for.
    pub max_keys: u64,
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The plan; `None` where there are no plans.
    pub plan: Option<String>,
    /// What the operator calls the API key, or its hash; `None` without a known one.
    pub consumer: Option<String>,
}

/// What one rule says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    /// The rule.
    pub rule: String,
    /// Its mode: `enforce`, `shadow` or `off`.
    pub mode: &'static str,
    /// The request's plan, if the rule's limits depend on it.
    pub plan: Option<String>,
    /// Whether the rule refuses what it does not admit: its mode is `enforce`, and the key is in the share held to it.
    pub is_enforced: bool,
    /// Where the request stands.
    pub standing: Standing,
}

/// Where a request stands with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The rule is not for such requests.
    NotMatching,
    /// The request is exempt, from this rule or from all.
    Exempt,
    /// The rule has no limits for the request's plan.
    OtherPlan,
    /// The request has no key, and the rule does not count those.
    Skipped,
    /// The request has no key, and the rule refuses those.
    Keyless,
    /// The rule counts it.
    Counted {
        /// Under this key.
        key: Key,
        /// Against these limits, in their order.
        limits: Vec<LimitState>,
    },
}

impl Standing {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotMatching => "not_matching",
            Self::Exempt => "exempt",
            Self::OtherPlan => "other_plan",
            Self::Skipped => "skipped",
            Self::Keyless => "keyless",
            Self::Counted { .. } => "counted",
        }
    }

    /// Whether the rule admits the request now.
    pub fn admits(&self) -> bool {
        match self {
            Self::NotMatching | Self::Exempt | Self::OtherPlan | Self::Skipped => true,
            Self::Keyless => false,
            Self::Counted { limits, .. } => limits.iter().all(|limit| limit.next == Nanos::ZERO),
        }
    }
}

/// A key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its tag: tells keys apart and tells nothing about them.
    pub tag: [u8; 16],
    /// In clear, if the rule shows keys.
    pub text: Option<String>,
}

impl Key {
    /// The tag in hexadecimal digits.
    pub fn hash(&self) -> String {
        hex(&self.tag)
    }
}

/// What one limit says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState {
    /// Its name, or what stands for it.
    pub name: String,
    /// `gcra`, `fixed_window`, `sliding_window` or `concurrency`.
    pub algorithm: &'static str,
    /// Units per window.
    pub quota: u64,
    /// The window; the lease of a `concurrency` limit.
    pub window: Nanos,
    /// Units that would be admitted now.
    pub remaining: u64,
    /// After this the request would be admitted; zero: now.
    pub next: Nanos,
    /// After this the whole quota is there again, if nothing more is charged.
    pub reset: Nanos,
}

/// What a reset did to one rule, or to one plan under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The rule.
    pub rule: String,
    /// The plan, if the rule's limits depend on it.
    pub plan: Option<String>,
    /// The key; `None` if all were reset.
    pub key: Option<Key>,
    /// How much is forgotten, or why nothing is.
    pub forgotten: Result<Forgotten, UpdateError>,
}

/// How much a reset forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The counts of so many keys: none if there were none.
    Keys(u64),
    /// A whole table with room for so many keys.
    Table(u64),
}

impl Reset {
    /// The line for the log: who made the limiter forget what.
    ///
    /// It names the key by its hash only. What is not a plain word is quoted and escaped, so that no value can pass for
    /// another field or line.
    pub fn audit(&self, by: Option<IpAddr>) -> String {
        let mut line = format!("rate-limit: operations reset rule={}", word(&self.rule));
        if let Some(plan) = &self.plan {
            line += &format!(" plan={}", word(plan));
        }
        let key = self.key.as_ref().map_or_else(|| "all".to_owned(), Key::hash);
        line += &format!(" key={key}");
        line += &match &self.forgotten {
            Ok(Forgotten::Keys(keys)) => format!(" keys={keys}"),
            Ok(Forgotten::Table(max_keys)) => format!(" max_keys={max_keys}"),
            Err(UpdateError::Contended) => " error=contended".to_owned(),
            Err(UpdateError::Refused) => " error=refused".to_owned(),
        };
        line + &by.map_or_else(|| " by=unknown".to_owned(), |by| format!(" by={by}"))
    }
}

/// The keys that one rule refused most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTop {
    /// The rule.
    pub rule: String,
    /// What its list says.
    pub report: Report,
}
