//! `No-Vary-Search`: one stored response for all queries that it says are the same.

use std::sync::{Arc, Barrier};
use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

use super::{as_told, rounded, status_of};

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    let mut configuration = configuration.clone();
    configuration["operations"] = json!({"path": "/weir", "source": "127.0.0.0/8"});
    Setup::new("response-cache", &configuration, origin.address()).workers(4).way_back().start()
}

fn on() -> Value {
    json!({"no_vary_search": true})
}

/// A cacheable answer with this field.
fn says(field: &str) -> String {
    format!("200 | cache-control: max-age=600 | no-vary-search: {field}")
}

fn ask(gateway: &Gateway, target: &str, answer: &str) -> String {
    rounded(&Request::get(target).field("x-answer", answer).ask(gateway.address()))
}

fn is_hit(gateway: &Gateway, target: &str) -> bool {
    let hits = (0..8).filter(|_| status_of(&gateway.get(target)).contains("hit")).count();
    assert!(matches!(hits, 0 | 8), "{target}: {hits} hits of 8");
    hits == 8
}

#[test]
fn queries_that_a_response_calls_the_same_share_it() {
    let origin = Origin::start(as_told);
    let gateway = start(&on(), &origin);
    for (n, (field, first, same, others)) in [
        (
            "params=(\"utm\")",
            "?id=1",
            &["?id=1&utm=2", "?utm=3&id=1", "?id=%31"][..],
            &["?id=2", "", "?Utm=1&id=1"][..],
        ),
        ("params", "?a=1", &["", "?", "?b=2&c=3"], &[]),
        ("params", "", &["?a=1"], &[]),
        ("params, except=(\"id\")", "?id=1&a=2", &["?id=1", "?b=1&id=1"], &["?id=2", ""]),
        ("key-order", "?a=1&b=2", &["?b=2&a=1"], &["?a=2&b=1", "?a=1"]),
        ("key-order, params=(\"x\")", "?a=1&b=2", &["?b=2&x=1&a=1"], &["?a=1&a=1&b=2"]),
        ("params=?0", "?a=1", &[], &["?a=2", ""]),
        ("except=(\"a\")", "?a=1&b=1", &[], &["?a=1", "?a=1&b=2"]),
        ("params=(\"unclosed", "?a=1", &[], &["?a=1&b=1"]),
        ("params=(\"a\" 1)", "?a=1", &[], &["?a=2"]),
    ]
    .into_iter()
    .enumerate()
    {
        let at = |query: &str| format!("/{n}{query}");
        assert_eq!(
            ask(&gateway, &at(first), &says(field)),
            "weir; fwd=uri-miss; stored",
            "{field}"
        );
        for query in [&[first], same].concat() {
            assert!(is_hit(&gateway, &at(query)), "{field}: {first} and {query}");
            assert_eq!(gateway.get(&at(query)).text(), at(first), "{field}: {first} and {query}");
        }
        for query in others {
            assert!(!is_hit(&gateway, &at(query)), "{field}: {first} and {query}");
        }
    }
    let off = start(&json!({}), &origin);
    ask(&off, "/off?id=1", &says("params"));
    assert!(is_hit(&off, "/off?id=1") && !is_hit(&off, "/off?id=2"), "only if it is wanted");
}

#[test]
fn pages_below_one_path_may_say_different_things() {
    let origin = Origin::start(as_told);
    let gateway = start(&on(), &origin);
    ask(&gateway, "/?page=1", &says("params=(\"utm\")"));
    ask(&gateway, "/?item=1", &says("params=(\"ref\")"));
    for target in ["/?page=1&utm=2", "/?item=1&ref=2", "/?page=1", "/?item=1"] {
        assert!(is_hit(&gateway, target), "{target}");
    }
    assert!(!is_hit(&gateway, "/?page=1&ref=2") && !is_hit(&gateway, "/?item=1&utm=2"));
    // More sayings than are kept: the latest are good, nothing is wrong.
    for n in 0..8 {
        ask(&gateway, &format!("/?n={n}"), &says(&format!("params=(\"x{n}\")")));
    }
    assert!(is_hit(&gateway, "/?n=7&x7=1") && !is_hit(&gateway, "/?n=7&x6=1"));
    assert!(!is_hit(&gateway, "/?page=1&utm=2"), "forgotten");
}

#[test]
fn what_changes_a_uri_reaches_what_answers_for_it() {
    let origin = Origin::start(as_told);
    let gateway = start(&on(), &origin);
    let fill = || {
        for target in ["/a?id=1&utm=1", "/a?id=2&utm=1"] {
            ask(&gateway, target, &says("params=(\"utm\")"));
            assert!(is_hit(&gateway, target), "{target}");
        }
    };
    let encoded = |target: &str| {
        let target = target.replace('/', "%2F").replace('?', "%3F");
        format!(
            "/weir/entries?url=http%3A%2F%2Fexample.com{}",
            target.replace('=', "%3D").replace('&', "%26")
        )
    };
    for asked in ["/a?id=1&utm=1", "/a?id=1", "/a?utm=7&id=1"] {
        for (method, target) in
            [("POST", asked.to_owned()), ("PURGE", asked.to_owned()), ("DELETE", encoded(asked))]
        {
            fill();
            let done = Request::new(method, &target).ask(gateway.address());
            assert_eq!(done.status(), 200, "{method} {target}");
            for same in ["/a?id=1&utm=1", "/a?id=1&utm=9"] {
                assert!(!is_hit(&gateway, same), "{method} {target} leaves {same}");
            }
            assert!(is_hit(&gateway, "/a?id=2&utm=5"), "{method} {target} takes another");
        }
    }
}

#[test]
fn what_was_on_its_way_when_its_uri_changed_is_not_stored() {
    let at_origin = Arc::new(Barrier::new(2));
    let go_on = Arc::new(Barrier::new(2));
    let (there, wait) = (Arc::clone(&at_origin), Arc::clone(&go_on));
    let origin = Origin::start(move |request| {
        if request.target().starts_with("/slow") && request.method() == "GET" {
            there.wait();
            wait.wait();
        }
        as_told(request)
    });
    let gateway = start(&on(), &origin);
    // The first time nobody knows yet that the query means nothing; the second time the alias is there.
    for (target, changed) in [("/slow?utm=1", "/slow?utm=1"), ("/slow?utm=2", "/slow?utm=3")] {
        thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&gateway, target, &says("params=(\"utm\")")));
            at_origin.wait();
            assert_eq!(Request::new("POST", changed).ask(gateway.address()).status(), 200);
            go_on.wait();
            asking.join().expect("it is answered");
            let again = scope.spawn(|| ask(&gateway, target, &says("params=(\"utm\")")));
            at_origin.wait();
            go_on.wait();
            let again = again.join().expect("it is answered");
            assert_eq!(again, "weir; fwd=uri-miss; stored", "{target}");
        });
        assert!(is_hit(&gateway, "/slow?utm=9"));
        assert_eq!(Request::new("PUT", "/slow").ask(gateway.address()).status(), 200);
    }
}

#[test]
fn what_is_found_by_it_is_validated_replaced_and_served_stale_like_all_else() {
    let origin = Origin::start(as_told);
    let configuration = json!({
        "no_vary_search": true, "rules": [{"name": "all", "stale_if_error": "10m"}],
    });
    let gateway = start(&configuration, &origin);
    let stale = "200 | cache-control: max-age=60 | age: 100 | etag: \"a\" | no-vary-search: params=(\"utm\")";
    assert_eq!(ask(&gateway, "/a?id=1", stale), "weir; fwd=uri-miss; stored");
    let failed = ask(&gateway, "/a?id=1&utm=1", "503");
    assert_eq!(failed, "weir; fwd=stale; fwd-status=503; ttl=-40; detail=stale_if_error");
    let good = ask(&gateway, "/a?id=1&utm=2", "304 | etag: \"a\" | cache-control: max-age=60");
    assert_eq!(good, "weir; fwd=stale; fwd-status=304; ttl=60");
    assert!(is_hit(&gateway, "/a?id=1&utm=3") && is_hit(&gateway, "/a?id=1"));
    // A response that says nothing any more is the answer to its own query only, and the old one is gone.
    assert_eq!(ask(&gateway, "/b?id=1", stale), "weir; fwd=uri-miss; stored");
    let new = ask(&gateway, "/b?id=1&utm=1", "200 | cache-control: max-age=600");
    assert_eq!(new, "weir; fwd=stale; fwd-status=200; stored");
    assert!(is_hit(&gateway, "/b?id=1&utm=1") && !is_hit(&gateway, "/b?id=1"));
    // And the other way round.
    let plain = "200 | cache-control: max-age=60 | age: 100 | etag: \"a\"";
    assert_eq!(ask(&gateway, "/c?id=1", plain), "weir; fwd=uri-miss; stored");
    let new = ask(&gateway, "/c?id=1", &says("params=(\"utm\")"));
    assert_eq!(new, "weir; fwd=stale; fwd-status=200; stored");
    assert!(is_hit(&gateway, "/c?id=1") && is_hit(&gateway, "/c?id=1&utm=2"));
    // A validation may change what is said: from then on it holds for nothing else.
    assert_eq!(ask(&gateway, "/d?id=1", stale), "weir; fwd=uri-miss; stored");
    let changed =
        "304 | etag: \"a\" | cache-control: max-age=60 | no-vary-search: params=(\"ref\")";
    assert_eq!(ask(&gateway, "/d?id=1", changed), "weir; fwd=stale; fwd-status=304; ttl=60");
    assert!(!is_hit(&gateway, "/d?id=1&utm=2"));
    let head = Request::new("HEAD", "/a?id=1&utm=4").ask(gateway.address());
    assert!(status_of(&head).contains("hit"), "{head:?}");
}

#[test]
fn users_and_variants_stay_apart() {
    let origin = Origin::start(|request| {
        let fields = [
            ("cache-control", "max-age=600, private"),
            ("vary", "accept-language"),
            ("no-vary-search", "params"),
        ];
        let who = request.field("x-user").unwrap_or("nobody");
        let language = request.field("accept-language").unwrap_or("none");
        Act::response(200, &fields, format!("{who} {language}"))
    });
    let configuration = json!({"no_vary_search": true, "rules": [
        {"name": "mine", "key": {"user": "header:x-user"}},
    ]});
    let gateway = start(&configuration, &origin);
    for round in 0..3 {
        for (user, language) in [("ann", "de"), ("ann", "en"), ("bob", "de")] {
            let request = Request::get(&format!("/?n={round}")).field("x-user", user);
            let answer = request.field("accept-language", language).ask(gateway.address());
            assert_eq!(answer.text(), format!("{user} {language}"), "round {round}");
            assert_eq!(status_of(&answer).contains("hit"), round > 0, "{answer:?}");
        }
    }
}
