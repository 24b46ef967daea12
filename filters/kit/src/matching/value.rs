//! What a value must be: the tests of headers, query parameters, cookies and claims.

use std::fmt;

use memchr::memmem;

use super::regex::{Pattern, REGEX_FORM};
use crate::config::{Fields, quoted};

/// What the values of one name must be.
#[derive(Clone, Debug)]
pub(super) struct ValueTest {
    test: Test,
    /// Whether it holds when no value passes the test, instead of when one does.
    pub(super) not: bool,
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

impl ValueTest {
    /// Reads the fields of an entry that say what its value must be.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
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
        Some(Self { test, not })
    }

    /// Whether one value passes, whatever `not` says.
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        match &self.test {
            Test::Exact(text) => value == text.as_bytes(),
            Test::Prefix(text) => value.starts_with(text.as_bytes()),
            Test::Suffix(text) => value.ends_with(text.as_bytes()),
            // Linear in the value whatever a client sends, unlike comparing at each place.
            Test::Contains(text) => memmem::find(value, text.as_bytes()).is_some(),
            Test::Regex(pattern) => pattern.accepts(value),
            Test::Present => true,
        }
    }

    /// The one text that passes, if only one does.
    pub(super) fn exact(&self) -> Option<&str> {
        if let Test::Exact(text) = &self.test { Some(text) } else { None }
    }

    pub(super) fn is_regex(&self) -> bool {
        matches!(self.test, Test::Regex(_))
    }

    pub(super) fn is_presence(&self) -> bool {
        matches!(self.test, Test::Present)
    }

    /// Writes the test, to follow the name; its text only if that is not `confidential`.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, confidential: bool) -> fmt::Result {
        if self.not {
            f.write_str(" not")?;
        }
        match &self.test {
            Test::Present => f.write_str(" present"),
            _ if confidential => f.write_str(" (text not shown)"),
            Test::Exact(text) => write!(f, " = {}", quoted(text)),
            Test::Prefix(text) => write!(f, " begins {}", quoted(text)),
            Test::Suffix(text) => write!(f, " ends {}", quoted(text)),
            Test::Contains(text) => write!(f, " contains {}", quoted(text)),
            Test::Regex(pattern) => write!(f, " {pattern}"),
        }
    }
}

/// Whether values of this name may be credentials: summaries, which are logged, leave them out.
pub(super) fn is_confidential(name: &str) -> bool {
    const WORDS: [&str; 7] = ["auth", "cookie", "key", "pass", "secret", "session", "token"];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}
