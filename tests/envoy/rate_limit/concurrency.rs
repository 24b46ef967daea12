//! Requests in flight: exactly as many as the quota, and given back however a stream ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::h2;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

/// One limit of requests in flight, and fields that tell how many more may come.
fn limiter(quota: u64, lease: &str) -> Value {
    let limit = json!({"algorithm": "concurrency", "quota": quota, "lease": lease});
    json!({"fields": {"x_ratelimit": "seconds"}, "rules": [{"name": "busy", "limits": [limit]}]})
}

/// Routes without time limits for what is held, with one for what is slow, and one that Envoy answers itself.
fn routes() -> Value {
    let to =
        |timeout: &str| json!({"cluster": "upstream", "timeout": timeout, "idle_timeout": "0s"});
    json!([
        {"match": {"prefix": "/slow"}, "route": to("0.3s")},
        {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}},
        {"match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/"}},
        {"match": {"prefix": "/to"}, "route": to("0s")},
    ])
}

/// What holds requests at the origin until the test lets them go.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    n_inside: AtomicU64,
    most_inside: AtomicU64,
}

impl Gate {
    fn set(&self, is_open: bool) {
        *self.is_open.lock().unwrap() = is_open;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let n_inside = self.n_inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(n_inside, Ordering::SeqCst);
        let closed = self.is_open.lock().unwrap();
        drop(self.changed.wait_while(closed, |is_open| !*is_open).unwrap());
        self.n_inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An origin that holds what goes to `/to/hold` at the gate.
fn origin(gate: &Arc<Gate>) -> Origin {
    let gate = Arc::clone(gate);
    Origin::start(move |request| match request.target() {
        "/to/hold" => {
            gate.pass();
            Act::response(200, &[], "held")
        }
        "/to/hang" | "/slow" => Act::Hang,
        "/to/reset" => Act::Cut(Vec::new()),
        "/to/cut" => Act::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nsome".to_vec()),
        // The rest never comes.
        "/to/part" => Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nsome".to_vec()),
        "/to/204" => Act::Answer(b"HTTP/1.1 204 No\r\n\r\n".to_vec()),
        "/to/304" => Act::Answer(b"HTTP/1.1 304 No\r\n\r\n".to_vec()),
        "/to/socket" => Act::Answer(
            b"HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_vec(),
        ),
        _ => Act::response(200, &[], "hello"),
    })
}

fn limited(configuration: &Value, origin: &Origin) -> Gateway {
    let setup = Setup::new("rate-limit", configuration, origin.address());
    setup.workers(4).routes(routes()).upgrades().start()
}

/// How many more may come besides the request that asks.
fn remaining(gateway: &Gateway) -> u64 {
    let answer = gateway.get("/direct");
    answer.field("x-ratelimit-remaining").unwrap().parse().unwrap()
}

/// Waits until so many more may come: streams end in the log phase, after the answer. There are never more.
fn await_remaining(gateway: &Gateway, expected: u64, what: &str) {
    let mut found = 0;
    let reached = wait::until(PATIENCE, || {
        found = remaining(gateway);
        assert!(found <= expected, "{what}: {found} may come, and not {expected}");
        (found == expected).then_some(())
    });
    assert!(reached.is_some(), "{what}: {found} may come, and not {expected}");
}

/// A connection on which this was sent and nothing is read.
fn sent(gateway: &Gateway, request: &Request) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.write_all(&request.to_bytes()).unwrap();
    stream
}

#[test]
fn exactly_the_quota_is_in_flight_and_the_next_is_refused_at_once() {
    let (quota, clients, rounds) = (5, 20, 10);
    let gate = Arc::new(Gate::default());
    let origin = origin(&gate);
    let gateway = limited(&limiter(quota, "5m"), &origin);
    for round in 1..=rounds {
        gate.set(false);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..clients {
                let tell = tell.clone();
                let gateway = &gateway;
                scope.spawn(move || tell.send(gateway.get("/to/hold").status()));
            }
            // While the gate is closed, only refusals can come.
            for _ in quota..clients {
                assert_eq!(told.recv_timeout(PATIENCE), Ok(429), "round {round}");
            }
            gate.set(true);
            for _ in 0..quota {
                assert_eq!(told.recv_timeout(PATIENCE), Ok(200), "round {round}");
            }
        });
        await_remaining(&gateway, quota - 1, "after the round");
    }
    assert_eq!(gate.most_inside.load(Ordering::SeqCst), quota);
    assert_eq!(origin.hits(), rounds * quota);
    let repeated = gateway.metric("weir_rate_limit_conflicts_total;rule=busy");
    println!("{rounds} rounds of {clients} clients for {quota} places: {repeated} swaps repeated");
}

#[test]
fn places_that_change_hands_quickly_are_never_more_than_the_quota() {
    let gate = Arc::new(Gate::default());
    gate.set(true);
    let origin = origin(&gate);
    let gateway = limited(&limiter(3, "5m"), &origin);
    let n_admitted = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address());
                for _ in 0..200 {
                    let status = connection.ask(&Request::get("/to/hold")).unwrap().status();
                    n_admitted.fetch_add(u64::from(status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    let n_admitted = n_admitted.into_inner();
    assert_eq!(origin.hits(), n_admitted);
    let most = gate.most_inside.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} at once");
    await_remaining(&gateway, 2, "after all");
    let repeated = gateway.metric("weir_rate_limit_conflicts_total;rule=busy");
    println!("1600 requests for 3 places: {n_admitted} admitted, {repeated} swaps repeated");
}

/// A gateway with ten places, one of which is taken as long as the test runs: a place given back twice is noticed.
struct Street {
    gateway: Gateway,
    origin: Origin,
    gate: Arc<Gate>,
    _held: TcpStream,
}

/// How many more may come while only the held request is there; less one, while another is.
const ALONE: u64 = 8;
const BESIDES: u64 = ALONE - 1;

impl Street {
    fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let origin = origin(&gate);
        let gateway = limited(&limiter(10, "5m"), &origin);
        let held = sent(&gateway, &Request::get("/to/hold"));
        let street = Self { gateway, origin, gate, _held: held };
        street.await_hits("/to/hold", 1);
        street
    }

    fn await_hits(&self, target: &str, n: u64) {
        let reached = wait::until(PATIENCE, || (self.origin.hits_of(target) == n).then_some(()));
        assert!(reached.is_some(), "{target} does not reach the service");
    }

    fn await_remaining(&self, expected: u64, what: &str) {
        await_remaining(&self.gateway, expected, what);
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        self.gate.set(true);
    }
}

#[test]
fn an_answer_gives_the_place_back_whoever_makes_it() {
    let street = Street::new();
    let ask = |method: &str, target: &str| {
        Request::new(method, target).try_ask(street.gateway.address()).map_or(0, |m| m.status())
    };
    for (method, target, status) in [
        ("GET", "/to/plain", 200),
        ("HEAD", "/to/plain", 200),
        ("POST", "/to/plain", 200),
        ("GET", "/to/204", 204),
        ("GET", "/to/304", 304),
        ("GET", "/to/cut", 0),
        ("GET", "/to/reset", 503),
        ("GET", "/slow", 504),
        ("GET", "/direct", 200),
        ("GET", "/moved", 301),
        ("GET", "/no-such-route", 404),
    ] {
        // More often than there are places.
        for _ in 0..if target == "/slow" { 1 } else { 12 } {
            assert_eq!(ask(method, target), status, "{method} {target}");
            street.await_remaining(ALONE, target);
        }
    }
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let street = Street::new();
    let hang = Request::get("/to/hang");
    let waiting = sent(&street.gateway, &hang);
    street.await_hits("/to/hang", 1);
    street.await_remaining(BESIDES, "while it waits for its answer");
    drop(waiting);
    street.await_remaining(ALONE, "it left before the answer");

    let mut reading = sent(&street.gateway, &Request::get("/to/part"));
    assert!(reading.read(&mut [0; 512]).unwrap() > 0);
    street.await_remaining(BESIDES, "while it reads");
    drop(reading);
    street.await_remaining(ALONE, "it left within the answer's body");

    let begun = Request::new("POST", "/to/hang").field("content-length", "300");
    let mut writing = sent(&street.gateway, &begun);
    writing.write_all(b"less").unwrap();
    // The service sees nothing of it before it is whole: only the limiter tells that it has come.
    let is_there = wait::until(PATIENCE, || (remaining(&street.gateway) == BESIDES).then_some(()));
    assert!(is_there.is_some(), "while it writes");
    drop(writing);
    street.await_remaining(ALONE, "it left within the request's body");
}

#[test]
fn streams_of_one_connection_have_a_place_each() {
    let street = Street::new();
    let mut connection = h2::Connection::open(street.gateway.address());
    let streams = [1, 2, 3].map(|n| {
        let stream = connection.get("/to/hang", &[]);
        connection.flush().unwrap();
        street.await_hits("/to/hang", n);
        street.await_remaining(ALONE - n, "one stream more");
        stream
    });
    for (n, stream) in (0..3).rev().zip(streams) {
        connection.reset(stream);
        connection.flush().unwrap();
        street.await_remaining(ALONE - n, "one stream less");
    }
    let answered = connection.get("/to/plain", &[]);
    assert_eq!(connection.receive().unwrap(), h2::Ended { stream: answered, is_ok: true });
    street.await_remaining(ALONE, "the connection is still there");
}

#[test]
fn a_websocket_has_its_place_until_it_is_closed() {
    let street = Street::new();
    let mut socket = Connection::open(street.gateway.address());
    let upgrade = Request::get("/to/socket")
        .field("connection", "upgrade")
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(socket.ask(&upgrade).unwrap().status(), 101);
    street.await_remaining(BESIDES, "while it is open");
    drop(socket);
    street.await_remaining(ALONE, "it was closed");
}

#[test]
fn a_service_that_is_not_there_holds_no_place() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new("rate-limit", &limiter(2, "5m"), closed);
    let gateway = setup.workers(4).routes(routes()).start();
    for _ in 0..5 {
        assert_eq!(gateway.get("/to/plain").status(), 503);
        await_remaining(&gateway, 1, "no connection");
    }
}

#[test]
fn answers_of_later_filters_give_the_place_back() {
    let origin = Origin::start(|request| match request.target() {
        "/cached" => Act::response(200, &[("cache-control", "max-age=600")], "stored"),
        target => Act::response(if target == "/ill" { 500 } else { 200 }, &[], ""),
    });
    let configuration = json!({
        "rate_limit": limiter(2, "5m"),
        "response_cache": {},
        "circuit_breaker": {"rules": [{
            "name": "all", "consecutive": {"failures": 3}, "ratio": {"enabled": false},
            "open": {"time": "1h", "max_time": "1h", "jitter": "0%"},
        }]},
    });
    let gateway = Setup::new("gateway", &configuration, origin.address()).workers(4).start();
    let settles = |target: &str, is_right: &dyn Fn(&harness::http::Message) -> bool| {
        // Each answer carries what is left besides it; the one before may still be in its log phase.
        let settled = wait::until(PATIENCE, || {
            let answer = gateway.get(target);
            let left = answer.field("x-ratelimit-remaining").unwrap() == "1";
            (left && is_right(&answer)).then_some(())
        });
        assert!(settled.is_some(), "{target}");
    };
    for _ in 0..5 {
        settles("/cached", &|answer| answer.field("age").is_some());
    }
    assert_eq!(origin.hits_of("/cached"), 1);
    for _ in 0..5 {
        settles("/ill", &|answer| answer.field("x-weir-breaker").is_some());
    }
    assert_eq!(origin.hits_of("/ill"), 3);
}

#[test]
fn what_a_later_rule_refuses_holds_no_place() {
    let gate = Arc::new(Gate::default());
    let origin = origin(&gate);
    let mut configuration = limiter(2, "5m");
    configuration["rules"].as_array_mut().unwrap().push(json!({
        "name": "once",
        "match": {"path": {"exact": "/to/once"}},
        "limits": [{"quota": 1, "window": "24h"}],
    }));
    let gateway = limited(&configuration, &origin);
    assert_eq!(gateway.get("/to/once").status(), 200);
    await_remaining(&gateway, 1, "admitted");
    for _ in 0..5 {
        let refused = gateway.get("/to/once");
        assert_eq!((refused.status(), refused.field("x-weir-rate-limit")), (429, Some("once")));
        await_remaining(&gateway, 1, "refused");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it is about time that passes outside of the modules")]
fn a_place_whose_lease_is_over_is_free_and_not_given_back_twice() {
    let lease = Duration::from_secs(2);
    let gate = Arc::new(Gate::default());
    let origin = origin(&gate);
    let gateway = limited(&limiter(1, "2s"), &origin);
    thread::scope(|scope| {
        let start = Instant::now();
        let first = scope.spawn(|| gateway.get("/to/hold").status());
        wait::until(PATIENCE, || (origin.hits() == 1).then_some(())).unwrap();
        assert_eq!(gateway.get("/direct").status(), 429);
        // The second takes the place of the first, which is still there.
        let (second, waited) = wait::until(PATIENCE, || {
            let mut second = Connection::open(gateway.address());
            second.send(&Request::get("/to/hang").to_bytes()).unwrap();
            let reached = wait::until(lease / 20, || (origin.hits() == 2).then_some(()));
            reached.map(|()| (second, start.elapsed()))
        })
        .unwrap();
        println!("a lease of {lease:?} is over after {waited:?}");
        assert!(waited >= lease, "{waited:?}");
        let taken = Instant::now();
        gate.set(true);
        assert_eq!(first.join().unwrap(), 200);
        // The first one's end must not free the place of the second.
        wait::until(lease / 2, || {
            let status = gateway.get("/direct").status();
            assert!(status == 429 || taken.elapsed() > lease / 2, "{status}");
            None::<()>
        });
        drop(second);
        await_remaining(&gateway, 0, "the second left");
    });
}
