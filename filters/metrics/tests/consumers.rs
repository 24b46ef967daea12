//! Consumers on a host in memory: who gets series, who does not, and that every exchange is counted once.
#![cfg(test)]

use std::collections::BTreeSet;

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::shared::SharedData;
use kit::top::{Counter, Report};
use kit::{Filter, Flow, Nanos, config};
use serde_json::{Value, json};
use weir_metrics::Metrics;
use weir_metrics::consumers::admitted::{Admitted, LEAST_REQUESTS};
use weir_metrics::consumers::{MAX_GATHERED, TICK};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const FAMILY: &str = "weir_metrics_consumer_requests_total";

fn host() -> FakeHost {
    let host = FakeHost::default();
    host.set_now(Nanos::HOUR);
    host
}

fn worker_with(host: &FakeHost, consumers: &Value) -> Metrics {
    let mut text = json!({"operations": {"path": "/weir", "source": "192.0.2.1"}});
    if !consumers.is_null() {
        text["consumers"] = consumers.clone();
    }
    match config::load("metrics", text.to_string().as_bytes(), Metrics::read) {
        Ok(config) => Metrics::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}

fn worker(host: &FakeHost, max: usize) -> Metrics {
    worker_with(host, &json!({"key": "header:x-key", "max": max}))
}

/// A whole exchange of this consumer.
fn pass(worker: &Metrics, host: &FakeHost, consumer: &str, status: u64) {
    let headers = [("x-key", consumer)];
    let x = FakeExchange::get(host, "/", if consumer.is_empty() { &[] } else { &headers })
        .with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, b"via_upstream");
    let mut stream = Default::default();
    assert_eq!(worker.on_request_headers(&mut stream, &x, true), Flow::Continue);
    worker.on_log(&mut stream, &x);
}

fn send(worker: &Metrics, host: &FakeHost, consumer: &str, times: u64) {
    (0..times).for_each(|_| pass(worker, host, consumer, 200));
}

/// The next tick of these workers.
fn tick(host: &FakeHost, workers: &[&Metrics]) {
    host.advance(TICK);
    workers.iter().for_each(|worker| worker.on_tick(host));
}

/// Labels and values of the consumers' series.
fn series(host: &FakeHost) -> Vec<(String, String, i64)> {
    let names = host.metric_names().into_iter().filter(|name| name.starts_with(FAMILY));
    let read = |name: String| {
        let (rest, class) = name.rsplit_once(";class=").unwrap();
        let (_, consumer) = rest.split_once(";consumer=").unwrap();
        (consumer.to_owned(), class.to_owned(), host.metric(&name).unwrap())
    };
    names.map(read).collect()
}

fn consumers(host: &FakeHost) -> BTreeSet<String> {
    series(host).into_iter().map(|(consumer, ..)| consumer).collect()
}

fn sum(host: &FakeHost) -> i64 {
    series(host).iter().map(|(.., count)| count).sum()
}

fn of(host: &FakeHost, consumer: &str) -> i64 {
    let own = series(host).into_iter().filter(|(found, ..)| found == consumer);
    own.map(|(.., count)| count).sum()
}

fn list(worker: &Metrics, host: &FakeHost, query: &str) -> Value {
    let x = FakeExchange::get(host, &format!("/weir/consumers{query}"), &[]);
    match worker.on_request_headers(&mut Default::default(), &x, true) {
        Flow::Reply(reply) => {
            assert_eq!(reply.status, 200, "{reply:?}");
            serde_json::from_slice(&reply.body).unwrap()
        }
        other @ (Flow::Continue | Flow::Pause) => panic!("{other:?}"),
    }
}

#[test]
fn without_the_field_nobody_is_told_apart() {
    let host = host();
    let worker = worker_with(&host, &Value::Null);
    send(&worker, &host, "acme", 100);
    tick(&host, &[&worker]);
    assert_eq!(consumers(&host), BTreeSet::new());
    assert!(!host.shared_keys().iter().any(|key| key.contains("consumers")));
}

#[test]
fn a_consumer_is_admitted_when_it_has_certainly_sent_enough_and_every_worker_knows() {
    let host = host();
    let (one, other) = (worker(&host, 5), worker(&host, 5));
    send(&one, &host, "acme", 10);
    send(&other, &host, "acme", LEAST_REQUESTS - 11);
    tick(&host, &[&one, &other]);
    assert_eq!(consumers(&host), BTreeSet::from(["_other".to_owned()]), "one request is missing");
    send(&other, &host, "acme", 1);
    tick(&host, &[&other, &one]);
    for (worker, status) in [(&one, 200), (&other, 503)] {
        pass(worker, &host, "acme", status);
    }
    let own: Vec<_> = series(&host).into_iter().filter(|(label, ..)| label != "_other").collect();
    let [(first, ok, n_ok), (second, bad, n_bad)] = own.as_slice() else { panic!("{own:?}") };
    assert_eq!((first, ok.as_str(), n_ok), (second, "2xx", &1));
    assert_eq!((bad.as_str(), n_bad), ("5xx", &1));
    assert_eq!(of(&host, "_other"), i64::try_from(LEAST_REQUESTS).unwrap());
}

#[test]
fn who_is_refused_wins_no_place_however_often() {
    let host = host();
    let worker = worker(&host, 5);
    for (status, details) in [(429, "weir_rate_limited"), (401, "jwt_authn"), (403, "rbac")] {
        for n in 0..1_000 {
            let x = FakeExchange::get(&host, "/", &[("x-key", &format!("{details}-{}", n % 10))])
                .with_attribute(Attribute::ResponseCode, &u64::to_le_bytes(status))
                .with_attribute(Attribute::ResponseDetails, details.as_bytes());
            let mut stream = Default::default();
            assert_eq!(worker.on_request_headers(&mut stream, &x, true), Flow::Continue);
            worker.on_log(&mut stream, &x);
        }
        tick(&host, &[&worker]);
    }
    assert_eq!(consumers(&host), BTreeSet::from(["_other".to_owned()]));
    assert_eq!(sum(&host), 3_000);
}

#[test]
fn names_that_are_invented_for_a_request_each_get_no_series() {
    let host = host();
    let (one, other) = (worker(&host, 5), worker(&host, 5));
    let (keys, metrics) = (host.shared_keys(), host.metric_names().len());
    for n in 0..2_000 {
        let worker = if n % 2 == 0 { &one } else { &other };
        send(worker, &host, &format!("invented-{n}"), 1);
        if n % 100 == 0 {
            tick(&host, &[&one, &other]);
        }
    }
    tick(&host, &[&one, &other]);
    send(&one, &host, "invented-1", 1);
    assert_eq!(consumers(&host), BTreeSet::from(["_other".to_owned()]));
    assert_eq!(sum(&host), 2_001);
    assert_eq!(host.shared_keys(), keys);
    // Requests and their flow, `_other`, and the consumers' `_other`.
    assert!(host.metric_names().len() <= metrics + 4, "{:?}", host.metric_names());
}

#[test]
fn there_are_never_more_than_the_bound_and_the_busiest_come_first() {
    let host = host();
    let workers = [(); 3].map(|()| worker(&host, 3));
    let all: Vec<&Metrics> = workers.iter().collect();
    for n in 0..8_u64 {
        for worker in &workers {
            send(worker, &host, &format!("c{n}"), 30 + n);
        }
    }
    host.schedule_conflicts(2);
    tick(&host, &all);
    tick(&host, &all);
    assert_eq!(of(&host, "_other"), sum(&host));
    let labels: Vec<String> = ["c5", "c6", "c7", "c0"]
        .map(|name| {
            let before = consumers(&host);
            send(&workers[0], &host, name, 1);
            consumers(&host).difference(&before).cloned().collect()
        })
        .to_vec();
    assert!(labels[..3].iter().all(|label| label.len() == 16), "{labels:?}");
    assert_eq!(labels[3], "", "no place for the fourth");
    // Whoever is busier later finds no place either: Envoy would keep the series of both.
    send(&workers[1], &host, "late", 5_000);
    tick(&host, &all);
    send(&workers[1], &host, "late", 10);
    assert_eq!(consumers(&host).len(), 4);
}

#[test]
fn nobody_is_who_shows_no_key_and_operators_are_not_counted() {
    let host = host();
    let worker = worker(&host, 5);
    send(&worker, &host, "", 3);
    pass(&worker, &host, &"x".repeat(9_000), 200);
    // A stream of which this filter never saw the request, such as one that was refused before.
    worker.on_log(&mut Default::default(), &FakeExchange::new(&host, &[]));
    let x = FakeExchange::get(&host, "/", &[("x-key", "acme")])
        .with_attribute(Attribute::ResponseCode, &200_u64.to_le_bytes())
        .with_attribute(Attribute::ResponseDetails, b"weir_operations");
    let mut stream = Default::default();
    assert_eq!(worker.on_request_headers(&mut stream, &x, true), Flow::Continue);
    worker.on_log(&mut stream, &x);
    assert_eq!(
        series(&host),
        [("_none".to_owned(), "2xx".to_owned(), 4), ("_none".to_owned(), "none".to_owned(), 1)]
    );
    assert_eq!(list(&worker, &host, "")["requests"], 0);
}

#[test]
fn nothing_of_a_key_is_kept_or_told_unless_it_is_shown() {
    for show in [false, true] {
        let host = host();
        let worker = worker_with(&host, &json!({"key": "header:x-key", "show": show}));
        let long = "acme-\"é;".repeat(20);
        for name in ["acme-one", &long] {
            send(&worker, &host, name, 30);
            tick(&host, &[&worker]);
            send(&worker, &host, name, 1);
        }
        let shared = host.shared_keys().into_iter().map(|key| {
            let value = host.shared_get(&key).unwrap().value;
            format!("{key}{}", String::from_utf8_lossy(&value))
        });
        let everything = [
            shared.collect::<String>(),
            host.metric_names().concat(),
            list(&worker, &host, "").to_string(),
        ];
        for place in &everything {
            assert_eq!(place.contains("acme"), show, "{place}");
        }
        let labels = consumers(&host);
        let own: Vec<&String> = labels.iter().filter(|label| !label.starts_with('_')).collect();
        assert_eq!(own.len(), 2);
        let is_shown = |label: &&String| label.starts_with("header \"acme-");
        assert!(own.iter().all(|label| is_shown(label) == show && label.len() <= 64), "{own:?}");
        assert_eq!(own.iter().any(|label| *label == "header \"acme-one\""), show);
    }
}

#[test]
fn a_name_can_not_pass_for_all_others() {
    let host = host();
    let worker = worker_with(&host, &json!({"key": "header:x-key", "show": true}));
    for name in ["_other", "_none"] {
        send(&worker, &host, name, 30);
        tick(&host, &[&worker]);
        send(&worker, &host, name, 1);
    }
    assert_eq!((of(&host, "_other"), of(&host, "_none")), (60, 0));
    assert_eq!((of(&host, "header \"_other\""), of(&host, "header \"_none\"")), (1, 1));
}

#[test]
fn the_list_outlives_its_workers_and_another_key_has_its_own() {
    let host = host();
    let first = worker(&host, 2);
    send(&first, &host, "a", 30);
    send(&first, &host, "b", 40);
    tick(&host, &[&first]);
    drop(first);
    // Fewer places: who has one keeps it, and nobody else gets one.
    let second = worker(&host, 1);
    for name in ["a", "b", "c"] {
        send(&second, &host, name, 50);
    }
    tick(&host, &[&second]);
    send(&second, &host, "c", 1);
    assert_eq!((consumers(&host).len(), of(&host, "_other")), (3, 70 + 51));
    let by_host = worker_with(&host, &json!({"key": "host", "max": 1}));
    send(&by_host, &host, "a", 30);
    assert_eq!(consumers(&host).len(), 3, "another key has admitted nobody yet");
    tick(&host, &[&by_host]);
    send(&by_host, &host, "a", 1);
    assert_eq!(consumers(&host).len(), 4);
}

#[test]
fn a_retired_worker_leaves_what_it_has_gathered() {
    let host = host();
    let (old, new) = (worker(&host, 2), worker(&host, 2));
    send(&old, &host, "acme", 30);
    old.on_retire(&host);
    tick(&host, &[&new]);
    send(&new, &host, "acme", 1);
    assert_eq!(consumers(&host).len(), 2);
}

#[test]
fn counting_asks_the_host_for_nothing() {
    let host = host();
    let worker = worker(&host, 2);
    send(&worker, &host, "acme", 30);
    tick(&host, &[&worker]);
    let before = host.shared_ops();
    for n in 0..1_000 {
        send(&worker, &host, "acme", 1);
        send(&worker, &host, &format!("c{n}"), 1);
    }
    assert_eq!(host.shared_ops(), before);
}

#[test]
fn a_flood_of_names_hides_nobody_who_is_busy() {
    let host = host();
    let worker = worker(&host, 2);
    for n in 0..4 * MAX_GATHERED {
        send(&worker, &host, &format!("invented-{n}"), 1);
        if n % 10 == 0 {
            send(&worker, &host, "acme", 1);
        }
    }
    tick(&host, &[&worker]);
    send(&worker, &host, "acme", 1);
    assert_eq!(consumers(&host).len(), 2);
    assert_eq!(sum(&host), 1_024 + 103 + 1);
    let told = list(&worker, &host, "?limit=1");
    assert_eq!(told["consumers"][0]["has_series"], true, "{told:#}");
    assert_eq!(told["consumers"].as_array().unwrap().len(), 1);
}

#[test]
fn what_can_not_be_added_up_is_counted_and_stays_for_the_next_time() {
    let host = host();
    let worker = worker(&host, 2);
    send(&worker, &host, "acme", 30);
    host.schedule_conflicts(u32::MAX);
    tick(&host, &[&worker]);
    host.schedule_conflicts(0);
    host.refuse_sets(Some("consumers"));
    tick(&host, &[&worker]);
    send(&worker, &host, "acme", 1);
    assert_eq!((of(&host, "_other"), sum(&host)), (31, 31));
    host.refuse_sets(None);
    tick(&host, &[&worker]);
    send(&worker, &host, "acme", 1);
    assert_eq!((of(&host, "_other"), sum(&host)), (31, 32));
    assert_eq!(list(&worker, &host, "")["consumers"][0]["at_least"], 32);
}

#[test]
fn the_list_is_of_the_last_minutes_and_names_the_busiest_first() {
    let host = host();
    let (one, other) = (worker(&host, 2), worker(&host, 2));
    for (name, times) in [("a", 10), ("b", 60), ("c", 50), ("d", 40)] {
        send(&one, &host, name, times);
    }
    tick(&host, &[&one, &other]);
    send(&other, &host, "b", 5);
    let told = list(&other, &host, "");
    assert_eq!(
        (&told["requests"], &told["max"], &told["with_series"]),
        (&json!(165), &json!(2), &json!(2))
    );
    let rows = told["consumers"].as_array().unwrap();
    let counts: Vec<_> = rows.iter().map(|row| (&row["at_least"], &row["at_most"])).collect();
    let exactly = [65, 50, 40, 10].map(|n| json!(n));
    assert_eq!(counts, exactly.iter().map(|n| (n, n)).collect::<Vec<_>>());
    let has_series: Vec<_> = rows.iter().map(|row| row["has_series"] == true).collect();
    assert_eq!(has_series, [true, true, false, false]);
    let labels = consumers(&host);
    assert!(labels.contains(rows[0]["consumer"].as_str().unwrap()), "{labels:?}");
    host.advance(Nanos::from_mins(11));
    let later = list(&other, &host, "");
    assert_eq!((&later["consumers"], &later["with_series"]), (&json!([]), &json!(2)));
}

#[test]
fn what_is_not_configured_is_not_there() {
    let host = host();
    let ask = |consumers: &Value, path: &str| {
        let worker = worker_with(&host, consumers);
        let x = FakeExchange::get(&host, path, &[]);
        match worker.on_request_headers(&mut Default::default(), &x, true) {
            Flow::Reply(reply) => (reply.status, String::from_utf8(reply.body).unwrap()),
            other @ (Flow::Continue | Flow::Pause) => panic!("{other:?}"),
        }
    };
    let (status, body) = ask(&Value::Null, "/weir/consumers");
    assert_eq!(status, 404);
    assert!(body.contains("there are /stats, /performance, /errors and /reset"), "{body}");
    let there = json!({"key": "host"});
    assert!(ask(&there, "/weir/x").1.contains("/errors, /reset and /consumers"));
    assert_eq!(ask(&there, "/weir/consumers?limit=0").0, 400);
    for (consumers, is_there) in [(&there, true), (&Value::Null, false)] {
        assert_eq!(ask(consumers, "/weir").1.contains("/weir/consumers?limit="), is_there);
        let (_, document) = ask(consumers, "/weir/openapi.json");
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["paths"]["/weir/consumers"]["get"].is_object(), is_there);
    }
}

#[test]
fn only_what_is_certain_admits() {
    let counter = |n: u8, at_most, error| Counter { tag: [n; 16], at_most, error, label: None };
    let report = Report {
        counters: vec![
            counter(1, 500, 490),
            counter(2, 100, 60),
            counter(3, 50, 0),
            counter(4, 20, 0),
        ],
        ..Report::default()
    };
    let tags = |list: &Admitted| list.entries().iter().map(|it| it.tag[0]).collect::<Vec<u8>>();
    let mut list = Admitted::default();
    assert!(list.admit(&report, 2));
    assert_eq!(tags(&list), [3, 2]);
    assert!(!list.admit(&report, 2) && !list.admit(&report, 1));
    assert!(list.admit(&report, 9));
    assert_eq!(tags(&list), [3, 2, 4]);
    assert_eq!(Admitted::read(&list.to_bytes()), list);
    assert_eq!(Admitted::read(b"\x09another layout"), Admitted::default());
}
