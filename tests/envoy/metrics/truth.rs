//! Ten thousand exchanges of every kind at once, and every number equals what clients and origin know.

use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{await_requests, read, section};

/// Clients at once.
const CLIENTS: usize = 32;

/// A kind of exchange: what a client sends, and what it must get.
struct Kind {
    /// How often each client does it.
    times: usize,
    /// What it sends; the client leaves without waiting if there is no status.
    bytes: Vec<u8>,
    status: Option<u16>,
    route: &'static str,
    outcome: &'static str,
    method: &'static str,
    from: &'static str,
}

fn kinds() -> Vec<Kind> {
    let kind = |times, request: &Request, status, route, outcome, from| Kind {
        times,
        bytes: request.to_bytes(),
        status: Some(status),
        route,
        outcome,
        method: "GET",
        from,
    };
    let get = Request::get;
    let leaver = |bytes: &[u8], route, method| Kind {
        times: 8,
        bytes: bytes.to_vec(),
        status: None,
        route,
        outcome: "aborted",
        method,
        from: "none",
    };
    vec![
        kind(60, &get("/plain?q=1"), 200, "plain", "upstream", "upstream"),
        kind(20, &get("/plain/missing"), 404, "plain", "upstream", "upstream"),
        kind(20, &get("/plain/ill"), 500, "plain", "upstream", "upstream"),
        Kind {
            method: "POST",
            ..kind(
                20,
                &Request::new("POST", "/plain").body("body"),
                200,
                "plain",
                "upstream",
                "upstream",
            )
        },
        Kind {
            method: "_OTHER",
            ..kind(
                10,
                &Request::new("BREW", "/plain").body(""),
                200,
                "plain",
                "upstream",
                "upstream",
            )
        },
        kind(40, &get("/few"), 429, "few", "limited", "weir"),
        kind(60, &get("/stored"), 200, "stored", "hit", "weir"),
        kind(20, &get("/old"), 200, "old", "stale", "weir"),
        kind(40, &get("/weak"), 503, "weak", "refused", "weir"),
        kind(10, &get("/direct"), 200, "direct", "local", "envoy"),
        kind(10, &get("/deserted"), 503, "deserted", "local", "envoy"),
        kind(10, &get("/nowhere"), 404, "_none", "local", "envoy"),
        kind(4, &get("/cut"), 503, "cut", "upstream", "envoy"),
        // Half a body, and a service that never answers.
        leaver(b"POST /plain HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhal", "plain", "POST"),
        leaver(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n", "hang", "GET"),
    ]
}

fn configuration() -> Value {
    let path = |prefix: &str| json!({"path": {"prefix": prefix}});
    json!({
        "metrics": {"operations": section(), "bytes": true},
        "rate_limit": {"rules": [
            {"name": "few", "match": path("/few"), "limits": [{"quota": 1, "window": "1h"}]},
        ]},
        "response_cache": {"rules": [
            {"name": "stored", "match": path("/stored")},
            {"name": "old", "match": path("/old"), "stale_if_error": "1h"},
            {"name": "no", "action": "bypass"},
        ]},
        "circuit_breaker": {"rules": [{
            "name": "weak", "match": path("/weak"), "consecutive": {"failures": 1},
            "open": {"time": "1h", "max_time": "1h"},
        }]},
    })
}

fn start(origin: &Origin) -> Gateway {
    let to = |name: &str| json!({"name": name, "match": {"prefix": format!("/{name}")}, "route": {"cluster": "upstream", "timeout": "0s"}});
    let mut routes: Vec<Value> =
        ["plain", "few", "stored", "old", "weak", "cut", "hang"].map(to).to_vec();
    routes.push(json!({"name": "deserted", "match": {"prefix": "/deserted"}, "route": {"cluster": "deserted"}}));
    routes.push(json!({"name": "direct", "match": {"prefix": "/direct"}, "direct_response": {"status": 200}}));
    routes.push(json!({"name": "operators", "match": {"prefix": "/weir"}, "direct_response": {"status": 404}}));
    Setup::new("gateway", &configuration(), origin.address())
        .routes(json!(routes))
        .workers(4)
        .start()
}

/// What the origin does, but for what it has grown tired of.
fn act_on(request: &Message) -> Act {
    match request.target() {
        "/plain/missing" => Act::response(404, &[], ""),
        "/plain/ill" | "/weak" => Act::response(500, &[], ""),
        "/stored" => Act::response(200, &[("cache-control", "max-age=3600")], "stored"),
        "/old" => Act::response(200, &[("cache-control", "max-age=60"), ("age", "100")], "old"),
        "/cut" => Act::Cut(Vec::new()),
        "/hang" => Act::Hang,
        target => Act::response(200, &[], target),
    }
}

/// What a client does with one kind; a client that gets something else says what.
fn act(gateway: &Gateway, connection: &mut Connection, kind: &Kind) {
    let Some(status) = kind.status else {
        Connection::open(gateway.address()).send(&kind.bytes).unwrap();
        return;
    };
    connection.send(&kind.bytes).unwrap();
    let answer = connection.receive(false).unwrap();
    assert_eq!(answer.status(), status, "{}: {answer:?}", kind.route);
}

#[test]
fn every_number_equals_the_truth_after_ten_thousand_mixed_exchanges() {
    let origin = Origin::start(act_on);
    let gateway = start(&origin);
    // What the kinds stand on: a quota that is used up, a breaker that is open, something fresh, something stale.
    for (target, status) in [("/few", 200), ("/weak", 500), ("/stored", 200), ("/old", 200)] {
        assert_eq!(gateway.get(target).status(), status, "{target}");
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=weak/upstream", 2);
    origin.play(|request| {
        if request.target() == "/old" { Act::response(500, &[], "") } else { act_on(request) }
    });
    let before = 4;
    let first = await_requests(&gateway, before);
    let hits_before = origin.hits();

    let kinds = kinds();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (kinds, gateway) = (&kinds, &gateway);
            scope.spawn(move || {
                let mut connection = Connection::open(gateway.address());
                // Each client goes through the kinds in an order of its own, all of them mixed.
                let most = kinds.iter().map(|kind| kind.times).max().unwrap();
                for round in 0..most {
                    for idx in 0..kinds.len() {
                        let kind = &kinds[(idx + client + round) % kinds.len()];
                        if round < kind.times {
                            act(gateway, &mut connection, kind);
                        }
                    }
                }
            });
        }
    });

    let count = |choose: &dyn Fn(&Kind) -> bool| -> u64 {
        let chosen = kinds.iter().filter(|kind| choose(kind));
        chosen.map(|kind| (kind.times * CLIENTS) as u64).sum()
    };
    let sent = count(&|_| true);
    assert!(sent >= 10_000, "{sent}");
    let stats = await_requests(&gateway, before + sent);
    let since = |path: &str| {
        let number = |stats: &Value| stats.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        number(&stats) - number(&first)
    };
    for outcome in ["limited", "hit", "stale", "refused", "upstream", "local", "aborted"] {
        let expected = count(&|kind| kind.outcome == outcome);
        assert!(expected > 0);
        assert_eq!(since(&format!("/flow/{outcome}")), expected, "{outcome}: {stats:#}");
    }
    for status in [200, 404, 429, 500, 503] {
        let expected = count(&|kind| kind.status == Some(status));
        assert_eq!(since(&format!("/by_status/{status}")), expected, "{status}: {stats:#}");
    }
    assert_eq!(since("/by_class/none"), count(&|kind| kind.status.is_none()));
    // Who left has no answer that took a time.
    assert_eq!(since("/latency_seconds/count"), count(&|kind| kind.status.is_some()));
    let at_rest =
        wait::until(PATIENCE, || (read(&gateway, "/stats")["in_flight"] == 0).then_some(()));
    assert!(at_rest.is_some(), "{:#}", read(&gateway, "/stats"));

    // Prometheus' view, which counts operators too: by route, what clients know.
    let scraped = gateway.envoy.stats("^wasmcustom.weir_metrics_").unwrap();
    let sum = |family: &str, labels: &[String]| -> u64 {
        let is_it = |name: &str| {
            let mut parts = name.strip_prefix("wasmcustom.").unwrap().split(';');
            let found: Vec<&str> = parts.clone().skip(1).collect();
            parts.next() == Some(family)
                && labels.iter().all(|label| found.contains(&label.as_str()))
        };
        scraped.iter().filter(|(name, _)| is_it(name)).map(|(_, value)| value).sum()
    };
    let extra = |route: &str| match route {
        "few" | "weak" | "stored" | "old" => 1,
        _ => 0,
    };
    for route in
        ["plain", "few", "stored", "old", "weak", "cut", "hang", "deserted", "direct", "_none"]
    {
        let expected = count(&|kind| kind.route == route) + extra(route);
        let label = [format!("route={route}")];
        assert_eq!(sum("weir_metrics_requests_total", &label), expected, "{route}");
        assert_eq!(sum("weir_metrics_flow_total", &label), expected, "{route}: the flow adds up");
        for method in ["GET", "POST", "_OTHER"] {
            let labels = [format!("route={route}"), format!("method={method}")];
            let of_method = count(&|kind| kind.route == route && kind.method == method);
            let extra = if method == "GET" { extra(route) } else { 0 };
            assert_eq!(
                sum("weir_metrics_requests_total", &labels),
                of_method + extra,
                "{labels:?}"
            );
        }
        for from in ["envoy", "none"] {
            let labels = [format!("route={route}"), format!("from={from}")];
            let expected = count(&|kind| kind.route == route && kind.from == from);
            assert_eq!(sum("weir_metrics_requests_total", &labels), expected, "{labels:?}");
        }
    }
    assert_eq!(sum("weir_metrics_series_overflow_total", &[]), 0);
    let limited = ["filter=rate-limit".to_owned(), "decision=limit".to_owned()];
    assert_eq!(sum("weir_metrics_decisions_total", &limited), count(&|kind| kind.route == "few"));

    // What the origin was asked: everything that went to it and had an answer, and what was tried for stale copies.
    let asked = ["/plain?q=1", "/plain/missing", "/plain/ill", "/cut"];
    for target in asked {
        let sent =
            count(&|kind| String::from_utf8_lossy(&kind.bytes).contains(&format!(" {target} ")));
        assert_eq!(origin.hits_of(target), sent, "{target}");
    }
    for (target, hits) in [("/few", 1), ("/weak", 1), ("/stored", 1)] {
        assert_eq!(origin.hits_of(target), hits, "{target}");
    }
    assert!(origin.hits() > hits_before);
    assert_eq!(
        read(&gateway, "/errors")["failures"].as_u64().unwrap() - first["errors"].as_u64().unwrap(),
        count(&|kind| matches!(kind.status, None | Some(500 | 503)))
    );
}
