//! What an operator takes out of the store is gone for all workers, at once.

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::status_of;

/// Tells how often it was asked for this target, with the target's words as tags.
fn origin() -> Origin {
    Origin::start(|request| {
        let tags = request.target().replace('/', " ");
        let fields = [
            ("cache-control", "max-age=600, stale-while-revalidate=600"),
            ("vary", "accept-language"),
            ("surrogate-key", tags.trim()),
        ];
        Act::response(200, &fields, request.target())
    })
}

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    let mut configuration = configuration.clone();
    configuration["operations"] = json!({"path": "/weir", "source": "127.0.0.0/8"});
    Setup::new("response-cache", &configuration, origin.address()).workers(4).way_back().start()
}

fn ask(gateway: &Gateway, method: &str, target: &str) -> Message {
    Request::new(method, target).ask(gateway.address())
}

/// Whether each of many requests, on connections that end up at different workers, is a hit.
fn is_hit(gateway: &Gateway, target: &str) -> bool {
    let hits = (0..12).filter(|_| status_of(&gateway.get(target)).contains("hit")).count();
    hits == 12
}

fn is_forwarded_once(gateway: &Gateway, target: &str) -> bool {
    !status_of(&gateway.get(target)).contains("hit") && is_hit(gateway, target)
}

fn fill(gateway: &Gateway, targets: &[&str]) {
    for target in targets {
        gateway.get(target);
        assert!(is_hit(gateway, target), "{target}");
    }
}

const ALL: [&str; 5] = ["/services", "/services/1", "/services/1?page=2", "/users/7", "/"];

#[test]
fn a_purge_takes_out_what_it_names_and_no_more() {
    let purges = [
        ("url=http%3A%2F%2Fexample.com%2Fservices%2F1", vec!["/services/1"]),
        ("tag=services", vec!["/services", "/services/1", "/services/1?page=2"]),
        ("tag=7&tag=nothing", vec!["/users/7"]),
        (
            "prefix=http%3A%2F%2Fexample.com%2Fservices%2F",
            vec!["/services/1", "/services/1?page=2"],
        ),
        ("resource=services", vec!["/services", "/services/1", "/services/1?page=2"]),
        ("everything=true", ALL.to_vec()),
    ];
    let origin = origin();
    let configuration = json!({"resources": [
        {"name": "services", "patterns": ["**/services", "**/services/**"]},
    ]});
    let gateway = start(&configuration, &origin);
    for (purge, gone) in purges {
        fill(&gateway, &ALL);
        let answer = ask(&gateway, "DELETE", &format!("/weir/entries?{purge}"));
        assert_eq!(answer.status(), 200, "{purge}: {answer:?}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
        for target in ALL {
            if gone.contains(&target) {
                assert!(is_forwarded_once(&gateway, target), "{purge} leaves {target}");
            } else {
                assert!(is_hit(&gateway, target), "{purge} takes {target}");
            }
        }
    }
}

#[test]
fn a_purge_by_url_takes_all_variants() {
    let origin = origin();
    let gateway = start(&json!({}), &origin);
    let asks = |language: &str| {
        Request::get("/a").field("accept-language", language).ask(gateway.address())
    };
    for language in ["de", "en", "fr"] {
        asks(language);
        assert!(status_of(&asks(language)).contains("hit"));
    }
    assert_eq!(ask(&gateway, "PURGE", "/a").status(), 200);
    for language in ["de", "en", "fr"] {
        assert!(!status_of(&asks(language)).contains("hit"), "{language}");
    }
}

#[test]
fn the_purge_method_takes_tags_and_may_be_soft() {
    let origin = origin();
    let gateway = start(&json!({"background": {"cluster": "background"}}), &origin);
    fill(&gateway, &["/services/1", "/users/7"]);
    let purge = Request::new("PURGE", "/").field("surrogate-key", "services other");
    assert_eq!(purge.ask(gateway.address()).status(), 200);
    assert!(is_forwarded_once(&gateway, "/services/1"));
    assert!(is_hit(&gateway, "/users/7"));
    let before = origin.hits_of("/users/7");
    let soft = Request::new("PURGE", "/users/7").field("soft-purge", "1");
    assert_eq!(soft.ask(gateway.address()).status(), 200);
    let stale = gateway.get("/users/7");
    assert!(status_of(&stale).contains("hit"), "served while it is refreshed: {stale:?}");
    wait::until(PATIENCE, || (origin.hits_of("/users/7") == before + 1).then_some(()))
        .expect("a soft purge has it fetched anew");
}

#[test]
fn who_does_not_prove_itself_purges_nothing() {
    let origin = origin();
    let configuration = json!({
        "operations": {"path": "/weir", "source": "192.0.2.0/24"},
    });
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(2).start();
    fill(&gateway, &["/a"]);
    let refused = ask(&gateway, "DELETE", "/weir/entries?everything=true");
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.field("content-type"), Some("application/problem+json"));
    let before = origin.hits();
    ask(&gateway, "PURGE", "/b");
    assert_eq!(origin.hits(), before + 1, "an ordinary request of another method");
    assert!(is_hit(&gateway, "/a"));
}

#[test]
fn what_was_asked_before_a_purge_is_not_stored_after_it() {
    use std::sync::{Arc, Barrier};
    let at_origin = Arc::new(Barrier::new(2));
    let go_on = Arc::new(Barrier::new(2));
    let (there, wait) = (Arc::clone(&at_origin), Arc::clone(&go_on));
    let origin = Origin::start(move |_| {
        there.wait();
        wait.wait();
        Act::response(200, &[("cache-control", "max-age=600"), ("surrogate-key", "a")], "old")
    });
    for purge in
        ["tag=a", "everything=true", "url=http%3A%2F%2Fexample.com%2Fslow-one", "pattern=/**"]
    {
        let gateway = start(&json!({}), &origin);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| gateway.get("/slow-one"));
            at_origin.wait();
            assert_eq!(ask(&gateway, "DELETE", &format!("/weir/entries?{purge}")).status(), 200);
            go_on.wait();
            assert_eq!(asking.join().expect("it is answered").text(), "old");
            let again = scope.spawn(|| gateway.get("/slow-one"));
            at_origin.wait();
            go_on.wait();
            let again = again.join().expect("it is answered");
            assert!(!status_of(&again).contains("hit"), "{purge}: {again:?}");
        });
    }
}
