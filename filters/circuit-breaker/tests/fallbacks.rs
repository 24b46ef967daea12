//! What a rejected request gets instead, in the configured order.
#![cfg(test)]

mod common;

use common::Gateway;
use kit::exchange::{Attribute, Exchange, STALE_COPY};
use kit::fake::FakeExchange;
use kit::filter::{Filter, Flow, Reply};
use weir_circuit_breaker::filter::Stream;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn gateway(fallbacks: &str) -> Gateway {
    let json = r#"{"rules": [{"name": "shop", "consecutive": {"failures": 3},
        "open": {"time": "10s", "jitter": "0%"}, "fallbacks": FALLBACKS}]}"#;
    Gateway::new(1, &json.replace("FALLBACKS", fallbacks))
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    /// It went on, marked like this.
    Passed(Option<String>),
    Answered(u16, &'static str),
}

struct Asked {
    stream: Stream,
    x: FakeExchange,
    reply: Option<Box<Reply>>,
    got: Got,
}

fn ask(gateway: &Gateway, cluster: &str, headers: &[(&str, &str)], has_copy: bool) -> Asked {
    let x = FakeExchange::get(&gateway.host, "/", headers)
        .with_attribute(Attribute::Cluster, cluster.as_bytes());
    if has_copy {
        x.publish(STALE_COPY, b"1");
    }
    let mut stream = Stream::default();
    match gateway.workers[0].on_request_headers(&mut stream, &x, true) {
        Flow::Continue => {
            let mark = x.request_header("x-weir-fallback");
            let mark = mark.map(|mark| String::from_utf8(mark.to_vec()).unwrap());
            Asked { stream, x, reply: None, got: Got::Passed(mark) }
        }
        Flow::Reply(reply) => {
            let got = Got::Answered(reply.status, reply.details);
            Asked { stream, x, reply: Some(reply), got }
        }
        Flow::Pause => panic!("paused"),
    }
}

fn end(gateway: &Gateway, asked: &mut Asked, details: &str, status: u64) {
    asked.x.set_attribute(Attribute::ResponseFlags, &0_u64.to_le_bytes());
    asked.x.set_attribute(Attribute::ResponseDetails, details.as_bytes());
    asked.x.set_attribute(Attribute::ResponseCode, &status.to_le_bytes());
    gateway.workers[0].on_log(&mut asked.stream, &asked.x);
}

fn fallbacks(gateway: &Gateway, kind: &str) -> i64 {
    let name = format!("weir_circuit_breaker_fallbacks_total;breaker=shop/pay;kind={kind}");
    gateway.host.metric(&name).unwrap_or(0)
}

const REJECTED: Got = Got::Answered(503, "weir_circuit_open");

fn marked(name: &str) -> Got {
    Got::Passed(Some(name.to_owned()))
}

#[test]
fn the_first_that_can_answers() {
    let all = r#"["stale", {"cluster": "spare"}, {"static": {"body": "later"}}]"#;
    let no_cluster = r#"["stale", {"static": {"status": 203}}]"#;
    let cluster_first = r#"[{"cluster": "spare"}, "stale"]"#;
    let static_only = r#"[{"static": {}}]"#;
    let the_static = |status| Got::Answered(status, "weir_fallback_static");
    for (list, has_copy, expected) in [
        (all, true, REJECTED),
        (all, false, marked("spare")),
        (no_cluster, true, REJECTED),
        (no_cluster, false, the_static(203)),
        (cluster_first, true, marked("spare")),
        (static_only, true, the_static(200)),
        (r#"["stale"]"#, true, REJECTED),
        (r#"["stale"]"#, false, REJECTED),
    ] {
        let gateway = gateway(list);
        assert_eq!(ask(&gateway, "pay", &[], has_copy).got, Got::Passed(None), "{list}: closed");
        gateway.open();
        assert_eq!(ask(&gateway, "pay", &[], has_copy).got, expected, "{list}, copy: {has_copy}");
    }
}

#[test]
fn a_fallback_is_told_and_counted() {
    let gateway = gateway(r#"["stale", {"static": {}}]"#);
    gateway.open();
    let asked = ask(&gateway, "pay", &[], false);
    assert_eq!(asked.x.notes(), [("circuit-breaker", "fallback")]);
    assert_eq!(fallbacks(&gateway, "static"), 1);
    assert_eq!(gateway.metric("requests_total;breaker=shop/pay;decision=reject"), 1);
    let reply = asked.reply.unwrap();
    let named = reply.headers.iter().find(|(name, _)| name == "x-weir-breaker");
    assert_eq!(named.unwrap().1, b"shop; reason=open; fallback=static");
}

#[test]
fn a_copy_counts_once_the_cache_has_served_it() {
    let gateway = gateway(r#"["stale"]"#);
    gateway.open();
    let mut asked = ask(&gateway, "pay", &[], true);
    assert_eq!(asked.x.notes(), [("circuit-breaker", "open")]);
    end(&gateway, &mut asked, "weir_cache_stale_if_error", 200);
    assert_eq!(asked.x.notes(), [("circuit-breaker", "fallback")]);
    assert_eq!(fallbacks(&gateway, "stale"), 1);
    // The cache thought otherwise in the end.
    let mut asked = ask(&gateway, "pay", &[], true);
    end(&gateway, &mut asked, "weir_circuit_open", 503);
    assert_eq!(
        (fallbacks(&gateway, "stale"), asked.x.notes()),
        (1, vec![("circuit-breaker", "open")])
    );
}

#[test]
fn how_a_fallback_ends_does_not_count_for_the_broken_breaker() {
    let gateway = gateway(r#"[{"cluster": "spare"}]"#);
    gateway.open();
    let ended = || gateway.metric("outcomes_total;breaker=shop/pay;result=failure");
    let before = ended();
    for _ in 0..3 {
        let mut asked = ask(&gateway, "pay", &[], false);
        assert_eq!(asked.got, marked("spare"));
        end(&gateway, &mut asked, "via_upstream", 500);
    }
    assert_eq!((ended(), fallbacks(&gateway, "cluster")), (before, 3));
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2);
    // It counts for the other cluster's, which is open now: nothing is left but the rejection.
    assert_eq!(gateway.metric("state;breaker=shop/spare"), 2);
    assert_eq!(ask(&gateway, "pay", &[], false).got, REJECTED);
    // A request to the other cluster itself does not fall back to it either.
    assert_eq!(ask(&gateway, "spare", &[], false).got, REJECTED);
}

#[test]
fn a_spare_that_rejects_lets_the_next_one_answer() {
    let gateway = gateway(r#"[{"cluster": "spare"}, {"cluster": "other"}, {"static": {}}]"#);
    gateway.open();
    for (name, n) in [("spare", 3), ("other", 3)] {
        for _ in 0..n {
            let mut asked = ask(&gateway, "pay", &[], false);
            assert_eq!(asked.got, marked(name));
            end(&gateway, &mut asked, "via_upstream", 500);
        }
    }
    assert_eq!(ask(&gateway, "pay", &[], false).got, Got::Answered(200, "weir_fallback_static"));
}

#[test]
fn breakers_of_another_scope_know_nothing_of_clusters() {
    let json = r#"{"rules": [{"name": "shop", "per": "rule", "consecutive": {"failures": 3},
        "open": {"time": "10s", "jitter": "0%"}, "fallbacks": [{"cluster": "spare"}]}]}"#;
    let gateway = Gateway::new(1, json);
    gateway.open();
    for _ in 0..10 {
        let mut asked = ask(&gateway, "pay", &[], false);
        assert_eq!(asked.got, marked("spare"));
        end(&gateway, &mut asked, "via_upstream", 500);
    }
}

#[test]
fn no_client_says_that_it_falls_back() {
    let spoofed = &[("x-weir-fallback", "spare")];
    let gateway = gateway(r#"[{"cluster": "spare"}]"#);
    let asked = ask(&gateway, "spare", spoofed, false);
    assert_eq!((asked.got, asked.x.notes()), (Got::Passed(None), vec![]));
    gateway.open();
    let asked = ask(&gateway, "spare", spoofed, false);
    assert_eq!(asked.got, REJECTED, "whose breaker it is can not be told");
    let named = asked.reply.unwrap().headers;
    let named = named.iter().find(|(name, _)| name == "x-weir-breaker").unwrap();
    assert_eq!(named.1, b"none; reason=forged");
    assert_eq!(gateway.metric("bypassed_total;reason=forged"), 2);
    // Without such a fallback the header is nobody's.
    let plain = self::gateway(r#"["stale"]"#);
    assert_eq!(ask(&plain, "pay", spoofed, false).got, marked("spare"));
}

#[test]
fn clients_that_speak_grpc_get_no_static_answer() {
    let gateway = gateway(r#"[{"static": {"body": "later"}}]"#);
    gateway.open();
    let asked = ask(&gateway, "pay", &[("content-type", "application/grpc+proto")], false);
    assert_eq!(asked.got, REJECTED);
    let reply = asked.reply.unwrap();
    assert_eq!(reply.grpc_status, Some(14));
    assert_eq!(reply.body_for(Some(b"application/grpc")), b"unavailable: shop; reason=open");
}

#[test]
fn whoever_only_says_what_it_would_do_replaces_nothing() {
    let json = r#"{"rules": [{"name": "shop", "shadow": true, "consecutive": {"failures": 3},
        "fallbacks": [{"static": {}}]}]}"#;
    let gateway = Gateway::new(1, json);
    gateway.open();
    assert_eq!(ask(&gateway, "pay", &[], false).got, Got::Passed(None));
}
