//! What rejected clients are answered.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::h2;
use serde_json::{Value, json};

use super::{await_state, patient, rules};

/// A gateway whose breaker is open for an hour.
fn opened(workers: usize, rule: &Value, common: Option<Value>) -> Gateway {
    let mut configuration = rules(rule);
    configuration["rules"][0]["open"] = json!({"time": "1h", "max_time": "1h"});
    if let Some(common) = common {
        configuration["answer"] = common;
    }
    let (origin, _) = patient();
    let gateway =
        Setup::new("circuit-breaker", &configuration, origin.address()).workers(workers).start();
    for _ in 0..3 {
        gateway.get("/");
    }
    await_state(&gateway, 2);
    gateway
}

#[test]
fn a_configured_answer_reaches_the_client() {
    for workers in [1, 4] {
        let own = json!({"answer": {"status": 429, "json": {"error": "busy"}, "headers": {"x-desk": "4711"}}});
        let common = json!({"status": 500, "body": "never seen", "headers": {"x-common": "1"}});
        let gateway = opened(workers, &own, Some(common));
        let answer = gateway.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (429, r#"{"error":"busy"}"#));
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-desk", "4711"),
            ("cache-control", "no-store"),
            ("x-weir-breaker", "all; reason=open"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{name}");
        }
        assert_eq!(answer.field("x-common"), None, "headers are one field");
        let seconds: u32 = answer.field("retry-after").unwrap().parse().unwrap();
        assert!((3_500..=3_960).contains(&seconds), "{seconds}");
    }
}

#[test]
fn a_rule_takes_from_the_common_answer_what_it_leaves_open() {
    let common = json!({"body": "<p>later</p>", "content_type": "text/html", "status": 500});
    let gateway = opened(1, &json!({"answer": {"status": 502}}), Some(common));
    let answer = gateway.get("/");
    assert_eq!((answer.status(), answer.text().as_str()), (502, "<p>later</p>"));
    assert_eq!(answer.field("content-type"), Some("text/html"));
    let head = Request::new("HEAD", "/").ask(gateway.address());
    assert_eq!((head.status(), head.field("content-length")), (502, Some("12")));
}

#[test]
fn clients_that_speak_grpc_are_told_in_grpc() {
    for (answer, message) in [
        (json!({}), "unavailable: all; reason=open"),
        (
            json!({"status": 429, "body": "for browsers", "grpc_message": "down for now"}),
            "down for now",
        ),
    ] {
        let gateway = opened(1, &json!({"answer": answer}), None);
        let mut connection = h2::Connection::open(gateway.address());
        let stream = connection.call("/shop.Orders/List");
        let fields = connection.receive_fields(stream).unwrap();
        let field = |name: &str| {
            let found = fields.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(field(":status"), Some("200"), "{fields:?}");
        assert_eq!(field("content-type"), Some("application/grpc"), "{fields:?}");
        assert_eq!(field("grpc-status"), Some("14"), "{fields:?}");
        assert_eq!(field("grpc-message"), Some(message), "{fields:?}");
        assert_eq!(field("x-weir-breaker"), Some("all; reason=open"), "{fields:?}");
    }
}
