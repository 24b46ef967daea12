//! Quantities that carry their unit: spans of time, sizes and shares.
//!
//! A value is held as one integer ([`Nanos`], [`Bytes`], [`Ratio`] in parts per million),
//! so that equality, order and hashing are exact and nothing depends on rounding.
//! Each has one text form that operators write and messages print: `parse` after `print` gives the same value.
//!
//! Deliberately strict: no bare numbers, no fractions of a unit except in percentages, no blanks.
//! Zero can be written; whether it is allowed is for the range that the reader of the field states.

mod bytes;
mod nanos;
mod ratio;

pub use bytes::Bytes;
pub use nanos::Nanos;
pub use ratio::Ratio;

/// Why a text is not a quantity; its `Display` tells the operator how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Digits without a unit, such as `"250"`.
    #[error("add a unit, such as {example}")]
    NoUnit {
        /// The same number with a unit.
        example: String,
    },
    /// A unit that does not exist here, such as `"5 sec"` or `"64KB"`.
    #[error("the units are {known}")]
    UnknownUnit {
        /// The units that exist.
        known: &'static str,
    },
    /// Several parts, not from the largest unit to the smallest or one unit twice.
    #[error("write each unit once, the largest first, as in \"1h30m\"")]
    Order,
    /// Not a number with a unit at all: empty, signed, fractional or with blanks.
    #[error("write {shape}")]
    Shape {
        /// The accepted form, with an example.
        shape: &'static str,
    },
    /// More than the type can hold.
    #[error("the value is too large to be counted")]
    Overflow,
}

/// Cuts the leading decimal digits off `text`: `"250ms"` gives `("250", "ms")`.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}
