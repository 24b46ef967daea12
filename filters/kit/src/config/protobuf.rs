//! A `google.protobuf.Struct`, as Envoy hands it over.
//!
//! `prost` decodes it, with at most 100 messages in one another (about 33 levels of objects).
//! Source: <https://protobuf.dev/reference/protobuf/google.protobuf/#struct>

use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value as Proto};
use serde_json::{Map, Value};

use super::json::number;

/// Decodes a serialized `Struct`; `None` if the bytes are none, or a number in it has no JSON form.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    object(Struct::decode(bytes).ok()?)
}

fn object(message: Struct) -> Option<Value> {
    let fields = message.fields.into_iter().map(|(name, field)| Some((name, value(field)?)));
    fields.collect::<Option<Map<String, Value>>>().map(Value::Object)
}

fn value(message: Proto) -> Option<Value> {
    match message.kind? {
        Kind::NullValue(_) => Some(Value::Null),
        Kind::NumberValue(double) => number(double).map(Value::Number),
        Kind::StringValue(text) => Some(Value::String(text)),
        Kind::BoolValue(flag) => Some(Value::Bool(flag)),
        Kind::StructValue(fields) => object(fields),
        Kind::ListValue(list) => {
            list.values.into_iter().map(value).collect::<Option<Vec<_>>>().map(Value::Array)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_another_implementation_decode() {
        // `{"burst": 5, "on": true}` as protoc writes it.
        let bytes = b"\x0a\x12\x0a\x05burst\x12\x09\x11\0\0\0\0\0\0\x14\x40\x0a\x08\x0a\x02on\x12\x02\x20\x01";
        assert_eq!(parse(bytes), Some(serde_json::json!({"burst": 5, "on": true})));
    }

    #[test]
    fn what_json_cannot_express_is_refused() {
        let odd =
            |kind| Struct { fields: [("a".to_owned(), Proto { kind })].into() }.encode_to_vec();
        assert_eq!(parse(&odd(Some(Kind::NumberValue(f64::NAN)))), None);
        assert_eq!(parse(&odd(None)), None);
    }
}
