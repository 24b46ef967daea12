//! Clients of one key get exactly its quota, whichever workers serve them: not one more, not one less.
//!
//! A round is one key: as many connections as [`CONNECTIONS`] ask at the same time, twice as often as the quota allows.
//! Windows are so long that nothing comes back while a test runs.
//! Where only the limiter is looked at, Envoy itself answers: workers then meet in its counts as often as they can.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, Setup};
use harness::origin::Origin;
use serde_json::{Value, json};

const CONNECTIONS: u64 = 8;
const QUOTA: u64 = 20;

/// A limiter with these rules before nothing: Envoy answers what is admitted.
fn limiter(rules: &Value, workers: usize) -> Gateway {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let routes = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
    let configuration = json!({"rules": rules});
    Setup::new("rate-limit", &configuration, nowhere).workers(workers).routes(routes).start()
}

/// How many requests of each round were admitted; `each` is what one connection asks in a round.
///
/// Every ten rounds there are new connections, which the kernel spreads over the workers anew.
fn admitted(gateway: &Gateway, target: &str, rounds: Range<u64>, each: u64) -> Vec<u64> {
    let mut connections = Vec::new();
    let counts = rounds.map(|round| {
        if round % 10 == 0 {
            connections = (0..CONNECTIONS).map(|_| Connection::open(gateway.address())).collect();
        }
        let request = Request::get(target).field("x-round", round.to_string());
        let n_admitted = AtomicU64::new(0);
        thread::scope(|scope| {
            for connection in &mut connections {
                scope.spawn(|| {
                    for _ in 0..each {
                        let status = connection.ask(&request).unwrap().status();
                        assert!(matches!(status, 200 | 429), "{status}");
                        n_admitted.fetch_add(u64::from(status == 200), Ordering::SeqCst);
                    }
                });
            }
        });
        n_admitted.into_inner()
    });
    counts.collect()
}

fn requests(gateway: &Gateway, rule: &str, decision: &str) -> u64 {
    gateway.metric(&format!("weir_rate_limit_requests_total;rule={rule};decision={decision}"))
}

fn rule(name: &str, limits: &Value) -> Value {
    json!({"name": name, "key": ["header:x-round"], "limits": limits})
}

fn assert_exact(algorithm: &str, rounds: u64) {
    for workers in [1, 2, 4] {
        let limits = json!([{"algorithm": algorithm, "quota": QUOTA, "window": "24h"}]);
        let gateway = limiter(&json!([rule("all", &limits)]), workers);
        let counts = admitted(&gateway, "/", 0..rounds, 2 * QUOTA / CONNECTIONS);
        let exact = vec![QUOTA; counts.len()];
        assert_eq!(counts, exact, "{algorithm} with {workers} workers");
        let told = ["admit", "limit"].map(|word| requests(&gateway, "all", word));
        assert_eq!(told, [rounds * QUOTA; 2], "{algorithm} with {workers} workers: the counters");
        let repeated = gateway.metric("weir_rate_limit_conflicts_total;rule=all");
        println!(
            "{algorithm}, {workers} workers: {rounds} rounds exact, {repeated} swaps repeated"
        );
        if workers == 1 {
            assert_eq!(repeated, 0, "one worker meets nobody");
        }
    }
}

#[test]
fn gcra_is_exact() {
    assert_exact("gcra", 100);
}

#[test]
fn a_fixed_window_is_exact() {
    assert_exact("fixed_window", 100);
}

#[test]
fn a_sliding_window_is_exact() {
    assert_exact("sliding_window", 100);
}

#[test]
fn two_limits_of_a_rule_admit_what_the_smaller_one_does() {
    let limits = json!([
        {"quota": QUOTA + 5, "window": "12h"},
        {"algorithm": "sliding_window", "quota": QUOTA, "window": "24h"},
        {"algorithm": "fixed_window", "quota": QUOTA + 1, "window": "6h"},
    ]);
    let gateway = limiter(&json!([rule("all", &limits)]), 4);
    assert_eq!(admitted(&gateway, "/", 0..50, 5), [QUOTA; 50]);
    assert_eq!(["admit", "limit"].map(|word| requests(&gateway, "all", word)), [50 * QUOTA; 2]);
}

#[test]
fn of_requests_that_cost_three_a_third_is_admitted() {
    for algorithm in ["gcra", "fixed_window", "sliding_window"] {
        let limits = json!([{"algorithm": algorithm, "quota": QUOTA, "window": "24h"}]);
        let mut rule = rule("all", &limits);
        rule["cost"] = json!(3);
        let gateway = limiter(&json!([rule]), 4);
        assert_eq!(admitted(&gateway, "/", 0..50, 2), [6; 50], "{algorithm}");
        let told = ["admit", "limit"].map(|word| requests(&gateway, "all", word));
        assert_eq!(told, [6 * 50, 10 * 50], "{algorithm}");
    }
}

#[test]
fn what_a_second_rule_refuses_stays_charged_to_none() {
    for algorithm in ["gcra", "fixed_window", "sliding_window"] {
        // A refused request is charged to the first rule until the second one has spoken:
        // with room for one such request of each connection nobody else is refused by that.
        let first = QUOTA + CONNECTIONS;
        let limits =
            |quota: u64| json!([{"algorithm": algorithm, "quota": quota, "window": "24h"}]);
        let mut second = rule("second", &limits(QUOTA));
        second["match"] = json!({"path": {"prefix": "/both"}});
        let gateway = limiter(&json!([rule("first", &limits(first)), second]), 4);
        assert_eq!(admitted(&gateway, "/both", 0..50, 5), [QUOTA; 50], "{algorithm}");
        assert_eq!(requests(&gateway, "first", "limit"), 0, "{algorithm}");
        assert_eq!(requests(&gateway, "second", "limit"), 50 * QUOTA, "{algorithm}");
        // The refused half of each round left the first rule's quota alone.
        assert_eq!(admitted(&gateway, "/", 0..50, 2), [first - QUOTA; 50], "{algorithm}");
    }
}

#[test]
fn what_is_refused_does_not_reach_the_service() {
    let origin = Origin::plain();
    let limits = json!([{"quota": QUOTA, "window": "24h"}]);
    let configuration = json!({"rules": [rule("all", &limits)]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(4).start();
    assert_eq!(admitted(&gateway, "/", 0..25, 5), [QUOTA; 25]);
    assert_eq!(origin.hits(), 25 * QUOTA);
}
