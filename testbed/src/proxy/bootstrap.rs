//! Envoy's configuration: one listener, one Weir module, one cluster.
//!
//! Everything that faces a client follows Envoy's guide for edge proxies
//! (<https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge>); where we
//! differ, the line says why.

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::{Arguments, Host};
use super::stats::stats_config;

/// The name of the listener, in Envoy's statistics and in its admin interface.
pub const LISTENER: &str = "front";
/// The name of the cluster and what rules match it by.
pub const CLUSTER: &str = "upstream";
/// The scope of the shared data; every HTTP filter of Weir uses the same.
pub const VM_ID: &str = "weir";

/// One line per request, so that each filter's word on it is seen: what was asked, what came back,
/// why (`via_upstream`, or the filter's reason), how long it took, what the cache says.
const ACCESS_LINE: &str = "%START_TIME(%H:%M:%S.%3f)% %REQ(:METHOD)% %REQ(:PATH):120% \
                           %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DURATION%ms \
                           %RESP(CACHE-STATUS)%\n";

/// The whole bootstrap but the admin interface, which the starter of Envoy adds.
///
/// `configuration` is the filter's configuration as JSON text.
pub fn bootstrap(
    arguments: &Arguments,
    module: &Path,
    configuration: &str,
    logs_requests: bool,
) -> Value {
    json!({
        "node": {"id": "weir-proxy", "cluster": "weir"},
        "static_resources": {
            "listeners": [listener(arguments, module, configuration, logs_requests)],
            "clusters": [cluster(arguments)],
        },
        "stats_config": stats_config(),
        "overload_manager": overload_manager(),
    })
}

/// An entry of `http_filters` that runs `module` with `configuration`, which is JSON text.
///
/// A module that traps is loaded again on the next request (`FAIL_RELOAD`); Envoy's default is to
/// answer 503 for ever.
pub fn wasm_filter(name: &str, module: &Path, configuration: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "vm_config": {
                    "vm_id": VM_ID,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
                "failure_policy": "FAIL_RELOAD",
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration,
                },
            },
        },
    })
}

fn listener(a: &Arguments, module: &Path, configuration: &str, logs_requests: bool) -> Value {
    let manager = manager(a, module, configuration, logs_requests);
    json!({
        "name": LISTENER,
        "address": listen_address(a),
        // What a slow client or service may make us hold, per connection and direction.
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}

fn manager(a: &Arguments, module: &Path, configuration: &str, logs_requests: bool) -> Value {
    let requests = if logs_requests { access_log() } else { json!([]) };
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                  http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 100,
            // CGI and its heirs read "_" in names as "-": nobody is to send a second X-Forwarded-Host that way.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "max_request_headers_kb": 60,
        // An honest client has sent its headers within seconds.
        "request_headers_timeout": "10s",
        // A request paused by a module that traps is only ended by this.
        "stream_idle_timeout": format!("{}s", u32::from(a.timeout.get()) + 5),
        // The client's address is the peer's, or the one that our own proxies in front have seen.
        "use_remote_address": true,
        "xff_num_trusted_hops": a.trusted_hops,
        // Rules match what the service will see: no second spelling of a path gets past them.
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        // The service keeps its own `server` header.
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": route_config(a),
        "http_filters": [wasm_filter(&format!("weir-{}", a.filter.name()), module, configuration), router()],
        "access_log": requests,
    })
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    })
}

fn route_config(a: &Arguments) -> Value {
    json!({
        "name": "all",
        "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "name": "all",
                "match": {"prefix": "/"},
                "route": {
                    "cluster": CLUSTER,
                    "timeout": format!("{}s", a.timeout),
                    "auto_host_rewrite": a.rewrite_host,
                },
            }],
        }],
    })
}

fn access_log() -> Value {
    json!([{
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"text_format_source": {"inline_string": ACCESS_LINE}},
        },
    }])
}

fn cluster(a: &Arguments) -> Value {
    let (kind, address) = match &a.upstream.host {
        Host::Address(ip) => ("STATIC", ip.to_string()),
        Host::Name(name) => ("STRICT_DNS", name.clone()),
    };
    json!({
        "name": CLUSTER,
        "type": kind,
        "connect_timeout": "2s",
        // A name such as localhost has both; a service that listens on one of them has IPv4.
        "dns_lookup_family": "V4_PREFERRED",
        "per_connection_buffer_limit_bytes": 1 << 20,
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": socket_address(&address, a.upstream.port.get())},
            }]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Many servers close an idle connection after five seconds; we close it before, or
                // a request now and then meets the closing and is answered 503.
                "common_http_protocol_options": {"idle_timeout": "4s"},
                "explicit_http_config": {"http_protocol_options": {}},
            },
        },
    })
}

/// Without a bound on connections Envoy warns, rightly.
fn overload_manager() -> Value {
    json!({
        "resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.\
                          downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": 20_000,
            },
        }],
    })
}

/// Where the listener stands; all addresses of IPv6 are meant to include those of IPv4.
fn listen_address(a: &Arguments) -> Value {
    let both = a.listen.is_ipv6() && a.listen.is_unspecified();
    json!({"socket_address": {
        "address": a.listen.to_string(),
        "port_value": a.port,
        "ipv4_compat": both,
    }})
}

fn socket_address(address: &str, port: u16) -> Value {
    json!({"socket_address": {"address": address, "port_value": port}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn made(arguments: &str) -> Value {
        let words = ["weir-proxy"].into_iter().chain(arguments.split_whitespace());
        let arguments = Arguments::try_parse_from(words).unwrap();
        bootstrap(&arguments, Path::new("/m.wasm"), r#"{"a":1}"#, false)
    }

    fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
        value.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
    }

    const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    const CLUSTER_AT: &str = "/static_resources/clusters/0";
    const ENDPOINT: &str = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0\
                            /endpoint/address/socket_address";

    #[test]
    fn addresses_are_static_and_names_are_resolved() {
        for (upstream, kind, address) in [
            ("127.0.0.1:8000", "STATIC", "127.0.0.1"),
            ("[::1]:8000", "STATIC", "::1"),
            ("localhost:8000", "STRICT_DNS", "localhost"),
        ] {
            let made = made(&format!("--upstream {upstream}"));
            assert_eq!(at(&made, &format!("{CLUSTER_AT}/type")), kind);
            assert_eq!(at(&made, ENDPOINT), &json!({"address": address, "port_value": 8000}));
        }
    }

    #[test]
    fn the_filter_stands_before_the_router_with_its_configuration_as_text() {
        let made = made("--upstream h:1 --filter rate-limit");
        let filters = at(&made, &format!("{MANAGER}/http_filters"));
        assert_eq!(at(filters, "/0/name"), "weir-rate-limit");
        assert_eq!(at(filters, "/1/name"), "envoy.filters.http.router");
        let config = at(filters, "/0/typed_config/config");
        assert_eq!(at(config, "/configuration/value"), r#"{"a":1}"#);
        assert_eq!(at(config, "/failure_policy"), "FAIL_RELOAD");
        assert_eq!(at(config, "/vm_config/vm_id"), "weir");
        assert_eq!(at(config, "/vm_config/code/local/filename"), "/m.wasm");
    }

    #[test]
    fn nothing_a_client_sends_as_its_address_is_believed_unless_asked() {
        let manager = at(&made("--upstream h:1"), MANAGER).clone();
        assert_eq!(manager["use_remote_address"], true);
        assert_eq!(manager["xff_num_trusted_hops"], 0);
        let behind = made("--upstream h:1 --trusted-hops 2");
        assert_eq!(at(&behind, MANAGER)["xff_num_trusted_hops"], 2);
    }

    #[test]
    fn all_addresses_of_ipv6_include_those_of_ipv4() {
        let compat = |listen: &str| {
            let made = made(&format!("--upstream h:1 --listen {listen}"));
            at(&made, "/static_resources/listeners/0/address/socket_address/ipv4_compat").clone()
        };
        assert_eq!(compat("::"), true);
        assert_eq!((compat("::1"), compat("0.0.0.0")), (json!(false), json!(false)));
    }

    #[test]
    fn an_idle_stream_outlives_the_time_that_the_service_has() {
        let made = made("--upstream h:1 --timeout 7");
        let manager = at(&made, MANAGER);
        let route = at(manager, "/route_config/virtual_hosts/0/routes/0/route");
        assert_eq!(route["timeout"], "7s");
        assert_eq!(manager["stream_idle_timeout"], "12s");
    }
}
