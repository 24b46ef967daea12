//! The filter's configuration as text: a file's, or ours.

use std::path::Path;

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

/// The text in `file` as the filter is to read it.
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
    use serde_json::Value;

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
