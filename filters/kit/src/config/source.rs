//! From the bytes of the configuration to one JSON value.

use serde_json::Value;

use super::problems::Problems;
use super::{json, protobuf};
use crate::units::Bytes;

/// The longest configuration that is looked at; far more than the bounds of every filter's lists need.
pub const MAX_BYTES: Bytes = Bytes::MIB;

/// Parses what Envoy hands over: the JSON text of a `StringValue`, or a serialized `google.protobuf.Struct`.
///
/// The two cannot be confused: a `Struct` that holds a field holds byte 0x12, which JSON text never does.
/// A number that is whole comes back as an integer, however it was written.
/// No bytes are an empty object: that is how a `Struct` without fields arrives.
///
/// # Errors
/// The bytes are blank or too long, neither of the two, or an object in them has a key twice.
/// The problems bear no filter's name yet; [`Problems::of`] gives it.
pub fn parse(bytes: &[u8]) -> Result<Value, Problems> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let mut problems = Problems::default();
    let refused = match check(bytes) {
        Err(what) => what,
        Ok(()) => match json::parse(bytes, &mut problems) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => return Err(problems),
            Err(error) if is_text(bytes) => not_json(bytes, &error),
            Err(_) => match protobuf::parse(bytes) {
                Some(value) => return Ok(value),
                None => NOT_STRUCT.to_owned(),
            },
        },
    };
    let mut problems = Problems::default();
    problems.add("configuration", refused);
    Err(problems)
}

const NOT_STRUCT: &str = "found bytes that are neither, allowed JSON text or a google.protobuf.Struct \
     of finite numbers and at most 30 levels; give an object in a StringValue or a Struct";

fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("found only blanks, allowed a JSON object; \
                    set `configuration` of the Wasm plugin to a StringValue or a Struct"
            .to_owned());
    }
    let length = Bytes::of(bytes);
    if length > MAX_BYTES {
        return Err(format!("found {length}, allowed at most {MAX_BYTES}; shorten it"));
    }
    Ok(())
}

/// Whether a person wrote these bytes, so that they were meant to be JSON.
fn is_text(bytes: &[u8]) -> bool {
    let blank = |c: char| matches!(c, '\t' | '\n' | '\r');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| blank(c) || !c.is_control()))
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    let mend = match bytes.trim_ascii().first() {
        Some(b'{') => "mend it there",
        Some(_) | None => "begin it with {, or give YAML directly in a google.protobuf.Struct",
    };
    format!("found no JSON ({error}), allowed JSON text; {mend}")
}
