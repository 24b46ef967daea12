//! The answers of this filter: small, and of one form for machines (RFC 9457).

use std::borrow::Cow;

use kit::{Nanos, Reply};

use crate::rule::Rule;
use crate::signals;

/// 429: the rule's quota is spent.
pub fn limited(rule: &Rule, wait: Nanos) -> Reply {
    let seconds = wait.as_secs_ceil().max(1);
    let body = format!(
        concat!(
            r#"{{"type":"{}","title":"Quota exceeded","status":429,"#,
            r#""detail":"The quota of the policy \"{}\" is spent; it admits the next request in {} s.","#,
            r#""violated-policies":["{}"]}}"#
        ),
        signals::PROBLEM_TYPE,
        rule.name,
        seconds,
        rule.name
    );
    let retry_after = (Cow::Borrowed(signals::RETRY_AFTER), seconds.to_string().into_bytes());
    problem(
        429,
        rule,
        body,
        vec![retry_after],
        signals::LIMITED_DETAILS,
        signals::GRPC_RESOURCE_EXHAUSTED,
    )
}

/// 401: the rule counts by a key that the request does not have.
pub fn keyless(rule: &Rule) -> Reply {
    let body = format!(
        concat!(
            r#"{{"type":"about:blank","title":"Key required","status":401,"#,
            r#""detail":"The policy \"{}\" counts requests by a key that this request does not have."}}"#
        ),
        rule.name
    );
    problem(401, rule, body, Vec::new(), signals::KEYLESS_DETAILS, signals::GRPC_UNAUTHENTICATED)
}

/// 503: the rule's count could not be kept, and it says not to let such a request pass.
pub fn failed(rule: &Rule) -> Reply {
    let body = format!(
        concat!(
            r#"{{"type":"about:blank","title":"Limit unavailable","status":503,"#,
            r#""detail":"The count of the policy \"{}\" could not be kept."}}"#
        ),
        rule.name
    );
    let retry_after = (Cow::Borrowed(signals::RETRY_AFTER), b"1".to_vec());
    problem(503, rule, body, vec![retry_after], signals::FAILED_DETAILS, signals::GRPC_UNAVAILABLE)
}

/// A rule's name needs no escaping anywhere: [`crate::config`] admits letters, digits, `-`, `_` and `.` only.
fn problem(
    status: u16,
    rule: &Rule,
    body: String,
    mut headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    details: &'static str,
    grpc_status: u32,
) -> Reply {
    headers.push((Cow::Borrowed("cache-control"), b"no-store".to_vec()));
    headers.push((Cow::Borrowed("content-type"), b"application/problem+json".to_vec()));
    headers.push((Cow::Borrowed(signals::RULE_HEADER), rule.name.clone().into_bytes()));
    Reply {
        status,
        headers,
        body: body.into_bytes(),
        details,
        grpc_status: Some(grpc_status),
        grpc_message: None,
    }
}
