//! What an operator may say of consumers.

use std::fmt;
use std::ops::RangeInclusive;

use kit::config::Fields;
use kit::key::KeyTemplate;

/// Consumers that get series of their own; the sketch sees well beyond the most.
pub const MAX: RangeInclusive<usize> = 1..=100;
/// As many as a person tells apart in a graph: 154 series with all classes.
pub const DEFAULT_MAX: usize = 20;
/// A label is for all who may read the metrics.
pub const DEFAULT_SHOW: bool = false;

/// Who is a consumer, and how many are told apart.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What makes a consumer; a request that lacks a part of it has none.
    pub key: KeyTemplate,
    /// Consumers that get series of their own.
    pub max: usize,
    /// Whether the label is the readable key.
    pub show: bool,
}

impl Settings {
    /// Reads the object `consumers`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let key = KeyTemplate::read_alone(fields);
        if !fields.has("key") {
            fields.problem(
                "key",
                "nothing",
                "what tells consumers apart, such as \"claim:sub\"",
                "add it, or remove consumers",
            );
        }
        Self {
            key: key.unwrap_or_default(),
            max: fields.optional_integer("max", MAX).unwrap_or(DEFAULT_MAX),
            show: fields.optional_bool("show").unwrap_or(DEFAULT_SHOW),
        }
    }
}

/// What is in force, for operators.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.show { "in clear" } else { "as hashes" };
        write!(f, "at most {} consumers by {}, shown {form}", self.max, self.key.parts())
    }
}
