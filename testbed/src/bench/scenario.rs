//! What is measured: an Envoy's configuration, a path, and the budget.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::proxy::bootstrap::wasm_filter;
use crate::root::module;

/// One Envoy under load.
#[derive(Debug)]
pub(super) struct Scenario {
    /// What it is.
    pub(super) name: &'static str,
    /// The filter before the router; `None` for plain proxying.
    filter: Option<Value>,
    /// The path that is asked for.
    pub(super) path: &'static str,
    /// What the design allows; empty where it says nothing.
    pub(super) budgets: Vec<Budget>,
}

/// At most so many times what the scenario of this name costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// The factor.
    pub(super) at_most: f64,
    /// The name of the reference.
    pub(super) of: &'static str,
}

/// Plain proxying: what the others are compared with.
pub(super) const PLAIN: &str = "plain proxying";
const ENVOY_LIMIT: &str = "Envoy's local rate limit, 429";
const ENVOY_CACHE: &str = "Envoy's cache_v2, hit";

/// Answered with `cache-control: max-age=600`.
const STORED: &str = "/stored";
/// Answered with no lifetime.
const PASSED: &str = "/passed";

/// All scenarios, the references first.
pub(super) fn scenarios() -> Vec<Scenario> {
    let limit =
        json!({"rules": [{"name": "all", "limits": [{"quota": 1_000_000_000, "window": "1s"}]}]});
    let breaker = json!({"rules": [{"name": "all"}]});
    let all = json!({
        "metrics": {}, "rate_limit": limit, "response_cache": {}, "circuit_breaker": breaker,
    });
    let spent = json!({"rules": [{"name": "all", "limits": [{"quota": 1, "window": "30d"}]}]});
    let weir = |name,
                filter: &str,
                configuration: &Value,
                path,
                budgets: &[(f64, &'static str)]| Scenario {
        name,
        filter: Some(wasm_filter(filter, &module(filter), &configuration.to_string())),
        path,
        budgets: budgets.iter().map(|(at_most, of)| Budget { at_most: *at_most, of }).collect(),
    };
    let envoy = |name, filter, path| Scenario { name, filter, path, budgets: Vec::new() };
    let alone = [(1.2, PLAIN)];
    let nothing = json!({});
    vec![
        envoy(PLAIN, None, PASSED),
        envoy(ENVOY_LIMIT, Some(envoy_limit()), PASSED),
        envoy(ENVOY_CACHE, Some(envoy_cache()), STORED),
        weir("rate-limit, admitted", "rate-limit", &limit, PASSED, &alone),
        weir("rate-limit, 429", "rate-limit", &spent, PASSED, &[(1.6, ENVOY_LIMIT)]),
        weir("response-cache, not stored", "response-cache", &nothing, PASSED, &alone),
        weir(
            "response-cache, hit",
            "response-cache",
            &nothing,
            STORED,
            &[(0.65, PLAIN), (1.0, ENVOY_CACHE)],
        ),
        weir("circuit-breaker, closed", "circuit-breaker", &breaker, PASSED, &alone),
        weir("metrics", "metrics", &nothing, PASSED, &alone),
        weir("gateway, all four, admitted", "gateway", &all, PASSED, &[(1.3, PLAIN)]),
        weir("gateway, all four, hit", "gateway", &all, STORED, &[]),
    ]
}

/// Spent by its first request, full again tomorrow.
fn envoy_limit() -> Value {
    let always = json!({"default_value": {"numerator": 100}});
    json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limit",
            "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "86400s"},
            "filter_enabled": always,
            "filter_enforced": always,
        },
    })
}

fn envoy_cache() -> Value {
    json!({
        "name": "envoy.filters.http.cache_v2",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.cache_v2.v3.CacheV2Config",
            "typed_config": {
                "@type": concat!(
                    "type.googleapis.com/envoy.extensions.http.cache_v2.",
                    "simple_http_cache.v3.SimpleHttpCacheV2Config"
                ),
            },
        },
    })
}

/// Answers 1 KiB from memory, with a lifetime on [`STORED`] and none elsewhere.
pub(super) fn upstream() -> Value {
    let answer = json!({"status": 200, "body": {"inline_string": "x".repeat(1024)}});
    let lifetime = json!([{"header": {"key": "cache-control", "value": "max-age=600"}}]);
    let routes = json!([
        {"match": {"prefix": STORED}, "direct_response": answer, "response_headers_to_add": lifetime},
        {"match": {"prefix": "/"}, "direct_response": answer},
    ]);
    json!({"static_resources": {"listeners": [listener(None, &routes)]}})
}

impl Scenario {
    /// The Envoy of this scenario before the service at this address.
    pub(super) fn bootstrap(&self, service: SocketAddr) -> Value {
        let routes =
            json!([{"match": {"prefix": "/"}, "name": "all", "route": {"cluster": "upstream"}}]);
        let address = json!({"address": service.ip().to_string(), "port_value": service.port()});
        json!({"static_resources": {
            "listeners": [listener(self.filter.as_ref(), &routes)],
            "clusters": [{
                "name": "upstream",
                "connect_timeout": "1s",
                "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [{
                    "endpoint": {"address": {"socket_address": address}},
                }]}]},
            }],
        }})
    }
}

fn listener(filter: Option<&Value>, routes: &Value) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let filters: Vec<&Value> = filter.into_iter().chain([&router]).collect();
    json!({
        "name": "front",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": concat!(
                    "type.googleapis.com/envoy.extensions.filters.network.",
                    "http_connection_manager.v3.HttpConnectionManager"
                ),
                "stat_prefix": "front",
                "use_remote_address": true,
                "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
                "http_filters": filters,
            },
        }]}],
    })
}
