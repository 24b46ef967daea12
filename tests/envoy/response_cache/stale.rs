//! What is stale: validated, served while it is refreshed, served when the origin fails.
//!
//! Nothing here waits for time to pass: the origin says how old its answers are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::status_of;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Stale for 40 seconds when it comes.
const STALE: &str = "max-age=60";
const AGE: (&str, &str) = ("age", "100");

/// A way to fail, and its name.
type Failure = (&'static str, fn() -> Act);

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(4).way_back().start()
}

fn background() -> Value {
    json!({"background": {"cluster": "background"}})
}

fn validated(request: &Message) -> bool {
    request.field("if-none-match") == Some("\"v1\"")
}

#[test]
fn what_is_stale_is_validated_and_answered_from_the_store() {
    let origin = Origin::start(|request| {
        if validated(request) {
            Act::response(
                304,
                &[("etag", "\"v1\""), ("cache-control", STALE), AGE, ("x-new", "1")],
                "",
            )
        } else {
            let fields = [("etag", "\"v1\""), ("cache-control", STALE), AGE, ("x-old", "1")];
            Act::response(200, &fields, "the body")
        }
    });
    let gateway = start(&json!({}), &origin);
    assert_eq!(gateway.get("/").text(), "the body");
    for n in 2..6 {
        let answer = gateway.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "the body"), "{answer:?}");
        assert_eq!((answer.field("x-new"), answer.field("x-old")), (Some("1"), Some("1")));
        assert!(status_of(&answer).contains("fwd=stale; fwd-status=304"), "{answer:?}");
        assert_eq!(origin.hits(), n);
    }
    gateway.await_metric("weir_response_cache_validations_total;result=not_modified", 4);
}

#[test]
fn the_clients_own_condition_is_answered_by_the_validated_response() {
    let origin = Origin::start(|request| {
        let fields = [("etag", "\"v1\""), ("cache-control", STALE), AGE];
        if validated(request) {
            Act::response(304, &fields, "")
        } else {
            Act::response(200, &fields, "body")
        }
    });
    let gateway = start(&json!({}), &origin);
    gateway.get("/");
    for (condition, status) in [("\"v1\"", 304), ("W/\"v1\"", 304), ("\"other\"", 200), ("*", 304)]
    {
        let answer = Request::get("/").field("if-none-match", condition).ask(gateway.address());
        assert_eq!(answer.status(), status, "{condition}: {answer:?}");
        assert_eq!(answer.text(), if status == 200 { "body" } else { "" }, "{condition}");
    }
}

#[test]
fn a_validation_that_brings_another_response_replaces_the_stored_one() {
    let origin = Origin::start(|_| {
        Act::response(200, &[("etag", "\"v1\""), ("cache-control", STALE), AGE], "old")
    });
    let gateway = start(&json!({}), &origin);
    assert_eq!(gateway.get("/").text(), "old");
    origin.play(|_| {
        Act::response(200, &[("etag", "\"v2\""), ("cache-control", "max-age=60")], "new")
    });
    assert_eq!(gateway.get("/").text(), "new");
    for _ in 0..4 {
        let answer = gateway.get("/");
        assert_eq!(answer.text(), "new");
        assert!(status_of(&answer).contains("hit"), "{answer:?}");
    }
    assert_eq!(origin.hits(), 2);
}

#[test]
fn while_one_request_refreshes_in_the_background_all_clients_get_the_stale_response_at_once() {
    let origin = Origin::start(|_| {
        let fields = [("cache-control", "max-age=60, stale-while-revalidate=600"), AGE];
        Act::response(200, &fields, "old")
    });
    let gateway = start(&background(), &origin);
    assert_eq!(gateway.get("/").text(), "old");
    // The refresh is never answered: whoever waited for it would wait for ever.
    origin.play(|_| Act::Hang);
    for n in 0..16 {
        let answer = gateway.get("/");
        assert_eq!(answer.text(), "old", "request {n}");
        assert!(status_of(&answer).contains("hit; ttl=-4"), "{answer:?}");
    }
    wait::until(PATIENCE, || (origin.hits() == 2).then_some(())).expect("one refresh is made");
    assert_eq!(origin.hits(), 2, "one refresh for all workers");
}

#[test]
fn what_the_background_brought_is_served_from_then_on() {
    let origin = Origin::start(|_| {
        let fields = [("cache-control", "max-age=60, stale-while-revalidate=600"), AGE];
        Act::response(200, &fields, "old")
    });
    let gateway = start(&background(), &origin);
    gateway.get("/");
    origin.play(|_| Act::response(200, &[("cache-control", "max-age=60")], "new"));
    assert_eq!(gateway.get("/").text(), "old");
    let fresh = wait::until(PATIENCE, || Some(gateway.get("/")).filter(|a| a.text() == "new"));
    assert!(status_of(&fresh.expect("the refresh is stored")).contains("hit; ttl="));
    assert_eq!(origin.hits(), 2);
    gateway.await_metric("weir_response_cache_refreshes_total;result=answered", 1);
}

#[test]
fn without_a_way_back_the_first_request_refreshes_and_the_others_do_not_wait() {
    let origin = Origin::start(|_| {
        let fields = [("cache-control", "max-age=60, stale-while-revalidate=600"), AGE];
        Act::response(200, &fields, "old")
    });
    let gateway = start(&json!({}), &origin);
    gateway.get("/");
    let n_asked = Arc::new(AtomicU64::new(0));
    let asked = Arc::clone(&n_asked);
    origin.play(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Act::Hang
    });
    std::thread::scope(|scope| {
        scope.spawn(|| Request::get("/").try_ask(gateway.address()));
        wait::until(PATIENCE, || (n_asked.load(Ordering::SeqCst) == 1).then_some(()))
            .expect("one request goes to the origin");
        for n in 0..8 {
            assert_eq!(gateway.get("/").text(), "old", "request {n}");
        }
        assert_eq!(n_asked.load(Ordering::SeqCst), 1);
        origin.play(|_| Act::response(503, &[], "down"));
        drop(origin);
    });
}

/// Every way in which an origin fails before its response's headers are through.
#[test]
fn when_the_origin_fails_a_stale_response_is_served_where_that_is_allowed() {
    let failures: [Failure; 6] = [
        ("resets", || Act::Cut(Vec::new())),
        ("answers garbage", || Act::Cut(b"\x16\x03\x01 rubbish\r\n\r\n".to_vec())),
        ("500", || Act::response(500, &[], "down")),
        ("502", || Act::response(502, &[], "down")),
        ("503", || Act::response(503, &[], "down")),
        ("504", || Act::response(504, &[], "down")),
    ];
    for (failure, act) in failures {
        let origin = Origin::start(|request| match request.target() {
            "/allowed" => Act::response(
                200,
                &[("cache-control", "max-age=60, stale-if-error=600"), AGE],
                "old",
            ),
            "/strict" => Act::response(
                200,
                &[
                    ("etag", "\"v\""),
                    ("cache-control", "max-age=60, stale-if-error=600, must-revalidate"),
                    AGE,
                ],
                "old",
            ),
            "/shared" => Act::response(
                200,
                &[("etag", "\"v\""), ("cache-control", "s-maxage=60, stale-if-error=600"), AGE],
                "old",
            ),
            "/no-cache" => Act::response(
                200,
                &[("etag", "\"v\""), ("cache-control", "no-cache, max-age=60, stale-if-error=600")],
                "old",
            ),
            _ => Act::response(
                200,
                &[("last-modified", DATE), ("cache-control", "max-age=60, stale-if-error=10"), AGE],
                "old",
            ),
        });
        let gateway = start(&json!({}), &origin);
        let targets = ["/allowed", "/strict", "/shared", "/no-cache", "/too-old"];
        for target in targets {
            assert_eq!(gateway.get(target).text(), "old");
        }
        origin.play(move |_| act());
        for target in targets {
            let answer = gateway.get(target);
            if target == "/allowed" {
                assert_eq!((answer.status(), answer.text().as_str()), (200, "old"), "{failure}");
                assert!(status_of(&answer).contains("detail=stale_if_error"), "{answer:?}");
                assert!(answer.field("age").is_some(), "{answer:?}");
            } else {
                assert!(answer.status() >= 500, "{failure} {target}: {answer:?}");
            }
        }
    }
}

#[test]
fn an_origin_that_hangs_is_a_failure_once_the_route_gives_up() {
    let origin = Origin::start(|_| {
        Act::response(200, &[("cache-control", "max-age=60, stale-if-error=600"), AGE], "old")
    });
    let gateway = start(&json!({}), &origin);
    assert_eq!(gateway.get("/slow").text(), "old");
    origin.play(|_| Act::Hang);
    let answer = gateway.get("/slow");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "old"), "{answer:?}");
    assert!(status_of(&answer).contains("fwd-status=504"), "{answer:?}");
}

#[test]
fn an_origin_that_is_gone_is_a_failure() {
    let origin = Origin::start(|_| {
        Act::response(200, &[("cache-control", "max-age=60, stale-if-error=600"), AGE], "old")
    });
    let gateway = start(&json!({}), &origin);
    assert_eq!(gateway.get("/").text(), "old");
    drop(origin);
    let answer = wait::until(PATIENCE, || {
        Some(gateway.get("/")).filter(|answer| status_of(answer).contains("stale_if_error"))
    });
    assert_eq!(answer.expect("the stale response is served").text(), "old");
}

#[test]
fn an_open_circuit_breaker_is_a_failure_too() {
    let origin = Origin::start(|request| {
        if request.target() == "/kept" {
            Act::response(200, &[("cache-control", "max-age=60, stale-if-error=600"), AGE], "old")
        } else {
            Act::response(503, &[], "down")
        }
    });
    let breaker = json!({"rules": [
        {"name": "all", "consecutive": {"failures": 2}, "open": {"time": "1h", "max_time": "1h"}},
    ]});
    let gateway = Setup::new("response-cache", &json!({}), origin.address())
        .behind("circuit-breaker", &breaker)
        .start();
    assert_eq!(gateway.get("/kept").text(), "old");
    origin.play(|_| Act::response(503, &[], "down"));
    let refused = wait::until(PATIENCE, || {
        Some(gateway.get("/other")).filter(|answer| answer.text() != "down")
    });
    assert_eq!(refused.expect("the breaker opens").status(), 503);
    let before = origin.hits();
    let answer = gateway.get("/kept");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "old"), "{answer:?}");
    assert_eq!(origin.hits(), before, "the breaker keeps it from the origin");
}

#[test]
fn a_body_that_is_cut_short_leaves_the_stale_response_in_its_place() {
    let origin = Origin::start(|_| {
        Act::response(200, &[("cache-control", "max-age=60, stale-if-error=600"), AGE], "old")
    });
    let gateway = start(&json!({}), &origin);
    assert_eq!(gateway.get("/").text(), "old");
    origin.play(|_| {
        Act::Cut(
            b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 9\r\n\r\nsho"
                .to_vec(),
        )
    });
    assert!(Request::get("/").try_ask(gateway.address()).is_err(), "a cut body arrives cut");
    origin.play(|_| Act::response(503, &[], "down"));
    assert_eq!(gateway.get("/").text(), "old");
}
