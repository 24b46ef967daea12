//! Conditions on headers, query parameters and cookies.

use std::fmt;

use memchr::memmem;

use super::regex::{Pattern, REGEX_FORM};
use crate::config::{Fields, quoted};
use crate::headers::Headers;
use crate::place::Place;

/// What the values of one name must be.
#[derive(Clone, Debug)]
pub(super) struct TextCondition {
    place: Place,
    name: Box<str>,
    test: Test,
    /// Whether it holds when no value passes the test, instead of when one does.
    not: bool,
}

/// What one value must be, byte for byte.
#[derive(Clone, Debug)]
enum Test {
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    Regex(Pattern),
    /// Anything: the name must only be there.
    Present,
}

/// The longest text to compare with, in bytes.
const MAX_TEXT: usize = 1_024;

impl TextCondition {
    /// Reads the fields of an entry of `headers`, `query` or `cookies`.
    pub(super) fn read(place: Place, fields: &mut Fields<'_>) -> Option<Self> {
        let allowed = match place {
            Place::Header => "a header name such as \"x-api-key\"",
            Place::Query => "a parameter name of 1 to 256 bytes",
            Place::Cookie => "a cookie name such as \"session\"",
        };
        let name = fields.parsed("name", allowed, |text| place.parse_name(text));
        fields.exactly_one_of(&["exact", "prefix", "suffix", "contains", "regex", "present"]);
        let exact = fields.optional_text_of("exact", 0..=MAX_TEXT).map(|t| Test::Exact(t.into()));
        let prefix =
            fields.optional_text_of("prefix", 1..=MAX_TEXT).map(|t| Test::Prefix(t.into()));
        let suffix =
            fields.optional_text_of("suffix", 1..=MAX_TEXT).map(|t| Test::Suffix(t.into()));
        let contains =
            fields.optional_text_of("contains", 1..=MAX_TEXT).map(|t| Test::Contains(t.into()));
        let regex = fields.optional_parsed("regex", REGEX_FORM, Pattern::parse).map(Test::Regex);
        let present = fields.optional_bool("present");
        let not = fields.optional_bool("not");
        if let (Some(present), Some(_)) = (present, not) {
            let mend = format!("remove it and set {} to {}", fields.path("present"), !present);
            fields.problem("not", "it beside present", "either of them", mend);
        }
        let there = present.map(|_| Test::Present);
        let test = exact.or(prefix).or(suffix).or(contains).or(regex).or(there)?;
        let not = not.unwrap_or(false) || present == Some(false);
        Some(Self { place, name: name?, test, not })
    }

    pub(super) fn is_regex(&self) -> bool {
        matches!(self.test, Test::Regex(_))
    }

    /// Whether what is compared may be a credential, going by its name: summaries, which are logged, leave it out.
    fn is_confidential(&self) -> bool {
        const WORDS: [&str; 7] = ["auth", "cookie", "key", "pass", "secret", "session", "token"];
        let name = self.name.to_ascii_lowercase();
        self.place == Place::Cookie || WORDS.iter().any(|word| name.contains(word))
    }

    pub(super) fn holds(&self, request: &Headers) -> bool {
        self.place.any(request, &self.name, |value| self.test.accepts(value)) != self.not
    }
}

impl Test {
    fn accepts(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => value == text.as_bytes(),
            Self::Prefix(text) => value.starts_with(text.as_bytes()),
            Self::Suffix(text) => value.ends_with(text.as_bytes()),
            // Linear in the value whatever a client sends, unlike comparing at each place.
            Self::Contains(text) => memmem::find(value, text.as_bytes()).is_some(),
            Self::Regex(pattern) => pattern.accepts(value),
            Self::Present => true,
        }
    }
}

impl fmt::Display for TextCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place.word(), self.name)?;
        if self.not {
            f.write_str(" not")?;
        }
        match &self.test {
            Test::Present => f.write_str(" present"),
            _ if self.is_confidential() => f.write_str(" (text not shown)"),
            Test::Exact(text) => write!(f, " = {}", quoted(text)),
            Test::Prefix(text) => write!(f, " begins {}", quoted(text)),
            Test::Suffix(text) => write!(f, " ends {}", quoted(text)),
            Test::Contains(text) => write!(f, " contains {}", quoted(text)),
            Test::Regex(pattern) => write!(f, " {pattern}"),
        }
    }
}
