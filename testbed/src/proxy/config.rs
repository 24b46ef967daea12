//! The filter's configuration as text: a file's, or ours.

use std::path::Path;

use serde_json::Value;

use super::ProxyError;
use super::arguments::Filter;
use crate::yaml::{self, ReadError};

/// The configuration of `filter` when none is given, as JSON text.
///
/// The gateway's is made of the four others, so that each filter does the same in it as alone.
pub fn default_config(filter: Filter) -> String {
    let own = match filter {
        Filter::Gateway => return gateway(),
        Filter::RateLimit => include_str!("../../proxy/rate-limit.json"),
        Filter::ResponseCache => include_str!("../../proxy/response-cache.json"),
        Filter::CircuitBreaker => include_str!("../../proxy/circuit-breaker.json"),
        Filter::Metrics => include_str!("../../proxy/metrics.json"),
    };
    own.trim_end().to_owned()
}

/// The sections in the order of a request's way.
fn gateway() -> String {
    let sections = [
        ("metrics", Filter::Metrics),
        ("rate_limit", Filter::RateLimit),
        ("response_cache", Filter::ResponseCache),
        ("circuit_breaker", Filter::CircuitBreaker),
    ];
    let indented = |filter| default_config(filter).replace('\n', "\n  ");
    let fields = sections.map(|(name, filter)| format!("  \"{name}\": {}", indented(filter)));
    format!("{{\n{}\n}}", fields.join(",\n"))
}

/// A configuration that the filter cannot mean, since it belongs elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Envoy's own configuration, with the filter's somewhere in it.
    #[error(
        "this is a whole Envoy configuration; give what stands under `configuration: value:` of the Weir filter in it"
    )]
    Bootstrap,
    /// The rules of a single filter, given to the gateway.
    #[error(
        "these are the `rules` of a single filter, and the gateway has a section for each; \
         say FILTER={name} (--filter {name}), or put them under `{section}`",
        name = .0.name(), section = .0.name().replace('-', "_")
    )]
    Single(Filter),
}

/// The text in `file` as `filter` is to read it, unless it is plainly not for that filter.
///
/// # Errors
///
/// The file is missing or unreadable, is YAML that is not valid, or is [`Misplaced`].
pub fn config_for(filter: Filter, file: &Path) -> Result<String, ProxyError> {
    let text = read_config(file)?;
    match misplaced(filter, &text) {
        Some(what) => Err(ProxyError::Misplaced { file: file.to_owned(), what }),
        None => Ok(text),
    }
}

/// Text that is no JSON is left to the filter's own reader.
fn misplaced(filter: Filter, text: &str) -> Option<Misplaced> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("static_resources").is_some() {
        return Some(Misplaced::Bootstrap);
    }
    let rules = value.get("rules").filter(|_| filter == Filter::Gateway)?;
    Some(Misplaced::Single(owner(rules)))
}

/// What only a breaker's rules have.
const BREAKER_FIELDS: [&str; 6] =
    ["consecutive", "ratio", "failure_status", "open", "probes", "per"];
/// What only a cache's rules have.
const CACHE_FIELDS: [&str; 4] = ["action", "heuristic", "default_ttl", "assume_with_query"];

/// The filter whose rules these are, by the fields that only its rules have.
fn owner(rules: &Value) -> Filter {
    let has = |names: &[&str]| {
        let rules = rules.as_array().into_iter().flatten();
        rules.into_iter().any(|rule| names.iter().any(|name| rule.get(name).is_some()))
    };
    if has(&BREAKER_FIELDS) {
        Filter::CircuitBreaker
    } else if has(&CACHE_FIELDS) {
        Filter::ResponseCache
    } else {
        Filter::RateLimit
    }
}

/// The text in `file`, YAML as JSON.
///
/// JSON goes through untouched, so that the filter's own reader judges every byte of it, duplicate
/// fields and bad syntax included; YAML is rewritten as JSON.
///
/// # Errors
///
/// The file is missing or unreadable, or is YAML that is not valid.
pub fn read_config(file: &Path) -> Result<String, ReadError> {
    if yaml::is_json(file) {
        return yaml::read_text(file);
    }
    yaml::read(file).map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(filter: Filter) -> Value {
        serde_json::from_str(&default_config(filter)).unwrap()
    }

    #[test]
    fn the_gateway_has_the_same_defaults_as_its_parts() {
        let gateway = json(Filter::Gateway);
        for (part, filter) in [
            ("metrics", Filter::Metrics),
            ("rate_limit", Filter::RateLimit),
            ("response_cache", Filter::ResponseCache),
            ("circuit_breaker", Filter::CircuitBreaker),
        ] {
            assert_eq!(gateway[part], json(filter), "{part}");
        }
    }

    #[test]
    fn a_file_that_belongs_elsewhere_is_told_before_the_filter_reads_it() {
        let whole = r#"{"static_resources": {}}"#;
        assert_eq!(misplaced(Filter::Metrics, whole), Some(Misplaced::Bootstrap));
        for (filter, own) in [
            (Filter::RateLimit, default_config(Filter::RateLimit)),
            (Filter::CircuitBreaker, default_config(Filter::CircuitBreaker)),
            (Filter::ResponseCache, r#"{"rules": [{"action": "bypass"}]}"#.to_owned()),
        ] {
            assert_eq!(misplaced(filter, &own), None);
            let what = misplaced(Filter::Gateway, &own).unwrap();
            assert_eq!(what, Misplaced::Single(filter));
            assert!(what.to_string().contains(&format!("FILTER={} ", filter.name())), "{what}");
        }
        assert_eq!(misplaced(Filter::Gateway, &default_config(Filter::Gateway)), None);
        assert_eq!(misplaced(Filter::Gateway, "{"), None);
    }

    #[test]
    fn json_is_passed_on_as_written_and_yaml_as_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let json = path("a.json", "{\"a\": 1, \"a\": ");
        assert_eq!(read_config(&json).unwrap(), "{\"a\": 1, \"a\": ");
        let yaml = path("a.yaml", "limits:\n- window: 10s # ten\n");
        assert_eq!(read_config(&yaml).unwrap(), r#"{"limits":[{"window":"10s"}]}"#);
        let broken = path("b.yml", "a: [\n");
        let error = read_config(&broken).unwrap_err().to_string();
        assert!(error.contains("b.yml: not valid YAML: "), "{error}");
    }
}
