//! The filter over whole requests, on a host in memory: two filters on one host are two workers.
#![cfg(test)]

mod worker;

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Nanos, Reply};
use weir_rate_limit::RateLimit;
use weir_rate_limit::filter::Stream;
use worker::{begin, worker};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn ask(worker: &RateLimit, x: &FakeExchange) -> Option<Reply> {
    begin(worker, x, &mut Stream::default())
}

fn from(host: &FakeHost, address: &[u8]) -> FakeExchange {
    FakeExchange::get(host, "/", &[]).with_attribute(Attribute::SourceAddress, address)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let value =
        reply.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice());
    value.and_then(|value| std::str::from_utf8(value).ok())
}

const THREE_A_MINUTE: &str =
    r#"{"rules": [{"name": "general", "limits": [{"quota": 3, "window": "1m"}]}]}"#;

#[test]
fn the_request_after_the_last_admitted_one_is_refused() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    for _ in 0..3 {
        assert_eq!(ask(&worker, &from(&host, b"192.0.2.1:1")), None);
    }
    let x = from(&host, b"192.0.2.1:2");
    let reply = ask(&worker, &x).unwrap();
    assert_eq!(
        (reply.status, reply.details, reply.grpc_status),
        (429, "weir_rate_limited", Some(8))
    );
    assert_eq!(header(&reply, "retry-after"), Some("20"));
    assert_eq!(header(&reply, "x-weir-rate-limit"), Some("general"));
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        concat!(
            r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota exceeded","#,
            r#""status":429,"detail":"The quota of \"general\" is spent; come back in 20 s.","#,
            r#""violated-policies":["general"]}"#
        )
    );
    assert_eq!(kit::Exchange::notes(&x), [("rate-limit", "limit")]);
    assert_eq!(host.metric("weir_rate_limit_requests_total;rule=general;decision=admit"), Some(3));
    assert_eq!(host.metric("weir_rate_limit_requests_total;rule=general;decision=limit"), Some(1));
    assert_eq!(host.metric("weir_rate_limit_keys;rule=general"), Some(1));
}

#[test]
fn a_client_that_waits_as_told_is_admitted() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    let x = from(&host, b"192.0.2.1:1");
    while ask(&worker, &x).is_none() {}
    host.advance(Nanos::from_secs(20));
    assert_eq!(ask(&worker, &x), None);
    assert!(ask(&worker, &x).is_some());
}

#[test]
fn a_clock_that_jumped_back_keeps_nobody_out_for_long() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    let x = from(&host, b"192.0.2.1:1");
    host.set_now(Nanos::from_days(9));
    while ask(&worker, &x).is_none() {}
    host.set_now(Nanos::from_days(1));
    let reply = ask(&worker, &x).unwrap();
    assert_eq!(header(&reply, "retry-after"), Some("20"));
    host.advance(Nanos::from_secs(20));
    assert_eq!(ask(&worker, &x), None);
}

#[test]
fn workers_share_their_counts_and_clients_do_not() {
    let host = FakeHost::default();
    let workers = [worker(&host, THREE_A_MINUTE), worker(&host, THREE_A_MINUTE)];
    let mut n_admitted = 0;
    for n in 0..10 {
        n_admitted += usize::from(ask(&workers[n % 2], &from(&host, b"192.0.2.1:1")).is_none());
    }
    assert_eq!(n_admitted, 3);
    assert_eq!(ask(&workers[0], &from(&host, b"192.0.2.2:1")), None);
}

#[test]
fn no_count_is_lost_to_conflicts() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    for _ in 0..3 {
        host.schedule_conflicts(7);
        assert_eq!(ask(&worker, &from(&host, b"192.0.2.1:1")), None);
    }
    host.schedule_conflicts(0);
    assert!(ask(&worker, &from(&host, b"192.0.2.1:1")).is_some());
    assert_eq!(host.metric("weir_rate_limit_conflicts_total;rule=general"), Some(21));
}

#[test]
fn an_address_of_ipv6_counts_by_its_64() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    for n in 1..=3 {
        assert_eq!(ask(&worker, &from(&host, format!("[2001:db8::{n}]:1").as_bytes())), None);
    }
    assert!(ask(&worker, &from(&host, b"[2001:db8::ffff:4]:1")).is_some());
    assert_eq!(ask(&worker, &from(&host, b"[2001:db8:0:1::1]:1")), None);
}

#[test]
fn a_refused_request_costs_no_rule_anything() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [
            {"name": "wide", "key": ["address"], "limits": [{"quota": 10, "window": "1m"}]},
            {"name": "narrow", "key": ["path"], "limits": [{"quota": 1, "window": "1m"}]}]}"#,
    );
    let x = from(&host, b"192.0.2.1:1");
    assert_eq!(ask(&worker, &x), None);
    for _ in 0..20 {
        let reply = ask(&worker, &x).unwrap();
        assert_eq!(
            (header(&reply, "x-weir-rate-limit"), header(&reply, "retry-after")),
            (Some("narrow"), Some("60"))
        );
    }
    for n in 0..9 {
        let x = FakeExchange::get(&host, &format!("/{n}"), &[]);
        assert_eq!(ask(&worker, &x), None, "the wide rule was charged for a refused request");
    }
    let reply = ask(&worker, &FakeExchange::get(&host, "/last", &[])).unwrap();
    assert_eq!(header(&reply, "x-weir-rate-limit"), Some("wide"));
}

#[test]
fn the_longest_wait_is_told_and_the_first_rule_named() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [
            {"name": "minute", "limits": [{"quota": 1, "window": "1m"}]},
            {"name": "hour", "limits": [{"quota": 1, "window": "1h"}]}]}"#,
    );
    let x = from(&host, b"192.0.2.1:1");
    assert_eq!(ask(&worker, &x), None);
    let reply = ask(&worker, &x).unwrap();
    assert_eq!(
        (header(&reply, "x-weir-rate-limit"), header(&reply, "retry-after")),
        (Some("minute"), Some("3600"))
    );
}

#[test]
fn a_rule_counts_only_what_it_matches() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "login", "match": {"methods": ["POST"]}, "limits": [{"quota": 1, "window": "1m"}]}]}"#,
    );
    for _ in 0..5 {
        assert_eq!(ask(&worker, &from(&host, b"192.0.2.1:1")), None);
    }
}

#[test]
fn a_missing_key_is_one_key_unless_told_otherwise() {
    let rule = |on_missing: &str| {
        format!(
            r#"{{"rules": [{{"name": "keyed", "key": ["header:x-api-key"]{on_missing},
                "limits": [{{"quota": 1, "window": "1m"}}]}}]}}"#
        )
    };
    let count = |config: &str| {
        let host = FakeHost::default();
        let worker = worker(&host, config);
        [b"192.0.2.1:1", b"192.0.2.1:1", b"192.0.2.2:1"]
            .map(|address| ask(&worker, &from(&host, address)).map_or(0, |reply| reply.status))
    };
    assert_eq!(count(&rule("")), [0, 429, 429]);
    assert_eq!(count(&rule(r#", "on_missing": "address""#)), [0, 429, 0]);
    assert_eq!(count(&rule(r#", "on_missing": "skip""#)), [0, 0, 0]);
    assert_eq!(count(&rule(r#", "on_missing": "deny""#)), [401, 401, 401]);
}

#[test]
fn a_count_that_can_not_be_kept_follows_the_failure_mode() {
    let rule = |on_failure: &str| {
        format!(
            r#"{{"rules": [{{"name": "r", "on_failure": "{on_failure}", "limits": [{{"quota": 9, "window": "1m"}}]}}]}}"#
        )
    };
    for (on_failure, expected) in [("admit", None), ("deny", Some(503))] {
        let host = FakeHost::default();
        let worker = worker(&host, &rule(on_failure));
        host.schedule_conflicts(u32::MAX);
        assert_eq!(ask(&worker, &from(&host, b"192.0.2.1:1")).map(|reply| reply.status), expected);
        assert_eq!(host.metric("weir_rate_limit_requests_total;rule=r;decision=error"), Some(1));
    }
}

#[test]
fn counts_outlive_a_new_configuration() {
    let host = FakeHost::default();
    let old = worker(&host, THREE_A_MINUTE);
    while ask(&old, &from(&host, b"192.0.2.1:1")).is_none() {}
    let new = worker(
        &host,
        r#"{"rules": [
            {"name": "other", "limits": [{"quota": 100, "window": "1s"}]},
            {"name": "general", "limits": [{"quota": 3, "window": "1m"}]}]}"#,
    );
    assert!(ask(&new, &from(&host, b"192.0.2.1:1")).is_some());
}

#[test]
fn an_admitted_request_costs_one_get_and_one_set_and_a_refused_one_no_set() {
    let host = FakeHost::default();
    let worker = worker(&host, THREE_A_MINUTE);
    let x = from(&host, b"192.0.2.1:1");
    let cost = || {
        let before = host.shared_ops();
        ask(&worker, &x);
        (host.shared_ops().0 - before.0, host.shared_ops().1 - before.1)
    };
    assert_eq!([cost(), cost(), cost(), cost()], [(1, 1), (1, 1), (1, 1), (1, 0)]);
}

#[test]
fn a_flood_of_keys_takes_no_memory_and_frees_no_spent_key() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "general", "max_keys": 64, "limits": [{"quota": 3, "window": "1h"}]}]}"#,
    );
    let spent = from(&host, b"192.0.2.1:1");
    while ask(&worker, &spent).is_none() {}
    let (keys, bytes) = (host.shared_keys().len(), host.shared_bytes());
    for n in 0..20_000_u32 {
        let [a, b, c, _] = n.to_le_bytes();
        ask(&worker, &from(&host, format!("10.{c}.{b}.{a}:1").as_bytes()));
    }
    assert_eq!(host.shared_keys().len(), keys);
    assert!(host.shared_bytes() <= bytes + 8 * (1 + 8 * 48));
    assert!(ask(&worker, &spent).is_some(), "a spent key was freed by a flood of others");
}

#[test]
fn what_is_in_force_is_told_in_operators_words() {
    let host = FakeHost::default();
    assert_eq!(
        worker(&host, THREE_A_MINUTE).summary(),
        [
            "rule general, for every request: 3 per 1m, up to 65536 keys; by address (IPv6 by /64), else one key for all"
        ]
    );
}

#[test]
fn a_rule_that_is_switched_off_counts_nothing() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "off", "mode": "off", "limits": [{"quota": 1, "window": "1h"}]}]}"#,
    );
    for _ in 0..3 {
        assert_eq!(ask(&worker, &from(&host, b"192.0.2.1:1")), None);
    }
    assert_eq!(worker.summary(), ["rule off: off"]);
}

#[test]
fn half_of_one_quota_is_half_of_another_over_the_same_window() {
    let host = FakeHost::default();
    let limit = |quota: u32| {
        format!(
            r#"{{"rules": [{{"name": "r", "limits": [{{"quota": {quota}, "window": "1m"}}]}}]}}"#
        )
    };
    let x = from(&host, b"192.0.2.1:1");
    let old = worker(&host, &limit(60));
    for _ in 0..30 {
        assert_eq!(ask(&old, &x), None);
    }
    let new = worker(&host, &limit(6));
    let n_admitted = (0..6).filter(|_| ask(&new, &x).is_none()).count();
    assert_eq!(n_admitted, 3);
}
