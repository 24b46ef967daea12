//! The answers that the filter gives: to a rejected request, and as a static fallback.
//!
//! What an operator leaves open of them is the filter's own: a problem document (RFC 9457) that names the rule and
//! the reason. `Retry-After` and the header that names the breaker are there whatever is configured.

use std::borrow::Cow;

use kit::answer::{Answer, Taken};
use kit::config::Fields;
use kit::filter::Reply;
use kit::units::Nanos;

use crate::config::bounds::{DEFAULT_STATIC_STATUS, DEFAULT_STATUS, STATIC_STATUS, STATUS};
use crate::signals;

/// Names of headers that this filter sets itself, and what to do instead.
const TAKEN: &Taken = &[
    ("retry-after", "remove it, it is the time to the next probe"),
    ("grpc-status", "remove it, it is always UNAVAILABLE"),
    ("grpc-message", "use grpc_message"),
];

/// Names of headers that have no place in a static answer.
const TAKEN_OF_STATIC: &Taken = &[
    ("grpc-status", "remove it, clients that speak gRPC get no static answer"),
    ("grpc-message", "remove it, clients that speak gRPC get no static answer"),
];

/// Statuses whose answers have no body: RFC 9110, 15.3.5 and 15.4.5.
const WITHOUT_BODY: [u16; 2] = [204, 304];

/// Why a request is rejected, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// Why, in a word.
    pub reason: &'static str,
    /// Time to the next probe, as far as is known.
    pub retry_in: Nanos,
}

/// Reads an object `answer`, the common one or a rule's.
pub fn read(fields: &mut Fields<'_>) -> Answer {
    Answer::read(fields, STATUS, TAKEN)
}

/// Reads an object `static` of the fallbacks.
pub fn read_static(fields: &mut Fields<'_>) -> Answer {
    let answer = Answer::read_plain(fields, STATIC_STATUS, TAKEN_OF_STATIC);
    if let (Some(status), Some(_)) = (answer.status, &answer.body)
        && WITHOUT_BODY.contains(&status)
    {
        let allowed = "204 and 304 without body and json";
        fields.problem("status", format!("{status} beside a body"), allowed, "remove the body");
    }
    answer
}

/// The answer to a rejected request, with the time after which to come back.
///
/// `Retry-After` is in whole seconds, a begun one counted, at least 1: nobody is invited to come too early.
pub fn rejection(answer: &Answer, rule: &str, rejected: Rejected) -> Reply {
    let Rejected { reason, retry_in } = rejected;
    let status = answer.status.unwrap_or(DEFAULT_STATUS);
    let seconds = retry_in.as_secs_ceil().max(1).to_string();
    let (content_type, body) = match &answer.body {
        Some(body) => (body.content_type.as_str(), body.bytes.clone()),
        None => ("application/problem+json", problem(rule, reason, status)),
    };
    let message = answer.grpc_message.clone();
    Reply {
        status,
        headers: [
            (Cow::Borrowed("content-type"), content_type.as_bytes().to_vec()),
            (Cow::Borrowed("cache-control"), b"no-store".to_vec()),
            (Cow::Borrowed("retry-after"), seconds.into_bytes()),
            (Cow::Borrowed(signals::BREAKER_HEADER), named(rule, reason).into_bytes()),
        ]
        .into_iter()
        .chain(answer.own_headers())
        .collect(),
        body,
        details: signals::DETAILS,
        grpc_status: Some(signals::GRPC_UNAVAILABLE),
        grpc_message: Some(
            message.unwrap_or_else(|| format!("unavailable: {}", named(rule, reason))),
        ),
    }
}

/// A static fallback in the place of a rejection.
///
/// It is for no cache: it is an answer of this moment, not of the upstream.
pub fn instead(answer: &Answer, rule: &str, rejected: Rejected) -> Reply {
    let named = format!("{}; fallback=static", named(rule, rejected.reason));
    let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = vec![
        (Cow::Borrowed("cache-control"), b"no-store".to_vec()),
        (Cow::Borrowed(signals::BREAKER_HEADER), named.into_bytes()),
    ];
    if let Some(body) = &answer.body {
        headers.push((Cow::Borrowed("content-type"), body.content_type.as_bytes().to_vec()));
    }
    headers.extend(answer.own_headers());
    Reply {
        status: answer.status.unwrap_or(DEFAULT_STATIC_STATUS),
        headers,
        body: answer.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default(),
        details: signals::DETAILS_STATIC,
        grpc_status: None,
        grpc_message: None,
    }
}

/// The rule's name is a token of plain characters: it needs no escaping anywhere.
fn named(rule: &str, reason: &str) -> String {
    format!("{rule}; reason={reason}")
}

fn problem(rule: &str, reason: &str, status: u16) -> Vec<u8> {
    let body = format!(
        "{{\"type\":\"about:blank\",\"title\":\"Service temporarily unavailable\",\"status\":{status},\
         \"breaker\":\"{rule}\",\"reason\":\"{reason}\"}}\n"
    );
    body.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const OPEN: Rejected = Rejected { reason: "open", retry_in: Nanos::from_millis(1_001) };

    fn load(text: &str, read: fn(&mut Fields<'_>) -> Answer) -> Result<Answer, String> {
        let loaded = kit::config::load("f", text.as_bytes(), read);
        loaded.map_err(|problems| problems.lines().next().unwrap())
    }

    fn header<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
        let lines = reply.headers.iter().filter(|(found, _)| found == name);
        lines.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect()
    }

    #[test]
    fn nothing_configured_is_a_problem_document() {
        let reply = rejection(&Answer::default(), "shop", OPEN);
        assert_eq!((reply.status, reply.grpc_status), (503, Some(14)));
        assert_eq!(header(&reply, "content-type"), ["application/problem+json"]);
        assert_eq!(header(&reply, "retry-after"), ["2"]);
        assert_eq!(reply.grpc_message.as_deref(), Some("unavailable: shop; reason=open"));
        let problem = kit::config::parse(&reply.body).unwrap();
        assert_eq!((&problem["breaker"], &problem["reason"]), (&"shop".into(), &"open".into()));
    }

    #[test]
    fn a_configured_answer_still_says_who_why_and_when() {
        let answer = load(
            r#"{"status": 429, "json": {"code": 7}, "headers": {"X-Help": "desk"}, "grpc_message": "down"}"#,
            read,
        )
        .unwrap();
        let reply = rejection(&answer, "shop", OPEN);
        assert_eq!((reply.status, reply.body.as_slice()), (429, br#"{"code":7}"#.as_slice()));
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("retry-after", "2"),
            ("x-weir-breaker", "shop; reason=open"),
            ("x-help", "desk"),
        ] {
            assert_eq!(header(&reply, name), [value], "{name}");
        }
        assert_eq!(
            (reply.details, reply.grpc_message.as_deref()),
            ("weir_circuit_open", Some("down"))
        );
    }

    #[test]
    fn a_static_answer_is_for_no_cache_and_says_whose_it_is() {
        let answer = load(r#"{"body": "closed for lunch"}"#, read_static).unwrap();
        let reply = instead(&answer, "shop", OPEN);
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"closed for lunch".as_slice()));
        assert_eq!(header(&reply, "x-weir-breaker"), ["shop; reason=open; fallback=static"]);
        assert_eq!(header(&reply, "cache-control"), ["no-store"]);
        assert_eq!(header(&reply, "retry-after"), [""; 0]);
        let empty = instead(&load(r#"{"status": 204}"#, read_static).unwrap(), "shop", OPEN);
        assert_eq!((empty.status, empty.body.len()), (204, 0));
    }

    #[test]
    fn what_has_no_place_is_told() {
        for (text, read, line) in [
            (
                r#"{"status": 200}"#,
                read as fn(&mut Fields<'_>) -> Answer,
                "f: status: found 200, allowed 400 to 599; raise it to at least 400",
            ),
            (
                r#"{"headers": {"Retry-After": "1"}}"#,
                read,
                "f: headers: found \"Retry-After\", allowed names that are free; remove it, it is the time to the next probe",
            ),
            (
                r#"{"status": 204, "body": "x"}"#,
                read_static,
                "f: status: found 204 beside a body, allowed 204 and 304 without body and json; remove the body",
            ),
            (
                r#"{"grpc_message": "x"}"#,
                read_static,
                "f: grpc_message: unknown field; remove it, the fields here are status, headers, body, json, content_type",
            ),
        ] {
            assert_eq!(load(text, read).unwrap_err(), line);
        }
    }
}
