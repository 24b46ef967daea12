//! What operators are told: what is in force, and what is wrong.

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn problem(json: &str) -> String {
    let text = format!(r#"{{"cost": {json}}}"#);
    let problems = config::load("test", text.as_bytes(), Cost::read).unwrap_err();
    let lines: Vec<String> = problems.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    lines[0].strip_prefix("test: cost").unwrap().to_owned()
}

#[test]
fn each_cost_is_described() {
    for (json, words) in [
        ("5", "5"),
        (
            r#"{"from": "request_header", "name": "X-Cost", "max": 9}"#,
            "what the header x-cost says, else 1, 1 to 9",
        ),
        (
            r#"{"from": "request_query", "name": "n", "default": 4}"#,
            "what the query n says, else 4, at least 1",
        ),
        (
            r#"{"from": "request_body", "max": 9}"#,
            "1 per begun 1KiB of the request body, 1 to 9, 1 until it is known",
        ),
        (
            r#"{"from": "response_header", "name": "a", "max": 9, "reserve": 2}"#,
            "what the response header a says, else 1, 0 to 9, 2 until it is known",
        ),
        (
            r#"{"from": "response_body", "per": "64kB", "min": 2, "max": 9}"#,
            "1 per begun 64kB of the response body, 2 to 9, 2 until it is known",
        ),
        (
            r#"{"from": "duration", "max": 9}"#,
            "1 per begun 100ms of time, 0 to 9, 1 until it is known",
        ),
        (
            r#"{"from": "status", "values": {"2xx": 0, "404": 5}}"#,
            "5 for 404, 0 for 2xx, else 1, 1 until it is known",
        ),
    ] {
        assert_eq!(read(json).to_string(), words);
    }
}

#[test]
fn each_mistake_says_where_what_and_how() {
    let per = "remove it, the fields here are from, name, max, min, default";
    for (json, line) in [
        ("0", ": found 0, allowed 1 to 1000000; raise it to at least 1, zero does not mean off"),
        ("1000001", ": found 1000001, allowed 1 to 1000000; lower it to at most 1000000"),
        ("1.5", ": found 1.5, allowed 1 to 1000000; give a whole number"),
        (r#""5""#, ": found \"5\", allowed 1 to 1000000; remove the quotes"),
        (
            "{}",
            ".from: found nothing, allowed \"request_header\", \"request_query\", \"request_body\", \
             \"response_header\", \"response_body\", \"duration\", \"status\"; add this field",
        ),
        (
            r#"{"from": "response-body", "per": "1KiB", "reserve": 2, "max": 1}"#,
            ".from: found \"response-body\", allowed \"request_header\", \"request_query\", \
             \"request_body\", \"response_header\", \"response_body\", \"duration\", \"status\"; \
             did you mean \"response_body\"?",
        ),
        (
            r#"{"from": "request_header"}"#,
            ".name: found nothing, allowed a header name such as \"x-cost\"; add this field",
        ),
        (
            r#"{"from": "request_header", "name": "x cost"}"#,
            ".name: found \"x cost\", allowed a header name such as \"x-cost\"; \
             use letters, digits and -, _ and the like, without blanks or colons",
        ),
        (
            r#"{"from": "request_header", "name": "x", "per": "1KiB"}"#,
            &format!(".per: unknown field; {per}"),
        ),
        (
            r#"{"from": "request_header", "name": "x", "reserve": 1}"#,
            &format!(".reserve: unknown field; {per}"),
        ),
        (
            r#"{"from": "duration", "name": "x"}"#,
            ".name: unknown field; remove it, the fields here are from, per, max, min, reserve",
        ),
        (
            r#"{"from": "duration", "per": "1KiB"}"#,
            ".per: found \"1KiB\", allowed 1ms to 1h; the units are d, h, m, s, ms, us and ns",
        ),
        (
            r#"{"from": "response_body", "per": 1024}"#,
            ".per: found 1024, allowed 1B to 1GiB; write it in quotes with a unit, such as \"1KiB\"",
        ),
        (
            r#"{"from": "response_body", "min": 3, "max": 2}"#,
            ".min: found 3, allowed 0 to 2; lower it to at most 2",
        ),
        (
            r#"{"from": "response_body", "reserve": 0, "max": 2}"#,
            ".reserve: found 0, allowed 1 to 2; raise it to at least 1, zero does not mean off",
        ),
        (
            r#"{"from": "request_query", "name": "n", "default": 0, "max": 2}"#,
            ".default: found 0, allowed 1 to 2; raise it to at least 1, zero does not mean off",
        ),
        (
            r#"{"from": "status"}"#,
            ".values: found nothing, allowed costs by status, such as { \"2xx\": 1, \"404\": 5 }; \
             add this field",
        ),
        (
            r#"{"from": "status", "values": {"404": -1}}"#,
            ".values.404: found -1, allowed 0 to 1000000000; raise it to at least 0",
        ),
    ] {
        assert_eq!(problem(json), line, "{json}");
    }
    for key in ["600", "099", "+4xx", "4XX", "40", "4x", "0xx", "500-599", "ok", ""] {
        assert_eq!(
            problem(&format!(r#"{{"from": "status", "values": {{"{key}": 1}}}}"#)),
            format!(
                ".values: found the name \"{key}\", allowed statuses such as \"404\" and classes \
                 such as \"4xx\"; write one from \"100\" to \"599\", or \"1xx\" to \"5xx\""
            )
        );
    }
}
