//! Conditions on headers, query parameters and cookies.

use std::fmt;

use super::value::{ValueTest, is_confidential};
use crate::config::Fields;
use crate::headers::Headers;
use crate::place::Place;

/// What the values of one name must be.
#[derive(Clone, Debug)]
pub(super) struct TextCondition {
    place: Place,
    name: Box<str>,
    test: ValueTest,
}

impl TextCondition {
    /// Reads the fields of an entry of `headers`, `query` or `cookies`.
    pub(super) fn read(place: Place, fields: &mut Fields<'_>) -> Option<Self> {
        let allowed = match place {
            Place::Header => "a header name such as \"x-api-key\"",
            Place::Query => "a parameter name of 1 to 256 bytes",
            Place::Cookie => "a cookie name such as \"session\"",
        };
        let name = fields.parsed("name", allowed, |text| place.parse_name(text));
        let test = ValueTest::read(fields);
        Some(Self { place, name: name?, test: test? })
    }

    pub(super) fn is_regex(&self) -> bool {
        self.test.is_regex()
    }

    /// Whether a request without a value of this name fails it.
    pub(super) fn asks_for(&self, place: Place, name: &str) -> bool {
        self.place == place && *self.name == *name && !self.test.not
    }

    pub(super) fn holds(&self, request: &Headers) -> bool {
        self.place.any(request, &self.name, |value| self.test.accepts(value)) != self.test.not
    }
}

impl fmt::Display for TextCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place.word(), self.name)?;
        self.test.write(f, self.place == Place::Cookie || is_confidential(&self.name))
    }
}
