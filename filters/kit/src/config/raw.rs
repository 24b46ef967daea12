//! Reads JSON of the operator's own, which is passed on as it is.

use serde_json::Value;

use super::fields::Fields;
use super::quote::found;

impl Fields<'_> {
    /// An object of up to `max_bytes` when written without blanks; what is in it is nobody's business here.
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_raw_object(&mut self, name: &'static str, max_bytes: usize) -> Option<Value> {
        self.take_remedy();
        self.ask(name)?;
        let value = self.object.get(name)?;
        if !value.is_object() {
            self.problem(name, found(value), "an object", "put the fields in { }");
            return None;
        }
        let size = value.to_string().len();
        if size > max_bytes {
            let allowed = format!("an object of up to {max_bytes} bytes as JSON");
            self.problem(name, format_args!("{size} bytes"), allowed, "shorten it");
            return None;
        }
        Some(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_object_is_taken_as_it_is_within_its_size() {
        let read = |text: &str| {
            let read = crate::config::load("f", text.as_bytes(), |fields| {
                fields.optional_raw_object("x", 12)
            });
            read.map_err(|problems| problems.lines().next().unwrap_or_default())
        };
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"x": {"b": null, "a": 1}}"#), {
            Err("f: x: found 16 bytes, allowed an object of up to 12 bytes as JSON; shorten it"
                .to_owned())
        });
        assert_eq!(read(r#"{"x": {"b":[null]}}"#), Ok(Some(json!({"b": [null]}))));
        assert_eq!(
            read(r#"{"x": [1]}"#),
            Err("f: x: found a list, allowed an object; put the fields in { }".to_owned())
        );
    }
}
