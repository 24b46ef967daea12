//! The answers that the filter gives itself, and what it adds to those that pass.
//!
//! **Source**: RFC 9111 sections 4 (Age is generated), 5.2.1.7 (504); RFC 9110 sections 14 (ranges), 15.4.5 (304);
//! RFC 9211 (Cache-Status); RFC 9457 (problem details).

use std::borrow::Cow;

use kit::headers::Headers;
use kit::{Nanos, Reply};

use crate::http::conditional::{belongs_in_304, is_current};
use crate::http::range::{Ranged, ranged};
use crate::http::request::{Method, Request};
use crate::key;
use crate::signals::{
    CACHE_NAME, DETAILS_COLLAPSED, DETAILS_CONTRADICTED, DETAILS_ERROR, DETAILS_HIT,
    DETAILS_KEY_MISMATCH, DETAILS_NOT_MODIFIED, DETAILS_ONLY_IF_CACHED, DETAILS_REVALIDATED,
    DETAILS_STALE, DETAILS_STALE_IF_ERROR, Decision, Refusal,
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

/// What clients are told about the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// `Cache-Status` (RFC 9211).
    pub cache_status: bool,
    /// The key in `Cache-Status`.
    pub status_key: bool,
    /// `X-Cache`.
    pub x_cache: bool,
    /// `X-Cache-Key`.
    pub x_cache_key: bool,
}

impl Marks {
    /// Whether there is anything to tell.
    pub const fn any(self) -> bool {
        self.cache_status || self.x_cache || self.x_cache_key
    }

    /// The fields for a response that got this word and these parameters.
    pub fn fields(
        self,
        word: &'static str,
        status: &str,
        key: &[u8],
    ) -> Vec<(Cow<'static, str>, Vec<u8>)> {
        let mut fields = Vec::new();
        let shown = (self.status_key || self.x_cache_key).then(|| key::shown(key));
        if self.cache_status {
            let mut value = format!("{CACHE_NAME}; {status}");
            if let Some(shown) = shown.as_ref().filter(|_| self.status_key && !key.is_empty()) {
                value.push_str("; key=\"");
                // A structured string holds visible ASCII, with quotes and backslashes escaped.
                for byte in shown.bytes() {
                    match byte {
                        b'"' | b'\\' => value.extend(['\\', char::from(byte)]),
                        b' '..=b'~' => value.push(char::from(byte)),
                        _ => value.push('?'),
                    }
                }
                value.push('"');
            }
            fields.push(("cache-status".into(), value.into_bytes()));
        }
        if self.x_cache {
            fields.push(("x-cache".into(), word.as_bytes().to_vec()));
        }
        if let Some(shown) = shown.filter(|_| self.x_cache_key && !key.is_empty()) {
            fields.push(("x-cache-key".into(), shown.into_bytes()));
        }
        fields
    }
}

/// Why a stored response is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is fresh.
    Fresh,
    /// It is stale, and being refreshed.
    Stale,
    /// Another request has just brought it; this one was to be forwarded for the reason given.
    Collapsed(Decision),
    /// The origin said 304.
    Revalidated,
    /// The origin said 304 about another version than it was asked about.
    Contradicted,
    /// The origin failed with this status.
    InsteadOf(u16),
}

impl How {
    const fn details(self) -> &'static str {
        match self {
            Self::Fresh => DETAILS_HIT,
            Self::Stale => DETAILS_STALE,
            Self::Collapsed(_) => DETAILS_COLLAPSED,
            Self::Revalidated => DETAILS_REVALIDATED,
            Self::Contradicted => DETAILS_CONTRADICTED,
            Self::InsteadOf(_) => DETAILS_STALE_IF_ERROR,
        }
    }

    const fn x_cache(self) -> &'static str {
        match self {
            Self::Fresh | Self::Collapsed(_) => "HIT",
            Self::Stale | Self::Contradicted | Self::InsteadOf(_) => "STALE",
            Self::Revalidated => "REVALIDATED",
        }
    }

    /// The parameters of `Cache-Status`; `ttl` is negative for a stale response (RFC 9211, 2.4).
    fn status(self, ttl: i64) -> String {
        match self {
            Self::Fresh | Self::Stale => format!("hit; ttl={ttl}"),
            Self::Collapsed(decision) => {
                format!("fwd={}; collapsed; ttl={ttl}", decision.forward_reason())
            }
            Self::Revalidated => format!("fwd=stale; fwd-status=304; ttl={ttl}"),
            Self::Contradicted => {
                format!("fwd=stale; fwd-status=304; ttl={ttl}; detail=contradicted")
            }
            Self::InsteadOf(status) => {
                format!("fwd=stale; fwd-status={status}; ttl={ttl}; detail=stale_if_error")
            }
        }
    }
}

/// The answer from the store: the stored response, the part of it that was asked for, or 304 if the client has it.
///
/// Fields come as they were stored, then `Age` and what [`Marks`] say.
/// The body goes along for HEAD too: Envoy then sends its length and not the body.
/// `boundary` are random bits, for several parts in one answer.
pub fn stored(
    stored: &Stored,
    request: &Request,
    headers: &Headers,
    now: Nanos,
    how: How,
    marks: Marks,
    boundary: impl FnOnce() -> u64,
) -> Reply {
    let freshness = stored.freshness();
    let fields = stored.headers();
    let not_modified =
        request.has_condition && stored.status == 200 && is_current(headers, &fields);
    let part = if request.has_range
        && request.method == Method::Get
        && !not_modified
        && stored.status == 200
    {
        ranged(headers, &fields, &stored.body, boundary())
    } else {
        Ranged::Whole
    };
    let has_etag = fields.get("etag").is_some();
    let mut answer: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::with_capacity(16);
    for (name, value) in fields.iter() {
        let replaced = match &part {
            Ranged::Whole => false,
            Ranged::Partial { content_type, .. } => {
                // Digests of the content are of all of it.
                matches!(name, b"content-digest" | b"content-md5")
                    || (content_type.is_some() && name == b"content-type")
            }
            Ranged::Unsatisfiable { .. } => describes_body(name),
        };
        if !replaced
            && (!not_modified || belongs_in_304(name, has_etag))
            && let Ok(name) = std::str::from_utf8(name)
        {
            answer.push((Cow::Owned(name.to_owned()), value.to_vec()));
        }
    }
    let (status, body) = match part {
        Ranged::Whole if not_modified => (304, Vec::new()),
        Ranged::Whole => (stored.status, stored.body.clone()),
        Ranged::Partial { content_type, content_range, body } => {
            answer.extend(content_type.map(|value| ("content-type".into(), value)));
            answer.extend(content_range.map(|value| ("content-range".into(), value)));
            (206, body)
        }
        Ranged::Unsatisfiable { content_range } => {
            answer.push(("content-range".into(), content_range));
            // No cache further out is to keep it for those who ask for other parts.
            answer.push(("cache-control".into(), b"no-store".to_vec()));
            (416, Vec::new())
        }
    };
    answer.push(("age".into(), freshness.age(now).as_secs().to_string().into_bytes()));
    if marks.any() {
        answer.extend(marks.fields(how.x_cache(), &how.status(ttl(stored, now)), &stored.key));
    }
    Reply {
        status,
        headers: answer,
        body,
        details: if not_modified {
            DETAILS_NOT_MODIFIED
        } else if stored.is_error() {
            DETAILS_ERROR
        } else {
            how.details()
        },
        grpc_status: None,
        grpc_message: None,
    }
}

/// Seconds for which it is fresh; below zero for how long it has been stale.
fn ttl(stored: &Stored, now: Nanos) -> i64 {
    let freshness = stored.freshness();
    let seconds = |nanos: Nanos| i64::try_from(nanos.as_secs()).unwrap_or(i64::MAX);
    let left = freshness.left(now);
    if left.is_zero() {
        seconds(freshness.age(now).saturating_sub(freshness.lifetime)).saturating_neg()
    } else {
        seconds(left)
    }
}

/// Whether a field says something about a body that an error does not have.
fn describes_body(name: &[u8]) -> bool {
    matches!(
        name,
        b"cache-control"
            | b"cdn-cache-control"
            | b"content-digest"
            | b"content-encoding"
            | b"content-language"
            | b"content-md5"
            | b"content-type"
            | b"etag"
            | b"expires"
            | b"last-modified"
    )
}

/// The answer to `only-if-cached` when nothing usable is stored.
pub fn only_if_cached(marks: Marks) -> Reply {
    let body = br#"{"type":"about:blank","title":"Gateway Timeout","status":504,"detail":"nothing usable is stored, and the request asked for only-if-cached"}"#;
    problem(504, body, marks, "detail=only_if_cached", DETAILS_ONLY_IF_CACHED)
}

/// The answer to a request of the cache's own that has not the key of its occasion.
pub fn key_mismatch(marks: Marks) -> Reply {
    let body = br#"{"type":"about:blank","title":"Conflict","status":409,"detail":"the background request has not the key of the request that it is made for"}"#;
    problem(409, body, marks, "detail=key_mismatch", DETAILS_KEY_MISMATCH)
}

/// The cache's own answer, which says what is wrong (RFC 9457).
fn problem(status: u16, body: &[u8], marks: Marks, said: &str, details: &'static str) -> Reply {
    let mut headers = vec![("content-type".into(), b"application/problem+json".to_vec())];
    headers.extend(marks.fields("MISS", said, &[]));
    let body = body.to_vec();
    Reply { status, headers, body, details, grpc_status: None, grpc_message: None }
}

/// What a response that passes says about the cache: why it was forwarded, and whether it is being stored.
pub fn passing(
    decision: Decision,
    status: u16,
    storing: Option<Result<(), Refusal>>,
) -> (&'static str, String) {
    let passed_by = matches!(decision, Decision::Bypass | Decision::Method);
    let word = if passed_by { "BYPASS" } else { "MISS" };
    let mut said = format!("fwd={}", decision.forward_reason());
    if decision == Decision::Stale {
        said.push_str(&format!("; fwd-status={status}"));
    }
    match storing {
        None => {}
        Some(Ok(())) => said.push_str("; stored"),
        Some(Err(refusal)) => {
            said.push_str("; detail=");
            said.push_str(refusal.as_str());
        }
    }
    (word, said)
}
