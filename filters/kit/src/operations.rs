//! Who may use the operations endpoints: the `operations` object of every filter that has some.
//!
//! Off unless the object is there. It then names a path prefix of its own and at least one proof:
//! a token, of which the configuration holds only the SHA-256, or ranges of client addresses; with both, both count.
//! The syntax for operators is in this crate's `README.md`.
//!
//! What an outsider learns: that something stands below the prefix, by 401 or 403, and no more.
//! The answer is the same for paths that exist there and paths that do not, and for a wrong token and none.
//! From a wrong address every answer is [`Denial::Source`], whatever the token: tokens cannot be tried from there.
//!
//! What all of these endpoints have in common is here too: the refusals ([`Refusal`], RFC 9457), strict parameters
//! ([`parameters`]), answers as JSON ([`json`]), and the frame around an answer ([`answer`]).

mod answer;
pub mod json;
pub mod openapi;
pub mod parameters;
mod refusal;
mod token;

use std::fmt;

use crate::config::Fields;
use crate::exchange::Exchange;
use crate::headers::Headers;
use crate::matching::{is_below, parse_path};
use crate::net::{NET_FORMS, Net, client_address};
use crate::target;
pub use answer::{Answer, Asked, DETAILS, answer, granted};
pub use refusal::Refusal;
use token::TokenHash;

/// Access control of operations endpoints; the default has none, so that no request is for them.
///
/// **Cost**: off, nothing. Otherwise request headers (shared with matching); for a request below the prefix also
/// the client's address, and one SHA-256 of at most 1 KiB.
#[derive(Clone, Debug, Default)]
pub struct Access(Option<Guard>);

#[derive(Clone, Debug)]
struct Guard {
    /// In canonical form, without a slash at its end.
    path: Box<str>,
    token: Option<TokenHash>,
    source: Option<Vec<Net>>,
}

impl Guard {
    /// Why the request may not; `None` if it may.
    fn denies(&self, x: &dyn Exchange, request: &Headers) -> Option<Denial> {
        if let Some(nets) = &self.source {
            let address = client_address(x);
            if !address.is_some_and(|address| nets.iter().any(|net| net.contains(address))) {
                return Some(Denial::Source);
            }
        }
        let token = self.token.as_ref();
        token.is_some_and(|token| !token.is_shown_by(request)).then_some(Denial::Token)
    }
}

/// Whether a request is for the operations endpoints, and if so whether it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is not below the prefix: an ordinary request.
    NotOurs,
    /// It is, and may.
    Granted,
    /// It is, and may not.
    Denied(Denial),
}

/// Why a request may not use the operations endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No token came, or not the right one.
    Token,
    /// The client's address is in no range, or unknown.
    Source,
}

impl Denial {
    /// The status to answer with: 401 or 403.
    pub const fn status(self) -> u16 {
        match self {
            Self::Token => 401,
            Self::Source => 403,
        }
    }

    /// The word for it in details, notes and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Token => "operations_token",
            Self::Source => "operations_source",
        }
    }
}

/// How many ranges `source` may have.
const MAX_NETS: usize = 64;

const PATH: &str = "a path such as \"/weir\"";

impl Access {
    /// Reads the fields of an `operations` object:
    /// `fields.optional_object("operations", Access::read).unwrap_or_default()`.
    ///
    /// Problems are recorded in `fields`; what comes back then is off.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let path = fields.parsed("path", PATH, prefix);
        let source =
            fields.optional_one_or_many_parsed("source", 1..=MAX_NETS, NET_FORMS, str::parse);
        if !fields.has("token_sha256") && !fields.has("source") {
            fields.own_problem(
                "neither token_sha256 nor source",
                "at least one of them",
                "add one, or remove the object to switch operations off",
            );
        }
        let token = TokenHash::read(fields, "token_sha256");
        let guarded = token.is_some() || source.as_ref().is_some_and(|nets| !nets.is_empty());
        Self(path.filter(|_| guarded).map(|path| Guard { path, token, source }))
    }

    /// Whether there are operations endpoints at all.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Judges a request; ask in the request phase.
    pub fn decide(&self, x: &dyn Exchange) -> Verdict {
        let Some(guard) = &self.0 else { return Verdict::NotOurs };
        let request = x.request();
        let (path, _) = target::split(request.get(":path").unwrap_or_default());
        if !is_below(&target::canonical_path(path), &guard.path) {
            return Verdict::NotOurs;
        }
        match guard.denies(x, &request) {
            Some(denial) => Verdict::Denied(denial),
            None => Verdict::Granted,
        }
    }

    /// Whether there are operations endpoints and the request might use them, wherever it goes:
    /// for methods of operators on other paths.
    ///
    /// **Cost**: off, nothing; else the request headers, the client's address, and one SHA-256 of at most 1 KiB.
    pub fn is_proven(&self, x: &dyn Exchange) -> bool {
        self.denial(x).is_none()
    }

    /// Why the request might not use the operations endpoints, wherever it goes; [`Denial::Token`] if there are none,
    /// `None` if it might.
    ///
    /// **Cost**: as [`Access::is_proven`].
    pub fn denial(&self, x: &dyn Exchange) -> Option<Denial> {
        self.0.as_ref().map_or(Some(Denial::Token), |guard| guard.denies(x, &x.request()))
    }

    /// The prefix, without a slash at its end; `None` if there are no operations endpoints.
    pub fn prefix(&self) -> Option<&str> {
        self.0.as_ref().map(|guard| &*guard.path)
    }

    /// What a request below the prefix asks for: the rest of its path, empty or with a slash in front.
    ///
    /// `None` if the request is not below the prefix. It does not say whether the request may: [`Access::decide`] does.
    pub fn endpoint(&self, x: &dyn Exchange) -> Option<String> {
        below(self.prefix()?, x)
    }

    /// Whether this request header is there for these endpoints alone, so that nobody else may see it.
    ///
    /// `x-weir-token` always is, `authorization` if it carries the token.
    ///
    /// **Cost**: for `authorization` one SHA-256 of at most 1 KiB.
    pub fn is_token(&self, name: &[u8], value: &[u8]) -> bool {
        let token = self.0.as_ref().and_then(|guard| guard.token.as_ref());
        name == token::HEADER.as_bytes()
            || (name == b"authorization" && token.is_some_and(|token| token.is_in(value)))
    }

    /// What is in force, in one line for operators; never the token or its hash.
    pub fn describe(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(guard) = &self.0 else { return f.write_str("operations off") };
        write!(f, "operations below {}", guard.path)?;
        if guard.token.is_some() {
            f.write_str(" with the token")?;
        }
        for (idx, net) in guard.source.iter().flatten().enumerate() {
            write!(f, "{} {net}", if idx == 0 { " from" } else { " or" })?;
        }
        Ok(())
    }
}

/// Why a text is no prefix of operations; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PrefixError {
    #[error("name a path of its own, the whole site cannot be the operations endpoint")]
    Root,
    #[error("remove the slash at its end")]
    Slash,
    #[error("{0}")]
    Path(String),
}

/// A path that endpoints stand below, as `path` of `operations` is read; `None` if it is absent or wrong.
pub fn optional_prefix(fields: &mut Fields<'_>, name: &'static str) -> Option<Box<str>> {
    fields.optional_parsed(name, PATH, prefix)
}

/// What a request asks for below this prefix: the rest of its path, empty or with a slash in front.
///
/// `None` if the request is not below it.
pub fn below(prefix: &str, x: &dyn Exchange) -> Option<String> {
    let request = x.request();
    let (path, _) = target::split(request.get(":path")?);
    let path = target::canonical_path(path);
    let rest = path.strip_prefix(prefix)?;
    if is_below(&path, prefix) { Some(rest.to_owned()) } else { None }
}

fn prefix(text: &str) -> Result<Box<str>, PrefixError> {
    let path = parse_path(text).map_err(|error| PrefixError::Path(error.to_string()))?;
    if path.len() < 2 {
        return Err(PrefixError::Root);
    }
    if path.ends_with('/') {
        return Err(PrefixError::Slash);
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
