//! What is kept of breakers: bounded whatever comes, and written only when something went wrong.
#![cfg(test)]

mod common;

use common::{BROKEN, End, Gateway, OK};
use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::filter::{Filter, Flow};
use kit::table::Layout;
use kit::{Exchange, Nanos};
use serde_json::{Value, json};
use weir_circuit_breaker::breaker::State;
use weir_circuit_breaker::config::Per;
use weir_circuit_breaker::filter::Stream;
use weir_circuit_breaker::records::dossier::{Dossier, Failure, N_FAILURES, Packed};
use weir_circuit_breaker::records::events::{Event, Events, Happened, N_EVENTS};
use weir_circuit_breaker::{CircuitBreaker, Config};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const OPERATIONS: &str = r#""operations": {"path": "/weir", "source": "192.0.2.0/24"}"#;

fn keyed(show_keys: bool) -> String {
    format!(
        r#"{{{OPERATIONS}, "max_breakers": 64, "rules": [{{"name": "tenants", "per": "key",
            "key": "header:x-tenant", "show_keys": {show_keys}, "consecutive": {{"failures": 3}}}}]}}"#
    )
}

/// A request of a tenant that ends like this; whether it was let through.
fn of_tenant(gateway: &Gateway, worker: usize, tenant: &str, end: End) -> bool {
    let x = FakeExchange::get(&gateway.host, "/", &[("x-tenant", tenant)]);
    let mut stream = Stream::default();
    let flow = gateway.workers[worker].on_request_headers(&mut stream, &x, true);
    x.set_attribute(Attribute::ResponseFlags, &end.0.to_le_bytes());
    x.set_attribute(Attribute::ResponseDetails, end.1.as_bytes());
    x.set_attribute(Attribute::ResponseCode, &end.2.to_le_bytes());
    gateway.workers[worker].on_log(&mut stream, &x);
    flow == Flow::Continue
}

fn read(gateway: &Gateway, target: &str) -> Value {
    let x = FakeExchange::get(&gateway.host, &format!("/weir{target}"), &[]);
    match gateway.workers[0].on_request_headers(&mut Stream::default(), &x, true) {
        Flow::Reply(reply) => serde_json::from_slice(&reply.body).unwrap(),
        flow @ (Flow::Continue | Flow::Pause) => panic!("{target}: {flow:?}"),
    }
}

#[test]
fn a_failure_is_kept_as_envoy_tells_it_and_eight_are_kept() {
    let json = format!(
        r#"{{{OPERATIONS}, "rules": [{{"name": "shop", "consecutive": {{"failures": 100}}, "slow": {{"duration": "1s"}},
            "ratio": {{"enabled": false}}}}]}}"#
    );
    let gateway = Gateway::new(2, &json);
    let wall = Nanos::from_millis(1_795_237_012_345);
    gateway.host.set_wall(wall);
    for n in 0..20_u64 {
        let passing = gateway.ask(usize::from(n % 2 == 0), "GET", "pay").ok().unwrap();
        gateway.end(passing, if n % 2 == 0 { BROKEN } else { OK });
    }
    let x = gateway.ask(0, "GET", "pay").ok().unwrap();
    let refused = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_x}";
    gateway.host.advance(Nanos::from_millis(1_250));
    gateway.host.set_wall(wall);
    gateway.end(x, End(0x8020, refused, 503));
    let slow = gateway.ask(0, "GET", "pay").ok().unwrap();
    gateway.host.advance(Nanos::from_millis(1_001));
    gateway.host.set_wall(wall);
    gateway.end(slow, OK);
    let grpc = gateway.ask(0, "GET", "pay").ok().unwrap();
    gateway.end_with(grpc, OK, |x| {
        x.set_header(kit::exchange::Map::Trailers, "grpc-status", b"14");
    });
    let failures = read(&gateway, "/breakers")["breakers"][0]["last_failures"].clone();
    assert_eq!(failures.as_array().unwrap().len(), N_FAILURES);
    let at = "2026-11-21T04:56:52.345Z";
    assert_eq!(
        failures[0],
        json!({"at": at, "failed": true, "slow": false, "status": 200, "grpc_status": 14,
            "duration_seconds": 0, "route": "all", "reason": "via_upstream"})
    );
    assert_eq!(
        failures[1],
        json!({"at": at, "failed": false, "slow": true, "status": 200,
            "duration_seconds": 1.001, "route": "all", "reason": "via_upstream"})
    );
    assert_eq!(
        failures[2],
        json!({"at": at, "failed": true, "slow": true, "status": 503, "flags": "UF,URX",
            "duration_seconds": 1.25, "route": "all", "reason": &refused[..64]})
    );
    assert_eq!(failures[3]["status"], 500);
}

#[test]
fn a_healthy_request_writes_no_record() {
    let gateway = Gateway::new(2, &keyed(true));
    for worker in 0..2 {
        of_tenant(&gateway, worker, "a", OK);
        let before = gateway.host.shared_ops();
        of_tenant(&gateway, worker, "a", OK);
        let after = gateway.host.shared_ops();
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "its outcome and no more");
    }
    assert_eq!(read(&gateway, "/breakers")["total"], 0, "a key is listed once it fails");
}

#[test]
fn ten_thousand_keys_cost_no_more_memory_than_a_few() {
    let gateway = Gateway::new(2, &keyed(true));
    for n in 0..64 {
        of_tenant(&gateway, n % 2, &format!("first-{n}"), BROKEN);
    }
    let (keys, metrics) = (gateway.host.shared_keys(), gateway.host.metric_names());
    for n in 0..10_000 {
        of_tenant(&gateway, n % 2, &format!("tenant-{n}"), if n % 2 == 0 { BROKEN } else { OK });
    }
    assert_eq!(gateway.host.shared_keys(), keys);
    assert_eq!(gateway.host.metric_names(), metrics);
    // 32 buckets of eight slots each.
    let slot = |layout: usize| 16 + layout;
    let buckets = |layout: usize| 32 * (4 + 8 * slot(layout));
    let bound = buckets(Packed.size())
        + buckets(weir_circuit_breaker::entry::Packed.size())
        + N_EVENTS * 440
        + 16;
    assert!(gateway.host.shared_bytes() <= bound, "{} of {bound}", gateway.host.shared_bytes());
    let listed = read(&gateway, "/breakers?limit=1000");
    let total = listed["total"].as_u64().unwrap();
    assert!((200..=256).contains(&total), "{total} of 256");
}

#[test]
fn a_key_is_shown_only_where_the_rule_says_so_and_is_held_by_its_id() {
    for show_keys in [false, true] {
        let gateway = Gateway::new(2, &keyed(show_keys));
        for _ in 0..3 {
            assert!(of_tenant(&gateway, 0, "acme\n", BROKEN));
        }
        let breaker = read(&gateway, "/breakers")["breakers"][0].clone();
        let scope = if show_keys { json!(r#"header "acme\n""#) } else { Value::Null };
        assert_eq!((&breaker["scope"], &breaker["state"]), (&scope, &json!("open")));
        let events = read(&gateway, "/events");
        assert_eq!(
            (&events["events"][0]["scope"], &events["events"][0]["id"]),
            (&scope, &breaker["id"])
        );
        assert!(show_keys || !events.to_string().contains("acme"));
        let target = format!(
            "/weir/control?mode=force_closed&rule=tenants&id={}",
            breaker["id"].as_str().unwrap()
        );
        let x = FakeExchange::get(&gateway.host, &target, &[]);
        x.set_header(kit::exchange::Map::Request, ":method", b"PUT");
        let flow = gateway.workers[1].on_request_headers(&mut Stream::default(), &x, true);
        assert!(matches!(flow, Flow::Reply(reply) if reply.status == 200));
        assert!(of_tenant(&gateway, 0, "acme\n", OK), "both workers");
        assert_eq!(read(&gateway, "/events")["events"][1]["scope"], scope);
    }
}

#[test]
fn keys_never_push_a_named_breaker_out_and_a_hand_keeps_its_name() {
    let dossier = |per: Per, seen: u64, held: u64| Dossier {
        rule: b"r".to_vec(),
        per,
        scope: Vec::new(),
        is_cut: false,
        seen_at: Nanos(seen),
        held_until: Nanos(held),
        failures: Vec::new(),
    };
    let loss = |dossier: &Dossier| Packed.loss(dossier, Nanos(1_000));
    let old_key = loss(&dossier(Per::Key, 1, 0));
    let key = loss(&dossier(Per::Key, 900, 1_000));
    let old_name = loss(&dossier(Per::Cluster, 1, 0));
    let name = loss(&dossier(Per::Rule, 900, 0));
    let held = loss(&dossier(Per::Key, 1, 1_001));
    assert!(0 < old_key && old_key < key && key < old_name && old_name < name && name < held);
}

#[test]
fn a_dossier_is_read_as_it_was_written_and_texts_are_cut() {
    let failure = |n: u8| Failure {
        at: Nanos::from_secs(u64::from(n)),
        has_failed: true,
        is_slow: n.is_multiple_of(2),
        status: (n > 1).then_some(503),
        grpc_status: (n > 2).then_some(14),
        flags: u64::MAX,
        took: Nanos::from_millis(u64::from(n)),
        route: vec![b'r'; usize::from(n)],
        reason: vec![b'w'; usize::from(n)],
    };
    let mut dossier = Dossier {
        rule: vec![b'n'; 64],
        per: Per::VirtualHost,
        scope: "ü".repeat(64).into_bytes(),
        is_cut: true,
        seen_at: Nanos(7),
        held_until: Nanos::MAX,
        failures: (0..8).map(failure).collect(),
    };
    let mut bytes = vec![0xff; Packed.size()];
    Packed.write(&dossier, &mut bytes);
    assert_eq!(Packed.read(&bytes), Some(dossier.clone()));
    assert_eq!(Packed.read(&bytes[1..]), None);
    dossier.scope = ["x".to_owned(), "ü".repeat(80)].concat().into_bytes();
    Packed.write(&dossier, &mut bytes);
    let cut = Packed.read(&bytes).unwrap().scope;
    assert_eq!((cut.len(), std::str::from_utf8(&cut).is_ok()), (127, true));
}

#[test]
fn events_are_bounded_and_in_the_order_in_which_they_happened() {
    let host = FakeHost::default();
    let config: Config = kit::config::load(
        "circuit-breaker",
        br#"{"rules": [{"name": "shop"}]}"#,
        CircuitBreaker::read,
    )
    .unwrap();
    let rule = &config.rules[0];
    let breakers = weir_circuit_breaker::policy::Breakers::open(&host, 64);
    let unit =
        weir_circuit_breaker::unit::Units::new(1, 64).meet(&host, &breakers, 0, rule, b"pay");
    let add = |secs: u64| {
        let what = Happened {
            at: Nanos::from_secs(secs),
            from: State::Closed,
            to: State::Open,
            cause: format!("cause={secs}"),
            by: String::new(),
        };
        Events.add(&host, &Event::new(&host, rule, &unit, "id".to_owned(), what));
    };
    // A worker that is late with what happened first.
    for secs in [1, 3, 2, 3, 5, 4] {
        add(secs);
    }
    let times = || -> Vec<u64> {
        Events.list(&host).events.iter().map(|event| event.at / 1_000_000_000).collect()
    };
    assert_eq!(times(), [1, 2, 3, 3, 4, 5]);
    for secs in 10..110 {
        add(secs);
    }
    assert_eq!(times(), (46..110).collect::<Vec<_>>());
    assert_eq!(Events.list(&host).total, 106);
}
