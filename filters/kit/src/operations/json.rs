//! Answers of operations endpoints as JSON.
//!
//! Times are seconds, with `_seconds` in their names; a begun millisecond counts.
//! No answer is for a cache: what it tells is of now, and of one operator.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::DETAILS;
use super::openapi::{self, Operation};
use crate::exchange::{Attribute, Exchange};
use crate::filter::Reply;
use crate::net::client_address;
use crate::units::Nanos;

/// An answer with this status and body.
pub fn reply(status: u16, content_type: &'static str, body: &Value) -> Reply {
    let mut body = body.to_string().into_bytes();
    body.push(b'\n');
    let headers = vec![
        (Cow::Borrowed("cache-control"), b"no-store".to_vec()),
        (Cow::Borrowed("content-type"), content_type.as_bytes().to_vec()),
    ];
    Reply { status, headers, body, details: DETAILS, grpc_status: None, grpc_message: None }
}

/// An answer with status 200.
pub fn ok(body: &Value) -> Reply {
    reply(200, "application/json", body)
}

/// The endpoints of a filter with this prefix: operations, each list with the path that theirs are below.
pub fn index(prefix: &str, lists: &[(&str, &[Operation])]) -> Reply {
    let all = lists.iter().flat_map(|(below, list)| list.iter().map(move |one| (below, one)));
    let endpoints = all.map(|(below, one)| {
        json!({ "method": one.method, "path": format!("{below}{}", one.shown()), "does": one.does })
    });
    ok(&json!({
        "endpoints": endpoints.collect::<Vec<Value>>(),
        "openapi": format!("{prefix}{}", openapi::PATH),
    }))
}

/// A request as it was understood: method, path, host, the client's address, and what Envoy's routing says of it.
pub fn request(x: &dyn Exchange) -> Map<String, Value> {
    let headers = x.request();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut object = Map::new();
    for (name, header) in [("method", ":method"), ("path", ":path"), ("host", ":authority")] {
        put_some(&mut object, name, headers.get(header).map(text));
    }
    put_some(&mut object, "address", client_address(x).map(|address| address.to_string()));
    for (name, attribute) in [
        ("route", Attribute::RouteName),
        ("virtual_host", Attribute::VirtualHost),
        ("cluster", Attribute::Cluster),
    ] {
        put_some(&mut object, name, x.attribute(attribute).map(|value| text(&value)));
    }
    object
}

/// Seconds, with fractions where there are some.
pub fn seconds(span: Nanos) -> Value {
    let millis = span.as_millis_ceil();
    if millis.is_multiple_of(1_000) {
        json!(millis / 1_000)
    } else {
        json!(Nanos::from_millis(millis).as_secs_f64())
    }
}

/// Adds a member.
pub fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

/// Adds a member if there is a text for it.
pub fn put_some(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<String>>) {
    if let Some(value) = value {
        put(object, name, Value::String(value.into()));
    }
}
