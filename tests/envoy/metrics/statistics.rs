//! The statistics of four workers against what was sent and how long it took.

use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{ask, await_requests, json_of, read, section};

const CLIENTS: u64 = 16;

/// Every client sends these on a connection of its own, `rounds` times.
fn load(gateway: &Gateway, rounds: u64, requests: &[Request]) -> u64 {
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address());
                for _ in 0..rounds {
                    for request in requests {
                        connection.ask(request).unwrap();
                    }
                }
            });
        }
    });
    CLIENTS * rounds * requests.len() as u64
}

fn mixed() -> Vec<Request> {
    let mut requests = vec![
        Request::get("/"),
        Request::get("/missing"),
        Request::get("/ill"),
        Request::new("POST", "/").body("body"),
        Request::new("BREW", "/").body(""),
    ];
    requests.extend((0..5).map(|n| Request::get(&format!("/r{n}/x?secret=1"))));
    requests
}

fn origin() -> Origin {
    Origin::start(|request| match request.target() {
        "/missing" => Act::response(404, &[], ""),
        "/ill" => Act::response(500, &[], ""),
        target => Act::response(200, &[], target),
    })
}

fn start(origin: &Origin, configuration: &Value) -> Gateway {
    let mut routes: Vec<Value> = (0..5)
        .map(|n| json!({"name": format!("r{n}"), "match": {"prefix": format!("/r{n}/")}, "route": {"cluster": "upstream"}}))
        .collect();
    routes.push(json!({"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}}));
    Setup::new("metrics", configuration, origin.address()).routes(json!(routes)).workers(4).start()
}

#[test]
fn totals_are_exact_after_concurrent_load() {
    let origin = origin();
    let gateway =
        start(&origin, &json!({"operations": section(), "statistics": {"max_routes": 4}}));
    let rounds = 60;
    let sent = load(&gateway, rounds, &mixed());
    for _ in 0..7 {
        // A client that leaves before its answer.
        let mut leaver = Connection::open(gateway.address());
        leaver.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhal").unwrap();
    }
    let stats = await_requests(&gateway, sent + 7);
    let each = CLIENTS * rounds;
    assert_eq!(stats["by_method"], json!({"GET": 8 * each, "POST": each + 7, "_OTHER": each}));
    assert_eq!(stats["by_status"], json!({"200": 8 * each, "404": each, "500": each}));
    assert_eq!(stats["by_class"], json!({"none": 7, "2xx": 8 * each, "4xx": each, "5xx": each}));
    assert_eq!((&stats["errors"], &stats["flow"]["upstream"]), (&json!(each), &json!(10 * each)));
    assert_eq!(stats["flow"]["aborted"], 7);
    assert_eq!(stats["latency_seconds"]["count"], 10 * each, "{stats:#}");
    let routes = stats["routes"].as_array().unwrap();
    assert_eq!((routes.len(), &stats["routes_known"]), (4, &json!(4)));
    let of_routes: u64 = routes.iter().map(|route| route["requests"].as_u64().unwrap()).sum();
    let of_others = stats["requests_of_other_routes"].as_u64().unwrap();
    assert_eq!(of_routes + of_others, sent + 7);
    assert!(of_others >= 2 * each, "{stats:#}");
    let performance = read(&gateway, "/performance");
    for window in performance["windows"].as_array().unwrap() {
        assert_eq!(window["requests"], sent + 7, "{performance:#}");
    }
    let everything = format!("{stats}{performance}{}", read(&gateway, "/errors"));
    assert!(!everything.contains("secret") && !everything.contains("127.0.0.1"), "{everything}");
}

#[test]
fn a_reset_is_for_all_workers_and_nothing_old_comes_back() {
    let origin = origin();
    let gateway = start(&origin, &json!({"operations": section()}));
    let sent = load(&gateway, 5, &mixed());
    await_requests(&gateway, sent);
    // What the other workers have now is added up after the reset, or rather not.
    load(&gateway, 5, &mixed());
    let reset = json_of(&ask(&gateway, "POST", "/reset"));
    assert!(reset["reset"]["requests"].as_u64().unwrap() >= sent, "{reset}");
    let settled = || {
        Some(read(&gateway, "/stats"))
            .filter(|stats| stats["since_reset_seconds"].as_f64() > Some(1.0))
    };
    let settled = wait::until(PATIENCE, settled).unwrap();
    assert_eq!(
        (&settled["requests"], &settled["by_status"]),
        (&json!(0), &json!({})),
        "{settled:#}"
    );
    assert!(settled["uptime_seconds"].as_f64() > settled["since_reset_seconds"].as_f64());
    assert_eq!(read(&gateway, "/errors"), json!({"failures": 0, "max": 100, "latest": []}));
    assert_eq!(read(&gateway, "/performance")["history"], json!([]));
    let sent = load(&gateway, 5, &mixed());
    await_requests(&gateway, sent);
    let log = gateway.messages();
    assert!(
        log.iter().any(|line| line.starts_with("metrics: operations reset requests=")
            && line.ends_with("by=127.0.0.1")),
        "{log:#?}"
    );
}

#[test]
fn an_update_loses_no_exchange() {
    let origin = origin();
    let configuration = |max: u64| json!({"operations": section(), "errors": {"max": max}});
    let gateway = start(&origin, &configuration(10));
    let sent: u64 = thread::scope(|scope| {
        let loads: Vec<_> = (0..2).map(|_| scope.spawn(|| load(&gateway, 60, &mixed()))).collect();
        for max in 11..15 {
            assert!(gateway.update(&configuration(max)), "{}", gateway.envoy.log_tail());
        }
        loads.into_iter().map(|load| load.join().unwrap()).sum()
    });
    await_requests(&gateway, sent);
}

/// Envoy's own durations in nanoseconds, and those that are told, of the same exchanges.
#[test]
fn quantiles_over_all_workers_are_those_of_the_access_log() {
    let origin = Origin::plain();
    let delay = json!({
        "name": "envoy.filters.http.fault",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"header_delay": {}, "percentage": {"numerator": 100}},
        },
    });
    let fields = json!({"micros": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%", "details": "%RESPONSE_CODE_DETAILS%"});
    let gateway = Setup::new("metrics", &json!({"operations": section()}), origin.address())
        .before(delay)
        .access_log(fields)
        .workers(4)
        .start();
    // Most are quick; one in ten takes longer, one in fifty much longer.
    let delays = [0, 1, 2, 3, 5, 1, 2, 3, 8, 40];
    let mut requests: Vec<Request> = (0..50)
        .map(|n| Request::get("/").field("x-envoy-fault-delay-request", delays[n % 10].to_string()))
        .collect();
    requests.push(Request::get("/").field("x-envoy-fault-delay-request", "150"));
    let sent = load(&gateway, 2, &requests);
    let latency = await_requests(&gateway, sent)["latency_seconds"].clone();
    let logged = || {
        let micros: Vec<u64> = gateway
            .access_log()
            .iter()
            .filter(|line| line["details"] == "via_upstream")
            .filter_map(|line| line["micros"].as_u64())
            .collect();
        (micros.len() as u64 == sent).then_some(micros)
    };
    let mut micros = wait::until(PATIENCE, logged).expect("every request is in the access log");
    micros.sort_unstable();
    let exact = |permille: usize| micros[(micros.len() * permille).div_ceil(1_000) - 1];
    let mean = micros.iter().sum::<u64>() / sent;
    for (name, exact, error) in [
        ("p50", exact(500), 1.0 / 64.0),
        ("p95", exact(950), 1.0 / 64.0),
        ("p99", exact(990), 1.0 / 64.0),
        ("average", mean, 0.0),
        ("min", micros[0], 0.0),
        ("max", exact(1_000), 0.0),
    ] {
        let told = latency[name].as_f64().unwrap() * 1e6;
        #[allow(clippy::cast_precision_loss, reason = "seconds in microseconds")]
        let exact = exact as f64;
        // Envoy ends an exchange a moment after its last byte was sent.
        let slack = 500.0;
        assert!(
            (told - exact).abs() <= exact * error + slack,
            "{name}: {told} for {exact}: {latency}"
        );
    }
}
