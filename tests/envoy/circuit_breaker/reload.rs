//! New configurations over ECDS: breakers, hands, failures and events are what they were.

use harness::gateway::{PATIENCE, Setup};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{act, breaker, read, section};
use super::patient;

fn configuration(failures: u32) -> Value {
    json!({"operations": section(), "rules": [
        {"name": "kept", "consecutive": {"failures": failures}, "open": {"time": "1h", "max_time": "1h"}},
    ]})
}

/// What does not change by itself.
fn lasting(mut breaker: Value) -> Value {
    let object = breaker.as_object_mut().unwrap();
    for clock in ["since_seconds", "next_probe_seconds"] {
        object.remove(clock);
    }
    if let Some(held) = object.get_mut("held") {
        held.as_object_mut().unwrap().remove("rest_seconds");
    }
    breaker
}

#[test]
fn an_update_changes_no_breaker_no_hand_and_no_record() {
    let (origin, _) = patient();
    let gateway =
        Setup::new("circuit-breaker", &configuration(3), origin.address()).workers(4).start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status(), 500);
    }
    let opened = wait::until(PATIENCE, || (gateway.get("/").status() == 503).then_some(()));
    assert!(opened.is_some(), "it opens");
    act(&gateway, "PUT", "/control?mode=force_open&rule=kept&scope=deserted&for=1h");
    act(&gateway, "PUT", "/control?mode=metrics_only&rule=kept&scope=background");
    let scopes = ["upstream", "deserted", "background"].map(|name| format!("scope={name}"));
    let before: Vec<Value> = scopes.iter().map(|scope| lasting(breaker(&gateway, scope))).collect();
    let events = read(&gateway, "/events");
    assert_eq!((&events["total"], &before[0]["state"]), (&json!(3), &json!("open")));
    for failures in [7, 3, 9] {
        assert!(gateway.update(&configuration(failures)), "{:?}", gateway.messages());
        for (scope, before) in scopes.iter().zip(&before) {
            assert_eq!(lasting(breaker(&gateway, scope)), *before);
        }
        assert_eq!(read(&gateway, "/events"), events);
        for _ in 0..20 {
            assert_eq!(gateway.get("/").status(), 503);
        }
    }
    assert_eq!(origin.hits(), 3);
    act(&gateway, "POST", "/reset?rule=kept&scope=upstream");
    assert_eq!(gateway.get("/").status(), 500);
}
