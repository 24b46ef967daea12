//! The statistics of several workers on one host in memory: sums, resets, losses and bounds.
#![cfg(test)]

use std::rc::Rc;

use kit::fake::FakeHost;
use kit::{Host, Nanos};
use weir_metrics::exclusion::Exclusion;
use weir_metrics::facts::Facts;
use weir_metrics::labels::{Class, Method, Outcome};
use weir_metrics::stats::failures::Failure;
use weir_metrics::stats::settings::{Errors, Settings};
use weir_metrics::stats::{Statistics, TICK};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn host() -> FakeHost {
    let host = FakeHost::default();
    host.set_now(Nanos::from_secs(1_000));
    host.set_wall(Nanos::from_secs(1_700_000_000));
    host
}

fn worker(host: &FakeHost) -> Statistics {
    Statistics::open(host, Settings::default(), Errors::default())
}

fn facts(route: &str, status: u64, millis: u64) -> Facts {
    Facts {
        route: Some(Rc::from(route.as_bytes())),
        method: Method::Get,
        status,
        details: Some(Rc::from(&b"via_upstream"[..])),
        outcome: if status == 0 { Outcome::Aborted } else { Outcome::Upstream },
        duration: Some(Nanos::from_millis(millis)),
        ..Facts::default()
    }
}

/// Counts an exchange; a failure is kept with its status alone.
fn count(worker: &Statistics, host: &FakeHost, facts: &Facts) {
    worker.count(facts, &[("response-cache", "miss")], |_| Failure {
        time: host.wall(),
        status: facts.status,
        ..Failure::default()
    });
}

fn requests(worker: &Statistics, host: &FakeHost) -> u64 {
    worker.snapshot(host).book.total().requests()
}

/// The next tick of all of these.
fn tick(host: &FakeHost, workers: &[&Statistics]) {
    host.advance(TICK);
    workers.iter().for_each(|worker| worker.tick(host));
}

#[test]
fn all_workers_are_one_sum_a_tick_later() {
    let host = host();
    let [a, b, c] = [(); 3].map(|()| worker(&host));
    for n in 0..60 {
        let status = if n % 6 == 0 { 503 } else { 200 };
        count([&a, &b, &c][n % 3], &host, &facts(["x", "y"][n % 2], status, 10));
    }
    assert_eq!(requests(&a, &host), 20, "what the others have is not added up yet");
    tick(&host, &[&a, &b, &c]);
    let book = c.snapshot(&host).book;
    let total = book.total();
    assert_eq!((total.requests(), total.errors(), total.of_class(Class::Successful)), (60, 10, 50));
    assert_eq!(total.of_outcome(Outcome::Upstream), 60);
    assert_eq!(book.statuses, [(200, 50), (503, 10)]);
    assert_eq!(book.methods[Method::Get as usize], 60);
    assert_eq!(book.decisions[0].count, 60);
    assert_eq!(book.routes.iter().map(|(_, tally)| tally.requests()).collect::<Vec<_>>(), [30, 30]);
    assert_eq!(total.latency.average(), Some(Nanos::from_millis(10)));
    assert_eq!(
        total.latency.quantile(990),
        Some(Nanos::from_millis(10)),
        "never beyond the longest"
    );
    assert_eq!(a.snapshot(&host).book, book, "whoever reads");
}

#[test]
fn counting_asks_the_host_for_nothing() {
    let host = host();
    let worker = worker(&host);
    let before = host.shared_ops();
    for n in 0..1_000 {
        count(&worker, &host, &facts(&format!("r{}", n % 7), 200, n));
    }
    assert_eq!(host.shared_ops(), before);
    tick(&host, &[&worker]);
    let (gets, sets) = host.shared_ops();
    assert_eq!((gets - before.0, sets - before.1), (2, 2), "the book and a slice");
    tick(&host, &[&worker]);
    assert_eq!(host.shared_ops(), (gets, sets), "nothing to add up");
}

#[test]
fn ticks_that_come_more_often_add_up_no_more_often() {
    let host = host();
    let worker = worker(&host);
    let before = host.shared_ops().1;
    for _ in 0..100 {
        count(&worker, &host, &facts("x", 200, 1));
        host.advance(Nanos::from_millis(100));
        worker.tick(&host);
    }
    assert_eq!((host.shared_ops().1 - before) / 2, 33);
}

#[test]
fn a_conflict_loses_and_doubles_nothing() {
    let host = host();
    let [a, b] = [(); 2].map(|()| worker(&host));
    for conflicts in 0..20 {
        count(&a, &host, &facts("x", 200, 1));
        count(&b, &host, &facts("x", 200, 1));
        host.schedule_conflicts(conflicts);
        tick(&host, &[&a, &b]);
    }
    assert_eq!(requests(&a, &host), 40);
    // More conflicts than anybody tries against: it stays with the worker until the next tick.
    count(&a, &host, &facts("x", 200, 1));
    host.schedule_conflicts(64);
    tick(&host, &[&a]);
    assert_eq!(requests(&b, &host), 40);
    tick(&host, &[&a]);
    assert_eq!(requests(&b, &host), 41);
}

#[test]
fn a_lost_worker_takes_a_tick_with_it_and_no_more() {
    let host = host();
    let [a, b] = [(); 2].map(|()| worker(&host));
    for _ in 0..10 {
        count(&a, &host, &facts("x", 200, 1));
        tick(&host, &[&a]);
    }
    count(&a, &host, &facts("x", 200, 1));
    drop(a);
    assert_eq!(requests(&b, &host), 10);
    let again = worker(&host);
    count(&again, &host, &facts("x", 200, 1));
    assert_eq!(requests(&again, &host), 11);
}

#[test]
fn after_a_reset_nothing_old_comes_back() {
    let host = host();
    let [a, b, idle] = [(); 3].map(|()| worker(&host));
    for worker in [&a, &b] {
        count(worker, &host, &facts("x", 500, 1));
    }
    tick(&host, &[&idle]);
    assert_eq!(a.reset(&host), Ok(1), "what it had itself, and what was added up");
    assert_eq!(requests(&a, &host), 0);
    // The other has not heard of it: what it has is from before.
    tick(&host, &[&a, &b]);
    assert_eq!(requests(&a, &host), 0);
    let generation = a.snapshot(&host).book.reset_at;
    assert_eq!(a.failures(&host, generation).total, 0);
    assert!(a.slices(&host, generation, Nanos::MINUTE).is_empty());
    // What ends later counts, also with a worker that has not read the book since.
    for worker in [&a, &b, &idle] {
        count(worker, &host, &facts("x", 500, 1));
    }
    tick(&host, &[&a, &b, &idle]);
    assert_eq!(requests(&a, &host), 3);
    assert_eq!(a.failures(&host, generation).total, 3);
    assert_eq!(a.snapshot(&host).book.started, Nanos::from_secs(1_000), "since the start");
}

#[test]
fn two_resets_at_one_reading_of_the_clock_are_two() {
    let host = host();
    let worker = worker(&host);
    count(&worker, &host, &facts("x", 200, 1));
    assert_eq!((worker.reset(&host), worker.reset(&host)), (Ok(1), Ok(0)));
    count(&worker, &host, &facts("x", 200, 1));
    tick(&host, &[&worker]);
    count(&worker, &host, &facts("x", 200, 1));
    assert!((1..=2).contains(&requests(&worker, &host)));
}

#[test]
fn routes_are_bounded_and_all_is_still_in_the_total() {
    let host = host();
    let settings = Settings { max_routes: 3, ..Settings::default() };
    let [a, b] = [(); 2].map(|()| Statistics::open(&host, settings, Errors::default()));
    for n in 0..50 {
        count(&a, &host, &facts(&format!("a{n}"), 200, 1));
        count(&b, &host, &facts(&format!("b{n}"), 200, 1));
    }
    tick(&host, &[&a, &b]);
    let book = a.snapshot(&host).book;
    assert_eq!(book.routes.len(), 3);
    assert_eq!((book.total().requests(), book.folded.requests()), (100, 97));
    let long = "x".repeat(1_000);
    count(&a, &host, &facts(&long, 200, 1));
    assert!(a.snapshot(&host).book.routes.iter().all(|(name, _)| name.len() <= 128));
}

#[test]
fn what_is_no_clients_is_counted_apart() {
    let host = host();
    let worker = worker(&host);
    for reason in Exclusion::ALL {
        count(&worker, &host, &Facts { excluded: Some(reason), ..facts("x", 503, 1) });
    }
    let snapshot = worker.snapshot(&host);
    let book = &snapshot.book;
    assert_eq!((book.total().requests(), book.operations, book.excluded), (0, 1, 2));
    assert_eq!(worker.failures(&host, snapshot.book.reset_at).total, 0);
}

#[test]
fn only_answers_tell_how_long_answers_take() {
    let host = host();
    let worker = worker(&host);
    let left = Facts { outcome: Outcome::Aborted, ..facts("x", 200, 1) };
    for facts in [facts("x", 0, 1), facts("x", 101, 1), left, facts("x", 200, 7)] {
        count(&worker, &host, &facts);
    }
    let total = worker.snapshot(&host).book.total();
    assert_eq!((total.requests(), total.latency.count()), (4, 1));
    assert_eq!(total.latency.min(), Some(Nanos::from_millis(7)));
}

#[test]
fn the_last_minutes_are_those_and_no_others() {
    let host = host();
    let worker = worker(&host);
    let generation = worker.snapshot(&host).book.reset_at;
    // One a second for ten minutes: the ring goes round twice.
    for _ in 0..600 {
        count(&worker, &host, &facts("x", 200, 1));
        host.advance(Nanos::SECOND);
        worker.tick(&host);
    }
    for (minutes, expected) in [(1, 60), (5, 300)] {
        let window = Nanos::from_mins(minutes);
        let sum: u64 = worker
            .slices(&host, generation, window)
            .iter()
            .map(|slice| slice.tally.requests())
            .sum();
        assert!(sum.abs_diff(expected) <= 5, "{minutes} minutes: {sum}");
    }
    host.advance(Nanos::from_mins(6));
    assert!(worker.slices(&host, generation, Nanos::from_mins(5)).is_empty());
}

#[test]
fn failures_are_the_latest_of_all_workers() {
    let host = host();
    let errors = Errors { max: 5, ..Errors::default() };
    let [a, b] = [(); 2].map(|()| Statistics::open(&host, Settings::default(), errors));
    for n in 0..20 {
        host.advance(Nanos::MILLISECOND);
        count([&a, &b][n % 2], &host, &facts("x", 500 + n as u64, 1));
        if n % 4 == 3 {
            tick(&host, &[&a, &b]);
        }
    }
    let generation = a.snapshot(&host).book.reset_at;
    let failures = b.failures(&host, generation);
    let kept: Vec<u64> = failures.kept.iter().map(|failure| failure.status).collect();
    assert_eq!((failures.total, kept), (20, vec![515, 516, 517, 518, 519]));
}

#[test]
fn what_fails_is_what_is_configured() {
    let errors =
        Errors { statuses: [404..=404].into_iter().collect(), aborted: false, ..Errors::default() };
    assert!(errors.keep(&facts("x", 404, 1)));
    assert!(!errors.keep(&facts("x", 500, 1)) && !errors.keep(&facts("x", 0, 1)));
    let broken = Facts {
        details: Some(Rc::from(
            &b"upstream_reset_after_response_started{connection_termination}"[..],
        )),
        ..facts("x", 200, 1)
    };
    assert!(errors.keep(&broken), "its status was good when it was sent");
    let usual = Errors::default();
    assert!(usual.keep(&facts("x", 0, 1)) && usual.keep(&facts("x", 599, 1)));
    assert!(!usual.keep(&facts("x", 499, 1)));
}

#[test]
fn bytes_of_another_version_are_none() {
    let host = host();
    let worker = worker(&host);
    count(&worker, &host, &facts("x", 500, 1));
    tick(&host, &[&worker]);
    for key in host.shared_keys() {
        kit::shared::SharedData::shared_set(&host, &key, &[9, 9, 9], None).unwrap();
    }
    assert_eq!(requests(&worker, &host), 0);
    count(&worker, &host, &facts("x", 500, 1));
    tick(&host, &[&worker]);
    assert_eq!(requests(&worker, &host), 1);
}

#[test]
fn switched_off_it_counts_nothing_and_tells_what_others_counted() {
    let host = host();
    let off = Settings { enabled: false, ..Settings::default() };
    let [a, b] = [off, Settings::default()]
        .map(|settings| Statistics::open(&host, settings, Errors::default()));
    for worker in [&a, &b] {
        count(worker, &host, &facts("x", 200, 1));
    }
    tick(&host, &[&a, &b]);
    assert_eq!(requests(&a, &host), 1);
}

#[cfg(not(target_arch = "wasm32"))]
mod laws {
    use super::*;
    use proptest::prelude::*;

    /// What may happen to three workers.
    #[derive(Debug, Clone)]
    enum Step {
        Ends { worker: usize, route: usize, status: u64, millis: u64 },
        Ticks { worker: usize, conflicts: u32 },
        Reads { worker: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let status = prop::sample::select(vec![0_u64, 101, 200, 304, 404, 429, 500, 503, 999]);
        prop_oneof![
            4 => (0..3_usize, 0..5_usize, status, 1..10_000_u64)
                .prop_map(|(worker, route, status, millis)| Step::Ends { worker, route, status, millis }),
            2 => (0..3_usize, 0..4_u32).prop_map(|(worker, conflicts)| Step::Ticks { worker, conflicts }),
            1 => (0..3_usize).prop_map(|worker| Step::Reads { worker }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_order_everything_is_counted_once(steps in prop::collection::vec(step(), 1..200)) {
            let host = host();
            let settings = Settings { max_routes: 3, ..Settings::default() };
            let workers =
                [(); 3].map(|()| Statistics::open(&host, settings, Errors::default()));
            let (mut n, mut n_failures, mut nanos) = (0_u64, 0_u64, 0_u64);
            for step in steps {
                match step {
                    Step::Ends { worker, route, status, millis } => {
                        let facts = facts(&format!("r{route}"), status, millis);
                        count(&workers[worker], &host, &facts);
                        n += 1;
                        n_failures += u64::from(status == 0 || (500..600).contains(&status));
                        nanos += if status >= 200 { millis * 1_000_000 } else { 0 };
                    }
                    Step::Ticks { worker, conflicts } => {
                        host.schedule_conflicts(conflicts);
                        host.advance(TICK);
                        workers[worker].tick(&host);
                        host.schedule_conflicts(0);
                    }
                    Step::Reads { worker } => {
                        prop_assert!(requests(&workers[worker], &host) <= n);
                    }
                }
            }
            host.advance(TICK);
            workers.iter().for_each(|worker| worker.tick(&host));
            let book = workers[0].snapshot(&host).book;
            let total = book.total();
            prop_assert_eq!(total.requests(), n);
            prop_assert_eq!(book.methods.iter().sum::<u64>(), n);
            let outcomes: u64 = Outcome::ALL.iter().map(|outcome| total.of_outcome(*outcome)).sum();
            let classes: u64 = Class::ALL.iter().map(|class| total.of_class(*class)).sum();
            prop_assert_eq!((outcomes, classes), (n, n));
            let average = total.latency.average().map_or(0, |average| average.0);
            let expected = nanos.checked_div(total.latency.count()).unwrap_or(0);
            prop_assert_eq!(average, expected);
            prop_assert_eq!(workers[1].failures(&host, book.reset_at).total, n_failures);
            prop_assert!(book.routes.len() <= 3);
        }
    }
}
