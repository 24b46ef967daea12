//! The filter's configuration: resolved, bounded, valid by construction.

use kit::Nanos;
use kit::config::{Fields, Names};
use kit::matching::Matcher;
use kit::units::{Bytes, Ratio};

use crate::policy::assume::{Assumptions, Heuristic};
use crate::store::Geometry;
use crate::store::index::{BUCKET_SIZE, WAYS};

/// Bytes of the first level of each worker.
const LOCAL_BYTES: u64 = 8 << 20;

/// What the filter does, for whom, and with how much memory.
#[derive(Debug, Clone)]
pub struct Config {
    /// Filters of one name share one store.
    pub name: String,
    /// Bytes of all stored responses together.
    pub max_bytes: Bytes,
    /// Entries, rounded up to whole buckets.
    pub max_entries: u32,
    /// The largest response that is stored, headers included.
    pub max_object: Bytes,
    /// What all responses on their way into the store may take in one worker.
    pub fill_memory: Bytes,
    /// Variants of one URI.
    pub max_variants: usize,
    /// Whether responses carry `Cache-Status`.
    pub cache_status: bool,
    /// The rules in force, in order; the first that matches decides; where none does, nothing is cached.
    pub rules: Vec<Rule>,
    /// The names of the rules that are switched off.
    pub switched_off: Vec<String>,
}

/// Which requests, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name in metrics.
    pub name: String,
    /// The requests that it is for.
    pub matcher: Matcher,
    /// What becomes of them.
    pub action: Action,
    /// What it lets the cache assume where the origin states no lifetime.
    pub assumptions: Assumptions,
}

/// What a rule does with its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// They are answered from the store where the origin allows it.
    #[default]
    Cache,
    /// They pass, and their responses are not stored.
    Bypass,
}

/// The store's name if none is given.
pub const DEFAULT_NAME: &str = "main";
/// As much as Envoy itself takes: noticed on no machine that runs one, and room for thousands of pages.
pub const DEFAULT_MAX_BYTES: Bytes = Bytes::from_mib(64);
/// With [`DEFAULT_MAX_BYTES`], responses of 8 KiB on average use up both at once.
pub const DEFAULT_MAX_ENTRIES: u32 = 8_192;
/// A bucket's share of [`DEFAULT_MAX_BYTES`] with [`DEFAULT_MAX_ENTRIES`].
pub const DEFAULT_MAX_OBJECT: Bytes = Bytes::from_kib(256);
/// Enough for 128 fills of the largest size at once.
pub const DEFAULT_FILL_MEMORY: Bytes = Bytes::from_mib(32);
/// Three encodings and a few languages.
pub const DEFAULT_MAX_VARIANTS: usize = 8;
/// The largest body that one reply should carry: each MiB stalls the worker for about a millisecond.
pub const MAX_OBJECT: Bytes = Bytes::from_mib(4);
/// The most a worker's VM can give away: its memory ends at 1 GiB.
pub const MAX_FILL_MEMORY: Bytes = Bytes::from_mib(256);
/// More would take seconds to prepare on every start.
pub const MAX_ENTRIES: u32 = 1 << 20;
/// Rules are asked one after the other for each request.
pub const MAX_RULES: usize = 64;

/// As RFC 9111 suggests in 4.2.2, and as most caches have it.
pub const DEFAULT_FRACTION: Ratio = Ratio::from_percent(10);
/// Less is a slip, such as `0.1%` for a tenth.
pub const MIN_FRACTION: Ratio = Ratio::from_percent(1);
/// What has not changed for ten hours is asked for once an hour.
pub const DEFAULT_HEURISTIC_MAX: Nanos = Nanos::HOUR;
/// Ages are in whole seconds.
pub const MIN_ASSUMED: Nanos = Nanos::SECOND;
/// Whoever knows that more is right can have the origin say so.
pub const MAX_ASSUMED: Nanos = Nanos::DAY;

/// Reads the configuration.
pub fn read(fields: &mut Fields<'_>) -> Config {
    let name = fields.optional_name("name").unwrap_or_else(|| DEFAULT_NAME.to_owned());
    let smallest = u32::try_from(WAYS).unwrap_or(u32::MAX);
    let mut config = Config {
        name,
        max_bytes: fields
            .optional_bytes("max_bytes", Bytes::MIB..=Bytes::from_mib(64 << 10))
            .unwrap_or(DEFAULT_MAX_BYTES),
        max_entries: fields
            .optional_integer("max_entries", smallest..=MAX_ENTRIES)
            .unwrap_or(DEFAULT_MAX_ENTRIES),
        max_object: fields
            .optional_bytes("max_object", Bytes::KIB..=MAX_OBJECT)
            .unwrap_or(DEFAULT_MAX_OBJECT),
        fill_memory: fields
            .optional_bytes("fill_memory", Bytes::MIB..=MAX_FILL_MEMORY)
            .unwrap_or(DEFAULT_FILL_MEMORY),
        max_variants: fields
            .optional_integer("max_variants", 1..=WAYS)
            .unwrap_or(DEFAULT_MAX_VARIANTS),
        cache_status: fields.optional_bool("cache_status").unwrap_or(true),
        rules: Vec::new(),
        switched_off: Vec::new(),
    };
    (config.rules, config.switched_off) = read_rules(fields);
    check_sizes(fields, &config);
    config
}

impl Config {
    /// The size of the store.
    pub fn geometry(&self) -> Geometry {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        let n_buckets = self.max_entries.div_ceil(ways).max(1);
        Geometry {
            n_buckets,
            bucket_bytes: self.max_bytes.0.checked_div(u64::from(n_buckets)).unwrap_or(0),
            max_variants: self.max_variants,
            local_bytes: LOCAL_BYTES,
        }
    }

    /// What it puts in force, for operators: the store, then a line for each rule.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "store {}: up to {} in {} entries of up to {}; shared memory at most {}, copies in each worker at most {}",
            self.name,
            self.max_bytes,
            self.max_entries,
            self.max_object,
            self.shared_memory(),
            self.fill_memory,
        )];
        for rule in &self.rules {
            let action = match rule.action {
                Action::Cache => {
                    format!("cache as the origin allows{}", rule.assumptions.describe())
                }
                Action::Bypass => "never cache".to_owned(),
            };
            lines.push(format!("rule {}, for {}: {action}", rule.name, rule.matcher.describe()));
        }
        let off = self.switched_off.iter().map(|name| format!("rule {name}: switched off"));
        lines.extend(off);
        lines
    }

    /// The most that shared data can come to, names and Envoy's own bookkeeping included.
    pub fn shared_memory(&self) -> Bytes {
        /// What Envoy keeps around one value: its name, its place in the map, its version.
        const PER_VALUE: u64 = 150;
        let buckets = u64::from(self.geometry().n_buckets);
        let bucket = u64::try_from(BUCKET_SIZE).unwrap_or(u64::MAX).saturating_add(PER_VALUE);
        let slots = buckets.saturating_mul(u64::try_from(WAYS).unwrap_or(u64::MAX));
        let kept = buckets.saturating_mul(bucket).saturating_add(slots.saturating_mul(PER_VALUE));
        // Whole MiB, so that a summary shows a number that people read.
        let bytes = self.max_bytes.0.saturating_add(kept);
        Bytes::from_mib(bytes.div_ceil(Bytes::MIB.0))
    }
}

/// The rules in force, and the names of those that are switched off.
fn read_rules(fields: &mut Fields<'_>) -> (Vec<Rule>, Vec<String>) {
    let everything = || Rule {
        name: "default".to_owned(),
        matcher: Matcher::default(),
        action: Action::Cache,
        assumptions: Assumptions::default(),
    };
    fields.remedy("leave rules out to cache whatever the origin allows");
    let mut names = Names::default();
    let rules = fields.optional_objects("rules", 1..=MAX_RULES, |rule| {
        let enabled = rule.optional_bool("enabled").unwrap_or(true);
        let name = names.read(rule).unwrap_or_default();
        let matcher = rule.optional_object("match", Matcher::read).unwrap_or_default();
        let actions = [("cache", Action::Cache), ("bypass", Action::Bypass)];
        let action = rule.optional_choice("action", &actions).unwrap_or_default();
        let assumptions = read_assumptions(rule, action);
        (enabled, Rule { name, matcher, action, assumptions })
    });
    let Some(rules) = rules else { return (vec![everything()], Vec::new()) };
    let (on, off): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(enabled, _)| *enabled);
    let names = off.into_iter().map(|(_, rule)| rule.name).collect();
    (on.into_iter().map(|(_, rule)| rule).collect(), names)
}

fn read_assumptions(rule: &mut Fields<'_>, action: Action) -> Assumptions {
    let assumptions = Assumptions {
        heuristic: rule.optional_object("heuristic", |fields| Heuristic {
            fraction: fields
                .optional_ratio("fraction", MIN_FRACTION..=Ratio::ONE)
                .unwrap_or(DEFAULT_FRACTION),
            max: fields
                .optional_duration("max", MIN_ASSUMED..=MAX_ASSUMED)
                .unwrap_or(DEFAULT_HEURISTIC_MAX),
        }),
        default_ttl: rule.optional_duration("default_ttl", MIN_ASSUMED..=MAX_ASSUMED),
        with_query: rule.optional_bool("assume_with_query").unwrap_or(false),
    };
    for name in ["heuristic", "default_ttl"] {
        if action == Action::Bypass && rule.has(name) {
            rule.problem(
                name,
                "a lifetime with action \"bypass\"",
                "one with action \"cache\" only",
                "remove it: nothing is stored by this rule",
            );
        }
    }
    if assumptions.with_query && !rule.has("heuristic") && !rule.has("default_ttl") {
        rule.problem(
            "assume_with_query",
            "true without heuristic and default_ttl",
            "true with one of them",
            "add one of them, or remove it: lifetimes that the origin states count with a query too",
        );
    }
    assumptions
}

fn check_sizes(fields: &mut Fields<'_>, config: &Config) {
    let share = Bytes(config.geometry().bucket_bytes);
    if config.max_object > share {
        fields.problem(
            "max_object",
            format!(
                "{} with max_bytes {} and max_entries {}",
                config.max_object, config.max_bytes, config.max_entries
            ),
            format!("at most {} with these", rounded(share)),
            "raise max_bytes, or lower max_entries or max_object",
        );
    }
    if config.fill_memory < config.max_object {
        fields.problem(
            "fill_memory",
            format!("{} with max_object {}", config.fill_memory, config.max_object),
            "at least max_object",
            "raise fill_memory, or lower max_object",
        );
    }
}

/// The size in whole KiB, so that a message shows a number that people write.
fn rounded(bytes: Bytes) -> Bytes {
    Bytes::from_kib(bytes.0.checked_div(Bytes::KIB.0).unwrap_or(0))
}
