//! The kinds of single values: what each allows, and how it is read.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::Value;

use super::json::whole;
use super::quote::{found, quoted};
use super::secret::Secret;
use super::suggest::closest;
use crate::status;
use crate::units::{Bytes, Nanos, Ratio, UnitError};

/// A kind of value.
pub(super) trait Kind {
    /// What reading gives.
    type Out;

    /// What is allowed, to follow that word in a message.
    fn allowed(&self) -> String;

    /// Reads one value, or says why not.
    fn read(&self, value: &Value) -> Result<Self::Out, Wrong>;
}

/// Why a value was refused.
pub(super) struct Wrong {
    /// What was found, quoted.
    pub(super) found: String,
    /// How to mend it.
    pub(super) mend: String,
    /// Whether the kind is right and only the range is not; the filter may then know a better remedy.
    pub(super) in_range_only: bool,
}

impl Wrong {
    fn kind(value: &Value, mend: impl Into<String>) -> Self {
        Self { found: found(value), mend: mend.into(), in_range_only: false }
    }

    fn range(value: &Value, mend: impl Into<String>) -> Self {
        Self { found: found(value), mend: mend.into(), in_range_only: true }
    }
}

/// Text, with the lengths in bytes that are allowed.
pub(super) struct Text(pub(super) RangeInclusive<usize>);

impl Kind for Text {
    type Out = String;

    fn allowed(&self) -> String {
        format!("a text of {} bytes", span(&self.0))
    }

    fn read(&self, value: &Value) -> Result<String, Wrong> {
        let text = value.as_str().ok_or_else(|| Wrong::kind(value, "give a text in quotes"))?;
        if self.0.contains(&text.len()) {
            return Ok(text.to_owned());
        }
        let mend = if text.is_empty() {
            "fill it in".to_owned()
        } else {
            format!("it has {} bytes", text.len())
        };
        Err(Wrong::range(value, mend))
    }
}

/// Text that is never quoted.
pub(super) struct Hidden(pub(super) RangeInclusive<usize>);

impl Kind for Hidden {
    type Out = Secret;

    fn allowed(&self) -> String {
        Text(self.0.clone()).allowed()
    }

    fn read(&self, value: &Value) -> Result<Secret, Wrong> {
        let read = Text(self.0.clone()).read(value);
        read.map(Secret::new).map_err(|wrong| Wrong { found: "a value".to_owned(), ..wrong })
    }
}

/// A switch.
pub(super) struct Switch;

impl Kind for Switch {
    type Out = bool;

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, value: &Value) -> Result<bool, Wrong> {
        let quoted = matches!(value.as_str(), Some("true" | "false"));
        let mend = if quoted { "remove the quotes" } else { "choose one of them" };
        value.as_bool().ok_or_else(|| Wrong::kind(value, mend))
    }
}

/// A whole number.
pub(super) struct Integer<N>(pub(super) RangeInclusive<N>);

impl<N: Copy + Display + PartialOrd + TryFrom<i128> + TryInto<i128>> Kind for Integer<N> {
    type Out = N;

    fn allowed(&self) -> String {
        span(&self.0)
    }

    fn read(&self, value: &Value) -> Result<N, Wrong> {
        let Some(number) = whole(value) else {
            let huge = value.as_f64().filter(|double| double.fract().abs() <= 0.0);
            return Err(match huge {
                Some(double) => Wrong::range(value, out_of(&self.0, double < 0.0, false)),
                None => Wrong::kind(value, number_mend(value, "give a whole number")),
            });
        };
        match N::try_from(number) {
            Ok(n) if self.0.contains(&n) => Ok(n),
            Ok(_) | Err(_) => {
                let low = (*self.0.start()).try_into().is_ok_and(|start: i128| number < start);
                Err(Wrong::range(value, out_of(&self.0, low, number == 0)))
            }
        }
    }
}

/// A number, whole or not.
pub(super) struct Number(pub(super) RangeInclusive<f64>);

impl Kind for Number {
    type Out = f64;

    fn allowed(&self) -> String {
        span(&self.0)
    }

    fn read(&self, value: &Value) -> Result<f64, Wrong> {
        let Some(number) = value.as_f64() else {
            return Err(Wrong::kind(value, number_mend(value, "give a number")));
        };
        if self.0.contains(&number) {
            return Ok(number);
        }
        Err(Wrong::range(value, out_of(&self.0, number < *self.0.start(), number.abs() <= 0.0)))
    }
}

/// A quantity with a unit.
pub(super) struct Quantity<Q>(pub(super) RangeInclusive<Q>);

/// The quantities of [`crate::units`], with how to mend a bare number.
pub(super) trait Unit:
    Copy + Display + PartialOrd + Default + FromStr<Err = UnitError>
{
    /// How it is written, to follow `write it in quotes`.
    const FORM: &'static str;

    /// What somebody who wrote this number, or no number at all, may have meant.
    fn guess(number: Option<i128>) -> String;
}

impl Unit for Nanos {
    const FORM: &'static str = "with a unit";

    fn guess(number: Option<i128>) -> String {
        number.map_or_else(|| "250ms".to_owned(), |number| format!("{number}s"))
    }
}

impl Unit for Bytes {
    const FORM: &'static str = "with a unit";

    fn guess(number: Option<i128>) -> String {
        let bytes = number.and_then(|number| u64::try_from(number).ok());
        bytes.map_or(Self::from_kib(64), Self).to_string()
    }
}

impl Unit for Ratio {
    const FORM: &'static str = "as a percentage";

    fn guess(number: Option<i128>) -> String {
        number.map_or_else(|| "12.5%".to_owned(), |number| format!("{number}%"))
    }
}

impl<Q: Unit> Quantity<Q> {
    /// An example in quotes that the range allows: the number as it may have been meant, else the low end.
    fn example(&self, number: Option<i128>) -> String {
        let guess = Q::guess(number);
        let fits = guess.parse().is_ok_and(|guessed| self.0.contains(&guessed));
        if fits { quoted(&guess) } else { quoted(&self.0.start().to_string()) }
    }
}

impl<Q: Unit> Kind for Quantity<Q> {
    type Out = Q;

    fn allowed(&self) -> String {
        span(&self.0)
    }

    fn read(&self, value: &Value) -> Result<Q, Wrong> {
        let Some(text) = value.as_str() else {
            let example = self.example(whole(value));
            let mend = format!("write it in quotes {}, such as {example}", Q::FORM);
            return Err(Wrong::kind(value, mend));
        };
        match text.parse() {
            Ok(quantity) if self.0.contains(&quantity) => Ok(quantity),
            Ok(quantity) => {
                let low = quantity < *self.0.start();
                Err(Wrong::range(value, out_of(&self.0, low, quantity == Q::default())))
            }
            Err(UnitError::NoUnit { .. }) => {
                let example = self.example(text.parse().ok());
                Err(Wrong::kind(value, format!("add a unit, such as {example}")))
            }
            Err(UnitError::Overflow) => Err(Wrong::range(value, out_of(&self.0, false, false))),
            Err(error) => Err(Wrong::kind(value, error.to_string())),
        }
    }
}

/// One of a closed list of words.
pub(super) struct Choice<'t, T>(pub(super) &'t [(&'t str, T)]);

impl<T: Copy> Kind for Choice<'_, T> {
    type Out = T;

    fn allowed(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.join(", ")
    }

    fn read(&self, value: &Value) -> Result<T, Wrong> {
        let typed =
            value.as_str().ok_or_else(|| Wrong::kind(value, "choose one of them, in quotes"))?;
        if let Some((_, chosen)) = self.0.iter().find(|(word, _)| *word == typed) {
            return Ok(*chosen);
        }
        let mend = match closest(typed, self.0.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean {}?", quoted(word)),
            None => "choose one of them".to_owned(),
        };
        Err(Wrong::range(value, mend))
    }
}

/// Text of a form that the filter knows.
pub(super) struct Parsed<'p, T, E> {
    /// What is allowed.
    pub(super) allowed: &'p str,
    /// The parser; its error says how to mend.
    pub(super) parse: &'p dyn Fn(&str) -> Result<T, E>,
}

impl<T, E: Display> Kind for Parsed<'_, T, E> {
    type Out = T;

    fn allowed(&self) -> String {
        self.allowed.to_owned()
    }

    fn read(&self, value: &Value) -> Result<T, Wrong> {
        let text = value.as_str().ok_or_else(|| Wrong::kind(value, "give a text in quotes"))?;
        (self.parse)(text).map_err(|error| Wrong::kind(value, error.to_string()))
    }
}

/// A status, a range or a class of them.
pub(super) struct Codes;

impl Kind for Codes {
    type Out = RangeInclusive<u16>;

    fn allowed(&self) -> String {
        status::STATUS_FORMS.to_owned()
    }

    fn read(&self, value: &Value) -> Result<RangeInclusive<u16>, Wrong> {
        let digits = whole(value).map(|number| number.to_string());
        let text = value.as_str().or(digits.as_deref()).unwrap_or_default();
        status::parse(text).map_err(|error| Wrong::kind(value, error.to_string()))
    }
}

/// The bounds of a range in words.
fn span<T: Display + PartialEq>(range: &RangeInclusive<T>) -> String {
    if range.start() == range.end() {
        format!("exactly {}", range.start())
    } else {
        format!("{} to {}", range.start(), range.end())
    }
}

/// How to come back into a range.
fn out_of<T: Display>(range: &RangeInclusive<T>, low: bool, zero: bool) -> String {
    match (low, zero) {
        (true, true) => format!("raise it to at least {}, zero does not mean off", range.start()),
        (true, false) => format!("raise it to at least {}", range.start()),
        (false, _) => format!("lower it to at most {}", range.end()),
    }
}

fn number_mend(value: &Value, otherwise: &'static str) -> &'static str {
    match value.as_str() {
        Some(text) if text.parse::<f64>().is_ok() => "remove the quotes",
        Some(_) | None => otherwise,
    }
}
