//! A request waits for at most one flight, whatever comes of it.
#![allow(clippy::disallowed_methods, reason = "how long real requests wait is measured")]

use std::thread;
use std::time::{Duration, Instant};

use harness::client::Request;
use harness::gateway::{PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

/// How long the origin takes.
const TAKES: Duration = Duration::from_millis(400);
/// One flight and an own request, and what two busy cores add.
const MOST: Duration = Duration::from_millis(1_300);
const CROWD: usize = 16;

/// What each case sends: the name of its path, and a field.
const CASES: [(&str, &str, &str); 12] = [
    ("no-cache", "accept", "a"),
    ("max-age=0", "accept", "a"),
    ("s-maxage=0", "accept", "a"),
    ("stale", "accept", "a"),
    ("vary", "x-color", "N"),
    ("error", "accept", "a"),
    ("malformed", "accept", "a"),
    ("cookie", "cookie", "a=N"),
    ("no-store", "cache-control", "no-store"),
    ("guarded", "x-forwarded-host", "evil"),
    ("conditional", "if-none-match", "\"v\""),
    ("redirect", "accept", "a"),
];

fn answer(target: &str, is_conditional: bool) -> Act {
    let (etag, fresh) = (("etag", "\"v\""), ("cache-control", "max-age=60"));
    match target.trim_start_matches('/') {
        "no-cache" => Act::response(200, &[("cache-control", "no-cache"), etag], "x"),
        "max-age=0" => Act::response(200, &[("cache-control", "max-age=0"), etag], "x"),
        "s-maxage=0" => Act::response(200, &[("cache-control", "s-maxage=0"), etag], "x"),
        "stale" => Act::response(200, &[fresh, ("age", "90"), etag], "x"),
        "vary" => Act::response(200, &[fresh, ("vary", "x-color")], "x"),
        "error" => Act::response(503, &[], "x"),
        "malformed" => Act::response(200, &[("cache-control", "max-age=\"")], "x"),
        "cookie" => Act::response(200, &[], "x"),
        "conditional" if is_conditional => Act::response(304, &[etag], ""),
        "redirect" => Act::response(302, &[("location", "/elsewhere")], ""),
        _ => Act::response(200, &[fresh], "x"),
    }
}

#[test]
fn a_request_waits_for_at_most_one_flight() {
    let origin = Origin::start(|request| {
        if request.target() != "/elsewhere" {
            let came = Instant::now();
            wait::until(PATIENCE, || (came.elapsed() >= TAKES).then_some(())).expect("time passes");
        }
        answer(request.target(), request.field("if-none-match").is_some())
    });
    let configuration = json!({"rules": [{"name": "all", "default_ttl": "1m"}]});
    let gateway = Setup::new("response-cache", &configuration, origin.address())
        .workers(2)
        .routes(json!([{
            "match": {"prefix": "/"},
            "route": {
                "cluster": "upstream",
                "internal_redirect_policy": {"max_internal_redirects": 1},
            },
        }]))
        .start();
    let slowest = |(path, name, value): (&'static str, &'static str, &'static str)| {
        thread::scope(|scope| {
            let asks: Vec<_> = (0..CROWD)
                .map(|n| {
                    let value = value.replace('N', &n.to_string());
                    let request = Request::get(&format!("/{path}")).field(name, value);
                    let address = gateway.address();
                    scope.spawn(move || {
                        let began = Instant::now();
                        let _ = request.ask(address);
                        began.elapsed()
                    })
                })
                .collect();
            asks.into_iter().map(|ask| ask.join().expect("it ends")).max().unwrap_or_default()
        })
    };
    for case in CASES {
        for burst in 0..2 {
            let took = slowest(case);
            assert!(took < MOST, "{}, burst {burst}: {took:?}", case.0);
        }
    }
    assert!(slowest(("shared", "accept", "a")) < MOST);
    assert_eq!(origin.hits_of("/shared"), 1, "what can be shared is fetched once");
}
