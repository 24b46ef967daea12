//! Regular expressions over whole values, with bounded cost.

use std::fmt;

use regex_lite::RegexBuilder;

/// An expression that a whole value must satisfy.
///
/// **Cost**: `regex-lite` needs time proportional to value times program, so both are bounded:
/// the value by [`Pattern::MAX_VALUE`], the program by [`Pattern::MAX_PROGRAM`].
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    regex: regex_lite::Regex,
}

pub(super) const REGEX_FORM: &str = "a regular expression for the whole value";

/// Why a text is no expression; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("fill it in")]
    Empty,
    #[error("shorten it to {} bytes", Pattern::MAX_TEXT)]
    Long,
    #[error("write what is beyond ASCII as escapes such as %C3%A9, as paths have it")]
    NotAscii,
    #[error("mend the expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// The longest expression in bytes: what a person can still check.
    const MAX_TEXT: usize = 512;

    /// The longest value in bytes that is looked at; a longer one satisfies no expression.
    ///
    /// Natively, a usual expression over so long a value takes microseconds, and the worst that fits
    /// [`Pattern::MAX_PROGRAM`] about ten milliseconds; both bounds are linear in that.
    pub(super) const MAX_VALUE: usize = 4_096;

    /// The most memory for the compiled program, in bytes: some hundred states, room for any sane expression
    /// of [`Pattern::MAX_TEXT`].
    const MAX_PROGRAM: usize = 32 << 10;

    /// The deepest nesting of groups: parsing is recursive, and a module's stack is small.
    const MAX_NESTING: u32 = 32;

    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > Self::MAX_TEXT {
            return Err(PatternError::Long);
        }
        // Alone first: the error is then about what the operator wrote, and no `)` can end our group.
        compile(text)?;
        let regex = compile(&format!(r"\A(?:{text})\z"))?;
        Ok(Self { text: text.into(), regex })
    }

    /// An expression for paths, which are ASCII in the form that is compared.
    pub(super) fn parse_for_paths(text: &str) -> Result<Self, PatternError> {
        if text.is_ascii() { Self::parse(text) } else { Err(PatternError::NotAscii) }
    }

    /// Whether the whole value satisfies the expression; bytes that are not text count as U+FFFD.
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        value.len() <= Self::MAX_VALUE && self.regex.is_match(&String::from_utf8_lossy(value))
    }
}

fn compile(text: &str) -> Result<regex_lite::Regex, PatternError> {
    RegexBuilder::new(text)
        .size_limit(Pattern::MAX_PROGRAM)
        .nest_limit(Pattern::MAX_NESTING)
        .build()
        .map_err(|error| PatternError::Syntax(error.to_string()))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~ {}", self.text)
    }
}
