//! Tells the forms of a value apart, and reads JSON that a filter passes on as it is.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::quote::found;

/// For fields that have a short form and a long one: these mark nothing as known, so the field must still be read.
impl Fields<'_> {
    /// Whether the object has this field, and an object in it.
    pub fn is_object(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_object)
    }

    /// Whether the object has this field, and a list in it.
    pub fn is_list(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_array)
    }

    /// Whether the object has this field, and a text in it.
    pub fn is_text(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_string)
    }
}

/// JSON that means nothing to the filter, such as a body that it sends.
///
/// Nothing in it is refused: names, kinds and nulls are the operator's own.
/// Only a name that one object has twice is, since [`super::parse`] sees it.
impl Fields<'_> {
    /// Any JSON.
    ///
    /// `None` if the field is absent.
    pub fn optional_json(&mut self, name: &'static str) -> Option<Value> {
        self.take_remedy();
        self.ask(name).cloned()
    }

    /// Any JSON object.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_json_object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.take_remedy();
        let value = self.ask(name)?;
        let Some(object) = value.as_object() else {
            let found = found(value);
            self.problem(name, found, "an object", "put the fields in { }");
            return None;
        };
        Some(object.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::{Problems, read};

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn lines(read: Result<(), Problems>) -> Vec<String> {
        read.err().map(|problems| problems.lines().collect()).unwrap_or_default()
    }

    #[test]
    fn a_form_is_told_without_marking_the_field_as_known() {
        let value = json!({"a": {}, "b": [1], "c": "x"});
        let lines = lines(read("test", &value, |fields| {
            for (idx, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
                let forms = [fields.is_object(name), fields.is_list(name), fields.is_text(name)];
                assert_eq!(forms, [0, 1, 2].map(|form| form == idx), "{name}");
            }
            fields.optional_json("a");
        }));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "test: b: unknown field; remove it, the fields here are a");
    }

    #[test]
    fn json_is_passed_on_as_it_is() {
        let body = json!({"error": null, "n": [1, 2.5, {"deep": true}], "": ""});
        for body in [body.clone(), json!(null), json!("text"), json!([])] {
            let value = json!({"json": body});
            let read = read("test", &value, |fields| fields.optional_json("json")).ok();
            assert_eq!(read, Some(Some(body)));
        }
        let object = read("test", &json!({"json": body}), |fields| {
            assert_eq!(fields.optional_json("none"), None);
            assert_eq!(fields.optional_json_object("none"), None);
            fields.optional_json_object("json")
        });
        assert_eq!(object.ok().flatten(), body.as_object().cloned());
    }

    #[test]
    fn what_is_no_object_is_refused_as_one() {
        let lines = lines(read("test", &json!({"upgrade": "https://x"}), |fields| {
            assert_eq!(fields.optional_json_object("upgrade"), None);
        }));
        let line = "test: upgrade: found \"https://x\", allowed an object; put the fields in { }";
        assert_eq!(lines[0], line);
    }
}
