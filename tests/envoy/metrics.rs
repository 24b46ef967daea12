//! The numbers through a real Envoy: they equal what was sent, and have real labels.

mod consumers;
mod exclusion;
mod export;
mod health;
mod in_flight;
mod operations;
mod record;
mod statistics;
mod truth;

use harness::client::{Connection, Request};
use harness::gateway::{PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

#[test]
fn counters_equal_what_was_sent() {
    let origin = Origin::start(|request| match request.target() {
        "/missing" => Act::response(404, &[], ""),
        "/ill" => Act::response(500, &[], ""),
        target => Act::response(200, &[], target),
    });
    let gateway = Setup::new("metrics", &json!({}), origin.address()).workers(4).start();
    for (method, target, n) in [
        ("GET", "/", 20),
        ("GET", "/missing", 7),
        ("GET", "/ill", 5),
        ("POST", "/", 3),
        ("BREW", "/", 2),
    ] {
        for _ in 0..n {
            Request::new(method, target).body("").ask(gateway.address());
        }
    }
    let scraped = wait::until(PATIENCE, || {
        let text = gateway.envoy.prometheus("weir_metrics_requests").unwrap();
        let sum = |labels: &[&str]| -> u64 {
            let lines =
                text.lines().filter(|line| line.starts_with("weir_metrics_requests_total{"));
            let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        (sum(&[]) == 37).then(|| {
            [
                sum(&["method=\"GET\"", "class=\"2xx\"", "route=\"all\""]),
                sum(&["class=\"4xx\""]),
                sum(&["class=\"5xx\""]),
                sum(&["method=\"POST\""]),
                sum(&["method=\"_OTHER\""]),
            ]
        })
    });
    assert_eq!(scraped, Some([20, 7, 5, 3, 2]), "{}", gateway.envoy.prometheus("weir_").unwrap());
}

#[test]
fn durations_and_bytes_are_there_and_the_client_names_no_series() {
    let origin = Origin::plain();
    let gateway = Setup::new("metrics", &json!({"bytes": true}), origin.address()).start();
    let mut connection = Connection::open(gateway.address());
    for n in 0..50 {
        let request = Request::new(&format!("M{n}"), &format!("/{n}"))
            .field("x-n", n.to_string())
            .body("body");
        connection.ask(&request).unwrap();
    }
    let text = wait::until(PATIENCE, || {
        let text = gateway.envoy.prometheus("weir_metrics").unwrap();
        let counted = |line: &str| {
            line.starts_with("weir_metrics_request_duration_milliseconds_count")
                && line.ends_with(" 50")
        };
        text.lines().any(counted).then_some(text)
    });
    let text = text.unwrap_or_else(|| panic!("{}", gateway.envoy.prometheus("weir_").unwrap()));
    let n_series =
        text.lines().filter(|line| line.starts_with("weir_metrics_requests_total{")).count();
    assert_eq!(n_series, 1, "{text}");
    assert!(text.contains("weir_metrics_response_bytes"), "{text}");
}
