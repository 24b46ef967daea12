//! What the operations endpoints need to know of the cache, and nothing of how it stores.

use std::fmt;
use std::rc::Rc;

use kit::headers::Headers;
use kit::shared::UpdateError;
use kit::target::Url;
use kit::{Exchange, Host, Nanos};

use crate::operations::word;
use crate::signals::{Decision, Eviction, Refusal};
pub use crate::store::purges::Mode;
use crate::store::stored::Stored;
use crate::warming::{AddError, Added, Progress};

/// The cache as an operator sees it.
pub trait Cache {
    /// The names of the rules, in the operator's order; also of those that are switched off.
    fn names(&self) -> Vec<&str>;

    /// The rules, in the operator's order.
    fn rules(&self) -> Vec<RuleInfo>;

    /// The names of the resources that the configuration groups patterns under.
    fn resources(&self) -> Vec<&str>;

    /// What has been counted so far, over all workers.
    fn statistics(&self, host: &dyn Host) -> Statistics;

    /// What the cache would do with this request, and why. Nothing is forwarded, stored or counted for it.
    ///
    /// `operator` is the request that asks: where the one described names no cluster, the cluster of this one may do.
    fn explain(&self, x: &dyn Exchange, operator: &dyn Exchange) -> Explanation;

    /// The tags that a PURGE request names in the configured tag fields; empty if it has none of the fields.
    ///
    /// # Errors
    /// What is wrong with the fields, and how to mend it: also a field that is there and names no tag.
    fn tags_of(&self, request: &Headers) -> Result<Vec<Vec<u8>>, String>;

    /// Whether this could be purged: a pattern that can be compiled, tags within bounds. Changes nothing.
    ///
    /// # Errors
    /// What was found and is allowed, and how to mend it.
    fn check(&self, target: &Target) -> Result<(), String>;

    /// Purges what was asked for before now, for all workers at once.
    ///
    /// # Errors
    /// Nothing, or not everything, is purged.
    fn purge(&self, host: &dyn Host, target: &Target, mode: Mode) -> Result<Receipt, UpdateError>;

    /// The purges in force that are kept one by one, the latest first.
    fn purges(&self, host: &dyn Host) -> Vec<PurgeInfo>;

    /// Puts URLs on the list to be warmed: all or none of them.
    ///
    /// # Errors
    /// [`WarmError::Off`] if the configuration names no cluster for it, or what [`crate::warming::Warming::add`] says.
    fn warm(&self, host: &dyn Host, urls: &[String]) -> Result<Added, WarmError>;

    /// Forgets the URLs that still wait to be warmed; tells how many.
    ///
    /// # Errors
    /// As [`Cache::warm`].
    fn stop_warming(&self, host: &dyn Host) -> Result<u32, WarmError>;

    /// How warming goes; `None` if the configuration names no cluster for it.
    fn warming(&self, host: &dyn Host) -> Option<Progress>;
}

/// A rule, in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// `cache`, `bypass` or `off`.
    pub action: &'static str,
    /// Which requests it is for.
    pub matches: String,
    /// What it tells requests apart by.
    pub key: String,
    /// Its terms, a sentence each; empty where the origin's word is all.
    pub terms: Vec<String>,
}

/// What has been counted, over all workers, since Envoy started or its counters were reset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Entries stored now, fresh or not.
    pub entries: u64,
    /// Entries that there is room for.
    pub max_entries: u64,
    /// Bytes stored now.
    pub bytes: u64,
    /// Bytes that there is room for.
    pub max_bytes: u64,
    /// Requests of each rule, in the operator's order, then of none.
    pub rules: Vec<RuleCounts>,
    /// Responses stored.
    pub stored: u64,
    /// Responses not stored, by reason.
    pub refused: Vec<(Refusal, u64)>,
    /// Entries that gave way, by cause.
    pub evictions: Vec<(Eviction, u64)>,
    /// Unsafe requests that removed something.
    pub invalidations: u64,
    /// Everything else that is counted, by the word for it, such as refreshes by outcome: an object in the answer
    /// for each name.
    pub others: Vec<(&'static str, Vec<(&'static str, u64)>)>,
}

/// The requests of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleCounts {
    /// The rule.
    pub rule: String,
    /// Its requests, by what was decided.
    pub decisions: Vec<(Decision, u64)>,
    /// Body bytes served from the store.
    pub bytes_served: u64,
}

/// What the cache would do with a request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What would be decided.
    pub decision: Decision,
    /// Why, where the decision's own word does not say it: a sentence such as "no rule matches".
    pub why: Option<String>,
    /// The rule that matches, and its action.
    pub rule: Option<(String, &'static str)>,
    /// The key, with no value of a cookie, a claim or another secret in it; `None` if there is none.
    pub key: Option<String>,
    /// The cluster that would answer, as described or as assumed; `None` where the store is not asked.
    pub cluster: Option<String>,
    /// What is stored under this key, all variants.
    pub entries: Vec<Entry>,
    /// What is known of requests under way for this key.
    pub flight: Option<Flight>,
}

/// One stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The response.
    pub stored: Rc<Stored>,
    /// Whether it is the variant for the request.
    pub is_selected: bool,
    /// What purges say of it.
    pub purged: Purged,
    /// Its tags as the origin and the rule named them; what is not text is shown with replacement characters.
    pub tags: Vec<String>,
}

/// What purges say of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// Nothing.
    No,
    /// It counts as stale.
    Soft,
    /// It is served to nobody any more.
    Hard,
}

impl Purged {
    /// The word in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

/// What is known of requests under way for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flight {
    /// One request is with the origin, and so many wait for its answer.
    Underway {
        /// Waiting requests of all workers.
        waiting: u32,
        /// After this nobody waits any longer.
        left: Nanos,
    },
    /// The last answer could not be stored: requests go to the origin at once.
    Uncacheable {
        /// Why not.
        reason: Refusal,
        /// So long this is remembered.
        left: Nanos,
    },
}

/// What is to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One URL with all of its variants, and for all users.
    Url(Url),
    /// What carries this tag.
    Tag(Vec<u8>),
    /// URLs that begin so, as `scheme://host/path`.
    Prefix(String),
    /// URLs of this glob pattern.
    Pattern(String),
    /// URLs of the patterns that the configuration groups under this name.
    Resource(String),
    /// All that is stored.
    Everything,
}

impl Target {
    /// The parameter that names it.
    pub const fn parameter(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Tag(_) => "tag",
            Self::Prefix(_) => "prefix",
            Self::Pattern(_) => "pattern",
            Self::Resource(_) => "resource",
            Self::Everything => "everything",
        }
    }

    /// What is purged by it, for people; `true` for everything.
    pub fn text(&self) -> String {
        match self {
            Self::Url(url) => url.to_string(),
            Self::Tag(tag) => String::from_utf8_lossy(tag).into_owned(),
            Self::Prefix(text) | Self::Pattern(text) | Self::Resource(text) => text.clone(),
            Self::Everything => "true".to_owned(),
        }
    }
}

/// As in a line of the log: `tag=news`, values that are no plain words quoted and cut.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.parameter(), word(&self.text()))
    }
}

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Entries that it removed; `None` where it only set the time from which entries count,
    /// so that they are not looked at before somebody asks for them.
    pub entries: Option<u64>,
}

/// One purge, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What was to be purged.
    pub target: Target,
    /// How.
    pub mode: Mode,
    /// What was done, or why it was not.
    pub outcome: Result<Receipt, UpdateError>,
}

/// A purge that is in force and kept one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeInfo {
    /// What it purges, such as `pattern https://example.com/news/**`.
    pub what: String,
    /// How.
    pub mode: Mode,
    /// How long ago it was asked for.
    pub ago: Nanos,
}

/// Why nothing can be warmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WarmError {
    /// No cluster is configured that leads back to this Envoy.
    #[error("warming is off; configure background.cluster to switch it on")]
    Off,
    /// The list did not take them.
    #[error(transparent)]
    List(#[from] AddError),
}
