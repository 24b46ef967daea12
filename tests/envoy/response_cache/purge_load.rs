//! Purges while everybody reads: what was purged is seen by nobody who asks after the purge was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

use super::status_of;

/// Readers, more than workers: several share one.
const N_READERS: usize = 8;
/// Purges of each kind.
const N_PURGES: u64 = 25;

/// An origin whose resource has a version, and the version.
fn versioned() -> (Origin, Arc<AtomicU64>) {
    let version = Arc::new(AtomicU64::new(0));
    let current = Arc::clone(&version);
    let origin = Origin::start(move |_| {
        let fields = [("cache-control", "max-age=600"), ("surrogate-key", "page")];
        Act::response(200, &fields, current.load(Ordering::SeqCst).to_string())
    });
    (origin, version)
}

fn purges() -> Vec<Request> {
    let delete = |what: &str| Request::new("DELETE", &format!("/weir/entries?{what}"));
    vec![
        delete("tag=page"),
        delete("url=http%3A%2F%2Fexample.com%2Fpage"),
        delete("prefix=http%3A%2F%2Fexample.com%2F"),
        delete("pattern=%2F**"),
        delete("everything=true"),
        Request::new("PURGE", "/page"),
        Request::new("PURGE", "/other").field("surrogate-key", "page"),
    ]
}

/// Readers read while a writer changes the resource and purges it; tells how many answers came from the store.
fn read_while_purging(gateway: &Gateway, version: &AtomicU64) -> usize {
    // The oldest version that a request begun from now on may be answered with.
    let floor = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..N_READERS)
            .map(|_| {
                let (floor, is_over) = (&floor, &is_over);
                scope.spawn(move || {
                    let mut hits = 0_usize;
                    while !is_over.load(Ordering::SeqCst) {
                        // A connection of its own now and then, so that it meets every worker.
                        let mut connection = Connection::open(gateway.address());
                        for _ in 0..16 {
                            let oldest = floor.load(Ordering::SeqCst);
                            let answer = connection.ask(&Request::get("/page")).expect("an answer");
                            let found: u64 = answer.text().parse().expect("a version");
                            assert!(
                                found >= oldest,
                                "{found} after {oldest} was purged for: {answer:?}"
                            );
                            hits += usize::from(status_of(&answer).contains("hit"));
                        }
                    }
                    hits
                })
            })
            .collect();
        let mut connection = Connection::open(gateway.address());
        for turn in 0..N_PURGES {
            for purge in purges() {
                let next = version.fetch_add(1, Ordering::SeqCst) + 1;
                let answer = connection.ask(&purge).expect("an answer");
                assert_eq!(answer.status(), 200, "turn {turn}: {answer:?}");
                floor.store(next, Ordering::SeqCst);
                // Until it is stored again there is nothing to purge.
                let mut looks = 0..1_000;
                assert!(looks.any(|_| status_of(&gateway.get("/page")).contains("hit")));
            }
        }
        is_over.store(true, Ordering::SeqCst);
        readers.into_iter().map(|reader| reader.join().expect("no reader fails")).sum()
    })
}

fn configuration() -> Value {
    json!({"operations": {"path": "/weir", "source": "127.0.0.0/8"}})
}

#[test]
fn nobody_sees_an_older_version_after_the_purge_was_answered() {
    let (origin, version) = versioned();
    let setup = Setup::new("response-cache", &configuration(), origin.address());
    let gateway = setup.workers(4).start();
    let hits = read_while_purging(&gateway, &version);
    assert!(hits > 1_000, "{hits} hits: the store must have answered, else this proves nothing");
}

#[test]
fn nor_where_envoy_keeps_no_statistics_of_modules() {
    let (origin, version) = versioned();
    let setup = Setup::new("response-cache", &configuration(), origin.address());
    let gateway = setup.workers(4).without_statistics_of_modules().start();
    let said = |line: &String| line.contains("keeps no value");
    assert!(gateway.messages().iter().any(said), "{:?}", gateway.messages());
    assert_eq!(gateway.metric("weir_response_cache_purge_sequence"), 0);
    let hits = read_while_purging(&gateway, &version);
    assert!(hits > 1_000, "{hits} hits: the store must have answered, else this proves nothing");
}
