//! What hostile clients try: another user's response, a poisoned store, a store that grows.

use std::fmt::Write as _;

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

use super::status_of;

/// Says what it was asked, so that an answer shows whose it is.
fn echo(request: &Message, fields: &[(&str, &str)]) -> Act {
    let mut body = format!("{} {}", request.field("host").unwrap_or("-"), request.target());
    for name in ["cookie", "authorization", "x-user", "x-forwarded-host"] {
        if let Some(value) = request.field(name) {
            write!(body, " {name}={value}").expect("a text grows");
        }
    }
    Act::response(200, fields, body)
}

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(2).start()
}

fn ttl_rule() -> Value {
    json!({"rules": [{"name": "all", "ttl": "5m"}]})
}

#[test]
fn a_lifetime_of_the_operators_is_not_for_users_with_cookies_or_credentials() {
    let origin = Origin::start(|request| echo(request, &[]));
    let gateway = start(&ttl_rule(), &origin);
    for (name, value) in [("cookie", "id=ann"), ("authorization", "Bearer ann")] {
        for n in 0..2 {
            let made = Request::get("/mine").field(name, value).ask(gateway.address());
            assert_eq!(made.text(), format!("example.com /mine {name}={value}"), "request {n}");
        }
    }
    assert_eq!(gateway.get("/mine").text(), "example.com /mine", "nobody's was stored");
    assert!(status_of(&gateway.get("/mine")).contains("hit"));
    for (name, value) in [("cookie", "id=bob"), ("authorization", "Bearer bob")] {
        let own = Request::get("/mine").field(name, value).ask(gateway.address());
        assert_eq!(own.text(), format!("example.com /mine {name}={value}"), "not the plain one");
    }
}

#[test]
fn what_is_kept_by_user_is_served_to_this_user_only() {
    let origin = Origin::start(|request| echo(request, &[("cache-control", "private")]));
    let configuration = json!({"rules": [{
        "name": "mine", "ttl": "1m", "origin": "override",
        "key": {"user": "header:x-user"},
    }]});
    let gateway = start(&configuration, &origin);
    for round in 0..2 {
        for user in ["ann", "bob", "ann;x", "an"] {
            let own = Request::get("/me").field("x-user", user).ask(gateway.address());
            assert_eq!(own.text(), format!("example.com /me x-user={user}"), "round {round}");
            assert_eq!(status_of(&own).contains("hit"), round == 1, "{own:?}");
        }
    }
    for _ in 0..2 {
        let nobody = gateway.get("/me");
        assert_eq!(nobody.text(), "example.com /me", "a request without a user is nobody's");
        assert!(!status_of(&nobody).contains("hit"), "{nobody:?}");
    }
}

/// Each pair names two resources that some server tells apart.
#[test]
fn requests_that_are_not_the_same_never_share_a_response() {
    let origin = Origin::start(|request| echo(request, &[("cache-control", "max-age=600")]));
    let gateway = start(&json!({}), &origin);
    for (one, other) in [
        ("/a%20b", "/a+b"),
        ("/a?x=1&x=2", "/a?x=2&x=1"),
        ("/a?x", "/a?x="),
        ("/a?", "/a"),
        ("/a?x=%26y=1", "/a?x=&y=1"),
        ("/a?x=1&y", "/a?x=1%26y"),
        ("/A", "/a"),
        ("/a;v=1", "/a;v=2"),
        ("/a?b#", "/a?b"),
    ] {
        for target in [one, other] {
            let first = gateway.get(target);
            if first.status() == 200 {
                let shown = first.text();
                assert!(shown.ends_with(target.trim_end_matches('#')), "{target}: {shown}");
            }
        }
    }
}

#[test]
fn the_host_is_compared_as_hosts_are() {
    let origin = Origin::start(|request| echo(request, &[("cache-control", "max-age=600")]));
    let gateway = start(&json!({}), &origin);
    let ask = |host: &str, target: &str| {
        Request::get(target).without("host").field("host", host).ask(gateway.address())
    };
    assert!(!status_of(&ask("example.com", "/")).contains("hit"));
    for same in ["EXAMPLE.com", "example.com:80", "Example.Com:80"] {
        assert!(status_of(&ask(same, "/")).contains("hit"), "{same}");
    }
    for other in ["example.com:8080", "example.com.evil", "xexample.com", "example.co", "[::1]"] {
        let answer = ask(other, "/");
        assert!(!status_of(&answer).contains("hit"), "{other}: {answer:?}");
    }
    // The absolute form names the host, whatever the Host field says (RFC 9112, 3.2.2).
    let absolute = ask("example.com", "http://victim.example/");
    assert!(!status_of(&absolute).contains("hit"), "{absolute:?}");
    assert!(absolute.text().starts_with("victim.example"), "{absolute:?}");
    assert!(status_of(&ask("victim.example", "/")).contains("hit"));
}

/// A header that is in no key and no Vary, and that services answer by all the same.
#[test]
fn a_header_outside_the_key_poisons_nothing() {
    let origin = Origin::start(|request| echo(request, &[("cache-control", "max-age=600")]));
    let gateway = start(&json!({}), &origin);
    for name in ["x-forwarded-host", "x-original-url", "x-rewrite-url", "x-http-method-override"] {
        let target = format!("/{name}");
        let made = Request::get(&target).field(name, "evil.example").ask(gateway.address());
        assert!(status_of(&made).contains("detail=guarded"), "{made:?}");
        assert_eq!(gateway.get(&target).text(), format!("example.com {target}"), "{name}");
        let hit = Request::get(&target).field(name, "evil.example").ask(gateway.address());
        assert!(status_of(&hit).contains("hit"), "what is stored is good for all: {hit:?}");
    }
}

#[test]
fn a_marker_that_is_not_ours_means_nothing_and_goes_no_further() {
    let origin = Origin::start(|request| {
        let seen = request.field("x-weir-background").unwrap_or("none").to_owned();
        Act::response(200, &[("cache-control", "max-age=600")], seen)
    });
    let gateway = start(&json!({}), &origin);
    let marker = "00000000000000000000000000000000 1 https all .";
    for n in 0..3 {
        let answer = Request::get("/").field("x-weir-background", marker).ask(gateway.address());
        assert_eq!(answer.text(), "none");
        assert_eq!(status_of(&answer).contains("hit"), n > 0, "{answer:?}");
    }
}

#[test]
fn variants_tags_and_keys_stay_within_the_store() {
    let origin = Origin::start(|request| match request.target() {
        "/variants" => {
            let fields = [("cache-control", "max-age=600"), ("vary", "x-user")];
            echo(request, &fields)
        }
        "/tags" => {
            let tags: Vec<String> = (0..200).map(|n| format!("tag-{n}")).collect();
            let tags = tags.join(" ");
            Act::response(200, &[("cache-control", "max-age=600"), ("surrogate-key", &tags)], "x")
        }
        "/heavy" => {
            let heavy = "x".repeat(40 * 1024);
            Act::response(200, &[("cache-control", "max-age=600"), ("x-heavy", &heavy)], "x")
        }
        _ => echo(request, &[("cache-control", "max-age=600")]),
    });
    let configuration = json!({"max_entries": 64, "max_bytes": "1MiB", "max_object": "32KiB"});
    let gateway = start(&configuration, &origin);
    for n in 0..100 {
        let user = format!("user-{n}");
        let own = Request::get("/variants").field("x-user", &user).ask(gateway.address());
        assert!(own.text().ends_with(&format!("x-user={user}")), "{own:?}");
    }
    let entries = gateway.metric("weir_response_cache_entries");
    assert!(entries <= 8, "variants of one URI: {entries}");
    assert!(status_of(&gateway.get("/tags")).contains("detail=tags"));
    assert!(status_of(&gateway.get("/heavy")).contains("detail=too_large"));
    for n in 0..300 {
        gateway.get(&format!("/key/{n}"));
    }
    let (entries, bytes) = (
        gateway.metric("weir_response_cache_entries"),
        gateway.metric("weir_response_cache_bytes"),
    );
    assert!(entries <= 64 && bytes <= 1 << 20, "{entries} entries, {bytes} bytes");
}

/// The origin is told http, so that what it answers is no answer for https (a redirect to https would be a loop).
#[test]
fn a_scheme_in_the_request_line_is_not_the_schemes_of_the_key() {
    let origin = Origin::start(|request| {
        let told = request.field("x-forwarded-proto").unwrap_or("nothing").to_owned();
        Act::response(200, &[("cache-control", "max-age=600")], told)
    });
    let gateway = start(&json!({}), &origin);
    let absolute = Request::new("GET", "https://example.com/").ask(gateway.address());
    if absolute.status() == 200 {
        assert_eq!(absolute.text(), "http");
        assert!(status_of(&gateway.get("/")).contains("hit"), "it is what http would get");
    }
}
