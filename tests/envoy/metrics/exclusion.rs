//! Operators, health checks, tunnels and misses that the client asked for are in none of the numbers that alerts read.

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{ask, await_requests, read, section};

/// The sum of a family's series in Prometheus' form that have all these labels.
fn sum(gateway: &Gateway, name: &str, labels: &[&str]) -> u64 {
    let text = gateway.envoy.prometheus("weir_metrics_").expect("Envoy answers");
    let of_name = text.lines().filter(|line| {
        line.split(['{', ' ']).next() == Some(name)
            && labels.iter().all(|label| line.contains(label))
    });
    of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn start(origin: &Origin) -> Gateway {
    let routes = json!([
        {"match": {"connect_matcher": {}}, "route": {
            "cluster": "upstream",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        }},
        {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]);
    let health_check = json!({
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
            "pass_through_mode": false,
            "headers": [{"name": ":path", "string_match": {"exact": "/hc"}}],
        },
    });
    let metrics = json!({
        "operations": section(), "console": {}, "health": {"path": "/up", "open": true},
        "exclude": [{"path": {"exact": "/healthz"}}], "status": "code", "upstream_time": true,
    });
    let below = |path: &str| json!({"path": path, "source": "127.0.0.0/8"});
    let limits = json!({"operations": below("/weir/limits"), "rules": [
        {"name": "all", "key": "address", "limits": [{"quota": 1000, "window": "1h"}]},
    ]});
    let breakers = json!({"operations": below("/weir/breakers"), "rules": [{"name": "all"}]});
    Setup::new("metrics", &metrics, origin.address())
        .before(health_check)
        .behind("rate-limit", &limits)
        .behind("response-cache", &json!({"operations": below("/weir/cache")}))
        .behind("circuit-breaker", &breakers)
        .routes(routes)
        .upgrades()
        .workers(2)
        .start()
}

/// Opens what lasts until it is closed, and closes it.
fn open_and_close(gateway: &Gateway) {
    let mut socket = Connection::open(gateway.address());
    let upgrade = Request::get("/socket")
        .field("connection", "upgrade")
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(socket.ask(&upgrade).expect("an answer").status(), 101);
    let mut tunnel = Connection::open(gateway.address());
    tunnel
        .send(b"CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n")
        .expect("the gateway reads");
    assert_eq!(tunnel.receive(true).expect("an answer").status(), 200);
}

#[test]
fn only_clients_are_counted_and_only_answers_have_a_latency() {
    let origin = Origin::start(|request| match (request.field("upgrade"), request.target()) {
        (Some(_), _) => Act::Answer(
            b"HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_vec(),
        ),
        (None, "/ill" | "/healthz") => Act::response(500, &[], ""),
        (None, target) => Act::response(200, &[], target),
    });
    let gateway = start(&origin);
    for (target, status) in [("/", 200), ("/", 200), ("/", 200), ("/ill", 500)] {
        assert_eq!(gateway.get(target).status(), status, "{target}");
    }
    let uncached = Request::get("/never").field("cache-control", "only-if-cached");
    assert_eq!(uncached.ask(gateway.address()).status(), 504);
    open_and_close(&gateway);

    // A console's polling, an outsider, load balancers, and probes that the service answers, badly.
    for endpoint in ["/performance", "/errors", "/console", "/console/settings"] {
        assert_eq!(ask(&gateway, "GET", endpoint).status(), 200, "{endpoint}");
    }
    assert_eq!(gateway.get("/weir/metrics/stats").status(), 401);
    for target in ["/weir/limits", "/weir/cache", "/weir/breakers", "/up/live", "/up/ready"] {
        assert_eq!(gateway.get(target).status(), 200, "{target}");
    }
    for (target, status) in [("/hc", 200), ("/hc", 200), ("/healthz", 500), ("/healthz", 500)] {
        assert_eq!(gateway.get(target).status(), status, "{target}");
    }

    let sent = 7;
    let all_told = || (read(&gateway, "/stats")["excluded"] == 4).then_some(());
    assert!(wait::until(PATIENCE, all_told).is_some(), "{:#}", read(&gateway, "/stats"));
    let stats = await_requests(&gateway, sent);
    assert_eq!((&stats["errors"], &stats["excluded"]), (&json!(1), &json!(4)), "{stats:#}");
    assert_eq!(stats["latency_seconds"]["count"], 5, "{stats:#}");
    assert_eq!(stats["by_class"], json!({"1xx": 1, "2xx": 4, "4xx": 1, "5xx": 1}));
    assert_eq!(stats["by_status"]["504"], 1);
    let failures = read(&gateway, "/errors");
    let failed: Vec<&Value> =
        failures["latest"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(failed, [&json!(500)], "{failures:#}");

    // Envoy shows a histogram with its next flush.
    let duration = "weir_metrics_request_duration_milliseconds_count";
    let counted = || (sum(&gateway, duration, &[]) == 5).then_some(());
    assert!(wait::until(PATIENCE, counted).is_some(), "{}", sum(&gateway, duration, &[]));
    assert_eq!(sum(&gateway, "weir_metrics_upstream_time_milliseconds_count", &[]), 4);
    for family in ["weir_metrics_requests_total", "weir_metrics_flow_total"] {
        assert_eq!(sum(&gateway, family, &[]), sent, "{family}");
        assert_eq!(sum(&gateway, family, &["operations"]), 0, "{family}");
    }
    assert_eq!(sum(&gateway, "weir_metrics_requests_total", &["class=\"5xx\""]), 1);
    assert_eq!(sum(&gateway, "weir_metrics_requests_total", &["status=\"504\""]), 1);
    let excluded = |label: &str| {
        sum(&gateway, "weir_metrics_excluded_requests_total", &[&format!("reason=\"{label}\"")])
    };
    assert_eq!((excluded("health_check"), excluded("configured")), (2, 2));
    assert!(excluded("operations") >= 10);
}
