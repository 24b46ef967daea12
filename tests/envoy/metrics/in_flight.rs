//! What is under way on four workers, as gauges and as operators are told.

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

use super::operations::{read, section};

const API: &str = "weir_metrics_requests_in_flight;route=api";
const ALL: &str = "weir_metrics_requests_in_flight;route=all";

/// Clients that wait for an answer, each on a connection of its own.
fn waiting(gateway: &Gateway, target: &str, n: usize) -> Vec<Connection> {
    let send = |_| {
        let mut client = Connection::open(gateway.address());
        client.send(&Request::get(target).to_bytes()).unwrap();
        client
    };
    (0..n).map(send).collect()
}

fn await_total(gateway: &Gateway, n: u64) {
    let told = || read(gateway, "/stats")["in_flight"].as_u64();
    let found = wait::until(PATIENCE, || told().filter(|told| *told == n));
    assert!(found.is_some(), "{:?} and not {n}", told());
}

#[test]
fn gauges_follow_clients_that_come_and_go_on_every_worker_and_through_an_update() {
    let origin = Origin::start(|request| match request.target() {
        "/fine" => Act::response(200, &[], ""),
        _ => Act::Hang,
    });
    let to = |name: &str, prefix: &str| json!({"name": name, "match": {"prefix": prefix}, "route": {"cluster": "upstream", "timeout": "0s", "idle_timeout": "600s"}});
    let gateway = Setup::new("metrics", &json!({"operations": section()}), origin.address())
        .routes(json!([to("api", "/api"), to("all", "/")]))
        .workers(4)
        .start();
    let api = waiting(&gateway, "/api/1", 20);
    let mut all = waiting(&gateway, "/x", 5);
    gateway.await_metric(API, 20);
    gateway.await_metric(ALL, 5);
    await_total(&gateway, 25);
    for _ in 0..20 {
        assert_eq!(gateway.get("/fine").status(), 200);
    }
    gateway.await_metric(ALL, 5);

    // The streams of the old configuration count until they end, those of the new one besides.
    let changed = json!({"operations": section(), "bytes": true});
    assert!(gateway.update(&changed), "{}", gateway.envoy.log_tail());
    let more = waiting(&gateway, "/api/2", 3);
    gateway.await_metric(API, 23);
    await_total(&gateway, 28);
    all.truncate(2);
    gateway.await_metric(ALL, 2);
    drop(api);
    gateway.await_metric(API, 3);
    drop((all, more));
    gateway.await_metric(API, 0);
    gateway.await_metric(ALL, 0);
    await_total(&gateway, 0);
    let labels = "{route=\"api\"}";
    let scraped = gateway.envoy.prometheus("weir_metrics_requests_in_flight").unwrap();
    assert!(scraped.contains(&format!("weir_metrics_requests_in_flight{labels} 0")), "{scraped}");
    assert!(scraped.contains("# TYPE weir_metrics_requests_in_flight gauge"), "{scraped}");
}
