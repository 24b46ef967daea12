//! Probes of the filter's own, on a host in memory.
#![cfg(test)]

mod common;

use common::{Gateway, OK, filter};
use kit::exchange::{Answer, Call};
use kit::filter::Filter;
use kit::headers::Headers;
use kit::{Nanos, Reply};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const CONFIG: &str = r#"{"rules": [{
    "name": "shop",
    "consecutive": {"failures": 3},
    "open": {"time": "10s", "jitter": "0%"},
    "probes": {"request": {"path": "/healthz?deep", "expect": ["2xx", 418]}}
}]}"#;

fn tick(gateway: &Gateway) {
    for worker in &gateway.workers {
        worker.on_tick(&gateway.host);
    }
}

fn answer(status: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![(":status", status)];
    all.extend_from_slice(fields);
    Answer::Response { headers: Headers::new(&all), body: Vec::new() }
}

/// The worker whose call it is hears of it; the other one knows no such call, or another one of its own.
fn hear(gateway: &Gateway, worker: usize, call: &Call, answer: Answer) {
    gateway.workers[worker].on_answer(&gateway.host, call.id, answer);
}

fn state(gateway: &Gateway) -> i64 {
    gateway.metric("state;breaker=shop/pay")
}

fn reason(reply: &Reply) -> String {
    let found = reply.headers.iter().find(|(name, _)| name == "x-weir-breaker").unwrap();
    String::from_utf8(found.1.clone()).unwrap()
}

#[test]
fn a_breaker_closes_without_any_request() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    gateway.wait(9);
    tick(&gateway);
    assert_eq!(gateway.host.take_calls(), []);
    gateway.wait(1);
    tick(&gateway);
    let calls = gateway.host.take_calls();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((call.cluster.as_str(), call.timeout), ("pay", Nanos::from_secs(2)));
    let header = |name: &str| {
        let found = call.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(
        [":method", ":path", ":authority"].map(header),
        [Some("GET"), Some("/healthz?deep"), Some("pay")]
    );
    assert_eq!(state(&gateway), 1);
    // A good answer brings the next probe at once.
    hear(&gateway, 0, call, answer("418", &[]));
    let calls = gateway.host.take_calls();
    hear(&gateway, 0, &calls[0], answer("204", &[]));
    assert_eq!((state(&gateway), gateway.host.take_calls().len()), (0, 0));
    assert_eq!(gateway.metric("requests_total;breaker=shop/pay;decision=probe"), 2);
    assert!(gateway.get(0, OK));
}

#[test]
fn no_clients_request_is_a_probe() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    gateway.wait(10);
    let asked = gateway.ask(0, "GET", "pay").err().unwrap();
    assert_eq!(reason(&asked), "shop; reason=probing");
    tick(&gateway);
    let asked = gateway.ask(1, "GET", "pay").err().unwrap();
    assert_eq!(reason(&asked), "shop; reason=probing");
}

#[test]
fn never_more_are_out_than_configured() {
    for at_once in [1, 3] {
        let json = CONFIG.replace(
            "\"probes\": {",
            &format!("\"probes\": {{\"at_once\": {at_once}, \"successes\": 9, "),
        );
        let gateway = Gateway::new(4, &json);
        gateway.open();
        for worker in 0..4 {
            assert!(!gateway.get(worker, OK));
        }
        gateway.wait(10);
        tick(&gateway);
        tick(&gateway);
        let calls = gateway.host.take_calls();
        assert_eq!(calls.len(), at_once);
        hear(&gateway, 0, &calls[0], answer("200", &[]));
        assert_eq!(gateway.host.take_calls().len(), 1);
    }
}

#[test]
fn what_is_no_good_answer_opens_again_for_longer() {
    for bad in [
        Answer::Failed,
        answer("503", &[]),
        answer("504", &[]),
        answer("404", &[]),
        answer("none", &[]),
        Answer::Response { headers: Headers::default(), body: Vec::new() },
    ] {
        let gateway = Gateway::new(1, CONFIG);
        gateway.open();
        gateway.wait(10);
        tick(&gateway);
        let calls = gateway.host.take_calls();
        hear(&gateway, 0, &calls[0], bad.clone());
        assert_eq!(state(&gateway), 2, "{bad:?}");
        gateway.wait(19);
        tick(&gateway);
        assert_eq!(gateway.host.take_calls().len(), 0, "{bad:?}");
        gateway.wait(1);
        tick(&gateway);
        assert_eq!(gateway.host.take_calls().len(), 1, "{bad:?}");
    }
}

#[test]
fn the_upstream_can_ask_to_be_left_alone() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    gateway.wait(10);
    tick(&gateway);
    let calls = gateway.host.take_calls();
    hear(&gateway, 0, &calls[0], answer("503", &[("retry-after", "60")]));
    gateway.wait(59);
    tick(&gateway);
    assert_eq!(gateway.host.take_calls().len(), 0);
    gateway.wait(1);
    tick(&gateway);
    assert_eq!(gateway.host.take_calls().len(), 1);
}

#[test]
fn a_probe_that_is_never_heard_of_runs_out() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    gateway.wait(10);
    tick(&gateway);
    let lost = gateway.host.take_calls();
    gateway.wait(3);
    tick(&gateway);
    assert_eq!(gateway.host.take_calls().len(), 0);
    gateway.wait(1);
    tick(&gateway);
    assert_eq!(gateway.host.take_calls().len(), 1, "twice the timeout has passed");
    // What comes after all says nothing any more about the permit of the other one.
    hear(&gateway, 0, &lost[0], Answer::Failed);
    hear(&gateway, 0, &lost[0], Answer::Failed);
}

#[test]
fn probing_goes_on_after_an_update_and_a_crash() {
    let mut gateway = Gateway::new(2, CONFIG);
    gateway.open();
    for worker in 0..2 {
        gateway.workers[worker] = filter(&gateway.host, CONFIG);
    }
    gateway.wait(10);
    tick(&gateway);
    let calls = gateway.host.take_calls();
    assert_eq!(calls.len(), 1);
    hear(&gateway, 0, &calls[0], answer("200", &[]));
    let calls = gateway.host.take_calls();
    hear(&gateway, 0, &calls[0], answer("200", &[]));
    assert_eq!(state(&gateway), 0);
    // Another rule, and breakers told apart by something else, are not taken for them.
    for other in [
        CONFIG.replace("shop", "other"),
        CONFIG
            .replace("\"probes\": {", "\"per\": \"virtual_host\", \"probes\": {")
            .replace("\"path\"", "\"cluster\": \"pay\", \"path\""),
    ] {
        gateway.workers[0] = filter(&gateway.host, &other);
        let before = gateway.host.shared_ops();
        gateway.workers[0].on_tick(&gateway.host);
        assert_eq!(gateway.host.shared_ops(), before, "{other}");
    }
}

#[test]
fn a_worker_that_has_met_no_breaker_does_nothing() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    let main_thread = filter(&gateway.host, &CONFIG.replace("shop", "other"));
    gateway.wait(10);
    let before = gateway.host.shared_ops();
    main_thread.on_tick(&gateway.host);
    assert_eq!((gateway.host.shared_ops(), gateway.host.take_calls().len()), (before, 0));
}

#[test]
fn a_slow_probe_is_a_bad_one_where_slow_calls_are() {
    let json = CONFIG.replace("\"open\"", "\"slow\": {\"duration\": \"1s\"}, \"open\"");
    let gateway = Gateway::new(1, &json);
    gateway.open();
    gateway.wait(10);
    tick(&gateway);
    let calls = gateway.host.take_calls();
    gateway.host.advance(Nanos::from_millis(1_500));
    hear(&gateway, 0, &calls[0], answer("200", &[]));
    assert_eq!(state(&gateway), 2);
}
