//! JSON text, read so that nothing in it is lost.
//!
//! `serde_json` keeps the last of several equal keys in silence; here each is reported with its path.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problems::Problems;
use super::quote::{entry_path, field_path};

/// Integers up to 2^53 are exact in a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Parses JSON text; equal keys in one object become `problems`.
///
/// # Errors
/// The text is not JSON, or nested deeper than the 128 levels that `serde_json` allows.
pub(super) fn parse(text: &[u8], problems: &mut Problems) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Node { path: "", problems }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// A double as a JSON number: an integer if it is one, since a `Struct` knows no other numbers.
///
/// `None` for what JSON cannot express, infinities and not-a-number.
pub(super) fn number(double: f64) -> Option<Number> {
    exact_integer(double).map(Number::from).or_else(|| Number::from_f64(double))
}

/// A value as a whole number, however it was written: `1000`, `1e3` and `1000.0` are the same.
pub(super) fn whole(value: &Value) -> Option<i128> {
    let integer = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    integer.or_else(|| value.as_f64().and_then(exact_integer).map(i128::from))
}

fn exact_integer(double: f64) -> Option<i64> {
    if double.abs() > MAX_EXACT || double.fract().abs() > 0.0 || double.is_nan() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    Some(double as i64)
}

/// One value and where it stands.
struct Node<'a> {
    path: &'a str,
    problems: &'a mut Problems,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, double: f64) -> Result<Value, E> {
        Ok(number(double).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        loop {
            let path = entry_path(self.path, entries.len());
            match list.next_element_seed(Node { path: &path, problems: self.problems })? {
                Some(entry) => entries.push(entry),
                None => return Ok(Value::Array(entries)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(Key(name)) = object.next_key()? {
            let path = field_path(self.path, &name);
            if fields.contains_key(&name) {
                self.problems.add(&path, "found twice, allowed once; remove one of them");
            }
            let value = object.next_value_seed(Node { path: &path, problems: self.problems })?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

/// The name of a field.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_however_written() {
        for (text, integer) in [("1000", 1000), ("1e3", 1000), ("-1.0", -1), ("-0.0", 0)] {
            let value = parse(text.as_bytes(), &mut Problems::default()).unwrap();
            assert_eq!(value, Value::from(integer), "{text}");
        }
        assert_eq!(whole(&Value::from(u64::MAX)), Some(i128::from(u64::MAX)));
        assert_eq!(whole(&Value::from(0.5)), None);
        assert_eq!(number(f64::NAN), None);
        assert_eq!(number(f64::INFINITY), None);
    }
}
