//! Many ask at once for what is not stored: one request goes to the origin.

use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::gate::Gate;
use super::status_of;

const N_CLIENTS: usize = 40;

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(4).start()
}

/// All clients at once, the gate opened when `n_asked` requests are at the origin and all others wait.
fn crowd(
    gateway: &Gateway,
    origin: &Origin,
    gate: &Gate,
    n_asked: u64,
    request: &Request,
) -> Vec<Message> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..N_CLIENTS)
            .map(|_| scope.spawn(|| request.try_ask(gateway.address()).expect("an answer")))
            .collect();
        let arrived = || {
            let active = gateway.envoy.stats("http.front.downstream_rq_active").ok()?;
            let active: u64 = active.values().sum();
            (origin.hits() >= n_asked && active == N_CLIENTS as u64).then_some(())
        };
        wait::until(PATIENCE, arrived).expect("all clients have asked");
        gate.open();
        clients.into_iter().map(|client| client.join().expect("no client fails")).collect()
    })
}

fn gated(gate: &Gate, fields: &'static [(&'static str, &'static str)]) -> Origin {
    let gate = gate.clone();
    Origin::start(move |request| {
        gate.pass();
        Act::response(200, fields, request.target())
    })
}

#[test]
fn concurrent_misses_of_all_workers_make_one_request_to_the_origin() {
    let gate = Gate::default();
    let origin = gated(&gate, &[("cache-control", "max-age=600")]);
    let gateway = start(&json!({}), &origin);
    let answers = crowd(&gateway, &origin, &gate, 1, &Request::get("/a"));
    assert_eq!(origin.hits(), 1);
    let collapsed = answers.iter().filter(|answer| status_of(answer).contains("collapsed")).count();
    assert_eq!(collapsed, N_CLIENTS - 1);
    assert!(answers.iter().all(|answer| answer.status() == 200 && answer.text() == "/a"));
    gateway.await_metric("weir_response_cache_collapsed_total;result=served", N_CLIENTS as u64 - 1);
}

#[test]
fn what_may_not_be_stored_is_remembered_and_nobody_waits_for_it_again() {
    let gate = Gate::default();
    let origin = gated(&gate, &[("cache-control", "private")]);
    let gateway = start(&json!({}), &origin);
    let answers = crowd(&gateway, &origin, &gate, 1, &Request::get("/a"));
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(origin.hits(), N_CLIENTS as u64, "each gets an answer of its own");
    // From now on all go at once: with the gate shut all of them are at the origin.
    let gate = Gate::default();
    let shut = gate.clone();
    origin.play(move |_| {
        shut.pass();
        Act::response(200, &[("cache-control", "private")], "")
    });
    crowd(&gateway, &origin, &gate, 2 * N_CLIENTS as u64, &Request::get("/a"));
    assert_eq!(origin.hits(), 2 * N_CLIENTS as u64);
}

#[test]
fn a_failure_wakes_everybody() {
    let gate = Gate::default();
    let shut = gate.clone();
    let origin = Origin::start(move |_| {
        shut.pass();
        Act::Cut(Vec::new())
    });
    let gateway = start(&json!({}), &origin);
    let answers = crowd(&gateway, &origin, &gate, 1, &Request::get("/a"));
    assert!(answers.iter().all(|answer| answer.status() == 503), "{answers:?}");
}

#[test]
fn a_leader_that_goes_away_leaves_the_place_to_another() {
    let origin = Origin::start(|_| Act::Hang);
    let gateway = start(&json!({}), &origin);
    let mut leader = harness::client::Connection::open(gateway.address());
    leader.send(&Request::get("/a").to_bytes()).expect("the gateway reads");
    wait::until(PATIENCE, || (origin.hits() == 1).then_some(()))
        .expect("the leader is at the origin");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| Request::get("/a").ask(gateway.address()));
        let both = || {
            let active = gateway.envoy.stats("http.front.downstream_rq_active").ok()?;
            (active.values().sum::<u64>() == 2).then_some(())
        };
        wait::until(PATIENCE, both).expect("the second request waits");
        origin.play(|_| Act::response(200, &[("cache-control", "max-age=600")], "second"));
        drop(leader);
        assert_eq!(waiting.join().expect("it is answered").text(), "second");
    });
    assert_eq!(origin.hits(), 2);
}

#[test]
fn waiting_ends_in_time_even_if_the_leader_never_does() {
    let origin = Origin::start(|_| Act::Hang);
    let gateway = start(&json!({"collapse": {"timeout": "200ms"}}), &origin);
    let mut leader = harness::client::Connection::open(gateway.address());
    leader.send(&Request::get("/a").to_bytes()).expect("the gateway reads");
    wait::until(PATIENCE, || (origin.hits() == 1).then_some(()))
        .expect("the leader is at the origin");
    origin.play(|_| Act::response(200, &[("cache-control", "max-age=600")], "own"));
    let answer = Request::get("/a").ask(gateway.address());
    assert_eq!((answer.text().as_str(), origin.hits()), ("own", 2));
}

#[test]
fn whoever_gives_up_while_waiting_disturbs_nobody() {
    let gate = Gate::default();
    let origin = gated(&gate, &[("cache-control", "max-age=600")]);
    let gateway = start(&json!({}), &origin);
    thread::scope(|scope| {
        let leader = scope.spawn(|| Request::get("/a").ask(gateway.address()));
        wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).expect("the leader is there");
        for _ in 0..8 {
            let mut impatient = harness::client::Connection::open(gateway.address());
            impatient.send(&Request::get("/a").to_bytes()).expect("the gateway reads");
            drop(impatient);
        }
        let patient = scope.spawn(|| Request::get("/a").ask(gateway.address()));
        let waits = || {
            let active = gateway.envoy.stats("http.front.downstream_rq_active").ok()?;
            (active.values().sum::<u64>() == 2).then_some(())
        };
        wait::until(PATIENCE, waits).expect("the impatient are gone, the patient one waits");
        gate.open();
        assert_eq!(leader.join().expect("an answer").text(), "/a");
        assert_eq!(patient.join().expect("an answer").text(), "/a");
    });
    assert_eq!(origin.hits(), 1);
}

/// Authorised requests share nothing, so they wait for nobody.
#[test]
fn authorised_requests_do_not_wait_for_one_another() {
    let gate = Gate::default();
    let origin = gated(&gate, &[("cache-control", "max-age=600")]);
    let gateway = start(&json!({}), &origin);
    let request = Request::get("/a").field("authorization", "Bearer x");
    crowd(&gateway, &origin, &gate, N_CLIENTS as u64, &request);
    assert_eq!(origin.hits(), N_CLIENTS as u64);
}
