use kit::config;
use kit::exchange::Map;
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;

use super::*;

mod messages;

fn read(json: &str) -> Cost {
    let text = format!(r#"{{"cost": {json}}}"#);
    config::load("test", text.as_bytes(), Cost::read).unwrap().unwrap()
}

fn get(path: &str, headers: &[(&str, &str)]) -> FakeExchange {
    FakeExchange::get(&FakeHost::default(), path, headers)
}

/// An exchange in its log phase, with these numbers and response headers.
fn over(numbers: &[(Attribute, u64)], response: &[(&str, &str)]) -> FakeExchange {
    let x = get("/", &[]);
    for (attribute, number) in numbers {
        x.set_attribute(*attribute, &number.to_le_bytes());
    }
    x.set_map(Map::Response, Headers::new(response));
    x
}

const OK: (Attribute, u64) = (Attribute::ResponseCode, 200);

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_fixed_cost_is_what_it_says_and_never_settled() {
    assert_eq!(config::load("test", b"{}", Cost::read).unwrap(), None);
    let x = over(&[(Attribute::Duration, 9)], &[]);
    for (cost, amount) in [(Cost::default(), 1), (read("5"), 5), (read("1000000"), 1_000_000)] {
        assert_eq!((cost.estimate(&x), cost.actual(&x, amount)), (amount, amount));
        assert_eq!((cost.always(), cost.settles()), (Some(amount), false));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn only_decimal_digits_are_a_number() {
    for (text, number) in [
        ("0", Some(0)),
        ("007", Some(7)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", Some(u64::MAX)),
        (&"9".repeat(500), Some(u64::MAX)),
        ("", None),
        ("+1", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        (" 1", None),
        ("1,2", None),
        ("0x10", None),
        ("١", None),
        ("NaN", None),
    ] {
        assert_eq!(decimal(text.as_bytes()), number, "{text}");
    }
    assert_eq!(decimal(b"\xff"), None);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_request_header_costs_what_it_says_and_is_never_free() {
    let cost = read(r#"{"from": "request_header", "name": "X-Cost", "max": 50}"#);
    for (values, amount) in [
        (&[][..], 1),
        (&["7"][..], 7),
        (&["0"], 1),
        (&[""], 1),
        (&["-7"], 1),
        (&["many"], 1),
        (&["51"], 50),
        (&["99999999999999999999999"], 50),
        // A client's own value cannot hide the one that a trusted proxy adds, on either side of it.
        (&["1", "9"], 9),
        (&["9", "1"], 9),
        (&["x", "9"], 9),
    ] {
        let headers: Vec<(&str, &str)> = values.iter().map(|value| ("x-cost", *value)).collect();
        assert_eq!(cost.estimate(&get("/", &headers)), amount, "{values:?}");
    }
    assert!(!cost.settles());
    assert_eq!(cost.actual(&over(&[OK], &[]), 7), 7);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_request_query_costs_what_it_says_once_decoded() {
    let cost = read(r#"{"from": "request_query", "name": "page size", "default": 20, "min": 10}"#);
    for (path, amount) in [
        ("/", 20),
        ("/?page+size=30", 30),
        ("/?page%20size=%33%30", 30),
        ("/?page+size=3", 10),
        ("/?page+size=x", 20),
        ("/?page+size=x&page+size=11", 20),
        ("/?page+size=0", 10),
    ] {
        assert_eq!(cost.estimate(&get(path, &[])), amount, "{path}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn only_min_0_lets_a_client_name_nothing() {
    let cost = read(r#"{"from": "request_header", "name": "x-cost", "min": 0}"#);
    assert_eq!(cost.estimate(&get("/", &[("x-cost", "0")])), 0);
    assert_eq!(cost.estimate(&get("/", &[])), 1);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_request_body_is_charged_as_announced_and_settled_by_what_came() {
    let cost = read(r#"{"from": "request_body", "per": "1KiB", "max": 100, "reserve": 4}"#);
    assert!(cost.settles());
    for (length, estimate) in [
        (None, 4),
        (Some("0"), 1),
        (Some("1024"), 1),
        (Some("1025"), 2),
        (Some("99999999999999999999"), 100),
        (Some("ten"), 4),
    ] {
        let headers: Vec<(&str, &str)> =
            length.iter().map(|length| ("content-length", *length)).collect();
        assert_eq!(cost.estimate(&get("/", &headers)), estimate, "{length:?}");
    }
    let (body, all) = (Attribute::RequestBodyBytes, Attribute::RequestBytes);
    for (numbers, actual) in [
        (&[OK, (body, 5_000), (all, 5_300)][..], 5),
        (&[OK, (body, 0), (all, 300)], 1),
        // Announced and never sent, with and without an answer.
        (&[OK, (body, 90_000), (all, 1_300)], 2),
        (&[(body, 90_000), (all, 1_300)], 2),
        // The announcement was no number.
        (&[OK, (all, 3_000)], 3),
        (&[OK], 60),
    ] {
        assert_eq!(cost.actual(&over(numbers, &[]), 60), actual, "{numbers:?}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_response_header_settles_and_without_a_response_the_reserve_stays() {
    let json = r#"{"from": "response_header", "name": "x-tokens", "default": 3, "reserve": 10}"#;
    let cost = read(json);
    assert!(cost.settles());
    assert_eq!(cost.estimate(&get("/", &[("x-tokens", "99")])), 10);
    for (numbers, response, actual) in [
        (&[OK][..], &[("x-tokens", "1500")][..], 1500),
        (&[OK], &[("x-tokens", "0")], 0),
        (&[OK], &[("x-tokens", "none")], 3),
        (&[OK], &[("x-tokens", "1"), ("x-tokens", "2")], 2),
        (&[OK], &[], 3),
        (&[], &[], 10),
        (&[(Attribute::ResponseCode, 0)], &[], 10),
    ] {
        assert_eq!(cost.actual(&over(numbers, response), 10), actual, "{numbers:?} {response:?}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_response_body_and_a_duration_count_begun_parts() {
    let body = read(r#"{"from": "response_body", "per": "1kB", "max": 1000}"#);
    let time = read(r#"{"from": "duration", "per": "100ms", "max": 1000}"#);
    let ms = Nanos::MILLISECOND.0;
    for (cost, attribute, scale) in
        [(&body, Attribute::ResponseBodyBytes, 1), (&time, Attribute::Duration, ms / 10)]
    {
        assert!(cost.settles());
        assert_eq!(cost.estimate(&get("/", &[])), 1);
        for (amount, actual) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (u64::MAX / ms, 1_000)] {
            let x = over(&[OK, (attribute, amount * scale)], &[]);
            assert_eq!(cost.actual(&x, 1), actual, "{amount}");
        }
        assert_eq!(cost.actual(&over(&[OK], &[]), 7), 7, "not told");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn going_away_early_costs_no_less_than_was_reserved() {
    let body = read(r#"{"from": "response_body", "reserve": 10}"#);
    let time = read(r#"{"from": "duration", "per": "1s", "reserve": 10}"#);
    let by_status =
        read(r#"{"from": "status", "values": {"4xx": 0}, "default": 0, "reserve": 10}"#);
    for code in [None, Some((Attribute::ResponseCode, 0))] {
        for (measured, actual) in [(0, 10), (9, 10), (11, 11)] {
            let bytes = (Attribute::ResponseBodyBytes, measured * 1024);
            let nanos = (Attribute::Duration, Nanos::from_secs(measured).0);
            let numbers: Vec<_> = [bytes, nanos].into_iter().chain(code).collect();
            let x = over(&numbers, &[]);
            assert_eq!((body.actual(&x, 10), time.actual(&x, 10)), (actual, actual));
            assert_eq!(by_status.actual(&x, 10), 10);
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_status_counts_before_its_class() {
    let json =
        r#"{"from": "status", "values": {"2xx": 1, "404": 5, "4xx": 3, "304": 0}, "default": 2}"#;
    let cost = read(json);
    assert_eq!((cost.settles(), cost.estimate(&get("/", &[]))), (true, 1));
    for (status, actual) in [(200, 1), (299, 1), (404, 5), (403, 3), (304, 0), (301, 2), (503, 2)] {
        assert_eq!(cost.actual(&over(&[(Attribute::ResponseCode, status)], &[]), 1), actual);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_unit_is_requests_bytes_or_something_else() {
    for (json, unit) in [
        ("1", Unit::Requests),
        ("2", Unit::Other),
        (r#"{"from": "response_body", "per": "1B"}"#, Unit::ContentBytes),
        (r#"{"from": "request_body", "per": "1B"}"#, Unit::ContentBytes),
        (r#"{"from": "response_body"}"#, Unit::Other),
        (r#"{"from": "duration"}"#, Unit::Other),
    ] {
        assert_eq!(read(json).unit(), unit, "{json}");
    }
    assert_eq!(Cost::default().unit(), Unit::Requests);
}
