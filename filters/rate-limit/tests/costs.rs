//! Laws of costs, settlement and plans: whatever a client or an upstream sends.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::Exchange;
use kit::config;
use kit::exchange::{Attribute, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use proptest::prelude::*;
use weir_rate_limit::cost::Cost;
use weir_rate_limit::plans::Plans;
use weir_rate_limit::settlement::Settlement;

/// Every kind of cost, none of which may exceed 100 or, if a client names it, be less than 1.
const COSTS: [(&str, u64); 7] = [
    (r#"{"from": "request_header", "name": "x", "max": 100}"#, 1),
    (r#"{"from": "request_query", "name": "x", "max": 100}"#, 1),
    (r#"{"from": "request_body", "per": "1B", "max": 100}"#, 1),
    (r#"{"from": "response_header", "name": "x", "max": 100, "reserve": 3}"#, 0),
    (r#"{"from": "response_body", "per": "1B", "max": 100, "reserve": 3}"#, 0),
    (r#"{"from": "duration", "per": "1ms", "max": 100, "reserve": 3}"#, 0),
    (r#"{"from": "status", "values": {"2xx": 0}, "default": 90, "reserve": 3}"#, 0),
];

const FAILURES: &str = r#"{"count": "responses", "statuses": ["4xx"],
    "refund": {"statuses": ["400-428", "5xx"], "cache_hits": true}}"#;

fn cost(json: &str) -> Cost {
    let text = format!(r#"{{"cost": {json}}}"#);
    config::load("test", text.as_bytes(), Cost::read).unwrap().unwrap()
}

/// An exchange with these bytes wherever a filter looks.
fn exchange(query: &str, values: &[Vec<u8>], numbers: &[Option<u64>; 6]) -> FakeExchange {
    let x = FakeExchange::get(&FakeHost::default(), &format!("/?x={query}"), &[]);
    for value in values {
        x.add_header(Map::Request, "x", value);
        x.add_header(Map::Request, "content-length", value);
    }
    let response: Vec<(&str, &[u8])> = values.iter().map(|value| ("x", value.as_slice())).collect();
    x.set_map(Map::Response, Headers::new(&response));
    let attributes = [
        Attribute::ResponseCode,
        Attribute::RequestBytes,
        Attribute::RequestBodyBytes,
        Attribute::ResponseBodyBytes,
        Attribute::Duration,
        Attribute::ResponseDetails,
    ];
    for (attribute, number) in attributes.into_iter().zip(numbers) {
        if let Some(number) = number {
            x.set_attribute(attribute, &number.to_le_bytes());
        }
    }
    x
}

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let digits = "[0-9]{0,25}".prop_map(String::into_bytes);
    prop::collection::vec(prop_oneof![digits, any::<Vec<u8>>()], 0..4)
}

fn numbers() -> impl Strategy<Value = [Option<u64>; 6]> {
    let amount = || prop::option::of(prop_oneof![0..600_u64, any::<u64>()]);
    [amount(), amount(), amount(), amount(), amount(), amount()]
}

proptest! {
    #[test]
    fn a_cost_stays_within_its_bounds(
        query in "[0-9+%a-f]{0,9}", values in values(), numbers in numbers(),
    ) {
        let x = exchange(&query, &values, &numbers);
        for (json, least) in COSTS {
            let cost = cost(json);
            let most = 100;
            let estimate = cost.estimate(&x);
            prop_assert!((1..=most).contains(&estimate), "{json}: {estimate}");
            let actual = cost.actual(&x, estimate);
            prop_assert!((least..=most).contains(&actual), "{json}: {actual}");
            if !cost.settles() {
                prop_assert_eq!(actual, estimate);
            }
        }
    }

    /// Without a response nothing is given back, but what was announced of a body and never sent.
    #[test]
    fn an_exchange_without_a_response_stays_charged(
        query in "[0-9]{0,9}", values in values(), numbers in numbers(), code in prop::option::of(0..100_u64),
    ) {
        let [_, others @ ..] = numbers;
        let [all, body, sent, time, details] = others;
        let x = exchange(&query, &values, &[code, all, body, sent, time, details]);
        x.note("response-cache", "hit");
        let failures = config::load("test", FAILURES.as_bytes(), Settlement::read).unwrap();
        for (json, _) in COSTS {
            let cost = cost(json);
            let reserved = cost.estimate(&x);
            let charged = failures.final_cost(&cost, reserved, &x);
            let least = if json.contains("request_body") { 1 } else { reserved };
            prop_assert!(charged >= least, "{json}: {charged} of {reserved}");
        }
    }

    #[test]
    fn no_value_makes_a_consumer_or_a_better_plan(values in values()) {
        let json = r#"{"names": ["none", "some", "best"], "absent": "none", "unknown": "some", "sources": [
            {"value": "header:x", "keys": [{"plan": "best",
             "sha256": "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"}]}]}"#;
        let plans = config::load("test", json.as_bytes(), Plans::read).unwrap();
        let found = plans.identify(&exchange("", &values, &[None; 6])).plan;
        let is_there = values.first().is_some_and(|value| !value.is_empty());
        prop_assert_eq!(found, usize::from(is_there));
    }
}
