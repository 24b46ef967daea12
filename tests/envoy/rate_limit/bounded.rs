//! A flood of distinct keys costs a bounded memory and loses no exhausted key.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::h2;
use serde_json::{Value, json};

/// Distinct keys of the flood.
const KEYS: u64 = 1_000_000;
/// Keys that the table has room for.
const CAPACITY: u64 = 65_536;
/// What a bucket of eight keys takes: the version, eight tags with one word each, and Envoy's own share.
const BUCKET: u64 = 4 + 8 * (16 + 8) + 150;
/// What may come and go in Envoy besides: connections, their buffers, what the admin interface answers.
const SLACK: u64 = 2 << 20;
/// Requests in flight on a connection.
const AT_ONCE: usize = 64;

/// Bytes that Envoy has from its allocator.
fn allocated(gateway: &Gateway) -> u64 {
    let answer = gateway.envoy.get("/memory").unwrap();
    let memory: Value = serde_json::from_str(&answer.body).unwrap();
    memory["allocated"].as_str().unwrap().parse().unwrap()
}

fn metric(gateway: &Gateway, name: &str) -> u64 {
    gateway.metric(&format!("weir_rate_limit_{name};rule=flood"))
}

/// One request for each key of the range; how many were admitted.
fn flood(gateway: &Gateway, keys: Range<u64>, n_done: &AtomicU64) -> u64 {
    let mut connection = h2::Connection::open(gateway.address());
    let mut n_admitted = 0;
    let mut n_open = 0;
    let mut keys = keys.map(|key| format!("key-{key}")).peekable();
    while keys.peek().is_some() || n_open > 0 {
        for key in keys.by_ref().take(AT_ONCE - n_open) {
            connection.get("/", &[("x-key", &key)]);
            n_open += 1;
        }
        // New requests only when half of them are answered, so that one write sends many.
        for _ in 0..n_open.min(AT_ONCE / 2) {
            n_admitted += u64::from(connection.receive().unwrap().is_ok);
            n_open -= 1;
            n_done.fetch_add(1, Ordering::Relaxed);
        }
    }
    n_admitted
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it tells how long the flood took")]
fn a_million_keys_take_the_memory_of_the_table_and_free_no_exhausted_key() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let routes = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
    let configuration = json!({"rules": [{
        "name": "flood",
        "key": ["header:x-key"],
        "max_keys": CAPACITY,
        "limits": [{"quota": 3, "window": "30d"}],
    }]});
    let gateway =
        Setup::new("rate-limit", &configuration, nowhere).workers(2).routes(routes).start();
    let exhausted = Request::get("/").field("x-key", "exhausted");
    let ask = || exhausted.ask(gateway.address()).status();
    assert_eq!([ask(), ask(), ask(), ask()], [200, 200, 200, 429]);
    assert_eq!((metric(&gateway, "capacity"), metric(&gateway, "keys")), (CAPACITY, 1));

    let n_done = AtomicU64::new(0);
    let start = Instant::now();
    let before = allocated(&gateway);
    let (n_admitted, most, full) = thread::scope(|scope| {
        let half = KEYS / 2;
        let floods =
            [0..half, half..KEYS].map(|keys| scope.spawn(|| flood(&gateway, keys, &n_done)));
        let (mut most, mut full) = (0, 0);
        while !floods.iter().all(thread::ScopedJoinHandle::is_finished) {
            assert_eq!(ask(), 429, "the exhausted key after {n_done:?} others");
            most = most.max(allocated(&gateway));
            let n_keys = metric(&gateway, "keys");
            assert!(n_keys <= CAPACITY, "{n_keys}");
            if full == 0 && n_keys == CAPACITY {
                full = n_done.load(Ordering::Relaxed);
            }
        }
        let n_admitted: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        (n_admitted, most, full)
    });
    let after = allocated(&gateway);
    println!(
        "{KEYS} keys in {:?}, table full after {full}; Envoy had {before} bytes, at most {most}, then {after}",
        start.elapsed()
    );
    assert_eq!(n_admitted, KEYS, "each key came once");
    assert_eq!(ask(), 429);
    let allowed = CAPACITY / 8 * BUCKET + SLACK;
    assert!(most - before < allowed, "{most} - {before} is more than {allowed}");
    // Each key took a place of its own or another's.
    let (n_keys, n_evictions) = (metric(&gateway, "keys"), metric(&gateway, "evictions_total"));
    assert_eq!((n_keys, n_keys + n_evictions), (CAPACITY, KEYS + 1));
}
