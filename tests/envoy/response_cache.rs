//! The cache through a real Envoy, with several workers on one store.

mod collapse;
mod flights;
pub(crate) mod gate;
mod keys;
mod metrics;
mod operations;
mod parts;
mod poison;
mod private;
mod purge;
mod purge_load;
mod refresh;
mod reload;
mod rules;
mod search;
mod stale;
mod untouched;
mod validation;
mod warming;

use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::Setup;
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::json;

fn cacheable(request: &Message) -> Act {
    Act::response(200, &[("cache-control", "max-age=600"), ("x-origin", "yes")], request.target())
}

pub(crate) fn status_of(message: &Message) -> &str {
    message.field("cache-status").unwrap_or_default()
}

/// Answers as the request says in `x-answer`, `404 | cache-control: max-age=60 | age: 5`; the target is the body.
pub(crate) fn as_told(request: &Message) -> Act {
    let mut told = request.field("x-answer").unwrap_or("200").split(" | ");
    let status = told.next().and_then(|status| status.parse().ok()).unwrap_or(500);
    let fields: Vec<_> = told.filter_map(|field| field.split_once(": ")).collect();
    Act::response(status, &fields, if status == 304 { "" } else { request.target() })
}

/// A `Cache-Status`, its `ttl` in steps of ten seconds: what takes a moment on a slow machine makes no difference.
pub(crate) fn rounded(message: &Message) -> String {
    let said = status_of(message);
    let Some((before, rest)) = said.split_once("ttl=") else { return said.to_owned() };
    let end = rest.find(';').unwrap_or(rest.len());
    let ttl: i64 = rest[..end].parse().expect("a ttl is a number");
    format!("{before}ttl={}{}", (ttl + 9).div_euclid(10) * 10, &rest[end..])
}

#[test]
fn what_one_worker_stored_all_workers_serve() {
    let origin = Origin::start(cacheable);
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).workers(4).start();
    let first = gateway.get("/a");
    assert!(status_of(&first).contains("fwd=uri-miss"), "{first:?}");
    for n in 0..32 {
        let hit = gateway.get("/a");
        assert_eq!(
            (hit.status(), hit.text().as_str(), hit.field("x-origin")),
            (200, "/a", Some("yes")),
            "request {n}"
        );
        assert!(status_of(&hit).contains("hit"), "request {n}: {hit:?}");
        assert!(hit.field("age").is_some(), "request {n}");
    }
    let head = Request::new("HEAD", "/a").ask(gateway.address());
    assert_eq!((head.status(), head.field("content-length")), (200, Some("2")));
    assert_eq!(origin.hits(), 1);
}

#[test]
fn what_is_private_is_never_shared() {
    let origin = Origin::start(|request| {
        let fields: &[(&str, &str)] = match request.target() {
            "/private" => &[("cache-control", "private, max-age=600")],
            "/no-store" => &[("cache-control", "no-store, max-age=600")],
            "/no-cache" => &[("cache-control", "no-cache, max-age=600")],
            "/set-cookie" => &[("cache-control", "max-age=600"), ("set-cookie", "id=1")],
            "/vary-all" => &[("cache-control", "max-age=600"), ("vary", "*")],
            "/silent" => &[],
            "/stale" => &[("cache-control", "max-age=0")],
            _ => &[("cache-control", "max-age=600")],
        };
        Act::response(200, fields, "secret")
    });
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).workers(2).start();
    for target in
        ["/private", "/no-store", "/no-cache", "/set-cookie", "/vary-all", "/silent", "/stale"]
    {
        for n in 1..=3 {
            assert_eq!(gateway.get(target).field("age"), None, "{target}");
            assert_eq!(origin.hits_of(target), n, "{target} was served from the store");
        }
    }
    for n in 1..=3 {
        Request::get("/authorized").field("authorization", "Bearer x").ask(gateway.address());
        assert_eq!(origin.hits_of("/authorized"), n);
    }
    assert_eq!(gateway.get("/authorized").status(), 200);
    assert_eq!(origin.hits_of("/authorized"), 4, "an authorized answer was stored");
}

/// What `make proxy` does before a service that knows nothing of caches: files have a date, listings have nothing.
#[test]
fn what_states_no_lifetime_is_kept_as_the_rule_assumes_and_never_by_cookie() {
    let origin = Origin::start(|request| {
        let fields: &[(&str, &str)] = match request.target() {
            "/file" => &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
            "/stated" => &[
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("expires", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ],
            _ => &[],
        };
        Act::response(200, fields, request.target())
    });
    let configuration = json!({"rules": [
        {"name": "all", "heuristic": {"fraction": "10%", "max": "10m"}, "default_ttl": "5m"},
    ]});
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(4).start();
    for (target, longest) in [("/file", 600), ("/listing", 300)] {
        for n in 1..=2 {
            let made = Request::get(target).field("cookie", "id=ann").ask(gateway.address());
            assert!(status_of(&made).contains("detail=not_plain"), "{target}: {made:?}");
            assert_eq!(origin.hits_of(target), n, "{target}");
        }
        assert!(status_of(&gateway.get(target)).contains("stored"), "{target}");
        for n in 0..8 {
            let hit = gateway.get(target);
            assert!(hit.field("age").is_some(), "request {n}: {hit:?}");
            let (_, ttl) = status_of(&hit).split_once("hit; ttl=").unwrap();
            let ttl: u64 = ttl.parse().unwrap();
            assert!((longest - 60..=longest).contains(&ttl), "request {n}: {hit:?}");
        }
        assert_eq!(origin.hits_of(target), 3, "{target}");
        let asked = Request::get(target).field("cookie", "id=bob").ask(gateway.address());
        assert_eq!((asked.field("age"), origin.hits_of(target)), (None, 4), "{target}");
    }
    for target in ["/stated", "/file?query"] {
        for n in 1..=3 {
            assert_eq!(gateway.get(target).field("age"), None, "{target}");
            assert_eq!(origin.hits_of(target), n, "{target}");
        }
    }
}

#[test]
fn variants_are_told_apart() {
    let origin = Origin::start(|request| {
        let language = request.field("accept-language").unwrap_or("none").to_owned();
        Act::response(
            200,
            &[("cache-control", "max-age=600"), ("vary", "Accept-Language")],
            language,
        )
    });
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).workers(4).start();
    for _ in 0..8 {
        for language in ["de", "en"] {
            let answer =
                Request::get("/").field("accept-language", language).ask(gateway.address());
            assert_eq!(answer.text(), language);
        }
        assert_eq!(gateway.get("/").text(), "none");
    }
    assert_eq!(origin.hits(), 3);
}

#[test]
fn a_body_that_was_cut_short_is_not_stored() {
    let origin = Origin::start(|_request| {
        Act::Cut(
            b"HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ncontent-length: 100\r\n\r\nshort"
                .to_vec(),
        )
    });
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).start();
    assert!(Request::get("/").try_ask(gateway.address()).is_err(), "a cut body arrives cut");
    origin.play(|_request| Act::response(200, &[("cache-control", "max-age=600")], "whole"));
    assert_eq!(gateway.get("/").text(), "whole");
    assert_eq!(gateway.get("/").text(), "whole");
    assert_eq!(origin.hits(), 2);
}

#[test]
fn errors_of_envoy_are_not_stored() {
    let origin = Origin::start(|_request| Act::Cut(Vec::new()));
    let gateway = Setup::new("response-cache", &json!({}), origin.address()).start();
    assert_eq!(gateway.get("/").status(), 503);
    origin.play(cacheable);
    assert_eq!(gateway.get("/").status(), 200);
}

#[test]
fn concurrent_readers_and_writers_see_whole_responses_of_their_own() {
    let origin = Origin::start(|request| {
        let body = request.target().repeat(200);
        Act::response(200, &[("cache-control", "max-age=600")], body)
    });
    let configuration = json!({"max_entries": 32});
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(4).start();
    thread::scope(|scope| {
        for client in 0..8_usize {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut connection = Connection::open(gateway.address());
                for n in 0..150_usize {
                    let target = format!("/{}", (n * 7 + client * 3) % 60);
                    let answer = connection.ask(&Request::get(&target)).unwrap();
                    assert_eq!(answer.text(), target.repeat(200));
                }
            });
        }
    });
}
