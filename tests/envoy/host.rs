//! Facts about the host that every filter depends on, through the probe.

use std::collections::BTreeSet;
use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::Origin;
use weir_testbed::wait;

fn order(what: &str) -> Request {
    Request::get("/").field("x-probe", what)
}

fn say(gateway: &Gateway, what: &str) -> String {
    order(what).ask(gateway.address()).text()
}

#[test]
fn no_update_is_lost_among_four_workers() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).workers(4).start();
    let (n_clients, n_requests) = (16, 100);
    let seen: BTreeSet<u64> = thread::scope(|scope| {
        let clients: Vec<_> = (0..n_clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(gateway.address());
                    let count = order("count");
                    (0..n_requests)
                        .map(|_| connection.ask(&count).unwrap().text().parse().unwrap())
                        .collect::<Vec<u64>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let n_counted = n_clients * n_requests;
    assert_eq!(seen, (1..=n_counted).collect(), "each count is given once");
}

#[test]
fn a_trap_costs_its_request_and_keeps_shared_state() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).start();
    assert_eq!(say(&gateway, "count"), "1");
    for (what, n_counted) in [("trap", 2), ("trap-response", 3)] {
        assert_eq!(order(what).ask(gateway.address()).status(), 503, "{what}");
        let counted = wait::until(PATIENCE, || {
            let answer = order("count").ask(gateway.address());
            (answer.status() == 200).then(|| answer.text())
        });
        assert_eq!(counted, Some(n_counted.to_string()), "after {what}");
    }
    // The answer is on its way when these trap: the next request meets a fresh VM.
    for what in ["trap-body", "trap-log"] {
        let _ = order(what).try_ask(gateway.address());
        let recovered = wait::until(PATIENCE, || {
            (order("read").ask(gateway.address()).text() == "3").then_some(())
        });
        assert!(recovered.is_some(), "after {what}");
    }
    // The very name that Prometheus' relabelling and the alerts of the testbed are written for.
    let told = gateway.envoy.prometheus("vm_reload_success").unwrap();
    let reloads = told.lines().find(|line| line.starts_with("envoy_wasm_"));
    let (name, n_reloads) = reloads.and_then(|line| line.split_once("{} ")).unwrap();
    assert!(name.ends_with("_vm_reload_success") && n_reloads != "0", "{told}");
}

#[test]
fn any_worker_wakes_a_stream_of_any_other() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).workers(4).start();
    for bed in 0..12 {
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| say(&gateway, &format!("sleep={bed}")));
            let woken = wait::until(PATIENCE, || {
                (say(&gateway, &format!("wake={bed}")) == "waking").then_some(())
            });
            assert!(woken.is_some(), "nobody came to bed {bed}");
            assert_eq!(sleeper.join().unwrap(), "woken");
        });
    }
}

#[test]
fn waking_a_stream_that_is_gone_harms_nobody() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).start();
    let mut sleeper = Connection::open(gateway.address());
    sleeper.send(&order("sleep=1").to_bytes()).unwrap();
    let is_asleep = || (say(&gateway, "wake=2") == "empty").then_some(());
    wait::until(PATIENCE, is_asleep).expect("the probe answers while a stream sleeps");
    drop(sleeper);
    for _ in 0..5 {
        say(&gateway, "wake=1");
        assert_eq!(say(&gateway, "headers").parse::<u32>().map(|n| n > 3), Ok(true));
    }
}

#[test]
fn a_background_call_is_answered_and_may_fail() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).workers(2).start();
    for n in 0..8 {
        let path = format!("/called/{n}");
        assert_eq!(say(&gateway, &format!("call={path}")), path);
        assert_eq!(origin.hits_of(&path), 1);
    }
    let dead = Origin::plain().address();
    let gateway = Setup::probe(dead).start();
    assert_eq!(
        order("call=/x").ask(gateway.address()).status(),
        503,
        "what Envoy says for a dead service"
    );
}

#[test]
fn a_call_outlives_the_client_that_asked_for_it() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).start();
    for n in 0..5 {
        let mut client = Connection::open(gateway.address());
        client.send(&order(&format!("call=/left/{n}")).to_bytes()).unwrap();
        drop(client);
    }
    assert!(say(&gateway, "call=/stayed").ends_with("/stayed"));
}

#[test]
fn a_stream_that_sleeps_in_a_vm_that_traps_ends_with_the_idle_timeout() {
    let origin = Origin::plain();
    let gateway = Setup::probe(origin.address()).start();
    let mut sleeper = Connection::open(gateway.address());
    sleeper.send(&order("sleep=1").to_bytes()).unwrap();
    wait::until(PATIENCE, || (say(&gateway, "wake=2") == "empty").then_some(()))
        .expect("the probe answers");
    assert_eq!(order("trap").ask(gateway.address()).status(), 503);
    // The client waits for 10 s; the idle timeout of the harness is 5 s.
    let answer = sleeper.receive(false).unwrap().status();
    assert!(matches!(answer, 503 | 504), "{answer}");
}
