//! Metrics: every exchange counted once, in the log, in a bounded number of series.

mod statistics;

use std::time::Duration;

use harness::sim::{Fleet, Module, Request, Response, Upstream, World};

const REQUESTS: &str = "weir_metrics_requests_total";
const DURATION: &str = "weir_metrics_request_duration_milliseconds";

fn fleet(configuration: &str) -> Fleet {
    let module = Module::shipped("weir_metrics");
    Fleet::start(&World::new(7), &module, 2, configuration)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

#[test]
fn what_was_sent_is_what_is_counted() {
    let fleet = fleet("{}");
    for turn in 0..10 {
        let upstream = if turn < 7 { Upstream::ok("") } else { Upstream::status(503) };
        fleet.worker(turn).request(Request::get("/")).run(|| upstream);
    }
    let count = |labels: &[(&str, &str)]| fleet.world.series(REQUESTS, labels);
    assert_eq!(count(&[]), 10);
    assert_eq!((count(&[("class", "2xx")]), count(&[("class", "5xx")])), (7, 3));
    assert_eq!(count(&[("route", "main"), ("method", "GET")]), 10);
}

#[test]
fn configuring_counts_nothing_though_it_runs_on_every_thread() {
    let fleet = fleet("{}");
    fleet.update("{ }").expect("the same");
    assert!(fleet.world.metrics().values().all(|value| *value == 0), "{:?}", fleet.world.metrics());
}

#[test]
fn durations_are_those_of_the_exchange() {
    let fleet = fleet("{}");
    let slow = Response::new(200, "").after(Duration::from_millis(250));
    fleet.worker(0).request(Request::get("/")).run(|| Upstream::Answers(slow));
    let metrics = fleet.world.metrics();
    let name = metrics.keys().find(|name| name.starts_with(DURATION)).expect("a histogram");
    assert_eq!(fleet.world.samples(name), [250]);
}

#[test]
fn a_stream_that_no_filter_saw_is_counted_too() {
    let fleet = fleet("{}");
    fleet.worker(0).request(Request::get("/")).log_only(Response::new(403, ""));
    assert_eq!(fleet.world.series(REQUESTS, &[("class", "4xx")]), 1);
}

#[test]
fn series_are_bounded_and_nothing_is_lost_beyond_the_bound() {
    let fleet = fleet(r#"{"max_series": 4}"#);
    for turn in 0..50 {
        let route = format!("route-{turn}");
        let request = Request::get("/").property("xds|route_name", route.as_bytes());
        fleet.worker(0).request(request).run_ok("");
    }
    let series = fleet.world.metrics().keys().filter(|name| name.starts_with(REQUESTS)).count();
    assert!(series < 10, "{series} series");
    assert_eq!(fleet.world.series(REQUESTS, &[]), 50);
}
