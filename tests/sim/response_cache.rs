//! The cache: what is a hit, for whom, how old, and what never is.

mod crash;
mod rollback;

use std::time::Duration;

use harness::sim::{Fleet, Module, Outcome, Request, Response, Upstream, World};

fn fleet(workers: usize) -> Fleet {
    let module = Module::shipped("weir_response_cache");
    Fleet::start(&World::new(4), &module, workers, "{}")
        .unwrap_or_else(|lines| panic!("refused: {lines:?}"))
}

fn article() -> Response {
    Response::new(200, "article").header("cache-control", "max-age=60").header("etag", "\"1\"")
}

fn ask(fleet: &Fleet, worker: usize, request: Request, response: Response) -> Outcome {
    fleet.worker(worker).request(request).run(|| Upstream::Answers(response))
}

/// Asks twice, on two workers; says whether the second answer came from the store.
fn is_stored(request: impl Fn() -> Request, response: Response) -> bool {
    let fleet = fleet(2);
    ask(&fleet, 0, request(), response.clone());
    !ask(&fleet, 1, request(), response).forwarded
}

#[test]
fn the_second_get_is_a_hit_with_its_age_on_any_worker() {
    let fleet = fleet(2);
    let first = ask(&fleet, 0, Request::get("/a"), article());
    assert!(first.forwarded && first.header("cache-status").unwrap().contains("stored"));
    fleet.world.advance(Duration::from_secs(7));
    let second = ask(&fleet, 1, Request::get("/a"), Response::new(500, "not asked"));
    assert!(!second.forwarded);
    assert_eq!((second.status(), second.response.text().as_str()), (200, "article"));
    assert_eq!(second.header("age"), Some("7"));
    assert!(second.header("cache-status").unwrap().contains("; hit; ttl=53"));
    assert_eq!(second.reply.unwrap().details, "weir_cache_hit");
}

#[test]
fn a_response_is_not_served_once_its_lifetime_is_over() {
    let fleet = fleet(1);
    ask(&fleet, 0, Request::get("/a"), article());
    fleet.world.advance(Duration::from_secs(59));
    assert!(!ask(&fleet, 0, Request::get("/a"), article()).forwarded);
    fleet.world.advance(Duration::from_secs(1));
    assert!(ask(&fleet, 0, Request::get("/a"), article()).forwarded);
}

#[test]
fn head_is_answered_from_a_stored_get() {
    let fleet = fleet(1);
    ask(&fleet, 0, Request::get("/a"), article());
    let head = ask(&fleet, 0, Request::new("HEAD", "/a"), Response::new(500, ""));
    assert_eq!((head.forwarded, head.status(), head.response.body.len()), (false, 200, 0));
    assert_eq!(head.header("content-length"), Some("7"));
}

#[test]
fn a_client_that_has_it_already_gets_304() {
    let fleet = fleet(1);
    ask(&fleet, 0, Request::get("/a"), article());
    let request = Request::get("/a").header("if-none-match", "\"1\"");
    let outcome = ask(&fleet, 0, request, Response::new(500, ""));
    assert_eq!((outcome.forwarded, outcome.status(), outcome.response.body.len()), (false, 304, 0));
}

#[test]
fn variants_are_told_apart_by_what_they_vary_on() {
    let fleet = fleet(2);
    let request = |language| Request::get("/a").header("accept-language", language);
    let response = |text: &str| {
        Response::new(200, text)
            .header("cache-control", "max-age=60")
            .header("vary", "Accept-Language")
    };
    ask(&fleet, 0, request("de"), response("Hallo"));
    assert!(ask(&fleet, 1, request("fr"), response("Bonjour")).forwarded);
    for (language, text) in [("de", "Hallo"), ("fr", "Bonjour")] {
        let outcome = ask(&fleet, 0, request(language), Response::new(500, ""));
        assert_eq!((outcome.forwarded, outcome.response.text().as_str()), (false, text));
    }
}

#[test]
fn what_is_private_or_forbidden_is_never_stored() {
    let get = || Request::get("/a");
    assert!(is_stored(get, article()), "else the rest proves nothing");
    for control in ["private, max-age=60", "no-store", "no-cache", "max-age=0", "public"] {
        let response = Response::new(200, "x").header("cache-control", control);
        assert!(!is_stored(get, response), "{control}");
    }
    assert!(!is_stored(get, Response::new(200, "no freshness")));
    assert!(!is_stored(get, article().header("vary", "*")));
    assert!(!is_stored(get, article().header("set-cookie", "session=1")), "a cookie is somebody's");
    assert!(!is_stored(|| get().header("authorization", "Basic eDp5"), article()), "credentials");
    let part = Response::new(206, "ar")
        .header("cache-control", "max-age=60")
        .header("content-range", "bytes 0-1/7");
    assert!(!is_stored(|| get().header("range", "bytes=0-1"), part), "a part");
    assert!(!is_stored(|| Request::new("POST", "/a"), article()), "not a safe method");
}

#[test]
fn hosts_and_queries_do_not_share_answers() {
    let fleet = fleet(1);
    ask(&fleet, 0, Request::get("/a?x=1"), article());
    let other_query = ask(&fleet, 0, Request::get("/a?x=2"), article());
    let other_host =
        Request::get("/a?x=1").without(":authority").header(":authority", "other.test");
    assert!(other_query.forwarded && ask(&fleet, 0, other_host, article()).forwarded);
}

#[test]
fn an_unsafe_request_that_succeeds_makes_the_store_forget() {
    let fleet = fleet(2);
    ask(&fleet, 0, Request::get("/a"), article());
    ask(&fleet, 1, Request::new("POST", "/a"), Response::new(204, ""));
    assert!(ask(&fleet, 0, Request::get("/a"), article()).forwarded);
}

#[test]
fn a_response_that_breaks_off_is_not_stored() {
    let fleet = fleet(1);
    let mut stream = fleet.worker(0).request(Request::get("/a"));
    stream.request_headers();
    let head = article().headers;
    stream.response_headers(head, false);
    stream.response_body(b"art", false);
    stream.finish();
    assert!(ask(&fleet, 0, Request::get("/a"), article()).forwarded);
}

#[test]
fn pieces_and_trailers_are_put_together() {
    let fleet = fleet(1);
    let response = || {
        let head = Response::new(200, "").header("cache-control", "max-age=60");
        head.chunk("one ").chunk("two").trailer("x-checksum", "1")
    };
    ask(&fleet, 0, Request::get("/a"), response());
    let second = ask(&fleet, 0, Request::get("/a"), Response::new(500, ""));
    assert_eq!((second.forwarded, second.response.text().as_str()), (false, "one two"));
}

#[test]
fn the_store_survives_conflicts_updates_and_lost_workers() {
    let fleet = fleet(2);
    fleet.world.conflict_by_seed(5, 30);
    for turn in 0..50 {
        ask(&fleet, turn, Request::get(&format!("/{turn}")), article());
    }
    fleet.world.conflict_by_seed(0, 0);
    fleet.update("{ }").expect("the same");
    fleet.worker(1).reload().expect("the same");
    let hits = (0..50)
        .filter(|turn| {
            !ask(&fleet, turn + 1, Request::get(&format!("/{turn}")), article()).forwarded
        })
        .count();
    assert!(hits >= 45, "{hits} of 50: conflicts may cost an entry, never more");
}

#[test]
fn what_upstreams_did_not_answer_is_not_stored() {
    let fleet = fleet(1);
    fleet.worker(0).request(Request::get("/a")).run(|| Upstream::NoHealthyHost);
    assert!(ask(&fleet, 0, Request::get("/a"), article()).forwarded);
}
