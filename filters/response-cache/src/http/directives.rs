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
//! **Source**: RFC 9111 sections 1.2.2, 4.2.1, 5.2; RFC 5861; RFC 8246; RFC 9110 sections 5.6.1, 5.6.2, 5.6.4.

mod list;

pub use list::{Directive, Directives, Malformed};

use crate::http::field::{is_token, members};

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
    /// Adds a directive with this argument.
    pub fn take(&mut self, argument: Option<&[u8]>) {
        let read = argument.and_then(seconds).map_or(Self::Invalid, Self::Seconds);
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

/// What a directive restricts that may name fields: `no-cache` and `private`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Nothing: it is not there.
    #[default]
    Absent,
    /// These fields of the response: lower case, each once.
    Fields(Vec<Vec<u8>>),
    /// The whole response.
    Whole,
}

/// How many fields a directive may name; one that names more is taken for the whole response.
const MAX_FIELDS: usize = 16;

impl Scope {
    /// Adds a directive without an argument, or with this list of field names.
    ///
    /// A list that is empty, too long, or has a member that is no field name restricts everything;
    /// so does one that names a field without which the rest can not be read (`is_essential`).
    pub fn take(&mut self, list: Option<&[u8]>) {
        let named = list.and_then(field_names);
        *self = match (std::mem::take(self), named) {
            (Self::Whole, _) | (_, None) => Self::Whole,
            (Self::Absent, Some(named)) => Self::Fields(named),
            (Self::Fields(mut fields), Some(named)) => {
                fields.extend(named);
                fields.sort();
                fields.dedup();
                Self::Fields(fields)
            }
        };
    }

    /// The fields that it names, where it names any.
    pub fn fields(&self) -> &[Vec<u8>] {
        match self {
            Self::Fields(fields) => fields,
            Self::Absent | Self::Whole => &[],
        }
    }
}

fn field_names(list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for member in members(list) {
        let name = member.to_ascii_lowercase();
        if !is_token(&name) || is_essential(&name) || names.len() >= MAX_FIELDS {
            return None;
        }
        names.push(name);
    }
    names.sort();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

/// Fields that say what the body is, how old it is and whom it answers: the rest is nothing without them.
fn is_essential(name: &[u8]) -> bool {
    name.starts_with(b"content-")
        || matches!(
            name,
            b"age"
                | b"cache-control"
                | b"date"
                | b"etag"
                | b"expires"
                | b"last-modified"
                | b"location"
                | b"vary"
        )
}

/// The `Cache-Control` of a response, or a targeted field that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseDirectives {
    /// Not to be stored (5.2.2.5).
    pub no_store: bool,
    /// Not to be used without asking the origin (5.2.2.4).
    pub no_cache: Scope,
    /// For one user only (5.2.2.7).
    pub private: Scope,
    /// Storable although the request was authorised (5.2.2.9).
    pub public: bool,
    /// Never to be used stale (5.2.2.2).
    pub must_revalidate: bool,
    /// Never to be used stale by a shared cache (5.2.2.8).
    pub proxy_revalidate: bool,
    /// To be stored only where the status is understood, and then also against `no-store` (5.2.2.3).
    pub must_understand: bool,
    /// The content is not to be changed (5.2.2.6). This cache never changes it.
    pub no_transform: bool,
    /// It does not change while it is fresh (RFC 8246, 2).
    pub immutable: bool,
    /// The lifetime in shared caches (5.2.2.10).
    pub s_maxage: Delta,
    /// The lifetime (5.2.2.1).
    pub max_age: Delta,
    /// How long after its lifetime it may be served while it is refreshed (RFC 5861, 3).
    pub stale_while_revalidate: Delta,
    /// How long after its lifetime it may be served when the origin fails (RFC 5861, 4).
    pub stale_if_error: Delta,
    /// Some line breaks the grammar.
    pub malformed: bool,
}

impl ResponseDirectives {
    /// Adds one line of the field.
    ///
    /// `no-cache` and `private` name fields only in the quoted form that 5.2.2.4 and 5.2.2.7 ask for;
    /// with a token they are taken for the whole response, as many caches take them.
    pub fn read(&mut self, line: &[u8]) {
        let read = walk(line, |name, directive| {
            let argument = directive.argument.as_deref();
            let list = if directive.is_quoted() { argument } else { None };
            match name {
                b"no-store" => self.no_store = true,
                b"no-cache" => self.no_cache.take(list),
                b"private" => self.private.take(list),
                b"public" => self.public |= argument.is_none(),
                // What restricts restricts with any argument; that they also permit (3.5) takes the right form.
                b"must-revalidate" if argument.is_none() => self.must_revalidate = true,
                b"must-revalidate" | b"proxy-revalidate" => self.proxy_revalidate = true,
                // It permits and restricts: in the wrong form it is neither.
                b"must-understand" => {
                    self.must_understand = true;
                    self.malformed |= argument.is_some();
                }
                b"no-transform" => self.no_transform = true,
                b"immutable" => self.immutable = true,
                b"s-maxage" => self.s_maxage.take(argument),
                b"max-age" => self.max_age.take(argument),
                b"stale-while-revalidate" => self.stale_while_revalidate.take(argument),
                b"stale-if-error" => self.stale_if_error.take(argument),
                _ => {}
            }
        });
        self.malformed |= read.is_err();
    }

    /// Whether a response to an authorised request may be stored, and used for others (3.5).
    pub const fn allows_authorized(&self) -> bool {
        self.public || self.must_revalidate || matches!(self.s_maxage, Delta::Seconds(_))
    }

    /// Whether it may never be served stale: `s-maxage` says so too (5.2.2.10), also with an invalid number.
    pub const fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || !matches!(self.s_maxage, Delta::Absent)
    }
}

/// How much staleness a request accepts (5.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxStale {
    /// It does not say: none.
    #[default]
    Absent,
    /// At most this many seconds.
    Seconds(u64),
    /// Any.
    Any,
    /// It says so without a valid number: none, since it is a leave.
    Invalid,
}

impl MaxStale {
    /// Of several the least counts.
    fn take(&mut self, argument: Option<&[u8]>) {
        let read = match argument.map(seconds) {
            None => Self::Any,
            Some(Some(seconds)) => Self::Seconds(seconds),
            Some(None) => Self::Invalid,
        };
        *self = match (*self, read) {
            (Self::Absent, read) => read,
            (Self::Invalid, _) | (_, Self::Invalid | Self::Absent) => Self::Invalid,
            (Self::Any, other) | (other, Self::Any) => other,
            (Self::Seconds(a), Self::Seconds(b)) => Self::Seconds(a.min(b)),
        };
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
    /// A stale answer is welcome too (5.2.1.2).
    pub max_stale: MaxStale,
    /// Only an answer that stays fresh for this long (5.2.1.3).
    pub min_fresh: Delta,
    /// A stored answer or none (5.2.1.7).
    pub only_if_cached: bool,
    /// The content is not to be changed (5.2.1.6). This cache never changes it.
    pub no_transform: bool,
    /// A stale answer is welcome when the origin fails (RFC 5861, 4).
    pub stale_if_error: Delta,
    /// Some line breaks the grammar.
    pub malformed: bool,
}

impl RequestDirectives {
    /// Adds one line of the field.
    pub fn read(&mut self, line: &[u8]) {
        let read = walk(line, |name, directive| {
            let argument = directive.argument.as_deref();
            match name {
                b"no-store" => self.no_store = true,
                b"no-cache" => self.no_cache = true,
                b"only-if-cached" => self.only_if_cached = true,
                b"no-transform" => self.no_transform = true,
                b"max-age" => self.max_age.take(argument),
                b"min-fresh" => self.min_fresh.take(argument),
                b"stale-if-error" => self.stale_if_error.take(argument),
                b"max-stale" => self.max_stale.take(argument),
                _ => {}
            }
        });
        self.malformed |= read.is_err();
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

/// Goes through the directives of one line: `take` gets each with its name in lower case.
///
/// # Errors
/// [`Malformed`] at the first that breaks the grammar; those before it have been taken.
fn walk(line: &[u8], mut take: impl FnMut(&[u8], &Directive<'_>)) -> Result<(), Malformed> {
    Directives::of(line).try_for_each(|directive| {
        let directive = directive?;
        take(&directive.name.to_ascii_lowercase(), &directive);
        Ok(())
    })
}
