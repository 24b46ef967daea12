//! What a refused client is answered.
//!
//! The answer to a spent quota can be configured, once for all rules and again for each; the other two
//! (no key, count not kept) say what went wrong at the proxy and take over the headers and the jitter only.
//!
//! **Source**: RFC 6585 (429), RFC 9110 10.2.3 (Retry-After), RFC 9457 (problem details), and for the problem's type
//! and its `violated-policies` draft-ietf-httpapi-ratelimit-headers-11, section 5.

mod reply;

use kit::Nanos;
use kit::answer::Taken;
use kit::config::Fields;

pub use reply::Spent;

/// The longest time over which comebacks are spread.
pub const MAX_JITTER: Nanos = Nanos::HOUR;

/// Names of headers that this filter sets itself, and what to do instead.
const TAKEN: &Taken = &[
    ("retry-after", "remove it, it is computed; retry_after_jitter spreads it"),
    ("ratelimit", FIELDS),
    ("ratelimit-", FIELDS),
    ("x-ratelimit-", FIELDS),
    ("grpc-status", "remove it, it is always RESOURCE_EXHAUSTED"),
    ("grpc-message", "use grpc_message"),
];

const FIELDS: &str = "remove it, fields chooses what is told about limits";

/// What an operator wants to be answered; what is left open is the filter's own answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    own: kit::answer::Answer,
    jitter: Option<Nanos>,
}

impl Answer {
    /// Reads an object `answer` of the configuration, the common one or a rule's.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let own = kit::answer::Answer::read(fields, 400..=599, TAKEN);
        let jitter = fields.optional_duration("retry_after_jitter", Nanos::SECOND..=MAX_JITTER);
        Self { own, jitter }
    }

    /// This answer of a rule, with what it leaves open from the common one, field by field.
    #[must_use]
    pub fn over(self, common: &Self) -> Self {
        Self { own: self.own.over(&common.own), jitter: self.jitter.or(common.jitter) }
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
        let common = read(r#"{"status": 420, "retry_after_jitter": "5s"}"#).unwrap();
        assert_eq!(Answer::default().over(&common), common);
        assert_eq!(common.clone().over(&Answer::default()), common);
        let merged = read(r#"{"body": "no"}"#).unwrap().over(&common);
        assert_eq!((merged.own.status, merged.jitter), (Some(420), common.jitter));
        assert_eq!(merged.own.body.unwrap().bytes, b"no");
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(
            read(r#"{"status": 200, "retry_after_jitter": "0s", "retry_after": "1s"}"#)
                .unwrap_err(),
            [
                r#"f: status: found 200, allowed 400 to 599; raise it to at least 400"#,
                r#"f: retry_after_jitter: found "0s", allowed 1s to 1h; raise it to at least 1s, zero does not mean off"#,
                r#"f: retry_after: unknown field; remove it, the fields here are status, headers, body, json, content_type, grpc_message, retry_after_jitter"#,
            ]
        );
    }

    #[test]
    fn names_that_are_not_the_operators_say_what_to_do() {
        for (name, mend) in [
            ("Retry-After", "it is computed; retry_after_jitter spreads it"),
            ("RateLimit", "fields chooses what is told about limits"),
            ("X-RateLimit-Reset", "fields chooses what is told about limits"),
            ("grpc-message", "use grpc_message"),
            ("Content-Length", "remove it, Envoy counts the body"),
        ] {
            let text = serde_json::json!({"headers": {name: "1"}}).to_string();
            assert!(read(&text).unwrap_err()[0].ends_with(mend), "{name}");
        }
    }
}
