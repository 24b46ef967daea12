//! Reads lists of single values.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::slice;

use serde_json::Value;

use super::fields::{Fields, MAX_TEXT, report};
use super::kinds::{Choice, Codes, Integer, Kind, Parsed, Quantity, Text};
use super::quote::{entry_path, found};
use crate::status::Statuses;
use crate::units::{Bytes, Nanos, Ratio};

/// Whether a value that is no list counts as a list of one.
type IsOne = fn(&Value) -> bool;

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
            self.list(name, &counts, &$kind, None)
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
            self.optional_list(name, &counts, &$kind, None)
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

    lists! {
        /// A list of shares in `range`.
        ratios, optional_ratios, (range: RangeInclusive<Ratio>) -> Ratio, Quantity(range)
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
        self.optional_list(name, &counts, &Integer(range), None)
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
        self.optional_list(name, &counts, &Choice(table), None)
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
        self.optional_list(name, &counts, &Parsed { allowed, parse: &parse }, None)
    }

    /// One text, or a list of them.
    pub fn one_or_many(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Vec<String> {
        self.list(name, &counts, &Text(1..=MAX_TEXT), Some(Value::is_string))
    }

    /// One text, or a list of them.
    ///
    /// `None` if the field is absent, or neither.
    pub fn optional_one_or_many(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<Vec<String>> {
        self.optional_list(name, &counts, &Text(1..=MAX_TEXT), Some(Value::is_string))
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
        self.optional_list(
            name,
            &counts,
            &Parsed { allowed, parse: &parse },
            Some(Value::is_string),
        )
    }

    /// A set of statuses: a list of whole numbers, ranges and classes, or one of them.
    ///
    /// `None` if the field is absent, or neither.
    pub fn optional_statuses(
        &mut self,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<Statuses> {
        let one: IsOne = |value| value.is_string() || value.is_number();
        let ranges = self.optional_list(name, &counts, &Codes, Some(one))?;
        Some(ranges.into_iter().collect())
    }

    fn list<K: Kind>(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        kind: &K,
        one: Option<IsOne>,
    ) -> Vec<K::Out> {
        if !self.has(name) {
            self.missing(name, &list_of(kind, one.is_some()));
        }
        self.optional_list(name, counts, kind, one).unwrap_or_default()
    }

    fn optional_list<K: Kind>(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        kind: &K,
        one: Option<IsOne>,
    ) -> Option<Vec<K::Out>> {
        let own_path = self.path(name);
        let allowed = list_of(kind, one.is_some());
        let list = self.ask_list(name, counts, &allowed, one.unwrap_or(|_| false))?;
        let single = self.object.get(name).is_some_and(|value| !value.is_array());
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
    /// The entries of a list of an allowed length; a single value that is `one` counts as a list of one.
    pub(super) fn ask_list(
        &mut self,
        name: &'static str,
        counts: &RangeInclusive<usize>,
        allowed: &str,
        one: IsOne,
    ) -> Option<&'a [Value]> {
        let remedy = self.take_remedy();
        self.ask(name)?;
        let value = self.object.get(name)?;
        let list = match value.as_array() {
            Some(list) => list.as_slice(),
            None if one(value) => slice::from_ref(value),
            None => {
                self.problem(name, found(value), allowed, "put the values in [ ]");
                return None;
            }
        };
        self.check_count(name, list.len(), counts, remedy);
        // Entries beyond the bound are not read: there may be very many.
        Some(list.get(..*counts.end()).unwrap_or(list))
    }
}

fn list_of<K: Kind>(kind: &K, one_too: bool) -> String {
    let one = if one_too { ", or one without a list" } else { "" };
    format!("a list of entries, each {}{one}", kind.allowed())
}
