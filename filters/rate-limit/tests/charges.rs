//! What stays charged when configurations meet, when refusals cost, and when nobody knows what the upstream did.
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

fn ask(worker: &RateLimit, host: &FakeHost) -> Option<Reply> {
    begin(worker, &FakeExchange::get(host, "/", &[]), &mut Stream::default())
}

fn retry_after(reply: &Reply) -> u64 {
    let value = reply.headers.iter().find(|(name, _)| name == "retry-after").unwrap();
    std::str::from_utf8(&value.1).unwrap().parse().unwrap()
}

#[test]
fn two_configurations_of_one_rule_in_use_at_once_each_hold_their_limits() {
    let host = FakeHost::default();
    let old =
        worker(&host, r#"{"rules": [{"name": "r", "limits": [{"quota": 1, "window": "1h"}]}]}"#);
    let new = worker(
        &host,
        r#"{"rules": [{"name": "r", "limits": [{"quota": 1, "window": "1h"}, {"quota": 1, "window": "2h"}]}]}"#,
    );
    let n_admitted = (0..50).filter(|_| ask(&old, &host).is_none()).count()
        + (0..50).filter(|_| ask(&new, &host).is_none() | ask(&old, &host).is_none()).count();
    assert_eq!(n_admitted, 2);
    assert_eq!(host.metric("weir_rate_limit_keys;rule=r"), Some(2));
}

#[test]
fn whoever_waits_as_told_is_admitted_also_where_refusals_cost() {
    for limits in [
        r#"[{"quota": 3, "window": "30s"}]"#,
        r#"[{"quota": 2, "window": "1s"}, {"quota": 3, "window": "1m"}]"#,
        r#"[{"algorithm": "sliding_window", "quota": 3, "window": "10s"}]"#,
        r#"[{"algorithm": "fixed_window", "quota": 3, "window": "10s"}, {"quota": 4, "window": "1m"}]"#,
    ] {
        for cost in [1, 2] {
            let host = FakeHost::default();
            host.set_now(Nanos::HOUR);
            let worker = worker(
                &host,
                &format!(
                    r#"{{"rules": [{{"name": "r", "cost": {cost}, "charge_refused": true, "limits": {limits}}}]}}"#
                ),
            );
            for _ in 0..20 {
                let Some(refused) = ask(&worker, &host) else { continue };
                host.advance(Nanos::from_secs(retry_after(&refused)));
                assert_eq!(ask(&worker, &host), None, "{limits} cost {cost}");
            }
        }
    }
}

/// A request that ends with this status and these details, perhaps after an upstream was asked.
fn end(worker: &RateLimit, host: &FakeHost, status: u64, details: &str, upstream: bool) -> bool {
    let x = FakeExchange::get(host, "/", &[]);
    let mut stream = Stream::default();
    if begin(worker, &x, &mut stream).is_some() {
        return false;
    }
    x.set_attribute(Attribute::ResponseCode, &status.to_le_bytes());
    x.set_attribute(Attribute::ResponseDetails, details.as_bytes());
    if upstream {
        x.set_attribute(Attribute::UpstreamAddress, b"192.0.2.9:80");
    }
    worker.on_log(&mut stream, &x);
    worker.on_log(&mut stream, &x);
    true
}

#[test]
fn a_guess_that_the_upstream_may_have_judged_stays_charged() {
    let config = r#"{"rules": [{"name": "login", "count": "responses", "statuses": [401],
        "limits": [{"algorithm": "sliding_window", "quota": 5, "window": "15m"}]}]}"#;
    let admitted = |status, details, upstream| {
        let host = FakeHost::default();
        let worker = worker(&host, config);
        (0..20).filter(|_| end(&worker, &host, status, details, upstream)).count()
    };
    assert_eq!(admitted(200, "via_upstream", true), 20);
    assert_eq!(admitted(401, "via_upstream", true), 5);
    assert_eq!(admitted(504, "response_timeout", true), 5, "the upstream was asked");
    assert_eq!(admitted(503, "no_healthy_upstream", false), 20, "nobody was asked");
}

#[test]
fn what_times_out_costs_what_was_reserved() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "query", "limits": [{"quota": 100, "window": "1h"}],
            "cost": {"from": "response_header", "name": "x-cost", "reserve": 50}}]}"#,
    );
    let n_admitted = (0..60).filter(|_| end(&worker, &host, 504, "response_timeout", true)).count();
    assert_eq!(n_admitted, 2);
}

#[test]
fn a_settlement_after_a_reset_counts_its_key() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "r", "limits": [{"quota": 100, "window": "1h"}],
            "cost": {"from": "status", "values": {"2xx": 9}}}]}"#,
    );
    let (x, mut stream) = (FakeExchange::get(&host, "/", &[]), Stream::default());
    assert_eq!(begin(&worker, &x, &mut stream), None);
    assert_eq!(host.metric("weir_rate_limit_keys;rule=r"), Some(1));
    weir_rate_limit::operations::Ledger::reset_rule(&worker, &host, None);
    assert_eq!(host.metric("weir_rate_limit_keys;rule=r"), Some(0));
    x.set_attribute(Attribute::ResponseCode, &200_u64.to_le_bytes());
    x.set_attribute(Attribute::ResponseDetails, b"via_upstream");
    worker.on_log(&mut stream, &x);
    assert_eq!(host.metric("weir_rate_limit_keys;rule=r"), Some(1));
}

#[test]
fn a_settlement_that_can_not_be_kept_is_counted() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"rules": [{"name": "r", "refund": {"statuses": [200]}, "limits": [{"quota": 9, "window": "1h"}]}]}"#,
    );
    let (x, mut stream) = (FakeExchange::get(&host, "/", &[]), Stream::default());
    assert_eq!(begin(&worker, &x, &mut stream), None);
    x.set_attribute(Attribute::ResponseCode, &200_u64.to_le_bytes());
    host.schedule_conflicts(u32::MAX);
    worker.on_log(&mut stream, &x);
    assert_eq!(host.metric("weir_rate_limit_requests_total;rule=r;decision=error"), Some(1));
}

#[test]
fn a_reset_that_forgets_nobody_says_why() {
    let host = FakeHost::default();
    let worker = worker(
        &host,
        r#"{"operations": {"path": "/ops", "source": ["192.0.2.1"]},
            "rules": [{"name": "login", "match": {"methods": ["POST"]}, "limits": [{"quota": 1, "window": "1h"}]}]}"#,
    );
    let delete = |target: &str| {
        let request = [(":method", "DELETE"), (":path", target), (":authority", "example.com")];
        let x = FakeExchange::new(&host, &request)
            .with_attribute(Attribute::SourceAddress, b"192.0.2.1:1");
        let reply = begin(&worker, &x, &mut Stream::default()).unwrap();
        (reply.status, String::from_utf8(reply.body).unwrap())
    };
    let (status, body) = delete("/ops/state?rule=login");
    assert!(status == 404 && body.contains("login not_matching"), "{status} {body}");
    assert_eq!(delete("/ops/state?rule=login&method=POST").0, 200);
}

#[test]
fn a_better_plan_is_offered_only_where_it_would_help() {
    let config = |limits: &str| {
        format!(
            r#"{{"plans": {{"names": ["free", "pro"], "absent": "free", "sources": [{{"value": "header:x-plan"}}],
                "upgrade": {{"free": {{"plan": "pro"}}}}}},
                "rules": [{{"name": "r", "limits": {limits}}}]}}"#
        )
    };
    let one = r#"[{"quota": 1, "window": "1h"}]"#;
    for (limits, is_offered) in [(one.to_owned(), false), (format!(r#"{{"free": {one}}}"#), true)] {
        let host = FakeHost::default();
        let worker = worker(&host, &config(&limits));
        assert_eq!(ask(&worker, &host), None);
        let body = String::from_utf8(ask(&worker, &host).unwrap().body).unwrap();
        assert_eq!(body.contains("upgrade"), is_offered, "{body}");
    }
}
