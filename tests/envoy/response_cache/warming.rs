//! URLs that are fetched before anybody asks for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::gate::Gate;
use super::status_of;

/// Requests that an origin has at once, now and at most.
#[derive(Default)]
struct Crowd {
    now: AtomicU64,
    most: AtomicU64,
}

/// An origin that answers when the gate is open, and how many were there at once.
fn origin(gate: &Gate) -> (Origin, Arc<Crowd>) {
    let crowd = Arc::new(Crowd::default());
    let (seen, gate) = (Arc::clone(&crowd), gate.clone());
    let origin = Origin::start(move |request| {
        let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(now, Ordering::SeqCst);
        gate.pass();
        seen.now.fetch_sub(1, Ordering::SeqCst);
        match request.target() {
            "/missing" => Act::response(404, &[], "nothing"),
            "/private" => Act::response(200, &[("cache-control", "private")], "mine"),
            target => Act::response(200, &[("cache-control", "max-age=600")], target),
        }
    });
    (origin, crowd)
}

fn url(target: &str) -> String {
    format!("http://example.com{target}")
}

fn configuration(targets: &[&str], concurrency: u32) -> Value {
    let urls: Vec<String> = targets.iter().map(|target| url(target)).collect();
    let mut configuration = json!({
        "background": {"cluster": "background"},
        "warm": {"concurrency": concurrency},
        "operations": {"path": "/weir", "source": "127.0.0.0/8"},
    });
    if !urls.is_empty() {
        configuration["warm"]["urls"] = json!(urls);
    }
    configuration
}

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(4).way_back().start()
}

fn ask(gateway: &Gateway, method: &str, endpoint: &str) -> (u16, Value) {
    let answer = Request::new(method, &format!("/weir{endpoint}")).ask(gateway.address());
    let body = serde_json::from_slice(&answer.body);
    let log = || gateway.envoy.log_tail();
    (answer.status(), body.unwrap_or_else(|error| panic!("{error}: {answer:?}\n{}", log())))
}

fn progress(gateway: &Gateway) -> Value {
    ask(gateway, "GET", "/warm").1
}

fn await_progress(gateway: &Gateway, what: &str, expected: impl Fn(&Value) -> bool) -> Value {
    let found = wait::until(2 * PATIENCE, || Some(progress(gateway)).filter(&expected));
    found.unwrap_or_else(|| panic!("{what}: {:#}", progress(gateway)))
}

fn is_done(progress: &Value) -> bool {
    progress["state"] == "done"
}

fn is_hit_everywhere(gateway: &Gateway, target: &str) -> bool {
    let hits = |_| -> Message { gateway.get(target) };
    (0..8).map(hits).all(|answer| status_of(&answer).contains("; hit"))
}

const PAGES: [&str; 9] = ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8"];

#[test]
fn the_configured_list_is_fetched_once_and_never_more_at_once_than_allowed() {
    let gate = Gate::default();
    let (origin, crowd) = origin(&gate);
    let gateway = start(&configuration(&PAGES, 3), &origin);
    wait::until(PATIENCE, || (origin.hits() == 3).then_some(())).expect("three are asked for");
    let found = progress(&gateway);
    assert_eq!(
        [&found["state"], &found["running"], &found["waiting"]],
        [&json!("running"), &json!(3), &json!(6)],
        "{found:#}"
    );
    gate.open();
    let found = await_progress(&gateway, "the list is worked off", is_done);
    assert_eq!([&found["stored"], &found["done"]], [&json!(9), &json!({"2xx": 9})], "{found:#}");
    assert_eq!([&found["retries"], &found["lost"]], [&json!(0), &json!(0)], "{found:#}");
    assert_eq!(crowd.most.load(Ordering::SeqCst), 3, "at once");
    for page in PAGES {
        assert_eq!(origin.hits_of(page), 1, "{page}");
        assert!(is_hit_everywhere(&gateway, page), "{page}");
        assert_eq!(origin.hits_of(page), 1, "{page}");
    }
    gateway.await_metric("weir_response_cache_refreshes_total;result=answered", 9);
    // Background requests are no client's: only the hits above count as such.
    gateway.await_metric("weir_response_cache_requests_total;rule=default;decision=background", 9);
    gateway.await_metric("weir_response_cache_requests_total;rule=default;decision=hit", 9 * 8);
}

#[test]
fn operators_put_urls_on_the_list_and_take_them_off() {
    let gate = Gate::default();
    let (origin, crowd) = origin(&gate);
    let gateway = start(&configuration(&[], 1), &origin);
    assert_eq!(progress(&gateway)["state"], "done");
    let put = ask(&gateway, "PUT", &format!("/warm?url={}&url={}", url("/0"), url("/1")));
    assert_eq!(put, (200, json!({"added": 2, "waiting_already": 0})));
    wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).expect("one is asked for");
    let put = ask(&gateway, "PUT", &format!("/warm?url={}&url={}", url("/1"), url("/2")));
    assert_eq!(put, (200, json!({"added": 1, "waiting_already": 1})));
    assert_eq!(ask(&gateway, "DELETE", "/warm"), (200, json!({"stopped": 2})));
    gate.open();
    let found = await_progress(&gateway, "the first goes on", is_done);
    assert_eq!(found["stored"], 1, "{found:#}");
    assert_eq!((origin.hits(), crowd.most.load(Ordering::SeqCst)), (1, 1));
    let lines: Vec<String> = gateway.messages();
    for line in
        ["warm added=2 waiting_already=0", "warm added=1 waiting_already=1", "warm stopped=2"]
    {
        let line = format!("response-cache: operations {line} by=127.0.0.1");
        assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line}: {lines:?}");
    }
}

#[test]
fn what_can_not_be_stored_is_told_with_its_status() {
    let gate = Gate::default();
    gate.open();
    let (origin, _crowd) = origin(&gate);
    let gateway = start(&configuration(&["/missing", "/private", "/0"], 2), &origin);
    let found = await_progress(&gateway, "the list is worked off", is_done);
    assert_eq!(found["done"], json!({"2xx": 2, "4xx": 1}), "{found:#}");
    assert_eq!(found["stored"], 1, "{found:#}");
    let mut failures = found["not_stored"].as_array().unwrap().clone();
    failures.sort_by_key(ToString::to_string);
    let failure = |target, status| json!({"url": url(target), "status": status});
    assert_eq!(failures, [failure("/missing", 404), failure("/private", 200)]);
}

#[test]
fn an_update_fetches_what_is_new_and_repeats_nothing_that_was_done() {
    let gate = Gate::default();
    gate.open();
    let (origin, _crowd) = origin(&gate);
    let gateway = start(&configuration(&["/0", "/1"], 2), &origin);
    await_progress(&gateway, "the list is worked off", is_done);
    let mut same = configuration(&["/0", "/1"], 2);
    same["max_object"] = json!("128KiB");
    assert!(gateway.update(&same), "{:?}", gateway.messages());
    assert_eq!((progress(&gateway)["waiting"].clone(), origin.hits()), (json!(0), 2));
    assert!(gateway.update(&configuration(&["/2"], 2)), "{:?}", gateway.messages());
    let found = |found: &Value| is_done(found) && found["stored"] == 3;
    let found = await_progress(&gateway, "the new list is worked off", found);
    for page in ["/0", "/1", "/2"] {
        assert!(is_hit_everywhere(&gateway, page), "{page}");
    }
    // Whoever had taken a URL when its configuration went has lost it: another fetches it once more.
    let again = ["lost", "retries"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(origin.hits(), 3 + again.iter().sum::<u64>(), "{found:#}");
}
