//! What fields must agree in: each alone is sound, together they can not be meant.
//!
//! A field that would have no effect is a problem as much as one that is wrong: whoever wrote it expects one.

use kit::config::{Fields, quoted};
use kit::units::Bytes;

use super::terms::is_never_stored;
use super::{Config, Rule};
use crate::policy::terms::Origin;

/// The fields of a rule that say how long something is stored.
const LIFETIMES: [&str; 10] = [
    "ttl",
    "origin",
    "min_ttl",
    "max_ttl",
    "heuristic",
    "default_ttl",
    "assume_with_query",
    "stale_while_revalidate",
    "stale_if_error",
    "keep",
];

/// Its other fields that mean nothing where nothing is stored.
const STORING: [&str; 10] = [
    "key",
    "normalize",
    "set_cookie",
    "cookies",
    "statuses",
    "store_from",
    "request_directives",
    "no_store",
    "bypass",
    "tags",
];

/// Checks a rule that stores nothing, in whose object `fields` still is.
pub(super) fn bypass(fields: &mut Fields<'_>) {
    let lifetimes = LIFETIMES.iter().map(|name| (name, "a lifetime", "one"));
    let others = STORING.iter().map(|name| (name, "it", "it"));
    for (name, found, allowed) in lifetimes.chain(others) {
        if fields.has(name) {
            fields.problem(
                name,
                format_args!("{found} with action \"bypass\""),
                format_args!("{allowed} with action \"cache\" only"),
                "remove it: nothing is stored by this rule",
            );
        }
    }
}

/// Checks a rule that may store, in whose object `fields` still is.
pub(super) fn cache(fields: &mut Fields<'_>, rule: &Rule) {
    lifetimes(fields, rule);
    privacy(fields, rule);
    statuses(fields, rule);
    graces(fields, rule);
}

fn lifetimes(fields: &mut Fields<'_>, rule: &Rule) {
    let terms = &rule.terms;
    if terms.origin == Origin::Override && !fields.has("ttl") {
        fields.problem(
            "origin",
            "\"override\" without ttl",
            "it with ttl, the lifetime that takes the place of the origin's",
            "add ttl, or remove it: where the origin states nothing ttl and default_ttl count anyway",
        );
    }
    if terms.assumptions.with_query && !fields.has("heuristic") && !fields.has("default_ttl") {
        fields.problem(
            "assume_with_query",
            "true without heuristic and default_ttl",
            "true with one of them",
            "add one of them, or remove it: lifetimes that the origin states count with a query too",
        );
    }
    if let (Some(min), Some(max)) = (terms.min_ttl, terms.max_ttl)
        && min > max
    {
        let found = format!("{min} with max_ttl {max}");
        fields.problem("min_ttl", found, "at most max_ttl", "lower it, or raise max_ttl");
    }
    for (statuses, ttl) in &terms.ttl {
        for (bound, name) in [(terms.max_ttl, "max_ttl"), (terms.min_ttl, "min_ttl")] {
            let is_outside = |bound| if name == "max_ttl" { *ttl > bound } else { *ttl < bound };
            if let Some(bound) = bound.filter(|bound| is_outside(*bound)) {
                let (least, mend) = if name == "max_ttl" {
                    ("at most", "lower it, or raise max_ttl")
                } else {
                    ("at least", "raise it, or lower min_ttl")
                };
                let found = format!("{ttl} for {statuses} with {name} {bound}");
                fields.problem("ttl", found, format_args!("{least} {name}"), mend);
            }
        }
    }
}

/// What is one user's is shared with nobody unless the key says whose it is.
fn privacy(fields: &mut Fields<'_>, rule: &Rule) {
    let per_user = rule.key.is_per_user();
    if !per_user && rule.matcher.asks_who() {
        for name in ["ttl", "default_ttl", "heuristic"] {
            if fields.has(name) {
                fields.problem(
                    name,
                    "a lifetime for authorised requests without key.user",
                    "one with key.user, which keeps the responses of one user from all others",
                    "add key: { user: \"claim:sub\" } or whatever tells users apart, or remove it: then only what the origin allows for everybody is stored",
                );
            }
        }
    }
    if fields.has("cookies")
        && !["ttl", "default_ttl", "heuristic"].iter().any(|name| fields.has(name))
    {
        fields.problem(
            "cookies",
            "it without ttl, default_ttl and heuristic",
            "it with one of them: it is about requests whose response gets its lifetime from the rule",
            "add one of them, or remove it: what the origin states a lifetime for is stored with cookies too",
        );
    }
}

fn statuses(fields: &mut Fields<'_>, rule: &Rule) {
    let Some(stored) = &rule.terms.statuses else { return };
    let all = || (100..600_u16).filter(|status| stored.contains(*status));
    // An empty set is what a wrong list leaves behind, and has a line of its own.
    if all().next().is_some() && all().all(is_never_stored) {
        fields.problem(
            "statuses",
            format_args!("only {stored}"),
            "statuses whose responses can be stored",
            "name others, such as \"2xx\", or set action to \"bypass\"",
        );
        return;
    }
    for (statuses, _) in &rule.terms.ttl {
        let meets = (200..600).any(|code| statuses.contains(code) && stored.contains(code));
        if !meets && all().next().is_some() {
            fields.problem(
                "ttl",
                format_args!("a lifetime for {statuses} beside statuses {stored}"),
                "lifetimes for statuses that are stored",
                "remove it, or add it to statuses",
            );
        }
    }
}

fn graces(fields: &mut Fields<'_>, rule: &Rule) {
    let terms = &rule.terms;
    let graces = [
        ("stale_while_revalidate", terms.stale_while_revalidate),
        ("stale_if_error", terms.stale_if_error),
    ];
    for (name, grace) in graces {
        if let Some(grace) = grace.filter(|grace| fields.has("keep") && terms.keep < *grace) {
            fields.problem(
                "keep",
                format_args!("{} with {name} {grace}", terms.keep),
                format_args!("at least {name}"),
                "raise it, or remove it: what may be served is kept anyway",
            );
        }
    }
}

/// Checks what concerns more than one rule: `fields` is the whole configuration.
pub(super) fn config(fields: &mut Fields<'_>, config: &Config) {
    sizes(fields, config);
    if !config.warm.urls.is_empty() && !fields.has("background") {
        without_background(fields, "warm", "urls");
    }
    if fields.has("hide_tags") && config.tag_headers.is_empty() {
        fields.problem(
            "hide_tags",
            "it with tag_headers []",
            "it with tag_headers, which it hides",
            "remove it, or name headers in tag_headers",
        );
    }
    if fields.has("resources") && !fields.has("operations") {
        fields.problem(
            "resources",
            "it without operations",
            "it with operations, by which resources are purged",
            "add operations, or remove it",
        );
    }
}

fn without_background(fields: &mut Fields<'_>, name: &str, found: &str) {
    fields.problem(
        name,
        format_args!("{found} without background.cluster"),
        format_args!("{found} with background.cluster, by which Weir sends requests of its own"),
        format_args!(
            "add background: {{ cluster: {} }} with the name of a cluster that leads back into this Envoy, as in envoy/response-cache.yaml, or remove it",
            quoted("loopback")
        ),
    );
}

fn sizes(fields: &mut Fields<'_>, config: &Config) {
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
