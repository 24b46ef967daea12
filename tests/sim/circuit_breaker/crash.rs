//! What operators see and did outlives lost VMs, and thousands of keys leave nothing behind.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::sim::{Fleet, Module, Outcome, Request, Response, Upstream, VM_ID, World};
use serde_json::{Value, json};

/// Opens after three failures; operations for whoever comes from this address.
const RULES: &str = r#"{
    "operations": {"path": "/weir", "source": "10.0.0.1"},
    "rules": [
        {"name": "all", "match": {"path": {"prefix": "/all"}}, "consecutive": {"failures": 3},
            "open": {"time": "1h", "max_time": "1h", "jitter": "0%"}},
        {"name": "tenants", "per": "key", "key": "header:x-tenant", "show_keys": true,
            "consecutive": {"failures": 3}}
    ]
}"#;

fn fleet(workers: usize) -> Fleet {
    let module = Module::shipped("weir_circuit_breaker");
    Fleet::start(&World::new(5), &module, workers, RULES)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn ask(fleet: &Fleet, worker: usize, upstream: Upstream) -> Outcome {
    fleet.worker(worker).request(Request::get("/all")).run(|| upstream)
}

/// What an operator's request is told.
fn told(fleet: &Fleet, worker: usize, method: &str, endpoint: &str) -> Value {
    let request = Request::new(method, &format!("/weir{endpoint}")).from("10.0.0.1:50000");
    let answer = fleet.worker(worker).request(request).run(|| Upstream::status(500));
    assert!(!answer.forwarded);
    assert_eq!(answer.status(), 200, "{method} {endpoint}: {}", answer.response.text());
    serde_json::from_str(&answer.response.text()).unwrap()
}

#[test]
fn hands_records_and_events_outlive_every_vm() {
    let fleet = fleet(3);
    for worker in 0..3 {
        assert!(ask(&fleet, worker, Upstream::Reset).forwarded);
    }
    told(&fleet, 0, "PUT", "/control?mode=force_open&rule=all&scope=other&for=10m");
    let seen = |worker| ["/breakers", "/events"].map(|all| told(&fleet, worker, "GET", all));
    let before = seen(0);
    assert_eq!((&before[0]["total"], &before[1]["total"]), (&json!(2), &json!(2)));
    for lost in 0..3 {
        fleet.worker(lost).reload().expect("the same rules");
        for worker in 0..3 {
            assert_eq!(seen(worker), before, "worker {lost} was lost");
            assert!(!ask(&fleet, worker, Upstream::ok("")).forwarded);
        }
    }
    let other = || {
        let request = Request::get("/all").property("xds|cluster_name", b"other");
        fleet.worker(0).request(request).run_ok("").forwarded
    };
    assert!(!other(), "the hand still holds it");
    fleet.world.advance(Duration::from_secs(600));
    assert!(other(), "and lets go when its time is over, though nobody remembers it");
    assert_eq!(told(&fleet, 1, "GET", "/events")["events"][2]["cause"], "released");
}

/// Everything that is shared, by name.
fn shared(world: &World) -> BTreeMap<String, usize> {
    let keys = world.shared_keys(VM_ID).into_iter();
    keys.filter_map(|key| Some((key.clone(), world.shared(VM_ID, &key)?.len()))).collect()
}

#[test]
fn ten_thousand_keys_are_bounded_in_memory_metrics_and_lists() {
    let fleet = fleet(2);
    let fail = |range: std::ops::Range<usize>| {
        for n in range {
            let request = Request::get("/").header("x-tenant", format!("tenant {n}"));
            let ended = fleet.worker(n).request(request).run(|| Upstream::status(500));
            assert!(ended.forwarded && ended.trap.is_none(), "{n}");
        }
    };
    // Enough to have every bucket in use.
    fail(0..2_000);
    let (keys, series) = (shared(&fleet.world), fleet.world.metrics().len());
    let pages: Vec<u64> = fleet.workers.iter().map(|worker| worker.pages()).collect();
    fail(2_000..12_000);
    assert_eq!(shared(&fleet.world), keys);
    assert_eq!(fleet.world.metrics().len(), series);
    assert_eq!(fleet.workers.iter().map(|worker| worker.pages()).collect::<Vec<_>>(), pages);
    let listed = told(&fleet, 0, "GET", "/breakers?limit=1000");
    assert_eq!(listed["total"], 256, "four for each of 64 breakers");
    assert_eq!(listed["breakers"].as_array().unwrap().len(), 256);
    assert!(listed.to_string().contains("tenant 11999"), "the latest is there");
}

#[test]
fn conflicts_neither_lose_an_event_nor_tell_it_twice() {
    for seed in 0..10 {
        let fleet = fleet(3);
        fleet.world.conflict_by_seed(seed, 40);
        for round in 0..20 {
            for worker in 0..3 {
                ask(&fleet, worker + round, Upstream::Answers(Response::new(500, "")));
            }
            told(&fleet, round, "POST", "/reset?rule=all");
        }
        let events = told(&fleet, 0, "GET", "/events");
        let words: Vec<[&str; 3]> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| ["from", "to", "cause"].map(|name| event[name].as_str().unwrap()))
            .collect();
        let round = [["closed", "open", "consecutive"], ["open", "closed", "reset"]];
        assert_eq!(words, round.repeat(20), "seed {seed}");
        let labels = |from, to| [("breaker", "all/upstream"), ("from", from), ("to", to)];
        let counted = |from, to| {
            fleet.world.series("weir_circuit_breaker_transitions_total", &labels(from, to))
        };
        assert_eq!((counted("closed", "open"), counted("open", "closed")), (20, 20));
    }
}
