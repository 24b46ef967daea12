//! Names that operators give: to rules, to stores.
//!
//! A name is part of metrics, of answers and of shared state, so all filters take the same plain ones.

use std::ops::RangeInclusive;

use super::fields::Fields;
use super::quote::quoted;

/// The longest name, in characters.
pub const MAX_NAME: usize = 64;

const FORM: &str = "1 to 64 letters, digits, \"-\", \"_\" or \".\", such as \"general\"";

impl Fields<'_> {
    /// A plain name; `None` if it is missing or wrong, both with a problem recorded.
    pub fn name(&mut self, field: &'static str) -> Option<String> {
        self.parsed(field, FORM, parse_name)
    }

    /// A plain name; `None` if it is absent or wrong.
    pub fn optional_name(&mut self, field: &'static str) -> Option<String> {
        self.optional_parsed(field, FORM, parse_name)
    }

    /// A list of plain names, each once; those that are wrong are left out after recording the problem.
    pub fn names(&mut self, field: &'static str, counts: RangeInclusive<usize>) -> Vec<String> {
        if !self.has(field) {
            self.missing(field, "a list of names");
        }
        let read = self.optional_parsed_list(field, counts, FORM, parse_name).unwrap_or_default();
        let mut names: Vec<String> = Vec::with_capacity(read.len());
        for name in read {
            if names.contains(&name) {
                let found = format!("{} a second time", quoted(&name));
                self.problem(field, found, "each name once", "remove or rename one of them");
            } else {
                names.push(name);
            }
        }
        names
    }
}

/// The names met so far in a list whose entries must have different ones.
#[derive(Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// The field `name` of one more entry, as [`Fields::name`]; a problem is recorded if another entry has it.
    pub fn read(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        let name = fields.name("name")?;
        if self.0.contains(&name) {
            fields.problem(
                "name",
                format_args!("{} a second time", quoted(&name)),
                "a name that no other rule has",
                "rename one of them: the name says whose state and numbers they are",
            );
        }
        self.0.push(name.clone());
        Some(name)
    }
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > MAX_NAME {
        Err("shorten it")
    } else if text.is_empty() || !text.chars().all(is_plain) {
        Err("leave the other characters out: the name is part of metrics and answers")
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(json: &str) -> Result<Vec<String>, Vec<String>> {
        load("test", json.as_bytes(), |fields| fields.names("plans", 1..=2)).map_err(|problems| {
            let lines: Vec<String> = problems.lines().collect();
            lines.into_iter().rev().skip(1).rev().collect()
        })
    }

    #[test]
    fn a_list_has_each_name_once() {
        assert_eq!(read(r#"{"plans": ["free", "a.b"]}"#), Ok(vec!["free".into(), "a.b".into()]));
        for (json, line) in [
            ("{}", "test: plans: found nothing, allowed a list of names; add this field"),
            (
                r#"{"plans": ["a", "a"]}"#,
                "test: plans: found \"a\" a second time, allowed each name once; remove or rename one of them",
            ),
            (
                r#"{"plans": ["a", "b c"]}"#,
                "test: plans[1]: found \"b c\", allowed 1 to 64 letters, digits, \"-\", \"_\" or \".\", \
                 such as \"general\"; leave the other characters out: the name is part of metrics and answers",
            ),
        ] {
            assert_eq!(read(json), Err(vec![line.to_owned()]), "{json}");
        }
    }
}
