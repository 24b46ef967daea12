//! The limiter through a real Envoy.

mod answers;
mod bounded;
mod concurrency;
mod exact;
mod operations;
mod plans;
mod reload;
mod rules;
mod settle;

use harness::client::Request;
use harness::gateway::Setup;
use harness::origin::Origin;
use serde_json::json;

#[test]
fn a_refused_client_is_told_when_to_come_back() {
    let origin = Origin::plain();
    let configuration =
        json!({"rules": [{"name": "one", "limits": [{"quota": 1, "window": "1h"}]}]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    assert_eq!(gateway.get("/").status(), 200);
    let refused = gateway.get("/");
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.field("x-weir-rate-limit"), Some("one"));
    assert_eq!(refused.field("content-type"), Some("application/problem+json"));
    let seconds: u32 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&seconds), "{seconds}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&refused.text()).unwrap()["violated-policies"],
        json!(["one"])
    );
    let grpc = Request::new("POST", "/s/m")
        .field("content-type", "application/grpc")
        .body("")
        .ask(gateway.address());
    assert_eq!((grpc.status(), grpc.field("grpc-status")), (200, Some("8")));
}

#[test]
fn the_address_is_the_one_that_envoy_resolved() {
    let origin = Origin::plain();
    let configuration =
        json!({"rules": [{"name": "one", "limits": [{"quota": 1, "window": "1h"}]}]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let from = |addresses: &str| {
        Request::get("/").field("x-forwarded-for", addresses).ask(gateway.address()).status()
    };
    assert_eq!(from("192.0.2.1"), 200);
    assert_eq!(from("192.0.2.1"), 429);
    assert_eq!(from("198.51.100.7, 192.0.2.1"), 429, "what a client put in front is not believed");
    assert_eq!(from("192.0.2.2"), 200);
    assert_eq!(from("2001:db8::1"), 200);
    assert_eq!(from("2001:db8::2"), 429, "the same /64");
}
