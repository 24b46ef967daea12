//! Tells the forms of a value apart, and reads JSON that a filter passes on as it is.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::quote::found;

impl Fields<'_> {
    /// Whether the object has this field, and an object in it.
    ///
    /// For fields that have a short form and a long one: it marks nothing as known, so the field must still be read.
    pub fn is_object(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_object)
    }

    /// A JSON object of up to `max_bytes` when written without blanks, that means nothing to the filter,
    /// such as a body that it sends.
    ///
    /// Nothing in it is refused: names, kinds and nulls are the operator's own.
    /// Only a name that one object has twice is, since [`super::parse`] sees it.
    /// `None` if the field is absent, or wrong.
    pub fn optional_json_object(
        &mut self,
        name: &'static str,
        max_bytes: usize,
    ) -> Option<Map<String, Value>> {
        self.take_remedy();
        let value = self.ask(name)?;
        let size = value.to_string().len();
        let Some(object) = value.as_object().cloned() else {
            let found = found(value);
            self.problem(name, found, "an object", "put the fields in { }");
            return None;
        };
        if size > max_bytes {
            let allowed = format!("an object of up to {max_bytes} bytes as JSON");
            self.problem(name, format_args!("{size} bytes"), allowed, "shorten it");
            return None;
        }
        Some(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::load;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_form_is_told_without_marking_the_field_as_known() {
        let read = load("f", br#"{"a": {}, "b": [1]}"#, |fields| {
            assert_eq!(["a", "b", "c"].map(|name| fields.is_object(name)), [true, false, false]);
        });
        assert_eq!(read.unwrap_err().lines().filter(|line| line.contains("unknown")).count(), 2);
    }

    #[test]
    fn an_object_is_taken_as_it_is_within_its_size() {
        let read = |text: &str| {
            let read = load("f", text.as_bytes(), |fields| fields.optional_json_object("x", 12));
            read.map_err(|problems| problems.lines().next().unwrap_or_default())
        };
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"x": {"b":[null]}}"#), Ok(json!({"b": [null]}).as_object().cloned()));
        for (text, line) in [
            (
                r#"{"x": {"b": null, "a": 1}}"#,
                "f: x: found 16 bytes, allowed an object of up to 12 bytes as JSON; shorten it",
            ),
            (r#"{"x": [1]}"#, "f: x: found a list, allowed an object; put the fields in { }"),
        ] {
            assert_eq!(read(text), Err(line.to_owned()));
        }
    }
}
