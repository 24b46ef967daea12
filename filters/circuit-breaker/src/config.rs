//! The configuration, read into what can not be wrong.
//!
//! Bounds and defaults are in [`bounds`], sets of defaults in [`preset`]; `settings` reads what makes a breaker's
//! settings, `own_probe` the request of the filter's own probes.

pub mod bounds;
mod own_probe;
pub mod preset;
mod settings;

use kit::answer::Answer;
use kit::config::{Fields, Names};
use kit::key::KeyTemplate;
use kit::matching::Matcher;
use kit::operations::Access;
use kit::status::Statuses;

use crate::answer;
use crate::breaker::settings::Settings;
use crate::evidence::GrpcStatuses;
use crate::fallback::{self, Fallback};
use crate::probe::ProbeRequest;
use bounds::{DEFAULT_FAILURE_STATUS, DEFAULT_MAX_BREAKERS, MAX_BREAKERS, N_RULES, N_STATUSES};

/// A circuit breaker's configuration.
#[derive(Debug)]
pub struct Config {
    /// What becomes of a request whose breaker's state can not be told.
    pub on_failure: OnFailure,
    /// How many breakers the shared table has room for.
    pub max_breakers: u32,
    /// How what happens to breakers is logged.
    pub event_log: EventLog,
    /// Who may use the operations endpoints.
    pub operations: Access,
    /// The rules; the first that matches a request decides.
    pub rules: Vec<Rule>,
    /// What a request is answered that no rule can be told for.
    pub answer: Answer,
    /// The names of the rules that are switched off.
    pub switched_off: Vec<String>,
}

/// What becomes of a request whose breaker's state can not be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It passes.
    #[default]
    Admit,
    /// It is rejected.
    Deny,
}

/// How what happens to breakers is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventLog {
    /// A line for people.
    #[default]
    Text,
    /// A line that ends in a JSON object, the same as in the list of events.
    Json,
}

/// Breakers for some requests.
#[derive(Debug)]
pub struct Rule {
    /// Unique among the rules; part of the breakers' identity.
    pub name: String,
    /// The requests that it is for.
    pub matcher: Matcher,
    /// What tells the breakers of the rule apart.
    pub per: Per,
    /// What the breakers are told apart by with [`Per::Key`].
    pub key: KeyTemplate,
    /// Whether operators may see keys.
    pub show_keys: bool,
    /// Whether its breakers reject nothing and only say what they would do.
    pub is_shadow: bool,
    /// When they change their state.
    pub settings: Settings,
    /// The statuses that are failures.
    pub failure_status: Statuses,
    /// The gRPC statuses that are failures.
    pub failure_grpc_status: GrpcStatuses,
    /// The statuses that say nothing of the upstream.
    pub ignored_status: Statuses,
    /// The gRPC statuses that say nothing of it.
    pub ignored_grpc_status: GrpcStatuses,
    /// Whether an upstream's `Retry-After` can lengthen an opening.
    pub heeds_retry_after: bool,
    /// What a rejected request is answered.
    pub answer: Answer,
    /// What it gets instead, in this order.
    pub fallbacks: Vec<Fallback>,
    /// What the filter probes with, if no client's request is to.
    pub own_probe: Option<ProbeRequest>,
}

/// What tells the breakers of one rule apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Per {
    /// Each cluster has its own.
    #[default]
    Cluster,
    /// Each route has its own.
    Route,
    /// Each virtual host has its own.
    VirtualHost,
    /// The rule is one breaker.
    Rule,
    /// Each key has its own, such as a tenant.
    Key,
}

const SCOPES: [(&str, Per); 5] = [
    ("cluster", Per::Cluster),
    ("route", Per::Route),
    ("virtual_host", Per::VirtualHost),
    ("rule", Per::Rule),
    ("key", Per::Key),
];

impl Per {
    /// Every one; the records keep its place in this list.
    pub const ALL: [Self; 5] =
        [Self::Cluster, Self::Route, Self::VirtualHost, Self::Rule, Self::Key];

    /// The word in the configuration and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Route => "route",
            Self::VirtualHost => "virtual_host",
            Self::Rule => "rule",
            Self::Key => "key",
        }
    }
}

impl Config {
    /// Reads the configuration; every problem is recorded in `fields`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let modes = [("admit", OnFailure::Admit), ("deny", OnFailure::Deny)];
        let logs = [("text", EventLog::Text), ("json", EventLog::Json)];
        let on_failure = fields.optional_choice("on_failure", &modes).unwrap_or_default();
        let max_breakers =
            fields.optional_integer("max_breakers", MAX_BREAKERS).unwrap_or(DEFAULT_MAX_BREAKERS);
        let answer = fields.optional_object("answer", answer::read).unwrap_or_default();
        let mut names = Names::default();
        fields.remedy("remove the filter from the chain if nothing is to be broken");
        let rules = fields.objects("rules", N_RULES, |fields| {
            let is_enabled = fields.optional_bool("enabled").unwrap_or(true);
            (is_enabled, Rule::read(fields, &mut names, &answer))
        });
        let (on, off): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(enabled, _)| *enabled);
        Self {
            on_failure,
            max_breakers,
            event_log: fields.optional_choice("event_log", &logs).unwrap_or_default(),
            operations: fields.optional_object("operations", Access::read).unwrap_or_default(),
            answer,
            rules: on.into_iter().map(|(_, rule)| rule).collect(),
            switched_off: off.into_iter().map(|(_, rule)| rule.name).collect(),
        }
    }
}

impl Rule {
    fn read(fields: &mut Fields<'_>, names: &mut Names, common: &Answer) -> Self {
        let name = names.read(fields);
        let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
        let per = fields.optional_choice("per", &SCOPES).unwrap_or_default();
        let (settings, own_probe) = settings::read(fields, per);
        let failure_status = fields
            .optional_statuses("failure_status", N_STATUSES)
            .unwrap_or_else(|| DEFAULT_FAILURE_STATUS.into_iter().collect());
        let failure_grpc_status =
            GrpcStatuses::read(fields, "failure_grpc_status").unwrap_or_default();
        let (ignored_status, ignored_grpc_status) =
            read_ignored(fields, &failure_status, &failure_grpc_status);
        Self {
            name: name.unwrap_or_default(),
            matcher,
            per,
            key: read_key(fields, per),
            show_keys: fields.optional_bool("show_keys").unwrap_or(false),
            is_shadow: fields.optional_bool("shadow").unwrap_or(false),
            settings,
            failure_status,
            failure_grpc_status,
            ignored_status,
            ignored_grpc_status,
            heeds_retry_after: fields.optional_bool("heed_retry_after").unwrap_or(true),
            answer: read_answer(fields, common),
            fallbacks: fallback::read(fields),
            own_probe,
        }
    }
}

/// The statuses that count as nothing; one that is named as a failure too can not.
fn read_ignored(
    fields: &mut Fields<'_>,
    failures: &Statuses,
    grpc_failures: &GrpcStatuses,
) -> (Statuses, GrpcStatuses) {
    let ignored = fields.optional_statuses("ignore_status", N_STATUSES).unwrap_or_default();
    let ignored_grpc =
        GrpcStatuses::read(fields, "ignore_grpc_status").unwrap_or(GrpcStatuses::NONE);
    let mend = "keep it in one of the two lists";
    let is_both = |status: &u16| ignored.contains(*status) && failures.contains(*status);
    if fields.has("failure_status")
        && let Some(status) = (200..=599).find(is_both)
    {
        let found = format!("{status}, which failure_status has too");
        fields.problem("ignore_status", found, "statuses that are no failures", mend);
    }
    if fields.has("failure_grpc_status") && ignored_grpc.meets(*grpc_failures) {
        let found = "one that failure_grpc_status has too";
        fields.problem("ignore_grpc_status", found, "statuses that are no failures", mend);
    }
    (ignored, ignored_grpc)
}

fn read_answer(fields: &mut Fields<'_>, common: &Answer) -> Answer {
    if fields.has("status") {
        let mend = "write answer: { status: 503 }";
        fields.problem("status", "it here", "it in answer", mend);
        fields.know(&["status"]);
    }
    let own = fields.optional_object("answer", answer::read);
    own.map_or_else(|| common.clone(), |own| own.over(common))
}

fn read_key(fields: &mut Fields<'_>, per: Per) -> KeyTemplate {
    // Without a word about it, a request that lacks its key has no breaker, and none that it shares with others.
    let key = if fields.has("on_missing") {
        KeyTemplate::read(fields)
    } else {
        fields.know(&["on_missing"]);
        KeyTemplate::read_alone(fields)
    };
    if key.as_ref().is_some_and(KeyTemplate::refuses) {
        let mend = "remove it to let such requests pass without a breaker";
        fields.problem("on_missing", "\"deny\"", "anonymous, address, skip", mend);
    }
    match (per, &key) {
        (Per::Key, None) if !fields.has("key") => fields.problem(
            "key",
            "nothing",
            "what tells the breakers apart, such as \"header:x-tenant\"",
            "add it, or set per to cluster, route, virtual_host or rule",
        ),
        (Per::Cluster | Per::Route | Per::VirtualHost | Per::Rule, Some(_)) => fields.problem(
            "key",
            format!("it beside per: {}", per.as_str()),
            "it with per: key",
            "set per to key, or remove it",
        ),
        _ => {}
    }
    key.unwrap_or_default()
}
