//! The newest configuration goes before an older one: what belongs to the older one is not forgotten.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use harness::sim::{
    Action, Answer, CallResponse, Fleet, Module, Request, Response, Upstream, World,
};

use super::article;

/// Two configurations that share their store.
const FIRST: &str = r#"{"background": {"cluster": "back"}, "collapse": {"timeout": "2s"}}"#;
const SECOND: &str = r#"{"background": {"cluster": "back"}, "collapse": {"timeout": "3s"}}"#;

fn fleet() -> Fleet {
    let module = Module::shipped("weir_response_cache");
    Fleet::start(&World::new(4), &module, 1, FIRST)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn stale_soon() -> Response {
    Response::new(200, "old").header("cache-control", "max-age=1, stale-while-revalidate=600")
}

#[test]
fn who_waits_wakes_though_the_configuration_that_came_last_is_gone() {
    let fleet = fleet();
    let mut leader = fleet.worker(0).request(Request::get("/a"));
    assert_eq!(leader.request_headers(), Action::Continue);
    let mut early = fleet.worker(0).request(Request::get("/a"));
    assert_eq!(early.request_headers(), Action::Pause);
    fleet.update(SECOND).expect("it is right");
    assert_eq!(fleet.worker(0).roots(), 2);
    fleet.update(FIRST).expect("it was right before");
    assert_eq!(fleet.worker(0).roots(), 1, "the one that came last is gone");
    let mut late = fleet.worker(0).request(Request::get("/a"));
    assert_eq!(late.request_headers(), Action::Pause);
    leader.response_headers(article().headers, false);
    leader.response_body(b"article", true);
    leader.finish();
    let before = fleet.world.now();
    for waiting in [early, late] {
        let answered = waiting.complete(|| Upstream::Answers(Response::new(500, "not asked")));
        assert_eq!((answered.forwarded, answered.response.text().as_str()), (false, "article"));
    }
    assert_eq!(fleet.world.now(), before, "they are woken at once");
}

#[test]
fn background_calls_go_on_though_the_configuration_that_came_last_is_gone() {
    let fleet = fleet();
    let calls = Rc::new(Cell::new(0));
    let seen = Rc::clone(&calls);
    fleet.world.cluster("back", move |_| {
        seen.set(seen.get() + 1);
        Answer::After(Duration::from_millis(5), CallResponse::new(200, b""))
    });
    let ask = || fleet.worker(0).request(Request::get("/a"));
    ask().run(|| Upstream::Answers(stale_soon()));
    // Somebody holds on to the first configuration.
    let holds = fleet.worker(0).request(Request::get("/b"));
    fleet.update(SECOND).expect("it is right");
    fleet.update(FIRST).expect("it was right before");
    fleet.world.advance(Duration::from_secs(2));
    assert!(!ask().run(|| panic!("not asked")).forwarded);
    fleet.world.settle();
    assert_eq!(calls.get(), 1);
    holds.finish();
}

#[test]
fn a_call_that_the_newer_configuration_made_for_the_older_fails_with_it() {
    let fleet = fleet();
    fleet.world.cluster("back", |_| Answer::Silent);
    let part = Request::get("/a").header("range", "bytes=0-0");
    let mut older = fleet.worker(0).request(part);
    assert_eq!(older.request_headers(), Action::Continue);
    fleet.update(SECOND).expect("it is right");
    let a_part = Response::new(206, "a")
        .header("cache-control", "max-age=60")
        .header("content-range", "bytes 0-0/7");
    // The whole is fetched for the older one, by the root of the newer, which Envoy tells of messages.
    older.response_headers(a_part.headers, false);
    fleet.world.settle();
    let failed =
        || fleet.world.series("weir_response_cache_refreshes_total", &[("result", "failed")]);
    assert_eq!(failed(), 0);
    fleet.update(FIRST).expect("it was right before");
    assert_eq!(failed(), 1, "Envoy cancels it, and the older one is told");
    older.response_body(b"a", true);
    older.finish();
}
