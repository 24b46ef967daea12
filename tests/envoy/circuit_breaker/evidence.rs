//! What counts as a failure, as a real Envoy tells it.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use harness::client::{Connection, Request};
use harness::gateway::{PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin, dawdle};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::{await_state, rules, state};

const OPEN: u64 = 2;
const CLOSED: u64 = 0;

/// Opens for an hour after three failures in a row.
fn lasting(more: &Value) -> Value {
    let mut rule = json!({"open": {"time": "1h", "max_time": "1h"}});
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    rules(&rule)
}

fn grpc(target: &str) -> Request {
    Request::new("POST", target).field("content-type", "application/grpc").body("")
}

/// A gRPC answer, with its status among the headers or in the trailers, as the path says: `/headers/14`.
fn by_path(request: &Message) -> Act {
    let (place, status) = request.target()[1..].split_once('/').unwrap();
    if place == "headers" {
        let fields = [("content-type", "application/grpc"), ("grpc-status", status)];
        return Act::response(200, &fields, "");
    }
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n";
    let text =
        format!("{head}trailer: grpc-status\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: {status}\r\n\r\n");
    Act::Answer(text.into_bytes())
}

/// Trailers pass over HTTP/1 only where both sides are told so.
fn with_trailers() -> Value {
    json!({"typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        },
    }})
}

#[test]
fn a_grpc_status_counts_in_the_headers_and_in_the_trailers() {
    let origin = Origin::start(by_path);
    for (place, failing, harmless) in [("headers", 14, 5), ("trailers", 13, 4)] {
        let gateway = Setup::new("circuit-breaker", &lasting(&json!({})), origin.address())
            .upstream(with_trailers())
            .start();
        for _ in 0..5 {
            grpc(&format!("/{place}/{harmless}")).ask(gateway.address());
        }
        assert_eq!(state(&gateway), CLOSED, "{place}: {harmless} is the client's");
        for n in 1..=3 {
            let answer = grpc(&format!("/{place}/{failing}")).ask(gateway.address());
            assert_eq!(answer.status(), 200, "{n}: {answer:?}");
        }
        await_state(&gateway, OPEN);
        let refused = grpc(&format!("/{place}/0")).ask(gateway.address());
        assert_eq!(refused.field("grpc-status"), Some("14"), "{place}: {refused:?}");
    }
}

#[test]
fn which_grpc_statuses_are_failures_is_a_choice() {
    let origin = Origin::start(by_path);
    let configuration = lasting(&json!({"failure_grpc_status": "NOT_FOUND"}));
    let gateway = Setup::new("circuit-breaker", &configuration, origin.address()).start();
    for _ in 0..5 {
        grpc("/headers/14").ask(gateway.address());
    }
    assert_eq!(state(&gateway), CLOSED);
    for _ in 0..3 {
        grpc("/headers/5").ask(gateway.address());
    }
    await_state(&gateway, OPEN);
}

/// Late answers open it, in whatever order they come; how slowly a client reads or sends does not matter.
#[test]
fn answers_that_begin_late_open_it_and_slow_clients_do_not() {
    let origin = Origin::start(|request| {
        if request.target() == "/late" {
            dawdle(Duration::from_millis(400));
        }
        Act::response(200, &[], "x".repeat(200_000))
    });
    let configuration = lasting(&json!({
        "consecutive": {"enabled": false},
        "slow": {"duration": "200ms", "threshold": "50%", "min_requests": 4},
    }));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(2).start();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut slow = Connection::open(gateway.address());
                slow.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab").unwrap();
                dawdle(Duration::from_millis(600));
                slow.send(b"cd").unwrap();
                assert_eq!(slow.receive(false).unwrap().status(), 200);
            });
        }
    });
    gateway
        .await_metric("weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=success", 6);
    assert_eq!(gateway.metric("weir_circuit_breaker_slow_total;breaker=all/upstream"), 0);
    for _ in 0..6 {
        assert_eq!(gateway.get("/late").status(), 200);
    }
    await_state(&gateway, OPEN);
    assert_eq!(gateway.metric("weir_circuit_breaker_slow_total;breaker=all/upstream"), 6);
    assert_eq!(gateway.get("/").status(), 503);
}

/// Late is what the filter's clock says, where Envoy adds no header of its own and the service one that is not true.
#[test]
fn a_service_can_not_say_that_it_was_quick_or_slow() {
    let origin = Origin::start(|request| {
        let is_late = request.target() == "/late";
        if is_late {
            dawdle(Duration::from_millis(120));
        }
        let word = if is_late { "1" } else { "90000" };
        Act::response(200, &[("x-envoy-upstream-service-time", word)], "")
    });
    let configuration = lasting(&json!({
        "consecutive": {"enabled": false},
        "slow": {"duration": "100ms", "threshold": "50%", "min_requests": 4},
    }));
    for hides in [true, false] {
        let gateway = Setup::new("circuit-breaker", &configuration, origin.address())
            .router(json!({"suppress_envoy_headers": hides}))
            .start();
        for _ in 0..4 {
            assert_eq!(gateway.get("/quick").status(), 200);
        }
        assert_eq!(state(&gateway), CLOSED, "{hides}");
        for _ in 0..4 {
            assert_eq!(gateway.get("/late").status(), 200);
        }
        await_state(&gateway, OPEN);
    }
}

#[test]
fn the_services_own_word_lengthens_an_opening_up_to_the_cap() {
    for (word, heeds, least, most) in [
        ("1800", true, 1_790, 1_800),
        ("999999", true, 3_590, 3_600),
        ("1800", false, 1, 60),
        ("soon", true, 1, 60),
    ] {
        let origin =
            Origin::start(move |_| Act::response(503, &[("retry-after", word)], "not now"));
        let configuration = rules(&json!({
            "heed_retry_after": heeds, "open": {"time": "60s", "max_time": "1h", "jitter": "0%"},
        }));
        let gateway = Setup::new("circuit-breaker", &configuration, origin.address()).start();
        for _ in 0..3 {
            gateway.get("/");
        }
        await_state(&gateway, OPEN);
        let told = gateway.get("/");
        let seconds: u64 = told.field("retry-after").unwrap().parse().unwrap();
        assert!((least..=most).contains(&seconds), "{word} {heeds}: {seconds}");
    }
}

/// Hangs, cuts and refused connections open it within as many requests as it says, with 1 and 4 workers.
#[test]
fn every_way_to_fail_opens_it_within_the_promised_number() {
    type Script = fn(&Message) -> Act;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let ways: [(&str, Option<Script>); 4] = [
        ("hangs", Some(|_| Act::Hang)),
        ("cuts", Some(|_| Act::Cut(Vec::new()))),
        (
            "cuts the body",
            Some(|_| Act::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".to_vec())),
        ),
        ("is not there", None),
    ];
    thread::scope(|scope| {
        for (way, script) in ways {
            for workers in [1, 4] {
                scope.spawn(move || {
                    let origin = script.map(Origin::start);
                    let address = origin.as_ref().map_or(nobody, Origin::address);
                    let gateway = Setup::new("circuit-breaker", &lasting(&json!({})), address)
                        .workers(workers)
                        .start();
                    for n in 1..=3 {
                        let mut connection = Connection::open(gateway.address());
                        let answer = connection.ask(&Request::get("/slow"));
                        let is_ours =
                            answer.is_ok_and(|answer| answer.field("x-weir-breaker").is_some());
                        assert!(!is_ours, "{way}: {n} came too early");
                    }
                    await_state(&gateway, OPEN);
                    let hits = origin.as_ref().map(Origin::hits);
                    for _ in 0..20 {
                        assert_eq!(gateway.get("/slow").status(), 503, "{way}");
                    }
                    assert_eq!(
                        origin.as_ref().map(Origin::hits),
                        hits,
                        "{way}: nothing gets through"
                    );
                });
            }
        }
    });
}

#[test]
fn clients_that_leave_prove_nothing() {
    let origin = Origin::start(|_| Act::Hang);
    let gateway = Setup::new("circuit-breaker", &lasting(&json!({})), origin.address()).start();
    for n in 1..=10 {
        let mut connection = Connection::open(gateway.address());
        connection.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert!(wait::until(PATIENCE, || (origin.hits() >= n).then_some(())).is_some());
    }
    let ignored = "weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=ignored";
    gateway.await_metric(ignored, 10);
    assert_eq!(state(&gateway), CLOSED);
    origin.play(|_| Act::response(200, &[], "well"));
    assert_eq!(gateway.get("/").text(), "well");
}

/// Envoy takes these fields from its own filters and from internal clients only: here a filter in front sets them.
fn deadlines() -> Value {
    let mutation = |name: &str, from: &str| {
        let value = format!("%REQ({from})%");
        json!({"append": {"header": {"key": name, "value": value}}})
    };
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [
                mutation("x-envoy-upstream-rq-timeout-ms", "x-whole"),
                mutation("x-envoy-upstream-rq-per-try-timeout-ms", "x-try"),
            ]},
        },
    })
}

/// Whoever chooses how long to wait opens nothing for the others; the route's own timeout does.
#[test]
fn a_deadline_that_a_client_chose_is_no_failure_and_a_status_may_count_as_nothing() {
    let origin = Origin::start(|request| match request.target() {
        "/gone" => Act::response(500, &[], ""),
        "/late" => {
            dawdle(Duration::from_millis(60));
            Act::response(504, &[], "")
        }
        "/tardy" => {
            dawdle(Duration::from_millis(60));
            Act::response(200, &[("grpc-status", "4")], "")
        }
        _ => Act::Hang,
    });
    let configuration = lasting(&json!({
        "ignore_status": 500,
        "failure_grpc_status": ["DEADLINE_EXCEEDED", "UNAVAILABLE"],
    }));
    let route = json!({"cluster": "upstream", "max_stream_duration": {
        "grpc_timeout_header_max": "0s",
    }});
    let setup = Setup::new("circuit-breaker", &configuration, origin.address())
        .routes(json!([{"match": {"prefix": "/"}, "route": route}]))
        .workers(2);
    let gateway = setup.clone().before(deadlines()).start();
    for _ in 0..4 {
        for (field, target) in [("x-whole", "/hangs"), ("x-try", "/hangs"), ("x-whole", "/late")] {
            let answer = Request::get(target).field(field, "40").ask(gateway.address());
            assert_eq!(answer.status(), 504, "{field} {target}");
        }
        for target in ["/hangs", "/tardy"] {
            let answer = grpc(target).field("grpc-timeout", "40m").ask(gateway.address());
            assert!(answer.field("x-weir-breaker").is_none(), "{target}: {answer:?}");
        }
        assert_eq!(gateway.get("/gone").status(), 500);
    }
    let ignored = "weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=ignored";
    gateway.await_metric(ignored, 24);
    assert_eq!(state(&gateway), CLOSED);
    drop(gateway);
    // The route's own timeout is one.
    let route = json!({"cluster": "upstream", "timeout": "0.1s"});
    let gateway = setup.routes(json!([{"match": {"prefix": "/"}, "route": route}])).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/hangs").status(), 504);
    }
    await_state(&gateway, OPEN);
}

/// One that fails now and then stays closed; one that fails every second time opens by the share.
#[test]
fn a_flapping_service_opens_by_its_share_and_not_before() {
    let origin = Origin::start(|request| {
        let n: u64 = request.target()[1..].parse().unwrap();
        Act::response(if n.is_multiple_of(2) { 500 } else { 200 }, &[], "")
    });
    let configuration = lasting(&json!({
        "ratio": {"threshold": "50%", "min_requests": 20}, "last_requests": 20,
    }));
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(4).start();
    for n in 1..=20 {
        let answer = gateway.get(&format!("/{n}"));
        assert!(answer.field("x-weir-breaker").is_none(), "{n}: {answer:?}");
    }
    await_state(&gateway, OPEN);
    assert_eq!(origin.hits(), 20);
}
