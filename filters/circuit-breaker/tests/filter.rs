//! The filter on a host in memory, with two workers.
#![cfg(test)]

mod common;

use common::{ABORTED, BROKEN, CONFIG, End, Gateway, OK, filter};
use kit::exchange::Attribute;
use kit::fake::FakeExchange;
use kit::filter::{Filter, Flow};
use weir_circuit_breaker::CircuitBreaker;
use weir_circuit_breaker::breaker::{Cause, State, Transition};
use weir_circuit_breaker::filter::Stream;
use weir_circuit_breaker::policy::Breakers;
use weir_circuit_breaker::unit::Units;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn header<'a>(reply: &'a kit::Reply, name: &str) -> &'a str {
    let found = reply.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
}

#[test]
fn failures_seen_by_two_workers_open_the_breaker_of_both() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    assert!(!gateway.get(0, OK));
    assert!(!gateway.get(1, OK));
    assert_eq!(gateway.metric("transitions_total;breaker=shop/pay;from=closed;to=open"), 1);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2);
    assert_eq!(gateway.metric("not_closed"), 1);
}

#[test]
fn the_answer_of_an_open_breaker_says_who_why_and_when() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    gateway.host.advance(kit::Nanos::from_millis(6_500));
    let reply = gateway.ask(0, "GET", "pay").err().unwrap();
    assert_eq!(
        (reply.status, reply.details, reply.grpc_status),
        (503, "weir_circuit_open", Some(14))
    );
    assert_eq!(header(&reply, "retry-after"), "4");
    assert_eq!(header(&reply, "x-weir-breaker"), "shop; reason=open");
    assert_eq!(header(&reply, "content-type"), "application/problem+json");
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        "{\"type\":\"about:blank\",\"title\":\"Service temporarily unavailable\",\"status\":503,\
         \"breaker\":\"shop\",\"reason\":\"open\"}\n"
    );
}

#[test]
fn one_probe_at_a_time_over_all_workers_and_two_successes_close() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    gateway.wait(10);
    let unsafe_one = gateway.ask(0, "POST", "pay").err().unwrap();
    assert_eq!(header(&unsafe_one, "x-weir-breaker"), "shop; reason=unsafe");
    assert_eq!(header(&unsafe_one, "retry-after"), "1");
    let probe = gateway.ask(0, "GET", "pay").ok().unwrap();
    assert_eq!(probe.notes(), [("circuit-breaker", "probe")]);
    let other = gateway.ask(1, "GET", "pay").err().unwrap();
    assert_eq!(header(&other, "x-weir-breaker"), "shop; reason=probing");
    gateway.end(probe, OK);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 1);
    assert!(gateway.get(1, OK));
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 0);
    assert_eq!(gateway.metric("not_closed"), 0);
    let closed = gateway.ask(0, "POST", "pay").ok().unwrap();
    assert_eq!(closed.notes(), [("circuit-breaker", "closed")]);
    assert_eq!(gateway.metric("requests_total;breaker=shop/pay;decision=probe"), 2);
    assert_eq!(gateway.metric("transitions_total;breaker=shop/pay;from=half_open;to=closed"), 1);
}

#[test]
fn a_failed_probe_opens_again_for_longer() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    gateway.wait(10);
    assert!(gateway.get(1, BROKEN));
    gateway.wait(19);
    assert!(!gateway.get(0, OK));
    gateway.wait(1);
    assert!(gateway.get(0, OK));
}

#[test]
fn a_probe_whose_client_leaves_gives_its_permit_back() {
    let gateway = Gateway::new(2, CONFIG);
    gateway.open();
    gateway.wait(10);
    assert!(gateway.get(0, ABORTED));
    assert!(gateway.get(1, OK));
    assert!(gateway.get(0, OK));
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 0);
}

#[test]
fn clients_that_leave_and_answers_of_others_change_nothing() {
    let gateway = Gateway::new(1, CONFIG);
    for end in
        [ABORTED, End(0, "direct_response", 500), End(0, "", 503), End(0, "via_upstream", 429)]
    {
        for _ in 0..20 {
            assert!(gateway.get(0, end));
        }
    }
    assert_eq!(gateway.metric("outcomes_total;breaker=shop/pay;result=ignored"), 60);
    assert_eq!(gateway.metric("outcomes_total;breaker=shop/pay;result=success"), 20);
}

#[test]
fn its_own_answer_is_no_outcome() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    let x = FakeExchange::get(&gateway.host, "/", &[]).with_attribute(Attribute::Cluster, b"pay");
    let mut stream = Stream::default();
    assert!(matches!(gateway.workers[0].on_request_headers(&mut stream, &x, true), Flow::Reply(_)));
    let before = gateway.host.shared_ops();
    gateway.workers[0].on_log(&mut stream, &x);
    gateway.workers[0].on_log(&mut Stream::default(), &x);
    assert_eq!(gateway.host.shared_ops(), before);
}

#[test]
fn outcomes_of_requests_from_before_the_opening_are_late() {
    let gateway = Gateway::new(2, CONFIG);
    let early = gateway.ask(0, "GET", "pay").ok().unwrap();
    gateway.wait(1);
    gateway.open();
    gateway.wait(10);
    let probe = gateway.ask(1, "GET", "pay").ok().unwrap();
    gateway.end(early, BROKEN);
    assert_eq!(gateway.metric("outcomes_total;breaker=shop/pay;result=late"), 1);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 1);
    gateway.end(probe, OK);
}

#[test]
fn each_cluster_has_its_own_breaker() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    assert!(gateway.ask(0, "GET", "search").is_ok());
    assert!(gateway.ask(0, "GET", "pay").is_err());
}

#[test]
fn a_breaker_can_be_for_the_route_or_the_whole_rule() {
    for (per, label) in [("route", "shop/all"), ("rule", "shop")] {
        let json = CONFIG.replace("\"name\"", &format!("\"per\": \"{per}\", \"name\""));
        let gateway = Gateway::new(1, &json);
        gateway.open();
        assert!(gateway.ask(0, "GET", "search").is_err());
        assert_eq!(gateway.metric(&format!("state;breaker={label}")), 2);
    }
}

#[test]
fn a_request_without_a_rule_or_a_cluster_passes_and_is_counted() {
    let json = CONFIG.replace("\"name\"", "\"match\": {\"methods\": \"GET\"}, \"name\"");
    let gateway = Gateway::new(1, &json);
    assert!(gateway.ask(0, "POST", "pay").is_ok());
    assert!(gateway.ask(0, "GET", "").is_ok());
    assert_eq!(gateway.metric("bypassed_total;reason=no_rule"), 1);
    assert_eq!(gateway.metric("bypassed_total;reason=no_scope"), 1);
}

#[test]
fn state_outlives_an_update_of_the_configuration() {
    let mut gateway = Gateway::new(2, CONFIG);
    gateway.open();
    for worker in 0..2 {
        gateway.workers[worker] = filter(&gateway.host, CONFIG);
        assert!(!gateway.get(worker, OK));
    }
}

#[test]
fn closed_and_healthy_costs_one_get_and_one_set() {
    let gateway = Gateway::new(2, CONFIG);
    assert!(gateway.get(0, OK), "the worker meets the breaker");
    for _ in 0..3 {
        let before = gateway.host.shared_ops();
        let passing = gateway.ask(0, "GET", "pay").ok().unwrap();
        assert_eq!(gateway.host.shared_ops(), before, "no state is read");
        gateway.end(passing, OK);
        let after = gateway.host.shared_ops();
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
    }
}

#[test]
fn rejecting_costs_one_get_and_no_set() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    let before = gateway.host.shared_ops();
    assert!(!gateway.get(0, OK));
    assert_eq!(gateway.host.shared_ops(), (before.0 + 1, before.1));
}

#[test]
fn no_outcome_is_lost_to_conflicts() {
    let gateway = Gateway::new(2, CONFIG);
    for idx in 0..3 {
        let passing = gateway.ask(idx % 2, "GET", "pay").ok().unwrap();
        gateway.host.schedule_conflicts(7);
        gateway.end(passing, BROKEN);
    }
    assert!(!gateway.get(0, OK));
    assert_eq!(gateway.metric("not_closed"), 1);
}

#[test]
fn contention_without_end_is_answered_by_the_failure_mode_and_counted() {
    for (mode, passes) in [("admit", true), ("deny", false)] {
        let json = CONFIG.replace("\"rules\"", &format!("\"on_failure\": \"{mode}\", \"rules\""));
        let gateway = Gateway::new(1, &json);
        gateway.open();
        gateway.wait(10);
        gateway.host.schedule_conflicts(u32::MAX);
        match gateway.ask(0, "GET", "pay") {
            Ok(passing) => {
                assert!(passes);
                gateway.end(passing, OK);
            }
            Err(reply) => {
                assert!(!passes);
                assert_eq!(header(&reply, "x-weir-breaker"), "shop; reason=unknown");
            }
        }
        assert_eq!(gateway.metric("degraded_total;reason=contended"), 1);
        gateway.host.schedule_conflicts(0);
        assert!(gateway.get(0, OK), "it is a probe now");
    }
}

#[test]
fn an_opening_that_is_not_stored_does_not_raise_the_gauge() {
    let gateway = Gateway::new(1, CONFIG);
    for _ in 0..2 {
        gateway.get(0, BROKEN);
    }
    let third = gateway.ask(0, "GET", "pay").ok().unwrap();
    gateway.host.schedule_conflicts(u32::MAX);
    gateway.end(third, BROKEN);
    assert_eq!(gateway.metric("degraded_total;reason=contended"), 1);
    assert_eq!(gateway.metric("not_closed"), 0);
}

#[test]
fn breakers_beyond_the_bound_work_and_share_their_metrics() {
    let json = CONFIG.replace("\"rules\"", "\"max_breakers\": 2, \"rules\"");
    let gateway = Gateway::new(1, &json);
    let n_keys = gateway.host.shared_keys().len();
    for cluster in ["a", "b", "c", "d"] {
        for _ in 0..3 {
            let passing = gateway.ask(0, "GET", cluster).ok().unwrap();
            gateway.end(passing, BROKEN);
        }
        assert!(gateway.ask(0, "GET", cluster).is_err());
    }
    assert_eq!(gateway.host.shared_keys().len(), n_keys);
    assert_eq!(gateway.metric("requests_total;breaker=_other;decision=reject"), 2);
    assert!(!gateway.host.metric_names().iter().any(|name| name.contains("shop/c")));
}

#[test]
fn the_summary_says_what_is_in_force() {
    let gateway = Gateway::new(1, CONFIG);
    assert_eq!(
        gateway.workers[0].summary(),
        ["rule shop, for every request: a breaker per cluster opens after 3 failures in a row \
          or 50% failures of at least 10 requests in 1m, for 10s up to 10m, jitter 0%; \
          closes after 2 successful probes, 1 at a time"]
    );
}

#[test]
fn the_gauge_shows_what_is_and_not_what_a_slow_worker_last_knew() {
    let gateway = Gateway::new(1, CONFIG);
    gateway.open();
    let config =
        kit::config::load("circuit-breaker", CONFIG.as_bytes(), CircuitBreaker::read).unwrap();
    let (host, rule) = (&gateway.host, &config.rules[0]);
    let (breakers, units) = (Breakers::open(host, 64), Units::new(1, 64));
    let unit = units.meet(host, &breakers, 0, rule, b"pay");
    let cause = Cause::Recovered { n_successes: 2 };
    let old = Transition { from: State::HalfOpen, to: State::Closed, cause };
    units.show(host, &breakers, &unit, &old);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2);
}

#[test]
fn a_rule_that_is_switched_off_breaks_nothing() {
    let off = CONFIG.replace("\"name\": \"shop\"", "\"name\": \"shop\", \"enabled\": false");
    assert_ne!(off, CONFIG);
    let gateway = Gateway::new(1, &off);
    assert_eq!(gateway.workers[0].summary(), ["rule shop: switched off"]);
    for _ in 0..20 {
        let passing = gateway.ask(0, "GET", "pay").ok().unwrap();
        gateway.end(passing, BROKEN);
    }
}
