//! Headers that an operator adds to answers.

use super::Taken;
use crate::config::{Fields, quoted};

/// Headers of one answer.
pub const MAX_HEADERS: usize = 16;
/// The longest name, in bytes.
const MAX_NAME: usize = 64;
/// The longest value, in bytes: sixteen of them fit what clients take.
const MAX_VALUE: usize = 1_024;

/// Names that are the operator's in no answer, and what to do instead.
const NEVER_FREE: [(&str, &str); 14] = [
    ("connection", HOP_BY_HOP),
    ("keep-alive", HOP_BY_HOP),
    ("proxy-connection", HOP_BY_HOP),
    ("te", HOP_BY_HOP),
    ("trailer", HOP_BY_HOP),
    ("transfer-encoding", HOP_BY_HOP),
    ("upgrade", HOP_BY_HOP),
    ("content-length", "remove it, Envoy counts the body"),
    ("content-encoding", "remove it, the body is sent as it is"),
    ("content-type", "say what the body is with content_type"),
    ("cache-control", "remove it, these answers are never stored"),
    ("x-weir-", "remove it, these names are Weir's own"),
    ("host", "remove it, it belongs to requests"),
    ("server", "remove it, Envoy sets it"),
];

const HOP_BY_HOP: &str = "remove it, it is about the connection, which is Envoy's";

/// Reads the field `headers`; names come in lower case and in their order.
pub(super) fn read_headers(
    fields: &mut Fields<'_>,
    taken: &Taken,
) -> Option<Vec<(String, String)>> {
    let read = fields.optional_map_of_texts("headers", 1..=MAX_HEADERS)?;
    let mut headers: Vec<(String, String)> = Vec::with_capacity(read.len());
    for (name, value) in read {
        let lower = name.to_ascii_lowercase();
        if !is_token(&name) || name.len() > MAX_NAME {
            fields.problem(
                "headers",
                format_args!("the name {}", quoted(&name)),
                format_args!(
                    "names of 1 to {MAX_NAME} letters, digits and \"-\", such as \"x-reason\""
                ),
                "leave the other characters out",
            );
        } else if let Some(mend) = why_taken(&lower, taken) {
            fields.problem("headers", quoted(&name), "names that are free", mend);
        } else if headers.iter().any(|(other, _)| *other == lower) {
            fields.problem(
                "headers",
                format_args!("{} twice", quoted(&lower)),
                "each name once, in any case",
                "keep one",
            );
        } else if !is_value(&value) || value.len() > MAX_VALUE {
            fields.problem(
                "headers",
                format_args!("{} as the value of {}", quoted(&value), quoted(&name)),
                format_args!(
                    "up to {MAX_VALUE} visible characters of ASCII, with blanks between them"
                ),
                "leave the other characters out",
            );
        } else {
            headers.push((lower, value));
        }
    }
    Some(headers)
}

fn why_taken(name: &str, taken: &Taken) -> Option<&'static str> {
    let is_it = |taken: &str| match taken.strip_suffix('-') {
        Some(_) => name.starts_with(taken),
        None => name == taken,
    };
    NEVER_FREE.iter().chain(taken).find(|(taken, _)| is_it(taken)).map(|(_, mend)| *mend)
}

/// Whether the text is a token of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

/// Whether the text can be a field's value as it is: visible ASCII, blanks only within.
pub(super) fn is_value(text: &str) -> bool {
    text.trim_matches(' ') == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use crate::answer::tests::read;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// How the problem of one pair ends.
    fn refused(name: &str, value: &str) -> String {
        let text = serde_json::json!({"headers": {name: value}}).to_string();
        read(&text).unwrap_err().join("\n")
    }

    #[test]
    fn names_and_values_are_checked() {
        for name in ["", ":status", "a b", "x\r\ny", "ä", "a:"] {
            assert!(refused(name, "1").ends_with("leave the other characters out"), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\tb", "\u{0}", "ä", " a", "a "] {
            assert!(refused("x-a", value).ends_with("leave the other characters out"), "{value:?}");
        }
        assert_eq!(
            refused("x-a", "a\nb"),
            r#"f: headers: found "a\nb" as the value of "x-a", allowed up to 1024 visible characters of ASCII, with blanks between them; leave the other characters out"#
        );
    }

    #[test]
    fn names_that_are_not_the_operators_say_what_to_do() {
        for (name, mend) in [
            ("Transfer-Encoding", "it is about the connection, which is Envoy's"),
            ("Content-Length", "remove it, Envoy counts the body"),
            ("Retry-After", "remove it, it is computed"),
            ("X-Quota-Reset", "say it with fields"),
            ("X-Weir-Anything", "remove it, these names are Weir's own"),
        ] {
            assert!(refused(name, "1").ends_with(mend), "{name}");
        }
        assert_eq!(
            refused("Content-Type", "text/html"),
            r#"f: headers: found "Content-Type", allowed names that are free; say what the body is with content_type"#
        );
    }

    #[test]
    fn a_name_counts_once_in_any_case() {
        assert_eq!(
            read(r#"{"headers": {"X-A": "1", "x-a": "2"}}"#).unwrap_err(),
            [r#"f: headers: found "x-a" twice, allowed each name once, in any case; keep one"#]
        );
        let answer = read(r#"{"headers": {"X-B": "", "access-control-allow-origin": "*"}}"#);
        let headers = answer.unwrap().headers.unwrap();
        assert!(headers.contains(&("x-b".to_owned(), String::new())));
    }
}
