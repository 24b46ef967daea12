//! What an operator wants a client to be answered in place of an upstream.
//!
//! Nothing of a request is put into an answer, so there is nothing to escape and nothing to inject.
//! What the answer is about, and what it is where the operator says nothing, is for the filter that gives it.

mod headers;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::config::{Fields, Value};

pub use headers::MAX_HEADERS;

use headers::read_headers;

/// The longest body, in bytes: an answer to those who come too often, or all at once, should cost little.
pub const MAX_BODY: usize = 16 * 1024;
/// The longest `grpc-message`, in bytes: it travels as a header.
pub const MAX_GRPC_MESSAGE: usize = 256;
/// The longest media type, in bytes.
const MAX_CONTENT_TYPE: usize = 128;

/// What an operator wants to be answered; what is left open is the filter's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status.
    pub status: Option<u16>,
    /// Further headers, names in lower case and in their order.
    pub headers: Option<Vec<(String, String)>>,
    /// The body.
    pub body: Option<Body>,
    /// What a client that speaks gRPC is told.
    pub grpc_message: Option<String>,
}

/// A body, ready to send: what it is belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its media type.
    pub content_type: String,
    /// The body itself.
    pub bytes: Vec<u8>,
}

/// Names of headers that are not the operator's in an answer of this filter, beyond those that never are, each with
/// what to do instead; one that ends in `-` stands for all that begin so.
pub type Taken = [(&'static str, &'static str)];

impl Answer {
    /// Reads the fields of an answer: `status`, `headers`, `body` or `json` with `content_type`, `grpc_message`.
    pub fn read(fields: &mut Fields<'_>, statuses: RangeInclusive<u16>, taken: &Taken) -> Self {
        let status = fields.optional_integer("status", statuses);
        let headers = read_headers(fields, taken);
        let body = read_body(fields);
        let allowed = format!("1 to {MAX_GRPC_MESSAGE} bytes of text without control characters");
        let grpc_message = fields.optional_parsed("grpc_message", &allowed, parse_message);
        Self { status, headers, body, grpc_message }
    }

    /// Reads an answer that is none in gRPC: as [`Answer::read`], but for `grpc_message`.
    pub fn read_plain(
        fields: &mut Fields<'_>,
        statuses: RangeInclusive<u16>,
        taken: &Taken,
    ) -> Self {
        let status = fields.optional_integer("status", statuses);
        let headers = read_headers(fields, taken);
        Self { status, headers, body: read_body(fields), grpc_message: None }
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
        }
    }

    /// The operator's headers, as a [`crate::Reply`] has them.
    pub fn own_headers(&self) -> impl Iterator<Item = (Cow<'static, str>, Vec<u8>)> {
        let headers = self.headers.iter().flatten();
        headers.map(|(name, value)| (Cow::Owned(name.clone()), value.as_bytes().to_vec()))
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

    const TAKEN: &Taken =
        &[("retry-after", "remove it, it is computed"), ("x-quota-", "say it with fields")];

    /// What the reader gives, or every problem but the closing line.
    pub(super) fn read(text: &str) -> Result<Answer, Vec<String>> {
        let read = |fields: &mut Fields<'_>| Answer::read(fields, 400..=599, TAKEN);
        crate::config::load("f", text.as_bytes(), read).map_err(|problems| {
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
                "grpc_message": "m"}"#,
        )
        .unwrap();
        assert_eq!(Answer::default().over(&common), common);
        assert_eq!(common.clone().over(&Answer::default()), common);
        let own = read(r#"{"json": {"error": "slow"}, "headers": {"a": "3"}}"#).unwrap();
        let merged = own.over(&common);
        assert_eq!(merged.status, Some(420));
        let headers: Vec<_> = merged.own_headers().collect();
        assert_eq!(headers, [("a".into(), b"3".to_vec())]);
        let body = merged.body.unwrap();
        assert_eq!(
            (body.content_type.as_str(), body.bytes.as_slice()),
            ("application/json", br#"{"error":"slow"}"#.as_slice())
        );
        assert_eq!(merged.grpc_message, common.grpc_message);
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
                r#"{"status": 200, "body": "a", "json": {}, "content_type": "html", "grpc_message": "a\nb"}"#
            )
            .unwrap_err(),
            [
                r#"f: status: found 200, allowed 400 to 599; raise it to at least 400"#,
                r#"f: content_type: found "html", allowed a media type, such as "text/html; charset=utf-8"; write type and subtype, with a slash between them"#,
                r#"f: json: found it beside body, allowed one of body and json; keep one"#,
                r#"f: grpc_message: found "a\nb", allowed 1 to 256 bytes of text without control characters; write it on one line"#,
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
    fn an_answer_that_is_none_in_grpc_has_no_message() {
        let read = |fields: &mut Fields<'_>| Answer::read_plain(fields, 200..=599, TAKEN);
        let load = |text: &str| crate::config::load("f", text.as_bytes(), read);
        assert_eq!(load(r#"{"status": 200}"#).unwrap().status, Some(200));
        assert!(load(r#"{"grpc_message": "m"}"#).is_err());
    }

    #[test]
    fn a_media_type_cannot_carry_another_line() {
        for text in ["text/html\r\nx: y", "text/", "/html", "text/html; a=\u{7f}", "te xt/html", ""]
        {
            assert!(parse_content_type(text).is_err(), "{text:?}");
        }
    }
}
