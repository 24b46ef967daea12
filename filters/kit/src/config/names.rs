//! Names that operators give: to rules, to stores.
//!
//! A name is part of metrics, of answers and of shared state, so all filters take the same plain ones.

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
