//! The filter's configuration: resolved, bounded, valid by construction.
//!
//! Whatever could not be meant is refused: a field without effect as much as one out of its range.

mod checks;
mod describe;
pub mod rule;
pub mod service;
pub mod terms;

use kit::config::Fields;
use kit::operations::Access;
use kit::units::Bytes;

pub use rule::{Action, Rule};
pub use service::{Background, CacheStatus, Collapse, Resource, Warm};

use crate::reply::Marks;
use crate::store::Geometry;
use crate::store::flights::Limits;
use crate::store::index::WAYS;
use crate::warming::Budget;

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
    /// What copies of often asked responses may take in one worker.
    pub local_memory: Bytes,
    /// Variants of one URI.
    pub max_variants: usize,
    /// Fields that take the place of `Cache-Control` for this cache, the first valid one (RFC 9213); lower case.
    pub targeted: Vec<String>,
    /// Response fields that list tags; lower case.
    pub tag_headers: Vec<String>,
    /// Clients do not see these fields.
    pub hide_tags: bool,
    /// Whether a response's own `No-Vary-Search` counts.
    pub no_vary_search: bool,
    /// What responses say in `Cache-Status` (RFC 9211).
    pub cache_status: CacheStatus,
    /// Whether responses say in `X-Cache` if they were a hit.
    pub x_cache: bool,
    /// Whether responses carry their key in `X-Cache-Key`.
    pub x_cache_key: bool,
    /// How requests wait for one another; `None` if they do not.
    pub collapse: Option<Collapse>,
    /// How Weir sends requests of its own; `None` if it does not.
    pub background: Option<Background>,
    /// What is fetched before anybody asks.
    pub warm: Warm,
    /// Names for groups of URLs that are purged together.
    pub resources: Vec<Resource>,
    /// Who may use the operations endpoints and the PURGE method.
    pub operations: Access,
    /// The rules in force, in order; the first that matches decides; where none does, nothing is cached.
    pub rules: Vec<Rule>,
    /// The names of the rules that are switched off.
    pub switched_off: Vec<String>,
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
/// A thousand hot pages of 8 KiB: by Zipf's law most hits.
pub const DEFAULT_LOCAL_MEMORY: Bytes = Bytes::from_mib(8);
/// Less holds no page.
pub const MIN_LOCAL_MEMORY: Bytes = Bytes::from_kib(64);
/// Three encodings and a few languages.
pub const DEFAULT_MAX_VARIANTS: usize = 8;
/// The largest body that one reply should carry: each MiB stalls the worker for about a millisecond.
pub const MAX_OBJECT: Bytes = Bytes::from_mib(4);
/// The most of each kind that a worker's VM can give away: its memory ends at 1 GiB.
pub const MAX_FILL_MEMORY: Bytes = Bytes::from_mib(256);
/// More would take seconds to prepare on every start.
pub const MAX_ENTRIES: u32 = 1 << 20;

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
        local_memory: fields
            .optional_bytes("local_memory", MIN_LOCAL_MEMORY..=MAX_FILL_MEMORY)
            .unwrap_or(DEFAULT_LOCAL_MEMORY),
        max_variants: fields
            .optional_integer("max_variants", 1..=WAYS)
            .unwrap_or(DEFAULT_MAX_VARIANTS),
        targeted: service::field_names(fields, "targeted", &service::DEFAULT_TARGETED),
        tag_headers: service::field_names(fields, "tag_headers", &service::DEFAULT_TAG_HEADERS),
        hide_tags: fields.optional_bool("hide_tags").unwrap_or(false),
        no_vary_search: fields.optional_bool("no_vary_search").unwrap_or(false),
        cache_status: CacheStatus::read(fields),
        x_cache: fields.optional_bool("x_cache").unwrap_or(false),
        x_cache_key: fields.optional_bool("x_cache_key").unwrap_or(false),
        collapse: Collapse::read(fields),
        background: fields.optional_object("background", Background::read),
        warm: fields.optional_object("warm", Warm::read).unwrap_or_default(),
        resources: service::resources(fields),
        operations: fields.optional_object("operations", Access::read).unwrap_or_default(),
        rules: Vec::new(),
        switched_off: Vec::new(),
    };
    let known = fields.optional_object("request_fields", service::known_fields).unwrap_or_default();
    (config.rules, config.switched_off) = rule::read_all(fields, &known);
    checks::config(fields, &config);
    config
}

impl Config {
    /// What clients are told.
    pub const fn marks(&self) -> Marks {
        Marks {
            cache_status: self.cache_status.is_on(),
            status_key: matches!(self.cache_status, CacheStatus::WithKey),
            x_cache: self.x_cache,
            x_cache_key: self.x_cache_key,
        }
    }

    /// The bounds of waiting and remembering; those of the default where requests do not wait.
    pub fn flight_limits(&self) -> Limits {
        let Collapse { timeout, remember, max_waiting } = self.collapse.unwrap_or_default();
        Limits { timeout, remember, max_waiting }
    }

    /// The budget of warming and the first URLs; `None` where Weir makes no requests of its own.
    pub fn warming(&self) -> Option<(Budget, &[String])> {
        let background = self.background.as_ref()?;
        let budget = Budget { at_once: self.warm.concurrency, timeout: background.timeout };
        Some((budget, &self.warm.urls))
    }

    /// The URI halves of the keys that any rule makes of this URI, each once.
    pub fn uris(&self, scheme: &[u8], authority: &[u8], path: &[u8]) -> Vec<Vec<u8>> {
        let mut uris = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.action == Action::Cache) {
            let uri = rule.key.uri(scheme, authority, path);
            uris.extend(uri.filter(|uri| !uris.contains(uri)));
        }
        uris
    }

    /// Fields that clients do not see.
    pub fn hidden(&self) -> &[String] {
        if self.hide_tags { &self.tag_headers } else { &[] }
    }

    /// Whether any keys have more than the URI.
    pub fn has_key_parts(&self) -> bool {
        self.no_vary_search || self.rules.iter().any(|rule| rule.key.has_parts())
    }

    /// The size of the store.
    pub fn geometry(&self) -> Geometry {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        let n_buckets = self.max_entries.div_ceil(ways).max(1);
        Geometry {
            n_buckets,
            bucket_bytes: self.max_bytes.0.checked_div(u64::from(n_buckets)).unwrap_or(0),
            max_variants: self.max_variants,
            local_bytes: self.local_memory.0,
        }
    }
}
