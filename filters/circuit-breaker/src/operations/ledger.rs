//! What the operations endpoints need to know of the breakers, and nothing of how they are kept.

use std::fmt;

use kit::config::quoted;
use kit::operations::parameters::word;
use kit::shared::UpdateError;
use kit::units::Ratio;
use kit::{Host, Nanos};

use crate::breaker::window::Tally;
use crate::breaker::{Breaker, Control, State};
use crate::config::Per;
use crate::records::dossier::Failure;
use crate::records::events::List;
use crate::signals;

/// The most breakers that one answer lists: a megabyte or two.
pub const MAX_LISTED: usize = 1_000;

/// The breakers as an operator sees them.
///
/// A rule is one of [`Ledger::names`].
pub trait Ledger {
    /// The names of the rules, in the operator's order; also of those that are switched off.
    fn names(&self) -> Vec<&str>;

    /// The rules, in the operator's order.
    fn rules(&self) -> Vec<RuleInfo>;

    /// The breakers that this lets through.
    ///
    /// **Cost**: one get for each two of `max_breakers`, one for each breaker that the rule, the scope and the id let
    /// through, and one for each that is shown.
    fn breakers(&self, host: &dyn Host, filter: &Filter) -> Listed;

    /// The last events.
    fn events(&self, host: &dyn Host) -> List;

    /// Does this to breakers; one entry for each of them, none if there is none. `by` is who asked for it.
    ///
    /// **Cost**: as [`Ledger::breakers`] unless one breaker is named, and three gets and sets for each.
    fn act(&self, host: &dyn Host, target: &Target, act: Act, by: &str) -> Vec<Acted>;
}

/// A rule, in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// `enforce`, `shadow` or `off`.
    pub mode: &'static str,
    /// What it does; `None` if it is switched off.
    pub terms: Option<Terms>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which requests it is for.
    pub matches: String,
    /// What tells its breakers apart.
    pub per: Per,
    /// The key, if that is it.
    pub key: Option<String>,
    /// Whether operators may see keys.
    pub shows_keys: bool,
    /// All of it in a sentence.
    pub text: String,
}

/// Which breakers to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Those of this rule.
    pub rule: Option<String>,
    /// Those for what is shown so.
    pub scope: Option<String>,
    /// The one that this stands for.
    pub id: Option<String>,
    /// Those that do this with requests.
    pub state: Option<State>,
    /// How many to show.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { rule: None, scope: None, id: None, state: None, limit: MAX_LISTED }
    }
}

/// A list of breakers, which may have more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How many there are.
    pub total: usize,
    /// The first of them.
    pub breakers: Vec<BreakerInfo>,
}

/// A breaker as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerInfo {
    /// What stands for it.
    pub id: String,
    /// Its rule.
    pub rule: String,
    /// What tells the breakers of the rule apart.
    pub per: Per,
    /// What it is for; `None` if it is for the whole rule, or the key is not to be seen.
    pub scope: Option<String>,
    /// The breaker after what time has ended.
    pub breaker: Breaker,
    /// Probes that are out.
    pub n_probes: usize,
    /// How requests ended lately.
    pub tally: Tally,
    /// The share of requests that passes, while only a share does.
    pub share: Option<Ratio>,
    /// How requests failed last, the latest first.
    pub failures: Vec<Failure>,
}

/// Which breakers an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every one that is known.
    All,
    /// Every known one of this rule.
    Rule(String),
    /// That of the rule for this; it need not be known.
    Scope {
        /// The rule.
        rule: String,
        /// The name of the cluster, route or host, or the key as it is shown.
        scope: String,
    },
    /// That of the rule which this stands for.
    Id {
        /// The rule.
        rule: String,
        /// The id.
        id: String,
    },
}

/// In the log: names are quoted and escaped unless they are plain words.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("rule=all"),
            Self::Rule(rule) => write!(f, "rule={}", word(rule)),
            Self::Scope { rule, scope } => write!(f, "rule={} scope={}", word(rule), word(scope)),
            Self::Id { rule, id } => write!(f, "rule={} id={}", word(rule), word(id)),
        }
    }
}

impl Target {
    /// Why there is none, and what to do.
    pub fn nobody(&self) -> String {
        match self {
            Self::All => "No breaker is known yet; name one with rule and scope".to_owned(),
            Self::Rule(rule) => {
                format!("No breaker of rule {} is known yet; name one with scope", quoted(rule))
            }
            Self::Scope { rule, scope } => format!(
                "Rule {} has no breaker whose key is shown as {}; GET /breakers has their ids",
                quoted(rule),
                quoted(scope)
            ),
            Self::Id { rule, id } => format!(
                "Rule {} has no known breaker of id {}; GET /breakers has their ids",
                quoted(rule),
                quoted(id)
            ),
        }
    }
}

/// What an operator has done to breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Takes them in hand.
    Hold(Hold),
    /// Lets go of them.
    LetGo,
    /// Has them forget everything but the hand.
    Reset,
}

/// How an operator holds breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// What they do instead of what they would.
    pub control: Control,
    /// For how long; `None` until the hand lets go.
    pub time: Option<Nanos>,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(hold) => {
                write!(f, "control mode={}", signals::control(hold.control))?;
                hold.time.map_or(Ok(()), |time| write!(f, " for={time}"))
            }
            Self::LetGo => f.write_str("control mode=none"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// What became of one breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// Its rule.
    pub rule: String,
    /// What it is for, as in [`BreakerInfo::scope`].
    pub scope: Option<String>,
    /// What stands for it.
    pub id: String,
    /// Whether any worker had met it.
    pub was_met: bool,
    /// What changed, or why nothing did.
    pub outcome: Result<Change, UpdateError>,
}

/// What an act did to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What requests met before.
    pub from: State,
    /// What they meet now.
    pub to: State,
    /// The hand on it now.
    pub held: Option<HeldInfo>,
}

/// An operator's hand on a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldInfo {
    /// What it does.
    pub control: Control,
    /// For how long it still does; `None` until it lets go.
    pub rest: Option<Nanos>,
}
