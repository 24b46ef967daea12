//! Reads objects, lists of objects, and maps whose names the operator chooses.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::fields::{Fields, MAX_TEXT, read_object, report};
use super::kinds::{Integer, Kind, Quantity, Text};
use super::problems::Problems;
use super::quote::{entries, entry_path, field_path, found};
use crate::units::Nanos;

/// Objects. `counts` is how many entries are allowed, both ends included.
impl Fields<'_> {
    /// An object, taken apart by `take`; if it is missing or wrong, `take` runs over an empty one in silence.
    pub fn object<T>(&mut self, name: &'static str, take: impl FnOnce(&mut Fields<'_>) -> T) -> T {
        if !self.has(name) {
            self.missing(name, "an object");
        }
        let nothing = Map::new();
        let path = self.path(name);
        match self.ask_object(name) {
            Some((object, problems)) => read_object(object, &path, problems, take),
            None => read_object(&nothing, &path, &mut Problems::default(), take),
        }
    }

    /// An object, taken apart by `take`.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        take: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Option<T> {
        let path = self.path(name);
        let (object, problems) = self.ask_object(name)?;
        Some(read_object(object, &path, problems, take))
    }

    /// A list of objects, each taken apart by `take`.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        take: impl FnMut(&mut Fields<'_>) -> T,
    ) -> Vec<T> {
        if !self.has(name) {
            self.missing(name, "a list of objects");
        }
        self.optional_objects(name, counts, take).unwrap_or_default()
    }

    /// A list of objects, each taken apart by `take`.
    ///
    /// `None` if the field is absent, or no list.
    pub fn optional_objects<T>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        mut take: impl FnMut(&mut Fields<'_>) -> T,
    ) -> Option<Vec<T>> {
        let path = self.path(name);
        let list = self.ask_list(name, &counts, "a list of objects", |_| false)?;
        let mut taken = Vec::with_capacity(list.len());
        for (idx, entry) in list.iter().enumerate() {
            let path = entry_path(&path, idx);
            match entry.as_object() {
                Some(object) => taken.push(read_object(object, &path, self.problems, &mut take)),
                None => not_an_object(self.problems, &path, entry),
            }
        }
        Some(taken)
    }

    /// Lists of objects by names that the operator chooses, in the order of the names.
    ///
    /// `counts` is how many names there may be, `entries` how many objects in each list.
    /// `None` if the field is absent, or no object.
    pub fn optional_named_lists<T>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        entries: RangeInclusive<usize>,
        mut take: impl FnMut(&str, &mut Fields<'_>) -> T,
    ) -> Option<BTreeMap<String, Vec<T>>> {
        let path = self.path(name);
        let map = self.ask_map(name, &counts)?;
        let mut taken = BTreeMap::new();
        for (key, value) in map {
            let path = field_path(&path, key);
            let Some(list) = value.as_array() else {
                let found = found(value);
                self.problems.add(
                    &path,
                    format_args!("found {found}, allowed a list of objects; put the values in [ ]"),
                );
                continue;
            };
            check_count(self.problems, &path, list.len(), &entries, None);
            let objects = list.iter().take(*entries.end()).enumerate();
            let read = objects.filter_map(|(idx, entry)| {
                let path = entry_path(&path, idx);
                let Some(object) = entry.as_object() else {
                    not_an_object(self.problems, &path, entry);
                    return None;
                };
                Some(read_object(object, &path, self.problems, |fields| take(key, fields)))
            });
            taken.insert(key.clone(), read.collect());
        }
        Some(taken)
    }

    /// Objects by names that the operator chooses, in the order of the names.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_named_objects<T>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        mut take: impl FnMut(&str, &mut Fields<'_>) -> T,
    ) -> Option<BTreeMap<String, T>> {
        let path = self.path(name);
        let object = self.ask_map(name, &counts)?;
        let mut taken = BTreeMap::new();
        for (key, entry) in object {
            let path = field_path(&path, key);
            match entry.as_object() {
                Some(object) => {
                    let out = read_object(object, &path, self.problems, |fields| take(key, fields));
                    taken.insert(key.clone(), out);
                }
                None => not_an_object(self.problems, &path, entry),
            }
        }
        Some(taken)
    }

    /// Texts by names that the operator chooses, in the order of the names.
    pub fn map_of_texts(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> BTreeMap<String, String> {
        if !self.has(name) {
            self.missing(name, "an object of texts");
        }
        self.optional_map_of_texts(name, counts).unwrap_or_default()
    }

    /// Texts by names that the operator chooses, in the order of the names.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_map_of_texts(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<BTreeMap<String, String>> {
        self.optional_map(name, &counts, &Text(0..=MAX_TEXT))
    }

    /// Whole numbers in `range` by names that the operator chooses, in the order of the names.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_map_of_integers<N>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        range: RangeInclusive<N>,
    ) -> Option<BTreeMap<String, N>>
    where
        N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>,
    {
        self.optional_map(name, &counts, &Integer(range))
    }

    /// Spans of time in `range` by names that the operator chooses, in the order of the names.
    ///
    /// `None` if the field is absent, or no object.
    pub fn optional_map_of_durations(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        range: RangeInclusive<Nanos>,
    ) -> Option<BTreeMap<String, Nanos>> {
        self.optional_map(name, &counts, &Quantity(range))
    }

    /// Single values by name; those that are wrong are left out after recording the problem.
    fn optional_map<K: Kind>(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        kind: &K,
    ) -> Option<BTreeMap<String, K::Out>> {
        let path = self.path(name);
        let mut taken = BTreeMap::new();
        for (key, entry) in self.ask_map(name, counts)? {
            match kind.read(entry) {
                Ok(out) => {
                    taken.insert(key.clone(), out);
                }
                Err(wrong) => report(self.problems, &field_path(&path, key), kind, wrong, None),
            }
        }
        Some(taken)
    }
}

impl<'a> Fields<'a> {
    fn ask_map(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
    ) -> Option<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>> {
        let remedy = self.take_remedy();
        self.ask(name)?;
        let value = self.object.get(name)?;
        let Some(object) = value.as_object() else {
            self.problem(name, found(value), "an object", "put the fields in { }");
            return None;
        };
        self.check_count(name, object.len(), counts, remedy);
        Some(object.iter().take(*counts.end()))
    }

    fn ask_object(
        &mut self,
        name: &'static str,
    ) -> Option<(&'a Map<String, Value>, &mut Problems)> {
        self.take_remedy();
        self.ask(name)?;
        let value = self.object.get(name)?;
        let Some(object) = value.as_object() else {
            self.problem(name, found(value), "an object", "put the fields in { }");
            return None;
        };
        Some((object, self.problems))
    }

    /// Reports a number of entries outside `counts`.
    pub(super) fn check_count(
        &mut self,
        name: &'static str,
        count: usize,
        counts: &RangeInclusive<usize>,
        remedy: Option<String>,
    ) {
        let path = self.path(name);
        check_count(self.problems, &path, count, counts, remedy);
    }

    /// Reports that a required field is not there.
    pub(super) fn missing(&mut self, name: &'static str, allowed: &str) {
        self.problem(name, "nothing", allowed, "add this field");
    }
}

fn check_count(
    problems: &mut Problems,
    path: &str,
    count: usize,
    counts: &RangeInclusive<usize>,
    remedy: Option<String>,
) {
    let (least, most) = (*counts.start(), *counts.end());
    let (needed, mend) = if count < least {
        let verb = if least == 1 { "is" } else { "are" };
        let missing = least.saturating_sub(count);
        (format!("at least {least} {verb} needed"), format!("add {}", entries(missing)))
    } else if count > most {
        let verb = if most == 1 { "is" } else { "are" };
        let surplus = count.saturating_sub(most);
        (format!("at most {most} {verb} allowed"), format!("remove {}", entries(surplus)))
    } else {
        return;
    };
    let mend = remedy.unwrap_or(mend);
    problems.add(path, format_args!("found {}, {needed}; {mend}", entries(count)));
}

fn not_an_object(problems: &mut Problems, path: &str, value: &Value) {
    let found = found(value);
    problems.add(path, format_args!("found {found}, allowed an object; put the fields in {{ }}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn numbers_stand_under_names_of_the_operators_choice() {
        let read = |json: &str| {
            load("test", json.as_bytes(), |fields| {
                fields.optional_map_of_integers("costs", 1..=2, 0_u64..=9)
            })
            .map_err(|problems| problems.lines().next().unwrap_or_default())
        };
        assert_eq!(read("{}"), Ok(None));
        let both = BTreeMap::from([("2xx".to_owned(), 1), ("404".to_owned(), 9)]);
        assert_eq!(read(r#"{"costs": {"404": 9, "2xx": 1}}"#), Ok(Some(both)));
        assert_eq!(
            read(r#"{"costs": {"a": "9"}}"#),
            Err("test: costs.a: found \"9\", allowed 0 to 9; remove the quotes".to_owned())
        );
    }

    #[test]
    fn spans_of_time_stand_under_names_of_the_operators_choice() {
        let read = |json: &str| {
            load("test", json.as_bytes(), |fields| {
                fields.optional_map_of_durations("ttl", 1..=2, Nanos::SECOND..=Nanos::HOUR)
            })
            .map_err(|problems| problems.lines().next().unwrap_or_default())
        };
        assert_eq!(read("{}"), Ok(None));
        let both = BTreeMap::from([
            ("2xx".to_owned(), Nanos::from_mins(5)),
            ("404".to_owned(), Nanos::SECOND),
        ]);
        assert_eq!(read(r#"{"ttl": {"404": "1s", "2xx": "5m"}}"#), Ok(Some(both)));
        assert_eq!(
            read(r#"{"ttl": {"404": "0s"}}"#),
            Err("test: ttl.404: found \"0s\", allowed 1s to 1h; raise it to at least 1s, zero does not mean off".to_owned())
        );
    }
}
