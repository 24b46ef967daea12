//! The filters under test, each with a configuration that turns on what it has.

use serde_json::{Value, json};

/// Every filter's configuration by its section in the gateway.
///
/// The limit is high enough that tests which are not about it never meet it; the store is small enough to be full soon.
fn sections() -> [(&'static str, Value); 4] {
    [
        ("metrics", json!({})),
        (
            "rate_limit",
            json!({"rules": [{"name": "general", "limits": [{"quota": 1_000_000_000, "window": "1s"}]}]}),
        ),
        ("response_cache", json!({"max_entries": 256})),
        ("circuit_breaker", json!({"rules": [{"name": "all"}]})),
    ]
}

/// The configuration of a module of `dist/`, as JSON text.
///
/// # Panics
/// When there is no such module.
#[must_use]
pub fn configuration(module: &str) -> String {
    let name = module.strip_prefix("weir_").unwrap_or(module);
    if name == "gateway" {
        let whole: Value =
            sections().into_iter().map(|(section, own)| (section.to_owned(), own)).collect();
        return whole.to_string();
    }
    let own = sections().into_iter().find(|(section, _)| *section == name);
    own.unwrap_or_else(|| panic!("no module weir_{name}")).1.to_string()
}

/// The callbacks that a module exports: what it needs of a request's life and no more.
#[must_use]
pub fn callbacks(module: &str) -> &'static [&'static str] {
    match module {
        "weir_rate_limit" => &["request_headers", "response_headers", "log", "tick"],
        "weir_response_cache" => &[
            "request_headers",
            "response_headers",
            "response_body",
            "response_trailers",
            "tick",
            "queue_ready",
            "http_call_response",
        ],
        "weir_circuit_breaker" => &[
            "request_headers",
            "request_body",
            "response_headers",
            "response_trailers",
            "log",
            "tick",
            "queue_ready",
            "http_call_response",
        ],
        "weir_metrics" => &["request_headers", "log", "tick", "queue_ready", "http_call_response"],
        "weir_gateway" => &[
            "request_headers",
            "request_body",
            "response_headers",
            "response_body",
            "response_trailers",
            "log",
            "tick",
            "queue_ready",
            "http_call_response",
        ],
        _ => &[],
    }
}
