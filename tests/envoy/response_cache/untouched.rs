//! What is not HTTP as caches know it passes as if there were no cache; HTTP/2 and trailers change nothing.

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, Setup};
use harness::h2;
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::json;

use super::status_of;

/// A response that every cache would like to keep.
const FRESH: (&str, &str) = ("cache-control", "public, max-age=600");

fn start(origin: &Origin) -> Gateway {
    let routes = json!([
        {"match": {"connect_matcher": {}}, "route": {
            "cluster": "upstream",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        }},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "10s"}},
    ]);
    let setup = Setup::new("response-cache", &json!({"x_cache": true}), origin.address());
    setup.workers(2).routes(routes).upgrades().start()
}

/// Neither a word of the cache nor an age.
fn is_untouched(answer: &Message) -> bool {
    ["cache-status", "x-cache", "age"].iter().all(|name| answer.field(name).is_none())
}

#[test]
fn streams_of_one_http2_connection_share_what_is_stored() {
    let origin = Origin::start(|request| Act::response(200, &[FRESH], request.target()));
    let gateway = start(&origin);
    let mut connection = h2::Connection::open(gateway.address());
    for round in 0..3_u64 {
        let mut streams: Vec<u32> =
            (0..16).map(|n| connection.get(&format!("/{}", n % 4), &[])).collect();
        while !streams.is_empty() {
            let ended = connection.receive().expect("an answer");
            assert!(ended.is_ok, "round {round}: {ended:?}");
            streams.retain(|stream| *stream != ended.stream);
        }
        assert_eq!(origin.hits(), 4, "round {round}: each is fetched once");
    }
    let plain = gateway.get("/1");
    assert!(
        status_of(&plain).contains("hit") && plain.text() == "/1",
        "HTTP/1.1 as well: {plain:?}"
    );
    // A stream that is reset while it waits leaves the others and the store as they are.
    let reset = connection.get("/0", &[]);
    connection.reset(reset);
    let next = connection.get("/1", &[]);
    while connection.receive().expect("an answer").stream != next {}
    assert_eq!(origin.hits(), 4);
}

#[test]
fn upgrades_and_tunnels_pass() {
    let origin = Origin::start(|request| match request.field("upgrade") {
        Some(_) => Act::Answer(
            b"HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_vec(),
        ),
        None => Act::response(200, &[FRESH], request.target()),
    });
    let gateway = start(&origin);
    for n in 1..=2 {
        let mut socket = Connection::open(gateway.address());
        let upgrade = Request::get("/socket")
            .field("connection", "upgrade")
            .field("upgrade", "websocket")
            .field("sec-websocket-version", "13")
            .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let switched = socket.ask(&upgrade).expect("an answer");
        assert_eq!(switched.status(), 101, "{switched:?}");
        assert!(is_untouched(&switched), "{switched:?}");
        // What goes over it now is no HTTP to Envoy: the origin answers it, each time.
        socket.send(&Request::get("/inside").to_bytes()).expect("the socket is open");
        let inside = socket.receive(false).expect("an answer");
        assert_eq!((inside.text().as_str(), is_untouched(&inside)), ("/inside", true));
        assert_eq!(origin.hits_of("/inside"), n);
    }
    let mut tunnel = Connection::open(gateway.address());
    tunnel
        .send(b"CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n")
        .expect("the gateway reads");
    let opened = tunnel.receive(true).expect("an answer");
    assert_eq!((opened.status(), is_untouched(&opened)), (200, true), "{opened:?}");
    for n in 3..=4 {
        let inside = tunnel.ask(&Request::get("/inside")).expect("an answer");
        assert_eq!((inside.text().as_str(), is_untouched(&inside)), ("/inside", true));
        assert_eq!(origin.hits_of("/inside"), n);
    }
}

#[test]
fn grpc_passes() {
    let origin = Origin::start(|_| {
        let fields = [FRESH, ("content-type", "application/grpc"), ("grpc-status", "0")];
        Act::response(200, &fields, "")
    });
    let gateway = start(&origin);
    for content_type in ["application/grpc", "application/grpc+proto", "Application/gRPC-Web"] {
        for method in ["POST", "GET"] {
            for _ in 0..2 {
                let before = origin.hits();
                let call = Request::new(method, "/s/m").field("content-type", content_type);
                let answer = call.ask(gateway.address());
                let said = (answer.status(), answer.field("grpc-status"), origin.hits());
                assert_eq!(said, (200, Some("0"), before + 1), "{method} {content_type}");
                assert!(is_untouched(&answer), "{method} {content_type}: {answer:?}");
            }
        }
    }
    // A plain request that gets a gRPC answer does not have it stored.
    for n in 0..2 {
        let answer = gateway.get("/plain");
        assert!(status_of(&answer).contains("detail=status"), "request {n}: {answer:?}");
    }
}

#[test]
fn trailers_and_interim_responses_are_no_part_of_what_is_stored() {
    let origin = Origin::start(|request| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ntrailer: x-sum\r\n";
        let body = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n";
        let before = if request.target() == "/hinted" { interim } else { "" };
        Act::Answer([before, head, body, "x-sum: 7\r\nx-last: 1\r\n\r\n"].concat().into_bytes())
    });
    let gateway = start(&origin);
    for target in ["/trailed", "/hinted"] {
        for n in 0..4 {
            let answer = gateway.get(target);
            assert_eq!(
                (answer.status(), answer.text().as_str()),
                (200, "hello world"),
                "{answer:?}"
            );
            assert_eq!(status_of(&answer).contains("hit"), n > 0, "{target}: {answer:?}");
            for name in ["x-sum", "x-last", "link", "transfer-encoding"] {
                assert!(n == 0 || answer.field(name).is_none(), "{target}: {answer:?}");
            }
            let length = (n > 0).then_some("11");
            assert_eq!(answer.field("content-length"), length, "{target}: {answer:?}");
        }
        assert_eq!(origin.hits_of(target), 1);
    }
}

#[test]
fn a_request_with_a_body_and_every_other_method_goes_to_the_origin() {
    let origin = Origin::start(|request| Act::response(200, &[FRESH], request.method()));
    let gateway = start(&origin);
    gateway.get("/a");
    let asks = |method: &str| Request::new(method, "/a").ask(gateway.address());
    let body = Request::get("/a").body("x").ask(gateway.address());
    assert_eq!(status_of(&body), "weir; fwd=bypass");
    for method in ["OPTIONS", "TRACE"] {
        assert_eq!(status_of(&asks(method)), "weir; fwd=method", "{method}");
        assert!(status_of(&gateway.get("/a")).contains("hit"), "{method} is safe");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "PURGE", "M-SEARCH"] {
        let answer = asks(method);
        assert_eq!((status_of(&answer), answer.text().as_str()), ("weir; fwd=method", method));
        assert!(!status_of(&gateway.get("/a")).contains("hit"), "{method} is not safe");
        assert!(status_of(&gateway.get("/a")).contains("hit"));
    }
}
