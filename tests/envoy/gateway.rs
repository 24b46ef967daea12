//! The four filters as one: their order, and what they leave to one another.

use std::thread;

use harness::client::Request;
use harness::gateway::{PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::envoy::{Envoy, Options};
use weir_testbed::{root, wait, yaml};

use crate::response_cache::gate::Gate;
use crate::shipped::placed;

fn all() -> Value {
    json!({
        "metrics": {},
        "rate_limit": {"rules": [
            {"name": "few", "match": {"path": {"prefix": "/few"}}, "limits": [{"quota": 2, "window": "1h"}]},
        ]},
        "response_cache": {},
        "circuit_breaker": {"rules": [{
            "name": "all", "consecutive": {"failures": 3}, "ratio": {"enabled": false},
            "open": {"time": "1h", "max_time": "1h"},
        }]},
    })
}

#[test]
fn a_limited_request_reaches_neither_cache_nor_breaker() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(2).start();
    let statuses = ["/few/1", "/few/2", "/few/3"].map(|target| {
        let answer = gateway.get(target);
        (answer.status(), answer.field("cache-status").is_some())
    });
    assert_eq!(statuses, [(200, true), (200, true), (429, false)]);
    assert_eq!(origin.hits(), 2);
}

/// Every field that a filter of Weir, a proxy or a tracer adds to a request, and a limit that is near, change nothing.
#[test]
fn what_filters_and_tracers_add_to_a_request_ends_no_hit() {
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let mut configuration = all();
    configuration["response_cache"] = json!({"rules": [
        {"name": "all", "default_ttl": "5m"},
    ]});
    configuration["rate_limit"]["rules"] = json!([
        {"name": "all", "limits": [{"quota": 60, "window": "1h"}], "near": {"at": "10%"}},
    ]);
    let gateway = Setup::new("gateway", &configuration, origin.address()).start();
    for field in [
        "x-weir-rate-limit-near",
        "x-weir-rate-limit",
        "x-weir-breaker",
        "x-weir-fallback",
        "x-weir-background",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-datadog-trace-id",
        "x-cloud-trace-context",
        "cdn-loop",
        "cf-connecting-ip",
        "x-correlation-id",
        "traceparent",
        "x-request-id",
        "true-client-ip",
        "sentry-trace",
        "x-amzn-trace-id",
        "uber-trace-id",
    ] {
        for n in 0..3 {
            let answer = Request::get("/file").field(field, n.to_string()).ask(gateway.address());
            assert_eq!(answer.status(), 200, "{field}");
        }
    }
    assert_eq!(origin.hits(), 1, "the first of 57 requests, 51 of them near the limit");
    let statuses = [0; 4].map(|_| gateway.get("/file").status());
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn a_hit_is_served_while_the_breaker_is_open() {
    let origin = Origin::start(|request| match request.target() {
        "/stored" => Act::response(200, &[("cache-control", "max-age=600")], "stored"),
        _ => Act::response(500, &[], ""),
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(2).start();
    assert_eq!(gateway.get("/stored").text(), "stored");
    for _ in 0..3 {
        assert_eq!(gateway.get("/ill").status(), 500);
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/upstream", 2);
    let rejected = gateway.get("/ill");
    assert_eq!(rejected.status(), 503);
    assert!(rejected.field("x-weir-breaker").is_some(), "{rejected:?}");
    for _ in 0..8 {
        assert_eq!(gateway.get("/stored").text(), "stored");
    }
    let before = origin.hits();
    for _ in 0..20 {
        assert_eq!(
            gateway.get("/ill").status(),
            503,
            "the rejections are no failures, and are not stored"
        );
    }
    assert_eq!(origin.hits(), before);
}

#[test]
fn every_request_is_counted_once_whoever_answered() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(4).start();
    for _ in 0..5 {
        gateway.get("/few");
    }
    for _ in 0..5 {
        gateway.get("/many");
    }
    Request::new("POST", "/many").body("x").ask(gateway.address());
    gateway.await_metric("weir_metrics_decisions_total;filter=rate-limit;decision=limit", 3);
    gateway.await_metric("weir_metrics_decisions_total;filter=rate-limit;decision=admit", 8);
    gateway.await_metric("weir_metrics_decisions_total;filter=response-cache;decision=hit", 5);
    let total: u64 = gateway.envoy.stats("weir_metrics_requests_total").unwrap().values().sum();
    assert_eq!(total, 11);
}

#[test]
fn filters_without_a_section_are_not_there() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = Setup::new("gateway", &json!({"metrics": {}}), origin.address()).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").field("cache-status"), None);
    }
    assert_eq!(origin.hits(), 3);
}

#[test]
fn requests_that_wait_for_one_another_cost_quota_each_and_the_breaker_sees_one() {
    let gate = Gate::default();
    let shut = gate.clone();
    let origin = Origin::start(move |request| {
        shut.pass();
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let mut configuration = all();
    configuration["rate_limit"]["rules"][0]["limits"][0]["quota"] = json!(8);
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(4).start();
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..12).map(|_| scope.spawn(|| gateway.get("/few").status())).collect();
        let all_wait = || {
            let active = gateway.envoy.stats("http.front.downstream_rq_active").ok()?;
            let n_refused =
                gateway.metric("weir_rate_limit_requests_total;rule=few;decision=limit");
            (n_refused == 4 && active.values().sum::<u64>() == 8).then_some(())
        };
        let waited = wait::until(PATIENCE, all_wait);
        gate.open();
        waited.expect("four are refused, eight wait");
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 4], [200; 4], [429; 4]].concat());
    assert_eq!(origin.hits(), 1);
    gateway
        .await_metric("weir_metrics_decisions_total;filter=response-cache;decision=collapsed", 7);
    gateway.await_metric("weir_metrics_decisions_total;filter=response-cache;decision=miss", 1);
    gateway.await_metric("weir_metrics_decisions_total;filter=circuit-breaker;decision=closed", 1);
}

/// What the cache hides from clients it does not hide from the breaker.
#[test]
fn stale_answers_in_place_of_errors_open_the_breaker_and_go_on_when_it_is_open() {
    let origin = Origin::start(|_| {
        let fields = [("cache-control", "max-age=60, stale-if-error=600"), ("age", "100")];
        Act::response(200, &fields, "old")
    });
    let gateway = Setup::new("gateway", &all(), origin.address()).workers(2).start();
    assert_eq!(gateway.get("/kept").text(), "old");
    origin.play(|_| Act::response(503, &[], "down"));
    for _ in 0..3 {
        let answer = gateway.get("/kept");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "old"));
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/upstream", 2);
    let before = origin.hits();
    for _ in 0..8 {
        assert_eq!(gateway.get("/kept").text(), "old");
    }
    assert_eq!(origin.hits(), before, "the breaker keeps them from the origin");
    let words = "weir_metrics_decisions_total;filter=response-cache;decision=stale_if_error";
    gateway.await_metric(words, 11);
    gateway.await_metric("weir_metrics_decisions_total;filter=response-cache;decision=miss", 1);
}

/// The files with all four filters send the cache's own requests past the limiter and the metrics.
///
/// Many rounds: a call whose end the cache is not told of would take one of its places for ever.
#[test]
fn refreshes_in_the_background_cost_nobodys_quota_and_end() {
    const N_ROUNDS: u64 = 40;
    for name in ["gateway.yaml", "chain.yaml"] {
        let origin = Origin::start(|request| {
            Act::response(200, &[("cache-control", "max-age=60"), ("age", "100")], request.target())
        });
        let file = root::root().join("envoy").join(name);
        let mut bootstrap = placed(yaml::read(&file).unwrap(), origin.address());
        let limits = json!([{"quota": 10_000, "window": "1h"}]);
        raise(&mut bootstrap, &limits);
        let options = Options { workers: 1, ..Options::default() };
        let envoy = Envoy::start(&bootstrap, options).unwrap_or_else(|error| panic!("{error}"));
        let address = envoy.listener("gateway").unwrap();
        let sum = |family: &str| -> u64 {
            envoy.stats(&format!("{family}($|;)")).unwrap().values().sum()
        };
        for n in 0..N_ROUNDS {
            let target = format!("/{n}");
            assert_eq!(Request::get(&target).ask(address).text(), target);
            let stale = Request::get(&target).ask(address);
            assert!(crate::response_cache::status_of(&stale).contains("hit; ttl=-"), "{stale:?}");
        }
        let refreshed = || {
            let stats = envoy.stats("weir_response_cache_refreshes_total").unwrap();
            let answered = stats.iter().filter(|(name, _)| name.ends_with("result=answered"));
            (answered.map(|(_, n)| n).sum::<u64>() == N_ROUNDS).then_some(())
        };
        assert!(
            wait::until(PATIENCE, refreshed).is_some(),
            "{name}: {:?}",
            envoy.stats("weir_response_cache_refreshes_total")
        );
        // The file's health asks the admin interface, in whose place the origin stands here.
        let hits: u64 = (0..N_ROUNDS).map(|n| origin.hits_of(&format!("/{n}"))).sum();
        assert_eq!(hits, 2 * N_ROUNDS, "{name}");
        assert_eq!(sum("weir_rate_limit_requests_total"), 2 * N_ROUNDS, "{name}");
        assert_eq!(sum("weir_metrics_requests_total"), 2 * N_ROUNDS, "{name}");
        assert_eq!(sum("weir_circuit_breaker_requests_total"), 2 * N_ROUNDS, "{name}");
    }
}

/// Puts these limits in the place of every rule's; what the console calls so is a path.
fn raise(value: &mut Value, limits: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| raise(item, limits)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "limits" && !field.is_string() {
                    *field = limits.clone();
                } else {
                    raise(field, limits);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
