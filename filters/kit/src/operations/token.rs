//! The token of the operations endpoints: only its hash is known here.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Fields;
use crate::headers::Headers;

/// The SHA-256 of a token.
///
/// A plain hash is enough because a token is random, unlike a password: nobody can guess what to hash.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TokenHash([u8; 32]);

/// The header of its own that the token may come in.
pub(super) const HEADER: &str = "x-weir-token";

/// The longest token that is hashed, in bytes: far more than any, and little work for whoever sends rubbish.
const MAX_TOKEN: usize = 1_024;

impl TokenHash {
    /// Reads the hash; a value that is none, perhaps the token itself, is never shown.
    pub(super) fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        fields.optional_sha256(name, "token").map(Self)
    }

    /// Whether the request carries the token, as `x-weir-token` or else as `authorization: Bearer`.
    ///
    /// The time it takes depends on the length of what came, not on how much of it is right.
    pub(super) fn is_shown_by(&self, request: &Headers) -> bool {
        match request.get(HEADER) {
            Some(token) => self.is_of(token),
            None => request.get("authorization").is_some_and(|value| self.is_in(value)),
        }
    }

    /// Whether this value of `authorization` carries the token.
    pub(super) fn is_in(&self, authorization: &[u8]) -> bool {
        bearer(authorization).is_some_and(|token| self.is_of(token))
    }

    fn is_of(&self, token: &[u8]) -> bool {
        token.len() <= MAX_TOKEN && Sha256::digest(token).as_slice().ct_eq(&self.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// The credentials of the Bearer scheme, whose name may have any case (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") { Some(token.trim_ascii()) } else { None }
}
