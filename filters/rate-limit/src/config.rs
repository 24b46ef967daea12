//! The configuration, and its bounds.

use kit::Nanos;
use kit::config::{Fields, Names};
use kit::key::KeyTemplate;
use kit::matching::Matcher;
use kit::table::Table;

use crate::account::{Accounts, MAX_LIMITS};
use crate::gcra::Quota;
use crate::rule::{OnFailure, Rule};

/// What a configuration resolves to.
#[derive(Debug)]
pub struct Config {
    /// The rules in force, of different names, in the operator's order.
    pub rules: Vec<Rule>,
    /// The names of the rules that are switched off.
    pub switched_off: Vec<String>,
}

/// Rules of one filter: each costs its share of every request.
pub const MAX_RULES: usize = 64;
/// A quota's largest number of requests.
pub const MAX_REQUESTS: u64 = 1_000_000_000;
/// The shortest window: shorter ones would be decided by the jitter of the network.
pub const MIN_WINDOW: Nanos = Nanos::SECOND;
/// The longest window.
pub const MAX_WINDOW: Nanos = Nanos::from_days(30);
/// Keys that a rule keeps at the least: one bucket's worth.
pub const MIN_KEYS: u32 = 8;
/// Keys that a rule keeps at the most: about 600 MiB.
pub const MAX_KEYS: u32 = 10_000_000;
/// Keys that a rule keeps unless told otherwise: about 4 MiB.
pub const DEFAULT_KEYS: u32 = 65_536;

impl Config {
    /// Reads the configuration.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let mut names = Names::default();
        let mut switched_off = Vec::new();
        let rules = fields.objects("rules", 1..=MAX_RULES, |fields| {
            read_rule(fields, &mut names, &mut switched_off)
        });
        Self { rules: rules.into_iter().flatten().collect(), switched_off }
    }
}

fn read_rule(
    fields: &mut Fields<'_>,
    names: &mut Names,
    switched_off: &mut Vec<String>,
) -> Option<Rule> {
    let name = names.read(fields);
    let is_enabled = fields.optional_bool("enabled").unwrap_or(true);
    let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
    let key = KeyTemplate::read(fields).unwrap_or_default();
    let limits =
        fields.objects("limits", 1..=MAX_LIMITS, read_limit).into_iter().flatten().collect();
    let max_keys = fields.optional_integer("max_keys", MIN_KEYS..=MAX_KEYS).unwrap_or(DEFAULT_KEYS);
    let on_failure = fields
        .optional_choice("on_failure", &[("admit", OnFailure::Admit), ("deny", OnFailure::Deny)])
        .unwrap_or_default();
    let name = name?;
    if !is_enabled {
        switched_off.push(name);
        return None;
    }
    let table = Table::new(&format!("rate-limit/{name}"), max_keys, Accounts);
    Some(Rule { name, matcher, key, limits, on_failure, table })
}

fn read_limit(fields: &mut Fields<'_>) -> Option<Quota> {
    let requests = fields.sound_integer("quota", 1..=MAX_REQUESTS);
    let window = fields.duration("window", MIN_WINDOW..=MAX_WINDOW);
    // A quota that is wrong bounds no burst: its own line is enough.
    let max_burst = requests.unwrap_or(MAX_REQUESTS);
    let burst = fields.optional_integer("burst", 1..=max_burst);
    Quota::new(requests?, window, burst.or(requests)?)
}
