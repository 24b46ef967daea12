//! The answer to a rejected request.

use std::borrow::Cow;

use kit::filter::Reply;
use kit::units::Nanos;

use crate::signals;

/// The answer that names the rule and the reason, with the time after which to come back.
///
/// `Retry-After` is in whole seconds, a begun one counted, at least 1: nobody is invited to come too early.
/// The body is a problem document (RFC 9457).
pub fn rejection(rule: &str, reason: &'static str, status: u16, retry_in: Nanos) -> Reply {
    let seconds = retry_in.as_secs_ceil().max(1).to_string();
    // The rule's name is a token of plain characters: it needs no escaping in either place.
    let body = format!(
        "{{\"type\":\"about:blank\",\"title\":\"Service temporarily unavailable\",\"status\":{status},\
         \"breaker\":\"{rule}\",\"reason\":\"{reason}\"}}\n"
    );
    Reply {
        status,
        headers: vec![
            (Cow::Borrowed("content-type"), b"application/problem+json".to_vec()),
            (Cow::Borrowed("cache-control"), b"no-store".to_vec()),
            (Cow::Borrowed("retry-after"), seconds.into_bytes()),
            (
                Cow::Borrowed(signals::BREAKER_HEADER),
                format!("{rule}; reason={reason}").into_bytes(),
            ),
        ],
        body: body.into_bytes(),
        details: signals::DETAILS,
        grpc_status: Some(signals::GRPC_UNAVAILABLE),
        grpc_message: None,
    }
}
