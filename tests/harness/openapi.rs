//! The OpenAPI document that a gateway serves: what it says can be asked for, and whether answers are as it says.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use weir_testbed::root;

use crate::http::Message;

/// A document, and what was answered so far.
#[derive(Debug)]
pub struct Document {
    /// The document itself.
    pub value: Value,
    answers: Vec<Value>,
}

/// Something that the document says can be asked for.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method.
    pub method: String,
    /// The path, with `{name}` for a name.
    pub path: String,
    /// Whose it is.
    pub tag: String,
    /// What its query may say.
    pub parameters: Vec<Parameter>,
    /// Whether it answers without a proof.
    pub is_open: bool,
}

/// Something that a query may say.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub is_required: bool,
    /// Values that it can have: every word where there is a list of them, else the example.
    pub values: Vec<String>,
    /// Whether it may come several times.
    pub is_list: bool,
    /// Whether the schema says more than that it is a text.
    pub is_strict: bool,
}

impl Document {
    /// The document in this answer.
    pub fn of(answer: &Message) -> Self {
        assert_eq!(answer.status(), 200, "{answer:?}");
        let value = serde_json::from_slice(&answer.body).expect("the document is JSON");
        Self { value, answers: Vec::new() }
    }

    /// Everything that it says can be asked for, in its order.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.value["paths"].as_object().expect("there are paths");
        let of_path = |(path, item): (&String, &Value)| {
            let item = item.as_object().expect("a path has operations").clone();
            let path = path.clone();
            item.into_iter().map(move |(method, told)| Operation::read(&method, &path, &told))
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// Takes an answer: its status and type must be among what the operation has; its body is checked later, by
    /// [`Document::problems`].
    pub fn take(&mut self, operation: &Operation, name: &str, answer: &Message) {
        let status = answer.status().to_string();
        let told = &self.value["paths"][&operation.path][operation.method.to_ascii_lowercase()];
        let mut response = &told["responses"][&status];
        assert!(response.is_object(), "{name}: {status} is in no response: {answer:?}");
        if let Some(reference) = response["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("it is in the document");
            response = self.value.pointer(pointer).expect("what is referred to is there");
        }
        let content_type = answer.field("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default();
        let content = &response["content"][essence];
        assert!(content.is_object(), "{name}: {status} has no content of type {content_type:?}");
        let body = match essence {
            "text/html" => json!(answer.text()),
            _ => serde_json::from_slice(&answer.body)
                .unwrap_or_else(|error| panic!("{name}: {error}: {answer:?}")),
        };
        let name = format!("{name}: {status}");
        self.answers.push(json!({"name": name, "schema": content["schema"], "body": body}));
    }

    /// How many answers were taken.
    pub fn taken(&self) -> usize {
        self.answers.len()
    }

    /// What a public validator finds wrong with the document, and with the answers that were taken.
    pub fn problems(&self) -> Vec<String> {
        validate(&self.value, &self.answers)
    }
}

/// What a public validator finds wrong with a document, and with answers as [`Document::take`] keeps them.
pub fn validate(document: &Value, answers: &[Value]) -> Vec<String> {
    let validator = root::root().join(".tools/openapi");
    assert!(validator.is_dir(), "there is no {}; run `make setup`", validator.display());
    let mut child = Command::new("python3")
        .arg(root::root().join("testbed/openapi/validate.py"))
        .env("PYTHONPATH", validator)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs; run `make setup`");
    let asked = json!({"document": document, "answers": answers});
    let mut stdin = child.stdin.take().expect("it has been asked for");
    // A validator that ends early says why on its own.
    let _ = stdin.write_all(asked.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the validator failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("it prints a list of problems")
}

impl Operation {
    fn read(method: &str, path: &str, told: &Value) -> Self {
        let parameters = told["parameters"].as_array().expect("there is a list of parameters");
        let of_query = parameters.iter().filter(|one| one["in"] == "query");
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            tag: told["tags"][0].as_str().expect("it is a filter's").to_owned(),
            parameters: of_query.map(Parameter::read).collect(),
            is_open: told["security"] == json!([]),
        }
    }

    /// The path with this in place of `{name}`.
    pub fn at(&self, name: &str) -> String {
        self.path.replace("{name}", name)
    }

    /// What its query must say, whatever else it says.
    pub fn required(&self) -> String {
        let required = self.parameters.iter().filter(|one| one.is_required);
        let pairs: Vec<String> = required.map(|one| one.is(&one.values[0])).collect();
        pairs.join("&")
    }
}

impl Parameter {
    fn read(told: &Value) -> Self {
        let schema = &told["schema"];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values: Vec<String> = match (&schema["enum"], &told["example"]) {
            (Value::Array(words), _) | (Value::Null, Value::Array(words)) => {
                words.iter().map(text).collect()
            }
            (_, example) => vec![text(example)],
        };
        let name = told["name"].as_str().expect("it has a name");
        Self {
            name: name.replace(".NAME", ".sub"),
            is_required: told["required"] == true,
            is_list: schema["type"] == "array",
            is_strict: schema["type"] != "string" && schema["type"] != "array"
                || schema["enum"].is_array()
                || schema["pattern"].is_string(),
            values,
        }
    }

    /// The pair in a query that gives it this value.
    pub fn is(&self, value: &str) -> String {
        let mut pair = format!("{}=", self.name);
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                pair.push(char::from(byte));
            } else {
                pair.push_str(&format!("%{byte:02X}"));
            }
        }
        pair
    }
}
