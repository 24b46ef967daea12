//! What can be asked for, and what comes of it, as tables say it.

use serde_json::{Map, Value, json};

use super::shape::Shape;
use crate::operations::json::put;

/// Something that can be asked for: a line of a filter's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The method; `HEAD` goes with `GET`.
    pub method: &'static str,
    /// The path below the prefix; a last part in capitals stands for a name: `/rules/NAME`.
    pub path: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    query: &'static [&'static [Parameter]],
    gives: Gives,
    refuses: &'static [Refused],
    is_open: bool,
}

/// What comes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// 200 with JSON.
    Json(&'static Shape),
    /// The same with 200 if all is well, and with 503 if it is not.
    Health(&'static Shape),
    /// 200 with a page for people.
    Page,
}

/// Why an operation can be refused, besides what all have in common: wrong parameters, no token, a wrong address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// 404: what the path or a parameter names is not there.
    Unknown,
    /// 409: not as things are now.
    Conflict,
    /// 503: some of it was not done.
    Failed,
}

/// Something that the query of an operation may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    name: &'static str,
    schema: Schema,
    says: &'static str,
    is_required: bool,
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// A text, such as this one, once.
    Text(&'static str),
    /// Texts, such as this one, as often as wanted.
    Texts(&'static str),
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A duration with its unit, such as `10m`.
    Duration,
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl Operation {
    /// Something to read, which answers with this.
    pub const fn get(path: &'static str, does: &'static str, gives: Gives) -> Self {
        Self { method: "GET", path, does, query: &[], gives, refuses: &[], is_open: false }
    }

    /// Something to do with this method, which tells of it like this, or that not all was done.
    pub const fn act(
        method: &'static str,
        path: &'static str,
        does: &'static str,
        gives: &'static Shape,
    ) -> Self {
        let (gives, refuses) = (Gives::Json(gives), &[Refused::Failed]);
        Self { method, path, does, query: &[], gives, refuses, is_open: false }
    }

    /// With this in its query: groups, since several operations may have some of it in common.
    #[must_use]
    pub const fn asks(self, query: &'static [&'static [Parameter]]) -> Self {
        Self { query, ..self }
    }

    /// Refused for these reasons, in the place of those that it has, besides what all operations refuse.
    #[must_use]
    pub const fn refuses(self, refuses: &'static [Refused]) -> Self {
        Self { refuses, ..self }
    }

    /// For whoever has no token too.
    #[must_use]
    pub const fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

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
    pub(super) fn template(&self) -> (String, Option<String>) {
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

    /// The operation as the document has it.
    pub(super) fn describe(&self, filter: &str) -> Value {
        let (template, name) = self.template();
        let of_path = name.iter().map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        });
        let of_query = self.parameters().map(Parameter::describe);
        let parameters: Vec<Value> = of_path.chain(of_query).collect();
        let words: String =
            template.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let id = format!("{filter}_{}{words}", self.method.to_ascii_lowercase());
        let mut object = Map::new();
        put(&mut object, "operationId", json!(id.trim_end_matches('_').replace("__", "_")));
        put(&mut object, "summary", json!(self.does));
        put(&mut object, "tags", json!([filter]));
        put(&mut object, "parameters", json!(parameters));
        put(&mut object, "responses", self.responses());
        if self.is_open {
            put(&mut object, "security", json!([]));
        }
        Value::Object(object)
    }

    fn responses(&self) -> Value {
        let shared = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
        let told = |description: &str, content: Value| json!({ "description": description, "content": content });
        let mut responses = Map::new();
        let of = |shape: &Shape| json!({ "application/json": { "schema": shape.schema() } });
        match self.gives {
            Gives::Json(shape) => put(&mut responses, "200", told("Done, or told.", of(shape))),
            Gives::Health(shape) => {
                put(&mut responses, "200", told("Ready.", of(shape)));
                put(&mut responses, "503", told("Not ready.", of(shape)));
            }
            Gives::Page => {
                let page = json!({ "text/html": { "schema": { "type": "string" } } });
                put(&mut responses, "200", told("The page.", page));
            }
        }
        put(&mut responses, "400", shared("Parameters"));
        if !self.is_open {
            put(&mut responses, "401", shared("Token"));
        }
        put(&mut responses, "403", shared("Source"));
        for refused in self.refuses {
            let (status, name) = match refused {
                Refused::Unknown => ("404", "Unknown"),
                Refused::Conflict => ("409", "Conflict"),
                Refused::Failed => ("503", "Failed"),
            };
            put(&mut responses, status, shared(name));
        }
        Value::Object(responses)
    }
}

impl Parameter {
    /// One that may be left out; a name that ends in `.NAME` stands for any that begin like it.
    pub const fn new(name: &'static str, schema: Schema, says: &'static str) -> Self {
        Self { name, schema, says, is_required: false }
    }

    /// Without it the operation is refused.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    fn describe(&self) -> Value {
        let (schema, example) = match self.schema {
            Schema::Text(example) => (json!({ "type": "string" }), json!(example)),
            Schema::Texts(example) => {
                (json!({ "type": "array", "items": { "type": "string" } }), json!([example]))
            }
            Schema::Number => (json!({ "type": "integer", "minimum": 1 }), json!(1)),
            Schema::Flag => (json!({ "type": "boolean" }), json!(true)),
            Schema::Duration => {
                let schema = json!({ "type": "string", "pattern": "^[0-9]+(us|ms|s|m|h|d)$" });
                (schema, json!("10m"))
            }
            Schema::OneOf(words) => {
                (json!({ "type": "string", "enum": words }), json!(words.first()))
            }
        };
        json!({
            "name": self.name, "in": "query", "description": self.says, "schema": schema,
            "required": self.is_required, "example": example,
        })
    }
}
