//! Conditions on claims of a token that Envoy verified.
//!
//! Envoy hands over a claim by its kind: a text as it is, a number as eight bytes (a little-endian double),
//! a truth value as one byte, a list or an object as the ABI's pairs: elements are names without values.

use std::fmt;

use super::value::{ValueTest, is_confidential};
use crate::claims;
use crate::config::Fields;
use crate::exchange::Exchange;
use crate::headers::Headers;

/// What a claim, or one element of a list, must be.
///
/// **Cost**: one host call at each question; allocates the path and the value.
#[derive(Clone, Debug)]
pub(super) struct ClaimCondition {
    property: Vec<Box<str>>,
    test: ValueTest,
    /// What `exact` means besides a text: a number or a truth value, as Envoy hands them over.
    others: Vec<Box<[u8]>>,
}

impl ClaimCondition {
    /// Reads the fields of an entry of `claims`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let property = claims::read(fields);
        let test = ValueTest::read(fields)?;
        let others = test.exact().map(spellings).unwrap_or_default();
        Some(Self { property, test, others })
    }

    /// Whether a request without this claim fails it.
    pub(super) fn asks(&self) -> bool {
        !self.test.not
    }

    pub(super) fn holds(&self, x: &dyn Exchange) -> bool {
        let property: Vec<&str> = self.property.iter().map(|part| &**part).collect();
        x.property(&property).is_some_and(|found| self.accepts(found)) != self.test.not
    }

    fn accepts(&self, found: Vec<u8>) -> bool {
        if self.test.is_presence() {
            return true;
        }
        let found = Headers::from_pairs(found);
        match shape(&found) {
            Shape::Single => self.accepts_single(found.as_pairs()),
            Shape::List => found.iter().any(|(element, _)| self.accepts_single(element)),
            Shape::Object => false,
        }
    }

    fn accepts_single(&self, value: &[u8]) -> bool {
        self.test.accepts(value) || self.others.iter().any(|other| **other == *value)
    }
}

/// How the bytes of a claim are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A text, a number or a truth value.
    Single,
    /// Names without values; an object of empty texts looks the same.
    List,
    /// Names with values.
    Object,
}

/// A list or an object only if as many pairs as are announced fill the bytes to the last one,
/// which no other value does by chance.
fn shape(found: &Headers) -> Shape {
    let bytes = found.as_pairs();
    let n_announced = bytes.first_chunk().map(|count| u32::from_le_bytes(*count));
    let pair_size = |(name, value): (&[u8], &[u8])| name.len() + value.len() + 2 * 4 + 2;
    let size = 4 + found.iter().map(pair_size).sum::<usize>();
    if size != bytes.len() || n_announced != u32::try_from(found.len()).ok() {
        return Shape::Single;
    }
    let is_list = found.iter().all(|(_, value)| value.is_empty());
    if is_list { Shape::List } else { Shape::Object }
}

/// The bytes of the number or truth value that a text spells.
fn spellings(text: &str) -> Vec<Box<[u8]>> {
    let mut others: Vec<Box<[u8]>> = Vec::new();
    match text {
        "true" => others.push(Box::from([1])),
        "false" => others.push(Box::from([0])),
        _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
            // Adding zero makes -0 plain zero.
            others.extend(number.map(|number| Box::from((number + 0.0).to_le_bytes())));
        }
        _ => {}
    }
    others
}

impl fmt::Display for ClaimCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = claims::words(&self.property);
        write!(f, "claim {words}")?;
        self.test.write(f, is_confidential(&words))
    }
}
