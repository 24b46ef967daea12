//! How values and paths of a configuration appear in messages.

use std::borrow::Cow;

use serde_json::Value;

/// Bytes of a value that a message shows: enough to find it, too little to flood a log.
const MAX_QUOTED: usize = 40;

/// `text` as a message quotes it: in quotes, cut at 40 bytes between characters, nothing unprintable.
///
/// ```
/// assert_eq!(kit::config::quoted("a\"b\n"), r#""a\"b\n""#);
/// ```
pub fn quoted(text: &str) -> String {
    let cut = cut(text);
    let mut quoted = String::from("\"");
    for c in cut.chars() {
        match c {
            '\'' => quoted.push(c),
            _ => quoted.extend(c.escape_debug()),
        }
    }
    quoted.push('"');
    if cut.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

/// What was found, for `found …`: scalars as written, the rest by kind.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => kind_of(value).to_owned(),
    }
}

/// The kind of a value, without what it holds.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The path of the field `name` of the object at `path`, in jq's notation without the first dot.
pub(super) fn field_path(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name.len() <= MAX_QUOTED
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    match (plain, path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{}]", quoted(name)),
    }
}

/// The path of an entry of the list at `path`, counted from zero.
pub(super) fn entry_path(path: &str, idx: usize) -> String {
    format!("{path}[{idx}]")
}

/// `line` without control characters, so that no configuration can forge a second log line.
pub(super) fn printable(line: &str) -> String {
    let mut printable = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() {
            printable.extend(c.escape_debug());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// An amount and its noun: `0 entries`, `1 entry`.
pub(super) fn entries(count: usize) -> Cow<'static, str> {
    if count == 1 { "1 entry".into() } else { format!("{count} entries").into() }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_QUOTED);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(quoted(&"x".repeat(40)), format!("\"{}\"", "x".repeat(40)));
        assert_eq!(quoted(&"x".repeat(41)), format!("\"{}\"…", "x".repeat(40)));
        assert_eq!(quoted(&"ä€".repeat(10)), format!("\"{}\"…", "ä€".repeat(8)));
        assert_eq!(quoted("it's\u{202e}"), "\"it's\\u{202e}\"");
    }

    #[test]
    fn paths_read_as_in_jq() {
        assert_eq!(field_path("", "limits"), "limits");
        assert_eq!(field_path(&entry_path("limits", 2), "window"), "limits[2].window");
        assert_eq!(field_path("labels", "x y"), "labels[\"x y\"]");
        assert_eq!(field_path("", ""), "[\"\"]");
    }
}
