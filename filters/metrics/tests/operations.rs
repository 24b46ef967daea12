//! The operations endpoints on a host in memory: every answer, every slip, and who learns what.
#![cfg(test)]

use kit::exchange::{Answer, Attribute, Call};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::meter::{Kind, Meter};
use kit::{Filter, Flow, Nanos, Reply, config};
use serde_json::{Value, json};
use weir_metrics::Metrics;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The SHA-256 of `open sesame`.
const HASH: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

fn host() -> FakeHost {
    let host = FakeHost::default();
    host.set_now(Nanos::from_secs(1_000));
    host.set_wall(Nanos::from_secs(1_700_000_000));
    host
}

fn worker(host: &FakeHost, health: &Value) -> Metrics {
    let mut text = json!({"operations": {"path": "/weir", "token_sha256": HASH},
        "errors": {"address": true, "user_agent": true}});
    if !health.is_null() {
        text["health"] = health.clone();
    }
    match config::load("metrics", text.to_string().as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

fn request(host: &FakeHost, method: &str, path: &str, headers: &[(&str, &str)]) -> FakeExchange {
    let mut all = vec![(":method", method), (":path", path), (":authority", "example.com")];
    all.extend_from_slice(headers);
    FakeExchange::new(host, &all).with_attribute(Attribute::SourceAddress, b"192.0.2.1:4711")
}

fn reply(flow: Flow) -> Reply {
    match flow {
        Flow::Reply(reply) => *reply,
        other @ (Flow::Continue | Flow::Pause) => panic!("{other:?}"),
    }
}

/// An operator's request and what comes of it.
fn ask(worker: &Metrics, host: &FakeHost, method: &str, path: &str) -> (u16, Value) {
    let x = request(host, method, path, &[("x-weir-token", "open sesame")]);
    told(&reply(worker.on_request_headers(&mut Default::default(), &x, true)))
}

fn told(reply: &Reply) -> (u16, Value) {
    let body =
        serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"));
    assert!(
        reply.headers.iter().any(|(name, value)| name == "cache-control" && value == b"no-store")
    );
    assert_eq!(reply.details, "weir_operations");
    (reply.status, body)
}

fn open(worker: &Metrics, host: &FakeHost, path: &str) -> (u16, Value) {
    told(&reply(worker.on_request_headers(
        &mut Default::default(),
        &request(host, "GET", path, &[]),
        true,
    )))
}

fn read(worker: &Metrics, host: &FakeHost, path: &str) -> Value {
    let (status, body) = ask(worker, host, "GET", path);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// An exchange that is over, after so many milliseconds.
fn end(worker: &Metrics, host: &FakeHost, route: &str, status: u64, millis: u64, details: &str) {
    let x = FakeExchange::get(host, "/secret?who=me", &[("user-agent", "curl/8 \"x\"\n")])
        .with_attribute(Attribute::RouteName, route.as_bytes())
        .with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, details.as_bytes())
        .with_attribute(Attribute::ResponseFlags, &0x22_u64.to_le_bytes())
        .with_attribute(Attribute::Duration, &(millis * 1_000_000).to_le_bytes());
    worker.on_log(&mut Default::default(), &x);
}

fn traffic(worker: &Metrics, host: &FakeHost) {
    for n in 1..=100 {
        end(worker, host, "api", 200, n, "via_upstream");
    }
    end(
        worker,
        host,
        "slow",
        503,
        2_000,
        "upstream_reset_before_response_started{connection_failure}",
    );
    end(worker, host, "api", 429, 0, "weir_rate_limited");
    end(worker, host, "api", 200, 0, "weir_cache_hit");
    end(worker, host, "api", 200, 0, "weir_cache_stale_if_error");
    end(worker, host, "api", 503, 0, "weir_circuit_open");
    end(worker, host, "", 404, 0, "route_not_found");
    end(worker, host, "api", 0, 5, "downstream_remote_disconnect");
    end(worker, host, "api", 200, 0, "weir_operations");
}

#[test]
fn statistics_are_what_happened() {
    let host = host();
    let worker = worker(&host, &Value::Null);
    traffic(&worker, &host);
    host.advance(Nanos::from_secs(10));
    let stats = read(&worker, &host, "/weir/stats");
    assert_eq!((&stats["requests"], &stats["operations"]), (&json!(107), &json!(1)));
    assert_eq!(
        (&stats["uptime_seconds"], &stats["since_reset_seconds"]),
        (&json!(10.0), &json!(10.0))
    );
    assert_eq!(stats["by_method"], json!({"GET": 107}));
    assert_eq!(stats["by_class"], json!({"none": 1, "2xx": 102, "4xx": 2, "5xx": 2}));
    assert_eq!(stats["by_status"], json!({"200": 102, "404": 1, "429": 1, "503": 2}));
    assert_eq!((&stats["errors"], &stats["error_ratio"]), (&json!(2), &json!(0.018_691)));
    assert_eq!(
        stats["flow"],
        json!({"limited": 1, "hit": 1, "stale": 1, "refused": 1, "upstream": 101, "local": 1, "aborted": 1})
    );
    let latency = &stats["latency_seconds"];
    assert_eq!(
        (&latency["min"], &latency["max"], &latency["count"]),
        (&json!(0.0), &json!(2.0), &json!(106))
    );
    let [p50, p95] = ["p50", "p95"].map(|name| latency[name].as_f64().unwrap());
    assert!((p50 - 0.048).abs() <= 0.048 / 64.0, "{latency}");
    assert!((p95 - 0.096).abs() <= 0.096 / 64.0, "{latency}");
    let routes: Vec<(&Value, &Value)> = stats["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (&route["route"], &route["requests"]))
        .collect();
    assert_eq!(routes[0], (&json!("api"), &json!(105)));
    assert_eq!((routes.len(), &stats["routes_known"]), (3, &json!(3)));
    assert_eq!(read(&worker, &host, "/weir/stats?routes=1")["routes"].as_array().unwrap().len(), 1);
}

#[test]
fn performance_is_that_of_the_last_minutes() {
    let host = host();
    let worker = worker(&host, &Value::Null);
    traffic(&worker, &host);
    host.advance(Nanos::from_secs(20));
    worker.on_tick(&host);
    let performance = read(&worker, &host, "/weir/performance");
    for (idx, window) in [60, 300].into_iter().enumerate() {
        let told = &performance["windows"][idx];
        assert_eq!((&told["window_seconds"], &told["requests"]), (&json!(window), &json!(107)));
        assert_eq!(
            (&told["span_seconds"], &told["requests_per_second"]),
            (&json!(20.0), &json!(5.35))
        );
    }
    assert_eq!(performance["slowest_routes"][0]["route"], "slow");
    assert_eq!(performance["since_reset"]["requests"], 107);
    assert_eq!(performance["history"].as_array().unwrap().len(), 1);
    host.advance(Nanos::from_secs(90));
    let later = read(&worker, &host, "/weir/performance");
    assert_eq!(
        (&later["windows"][0]["requests"], &later["windows"][1]["requests"]),
        (&json!(0), &json!(107))
    );
    assert_eq!(later["windows"][0]["error_ratio"], Value::Null);
}

#[test]
fn errors_tell_why_and_never_where_to() {
    let host = host();
    let worker = worker(&host, &Value::Null);
    traffic(&worker, &host);
    let errors = read(&worker, &host, "/weir/errors");
    assert_eq!((&errors["failures"], &errors["max"]), (&json!(3), &json!(100)));
    let [aborted, refused, failed] = [0, 1, 2].map(|idx| &errors["latest"][idx]);
    assert_eq!((&aborted["status"], &refused["details"]), (&json!(0), &json!("weir_circuit_open")));
    assert_eq!(
        failed,
        &json!({
            "time": "2023-11-14T22:13:20.000Z", "method": "GET", "route": "slow", "status": 503,
            "duration_seconds": 2.0,
            "details": "upstream_reset_before_response_started{connection_failure}",
            "flags": ["UH", "UF"], "address": "192.0.2.1", "user_agent": "curl/8 \"x\"\n",
        })
    );
    assert!(!errors.to_string().contains("secret"), "{errors}");
    assert_eq!(read(&worker, &host, "/weir/errors?limit=1")["latest"], json!([aborted]));
}

#[test]
fn a_reset_forgets_and_only_its_own_page_may_send_it() {
    let host = host();
    let worker = worker(&host, &Value::Null);
    traffic(&worker, &host);
    let from = |origin: &str, end: bool| {
        let headers = [("x-weir-token", "open sesame"), ("origin", origin)];
        told(&reply(worker.on_request_headers(
            &mut Default::default(),
            &request(&host, "POST", "/weir/reset", &headers),
            end,
        )))
    };
    let (status, problem) = from("https://evil.example", true);
    assert_eq!(
        (status, &problem["detail"]),
        (403, &json!("Pages of other sites may change nothing here."))
    );
    assert_eq!(from("null", true).0, 403);
    let (status, problem) = from("https://EXAMPLE.com", false);
    assert_eq!(
        (status, &problem["problems"]),
        (400, &json!(["body: found one, allowed none; send none"]))
    );
    assert_eq!(read(&worker, &host, "/weir/stats")["requests"], 107);
    assert_eq!(from("https://EXAMPLE.com", true), (200, json!({"reset": {"requests": 107}})));
    for path in ["/weir/stats", "/weir/errors"] {
        let told = read(&worker, &host, path);
        assert!(told["requests"] == 0 || told["failures"] == 0, "{told}");
    }
    assert_eq!(ask(&worker, &host, "POST", "/weir/reset").1, json!({"reset": {"requests": 0}}));
}

#[test]
fn every_slip_is_told() {
    let host = host();
    let worker = worker(&host, &json!({}));
    let rows = [
        ("GET", "/weir/stat", 404, r#"There is nothing at "/stat"; did you mean "/stats"?"#),
        ("GET", "/weir/stats/", 404, r#"There is nothing at "/stats/"; did you mean "/stats"?"#),
        ("POST", "/weir/stats", 405, "This resource has the methods GET, HEAD."),
        ("GET", "/weir/reset", 405, "This resource has the methods POST."),
        ("DELETE", "/weir/health/live", 405, "This resource has the methods GET, HEAD."),
        ("GET", "/weir/stats?route=1", 400, "route: unknown parameter; did you mean \"routes\"?"),
        (
            "GET",
            "/weir/stats?routes=0",
            400,
            "routes: found \"0\", allowed a whole number from 1; write it in digits",
        ),
        (
            "GET",
            "/weir/errors?limit=x",
            400,
            "limit: found \"x\", allowed a whole number from 1; write it in digits",
        ),
        (
            "GET",
            "/weir/errors?limit=1&limit=2",
            400,
            "limit: found a second time, allowed once; remove one of them",
        ),
        ("POST", "/weir/reset?all=1", 400, "all: unknown parameter, allowed none; remove it"),
        ("GET", "/weir/health/ready?x", 400, "x: unknown parameter, allowed none; remove it"),
        ("GET", "/weir?x", 400, "x: unknown parameter, allowed none; remove it"),
    ];
    for (method, path, status, said) in rows {
        let (found, problem) = ask(&worker, &host, method, path);
        let told = if status == 400 { &problem["problems"][0] } else { &problem["detail"] };
        assert_eq!((found, told), (status, &json!(said)), "{method} {path}");
    }
    for path in
        ["/weir", "/weir/stats", "/weir/nothing", "/weir/health/live", "/weir/health/status"]
    {
        let (status, problem) = open(&worker, &host, path);
        assert_eq!(status, 401, "{path}: {problem}");
    }
    let elsewhere = request(&host, "GET", "/weird", &[]);
    assert_eq!(
        worker.on_request_headers(&mut Default::default(), &elsewhere, true),
        Flow::Continue
    );
}

#[test]
fn the_index_lists_what_there_is() {
    let host = host();
    for (health, n) in [(Value::Null, 4), (json!({}), 8), (json!({"path": "/health"}), 8)] {
        let worker = worker(&host, &health);
        let index = read(&worker, &host, "/weir/");
        let endpoints = index["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), n, "{index}");
        for endpoint in endpoints {
            let path = endpoint["path"].as_str().unwrap().split('?').next().unwrap();
            let (status, body) = ask(&worker, &host, endpoint["method"].as_str().unwrap(), path);
            assert_eq!(status, 200, "{path}: {body}");
        }
    }
}

#[test]
fn without_anything_to_ask_it_is_ready_while_it_answers() {
    let host = host();
    let worker = worker(&host, &json!({"open": true}));
    assert_eq!(open(&worker, &host, "/weir/health/live"), (200, json!({"status": "live"})));
    assert_eq!(open(&worker, &host, "/weir/health/ready"), (200, json!({"status": "ready"})));
    assert_eq!(open(&worker, &host, "/weir/health/status").0, 401);
    let status = read(&worker, &host, "/weir/health/status");
    assert_eq!((&status["status"], &status["envoy"]), (&json!("ready"), &Value::Null));
}

#[test]
fn health_of_its_own_path_needs_no_operations() {
    let host = host();
    let text = br#"{"health": {"path": "/health", "open": true}}"#;
    let worker = Metrics::new(config::load("metrics", text, Metrics::read).unwrap(), &host);
    assert_eq!(open(&worker, &host, "/health/live").0, 200);
    assert_eq!(open(&worker, &host, "/health/status").0, 401, "nobody has a token");
    assert_eq!(open(&worker, &host, "/health/other").0, 401);
    let elsewhere = request(&host, "GET", "/healthy", &[]);
    assert_eq!(
        worker.on_request_headers(&mut Default::default(), &elsewhere, true),
        Flow::Continue
    );
    let wrong = request(&host, "POST", "/health/live", &[]);
    assert_eq!(
        told(&reply(worker.on_request_headers(&mut Default::default(), &wrong, true))).0,
        405
    );
}

/// Answers every call that is under way; `clusters` is what Envoy says of them.
fn answer(worker: &Metrics, host: &FakeHost, clusters: &Value) -> Vec<Call> {
    let calls = host.take_calls();
    for call in &calls {
        let path =
            call.headers.iter().find(|(name, _)| name == ":path").map(|(_, path)| path.as_str());
        let body = match path.and_then(|path| path.split('?').next()) {
            Some("/clusters") => clusters.clone(),
            Some("/server_info") => json!({"version": "abc/1.40.0/Clean", "state": "LIVE"}),
            Some("/memory") => {
                json!({"allocated": "7", "heap_size": "8", "total_physical_bytes": "9"})
            }
            other => panic!("asked at {other:?}"),
        };
        let headers = Headers::new(&[(":status", "200")]);
        worker.on_answer(
            host,
            call.id,
            Answer::Response { headers, body: body.to_string().into_bytes() },
        );
    }
    calls
}

fn clusters(healthy: bool) -> Value {
    json!({"cluster_statuses": [{"name": "a.b|c", "host_statuses": [
        {"address": {"socket_address": {"address": "192.0.2.7", "port_value": 80}},
            "health_status": {"eds_health_status": "HEALTHY", "failed_active_health_check": !healthy}},
        {"address": {"socket_address": {"address": "::1", "port_value": 81}},
            "health_status": {"eds_health_status": "UNHEALTHY"}},
    ]}]})
}

#[test]
fn ready_is_what_the_clusters_are() {
    let host = host();
    let settings = json!({"open": true, "admin_cluster": "admin", "clusters": ["a.b|c"]});
    let [asks, told] = [(); 2].map(|()| worker(&host, &settings));
    assert_eq!(open(&told, &host, "/weir/health/ready"), (503, json!({"status": "not_ready"})));
    for worker in [&asks, &told, &asks] {
        worker.on_tick(&host);
    }
    let calls = answer(&asks, &host, &clusters(true));
    let paths: Vec<&str> = calls.iter().map(|call| call.headers[1].1.as_str()).collect();
    assert_eq!(
        paths,
        ["/clusters?format=json&filter=%5E%28a%5C.b%5C%7Cc%29%24", "/server_info", "/memory"],
        "one of them asks"
    );
    assert!(calls.iter().all(|call| call.cluster == "admin" && call.timeout == Nanos::SECOND));
    assert_eq!(open(&told, &host, "/weir/health/ready"), (200, json!({"status": "ready"})));
    let detailed = read(&told, &host, "/weir/health/detailed");
    assert_eq!(detailed["envoy"], json!({"version": "1.40.0", "state": "LIVE"}));
    assert_eq!(
        detailed["memory"],
        json!({"allocated_bytes": 7, "heap_bytes": 8, "physical_bytes": 9})
    );
    assert_eq!(
        detailed["clusters"],
        json!([{"cluster": "a.b|c", "ready": true, "known": true, "hosts_total": 2, "hosts_healthy": 1, "hosts": [
            {"address": "192.0.2.7:80", "healthy": true, "troubles": []},
            {"address": "[::1]:81", "healthy": false, "troubles": ["eds_unhealthy"]},
        ]}])
    );
    // The next round says that it went down.
    host.advance(Nanos::from_secs(2));
    told.on_tick(&host);
    answer(&told, &host, &clusters(false));
    assert_eq!(
        open(&asks, &host, "/weir/health/ready"),
        (503, json!({"status": "not_ready"})),
        "outsiders learn the word"
    );
    let (status, why) = ask(&asks, &host, "GET", "/weir/health/ready");
    assert_eq!(
        (status, &why["reasons"]),
        (503, &json!(["0 of 2 hosts of cluster a.b|c are healthy"]))
    );
    // Then nobody answers any more: what is known gets too old.
    host.advance(Nanos::from_secs(2));
    told.on_tick(&host);
    answer(&told, &host, &clusters(true));
    for _ in 0..5 {
        host.advance(Nanos::from_secs(2));
        told.on_tick(&host);
        for call in host.take_calls() {
            told.on_answer(&host, call.id, Answer::Failed);
        }
        assert_eq!(open(&asks, &host, "/weir/health/ready").0, 200, "not too old yet");
    }
    host.advance(Nanos::SECOND);
    let (status, why) = ask(&asks, &host, "GET", "/weir/health/ready");
    assert_eq!(
        (status, &why["reasons"]),
        (503, &json!(["Envoy's admin interface answered last 11 s ago"]))
    );
    let (status, detailed) = ask(&asks, &host, "GET", "/weir/health/detailed");
    assert_eq!(status, 503);
    let checks = &detailed["checks"];
    assert_eq!(
        (
            &checks["rounds"],
            &checks["failures"],
            &checks["last_failure"],
            &checks["clusters_age_seconds"]
        ),
        (&json!(8), &json!(15), &json!("no answer"), &json!(11.0))
    );
}

#[test]
fn when_the_one_who_asks_is_lost_another_asks() {
    let host = host();
    let settings = json!({"admin_cluster": "admin", "clusters": ["a"]});
    let [lost, other] = [(); 2].map(|()| worker(&host, &settings));
    lost.on_tick(&host);
    assert_eq!(host.take_calls().len(), 3);
    drop(lost);
    other.on_tick(&host);
    assert!(host.take_calls().is_empty(), "the round is taken");
    host.advance(Nanos::from_secs(2));
    other.on_tick(&host);
    assert_eq!(host.take_calls().len(), 3);
}

#[test]
fn the_status_tells_what_the_filters_of_the_process_are_at() {
    let host = host();
    for (name, value) in [
        ("response_cache_entries", 3),
        ("response_cache_bytes", 4_000),
        ("circuit_breaker_not_closed", 1),
    ] {
        let gauge = host.define(Kind::Gauge, &format!("weir_{name}")).unwrap();
        host.record(gauge, value);
    }
    let worker = worker(&host, &json!({}));
    traffic(&worker, &host);
    let status = read(&worker, &host, "/weir/health/status");
    assert_eq!(
        (&status["cache"], &status["breakers"]),
        (&json!({"entries": 3, "bytes": 4_000}), &json!({"not_closed": 1}))
    );
    assert_eq!(
        (&status["statistics"]["requests"], &status["statistics"]["last_minute"]["requests"]),
        (&json!(107), &json!(107))
    );
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
}
