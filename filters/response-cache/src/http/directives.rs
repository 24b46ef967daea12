//! What a `Cache-Control` field says, of a response and of a request.
//!
//! The grammar is taken at its word: a list of directives, each a token with an optional argument, token or quoted.
//! Names are case-insensitive, empty list members and unknown directives are skipped, several lines are one list.
//! A line that breaks the grammar is remembered as [`malformed`](ResponseDirectives::malformed),
//! and the caller then takes the careful side.
//!
//! Where a value is doubtful the directive that restricts wins: a restricting word counts with any argument,
//! a permitting one only without, and two different lifetimes are no lifetime.
//!
//! **Source**: RFC 9111 sections 1.2.2, 4.2.1, 5.2; RFC 9110 sections 5.6.1, 5.6.2, 5.6.4.

use std::borrow::Cow;

use crate::http::field::is_token;

/// The greatest number of seconds that is told apart (RFC 9111, 1.2.2): 2^31, some 68 years.
pub const MAX_SECONDS: u64 = 2_147_483_648;

/// A directive whose argument is a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delta {
    /// It is not there.
    #[default]
    Absent,
    /// This many seconds, at most [`MAX_SECONDS`].
    Seconds(u64),
    /// It is there without a number, or twice with different ones.
    Invalid,
}

impl Delta {
    fn take(&mut self, argument: Option<&[u8]>) {
        let read = argument.and_then(seconds).map_or(Self::Invalid, Self::Seconds);
        *self = if *self == Self::Absent || *self == read { read } else { Self::Invalid };
    }
}

/// How stale an answer the client takes: `max-stale`, whose argument may be missing (5.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxStale {
    /// It is not there.
    #[default]
    Absent,
    /// However stale.
    Any,
    /// Stale for at most this many seconds, at most [`MAX_SECONDS`].
    Seconds(u64),
    /// Its argument is no number, or it is there twice with different ones.
    Invalid,
}

impl MaxStale {
    fn take(&mut self, argument: Option<&[u8]>) {
        let read = argument
            .map_or(Self::Any, |argument| seconds(argument).map_or(Self::Invalid, Self::Seconds));
        *self = if *self == Self::Absent || *self == read { read } else { Self::Invalid };
    }
}

/// A non-negative whole number of seconds, saturating at [`MAX_SECONDS`]; `None` if it is anything else.
pub fn seconds(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(sum.saturating_mul(10).saturating_add(u64::from(digit)).min(MAX_SECONDS))
    })
}

/// The `Cache-Control` of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseDirectives {
    /// Not to be stored (5.2.2.5).
    pub no_store: bool,
    /// Not to be used without asking the origin (5.2.2.4), for the whole response or some fields of it.
    pub no_cache: bool,
    /// For one user only (5.2.2.7), the whole response or some fields of it.
    pub private: bool,
    /// Storable although the request was authorised (5.2.2.9).
    pub public: bool,
    /// Never to be used stale (5.2.2.2).
    pub must_revalidate: bool,
    /// Never to be used stale by a shared cache (5.2.2.8).
    pub proxy_revalidate: bool,
    /// Only to be stored by who understands its status, and then whatever `no-store` says (5.2.2.3).
    pub must_understand: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// How long it may be served stale while it is refreshed (RFC 5861, 3).
    pub stale_while_revalidate: Delta,
    /// How long it may be served stale when the origin fails (RFC 5861, 4).
    pub stale_if_error: Delta,
    /// The lifetime in shared caches (5.2.2.10).
    pub s_maxage: Delta,
    /// The lifetime (5.2.2.1).
    pub max_age: Delta,
    /// Some line breaks the grammar.
    pub malformed: bool,
}

impl ResponseDirectives {
    /// Adds one line of the field.
    pub fn read(&mut self, line: &[u8]) {
        self.malformed |= !each(line, |name, argument| self.take(name, argument));
    }

    /// Adds one directive; names are lower case.
    pub(crate) fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        match name {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public |= argument.is_none(),
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand |= argument.is_none(),
            b"immutable" => self.immutable |= argument.is_none(),
            b"s-maxage" => self.s_maxage.take(argument),
            b"max-age" => self.max_age.take(argument),
            b"stale-while-revalidate" => self.stale_while_revalidate.take(argument),
            b"stale-if-error" => self.stale_if_error.take(argument),
            _ => {}
        }
    }

    /// Whether it may never be served stale by a shared cache: `s-maxage` means `proxy-revalidate` too (5.2.2.10).
    pub fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage != Delta::Absent
    }

    /// Whether a response to an authorised request may be stored, and used for others (3.5).
    pub fn allows_authorized(&self) -> bool {
        self.public || self.must_revalidate || matches!(self.s_maxage, Delta::Seconds(_))
    }
}

/// The `Cache-Control` of a request, or the `Pragma` that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestDirectives {
    /// The answer is not to be stored (5.2.1.5).
    pub no_store: bool,
    /// No stored answer, please (5.2.1.4).
    pub no_cache: bool,
    /// Only an answer of at most this age (5.2.1.1).
    pub max_age: Delta,
    /// Only an answer that stays fresh for this long (5.2.1.3).
    pub min_fresh: Delta,
    /// An answer that is stale for at most this long will do (5.2.1.2).
    pub max_stale: MaxStale,
    /// If the origin fails, an answer that is stale for at most this many seconds will do (RFC 5861, 4).
    pub stale_if_error: Delta,
    /// A stored answer or none (5.2.1.7).
    pub only_if_cached: bool,
    /// Some line breaks the grammar.
    pub malformed: bool,
}

impl RequestDirectives {
    /// Adds one line of the field.
    pub fn read(&mut self, line: &[u8]) {
        self.malformed |= !each(line, |name, argument| match name {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => self.max_age.take(argument),
            b"min-fresh" => self.min_fresh.take(argument),
            b"max-stale" => self.max_stale.take(argument),
            b"stale-if-error" => self.stale_if_error.take(argument),
            _ => {}
        });
    }

    /// Whether stored answers are out of the question.
    pub fn refuses_stored(&self) -> bool {
        self.no_cache
            || self.no_store
            || self.malformed
            || self.max_age == Delta::Invalid
            || self.min_fresh == Delta::Invalid
    }
}

/// Hands each directive of a line on, its name in lower case, up to the first that breaks the grammar;
/// whether none did.
fn each(line: &[u8], mut take: impl FnMut(&[u8], Option<&[u8]>)) -> bool {
    for directive in Directives::of(line) {
        let Ok(Directive { name, argument }) = directive else { return false };
        take(&name.to_ascii_lowercase(), argument.as_deref());
    }
    true
}

/// One member of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive<'a> {
    /// Its name as it was sent.
    pub name: &'a [u8],
    /// Its argument, out of its quotes.
    pub argument: Option<Cow<'a, [u8]>>,
}

/// The line breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Iterates over the directives of one line; ends after the first that is malformed.
#[derive(Debug, Clone)]
pub struct Directives<'a> {
    rest: &'a [u8],
}

impl<'a> Directives<'a> {
    /// The directives of this line.
    pub const fn of(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Reads one directive from the front of `rest`, which starts with no blank and no comma.
    fn directive(&mut self) -> Option<Directive<'a>> {
        let name_end =
            self.rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(name_end)?;
        self.rest = rest;
        if name.is_empty() {
            return None;
        }
        let argument = match self.rest.split_first() {
            Some((b'=', value)) => {
                self.rest = value;
                Some(self.argument()?)
            }
            Some(_) | None => None,
        };
        self.rest = trim_start(self.rest);
        match self.rest.split_first() {
            None => {}
            Some((b',', rest)) => self.rest = rest,
            Some(_) => return None,
        }
        Some(Directive { name, argument })
    }

    fn argument(&mut self) -> Option<Cow<'a, [u8]>> {
        if let Some((b'"', quoted)) = self.rest.split_first() {
            return self.quoted(quoted);
        }
        let end =
            self.rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(Cow::Borrowed(token))
    }

    fn quoted(&mut self, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mut out = Vec::new();
        let mut bytes = text.iter().copied().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = text.get(at.saturating_add(1)..)?;
                    return Some(Cow::Owned(out));
                }
                b'\\' => {
                    out.push(bytes.next().map(|(_, byte)| byte).filter(|byte| is_text(*byte))?)
                }
                byte if is_text(byte) => out.push(byte),
                _ => return None,
            }
        }
        None
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Result<Directive<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((b' ' | b'\t' | b',', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let read = self.directive();
        if read.is_none() {
            self.rest = &[];
        }
        Some(read.ok_or(Malformed))
    }
}

const fn is_token_byte(byte: u8) -> bool {
    is_token(&[byte])
}

/// What may stand in a quoted string, or be quoted in it: everything but control characters.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
