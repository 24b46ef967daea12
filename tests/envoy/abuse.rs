//! What a client tries on purpose: to evade a limit, to read what is another's, to break a service for others.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

/// One rule that opens after three failures in a row.
fn breaker(open_time: &str) -> Value {
    json!({"circuit_breaker": {"rules": [{
        "name": "all",
        "consecutive": {"failures": 3},
        "ratio": {"enabled": false},
        "open": {"time": open_time, "max_time": open_time, "jitter": "0%"},
    }]}})
}

fn outcomes(result: &str) -> String {
    format!("weir_circuit_breaker_outcomes_total;breaker=all/upstream;result={result}")
}

fn state(gateway: &Gateway) -> u64 {
    gateway.metric("weir_circuit_breaker_state;breaker=all/upstream")
}

/// A connection on which this was sent and nothing is read.
fn sent(gateway: &Gateway, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn clients_that_read_slowly_do_not_open_the_breaker() {
    // More than all buffers on the way hold, so that the upstream's timeout meets an answer that has begun.
    let large = vec![b'x'; 32 << 20];
    let origin = Origin::start(move |_request| Act::response(200, &[], &large));
    let gateway = Setup::new("gateway", &breaker("1h"), origin.address()).workers(2).start();
    let clients: Vec<TcpStream> =
        (0..3).map(|_| sent(&gateway, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")).collect();
    gateway.await_metric(&outcomes("ignored"), 3);
    assert_eq!((gateway.metric(&outcomes("failure")), state(&gateway)), (0, 0));
    drop(clients);
}

#[test]
fn a_service_that_says_nothing_opens_the_breaker_also_for_grpc() {
    for content_type in ["text/plain", "application/grpc"] {
        let origin = Origin::start(|_request| Act::Hang);
        let gateway = Setup::new("gateway", &breaker("1h"), origin.address()).workers(2).start();
        let call = Request::new("POST", "/slow").field("content-type", content_type).body("");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| call.ask(gateway.address()));
            }
        });
        gateway.await_metric(&outcomes("failure"), 3);
        assert_eq!(state(&gateway), 2, "{content_type}");
    }
}

#[test]
fn methods_that_a_service_does_not_know_do_not_open_the_breaker() {
    let origin = Origin::start(|request| {
        Act::response(if request.method() == "GET" { 200 } else { 501 }, &[], "")
    });
    let gateway = Setup::new("gateway", &breaker("1h"), origin.address()).workers(2).start();
    for _ in 0..20 {
        assert_eq!(Request::new("BREW", "/").body("").ask(gateway.address()).status(), 501);
    }
    gateway.await_metric(&outcomes("success"), 20);
    assert_eq!((gateway.get("/").status(), state(&gateway)), (200, 0));
}

#[test]
fn what_a_client_breaks_off_or_garbles_is_no_failure() {
    let origin = Origin::plain();
    let gateway = Setup::new("gateway", &breaker("1h"), origin.address()).workers(2).start();
    let requests = [
        &b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nZZZ\r\n"[..],
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\nless",
    ];
    for request in requests.repeat(5) {
        drop(sent(&gateway, request));
    }
    gateway.await_metric(&outcomes("ignored"), 10);
    assert_eq!((gateway.metric(&outcomes("failure")), state(&gateway)), (0, 0));
}

#[test]
fn a_request_that_is_still_to_come_takes_no_probe_from_others() {
    let is_ill = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_ill);
    let origin = Origin::start(move |_request| {
        Act::response(if switch.load(Ordering::SeqCst) { 500 } else { 200 }, &[], "")
    });
    // Long enough that no unsafe request may probe while the test runs.
    let mut configuration = breaker("1s");
    configuration["circuit_breaker"]["rules"][0]["probes"] = json!({"methods": "safe_only"});
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(2).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    is_ill.store(false, Ordering::SeqCst);
    let reason =
        |answer: &harness::http::Message| answer.field("x-weir-breaker").map(str::to_owned);
    // A body that never comes; the breaker must say no to it, also when a probe is due.
    let due = wait::until(PATIENCE, || {
        let mut slow = Connection::open(gateway.address());
        slow.send(b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\nless").unwrap();
        let answer = slow.receive(false).unwrap();
        (reason(&answer)? == "all; reason=unsafe").then_some(())
    });
    assert!(due.is_some(), "no probe was due");
    assert_eq!(gateway.get("/").status(), 200);
}
