//! Requests and responses that no honest peer sends: a worker neither crashes nor hangs.

use std::io::Write;
use std::net::TcpStream;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};

/// Every shipped module with everything in it switched on.
fn modules() -> [(&'static str, Value); 5] {
    let limit = json!({"rules": [{
        "name": "all",
        "key": ["address", "header:x-key", "cookie:id", "query:q", "path_segment:0"],
        "limits": [{"quota": 1_000_000, "window": "1m"}],
    }]});
    let cache = json!({});
    let breaker = json!({"rules": [{"name": "all", "consecutive": {"failures": 100_000}, "ratio": {"enabled": false}}]});
    let metrics = json!({});
    let all = json!({
        "rate_limit": limit, "response_cache": cache, "circuit_breaker": breaker, "metrics": metrics,
    });
    [
        ("rate-limit", limit),
        ("response-cache", cache),
        ("circuit-breaker", breaker),
        ("metrics", metrics),
        ("gateway", all),
    ]
}

/// The worker still answers, and no VM had to be loaded again.
fn assert_well(gateway: &Gateway, what: &str) {
    let answer = gateway.get("/well");
    assert_eq!(
        (answer.status(), answer.text().as_str()),
        (200, "/well"),
        "after {what}\n{}",
        gateway.envoy.log_tail()
    );
    let reloads = gateway.envoy.stats("vm_reload").unwrap();
    assert_eq!(
        reloads.values().sum::<u64>(),
        0,
        "a VM was reloaded after {what}\n{}",
        gateway.envoy.log_tail()
    );
}

#[test]
fn hostile_requests_harm_no_worker() {
    let origin = Origin::plain();
    for (filter, configuration) in modules() {
        let gateway = Setup::new(filter, &configuration, origin.address()).start();
        let many = (0..1000)
            .fold(Request::get("/many"), |request, n| request.field(format!("x-{n}"), "v"));
        let requests: Vec<(&str, Vec<u8>)> = vec![
            (
                "a value that is not UTF-8",
                Request::get("/").field("x-key", b"\xff\xfe\x80").to_bytes(),
            ),
            (
                "a cookie that is not UTF-8",
                Request::get("/").field("cookie", b"id=\xff; \xfe=\xfd;;;=").to_bytes(),
            ),
            (
                "directives that are not UTF-8",
                Request::get("/").field("cache-control", b"max-age=\xff").to_bytes(),
            ),
            (
                "a target that is not UTF-8",
                b"GET /\xff?q=\xfe HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            ),
            ("a thousand headers", many.to_bytes()),
            ("no Host", Request::get("/").without("host").to_bytes()),
            ("an empty Host", Request::get("/").without("host").field("host", "").to_bytes()),
            ("an empty path", b"GET  HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
            ("HTTP/1.0 without Host", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
            (
                "an absolute target",
                b"GET http://other.example/p HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            ),
            ("an asterisk", b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
            ("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n".to_vec()),
            (
                "a long target",
                format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(60_000)).into_bytes(),
            ),
            ("a long value", Request::get("/").field("x-key", "v".repeat(100_000)).to_bytes()),
            (
                "a strange method",
                b"BREW /pot HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".to_vec(),
            ),
            (
                "an upgrade",
                Request::get("/").field("connection", "upgrade").field("upgrade", "x").to_bytes(),
            ),
            (
                "a gRPC call",
                Request::new("POST", "/s/m")
                    .field("content-type", "application/grpc")
                    .body("")
                    .to_bytes(),
            ),
            ("nonsense", b"\0\0\0\0\r\n\r\n".to_vec()),
            (
                "two lengths",
                b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
                    .to_vec(),
            ),
        ];
        for (what, bytes) in requests {
            let mut connection = Connection::open(gateway.address());
            connection.send(&bytes).unwrap();
            // Whatever Envoy or the origin answers, or a connection that is closed.
            let _ = connection.receive(false);
            assert_well(&gateway, &format!("{filter}: {what}"));
        }
    }
}

#[test]
fn clients_that_leave_harm_no_worker() {
    let origin = Origin::start(|request| match request.target() {
        "/hang" => Act::Hang,
        target => Act::response(200, &[], target),
    });
    for (filter, configuration) in modules() {
        let gateway = Setup::new(filter, &configuration, origin.address()).start();
        for bytes in [
            &b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n"[..],
            b"POST /half HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
            b"GET /headers HTTP/1.1\r\nhost: x\r\nx-unfinished",
        ] {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            stream.write_all(bytes).unwrap();
            drop(stream);
            assert_well(&gateway, filter);
        }
    }
}

#[test]
fn bodies_beyond_the_buffer_limit_pass_or_are_refused_and_hang_nobody() {
    let body = vec![b'x'; 300_000];
    let large = body.clone();
    let origin = Origin::start(move |request| match request.target() {
        "/large" => Act::response(200, &[("cache-control", "max-age=60")], &large),
        target => Act::response(200, &[], target),
    });
    for (filter, configuration) in modules() {
        let gateway =
            Setup::new(filter, &configuration, origin.address()).buffer_limit(65_536).start();
        for n in 0..2 {
            let answer = gateway.get("/large");
            assert_eq!(
                (answer.status(), answer.body.len()),
                (200, body.len()),
                "{filter}, request {n}"
            );
        }
        let answer = Request::new("POST", "/sent").body(&body).ask(gateway.address());
        assert_eq!(answer.text(), "/sent", "{filter}");
        assert_well(&gateway, filter);
    }
}

#[test]
fn hostile_responses_harm_no_worker() {
    // Whole responses say that the connection ends: Envoy would else use it once more while it is being closed.
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("/bytes", b"HTTP/1.1 200 OK\r\nx: \xff\xfe\r\ncache-control: max-age=\xff\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_vec()),
        ("/split", b"HTTP/1.1 200 OK\r\nvary: a\r\nvary: \r\nage: -1\r\nexpires: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("/garbage", b"nonsense nonsense nonsense\r\n\r\n".to_vec()),
        ("/cut", b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 1000\r\n\r\nshort".to_vec()),
        ("/early", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No\r\nconnection: close\r\n\r\n".to_vec()),
        ("/odd", b"HTTP/1.1 299 Odd\r\ncache-control: max-age=99999999999999999999999\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx".to_vec()),
    ];
    let script = answers.clone();
    let origin = Origin::start(move |request| {
        match script.iter().find(|(target, _)| *target == request.target()) {
            Some((_, bytes)) => Act::Cut(bytes.clone()),
            None => Act::response(200, &[], request.target()),
        }
    });
    for (filter, configuration) in modules() {
        let gateway = Setup::new(filter, &configuration, origin.address()).start();
        for (target, _) in &answers {
            for _ in 0..2 {
                let _ = Request::get(target).try_ask(gateway.address());
            }
            assert_well(&gateway, &format!("{filter}: {target}"));
        }
    }
}
