//! What a refresh may bring, and for whom: the answer to the very request that it is made for, and no error in place
//! of a good response.
//!
//! Nothing here waits for time to pass: the origin says how old its answers are.

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::status_of;

/// Stale for 40 seconds when it comes, and to be refreshed.
const STALE: (&str, &str) =
    ("cache-control", "max-age=60, stale-while-revalidate=600, stale-if-error=600");
const FRESH: (&str, &str) = ("cache-control", "max-age=600");
const AGE: (&str, &str) = ("age", "100");
const ERROR_HITS: &str = "weir_response_cache_requests_total;rule=named;decision=error_hit";

fn configuration() -> Value {
    json!({
        "background": {"cluster": "background"},
        "rules": [
            {"name": "host", "match": {"path": {"prefix": "/host"}},
             "key": {"headers": ["x-forwarded-host", "via"]}},
            {"name": "user", "match": {"path": {"prefix": "/user"}},
             "key": {"user": "header:x-forwarded-user"}},
            {"name": "cookie", "match": {"path": {"prefix": "/cookie"}},
             "key": {"user": "cookie:session", "headers": ["x-name"]}},
            {"name": "metadata", "match": {"path": {"prefix": "/metadata"}},
             "key": {"user": {"part": "property", "path": ["metadata", "filter_metadata", "test", "who"]}}},
            {"name": "named", "match": {"path": {"prefix": "/named"}}, "statuses": [200, 404, "500-503"]},
            {"name": "all"},
        ],
    })
}

/// Takes `x-who` out of a request and keeps it as metadata, as an authenticating filter does with a token.
fn authenticates() -> Value {
    json!({
        "name": "test.authenticates",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
            "request_rules": [{
                "header": "x-who",
                "on_header_present": {"metadata_namespace": "test", "key": "who", "type": "STRING"},
                "remove": true,
            }],
        },
    })
}

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address())
        .before(authenticates())
        .way_back()
        .start()
}

fn ask(gateway: &Gateway, target: &str, fields: &[(&str, &str)]) -> Message {
    let request = fields.iter().fold(Request::get(target), |request, (n, v)| request.field(n, v));
    request.ask(gateway.address())
}

/// The fields by which an origin here tells tenants apart.
fn seen(request: &Message) -> String {
    let names =
        ["x-forwarded-host", "via", "x-forwarded-user", "cookie", "x-name", "x-envoy-tenant"];
    names.map(|name| request.field(name).unwrap_or("-").to_owned()).join(" ")
}

#[test]
fn a_refresh_is_the_request_of_its_key_and_its_variant_once_more() {
    let vary = ("vary", "x-forwarded-host, via, x-envoy-tenant");
    let origin = Origin::start(move |request| {
        Act::response(200, &[STALE, AGE, vary], format!("old {}", seen(request)))
    });
    let gateway = start(&configuration(), &origin);
    let cases: [(&str, &[(&str, &str)]); 9] = [
        ("/host", &[("x-forwarded-host", "a.example"), ("via", "1.1 a")]),
        ("/host", &[("x-forwarded-host", "b.example")]),
        ("/host", &[]),
        ("/user", &[("x-forwarded-user", "alice")]),
        ("/user", &[("x-forwarded-user", "bob")]),
        ("/cookie", &[("cookie", "a=b; session=1"), ("x-name", "é")]),
        ("/vary", &[("x-forwarded-host", "a.example")]),
        ("/vary", &[("x-forwarded-host", "b.example"), ("via", "1.1 b")]),
        ("/vary", &[]),
    ];
    let mut first = Vec::new();
    for (target, fields) in cases {
        let answer = ask(&gateway, target, fields);
        assert!(status_of(&answer).ends_with("stored"), "{target} {fields:?}: {answer:?}");
        first.push(answer.text());
    }
    origin
        .play(move |request| Act::response(200, &[FRESH, vary], format!("new {}", seen(request))));
    for (old, (target, fields)) in first.iter().zip(cases) {
        assert_eq!(ask(&gateway, target, fields).text(), *old, "{target} {fields:?}");
    }
    for (old, (target, fields)) in first.iter().zip(cases) {
        let new = old.replace("old", "new");
        let refreshed = wait::until(PATIENCE, || {
            Some(ask(&gateway, target, fields)).filter(|a| a.text() != *old)
        });
        let refreshed = refreshed.unwrap_or_else(|| panic!("never refreshed: {target} {fields:?}"));
        assert_eq!(refreshed.text(), new, "{target} {fields:?}");
        assert!(status_of(&refreshed).contains("hit"), "{refreshed:?}");
    }
    assert_eq!(origin.hits(), 18, "each is fetched once, and refreshed once");
    gateway.await_metric("weir_response_cache_refreshes_total;result=answered", 9);
}

/// The user is known only from what the filters in front have taken out: no request of the cache's own has it.
#[test]
fn what_the_background_can_not_refresh_the_next_request_does() {
    let origin = Origin::start(|request| Act::response(200, &[STALE, AGE], seen(request)));
    let gateway = start(&configuration(), &origin);
    let alice = [("x-who", "alice"), ("x-name", "alice")];
    assert!(status_of(&ask(&gateway, "/metadata", &alice)).ends_with("stored"));
    origin.play(|request| Act::response(200, &[FRESH], format!("new {}", seen(request))));
    assert!(status_of(&ask(&gateway, "/metadata", &alice)).contains("hit; ttl=-"));
    gateway.await_metric("weir_response_cache_refreshes_total;result=not_stored", 1);
    assert_eq!(origin.hits(), 1, "the origin does not see a request without its user");
    let new = ask(&gateway, "/metadata", &alice);
    assert!(status_of(&new).starts_with("weir; fwd=stale; fwd-status=200; stored"), "{new:?}");
    let again = ask(&gateway, "/metadata", &alice);
    assert!(status_of(&again).contains("hit; ttl=5"), "{again:?}");
    assert!(again.text().starts_with("new ") && again.text() == new.text(), "{again:?}");
}

#[test]
fn no_error_takes_the_place_of_a_good_response_whoever_fetches_it() {
    let origin = Origin::start(|_| Act::response(200, &[STALE, AGE], "good"));
    let gateway = start(&configuration(), &origin);
    for (failed, status) in (1..).zip([500, 502, 503]) {
        for target in ["/plain", "/named"] {
            origin.play(|_| Act::response(200, &[STALE, AGE], "good"));
            let target = format!("{target}/{status}");
            gateway.get(&target);
            origin.play(move |_| Act::response(status, &[FRESH], "ill"));
            assert_eq!(gateway.get(&target).text(), "good", "{target}");
            let so_far = if target.starts_with("/plain") { 2 * failed - 1 } else { 2 * failed };
            gateway.await_metric("weir_response_cache_refreshes_total;result=failed", so_far);
            let answer = gateway.get(&target);
            assert_eq!((answer.status(), answer.text().as_str()), (200, "good"), "{target}");
            // The foreground likewise: one client insists, and the others are served as before.
            let insisted = ask(&gateway, &target, &[("cache-control", "no-cache")]);
            assert_eq!(insisted.status(), status, "{insisted:?}");
            assert!(status_of(&insisted).ends_with("detail=status"), "{insisted:?}");
            assert_eq!(gateway.get(&target).text(), "good", "{target}");
        }
    }
    // What one client provokes is not what all would hear, however long it says that it lasts.
    origin.play(|request| match request.field("x-name") {
        Some(_) => Act::response(400, &[FRESH], "what?"),
        None => Act::response(200, &[FRESH], "good"),
    });
    gateway.get("/plain/400");
    let provoked = ask(&gateway, "/plain/400", &[("cache-control", "no-cache"), ("x-name", "x")]);
    assert_eq!(provoked.status(), 400, "{provoked:?}");
    assert_eq!(gateway.get("/plain/400").text(), "good");
}

/// RFC 9110, 15.4.5: a 304 stands for a 200.
#[test]
fn a_stored_error_is_never_validated_and_never_counts_as_a_good_hit() {
    let origin = Origin::start(|request| {
        let status = if request.target().contains("404") { 404 } else { 503 };
        let validators = [("etag", "\"v\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
        let dated = [validators[0], validators[1], ("cache-control", "max-age=60"), AGE];
        let plain = [validators[0], validators[1], FRESH];
        Act::response(
            status,
            if request.target().contains("fresh") { &plain } else { &dated[..] },
            "ill",
        )
    });
    let gateway = start(&configuration(), &origin);
    for n in 0..4 {
        let answer = gateway.get("/named/fresh");
        assert_eq!((answer.status(), answer.text().as_str()), (503, "ill"));
        assert_eq!(status_of(&answer).contains("hit"), n > 0, "{answer:?}");
    }
    gateway.await_metric(ERROR_HITS, 3);
    assert_eq!(gateway.metric("weir_response_cache_requests_total;rule=named;decision=hit"), 0);
    let unnamed = gateway.get("/fresh");
    assert_eq!(status_of(&unnamed), "weir; fwd=uri-miss; detail=status", "no rule names it");
    let targets = ["/named/503", "/named/404", "/503", "/404"];
    for target in targets {
        gateway.get(target);
    }
    origin.play(|request| {
        match request.field("if-none-match").or_else(|| request.field("if-modified-since")) {
            Some(_) => Act::response(304, &[("etag", "\"v\""), FRESH], ""),
            None => Act::response(200, &[("etag", "\"v\""), FRESH], "well"),
        }
    });
    for target in targets {
        let answer = gateway.get(target);
        assert_eq!(
            (answer.status(), answer.text().as_str()),
            (200, "well"),
            "{target}: {answer:?}"
        );
    }
}

#[test]
fn what_a_request_fetches_replaces_what_it_was_matched_with() {
    let gzip = [("accept-encoding", "gzip")];
    let origin = Origin::start(|_| {
        Act::response(
            200,
            &[("vary", "accept-encoding"), ("cache-control", "max-age=60"), AGE, ("etag", "\"v\"")],
            "old",
        )
    });
    let gateway = start(&json!({}), &origin);
    for (target, status) in [("/a", 200), ("/b", 404), ("/c", 410)] {
        origin.play(|_| {
            let fields = [
                ("vary", "accept-encoding"),
                ("cache-control", "max-age=60"),
                AGE,
                ("etag", "\"v\""),
            ];
            Act::response(200, &fields, "old")
        });
        assert_eq!(ask(&gateway, target, &gzip).text(), "old");
        assert_eq!(gateway.get(target).text(), "old", "the other variant");
        origin.play(move |_| Act::response(status, &[FRESH], "new"));
        let before = origin.hits();
        for n in 0..4 {
            let answer = ask(&gateway, target, &gzip);
            assert_eq!((answer.status(), answer.text().as_str()), (status, "new"));
            assert_eq!(status_of(&answer).contains("hit"), n > 0, "{target} {n}: {answer:?}");
        }
        // The other variant gives way as soon as it is asked for.
        gateway.get(target);
        assert!(status_of(&gateway.get(target)).contains("hit"), "{target}");
        assert_eq!(origin.hits(), before + 2, "{target}");
    }
}

/// RFC 9111, 4.3.4: a replica that is behind, or a rollback.
#[test]
fn a_304_about_another_version_updates_nothing_and_fails_nobody() {
    let new = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let old = ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT");
    let versions: [(&str, _, _); 2] =
        [("/dated", new, old), ("/tagged", ("etag", "\"v1\""), ("etag", "\"v0\""))];
    for background in [json!({}), json!({"background": {"cluster": "background"}})] {
        let origin = Origin::plain();
        let gateway = start(&background, &origin);
        for (target, kept, told) in versions {
            origin.play(move |_| {
                let said = if background_says(target) { STALE.1 } else { "max-age=60" };
                Act::response(200, &[kept, ("cache-control", said), AGE], "kept")
            });
            gateway.get(target);
            origin.play(move |request| {
                match request.field("if-none-match").or_else(|| request.field("if-modified-since"))
                {
                    Some(_) => Act::response(304, &[told, FRESH], ""),
                    None => Act::response(200, &[told, FRESH], "whole"),
                }
            });
            let answer = gateway.get(target);
            assert_eq!((answer.status(), answer.text().as_str()), (200, "kept"), "{answer:?}");
            if target == "/dated" {
                let said = status_of(&answer);
                assert!(said.starts_with("weir; fwd=stale; fwd-status=304; ttl=-4"), "{said}");
                assert!(said.ends_with("detail=contradicted"), "{said}");
            }
            let whole =
                wait::until(PATIENCE, || Some(gateway.get(target)).filter(|a| a.text() == "whole"));
            assert!(whole.is_some(), "{target}: {:?}", gateway.get(target));
            assert!(status_of(&gateway.get(target)).contains("hit; ttl=5"), "{target}");
        }
    }
}

/// Whether this target's responses may be served stale while they are refreshed.
fn background_says(target: &str) -> bool {
    target == "/tagged"
}
