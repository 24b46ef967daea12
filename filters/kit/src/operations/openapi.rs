//! The operations endpoints of all filters as one OpenAPI document.
//!
//! Each filter says what it answers in a table of [`Operation`]s, of which the index below its prefix is made too,
//! and leaves it in shared data when it is configured ([`publish`]): filters do not know one another, but whoever is
//! asked for `/openapi.json` below its prefix finds what all of this process have left.
//!
//! What stands there twice counts once: of one filter the configuration that came last and has operations.
//! One without takes nothing away, since the listener for operators is seldom the only one with that filter.
//!
//! [`operation`] is a line of such a table, [`shape`] what its answer holds.
//!
//! **Source**: OpenAPI Specification 3.1.0, <https://spec.openapis.org/oas/v3.1.0>.

pub mod operation;
pub mod shape;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::json::{ok, put};
use super::{Access, Refusal, parameters};
use crate::exchange::Host;
use crate::filter::Reply;
use crate::record;
use crate::shared::{self, Change};
pub use operation::{Gives, Operation, Parameter, Refused, Schema};
use shape::{Shape, has};

/// The shared name of the table.
const KEY: &str = "weir/operations";
const VERSION: u8 = 1;

/// More than there are filters: what was left by one of another version of Weir has room too.
const MAX_FILTERS: usize = 16;

/// Where the document is, below every prefix.
pub(super) const PATH: &str = "/openapi.json";

/// What the index holds.
const INDEX: Shape =
    Shape::Object(&[&[has("endpoints", Shape::List(&ENDPOINT)), has("openapi", Shape::Text)]]);

const ENDPOINT: Shape = Shape::Object(&[&[
    has("method", Shape::Text),
    has("path", Shape::Text),
    has("does", Shape::Text),
]]);

/// What stands below every prefix; the index, which lists the others, is none of what it lists.
pub const COMMON: [Operation; 2] = [
    Operation::get("", "lists what can be asked for below this path", Gives::Json(&INDEX)),
    Operation::get(
        PATH,
        "the OpenAPI document of the operations of all filters",
        Gives::Json(&Shape::Named(&Shape::Any)),
    ),
];

/// A filter's part of the document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Part {
    filter: String,
    /// The paths with what can be done with them, as JSON.
    paths: String,
}

/// Leaves what this filter answers where the document is made of it: operations, each list with the path that theirs
/// are below. Nothing, and what another configuration of the filter has left stays.
///
/// Once for each configuration: **cost**, one get and one set.
pub fn publish(host: &dyn Host, filter: &'static str, lists: &[(&str, &[Operation])]) {
    if lists.is_empty() {
        return;
    }
    let updated = shared::update(host, KEY, |bytes| {
        let mut parts: Vec<Part> = record::decode(VERSION, bytes).unwrap_or_default();
        let before = parts.clone();
        parts.retain(|part| part.filter != filter);
        parts.truncate(MAX_FILTERS.saturating_sub(1));
        let paths = paths(filter, lists).to_string();
        parts.push(Part { filter: filter.to_owned(), paths });
        parts.sort_by(|a, b| a.filter.cmp(&b.filter));
        if parts == before {
            return (Change::Keep, ());
        }
        *bytes = record::encode(VERSION, &parts);
        (Change::Store, ())
    });
    if let Err(error) = updated {
        log::warn!("{filter}: operations are not in the OpenAPI document: {error}");
    }
}

/// As [`publish`], for a filter all of whose operations are below its prefix, [`COMMON`] among them.
pub fn publish_below(
    host: &dyn Host,
    filter: &'static str,
    access: &Access,
    operations: &[Operation],
) {
    let prefix = access.prefix();
    let lists = prefix.map(|prefix| [(prefix, COMMON.as_slice()), (prefix, operations)]);
    publish(host, filter, lists.as_ref().map_or(&[], |lists| lists.as_slice()));
}

fn paths(filter: &str, lists: &[(&str, &[Operation])]) -> Value {
    let mut paths = Map::new();
    for (below, operation) in
        lists.iter().flat_map(|(below, list)| list.iter().map(move |one| (below, one)))
    {
        let path = format!("{below}{}", operation.template().0);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            put(item, &operation.method.to_ascii_lowercase(), operation.describe(filter));
        }
    }
    Value::Object(paths)
}

/// The document of all filters that were configured.
///
/// # Errors
/// [`Refusal::Method`] for what changes things, [`Refusal::Parameters`] for a query.
pub(super) fn answer(host: &dyn Host, method: &[u8], query: &[u8]) -> Result<Reply, Refusal> {
    if !matches!(method, b"GET" | b"HEAD") {
        return Err(Refusal::Method { allow: "GET, HEAD" });
    }
    parameters::only(query, &[])?;
    let bytes = host.shared_get(KEY).map(|found| found.value).unwrap_or_default();
    let parts: Vec<Part> = record::decode(VERSION, &bytes).unwrap_or_default();
    let mut paths = Map::new();
    for part in &parts {
        if let Ok(Value::Object(own)) = serde_json::from_str(&part.paths) {
            paths.extend(own);
        }
    }
    let tags: Vec<Value> = parts.iter().map(|part| json!({ "name": part.filter })).collect();
    Ok(ok(&document(&paths, &tags)))
}

fn document(paths: &Map<String, Value>, tags: &[Value]) -> Value {
    let problem = |description: &str| {
        json!({ "description": description, "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
        } } })
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weir: operations",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What this gateway's filters tell operators, and let them do. Every GET can be a HEAD. \
                Other methods get 405 with allow, a request with a body gets 400. \
                In the name of a parameter NAME stands for any name: header.x-plan. No answer is for a cache.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "security": [{ "token": [] }, { "bearer": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": "x-weir-token" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "schemas": {
                "Problem": {
                    "description": "RFC 9457.",
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": { "type": "string", "format": "uri-reference" },
                        "title": { "type": "string" },
                        "status": { "type": "integer" },
                        "detail": { "type": "string" },
                        "problems": { "type": "array", "items": { "type": "string" } },
                    },
                    "additionalProperties": true,
                },
            },
            "responses": {
                "Parameters": problem("A parameter is unknown or wrong; problems has a line for each."),
                "Token": problem("The token is missing or wrong."),
                "Source": problem("The client's address may not ask, or a page of another site does."),
                "Unknown": problem("There is no such thing; the detail says what there is."),
                "Failed": problem("Not all of it was done; the detail says what, and what can be told of the rest is there too."),
                "Conflict": problem("Not as things are now; the detail says what to change."),
            },
        },
    })
}
