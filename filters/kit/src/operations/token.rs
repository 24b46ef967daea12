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

/// The longest token that is hashed, in bytes: far more than any, and little work for whoever sends rubbish.
const MAX_TOKEN: usize = 1_024;

/// The hash of the empty text: what the command prints when its variable is not set.
const HASH_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

const ALLOWED: &str = "the SHA-256 of the token as 64 hexadecimal digits";

impl TokenHash {
    /// Reads the hash; a value that is none, perhaps the token itself, is never shown.
    pub(super) fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        let written = fields.optional_secret(name, 1..=4_096)?;
        let Some(hash) = parse_hash(written.reveal()) else {
            fields.problem(
                name,
                "a value that is no such hash, perhaps the token itself",
                ALLOWED,
                "choose a new token if this was one, and print its hash with: \
                 printf %s \"$TOKEN\" | sha256sum",
            );
            return None;
        };
        if hash == HASH_OF_NOTHING {
            fields.problem(
                name,
                "the hash of an empty text",
                ALLOWED,
                "set TOKEN before: printf %s \"$TOKEN\" | sha256sum",
            );
            return None;
        }
        Some(Self(hash))
    }

    /// Whether the request carries the token, as `x-weir-token` or else as `authorization: Bearer`.
    ///
    /// The time it takes depends on the length of what came, not on how much of it is right.
    pub(super) fn is_shown_by(&self, request: &Headers) -> bool {
        let shown = request
            .get("x-weir-token")
            .or_else(|| bearer(request.get("authorization").unwrap_or_default()));
        match shown {
            Some(token) if token.len() <= MAX_TOKEN => {
                Sha256::digest(token).as_slice().ct_eq(&self.0).into()
            }
            Some(_) | None => false,
        }
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

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(hash)
}
