//! What an origin may say with a 304, and what that changes.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::json;

use super::status_of;

/// Stale when it comes.
const STALE: [(&str, &str); 2] = [("cache-control", "max-age=60"), ("age", "100")];

fn start(origin: &Origin) -> Gateway {
    Setup::new("response-cache", &json!({}), origin.address()).workers(2).start()
}

fn asking(gateway: &Gateway, language: &str) -> Message {
    Request::get("/").field("accept-language", language).ask(gateway.address())
}

fn answer(status: u16, more: &[(&str, &str)], body: &str) -> Act {
    Act::response(status, &[&STALE, more].concat(), body)
}

/// RFC 9110, 8.8.1: nginx and Envoy make a strong tag weak when they compress, and the origin answers with its own.
#[test]
fn a_tag_that_was_made_weak_on_the_way_is_still_the_same() {
    let origin = Origin::start(|request| match request.field("if-none-match") {
        Some("W/\"1\"") => answer(304, &[("etag", "\"1\"")], ""),
        _ => answer(200, &[("etag", "W/\"1\"")], "whole"),
    });
    let gateway = start(&origin);
    for n in 0..3 {
        let answer = gateway.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "whole"), "request {n}");
        assert_eq!(answer.field("etag"), Some("W/\"1\""), "request {n}");
    }
}

/// RFC 9111, 4.3.4.
#[test]
fn a_304_about_another_version_updates_nothing_and_the_next_asks_for_the_whole() {
    let origin = Origin::start(|request| match request.field("if-none-match") {
        Some(_) => answer(304, &[("etag", "\"2\"")], ""),
        None => answer(200, &[("etag", "\"1\"")], "whole"),
    });
    let gateway = start(&origin);
    assert_eq!(gateway.get("/").text(), "whole");
    let contradicted = gateway.get("/");
    assert_eq!((contradicted.status(), contradicted.text().as_str()), (200, "whole"));
    assert!(status_of(&contradicted).contains("detail=contradicted"), "{contradicted:?}");
    assert_eq!(gateway.get("/").text(), "whole");
}

/// RFC 9111, 4.3.4: only a strong tag says that a 304 is about other variants too.
#[test]
fn a_304_freshens_other_variants_only_by_a_strong_tag() {
    for (tag, hits) in [("\"1\"", true), ("W/\"1\"", false)] {
        let of_both = [("vary", "accept-language"), ("etag", tag)];
        let origin = Origin::start(move |request| {
            answer(200, &of_both, request.field("accept-language").unwrap_or_default())
        });
        let gateway = start(&origin);
        for language in ["de", "en"] {
            assert_eq!(asking(&gateway, language).text(), language);
        }
        origin.play(move |_| {
            let fresh =
                [("cache-control", "max-age=600"), ("vary", "accept-language"), ("etag", tag)];
            Act::response(304, &fresh, "")
        });
        assert_eq!(asking(&gateway, "de").text(), "de");
        let other = asking(&gateway, "en");
        assert_eq!(other.text(), "en");
        assert_eq!(status_of(&other).contains("hit"), hits, "{tag}: {other:?}");
    }
}

/// RFC 9111, 4.1.
#[test]
fn a_304_that_names_vary_for_the_first_time_is_heeded() {
    let origin = Origin::start(|request| match request.field("if-none-match") {
        Some(_) => {
            let fresh =
                [("cache-control", "max-age=600"), ("vary", "accept-language"), ("etag", "\"1\"")];
            Act::response(304, &fresh, "")
        }
        None => {
            answer(200, &[("etag", "\"1\"")], request.field("accept-language").unwrap_or("none"))
        }
    });
    let gateway = start(&origin);
    assert_eq!(asking(&gateway, "de").text(), "de");
    assert!(status_of(&asking(&gateway, "de")).contains("fwd-status=304"));
    assert!(status_of(&asking(&gateway, "de")).contains("hit"));
    assert_eq!(asking(&gateway, "en").text(), "en", "not what was made for another language");
}

/// A field that no key knows may have made the fields of a 304, too.
#[test]
fn a_guarded_field_changes_nothing_that_is_stored() {
    let origin = Origin::start(|request| {
        let told = ["made by ", request.field("x-forwarded-host").unwrap_or("nobody")].concat();
        let fields = [("etag", "\"1\""), ("x-told", told.as_str())];
        match request.field("if-none-match") {
            Some(_) => answer(304, &fields, ""),
            None => answer(200, &fields, "whole"),
        }
    });
    let gateway = start(&origin);
    gateway.get("/");
    let evil = Request::get("/").field("x-forwarded-host", "evil.example").ask(gateway.address());
    assert_eq!(evil.field("x-told"), Some("made by evil.example"), "its own answer");
    origin.play(|_| answer(304, &[("etag", "\"1\"")], ""));
    assert_eq!(gateway.get("/").field("x-told"), Some("made by nobody"));
}

#[test]
fn a_304_keeps_the_tags_that_clients_do_not_see() {
    let origin = Origin::start(|request| match request.field("if-none-match") {
        Some(_) => Act::response(304, &[("cache-control", "max-age=600"), ("etag", "\"1\"")], ""),
        None => answer(200, &[("etag", "\"1\""), ("surrogate-key", "news")], "whole"),
    });
    let configuration =
        json!({"hide_tags": true, "operations": {"path": "/weir", "source": "127.0.0.0/8"}});
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(2).start();
    gateway.get("/");
    assert!(status_of(&gateway.get("/")).contains("fwd-status=304"));
    assert!(status_of(&gateway.get("/")).contains("hit"));
    let purge = Request::new("DELETE", "/weir/entries?tag=news").ask(gateway.address());
    assert_eq!(purge.status(), 200);
    assert!(!status_of(&gateway.get("/")).contains("hit"));
}

/// An error to one request is no word about the others'.
#[test]
fn an_error_to_one_validation_ends_nothing() {
    let origin = Origin::start(|_| answer(200, &[("etag", "\"1\"")], "whole"));
    let gateway = start(&origin);
    gateway.get("/");
    for status in [400, 401, 403, 429, 501] {
        origin.play(move |_| Act::response(status, &[], "no"));
        assert_eq!(gateway.get("/").status(), status);
        origin.play(|request| match request.field("if-none-match") {
            Some(_) => answer(304, &[("etag", "\"1\"")], ""),
            None => answer(200, &[], "fetched anew"),
        });
        assert_eq!(gateway.get("/").text(), "whole", "after {status}");
    }
}

/// One request's bad answer is not laid on what is stored for all.
#[test]
fn what_one_request_provokes_evicts_nothing() {
    let origin = Origin::start(|request| match request.field("x-provoke") {
        Some("quote") => Act::response(200, &[("cache-control", "max-age=\"")], "bad"),
        Some(status) => {
            let status = status.parse().expect("a status");
            Act::response(status, &[("cache-control", "no-cache")], "bad")
        }
        None => Act::response(200, &[("cache-control", "max-age=600")], "good"),
    });
    let gateway = start(&origin);
    assert_eq!(gateway.get("/").text(), "good");
    for (n, provoked) in (2_u64..).zip(["quote", "404", "410", "412", "416", "429", "431"]) {
        let bad = Request::get("/").field("x-provoke", provoked).field("cache-control", "no-cache");
        assert_eq!(bad.ask(gateway.address()).text(), "bad", "{provoked}");
        assert_eq!(gateway.get("/").text(), "good", "{provoked}");
        assert_eq!(origin.hits(), n, "{provoked}: what is stored is still there");
    }
    let before = origin.hits();
    origin.play(|_| Act::response(200, &[("etag", "\"other\""), ("content-length", "1")], ""));
    let head = Request::new("HEAD", "/").field("x-forwarded-host", "evil");
    head.field("cache-control", "no-cache").ask(gateway.address());
    assert_eq!(
        gateway.get("/").text(),
        "good",
        "what a request with such a field hears is its own"
    );
    assert_eq!(origin.hits(), before + 1);
}

/// RFC 9111, 4.2: case does not count; Envoy joins equal lines.
#[test]
fn dates_in_any_case_and_equal_lines_count_once() {
    let expires = "fri, 31 dec 2100 23:59:59 gmt";
    let origin = Origin::start(move |_| {
        Act::response(200, &[("expires", expires), ("expires", expires)], "whole")
    });
    let gateway = start(&origin);
    for _ in 0..2 {
        assert_eq!(gateway.get("/").text(), "whole");
    }
    assert_eq!(origin.hits(), 1);
}
