//! Reads lists whose entries have a short form, a text, and a long one, an object.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::fields::{Fields, read_object, report};
use super::kinds::{Kind, Parsed};
use super::quote::entry_path;

impl Fields<'_> {
    /// A list of entries that are texts of a form of the caller's own, as [`Fields::parsed`], or objects;
    /// one of them alone counts as a list of one.
    ///
    /// `take` gives `None` for an object that it found wrong, after recording the problem.
    /// `None` if the field is absent, or no list.
    pub fn optional_parsed_or_objects<T, E: Display>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        mut take: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let kind = Parsed { allowed, parse: &parse };
        let own_path = self.path(name);
        let allowed_list = format!("a list of entries, each {allowed}, or one without a list");
        let one = |value: &Value| value.is_string() || value.is_object();
        let list = self.ask_list(name, &counts, &allowed_list, one)?;
        let single = self.object.get(name).is_some_and(|value| !value.is_array());
        let mut out = Vec::with_capacity(list.len());
        for (idx, entry) in list.iter().enumerate() {
            let path = if single { own_path.clone() } else { entry_path(&own_path, idx) };
            match entry.as_object() {
                Some(object) => out.extend(read_object(object, &path, self.problems, &mut take)),
                None => match kind.read(entry) {
                    Ok(read) => out.push(read),
                    Err(wrong) => report(self.problems, &path, &kind, wrong, None),
                },
            }
        }
        Some(out)
    }
}
