//! Answers that begin and go on: what their beginning says, and what their end adds; the same on wasm32.
#![cfg(test)]

use weir_circuit_breaker::breaker::settings::{Settings, Trip};
use weir_circuit_breaker::breaker::window::Span;
use weir_circuit_breaker::breaker::{Begun, Cause, Event, State, Ticket, Transition};

mod bench;
mod common;

use bench::{Bench, secs, settings};
use common::{ABORTED, BROKEN, CONFIG, Gateway};
use kit::Nanos;
use kit::exchange::{Exchange as _, Map};
use kit::units::Ratio;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const UPSTREAM_CLOSED: u64 = 0x40;
const CLIENT_LEFT: u64 = 0x4000;

fn begin(bench: &mut Bench, ticket: Ticket) -> Begun {
    bench.step(Event::Begun { ticket, is_slow: false }).begun.unwrap()
}

fn stream(bench: &mut Bench) -> (Ticket, Begun) {
    let ticket = bench.ticket();
    (ticket, begin(bench, ticket))
}

fn break_off(bench: &mut Bench, (ticket, begun): (Ticket, Begun)) -> Option<Transition> {
    bench.step(Event::Broken { ticket, begun, luck: 0 }).transition
}

#[test]
fn scattered_failures_among_streams_make_no_row() {
    let mut bench = Bench::new(settings());
    for n in 0..150 {
        let (ticket, begun) = stream(&mut bench);
        if n % 30 == 0 {
            assert_eq!(bench.fail(), None);
        }
        if begun.ends_row {
            bench.step(Event::Whole(ticket));
        }
    }
    assert_eq!(bench.breaker.state, State::Closed);
    let tally = bench.breaker.tally(&bench.settings, bench.now);
    assert_eq!((tally.n_ended, tally.n_failed), (155, 5));
}

#[test]
fn a_service_that_breaks_off_every_answer_opens_in_a_row() {
    let mut bench = Bench::new(settings());
    for n in 1..=5 {
        let passing = stream(&mut bench);
        let opened = break_off(&mut bench, passing);
        assert_eq!(opened.is_some(), n == 5, "{n}");
        if let Some(opened) = opened {
            assert_eq!(opened.cause, Cause::Consecutive { n_failed: 5, retry_in: secs(60) });
        }
    }
    // Those that are under way together, too.
    let mut bench = Bench::new(settings());
    let passing: Vec<_> = (0..5).map(|_| stream(&mut bench)).collect();
    let opened: Vec<_> = passing.into_iter().filter_map(|one| break_off(&mut bench, one)).collect();
    assert_eq!(opened.len(), 1);
}

#[test]
fn a_broken_answer_takes_the_place_of_its_success_in_both_windows() {
    for window in [Span::Time(secs(60)), Span::Count(8)] {
        let ratio = Some(Trip { threshold: Ratio::from_percent(50), min_requests: 4 });
        let mut bench = Bench::new(Settings { consecutive: None, ratio, window, ..settings() });
        let passing: Vec<_> = (0..4).map(|_| stream(&mut bench)).collect();
        bench.wait(20);
        assert_eq!(break_off(&mut bench, passing[1]), None);
        let tally = bench.breaker.tally(&bench.settings, bench.now);
        assert_eq!((tally.n_ended, tally.n_failed), (4, 1), "{window:?}");
        let opened = break_off(&mut bench, passing[3]).unwrap();
        let cause = Cause::Ratio { n_failed: 2, n_ended: 4, retry_in: secs(60) };
        assert_eq!(opened.cause, cause, "{window:?}");
    }
}

#[test]
fn one_that_the_window_has_forgotten_is_counted_anew() {
    for window in [Span::Time(secs(60)), Span::Count(3)] {
        let ratio = Some(Trip { threshold: Ratio::from_percent(100), min_requests: 100 });
        let mut bench = Bench::new(Settings { consecutive: None, ratio, window, ..settings() });
        let passing = stream(&mut bench);
        bench.wait(61);
        for _ in 0..3 {
            bench.succeed();
        }
        break_off(&mut bench, passing);
        let tally = bench.breaker.tally(&bench.settings, bench.now);
        let n_ended = if matches!(window, Span::Count(_)) { 3 } else { 4 };
        assert_eq!((tally.n_ended, tally.n_failed), (n_ended, 1), "{window:?}");
    }
}

#[test]
fn probes_are_judged_when_their_answers_begin_and_a_broken_one_is_taken_back() {
    let mut bench = Bench::opened();
    bench.wait(60);
    for n in 1..=2 {
        let ticket = bench.probe();
        let _begun = begin(&mut bench, ticket);
        assert_eq!(bench.breaker.permits.n_out(secs(30), bench.now), 0, "the permit is free");
        assert_eq!(bench.breaker.state == State::Closed, n == 2);
    }
    let mut bench = Bench::opened();
    let ticket = bench.wait(60).probe();
    let begun = begin(&mut bench, ticket);
    let opened = break_off(&mut bench, (ticket, begun)).unwrap();
    assert_eq!(opened.cause, Cause::ProbeFailed { n_opens: 2, retry_in: secs(120) });
}

/// Through the filter: the client leaves, or the service breaks off; trailers; a switch of protocols.
#[test]
fn the_end_of_an_answer_adds_only_what_the_service_caused() {
    let gateway = Gateway::new(2, CONFIG);
    let results = |gateway: &Gateway| {
        ["success", "failure", "ignored"].map(|result| {
            let name = format!("outcomes_total;breaker=shop/pay;result={result}");
            gateway.host.metric(&format!("weir_circuit_breaker_{name}")).unwrap_or(0)
        })
    };
    for n in 0..40 {
        let mut passing = gateway.ask(n % 2, "GET", "pay").unwrap();
        gateway.begin(&mut passing, 200);
        gateway.finish(passing, CLIENT_LEFT);
        if n % 10 == 0 {
            assert!(gateway.get(0, BROKEN));
        }
        // A socket that its service closes: that is its protocol's affair.
        let mut passing = gateway.ask(n % 2, "GET", "pay").unwrap();
        gateway.begin(&mut passing, 101);
        gateway.finish(passing, UPSTREAM_CLOSED);
    }
    assert!(gateway.get(0, ABORTED));
    assert_eq!(results(&gateway), [80, 4, 1]);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 0);
    for n in 0..3 {
        let mut passing = gateway.ask(n % 2, "GET", "pay").unwrap();
        gateway.begin(&mut passing, 200);
        gateway.finish(passing, UPSTREAM_CLOSED);
    }
    assert_eq!(results(&gateway), [80, 7, 1]);
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2);

    gateway.wait(10);
    for n in 0..2 {
        let mut passing = gateway.ask(n, "GET", "pay").unwrap();
        gateway.begin(&mut passing, 200);
        std::mem::forget(passing);
    }
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 0, "nobody has to read an answer");
    for n in 0..3 {
        let passing = gateway.ask(n % 2, "POST", "pay").unwrap();
        gateway
            .end_with(passing, common::OK, |x| x.set_header(Map::Trailers, "grpc-status", b"14"));
    }
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2, "trailers are heard");
}

/// What a service says of its own time is not asked.
#[test]
fn late_is_what_this_filters_clock_says() {
    let json = r#"{"rules": [{"name": "shop", "ratio": {"enabled": false}, "consecutive": {"enabled": false},
        "slow": {"duration": "200ms", "min_requests": 3, "threshold": "50%"}}]}"#;
    for (took, word, is_open) in [(100, b"90000".as_slice(), false), (300, b"1", true)] {
        let gateway = Gateway::new(1, json);
        for _ in 0..3 {
            let passing = gateway.ask(0, "GET", "pay").unwrap();
            gateway.host.advance(Nanos::from_millis(took));
            gateway.end_with(passing, common::OK, |x| {
                x.set_header(Map::Response, "x-envoy-upstream-service-time", word);
            });
        }
        assert_eq!(gateway.metric("state;breaker=shop/pay") == 2, is_open, "{took} {word:?}");
    }
}
