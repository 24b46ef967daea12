//! VMs that are lost in the middle of something: no half entry stays, and nobody waits for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::sim::{Action, Fleet, Module, Request, Response, Stream, Upstream, VM_ID, World};
use harness::token::sha256;

use super::{article, ask};

/// What operators show in these tests.
const TOKEN: &str = "open sesame";
/// How long requests wait for one another, in these tests.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How late they may learn that they wait in vain.
const TICK: Duration = Duration::from_millis(100);

fn fleet(seed: u64, workers: usize) -> Fleet {
    let module = Module::shipped("weir_response_cache");
    let configuration = format!(
        r#"{{"collapse": {{"timeout": "2s"}}, "operations": {{"path": "/weir", "token_sha256": "{}"}}}}"#,
        sha256(TOKEN)
    );
    Fleet::start(&World::new(seed), &module, workers, configuration)
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn purge(fleet: &Fleet, worker: usize, what: &str) {
    let request = Request::new("DELETE", &format!("/weir/entries?{what}"));
    let done = ask(fleet, worker, request.header("x-weir-token", TOKEN), Response::new(500, ""));
    assert_eq!(done.status(), 200, "{what}: {}", done.response.text());
}

fn body(text: &str) -> Response {
    Response::new(200, text).header("cache-control", "max-age=60").header("surrogate-key", "page")
}

/// A request that leads, with so much of its response passed.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// It is at the origin.
    Asked,
    /// The headers have come.
    Headers,
    /// And a piece of the body.
    Half,
}

fn lead(fleet: &Fleet, worker: usize, so_far: Lost) -> Stream {
    let mut stream = fleet.worker(worker).request(Request::get("/a"));
    assert_eq!(stream.request_headers(), Action::Continue, "it leads");
    if !matches!(so_far, Lost::Asked) {
        stream.response_headers(article().headers, false);
    }
    if matches!(so_far, Lost::Half) {
        stream.response_body(b"art", false);
    }
    stream
}

#[test]
fn a_vm_that_is_lost_in_a_fill_leaves_no_half_entry_and_who_waits_goes_on() {
    for so_far in [Lost::Asked, Lost::Headers, Lost::Half] {
        let fleet = fleet(4, 3);
        let leader = lead(&fleet, 0, so_far);
        let mut waiting = fleet.worker(1).request(Request::get("/a"));
        assert_eq!(waiting.request_headers(), Action::Pause, "{so_far:?}: it waits");
        fleet.worker(0).reload().expect("the same configuration");
        // What Envoy goes on to deliver to the stream of the VM that was.
        leader.finish();
        assert!(waiting.is_held());
        let before = fleet.world.now();
        let answered = waiting.complete(|| Upstream::Answers(article()));
        let waited = Duration::from_nanos(fleet.world.now() - before);
        assert!(waited <= TIMEOUT + TICK, "{so_far:?}: waited {waited:?}");
        assert_eq!((answered.forwarded, answered.response.text().as_str()), (true, "article"));
        let third = ask(&fleet, 2, Request::get("/a"), article());
        assert_eq!(third.response.text(), "article", "{so_far:?}: whole, wherever it comes from");
        let fourth = ask(&fleet, 0, Request::get("/a"), Response::new(500, ""));
        assert_eq!((fourth.forwarded, fourth.response.text().as_str()), (false, "article"));
    }
}

#[test]
fn who_waits_in_a_vm_that_is_lost_keeps_nobody() {
    let fleet = fleet(4, 3);
    let mut leader = lead(&fleet, 0, Lost::Half);
    let mut lost = fleet.worker(1).request(Request::get("/a"));
    let mut waiting = fleet.worker(2).request(Request::get("/a"));
    assert_eq!((lost.request_headers(), waiting.request_headers()), (Action::Pause, Action::Pause));
    fleet.worker(1).reload().expect("the same configuration");
    lost.finish();
    leader.response_body(b"icle", true);
    leader.finish();
    let before = fleet.world.now();
    let answered = waiting.complete(|| Upstream::Answers(Response::new(500, "not asked")));
    assert_eq!((answered.forwarded, answered.response.text().as_str()), (false, "article"));
    assert_eq!(fleet.world.now(), before, "it is woken at once");
    assert!(!ask(&fleet, 1, Request::get("/a"), Response::new(500, "")).forwarded);
}

#[test]
fn a_stream_that_ends_in_a_fill_hands_its_place_on_with_the_next_tick() {
    let fleet = fleet(4, 2);
    let leader = lead(&fleet, 0, Lost::Half);
    let mut waiting = fleet.worker(1).request(Request::get("/a"));
    assert_eq!(waiting.request_headers(), Action::Pause);
    leader.finish();
    let before = fleet.world.now();
    let answered = waiting.complete(|| Upstream::Answers(article()));
    let waited = Duration::from_nanos(fleet.world.now() - before);
    assert!(answered.forwarded && waited <= TICK, "waited {waited:?}");
}

/// Everything that is shared, by name.
fn shared(world: &World) -> BTreeMap<String, Vec<u8>> {
    let keys = world.shared_keys(VM_ID).into_iter();
    keys.filter_map(|key| Some((key.clone(), world.shared(VM_ID, &key)?))).collect()
}

/// A VM may be lost between any two of its writes: each of them alone is no entry.
#[test]
fn an_entry_of_which_a_part_was_not_written_is_none() {
    let one = fleet(4, 2);
    let before = shared(&one.world);
    ask(&one, 0, Request::get("/a"), article());
    let after = shared(&one.world);
    let written: Vec<&String> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, _)| key)
        .collect();
    assert!(written.len() >= 2, "the index and the response: {written:?}");
    for missing in written {
        // The same world once more, so that the names are the same.
        let again = fleet(4, 2);
        ask(&again, 0, Request::get("/a"), article());
        let whole = again.world.shared(VM_ID, missing).expect("the same seed writes the same");
        let cuts = [0, 1, whole.len() / 2, whole.len().saturating_sub(1)];
        for cut in cuts {
            again.world.set_shared(VM_ID, missing, &whole[..cut]);
            // Worker 1 has no copy of its own.
            let found = ask(&again, 1, Request::get("/a"), article());
            assert_eq!(
                (found.status(), found.response.text().as_str()),
                (200, "article"),
                "{missing} cut to {cut}"
            );
            assert_eq!(found.trap, None, "{missing} cut to {cut}");
            again.world.advance(Duration::from_millis(200));
            let stored = ask(&again, 0, Request::get("/a"), article());
            assert_eq!(stored.response.text(), "article", "{missing} cut to {cut}");
        }
        assert!(again.workers.iter().all(|worker| worker.trap().is_none()));
    }
}

#[test]
fn a_purge_between_any_two_steps_of_a_fill_is_not_lost() {
    for what in ["tag=page", "everything=true", "pattern=%2F**", "url=http://example.test/a"] {
        let fleet = fleet(4, 2);
        // Makes the records that the first purge makes, so that the second only changes them.
        purge(&fleet, 1, what);
        fleet.world.advance(Duration::from_millis(1));
        let mut filling = fleet.worker(0).request(Request::get("/a"));
        assert_eq!(filling.request_headers(), Action::Continue);
        fleet.world.advance(Duration::from_millis(1));
        filling.response_headers(body("old").headers, false);
        let (other, path) = (fleet.worker(1).clone(), format!("/weir/entries?{what}"));
        // Between the get of the index and its set.
        fleet.world.before_next_set(move || {
            let request = Request::new("DELETE", &path).header("x-weir-token", TOKEN);
            let done = other.request(request).run(|| Upstream::Answers(Response::new(500, "")));
            assert_eq!(done.status(), 200, "{}", done.response.text());
        });
        filling.response_body(b"old", true);
        filling.finish();
        fleet.world.advance(Duration::from_millis(1));
        for worker in 0..2 {
            let found = ask(&fleet, worker, Request::get("/a"), body("new"));
            assert_eq!(found.response.text(), "new", "{what}, worker {worker}");
        }
    }
}

/// Compare-and-sets are lost by chance while everything happens at once; a version that was purged never comes back.
#[test]
fn conflicts_never_bring_back_what_was_purged() {
    for seed in 1..=4 {
        let fleet = fleet(seed, 3);
        fleet.world.conflict_by_seed(seed, 40);
        let mut n_hits = 0;
        for version in 0..30_usize {
            let text = format!("{version}");
            for turn in 0..4 {
                let found = ask(&fleet, version + turn, Request::get("/a"), body(&text));
                assert_eq!(found.response.text(), text, "seed {seed}, version {version}");
                n_hits += usize::from(!found.forwarded);
            }
            fleet.world.advance(Duration::from_millis(20));
            let what = ["tag=page", "everything=true", "url=http://example.test/a"][version % 3];
            let request = Request::new("DELETE", &format!("/weir/entries?{what}"));
            let request = || request.clone().header("x-weir-token", TOKEN);
            // One that says it failed may be tried again, as operators are told.
            let is_done = (0..20)
                .any(|_| ask(&fleet, version, request(), Response::new(500, "")).status() == 200);
            assert!(is_done, "seed {seed}, version {version}");
            fleet.world.advance(Duration::from_millis(20));
        }
        assert!(n_hits >= 60, "{n_hits}: the store must have answered");
        assert!(fleet.world.lost_sets() > 0);
    }
}
