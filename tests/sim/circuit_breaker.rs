//! The circuit breaker: one state for all workers.

mod crash;

use std::time::Duration;

use harness::sim::{Fleet, Module, Outcome, Request, Upstream, World};

const THREE_IN_A_ROW: &str = r#"{"rules": [{"name": "all",
    "consecutive": {"failures": 3}, "ratio": {"enabled": false},
    "open": {"time": "2s", "max_time": "8s", "jitter": "0%"},
    "probes": {"at_once": 1, "successes": 2}}]}"#;

fn fleet(workers: usize) -> Fleet {
    let module = Module::shipped("weir_circuit_breaker");
    Fleet::start(&World::new(5), &module, workers, THREE_IN_A_ROW)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn ask(fleet: &Fleet, worker: usize, upstream: Upstream) -> Outcome {
    fleet.worker(worker).request(Request::get("/")).run(|| upstream)
}

fn opened(workers: usize) -> Fleet {
    let fleet = fleet(workers);
    for worker in 0..3 {
        assert!(ask(&fleet, worker, Upstream::status(500)).forwarded);
    }
    fleet
}

#[test]
fn failures_on_several_workers_open_it_for_all() {
    let fleet = opened(4);
    for worker in 0..4 {
        let rejected = ask(&fleet, worker, Upstream::ok(""));
        assert_eq!((rejected.forwarded, rejected.status()), (false, 503));
        assert_eq!(rejected.header("retry-after"), Some("2"));
        assert_eq!(rejected.header("x-weir-breaker"), Some("all; reason=open"));
        assert_eq!(rejected.reply.unwrap().details, "weir_circuit_open");
    }
    assert_eq!(fleet.world.metric("weir_circuit_breaker_not_closed"), 1);
}

#[test]
fn a_success_in_between_starts_the_count_anew() {
    let fleet = fleet(2);
    for turn in 0..20 {
        let upstream = if turn % 3 == 2 { Upstream::ok("") } else { Upstream::status(503) };
        assert!(ask(&fleet, turn, upstream).forwarded);
    }
}

#[test]
fn half_open_admits_one_probe_among_all_workers() {
    let fleet = opened(2);
    fleet.world.advance(Duration::from_secs(2));
    let mut probe = fleet.worker(0).request(Request::get("/"));
    probe.request_headers();
    assert_eq!(probe.reply(), None, "the probe passes");
    let second = ask(&fleet, 1, Upstream::ok(""));
    assert_eq!(
        (second.forwarded, second.header("x-weir-breaker")),
        (false, Some("all; reason=probing"))
    );
    assert!(probe.complete(|| Upstream::ok("")).forwarded);
}

#[test]
fn successful_probes_close_it() {
    let fleet = opened(2);
    fleet.world.advance(Duration::from_secs(2));
    for worker in 0..2 {
        assert!(ask(&fleet, worker, Upstream::ok("")).forwarded);
    }
    assert_eq!(fleet.world.metric("weir_circuit_breaker_not_closed"), 0);
    for turn in 0..10 {
        assert!(ask(&fleet, turn, Upstream::ok("")).forwarded, "all pass again");
    }
}

#[test]
fn a_failed_probe_opens_it_for_longer() {
    let fleet = opened(2);
    fleet.world.advance(Duration::from_secs(2));
    assert!(ask(&fleet, 0, Upstream::Timeout).forwarded);
    let rejected = ask(&fleet, 1, Upstream::ok(""));
    assert_eq!((rejected.forwarded, rejected.header("retry-after")), (false, Some("4")));
    fleet.world.advance(Duration::from_millis(3_999));
    assert!(!ask(&fleet, 1, Upstream::ok("")).forwarded);
    fleet.world.advance(Duration::from_millis(1));
    assert!(ask(&fleet, 1, Upstream::ok("")).forwarded);
}

#[test]
fn a_client_that_leaves_says_nothing_about_the_upstream() {
    let fleet = fleet(1);
    for _ in 0..10 {
        ask(&fleet, 0, Upstream::ClientLeaves);
    }
    assert!(ask(&fleet, 0, Upstream::ok("")).forwarded);
}

#[test]
fn clusters_do_not_pay_for_each_other() {
    let fleet = opened(1);
    let other = Request::get("/").property("xds|cluster_name", b"other");
    assert!(fleet.worker(0).request(other).run_ok("").forwarded);
}

#[test]
fn conflicts_lose_no_failure() {
    for seed in 0..20 {
        let fleet = fleet(3);
        fleet.world.conflict_by_seed(seed, 40);
        for worker in 0..3 {
            assert!(ask(&fleet, worker, Upstream::Reset).forwarded, "seed {seed}");
        }
        assert!(!ask(&fleet, 0, Upstream::ok("")).forwarded, "seed {seed}");
    }
}

#[test]
fn an_update_and_a_lost_worker_keep_it_open() {
    let fleet = opened(2);
    fleet.update(format!("{THREE_IN_A_ROW} ")).expect("the same");
    assert!(!ask(&fleet, 0, Upstream::ok("")).forwarded);
    fleet.worker(1).reload().expect("the same");
    assert!(!ask(&fleet, 1, Upstream::ok("")).forwarded);
}
