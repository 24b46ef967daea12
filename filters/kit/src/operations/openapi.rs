//! The operations endpoints of all filters as one OpenAPI document.
//!
//! Each filter says what it answers in a table of [`Operation`]s, of which the index below its prefix is made too,
//! and leaves it in shared data when it is configured ([`publish`]): filters do not know one another, but whoever is
//! asked for `/openapi.json` below its prefix finds what all of this process have left.
//!
//! What stands there twice counts once: of one filter the configuration that came last.
//!
//! **Source**: OpenAPI Specification 3.1.0, <https://spec.openapis.org/oas/v3.1.0>.

use serde_json::{Map, Value, json};

use super::json::{ok, put};
use super::{Access, Refusal, parameters};
use crate::exchange::Host;
use crate::filter::Reply;
use crate::record;
use crate::shared::{self, Change};

/// The shared name of the table.
const KEY: &str = "weir/operations";
const VERSION: u8 = 1;

/// More than there are filters: what was left by one of another version of Weir has room too.
const MAX_FILTERS: usize = 16;

/// Where the document is, below every prefix.
pub(super) const PATH: &str = "/openapi.json";

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The method; `HEAD` goes with `GET`.
    pub method: &'static str,
    /// The path below the prefix; a last part in capitals stands for a name: `/rules/NAME`.
    pub path: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    /// What its query may say: groups, since several operations may have some of it in common.
    pub query: &'static [&'static [Parameter]],
}

/// Something that the query of an operation may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; one that ends in `.NAME` stands for any that begin like it.
    pub name: &'static str,
    /// What it can be.
    pub schema: Schema,
    /// What it means.
    pub says: &'static str,
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Any text, once.
    Text,
    /// Texts, as often as wanted.
    Texts,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A duration with its unit, such as `10m`.
    Duration,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A filter's part of the document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Part {
    filter: String,
    /// The paths with what can be done with them, as JSON.
    paths: String,
}

impl Operation {
    /// The path with the names of its parameters, as the index lists it: `/breakers?rule=&state=`.
    pub fn shown(&self) -> String {
        let query: Vec<String> = self.parameters().map(|one| format!("{}=", one.name)).collect();
        match query.as_slice() {
            [] => self.path.to_owned(),
            some => format!("{}?{}", self.path, some.join("&")),
        }
    }

    fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.query.iter().copied().flatten()
    }

    /// The path as a template, and the name in it if there is one.
    fn template(&self) -> (String, Option<String>) {
        match self.path.rsplit_once('/') {
            Some((front, name))
                if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase()) =>
            {
                let name = name.to_ascii_lowercase();
                (format!("{front}/{{{name}}}"), Some(name))
            }
            _ => (self.path.to_owned(), None),
        }
    }

    fn describe(&self, filter: &str) -> Value {
        let (template, name) = self.template();
        let has_parameters = name.is_some() || !self.query.is_empty();
        let of_path = name.iter().map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        });
        let of_query = self.parameters().map(Parameter::describe);
        let parameters: Vec<Value> = of_path.chain(of_query).collect();
        let answer = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
        let mut answers = Map::new();
        put(&mut answers, "200", answer("Done"));
        for (status, name, is_there) in [
            ("400", "Parameters", true),
            ("401", "Token", true),
            ("403", "Source", true),
            ("404", "Unknown", has_parameters),
            ("503", "Failed", true),
        ] {
            if is_there {
                put(&mut answers, status, answer(name));
            }
        }
        let words: String =
            template.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let id = format!("{filter}_{}{words}", self.method.to_ascii_lowercase());
        json!({
            "operationId": id.trim_end_matches('_').replace("__", "_"),
            "summary": self.does,
            "tags": [filter],
            "parameters": parameters,
            "responses": answers,
        })
    }
}

impl Parameter {
    fn describe(&self) -> Value {
        let schema = match self.schema {
            Schema::Text => json!({ "type": "string" }),
            Schema::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Schema::Number => json!({ "type": "integer", "minimum": 1 }),
            Schema::Flag => json!({ "type": "boolean" }),
            Schema::Duration => json!({ "type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$" }),
            Schema::OneOf(words) => json!({ "type": "string", "enum": words }),
        };
        json!({ "name": self.name, "in": "query", "description": self.says, "schema": schema })
    }
}

/// Leaves what this filter answers where the document is made of it: operations, each list with the path that theirs
/// are below. Nothing, and it is in the document no more.
///
/// Once for each configuration: **cost**, one get and one set.
pub fn publish(host: &dyn Host, filter: &'static str, lists: &[(&str, &[Operation])]) {
    let updated = shared::update(host, KEY, |bytes| {
        let mut parts: Vec<Part> = record::decode(VERSION, bytes).unwrap_or_default();
        let before = parts.clone();
        parts.retain(|part| part.filter != filter);
        if !lists.is_empty() {
            parts.truncate(MAX_FILTERS.saturating_sub(1));
            let paths = paths(filter, lists).to_string();
            parts.push(Part { filter: filter.to_owned(), paths });
            parts.sort_by(|a, b| a.filter.cmp(&b.filter));
        }
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

/// As [`publish`], for a filter all of whose operations are below its prefix.
pub fn publish_below(
    host: &dyn Host,
    filter: &'static str,
    access: &Access,
    operations: &[Operation],
) {
    let list = access.prefix().map(|prefix| (prefix, operations));
    publish(host, filter, list.as_slice());
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
                Other methods get 405 with allow. No answer is for a cache.",
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
                },
            },
            "responses": {
                "Done": {
                    "description": "Done, or told.",
                    "content": { "application/json": { "schema": { "type": "object" } } },
                },
                "Parameters": problem("A parameter is unknown or wrong; problems has a line for each."),
                "Token": problem("The token is missing or wrong."),
                "Source": problem("The client's address may not ask."),
                "Unknown": problem("There is no such thing; the detail says what there is."),
                "Failed": problem("Not done, or not ready; the detail says what."),
            },
        },
    })
}
