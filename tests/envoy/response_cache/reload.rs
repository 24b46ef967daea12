//! New configurations over ECDS: the store, its purges and the requests under way outlive them.

use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::gate::Gate;
use super::status_of;

fn configuration(ttl: &str) -> Value {
    json!({
        "operations": {"path": "/weir", "source": "127.0.0.0/8"},
        "rules": [{"name": "all", "default_ttl": ttl}],
    })
}

fn start(origin: &Origin) -> Gateway {
    let configuration = configuration("100s");
    Setup::new("response-cache", &configuration, origin.address()).workers(4).start()
}

fn update(gateway: &Gateway, configuration: &Value) {
    assert!(gateway.update(configuration), "{:?}", gateway.messages());
}

fn ask(gateway: &Gateway, method: &str, target: &str) -> Value {
    let answer = Request::new(method, target).ask(gateway.address());
    assert_eq!(answer.status(), 200, "{method} {target}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn explain(gateway: &Gateway, target: &str) -> Value {
    ask(gateway, "GET", &format!("/weir/explain?url=http%3A%2F%2Fexample.com{target}"))
}

fn is_hit_everywhere(gateway: &Gateway, target: &str) -> bool {
    (0..8).map(|_| gateway.get(target)).all(|answer| status_of(&answer).contains("; hit"))
}

fn active(gateway: &Gateway, n: u64) -> Option<()> {
    let active = gateway.envoy.stats("http.front.downstream_rq_active").ok()?;
    (active.values().sum::<u64>() == n).then_some(())
}

#[test]
fn an_update_keeps_what_is_stored_and_new_terms_are_for_what_is_stored_anew() {
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let gateway = start(&origin);
    for n in 0..20 {
        gateway.get(&format!("/{n}"));
    }
    let before = gateway.metric("weir_response_cache_bytes");
    assert!(before > 0);
    update(&gateway, &configuration("200s"));
    for n in 0..20 {
        assert!(is_hit_everywhere(&gateway, &format!("/{n}")), "{n}");
    }
    assert_eq!(origin.hits(), 20);
    assert_eq!(gateway.metric("weir_response_cache_entries"), 20);
    assert_eq!(gateway.metric("weir_response_cache_bytes"), before);
    gateway.get("/new");
    let lifetime = |target: &str| {
        explain(&gateway, target)["entries"][0]["freshness"]["lifetime_seconds"].clone()
    };
    assert_eq!([lifetime("%2F0"), lifetime("%2Fnew")], [json!(100), json!(200)]);
}

#[test]
fn a_configuration_that_is_refused_changes_nothing() {
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let gateway = start(&origin);
    gateway.get("/a");
    assert!(!gateway.update(&json!({"rules": [{"name": "all", "default_tll": "1s"}]})));
    assert!(is_hit_everywhere(&gateway, "/a"));
    gateway.get("/b");
    assert!(is_hit_everywhere(&gateway, "/b"));
    assert_eq!(origin.hits(), 2);
}

#[test]
fn purges_outlive_an_update() {
    let gate = Gate::default();
    let shut = gate.clone();
    let origin = Origin::start(move |request| {
        if request.target() == "/slow" {
            shut.pass();
        }
        let fields =
            [("cache-control", "max-age=600, stale-while-revalidate=600"), ("surrogate-key", "a")];
        Act::response(200, &fields, request.target())
    });
    let gateway = start(&origin);
    gateway.get("/soft");
    gateway.get("/hard");
    thread::scope(|scope| {
        // On its way while it is purged, and still while the configuration changes.
        let asking = scope.spawn(|| gateway.get("/slow"));
        wait::until(PATIENCE, || (origin.hits() == 3).then_some(())).expect("it is at the origin");
        ask(&gateway, "DELETE", "/weir/entries?tag=a&soft=true");
        ask(&gateway, "DELETE", "/weir/entries?url=http%3A%2F%2Fexample.com%2Fhard");
        ask(&gateway, "DELETE", "/weir/entries?pattern=%2F**slow");
        update(&gateway, &configuration("200s"));
        gate.open();
        assert_eq!(asking.join().expect("it is answered").text(), "/slow");
    });
    assert_eq!(explain(&gateway, "%2Fsoft")["entries"][0]["purged"], "soft");
    assert!(!status_of(&gateway.get("/hard")).contains("; hit"));
    let again = gateway.get("/slow");
    assert!(!status_of(&again).contains("; hit"), "{again:?}");
    assert_eq!(origin.hits_of("/slow"), 2);
}

#[test]
fn who_waits_and_who_comes_after_an_update_get_the_answer_that_is_under_way() {
    let gate = Gate::default();
    let shut = gate.clone();
    let origin = Origin::start(move |request| {
        shut.pass();
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = start(&origin);
    thread::scope(|scope| {
        let mut asking = vec![scope.spawn(|| gateway.get("/a"))];
        wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).expect("the leader is there");
        asking.extend((0..8).map(|_| scope.spawn(|| gateway.get("/a"))));
        wait::until(PATIENCE, || active(&gateway, 9)).expect("eight wait");
        update(&gateway, &configuration("200s"));
        asking.extend((0..8).map(|_| scope.spawn(|| gateway.get("/a"))));
        wait::until(PATIENCE, || active(&gateway, 17)).expect("eight more wait");
        gate.open();
        for asked in asking {
            let answer = asked.join().expect("everybody is answered");
            assert_eq!((answer.status(), answer.text().as_str()), (200, "/a"));
        }
    });
    assert_eq!(origin.hits(), 1);
}

/// The one who leads keeps the first configuration alive; the second, to which Envoy last sent messages, ends.
/// Who is not woken gets 504 from Envoy, since nothing happens in its stream.
#[test]
fn who_waits_after_a_rollback_is_woken_though_the_newer_configuration_is_gone() {
    let gate = Gate::default();
    let shut = gate.clone();
    let origin = Origin::start(move |request| {
        shut.pass();
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let gateway = start(&origin);
    thread::scope(|scope| {
        let mut asking = vec![scope.spawn(|| gateway.get("/a"))];
        wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).expect("the leader is there");
        asking.extend((0..8).map(|_| scope.spawn(|| gateway.get("/a"))));
        wait::until(PATIENCE, || active(&gateway, 9)).expect("eight wait");
        update(&gateway, &configuration("200s"));
        update(&gateway, &configuration("100s"));
        asking.extend((0..8).map(|_| scope.spawn(|| gateway.get("/a"))));
        wait::until(PATIENCE, || active(&gateway, 17)).expect("eight more wait");
        gate.open();
        for asked in asking {
            let answer = asked.join().expect("everybody is answered");
            assert_eq!((answer.status(), answer.text().as_str()), (200, "/a"));
        }
    });
    assert_eq!(origin.hits(), 1);
}

#[test]
fn what_can_not_be_stored_stays_remembered() {
    let origin = Origin::start(|_| Act::response(200, &[("cache-control", "private")], "mine"));
    let gateway = start(&origin);
    gateway.get("/a");
    update(&gateway, &configuration("200s"));
    let found = explain(&gateway, "%2Fa");
    assert_eq!(found["flight"]["reason"], "private", "{found:#}");
}

#[test]
fn a_rule_that_is_taken_out_serves_nothing_of_what_it_stored() {
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let gateway = start(&origin);
    gateway.get("/a");
    let mut bypass = configuration("100s");
    bypass["rules"] = json!([{"name": "all", "action": "bypass"}]);
    update(&gateway, &bypass);
    for n in 2..=5 {
        assert!(!status_of(&gateway.get("/a")).contains("; hit"));
        assert_eq!(origin.hits(), n);
    }
    update(&gateway, &configuration("100s"));
    assert!(is_hit_everywhere(&gateway, "/a"), "it was kept meanwhile");
}
