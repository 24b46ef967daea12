//! The answers that the filter gives itself.
//!
//! **Source**: RFC 9111 sections 4 (Age is generated), 5.2.1.7 (504); RFC 9110 section 15.4.5 (304);
//! RFC 9211 (Cache-Status); RFC 9457 (problem details).

use std::borrow::Cow;

use kit::headers::Headers;
use kit::{Nanos, Reply};

use crate::http::conditional::{belongs_in_304, is_current};
use crate::signals::{
    CACHE_NAME, DETAILS_HIT, DETAILS_NOT_MODIFIED, DETAILS_ONLY_IF_CACHED, Decision, Refusal,
};
use crate::store::stored::Stored;

/// What Envoy changes in an answer of a filter, and is changed back when the answer passes the response callbacks:
/// it adds a `content-type` to a body that has none, and removes that of an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// The stored response had no `content-type`.
    RemoveContentType,
    /// The stored response had this `content-type` and no body.
    SetContentType(Vec<u8>),
}

/// The mend that this answer needs, if any.
pub fn mend(reply: &Reply) -> Option<Mend> {
    let content_type = reply.headers.iter().find(|(name, _)| name == "content-type");
    match (content_type, reply.body.is_empty()) {
        (None, false) => Some(Mend::RemoveContentType),
        (Some((_, value)), true) => Some(Mend::SetContentType(value.clone())),
        (None, true) | (Some(_), false) => None,
    }
}

/// The answer from the store: the stored response, or 304 if the client has it already.
///
/// Fields come as they were stored, then `Age` and `Cache-Status`.
/// The body goes along for HEAD too: Envoy then sends its length and not the body.
pub fn hit(stored: &Stored, request: &Headers, now: Nanos, cache_status: bool) -> Reply {
    let freshness = stored.freshness();
    let fields = stored.headers();
    let succeeded = (200..300).contains(&stored.status);
    let not_modified = succeeded && is_current(request, &fields);
    let has_etag = fields.get("etag").is_some();
    let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::with_capacity(16);
    for (name, value) in fields.iter() {
        if (!not_modified || belongs_in_304(name, has_etag))
            && let Ok(name) = std::str::from_utf8(name)
        {
            headers.push((Cow::Owned(name.to_owned()), value.to_vec()));
        }
    }
    headers.push(("age".into(), freshness.age(now).as_secs().to_string().into_bytes()));
    if cache_status {
        let ttl = freshness.left(now).as_secs();
        headers.push(("cache-status".into(), format!("{CACHE_NAME}; hit; ttl={ttl}").into_bytes()));
    }
    Reply {
        status: if not_modified { 304 } else { stored.status },
        headers,
        body: if not_modified { Vec::new() } else { stored.body.clone() },
        details: if not_modified { DETAILS_NOT_MODIFIED } else { DETAILS_HIT },
        grpc_status: None,
        grpc_message: None,
    }
}

/// The answer to `only-if-cached` when nothing usable is stored.
pub fn only_if_cached(cache_status: bool) -> Reply {
    let mut headers = vec![("content-type".into(), b"application/problem+json".to_vec())];
    if cache_status {
        headers.push((
            "cache-status".into(),
            format!("{CACHE_NAME}; detail=only_if_cached").into_bytes(),
        ));
    }
    Reply {
        status: 504,
        headers,
        body: br#"{"type":"about:blank","title":"Gateway Timeout","status":504,"detail":"nothing usable is stored, and the request asked for only-if-cached"}"#
            .to_vec(),
        details: DETAILS_ONLY_IF_CACHED,
        grpc_status: None,
        grpc_message: None,
    }
}

/// The `Cache-Status` of a response that passes: why it was forwarded, and whether it is being stored.
pub fn passing(decision: Decision, storing: Option<Result<(), Refusal>>) -> String {
    let reason = decision.forward_reason();
    match storing {
        None => format!("{CACHE_NAME}; fwd={reason}"),
        Some(Ok(())) => format!("{CACHE_NAME}; fwd={reason}; stored"),
        Some(Err(refusal)) => format!("{CACHE_NAME}; fwd={reason}; detail={}", refusal.as_str()),
    }
}
