//! New configurations over ECDS: what is kept of the counts, and what starts afresh.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

const QUOTA: u64 = 20;
const SPENT: u64 = 10;

/// A limiter of two workers before nothing: Envoy answers what is admitted.
fn limiter(configuration: &Value) -> Gateway {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let routes = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
    Setup::new("rate-limit", configuration, nowhere).workers(2).routes(routes).start()
}

fn limit(algorithm: &str, quota: u64, window: &str) -> Value {
    json!({"algorithm": algorithm, "quota": quota, "window": window})
}

fn rules(limit: &Value) -> Value {
    json!({
        "fields": {"x_ratelimit": "seconds"},
        "rules": [{"name": "kept", "key": ["header:x-key"], "limits": [limit]}],
    })
}

fn request(key: &str) -> Request {
    Request::get("/").field("x-key", key)
}

/// Spends so many units of a key.
fn spend(gateway: &Gateway, key: &str, units: u64) {
    for _ in 0..units {
        assert_eq!(request(key).ask(gateway.address()).status(), 200, "{key}");
    }
}

/// How many requests of a key are admitted until none is, of at most a hundred.
fn rest(gateway: &Gateway, key: &str) -> usize {
    (0..100).take_while(|_| request(key).ask(gateway.address()).status() == 200).count()
}

/// What was left of [`QUOTA`] after an update from one limit to the other, when [`SPENT`] units were spent.
fn rest_after(from: &Value, to: &Value) -> usize {
    let gateway = limiter(&rules(from));
    spend(&gateway, "a", SPENT);
    assert!(gateway.update(&rules(to)), "{:?}", gateway.messages());
    rest(&gateway, "a")
}

#[test]
fn changes_around_a_rule_lose_no_count() {
    for algorithm in ["gcra", "fixed_window", "sliding_window"] {
        let mut configuration = rules(&limit(algorithm, QUOTA, "24h"));
        let gateway = limiter(&configuration);
        let other = json!({"name": "other", "match": {"path": {"prefix": "/other"}}, "limits": [limit("gcra", 5, "1h")]});
        type Step<'a> = (&'a str, &'a dyn Fn(&mut Value));
        let steps: [Step<'_>; 10] = [
            ("another rule behind", &|all| {
                all["rules"].as_array_mut().unwrap().push(other.clone())
            }),
            ("the other rule's quota", &|all| all["rules"][1]["limits"][0]["quota"] = json!(7)),
            ("the other rule in front", &|all| all["rules"].as_array_mut().unwrap().reverse()),
            ("the other rule gone", &|all| drop(all["rules"].as_array_mut().unwrap().remove(0))),
            ("the answer for all", &|all| all["answer"] = json!({"body": "later"})),
            ("the answer of the rule", &|all| all["rules"][0]["answer"] = json!({"status": 503})),
            ("the fields", &|all| {
                all["fields"] = json!({"ratelimit": "ietf", "x_ratelimit": "epoch"})
            }),
            ("an exemption for all", &|all| all["exempt"] = json!([{"path": {"exact": "/free"}}])),
            ("an exemption of the rule", &|all| {
                all["rules"][0]["exempt"] = json!([{"path": {"exact": "/health"}}]);
            }),
            ("the match", &|all| all["rules"][0]["match"] = json!({"methods": ["GET"]})),
        ];
        for (spent, (what, change)) in (1..).zip(steps) {
            spend(&gateway, "a", 1);
            change(&mut configuration);
            assert!(gateway.update(&configuration), "{what}: {:?}", gateway.messages());
            let left = request("b").ask(gateway.address());
            assert_eq!(left.field("x-ratelimit-limit"), Some("20"), "{algorithm}, {what}");
            // Every request asks for one key, whose count goes down by it and by nothing else.
            let answer = request("a").ask(gateway.address());
            let expected = (QUOTA - 2 * spent).to_string();
            assert_eq!(
                answer.field("x-ratelimit-remaining"),
                Some(expected.as_str()),
                "{algorithm}: {what}"
            );
        }
        assert_eq!(request("a").ask(gateway.address()).status(), 503, "{algorithm}: all is spent");
    }
}

#[test]
fn gcra_keeps_the_time_that_is_owed() {
    let old = limit("gcra", QUOTA, "24h");
    // Half of one quota is half of another over the same window.
    assert_eq!(rest_after(&old, &limit("gcra", 10, "24h")), 5);
    assert_eq!(rest_after(&old, &limit("gcra", 40, "24h")), 20);
    // Twelve hours are owed: of two days for as many requests a quarter, of twelve hours all.
    assert_eq!(rest_after(&old, &limit("gcra", QUOTA, "48h")), 15);
    assert_eq!(rest_after(&old, &limit("gcra", QUOTA, "12h")), 0);
    // Fifteen may come at once, ten have.
    let mut burst = limit("gcra", QUOTA, "24h");
    burst["burst"] = json!(15);
    assert_eq!(rest_after(&old, &burst), 5);
}

#[test]
fn windows_keep_what_was_spent_in_units() {
    for algorithm in ["fixed_window", "sliding_window"] {
        let old = limit(algorithm, QUOTA, "24h");
        for (quota, rest) in [(12, 2), (10, 0), (5, 0), (40, 30)] {
            assert_eq!(rest_after(&old, &limit(algorithm, quota, "24h")), rest, "{algorithm}");
        }
    }
    // A window that lasts longer, and one that lasts shorter and is not over yet.
    for window in ["48h", "1h"] {
        let old = limit("fixed_window", QUOTA, "24h");
        assert_eq!(rest_after(&old, &limit("fixed_window", QUOTA, window)), 10, "{window}");
    }
}

#[test]
fn what_is_counted_otherwise_starts_afresh() {
    let algorithms = ["gcra", "fixed_window", "sliding_window"];
    for (from, to) in algorithms.iter().zip(algorithms.iter().cycle().skip(1)) {
        let rest = rest_after(&limit(from, QUOTA, "24h"), &limit(to, QUOTA, "24h"));
        assert_eq!(rest, 20, "from {from} to {to}");
    }
    // Slices of another window are other slices.
    let old = limit("sliding_window", QUOTA, "24h");
    assert_eq!(rest_after(&old, &limit("sliding_window", QUOTA, "48h")), 20);
    assert_eq!(rest_after(&old, &limit("sliding_window", QUOTA, "12h")), 20);
}

#[test]
fn a_table_of_another_size_places_keys_anew() {
    let mut configuration = rules(&limit("gcra", QUOTA, "24h"));
    configuration["rules"][0]["max_keys"] = json!(800_000);
    let gateway = limiter(&configuration);
    spend(&gateway, "a", SPENT);
    let resized = |keys: u64| {
        let mut resized = configuration.clone();
        resized["rules"][0]["max_keys"] = json!(keys);
        assert!(gateway.update(&resized), "{:?}", gateway.messages());
        assert_eq!(gateway.metric("weir_rate_limit_capacity;rule=kept"), keys);
    };
    resized(1_000_000);
    assert_eq!(rest(&gateway, "a"), 20);
    assert_eq!(rest(&gateway, "b"), 20);
    // Back where it was, the key finds what it left there: nothing is freed before Envoy ends.
    resized(800_000);
    assert_eq!(rest(&gateway, "a"), 10);
}

#[test]
fn a_request_that_was_in_flight_is_settled_after_the_update() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |request| {
        if request.target() == "/hold" {
            let (is_open, changed) = &*held;
            drop(changed.wait_while(is_open.lock().unwrap(), |open| !*open).unwrap());
            return Act::response(404, &[], "");
        }
        Act::response(200, &[], "")
    });
    let configuration = |quota: u64, body: &str| {
        json!({
            "fields": {"x_ratelimit": "seconds"},
            "answer": {"body": body},
            "rules": [
                {
                    "name": "places", "match": {"path": {"exact": "/hold"}},
                    "limits": [{"algorithm": "concurrency", "quota": 1}],
                },
                {
                    "name": "found", "key": ["header:x-key"],
                    "limits": [limit("fixed_window", quota, "24h")],
                    "refund": {"statuses": [404]},
                },
            ],
        })
    };
    let gateway =
        Setup::new("rate-limit", &configuration(QUOTA, "one"), origin.address()).workers(2).start();
    let left = || -> u64 {
        let answer = request("a").ask(gateway.address());
        answer.field("x-ratelimit-remaining").unwrap().parse().unwrap()
    };
    let hold = || Request::get("/hold").field("x-key", "a").ask(gateway.address());
    assert_eq!(left(), QUOTA - 1);
    thread::scope(|scope| {
        let first = scope.spawn(hold);
        wait::until(PATIENCE, || (origin.hits_of("/hold") == 1).then_some(())).unwrap();
        assert_eq!(left(), QUOTA - 3, "one is charged for the request in flight");
        assert!(gateway.update(&configuration(2 * QUOTA, "two")), "{:?}", gateway.messages());
        // The new configuration knows of the request that came under the old one.
        let refused = hold();
        assert_eq!((refused.status(), refused.text().as_str()), (429, "two"));
        assert_eq!(left(), 2 * QUOTA - 4);
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        assert_eq!(first.join().unwrap().status(), 404);
    });
    // Each look costs one, and the refund gives one back.
    let mut n_looks = 0;
    let given_back = wait::until(PATIENCE, || {
        n_looks += 1;
        (left() == 2 * QUOTA - 4 + 1 - n_looks).then_some(())
    });
    assert!(given_back.is_some(), "the 404 stayed charged");
    assert_eq!(hold().status(), 404, "the place is free");
}
