//! What holds for all rules: what responses say, how requests wait for one another, what Weir fetches by itself.

use kit::Nanos;
use kit::config::{Fields, quoted};
use kit::place::Place;

use crate::key;
use crate::policy::fields::KnownFields;

/// What responses say in `Cache-Status` (RFC 9211).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheStatus {
    /// Nothing.
    Off,
    /// What became of the request, but not its key.
    #[default]
    On,
    /// Its key too.
    WithKey,
}

impl CacheStatus {
    /// Whether responses have the field.
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// `true`, `false`, or an object.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let of = |key| if key { Self::WithKey } else { Self::On };
        if fields.is_object("cache_status") {
            let key = fields.optional_object("cache_status", |fields| fields.bool("key"));
            return key.map_or(Self::On, of);
        }
        let on = fields.optional_bool("cache_status").unwrap_or(true);
        if on { Self::On } else { Self::Off }
    }
}

/// How requests for one response wait for the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collapse {
    /// A request waits no longer.
    pub timeout: Nanos,
    /// How long nobody waits for a response that turned out not to be storable.
    pub remember: Nanos,
    /// Requests that wait for one response; those beyond go on by themselves.
    pub max_waiting: u32,
}

impl Default for Collapse {
    fn default() -> Self {
        Self { timeout: Nanos::from_secs(5), remember: Nanos::from_secs(10), max_waiting: 1_024 }
    }
}

impl Collapse {
    /// `None` if it is switched off.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let default = Self::default();
        let read = fields.optional_object("collapse", |fields| {
            let enabled = fields.optional_bool("enabled").unwrap_or(true);
            let timeout = Nanos::from_millis(100)..=Nanos::MINUTE;
            let collapse = Self {
                timeout: fields.optional_duration("timeout", timeout).unwrap_or(default.timeout),
                remember: fields
                    .optional_duration("remember", Nanos::SECOND..=Nanos::HOUR)
                    .unwrap_or(default.remember),
                max_waiting: fields
                    .optional_integer("max_waiting", 1..=65_536)
                    .unwrap_or(default.max_waiting),
            };
            enabled.then_some(collapse)
        });
        read.unwrap_or(Some(default))
    }
}

/// How Weir sends requests of its own, to refresh what is stale and to warm the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    /// A cluster of Envoy's that leads back into a listener with this filter.
    pub cluster: String,
    /// A request is given up after this long.
    pub timeout: Nanos,
    /// Requests of one worker under way at once; a refresh beyond is left to a later request.
    pub max_concurrent: u32,
}

/// As Envoy's routes have it.
pub const DEFAULT_BACKGROUND_TIMEOUT: Nanos = Nanos::from_secs(15);
/// A refresh of this many responses at once is no burden for the worker, and enough for any origin.
pub const DEFAULT_MAX_CONCURRENT: u32 = 32;

impl Background {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let timeout = Nanos::from_millis(100)..=Nanos::from_mins(5);
        Self {
            cluster: fields.text_of("cluster", 1..=MAX_CLUSTER),
            timeout: fields
                .optional_duration("timeout", timeout)
                .unwrap_or(DEFAULT_BACKGROUND_TIMEOUT),
            max_concurrent: fields
                .optional_integer("max_concurrent", 1..=1_024)
                .unwrap_or(DEFAULT_MAX_CONCURRENT),
        }
    }
}

/// What is fetched before anybody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warm {
    /// Whole URLs with scheme, host and path, fetched after a start with an empty store.
    pub urls: Vec<String>,
    /// Fetched at once, by all workers together; also what is asked for by the operations endpoint.
    pub concurrency: u32,
}

impl Default for Warm {
    fn default() -> Self {
        Self { urls: Vec::new(), concurrency: DEFAULT_CONCURRENCY }
    }
}

/// Enough to be done soon, too little to be felt by the origin.
pub const DEFAULT_CONCURRENCY: u32 = 4;
/// A configuration with more is a list that belongs into the operations endpoint.
pub const MAX_WARM_URLS: usize = 1_024;

impl Warm {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let form = "a whole URL such as \"https://example.com/products?page=1\"";
        Self {
            urls: fields
                .optional_parsed_list("urls", 1..=MAX_WARM_URLS, form, parse_url)
                .unwrap_or_default(),
            concurrency: fields
                .optional_integer("concurrency", 1..=64)
                .unwrap_or(DEFAULT_CONCURRENCY),
        }
    }
}

/// URLs that belong together and are purged by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What a purge calls them.
    pub name: String,
    /// Patterns over `scheme://host/path?query`, from the host or from the path on too.
    pub patterns: Vec<String>,
}

/// Each is a purge that can be asked for.
const MAX_RESOURCES: usize = 64;
/// A purge of the resource has so many patterns: they are all in force until they have been applied.
const MAX_PATTERNS: usize = 16;

pub(super) fn resources(fields: &mut Fields<'_>) -> Vec<Resource> {
    let mut names: Vec<String> = Vec::new();
    let read = fields.optional_objects("resources", 1..=MAX_RESOURCES, |fields| Resource {
        name: resource_name(fields, &mut names),
        patterns: fields
            .optional_parsed_list("patterns", 1..=MAX_PATTERNS, PATTERN, parse_pattern)
            .unwrap_or_else(|| {
                if !fields.has("patterns") {
                    fields.problem("patterns", "nothing", "a list of patterns", "add this field");
                }
                Vec::new()
            }),
    });
    read.unwrap_or_default()
}

fn resource_name(fields: &mut Fields<'_>, names: &mut Vec<String>) -> String {
    let name = fields.name("name").unwrap_or_default();
    if !name.is_empty() && names.contains(&name) {
        let found = format!("{} a second time", quoted(&name));
        let mend = "rename one of them, or put its patterns into the other";
        fields.problem("name", found, "a name that no other resource has", mend);
    }
    names.push(name.clone());
    name
}

const PATTERN: &str = "a pattern such as \"/users/**\" or \"shop.example.com/**\"";

/// The field for caches of this kind that CDNs and origins agree on (RFC 9213, 3.1).
pub const DEFAULT_TARGETED: [&str; 1] = ["cdn-cache-control"];
/// What Varnish and Fastly, and what Cloudflare call them.
pub const DEFAULT_TAG_HEADERS: [&str; 2] = ["surrogate-key", "cache-tag"];
/// Each is looked up in every response.
const MAX_FIELD_NAMES: usize = 8;
/// Each is compared with every field of requests whose answers may be stored.
const MAX_KNOWN_FIELDS: usize = 64;
/// The longest name of a cluster in bytes.
const MAX_CLUSTER: usize = 256;
/// The longest URL in bytes: as much as servers commonly take.
const MAX_URL: usize = 8_192;
/// The longest pattern in bytes.
const MAX_PATTERN: usize = 1_024;

/// Names of response fields in lower case, each once; an empty list is none.
pub(super) fn field_names(
    fields: &mut Fields<'_>,
    name: &'static str,
    default: &[&str],
) -> Vec<String> {
    let form = "a header name such as \"x-cache-tags\"";
    let range = 0..=MAX_FIELD_NAMES;
    let Some(read) = fields.optional_parsed_list(name, range, form, parse_field_name) else {
        return default.iter().map(|name| (*name).to_owned()).collect();
    };
    let mut names: Vec<String> = Vec::with_capacity(read.len());
    for found in read {
        if names.contains(&found) {
            let found = format!("{} a second time", quoted(&found));
            fields.problem(name, found, "each name once", "remove one of them");
        } else {
            names.push(found);
        }
    }
    names
}

/// Fields of requests that the operator knows.
pub(super) fn known_fields(fields: &mut Fields<'_>) -> KnownFields {
    let known = KnownFields {
        neutral: known_names(fields, "neutral"),
        dangerous: known_names(fields, "dangerous"),
    };
    for name in known.neutral.iter().filter(|name| known.dangerous.contains(name)) {
        let found = format!("{} that is neutral too", quoted(name));
        fields.problem(
            "dangerous",
            found,
            "a name on one of the lists",
            "remove it from the other",
        );
    }
    known
}

fn known_names(fields: &mut Fields<'_>, name: &'static str) -> Vec<String> {
    let form =
        "a header name such as \"x-app-version\", or the beginning of names such as \"x-app-*\"";
    let parse = |text: &str| {
        let (stem, star) = text.strip_suffix('*').map_or((text, ""), |stem| (stem, "*"));
        Ok::<_, String>(parse_field_name(stem)? + star)
    };
    fields.optional_parsed_list(name, 1..=MAX_KNOWN_FIELDS, form, parse).unwrap_or_default()
}

/// A field's name in lower case.
fn parse_field_name(text: &str) -> Result<String, String> {
    match Place::Header.parse_name(text) {
        Ok(parsed) if parsed.starts_with(':') => Err("leave the colon out".to_owned()),
        Ok(parsed) => Ok(parsed.into_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_url(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_URL {
        return Err("shorten it to 8192 bytes");
    }
    let (scheme, rest) = text.split_once("://").ok_or("begin it with http:// or https://")?;
    if !matches!(scheme, "http" | "https") {
        return Err("begin it with http:// or https://, in lower case");
    }
    if text.contains('#') {
        return Err("remove \"#\" and what follows it: no request has a fragment");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("encode blanks and other characters with %");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("remove the user in front of \"@\": nothing is stored for one");
    }
    if !path.starts_with('/') {
        return Err("write the path, at least \"/\" behind the host");
    }
    key::primary(scheme.as_bytes(), authority.as_bytes(), path.as_bytes())
        .map(|_| text.to_owned())
        .ok_or("write the host behind the two slashes")
}

/// Whether it can be a pattern at all; what it means is the business of purges.
fn parse_pattern(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_PATTERN {
        Err("shorten it to 1024 bytes")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err("escape blanks, control characters and all that is not ASCII, as in %20")
    } else if text.contains('/') {
        Ok(text.to_owned())
    } else {
        Err("begin it with /, or with a host and a /, as in /users/** or shop.example.com/**")
    }
}
