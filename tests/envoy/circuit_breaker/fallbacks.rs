//! What rejected requests get instead.

use harness::admin::cluster;
use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::rules;

const HEADER: &str = "x-weir-fallback";

/// Requests that the filter marks go to the spare, without the mark.
fn routes() -> Value {
    json!([
        {
            "name": "spare",
            "match": {"prefix": "/", "headers": [{"name": HEADER, "string_match": {"exact": "spare"}}]},
            "route": {"cluster": "spare"},
            "request_headers_to_remove": [HEADER],
        },
        {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ])
}

/// An upstream that fails but for what it says is to be stored, and a spare that is well.
fn origins() -> (Origin, Origin) {
    let broken = Origin::start(|request| match request.target() {
        target if target.starts_with("/stored") => Act::response(
            200,
            &[("cache-control", "max-age=60, stale-if-error=600"), ("age", "100")],
            "old",
        ),
        "/echo" => Act::response(200, &[], request.field(HEADER).unwrap_or("unmarked")),
        _ => Act::response(500, &[], "ill"),
    });
    let spare = Origin::start(|request| {
        Act::response(200, &[], format!("spare {}", request.field(HEADER).unwrap_or("unmarked")))
    });
    (broken, spare)
}

fn breaker(fallbacks: &Value) -> Value {
    rules(&json!({"open": {"time": "1h", "max_time": "1h"}, "fallbacks": fallbacks}))
}

fn open(gateway: &Gateway) {
    for _ in 0..3 {
        assert_eq!(gateway.get("/ill").status(), 500);
    }
    super::await_state(gateway, 2);
}

fn await_fallbacks(gateway: &Gateway, kind: &str, expected: u64) {
    let name = format!("weir_circuit_breaker_fallbacks_total;breaker=all/upstream;kind={kind}");
    gateway.await_metric(&name, expected);
}

#[test]
fn another_cluster_takes_the_requests_of_a_broken_one() {
    for workers in [1, 4] {
        let (broken, spare) = origins();
        let configuration = breaker(&json!([{"cluster": "spare"}]));
        let gateway = Setup::new("circuit-breaker", &configuration, broken.address())
            .and_cluster(cluster("spare", spare.address()))
            .routes(routes())
            .workers(workers)
            .start();
        open(&gateway);
        for n in 0..20 {
            let answer = gateway.get("/any");
            assert_eq!((answer.status(), answer.text().as_str()), (200, "spare unmarked"), "{n}");
        }
        let post = Request::new("POST", "/any").body("a body").ask(gateway.address());
        assert_eq!((post.status(), post.text().as_str()), (200, "spare unmarked"));
        assert_eq!((broken.hits(), spare.hits()), (3, 21), "with {workers} workers");
        await_fallbacks(&gateway, "cluster", 21);
        gateway.await_metric(
            "weir_circuit_breaker_outcomes_total;breaker=all/spare;result=success",
            21,
        );
        let outcomes = "weir_circuit_breaker_outcomes_total;breaker=all/upstream;result=success";
        assert_eq!(gateway.metric(outcomes), 0);
    }
}

#[test]
fn a_spare_that_fails_too_is_left_alone_too() {
    let (broken, spare) = origins();
    spare.play(|_request| Act::response(500, &[], "ill too"));
    let configuration = breaker(&json!([{"cluster": "spare"}, {"static": {"body": "sorry"}}]));
    let gateway = Setup::new("circuit-breaker", &configuration, broken.address())
        .and_cluster(cluster("spare", spare.address()))
        .routes(routes())
        .workers(4)
        .start();
    open(&gateway);
    for _ in 0..3 {
        assert_eq!(gateway.get("/any").text(), "ill too");
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=all/spare", 2);
    for _ in 0..10 {
        assert_eq!(gateway.get("/any").text(), "sorry");
    }
    assert_eq!((broken.hits(), spare.hits()), (3, 3));
}

#[test]
fn no_client_chooses_the_spare() {
    let (broken, spare) = origins();
    let configuration = breaker(&json!([{"cluster": "spare"}]));
    let gateway = Setup::new("circuit-breaker", &configuration, broken.address())
        .and_cluster(cluster("spare", spare.address()))
        .routes(routes())
        .workers(4)
        .start();
    let spoofed = |target: &str| Request::get(target).field(HEADER, "spare").ask(gateway.address());
    let answer = spoofed("/echo");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "unmarked"));
    open(&gateway);
    let hits = broken.hits();
    for _ in 0..10 {
        let answer = spoofed("/echo");
        assert_eq!(
            (answer.status(), answer.field("x-weir-breaker")),
            (503, Some("none; reason=forged"))
        );
    }
    assert_eq!((broken.hits(), spare.hits()), (hits, 0));
    gateway.await_metric("weir_circuit_breaker_bypassed_total;reason=forged", 11);
}

#[test]
fn a_spare_without_a_route_is_told() {
    let (broken, _) = origins();
    let configuration = breaker(&json!([{"cluster": "spare"}]));
    let gateway = Setup::new("circuit-breaker", &configuration, broken.address()).start();
    open(&gateway);
    gateway.get("/any");
    let told = wait::until(PATIENCE, || {
        let expected = "circuit-breaker: fallback not routed cluster=upstream: \
                        no route takes requests with x-weir-fallback elsewhere";
        gateway.messages().iter().any(|message| message == expected).then_some(())
    });
    assert!(told.is_some(), "{:#?}", gateway.messages());
}

#[test]
fn a_static_answer_is_given_to_whom_it_is_one() {
    for workers in [1, 4] {
        let (broken, _) = origins();
        let own = json!({"json": {"items": []}, "headers": {"x-degraded": "1"}});
        let configuration = breaker(&json!(["stale", {"static": own}]));
        let gateway = Setup::new("circuit-breaker", &configuration, broken.address())
            .workers(workers)
            .start();
        open(&gateway);
        let answer = gateway.get("/any");
        assert_eq!((answer.status(), answer.text().as_str()), (200, r#"{"items":[]}"#));
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-degraded", "1"),
            ("cache-control", "no-store"),
            ("x-weir-breaker", "all; reason=open; fallback=static"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{name}");
        }
        await_fallbacks(&gateway, "static", 1);
        let grpc = Request::new("POST", "/s/m").field("content-type", "application/grpc").body("");
        let grpc = grpc.ask(gateway.address());
        assert_eq!((grpc.status(), grpc.field("grpc-status")), (200, Some("14")));
        assert_eq!(broken.hits(), 3);
    }
}

/// The cache in front and the breaker, in one module or in two.
fn cached(
    way: &str,
    workers: usize,
    fallbacks: &Value,
    broken: &Origin,
    spare: &Origin,
) -> Gateway {
    let breaker = breaker(fallbacks);
    let setup = match way {
        "one" => {
            let whole = json!({"response_cache": {}, "circuit_breaker": breaker});
            Setup::new("gateway", &whole, broken.address())
        }
        _ => Setup::new("response-cache", &json!({}), broken.address())
            .behind("circuit-breaker", &breaker),
    };
    setup.and_cluster(cluster("spare", spare.address())).routes(routes()).workers(workers).start()
}

#[test]
fn a_stale_copy_answers_where_the_cache_has_one() {
    for way in ["one", "two"] {
        let (broken, spare) = origins();
        let list = json!(["stale", {"cluster": "spare"}]);
        let gateway = cached(way, 4, &list, &broken, &spare);
        assert_eq!(gateway.get("/stored").text(), "old");
        open(&gateway);
        for _ in 0..5 {
            let copy = gateway.get("/stored");
            assert_eq!((copy.status(), copy.text().as_str()), (200, "old"), "{way}");
            assert!(copy.field("age").is_some(), "{way}: {copy:?}");
        }
        assert_eq!(gateway.get("/never-stored").text(), "spare unmarked", "{way}");
        await_fallbacks(&gateway, "stale", 5);
        await_fallbacks(&gateway, "cluster", 1);
        assert_eq!((broken.hits(), spare.hits()), (4, 1), "{way}");
    }
}

#[test]
fn the_order_of_the_list_decides() {
    for (way, list, expected) in [
        ("one", json!([{"cluster": "spare"}, "stale"]), "spare unmarked"),
        ("two", json!([{"cluster": "spare"}, "stale"]), "spare unmarked"),
        ("two", json!([{"static": {"body": "fixed"}}]), "fixed"),
        ("two", json!(["stale", {"static": {"body": "fixed"}}]), "old"),
    ] {
        let (broken, spare) = origins();
        let gateway = cached(way, 1, &list, &broken, &spare);
        assert_eq!(gateway.get("/stored").text(), "old");
        open(&gateway);
        assert_eq!(gateway.get("/stored").text(), expected, "{way}: {list}");
    }
}
