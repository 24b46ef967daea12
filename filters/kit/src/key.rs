//! What a limit counts by: the `key` of a rule, and the bytes that it makes of a request.
//!
//! A [`KeyTemplate`] is a short list of parts, such as the client's address or an API key.
//! [`KeyTemplate::build`] writes them one after the other, each with its kind and length in front:
//! two requests get the same bytes only if they agree in every part.
//! The syntax for operators is in this crate's `README.md`.
//!
//! The edge that matters is a request that lacks a part, since a client can leave out what it likes.
//! Unless the operator says otherwise, all such requests of a rule share one key and thus one quota:
//! leaving a header out can never be worth more than one client's share.
//! `address` gives each address a quota of its own, and `skip` none at all; both must be asked for.
//!
//! Deliberately not done here: hashing. Callers tag the bytes with [`crate::hash::Secret`].

mod part;
mod read;
mod readable;
mod source;

use std::fmt;

use crate::exchange::Exchange;
use part::{Given, Part, Prefixes};
pub use readable::{readable, readable_with};
pub use source::Source;

/// A compiled `key`; the default counts by the client's address.
///
/// **Cost**: request headers (one host call, shared with matching) for headers, cookies, query, method, host and
/// path; one call for each of address, route, virtual host and cluster (once per exchange, whoever asks);
/// one for each claim and property at each build.
/// It allocates for claims and properties, for an escaped path and for an encoded query parameter that it names;
/// otherwise only what `out` lacks.
#[derive(Clone, Debug)]
pub struct KeyTemplate {
    parts: Vec<Part>,
    on_missing: OnMissing,
}

/// What [`KeyTemplate::build`] made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum KeyOutcome {
    /// The key is written.
    Key,
    /// A part is missing and nothing is written.
    Missing(Missing),
}

/// What the operator wants for a request that lacks a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The rule does not apply.
    Skip,
    /// The request is refused.
    Deny,
}

/// The field `on_missing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OnMissing {
    /// One key for all such requests.
    #[default]
    Anonymous,
    /// The client's address instead; if that is missing too, as [`OnMissing::Anonymous`].
    Address,
    Skip,
    Deny,
}

/// The first byte of a key: which of the ways it was made. No way can imitate another's keys.
mod form {
    pub(super) const WHOLE: u8 = 1;
    pub(super) const ADDRESS: u8 = 2;
    pub(super) const ANONYMOUS: u8 = 3;
}

impl KeyTemplate {
    /// Whether a request that lacks a part is refused.
    pub fn refuses(&self) -> bool {
        self.on_missing == OnMissing::Deny
    }

    /// Counts by the client's address, IPv6 by /64.
    pub fn address() -> Self {
        Self { parts: vec![Part::Address(Prefixes::default())], on_missing: OnMissing::default() }
    }

    /// Counts all requests together.
    pub fn everyone() -> Self {
        Self { parts: Vec::new(), on_missing: OnMissing::default() }
    }

    /// Appends the key of this request to `out`; where a part is missing and has no stand-in, `out` stays as it was.
    ///
    /// **Shape**: one byte for the way it was made (all parts, address instead, anonymous), then for each part its
    /// kind in one byte, its length in four (little-endian) and its bytes. For one template different parts give
    /// different keys; put your rule's number in front, so that rules do not share keys.
    /// At most 64 KiB: a value beyond 8 KiB, like an empty one, counts as missing.
    pub fn build(&self, x: &dyn Exchange, out: &mut Vec<u8>) -> KeyOutcome {
        self.build_with(x, &|_| None, out)
    }

    /// As [`KeyTemplate::build`], for a template read with [`KeyTemplate::read_with`]: `given` has the value for each
    /// of its words, or none, which is missing like any other part.
    pub fn build_with<'v>(
        &self,
        x: &dyn Exchange,
        given: &dyn Fn(&str) -> Option<&'v [u8]>,
        out: &mut Vec<u8>,
    ) -> KeyOutcome {
        let given: Given<'_, 'v> = given;
        let start = out.len();
        out.push(form::WHOLE);
        if self.parts.iter().all(|part| part.append(x, given, out).is_some()) {
            return KeyOutcome::Key;
        }
        out.truncate(start);
        match self.on_missing {
            OnMissing::Skip => return KeyOutcome::Missing(Missing::Skip),
            OnMissing::Deny => return KeyOutcome::Missing(Missing::Deny),
            OnMissing::Anonymous => out.push(form::ANONYMOUS),
            OnMissing::Address => {
                out.push(form::ADDRESS);
                if Part::Address(self.prefixes()).append(x, given, out).is_none() {
                    out.truncate(start);
                    out.push(form::ANONYMOUS);
                }
            }
        }
        KeyOutcome::Key
    }

    /// Whether it has a part that the filter gives.
    pub fn has_given(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Given(..)))
    }

    /// What it counts by, in one line for operators: `header x-api-key, else one key for all`.
    pub fn describe(&self) -> String {
        self.to_string()
    }

    /// What it is made of, in one line for operators: `header x-api-key and host`.
    pub fn parts(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::to_string).collect();
        if parts.is_empty() { "one key for all".to_owned() } else { parts.join(" and ") }
    }

    /// What it is made of, so that no other template has the same words.
    pub fn identity(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::identity).collect();
        parts.join("\n")
    }

    /// How the address stands in: as the template's own address part has it.
    fn prefixes(&self) -> Prefixes {
        self.parts.iter().find_map(Part::prefixes).unwrap_or_default()
    }
}

impl Default for KeyTemplate {
    fn default() -> Self {
        Self::address()
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts())?;
        if self.parts.iter().all(Part::is_always_there) {
            return Ok(());
        }
        f.write_str(match self.on_missing {
            OnMissing::Anonymous => ", else one key for all",
            OnMissing::Address => ", else address",
            OnMissing::Skip => ", else not counted",
            OnMissing::Deny => ", else denied",
        })
    }
}

#[cfg(test)]
mod tests;
