//! One rule: which requests, counted by what, at what cost, and how many.

use std::fmt;

use kit::Exchange;
use kit::hash::{Secret, Tag};
use kit::key::{KeyOutcome, KeyTemplate, Missing};
use kit::matching::Matcher;
use kit::units::Ratio;

use crate::allowance::Allowance;
use crate::answer::Answer;
use crate::cost::Cost;
use crate::plans::Identity;
use crate::settlement::Settlement;

/// The part of a key that the filter supplies: the known API key of a request.
pub const CONSUMER: &str = "consumer";

/// Keys are sorted into so many shares: as many as a ratio has parts.
const SHARES: u32 = 1_000_000;

/// A rule, resolved.
#[derive(Debug)]
pub struct Rule {
    /// Its name: in answers, metrics and the names of its tables.
    pub name: String,
    /// Whether it refuses requests, or only counts which it would refuse.
    pub mode: Mode,
    /// The share of the keys that it refuses requests of.
    pub enforced: Ratio,
    /// Which requests it counts.
    pub matcher: Matcher,
    /// Which of those it does not: any of these.
    pub exempt: Vec<Matcher>,
    /// By what it counts them.
    pub key: KeyTemplate,
    /// How many are admitted.
    pub allowances: Allowances,
    /// What a request costs.
    pub cost: Cost,
    /// What is settled when the response is known.
    pub settlement: Settlement,
    /// Whether refused requests are charged too, whichever rule refuses them.
    pub charge_refused: bool,
    /// When and how it warns.
    pub near: Near,
    /// What a refused request is answered.
    pub answer: Answer,
    /// Whether operations may show its keys.
    pub show_keys: bool,
    /// What happens when a count can not be kept.
    pub on_failure: OnFailure,
}

/// What a rule allows to whom.
#[derive(Debug)]
pub enum Allowances {
    /// The same to everybody.
    Same(Box<Allowance>),
    /// By the number of the request's plan; a plan without one is not counted.
    ByPlan(Vec<Option<Allowance>>),
}

/// Whether a rule refuses requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// It only counts which it would refuse.
    Shadow,
}

/// When a rule says that a key has not much left, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// The share of a limit that is spent then.
    pub at: Ratio,
    /// Whether the upstream is told, in a request header.
    pub to_upstream: bool,
    /// Whether the client is told, in a response header.
    pub to_client: bool,
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
#[derive(Debug, Clone, Copy)]
pub enum Claim<'a> {
    /// Nothing: it allows the request's plan no number at all.
    OtherPlan,
    /// Nothing: it is not for such requests.
    NotMatching,
    /// It would count the request, which is exempt.
    Exempt,
    /// It does not count the request, whose key is missing.
    Skipped,
    /// It refuses the request, whose key is missing.
    Keyless,
    /// It counts the request.
    Key(KeyClaim<'a>),
}

/// A key of a rule.
#[derive(Debug, Clone, Copy)]
pub struct KeyClaim<'a> {
    /// What the key is allowed.
    pub allowance: &'a Allowance,
    /// The key.
    pub tag: Tag,
    /// Whether a refusal counts, or is only noted.
    pub is_enforced: bool,
}

impl Rule {
    /// Whether the rule counts this request, and under which key; `scratch` is any buffer.
    pub fn claim<'a>(
        &'a self,
        x: &dyn Exchange,
        identity: &Identity<'_>,
        secret: &Secret,
        scratch: &mut Vec<u8>,
    ) -> Claim<'a> {
        let Some(allowance) = self.allowances.of(identity.plan) else { return Claim::OtherPlan };
        if !self.matcher.matches(x) {
            return Claim::NotMatching;
        }
        if self.exempt.iter().any(|matcher| matcher.matches(x)) {
            return Claim::Exempt;
        }
        scratch.clear();
        let given = |name: &str| identity.consumer.filter(|_| name == CONSUMER);
        match self.key.build_with(x, &given, scratch) {
            KeyOutcome::Key => {
                let tag = secret.tag(scratch);
                // The same keys at every worker and at all times.
                let is_in_share =
                    self.is_enforced_for_all() || tag.bucket(SHARES) < self.enforced.as_ppm();
                let is_enforced = self.mode == Mode::Enforce && is_in_share;
                Claim::Key(KeyClaim { allowance, tag, is_enforced })
            }
            KeyOutcome::Missing(Missing::Skip) => Claim::Skipped,
            KeyOutcome::Missing(Missing::Deny) => Claim::Keyless,
        }
    }

    /// What a request costs, unless it is one.
    pub fn unusual_cost(&self) -> Option<&Cost> {
        (self.cost.always() != Some(1)).then_some(&self.cost)
    }

    /// Whether it refuses requests without a key: they have none to be in the share by.
    pub fn refuses_keyless(&self) -> bool {
        self.mode == Mode::Enforce && self.is_enforced_for_all()
    }

    /// Whether no key is left out.
    pub fn is_enforced_for_all(&self) -> bool {
        self.enforced == Ratio::from_percent(100)
    }

    /// Whether something is left to do when the request is over.
    pub fn settles(&self, allowance: &Allowance) -> bool {
        self.cost.settles() || self.settlement.needed() || allowance.limits().has_concurrency()
    }
}

impl Allowances {
    /// What this plan is allowed.
    pub fn of(&self, plan: usize) -> Option<&Allowance> {
        match self {
            Self::Same(allowance) => Some(allowance),
            Self::ByPlan(by_plan) => by_plan.get(plan)?.as_ref(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Allowance> {
        let (same, by_plan) = match self {
            Self::Same(allowance) => (Some(&**allowance), [].as_slice()),
            Self::ByPlan(by_plan) => (None, by_plan.as_slice()),
        };
        same.into_iter().chain(by_plan.iter().flatten())
    }
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

impl Default for Near {
    fn default() -> Self {
        Self { at: Ratio::from_percent(80), to_upstream: true, to_client: false }
    }
}

/// The rule in an operator's words.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}", self.name)?;
        match self.mode {
            Mode::Shadow => f.write_str(" (shadow)")?,
            Mode::Enforce if !self.is_enforced_for_all() => {
                write!(f, " (enforced for {} of the keys)", self.enforced)?;
            }
            Mode::Enforce => {}
        }
        write!(f, ", for {}", self.matcher.describe())?;
        for (idx, matcher) in self.exempt.iter().enumerate() {
            write!(f, "{}{}", if idx == 0 { " but not " } else { " or " }, matcher.describe())?;
        }
        f.write_str(": ")?;
        for (idx, allowance) in self.allowances.iter().enumerate() {
            if idx > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{allowance}")?;
        }
        write!(f, "; by {}", self.key.describe())?;
        if let Some(cost) = self.unusual_cost() {
            write!(f, "; each costs {cost}")?;
        }
        self.settlement.describe().map_or(Ok(()), |words| write!(f, "; {words}"))
    }
}
