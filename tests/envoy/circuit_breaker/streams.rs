//! Streams through a real Envoy: their beginning is what counts, and of their end only what the service broke.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::json;
use weir_testbed::wait;

use super::{await_state, state};

const CLOSED: u64 = 0;
const OPEN: u64 = 2;

/// Ends each socket, and each stream where it begins to break, as a service may do; what goes on, goes on for ever.
fn streaming(is_ill: &Arc<AtomicBool>) -> Origin {
    let is_ill = Arc::clone(is_ill);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: ";
    Origin::start(move |request: &Message| match request.target() {
        _ if is_ill.load(Ordering::SeqCst) => Act::response(500, &[], "ill"),
        "/socket" => {
            let head = "HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
            // The server's closing frame, status 1000, and the end of the connection.
            Act::Cut([head.as_bytes(), b"\x88\x02\x03\xe8"].concat())
        }
        "/events" => Act::Answer(
            format!("{head}text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata:a\r\n")
                .into_bytes(),
        ),
        "/watch" => Act::Answer(
            format!(
                "{head}application/grpc\r\ntransfer-encoding: chunked\r\n\r\n6\r\n\0\0\0\0\x01a\r\n"
            )
            .into_bytes(),
        ),
        "/file" => Act::response(200, &[], vec![b'x'; 30_000_000]),
        "/breaks" => Act::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nsome".to_vec()),
        "/fails" => Act::response(500, &[], "no"),
        _ => Act::response(200, &[], "well"),
    })
}

/// Begins this stream, reads its first bytes and leaves.
fn begin(address: SocketAddr, target: &str) -> Connection {
    let mut connection = Connection::open(address);
    let request = match target {
        "/socket" => Request::get(target)
            .field("connection", "upgrade")
            .field("upgrade", "websocket")
            .field("sec-websocket-version", "13")
            .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        "/watch" => Request::get(target).field("content-type", "application/grpc"),
        _ => Request::get(target),
    };
    connection.send(&request.to_bytes()).unwrap();
    let status = connection.receive(true).unwrap().status();
    assert_eq!(status, if target == "/socket" { 101 } else { 200 }, "{target}");
    connection
}

fn outcomes(gateway: &Gateway, result: &str, expected: u64) {
    let metric =
        format!("weir_circuit_breaker_outcomes_total;breaker=all/upstream;result={result}");
    gateway.await_metric(&metric, expected);
}

/// A breaker as it comes, but for a short time to open.
fn start(origin: &Origin) -> Gateway {
    let rule = json!({"name": "all", "open": {"time": "100ms", "max_time": "100ms"}});
    Setup::new("circuit-breaker", &json!({"rules": [rule]}), origin.address())
        .workers(2)
        .upgrades()
        .start()
}

/// Opens it, heals the service, and waits until a probe is due.
fn fall_ill_and_heal(gateway: &Gateway, is_ill: &AtomicBool) {
    is_ill.store(true, Ordering::SeqCst);
    let opened = wait::until(PATIENCE, || {
        gateway.get("/");
        (state(gateway) == OPEN).then_some(())
    });
    assert!(opened.is_some(), "it did not open");
    is_ill.store(false, Ordering::SeqCst);
}

/// Closes it with nothing but these streams, whose clients do not leave, do not read, and send no other request.
fn heal_by(gateway: &Gateway, target: &str) {
    let mut kept = Vec::new();
    let closed = wait::until(PATIENCE, || {
        let mut connection = Connection::open(gateway.address());
        let mut request = Request::get(target);
        if target == "/socket" {
            request = request
                .field("connection", "upgrade")
                .field("upgrade", "websocket")
                .field("sec-websocket-version", "13")
                .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        connection.send(&request.to_bytes()).unwrap();
        connection.receive(true).unwrap();
        kept.push(connection);
        (state(gateway) == CLOSED).then_some(())
    });
    assert!(closed.is_some(), "{target} did not close it");
}

#[test]
fn streams_that_end_as_streams_do_neither_open_nor_keep_it_open() {
    let is_ill = Arc::new(AtomicBool::new(false));
    let origin = streaming(&is_ill);
    let gateway = start(&origin);
    for _ in 0..10 {
        // The server closes it, which Envoy flags as a termination by the upstream.
        let mut socket = begin(gateway.address(), "/socket");
        let _ended = socket.receive(false);
    }
    outcomes(&gateway, "success", 10);
    outcomes(&gateway, "failure", 0);
    for n in 0..150 {
        let target = ["/events", "/watch", "/file"][n % 3];
        drop(begin(gateway.address(), target));
        if n % 30 == 29 {
            assert_eq!(gateway.get("/fails").status(), 500, "{n}");
        }
    }
    outcomes(&gateway, "success", 160);
    outcomes(&gateway, "failure", 5);
    outcomes(&gateway, "ignored", 0);
    assert_eq!(state(&gateway), CLOSED);

    // Sockets, streams that never end and a download that nobody reads: each is a good probe.
    for target in ["/socket", "/events", "/file"] {
        fall_ill_and_heal(&gateway, &is_ill);
        heal_by(&gateway, target);
        for n in 0..5 {
            assert_eq!(gateway.get("/").text(), "well", "{target}: {n}");
        }
    }
}

#[test]
fn a_service_that_breaks_off_its_answers_opens_it_one_after_another_and_together() {
    let is_ill = Arc::new(AtomicBool::new(false));
    let origin = streaming(&is_ill);
    let rule = json!({"name": "all", "open": {"time": "1h", "max_time": "1h"}});
    let rules = json!({"rules": [rule]});
    let gateway = Setup::new("circuit-breaker", &rules, origin.address()).workers(2).start();
    for _ in 0..5 {
        let mut connection = Connection::open(gateway.address());
        assert!(connection.ask(&Request::get("/breaks")).is_err());
    }
    await_state(&gateway, OPEN);
    assert_eq!(gateway.get("/").status(), 503);
    outcomes(&gateway, "failure", 5);
    outcomes(&gateway, "success", 0);
}
