//! Reads what holds several values: objects, lists and maps.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::slice;

use serde_json::{Map, Value};

use super::fields::{Fields, MAX_TEXT, read_object, report};
use super::kinds::{Choice, Integer, Kind, Parsed, Quantity, Text};
use super::problems::Problems;
use super::quote::{entries, entry_path, field_path, found};
use crate::units::{Bytes, Nanos};

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
        let list = self.ask_list(name, &counts, "a list of objects", false)?;
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
        let path = self.path(name);
        let kind = Text(0..=MAX_TEXT);
        let mut texts = BTreeMap::new();
        for (key, entry) in self.ask_map(name, &counts)? {
            match kind.read(entry) {
                Ok(text) => {
                    texts.insert(key.clone(), text);
                }
                Err(wrong) => report(self.problems, &field_path(&path, key), &kind, wrong, None),
            }
        }
        Some(texts)
    }
}

/// A required and an optional getter for a list of one kind of value.
macro_rules! lists {
    ($(#[doc = $doc:literal])* $required:ident, $optional:ident, ($($arg:ident: $ty:ty),*) -> $out:ty, $kind:expr) => {
        $(#[doc = $doc])*
        pub fn $required(
            &mut self,
            name: &'static str,
            counts: RangeInclusive<usize>
            $(, $arg: $ty)*
        ) -> Vec<$out> {
            self.list(name, &counts, &$kind, false)
        }

        $(#[doc = $doc])*
        ///
        /// `None` if the field is absent, or no list.
        pub fn $optional(
            &mut self,
            name: &'static str,
            counts: RangeInclusive<usize>
            $(, $arg: $ty)*
        ) -> Option<Vec<$out>> {
            self.optional_list(name, &counts, &$kind, false)
        }
    };
}

/// Lists. `counts` is how many entries are allowed, both ends included; a wrong entry is left out of the result.
impl Fields<'_> {
    lists! {
        /// A list of texts of 1 to 4096 bytes.
        texts, optional_texts, () -> String, Text(1..=MAX_TEXT)
    }

    lists! {
        /// A list of spans of time in `range`.
        durations, optional_durations, (range: RangeInclusive<Nanos>) -> Nanos, Quantity(range)
    }

    lists! {
        /// A list of sizes in `range`.
        byte_sizes, optional_byte_sizes, (range: RangeInclusive<Bytes>) -> Bytes, Quantity(range)
    }

    /// A list of whole numbers in `range`.
    ///
    /// `None` if the field is absent, or no list.
    pub fn optional_integers<N>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        range: RangeInclusive<N>,
    ) -> Option<Vec<N>>
    where
        N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>,
    {
        self.optional_list(name, &counts, &Integer(range), false)
    }

    /// A list of words of `table`.
    ///
    /// `None` if the field is absent, or no list.
    pub fn optional_choices<T: Copy>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        table: &[(&str, T)],
    ) -> Option<Vec<T>> {
        self.optional_list(name, &counts, &Choice(table), false)
    }

    /// A list of texts of a form of the caller's own, as [`Fields::parsed`].
    ///
    /// `None` if the field is absent, or no list.
    pub fn optional_parsed_list<T, E: Display>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        self.optional_list(name, &counts, &Parsed { allowed, parse: &parse }, false)
    }

    /// One text, or a list of them.
    pub fn one_or_many(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Vec<String> {
        self.list(name, &counts, &Text(1..=MAX_TEXT), true)
    }

    /// One text, or a list of them.
    ///
    /// `None` if the field is absent, or neither.
    pub fn optional_one_or_many(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<Vec<String>> {
        self.optional_list(name, &counts, &Text(1..=MAX_TEXT), true)
    }

    /// One text or a list of them, each of a form of the caller's own, as [`Fields::parsed`].
    ///
    /// `None` if the field is absent, or neither.
    pub fn optional_one_or_many_parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        self.optional_list(name, &counts, &Parsed { allowed, parse: &parse }, true)
    }

    fn list<K: Kind>(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        kind: &K,
        one_too: bool,
    ) -> Vec<K::Out> {
        if !self.has(name) {
            self.missing(name, &list_of(kind, one_too));
        }
        self.optional_list(name, counts, kind, one_too).unwrap_or_default()
    }

    fn optional_list<K: Kind>(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        kind: &K,
        one_too: bool,
    ) -> Option<Vec<K::Out>> {
        let own_path = self.path(name);
        let list = self.ask_list(name, counts, &list_of(kind, one_too), one_too)?;
        let single = one_too && self.object.get(name).is_some_and(|value| !value.is_array());
        let mut out = Vec::with_capacity(list.len());
        for (idx, entry) in list.iter().enumerate() {
            match kind.read(entry) {
                Ok(read) => out.push(read),
                Err(wrong) => {
                    let path = if single { own_path.clone() } else { entry_path(&own_path, idx) };
                    report(self.problems, &path, kind, wrong, None);
                }
            }
        }
        Some(out)
    }
}

impl<'a> Fields<'a> {
    /// The entries of a list of an allowed length; with `one_too` a single text counts as a list of one.
    fn ask_list(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        allowed: &str,
        one_too: bool,
    ) -> Option<&'a [Value]> {
        let remedy = self.take_remedy();
        self.ask(name)?;
        let value = self.object.get(name)?;
        let list = match value.as_array() {
            Some(list) => list.as_slice(),
            None if one_too && value.is_string() => slice::from_ref(value),
            None => {
                self.problem(name, found(value), allowed, "put the values in [ ]");
                return None;
            }
        };
        self.check_count(name, list.len(), counts, remedy);
        // Entries beyond the bound are not read: there may be very many.
        Some(list.get(..*counts.end()).unwrap_or(list))
    }

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

    fn check_count(
        &mut self,
        name: &'static str,
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
        let path = self.path(name);
        let mend = remedy.unwrap_or(mend);
        self.problems.add(&path, format_args!("found {}, {needed}; {mend}", entries(count)));
    }

    fn missing(&mut self, name: &'static str, allowed: &str) {
        self.problem(name, "nothing", allowed, "add this field");
    }
}

fn list_of<K: Kind>(kind: &K, one_too: bool) -> String {
    let one = if one_too { ", or one without a list" } else { "" };
    format!("a list of entries, each {}{one}", kind.allowed())
}

fn not_an_object(problems: &mut Problems, path: &str, value: &Value) {
    let found = found(value);
    problems.add(path, format_args!("found {found}, allowed an object; put the fields in {{ }}"));
}
