//! What is under way, over several workers on one host in memory.
#![cfg(test)]

use kit::Nanos;
use kit::fake::FakeHost;
use weir_metrics::in_flight::{InFlight, LEASE, MAX_ROUTES, TICK, UnderWay};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn host() -> FakeHost {
    let host = FakeHost::default();
    host.set_now(Nanos::from_secs(1_000));
    host
}

fn gauge(host: &FakeHost, route: &str) -> i64 {
    host.metric(&format!("weir_metrics_requests_in_flight;route={route}")).unwrap_or(0)
}

fn begin(worker: &InFlight, route: &str, n: usize) -> Vec<UnderWay> {
    (0..n).map(|_| worker.begin(route.as_bytes())).collect()
}

fn tick(host: &FakeHost, workers: &[&InFlight]) {
    host.advance(TICK);
    workers.iter().for_each(|worker| worker.tick(host));
}

#[test]
fn gauges_and_the_total_follow_what_begins_and_ends_on_every_worker() {
    let host = host();
    let (one, two) = (InFlight::open(&host, 500), InFlight::open(&host, 500));
    let mut api = begin(&one, "api", 3);
    let pages = begin(&two, "pages", 2);
    api.extend(begin(&two, "api", 1));
    tick(&host, &[&one, &two]);
    assert_eq!((gauge(&host, "api"), gauge(&host, "pages")), (4, 2));
    api.truncate(1);
    tick(&host, &[&one, &two]);
    assert_eq!((gauge(&host, "api"), gauge(&host, "pages")), (1, 2));
    // Who asks is told what it has itself at once, and what the others have told.
    drop(pages);
    assert_eq!(two.total(&host), 1);
    drop(api);
    assert_eq!(one.total(&host), 0);
    tick(&host, &[&one, &two]);
    assert_eq!((gauge(&host, "api"), gauge(&host, "pages")), (0, 0));
}

#[test]
fn what_a_lost_worker_had_told_is_taken_back_once() {
    let host = host();
    let workers = [(); 3].map(|()| InFlight::open(&host, 500));
    let [one, two, lost] = &workers;
    let kept = begin(one, "api", 2);
    // Nothing ends on a lost VM.
    std::mem::forget(begin(lost, "api", 5));
    tick(&host, &[one, two, lost]);
    assert_eq!(gauge(&host, "api"), 7);
    for _ in 0..LEASE.as_millis() / TICK.as_millis() + 10 {
        tick(&host, &[one, two]);
    }
    assert_eq!((gauge(&host, "api"), one.total(&host)), (2, 2), "two are renewed, five are gone");
    drop(kept);
    tick(&host, &[one, two]);
    assert_eq!(gauge(&host, "api"), 0);
}

#[test]
fn a_worker_that_slept_longer_than_it_is_believed_tells_again() {
    let host = host();
    let (one, slow) = (InFlight::open(&host, 500), InFlight::open(&host, 500));
    let waiting = begin(&slow, "api", 4);
    tick(&host, &[&one, &slow]);
    host.advance(LEASE);
    tick(&host, &[&one]);
    assert_eq!(gauge(&host, "api"), 0);
    tick(&host, &[&slow]);
    assert_eq!(gauge(&host, "api"), 4);
    drop(waiting);
    tick(&host, &[&one, &slow]);
    assert_eq!(gauge(&host, "api"), 0);
}

#[test]
fn conflicts_move_a_gauge_once() {
    let host = host();
    let (one, two) = (InFlight::open(&host, 500), InFlight::open(&host, 500));
    let _kept = (begin(&one, "api", 1), begin(&two, "api", 1));
    host.schedule_conflicts(2);
    tick(&host, &[&one, &two]);
    assert_eq!(gauge(&host, "api"), 2);
    // A host that stores nothing costs nothing but lateness.
    let more = begin(&one, "api", 1);
    host.refuse_sets(Some("in-flight"));
    tick(&host, &[&one, &two]);
    assert_eq!(gauge(&host, "api"), 2);
    host.refuse_sets(None);
    tick(&host, &[&one, &two]);
    assert_eq!(gauge(&host, "api"), 3);
    // Who meets others three times waits for the next tick, and who retires does not.
    drop(more);
    host.schedule_conflicts(3);
    host.advance(TICK);
    one.tick(&host);
    assert_eq!(gauge(&host, "api"), 3);
    host.schedule_conflicts(10);
    one.tell(&host);
    assert_eq!(gauge(&host, "api"), 2);
}

#[test]
fn it_costs_nothing_while_nothing_changes() {
    let host = host();
    let worker = InFlight::open(&host, 500);
    drop(begin(&worker, "api", 100));
    let before = host.shared_ops();
    tick(&host, &[&worker]);
    assert_eq!(host.shared_ops(), before);
    host.advance(Nanos::from_secs(2));
    tick(&host, &[&worker]);
    let (n_gets, n_sets) = host.shared_ops();
    assert_eq!((n_gets - before.0, n_sets - before.1), (1, 0));
    assert_eq!(host.metric_names(), [""; 0]);
}

#[test]
fn routes_are_bounded_and_the_rest_is_told_together() {
    let host = host();
    let worker = InFlight::open(&host, 2);
    let begun: Vec<_> = (0..10).flat_map(|n| begin(&worker, &format!("r{n}"), 1)).collect();
    tick(&host, &[&worker]);
    assert_eq!((gauge(&host, "r0"), gauge(&host, "r1"), gauge(&host, "_other")), (1, 1, 8));
    assert_eq!(host.metric("weir_metrics_series_overflow_total;family=in_flight"), Some(8));
    drop(begun);
    tick(&host, &[&worker]);
    assert_eq!((gauge(&host, "r0"), gauge(&host, "_other")), (0, 0));

    let worker = InFlight::open(&host, 10_000);
    let long = "x".repeat(200);
    let begun: Vec<_> = (0..1_000).flat_map(|n| begin(&worker, &format!("{n}{long}"), 1)).collect();
    tick(&host, &[&worker]);
    assert!(host.shared_bytes() < MAX_ROUTES * 160, "{}", host.shared_bytes());
    assert_eq!(worker.total(&host), 1_000);
    drop(begun);
}
