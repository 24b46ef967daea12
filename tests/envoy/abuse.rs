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
    // That its answer began is the service's; that it comes to no end is the clients'.
    gateway.await_metric(&outcomes("success"), 3);
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

#[test]
fn no_spelling_of_a_path_gets_around_a_limit() {
    let origin = Origin::plain();
    let configuration = json!({"rate_limit": {"rules": [{
        "name": "api", "match": {"path": {"prefix": "/api"}}, "limits": [{"quota": 1, "window": "1h"}],
    }]}});
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(4).start();
    assert_eq!(gateway.get("/api").status(), 200);
    for target in [
        "/api",
        "/%61pi",
        "/a%70i/",
        "/api?x",
        "//api",
        "/./api",
        "/%2e/api",
        "/x/../api",
        "/x/%2e%2e/api",
        "/\\api",
        "/x\\..\\api",
        "/api//x",
        "http://example.com/api",
        "HTTP://other/api",
    ] {
        assert_eq!(gateway.get(target).status(), 429, "{target}");
    }
    assert_eq!(origin.hits(), 1);
}

#[test]
fn no_spelling_of_an_address_or_a_cookie_is_another_client() {
    let origin = Origin::plain();
    let limit = |name: &str, key: &str| json!({"name": name, "key": key, "limits": [{"quota": 1, "window": "1h"}]});
    let rules = |rule: Value| json!({"rate_limit": {"rules": [rule]}});
    let gateway =
        Setup::new("gateway", &rules(limit("a", "address")), origin.address()).workers(4).start();
    let from = |lines: &[&str]| {
        let request = Request::get("/");
        let request =
            lines.iter().fold(request, |request, line| request.field("x-forwarded-for", line));
        request.ask(gateway.address()).status()
    };
    assert_eq!(from(&["192.0.2.1"]), 200);
    for line in [
        "::ffff:192.0.2.1",
        "::FFFF:C000:201",
        "192.0.2.1 ",
        "203.0.113.9, 192.0.2.1",
        "203.0.113.9,192.0.2.1",
    ] {
        assert_eq!(from(&[line]), 429, "{line}");
    }
    assert_eq!(from(&["203.0.113.9", "192.0.2.1"]), 429);
    // What is no address is the connection's, whatever it says.
    assert_eq!(from(&["nonsense"]), 200);
    for line in ["192.0.2.2:80", "[::1]", "unknown", "", "192.0.2.3,", "0300.0.2.1", "3221225985"] {
        assert_eq!(from(&[line]), 429, "{line}");
    }

    let gateway =
        Setup::new("gateway", &rules(limit("c", "cookie:id")), origin.address()).workers(4).start();
    let with = |line: &str| Request::get("/").field("cookie", line).ask(gateway.address()).status();
    assert_eq!(with("id=7"), 200);
    for line in ["a=1; id=7", "id=7; id=8", " id = 7 ;", ";;id=7", "id=7;Path=/"] {
        assert_eq!(with(line), 429, "{line}");
    }
}

#[test]
fn one_clients_answer_is_not_made_anothers() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], format!("{request:?}"))
    });
    let gateway =
        Setup::new("gateway", &json!({"response_cache": {}}), origin.address()).workers(4).start();
    let plain = |target: &str| Request::get(target).ask(gateway.address());
    let poison = [
        ("/authorized", Request::get("/authorized").field("authorization", "Bearer x")),
        ("/twice", Request::get("/twice").field("authorization", "").field("authorization", "x")),
        ("/body", Request::get("/body").body("b")),
        ("/head", Request::new("HEAD", "/head")),
        ("/no-store", Request::get("/no-store").field("cache-control", "No-Store")),
        ("/query?a=1&a=2", Request::get("/query?a=2&a=1")),
        ("/slash", Request::get("/slash%2F")),
        ("/port", Request::get("/port").without("host").field("host", "example.com:8080")),
        ("/dot", Request::get("/dot").without("host").field("host", "example.com.")),
        ("/two", Request::get("/two").field("host", "evil.example")),
        ("/user", Request::get("/user").without("host").field("host", "evil@example.com")),
    ];
    for (target, request) in poison {
        let _ = request.try_ask(gateway.address());
        let first = plain(target);
        assert_eq!((first.status(), first.field("age")), (200, None), "{target}");
        assert!(plain(target).field("age").is_some(), "{target}");
    }
}

#[test]
fn broken_and_garbled_answers_are_not_stored() {
    // Envoy is not to send the next request on a connection that is about to end.
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncache-control: max-age=600";
    let answers = [
        ("/chunks", format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")),
        (
            "/both",
            format!(
                "{head}\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            ),
        ),
        ("/lengths", format!("{head}\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nhello")),
        ("/folded", format!("{head},\r\n private\r\ncontent-length: 2\r\n\r\nok")),
        ("/second", format!("{head}\r\nCACHE-CONTROL: PRIVATE\r\ncontent-length: 2\r\n\r\nok")),
        ("/blank", format!("{head}\r\ncache-control : private\r\ncontent-length: 2\r\n\r\nok")),
        ("/vary", format!("{head}\r\nvary: a b\r\ncontent-length: 2\r\n\r\nok")),
        (
            "/many",
            format!(
                "{head}\r\nvary: {}\r\ncontent-length: 2\r\n\r\nok",
                "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"
            ),
        ),
    ];
    let script = answers.clone();
    let origin = Origin::start(move |request| {
        let found = script.iter().find(|(target, _)| *target == request.target());
        Act::Cut(found.map_or(Vec::new(), |(_, answer)| answer.clone().into_bytes()))
    });
    let gateway =
        Setup::new("gateway", &json!({"response_cache": {}}), origin.address()).workers(2).start();
    for (target, _) in &answers {
        for n in 1..=3 {
            let _ = Request::get(target).try_ask(gateway.address());
            assert_eq!(origin.hits_of(target), n, "{target} was served from the store");
        }
    }
}

#[test]
fn clients_that_leave_give_their_probes_back() {
    let is_ill = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_ill);
    let origin =
        Origin::start(move |request| match (request.target(), switch.load(Ordering::SeqCst)) {
            ("/hang", _) => Act::Hang,
            (_, ill) => Act::response(if ill { 500 } else { 200 }, &[], ""),
        });
    let mut configuration = breaker("200ms");
    // A permit that was lost would be missed until long after the test.
    configuration["circuit_breaker"]["rules"][0]["probes"] = json!({"lease": "1h", "successes": 1});
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(4).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    is_ill.store(false, Ordering::SeqCst);
    let probed = wait::until(PATIENCE, || {
        let left = sent(&gateway, b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n");
        drop(left);
        (gateway.metric(&outcomes("ignored")) >= 5).then_some(())
    });
    assert!(probed.is_some(), "no probe was broken off");
    let closed = wait::until(PATIENCE, || {
        (gateway.get("/").status() == 200 && state(&gateway) == 0).then_some(())
    });
    assert!(closed.is_some(), "a probe that was broken off is still out");
}
