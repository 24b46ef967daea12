//! What a refused client is answered.
//!
//! The answer to a spent quota can be configured, once for all rules and again for each; the other two
//! (no key, count not kept) say what went wrong at the proxy and take over the headers and the jitter only.
//!
//! Nothing of a request is put into an answer, so there is nothing to escape and nothing to inject.
//!
//! **Source**: RFC 6585 (429), RFC 9110 10.2.3 (Retry-After), RFC 9457 (problem details), and for the problem's type
//! and its `violated-policies` draft-ietf-httpapi-ratelimit-headers-11, section 5.

mod headers;
mod reply;

use kit::Nanos;
use kit::config::{Fields, Value};

pub use headers::MAX_HEADERS;
pub use reply::Spent;

use headers::read_headers;

/// The longest body, in bytes: an answer to those who come too often should cost little.
pub const MAX_BODY: usize = 16 * 1024;
/// The longest `grpc-message`, in bytes: it travels as a header.
pub const MAX_GRPC_MESSAGE: usize = 256;
/// The longest media type, in bytes.
const MAX_CONTENT_TYPE: usize = 128;
/// The longest time over which comebacks are spread.
pub const MAX_JITTER: Nanos = Nanos::HOUR;

/// What an operator wants to be answered; what is left open is the filter's own answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    status: Option<u16>,
    headers: Option<Vec<(String, String)>>,
    body: Option<Body>,
    grpc_message: Option<String>,
    jitter: Option<Nanos>,
}

/// A body, ready to send: what it is belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Body {
    content_type: String,
    bytes: Vec<u8>,
}

impl Answer {
    /// Reads an object `answer` of the configuration, the common one or a rule's.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let status = fields.optional_integer("status", 400..=599);
        let headers = read_headers(fields);
        let body = read_body(fields);
        let allowed = format!("1 to {MAX_GRPC_MESSAGE} bytes of text without control characters");
        let grpc_message = fields.optional_parsed("grpc_message", &allowed, parse_message);
        let jitter = fields.optional_duration("retry_after_jitter", Nanos::SECOND..=MAX_JITTER);
        Self { status, headers, body, grpc_message, jitter }
    }

    /// This answer of a rule, with what it leaves open from the common one.
    ///
    /// Field by field; `headers` is one field, and so are `body` or `json` with their `content_type`.
    #[must_use]
    pub fn over(self, common: &Self) -> Self {
        Self {
            status: self.status.or(common.status),
            headers: self.headers.or_else(|| common.headers.clone()),
            body: self.body.or_else(|| common.body.clone()),
            grpc_message: self.grpc_message.or_else(|| common.grpc_message.clone()),
            jitter: self.jitter.or(common.jitter),
        }
    }
}

fn read_body(fields: &mut Fields<'_>) -> Option<Body> {
    let text = fields.optional_text_of("body", 0..=MAX_BODY);
    let json = fields.optional_json_object("json", MAX_BODY).map(Value::Object);
    let content_type = fields.optional_parsed(
        "content_type",
        "a media type, such as \"text/html; charset=utf-8\"",
        parse_content_type,
    );
    match (fields.has("body"), fields.has("json")) {
        (true, true) => {
            fields.problem("json", "it beside body", "one of body and json", "keep one");
        }
        (false, false) if fields.has("content_type") => fields.problem(
            "content_type",
            "it alone",
            "it with body or json",
            "add one of them here, or remove it",
        ),
        _ => {}
    }
    let (bytes, usual) = match (text, json) {
        (Some(text), _) => (text.into_bytes(), "text/plain; charset=utf-8"),
        (None, Some(json)) => (json.to_string().into_bytes(), "application/json"),
        (None, None) => return None,
    };
    Some(Body { content_type: content_type.unwrap_or_else(|| usual.to_owned()), bytes })
}

fn parse_message(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("fill it in".to_owned())
    } else if text.len() > MAX_GRPC_MESSAGE {
        Err(format!("it has {} bytes", text.len()))
    } else if text.chars().any(char::is_control) {
        Err("write it on one line".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn parse_content_type(text: &str) -> Result<String, &'static str> {
    let kind = text.split_once(';').map_or(text, |(kind, _)| kind).trim_end();
    let has_both = kind
        .split_once('/')
        .is_some_and(|(main, sub)| headers::is_token(main) && headers::is_token(sub));
    if !has_both {
        Err("write type and subtype, with a slash between them")
    } else if !headers::is_value(text) || text.len() > MAX_CONTENT_TYPE {
        Err("keep to at most 128 visible characters of ASCII and blanks")
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What the reader gives, or every problem but the closing line.
    pub(super) fn read(text: &str) -> Result<Answer, Vec<String>> {
        kit::config::load("f", text.as_bytes(), Answer::read).map_err(|problems| {
            let mut lines: Vec<String> = problems.lines().collect();
            lines.pop();
            lines
        })
    }

    #[test]
    fn nothing_configured_is_nothing_changed() {
        assert_eq!(read("{}"), Ok(Answer::default()));
    }

    #[test]
    fn a_rules_answer_goes_over_the_common_one_field_by_field() {
        let common = read(
            r#"{"status": 420, "headers": {"a": "1", "b": "2"}, "body": "no", "content_type": "text/html",
                "grpc_message": "m", "retry_after_jitter": "5s"}"#,
        )
        .unwrap();
        assert_eq!(Answer::default().over(&common), common);
        assert_eq!(common.clone().over(&Answer::default()), common);
        let own = read(r#"{"json": {"error": "slow"}, "headers": {"a": "3"}}"#).unwrap();
        let merged = own.over(&common);
        assert_eq!(merged.status, Some(420));
        assert_eq!(merged.headers, Some(vec![("a".to_owned(), "3".to_owned())]));
        let body = merged.body.unwrap();
        assert_eq!(
            (body.content_type.as_str(), body.bytes.as_slice()),
            ("application/json", br#"{"error":"slow"}"#.as_slice())
        );
        assert_eq!((merged.grpc_message, merged.jitter), (common.grpc_message, common.jitter));
    }

    #[test]
    fn a_body_knows_what_it_is() {
        let body = |text: &str| read(text).unwrap().body.unwrap();
        assert_eq!(body(r#"{"body": ""}"#).content_type, "text/plain; charset=utf-8");
        let own = body(r#"{"json": {"a": [1, null]}, "content_type": "application/vnd.x+json"}"#);
        assert_eq!(own.content_type, "application/vnd.x+json");
        assert_eq!(own.bytes, br#"{"a":[1,null]}"#);
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(
            read(
                r#"{"status": 200, "body": "a", "json": {}, "content_type": "html",
                    "grpc_message": "a\nb", "retry_after_jitter": "0s", "retry_after": "1s"}"#
            )
            .unwrap_err(),
            [
                r#"f: status: found 200, allowed 400 to 599; raise it to at least 400"#,
                r#"f: content_type: found "html", allowed a media type, such as "text/html; charset=utf-8"; write type and subtype, with a slash between them"#,
                r#"f: json: found it beside body, allowed one of body and json; keep one"#,
                r#"f: grpc_message: found "a\nb", allowed 1 to 256 bytes of text without control characters; write it on one line"#,
                r#"f: retry_after_jitter: found "0s", allowed 1s to 1h; raise it to at least 1s, zero does not mean off"#,
                r#"f: retry_after: unknown field; remove it, the fields here are status, headers, body, json, content_type, grpc_message, retry_after_jitter"#,
            ]
        );
        assert_eq!(
            read(r#"{"content_type": "text/html"}"#).unwrap_err(),
            [
                "f: content_type: found it alone, allowed it with body or json; add one of them here, or remove it"
            ]
        );
        let long = format!(r#"{{"body": "{}"}}"#, "x".repeat(MAX_BODY + 1));
        assert!(read(&long).unwrap_err()[0].ends_with("it has 16385 bytes"));
    }

    #[test]
    fn a_media_type_cannot_carry_another_line() {
        for text in ["text/html\r\nx: y", "text/", "/html", "text/html; a=\u{7f}", "te xt/html", ""]
        {
            assert!(parse_content_type(text).is_err(), "{text:?}");
        }
    }
}
