//! The gateway: the four filters in their order, in one context.

use harness::filters::configuration;
use harness::sim::{Fleet, Module, Outcome, Request, Response, Upstream, World};

fn fleet(configuration: &str) -> Fleet {
    let module = Module::shipped("weir_gateway");
    Fleet::start(&World::new(6), &module, 2, configuration)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn ask(fleet: &Fleet, worker: usize, upstream: Upstream) -> Outcome {
    fleet.worker(worker).request(Request::get("/")).run(|| upstream)
}

fn cacheable() -> Upstream {
    Upstream::Answers(Response::new(200, "x").header("cache-control", "max-age=60"))
}

const STRICT: &str = r#"{
    "metrics": {},
    "rate_limit": {"rules": [{"name": "r", "limits": [{"quota": 5, "window": "1h"}]}]},
    "response_cache": {},
    "circuit_breaker": {"rules": [{"name": "b", "consecutive": {"failures": 2}}]}
}"#;

#[test]
fn request_headers_are_fetched_once_whoever_asks() {
    let fleet = fleet(&configuration("weir_gateway"));
    let outcome = ask(&fleet, 0, cacheable());
    // One map of the request, one of the response.
    assert_eq!(outcome.cost.count("proxy_get_header_map_pairs"), 2);
    let hit = ask(&fleet, 1, cacheable());
    assert!(!hit.forwarded);
    assert_eq!(hit.cost.count("proxy_get_header_map_pairs"), 1);
}

#[test]
fn a_hit_costs_quota_and_the_limit_stands_before_the_cache() {
    let fleet = fleet(STRICT);
    let statuses: Vec<_> = (0..7).map(|turn| ask(&fleet, turn, cacheable()).status()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
}

#[test]
fn a_stored_answer_is_served_while_the_breaker_is_open() {
    let fleet = fleet(STRICT);
    ask(&fleet, 0, cacheable());
    for turn in 0..2 {
        let request = Request::get("/failing");
        assert!(fleet.worker(turn).request(request).run(|| Upstream::status(500)).forwarded);
    }
    let rejected = fleet.worker(0).request(Request::get("/failing")).run_ok("");
    assert_eq!((rejected.forwarded, rejected.status()), (false, 503));
    let hit = ask(&fleet, 1, Upstream::NoHealthyHost);
    assert_eq!((hit.forwarded, hit.status()), (false, 200));
}

#[test]
fn each_exchange_is_counted_once_however_it_ended() {
    let fleet = fleet(STRICT);
    for turn in 0..8 {
        ask(&fleet, turn, cacheable());
    }
    fleet.worker(0).request(Request::get("/")).log_only(Response::new(403, ""));
    assert_eq!(fleet.world.series("weir_metrics_requests_total", &[]), 9);
}

#[test]
fn problems_of_all_sections_are_reported_at_once() {
    let world = World::new(6);
    let bad = r#"{"rate_limit": {"rules": []}, "response_cache": {"nosuch": 1}, "metrcs": {}}"#;
    let refused = Fleet::start(&world, &Module::shipped("weir_gateway"), 1, bad);
    let lines: Vec<_> = refused.err().expect("refused").into_iter().map(|line| line.text).collect();
    for part in ["rate_limit.rules", "response_cache.nosuch", "metrcs"] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part} is not in {lines:#?}");
    }
}
