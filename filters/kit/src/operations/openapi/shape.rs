//! What an answer holds, said once in a table: the schema of the OpenAPI document is made of it.
//!
//! Tests hold the answers of a running gateway to it, closed: a member that no shape has fails them.

use serde_json::{Map, Value, json};

use crate::operations::json::put;

/// What a value of an answer can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Any,
    /// Any text.
    Text,
    /// An instant: RFC 3339 in UTC.
    Instant,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number that is not negative.
    Count,
    /// A number that is not negative, such as seconds.
    Number,
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// This, or null.
    Maybe(&'static Self),
    /// A list of these.
    List(&'static Self),
    /// An object with these under names that are not known beforehand, such as those of routes.
    Named(&'static Self),
    /// An object with these members, and with those that a later version adds: groups, since several objects may have
    /// some of them in common.
    Object(&'static [&'static [Member]]),
}

/// A member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    name: &'static str,
    shape: Shape,
    is_always: bool,
}

/// A request as [`request`](crate::operations::json::request) tells of it.
pub const REQUEST: &[Member] = &[
    may_have("method", Shape::Text),
    may_have("path", Shape::Text),
    may_have("host", Shape::Text),
    may_have("address", Shape::Text),
    may_have("route", Shape::Text),
    may_have("virtual_host", Shape::Text),
    may_have("cluster", Shape::Text),
];

/// A member that is always there.
pub const fn has(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, is_always: true }
}

/// A member that is there where there is something to tell.
pub const fn may_have(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, is_always: false }
}

impl Shape {
    /// The schema: JSON Schema 2020-12, as OpenAPI 3.1 has it.
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Any => json!({}),
            Self::Text => json!({ "type": "string" }),
            Self::Instant => json!({ "type": "string", "format": "date-time" }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Number => json!({ "type": "number", "minimum": 0 }),
            Self::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Maybe(shape) => or_null(shape.schema()),
            Self::List(shape) => json!({ "type": "array", "items": shape.schema() }),
            Self::Named(shape) => {
                json!({ "type": "object", "additionalProperties": shape.schema() })
            }
            Self::Object(groups) => object(groups),
        }
    }
}

/// A schema that takes null too: one word more, since these are most of the document's schemas.
fn or_null(mut schema: Value) -> Value {
    if let Some(of) = schema.get_mut("type") {
        *of = json!([of.take(), "null"]);
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

fn object(groups: &[&[Member]]) -> Value {
    let members = || groups.iter().copied().flatten();
    let mut properties = Map::new();
    for member in members() {
        put(&mut properties, member.name, member.shape.schema());
    }
    let always = members().filter(|member| member.is_always);
    let required: Vec<&str> = always.map(|member| member.name).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}
