//! Reads the fields of one object.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::kinds::{Choice, Hidden, Integer, Kind, Number, Parsed, Quantity, Switch, Text, Wrong};
use super::problems::Problems;
use super::quote::field_path;
use super::secret::Secret;
use super::suggest::closest;
use crate::units::{Bytes, Nanos, Ratio};

/// The longest text that [`Fields::text`] and the lists of texts take, in bytes.
pub(super) const MAX_TEXT: usize = 4_096;

/// A reader over one object of the configuration.
///
/// It knows the object's path, remembers which fields were asked for and adds every problem to one shared list.
/// Each kind of value has two getters.
/// The plain one requires its field: if the field is missing or wrong, a problem is recorded
/// and a harmless value returned (the low end of the range), so that reading goes on.
/// The `optional_` one gives `None` for a missing field, and for a wrong one after recording the problem.
///
/// Every field must be asked for on every reading: one that was not is reported as unknown.
/// Ranges include both ends; the message prints the bounds that were passed.
pub struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    pub(super) path: String,
    pub(super) problems: &'a mut Problems,
    asked: Vec<&'static str>,
    remedy: Option<String>,
}

/// Runs `take` over `object`, then reports the fields that it did not ask for.
pub(super) fn read_object<T>(
    object: &Map<String, Value>,
    path: &str,
    problems: &mut Problems,
    take: impl FnOnce(&mut Fields<'_>) -> T,
) -> T {
    let mut fields =
        Fields { object, path: path.to_owned(), problems, asked: Vec::new(), remedy: None };
    let taken = take(&mut fields);
    fields.report_unknown();
    taken
}

/// A required and an optional getter for one kind of value.
macro_rules! getters {
    ($(#[doc = $doc:literal])* $required:ident, $optional:ident, ($($arg:ident: $ty:ty),*) -> $out:ty,
     $kind:expr, else $harmless:expr) => {
        $(#[doc = $doc])*
        pub fn $required(&mut self, name: &'static str $(, $arg: $ty)*) -> $out {
            let harmless = $harmless;
            self.required(name, &$kind).unwrap_or(harmless)
        }

        $(#[doc = $doc])*
        ///
        /// `None` if the field is absent, or wrong.
        pub fn $optional(&mut self, name: &'static str $(, $arg: $ty)*) -> Option<$out> {
            self.optional(name, &$kind)
        }
    };
}

impl Fields<'_> {
    getters! {
        /// A text of 1 to 4096 bytes.
        text, optional_text, () -> String, Text(1..=MAX_TEXT), else String::new()
    }

    getters! {
        /// A text of a length in bytes that is in `lengths`.
        text_of, optional_text_of, (lengths: RangeInclusive<usize>) -> String, Text(lengths), else String::new()
    }

    getters! {
        /// `true` or `false`; the harmless value is `false`.
        bool, optional_bool, () -> bool, Switch, else false
    }

    getters! {
        /// A number in `range`, whole or not.
        number, optional_number, (range: RangeInclusive<f64>) -> f64, Number(range), else *range.start()
    }

    getters! {
        /// A span of time in `range`, written with a unit: `"250ms"`, `"1h30m"`.
        duration, optional_duration, (range: RangeInclusive<Nanos>) -> Nanos, Quantity(range), else *range.start()
    }

    getters! {
        /// A size in `range`, written with a unit: `"64KiB"`.
        bytes, optional_bytes, (range: RangeInclusive<Bytes>) -> Bytes, Quantity(range), else *range.start()
    }

    getters! {
        /// A share in `range`, written as a percentage: `"12.5%"`.
        ratio, optional_ratio, (range: RangeInclusive<Ratio>) -> Ratio, Quantity(range), else *range.start()
    }

    /// A whole number in `range`, of any integer type up to 64 bits.
    pub fn integer<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> N
    where
        N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>,
    {
        let low = *range.start();
        self.required(name, &Integer(range)).unwrap_or(low)
    }

    /// A whole number in `range`, for callers whose other checks make no sense without it.
    ///
    /// `None` if the field is missing or wrong, both with a problem recorded.
    pub fn sound_integer<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>,
    {
        self.required(name, &Integer(range))
    }

    /// A whole number in `range`, of any integer type up to 64 bits.
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_integer<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>,
    {
        self.optional(name, &Integer(range))
    }

    /// One of the words of `table`; the harmless value is the default of `T`.
    ///
    /// ```
    /// # use kit::config::Fields;
    /// #[derive(Clone, Copy, Default)]
    /// enum OnFailure {
    ///     #[default]
    ///     Admit,
    ///     Reject,
    /// }
    ///
    /// fn read(fields: &mut Fields<'_>) -> OnFailure {
    ///     fields.choice("on_failure", &[("admit", OnFailure::Admit), ("reject", OnFailure::Reject)])
    /// }
    /// ```
    pub fn choice<T: Copy + Default>(&mut self, name: &'static str, table: &[(&str, T)]) -> T {
        self.required(name, &Choice(table)).unwrap_or_default()
    }

    /// One of the words of `table`.
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_choice<T: Copy>(
        &mut self,
        name: &'static str,
        table: &[(&str, T)],
    ) -> Option<T> {
        self.optional(name, &Choice(table))
    }

    /// A text that no message quotes, of a length in bytes that is in `lengths`.
    ///
    /// `None` if the field is missing or wrong, both with a problem recorded.
    pub fn secret(&mut self, name: &'static str, lengths: RangeInclusive<usize>) -> Option<Secret> {
        self.required(name, &Hidden(lengths))
    }

    /// A text that no message quotes, of a length in bytes that is in `lengths`.
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_secret(
        &mut self,
        name: &'static str,
        lengths: RangeInclusive<usize>,
    ) -> Option<Secret> {
        self.optional(name, &Hidden(lengths))
    }

    /// A text of a form of the caller's own, such as a header name, a pattern or an address range.
    ///
    /// `allowed` completes "allowed …", with an example; an error of `parse` completes the line by how to mend it.
    /// `None` if the field is missing or wrong, both with a problem recorded.
    pub fn parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.required(name, &Parsed { allowed, parse: &parse })
    }

    /// A text of a form of the caller's own, as [`Fields::parsed`].
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_parsed<T, E: Display>(
        &mut self,
        name: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.optional(name, &Parsed { allowed, parse: &parse })
    }

    /// States a better remedy for the next getter, used if its value is out of range.
    ///
    /// `fields.remedy(format!("to switch the limit off set {} to false", fields.path("enabled")))`
    /// before the getter of `window` ends its line with these words.
    pub fn remedy(&mut self, words: impl Into<String>) -> &mut Self {
        self.remedy = Some(words.into());
        self
    }

    /// The path of a field of this object in the operator's own spelling: `limits[2].window`.
    pub fn path(&self, name: &str) -> String {
        field_path(&self.path, name)
    }

    /// The path of this object, empty for the whole configuration.
    pub fn own_path(&self) -> &str {
        &self.path
    }

    /// Whether the object has this field; the field must still be asked for.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Takes these fields as known although nothing reads them, since another problem leaves their meaning open.
    pub fn know(&mut self, names: &[&'static str]) {
        for name in names {
            self.ask(name);
        }
    }

    /// Whether the object has no field at all.
    pub fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    /// Records a problem of the object as a whole, in the words of [`Fields::problem`].
    pub fn own_problem(&mut self, found: impl Display, allowed: impl Display, mend: impl Display) {
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        self.problems.add(path, format_args!("found {found}, allowed {allowed}; {mend}"));
    }

    /// Records a problem of the caller's own, for rules across fields.
    ///
    /// `found` and `allowed` complete these words, `mend` says how to mend it;
    /// a value taken from the configuration is quoted with [`super::quoted`].
    pub fn problem(
        &mut self,
        name: &str,
        found: impl Display,
        allowed: impl Display,
        mend: impl Display,
    ) {
        self.problem_below(&[name], found, allowed, mend);
    }

    /// Records a problem of a field further in, by the names that lead to it, in the words of [`Fields::problem`].
    pub fn problem_below(
        &mut self,
        names: &[&str],
        found: impl Display,
        allowed: impl Display,
        mend: impl Display,
    ) {
        let path = names.iter().fold(self.path.clone(), |path, name| field_path(&path, name));
        self.problems.add(&path, format_args!("found {found}, allowed {allowed}; {mend}"));
    }

    /// Checks that exactly one of `names` is there, and records a problem if not.
    ///
    /// Each of them must still be asked for with an optional getter.
    pub fn exactly_one_of(&mut self, names: &[&'static str]) {
        let present: Vec<&str> = names.iter().copied().filter(|name| self.has(name)).collect();
        let (found, mend) = match present.as_slice() {
            [_] => return,
            [] => ("none of them".to_owned(), "add one"),
            several => (several.join(" and "), "keep one"),
        };
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        let allowed = names.join(", ");
        self.problems
            .add(path, format_args!("found {found}, allowed exactly one of {allowed}; {mend}"));
    }

    /// Marks the field as known and gives its value.
    pub(super) fn ask(&mut self, name: &'static str) -> Option<&Value> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        self.object.get(name)
    }

    pub(super) fn required<K: Kind>(&mut self, name: &'static str, kind: &K) -> Option<K::Out> {
        if self.ask(name).is_none() {
            self.remedy = None;
            self.problem(name, "nothing", kind.allowed(), "add this field");
            return None;
        }
        self.optional(name, kind)
    }

    pub(super) fn optional<K: Kind>(&mut self, name: &'static str, kind: &K) -> Option<K::Out> {
        let read = self.ask(name).map(|value| kind.read(value));
        let remedy = self.remedy.take();
        match read? {
            Ok(out) => Some(out),
            Err(wrong) => {
                let path = self.path(name);
                report(self.problems, &path, kind, wrong, remedy);
                None
            }
        }
    }

    /// Takes the remedy stated for the getter that is running.
    pub(super) fn take_remedy(&mut self) -> Option<String> {
        self.remedy.take()
    }

    fn report_unknown(self) {
        for name in self.object.keys().filter(|name| !self.asked.contains(&name.as_str())) {
            let path = field_path(&self.path, name);
            if self.problems.is_full() {
                self.problems.add(&path, "unknown field");
                continue;
            }
            let absent =
                self.asked.iter().copied().filter(|known| !self.object.contains_key(*known));
            let mend = match closest(name, absent) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None if self.asked.is_empty() => "remove it, no field is known here".to_owned(),
                None => format!("remove it, the fields here are {}", self.asked.join(", ")),
            };
            self.problems.add(&path, format_args!("unknown field; {mend}"));
        }
    }
}

/// Adds the line for a value that `kind` refused.
pub(super) fn report<K: Kind>(
    problems: &mut Problems,
    path: &str,
    kind: &K,
    wrong: Wrong,
    remedy: Option<String>,
) {
    let mend = remedy.filter(|_| wrong.in_range_only).unwrap_or(wrong.mend);
    problems.add(path, format_args!("found {}, allowed {}; {mend}", wrong.found, kind.allowed()));
}
