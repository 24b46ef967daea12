//! A stored response: the bytes of one slot.
//!
//! A slot holds everything that is compared before a byte is served: the whole primary key, the values that
//! the response varies on, and the generation under which the index knows it.
//!
//! **Shape**: one [`kit::record`]; a record of another version, or one that is torn, reads as nothing.

use kit::headers::Headers;
use kit::{Nanos, record};
use serde::{Deserialize, Serialize};

use crate::http::freshness::Freshness;
use crate::http::validation::can_be_asked;
use crate::policy::terms::{Basis, Grace};

/// Changes with the fields of [`Stored`].
const VERSION: u8 = 3;

/// Everything that is kept of one response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What the index calls this writing of the slot.
    pub generation: u64,
    /// The whole primary key: [`crate::key::Key::whole`].
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// The URI that was asked for, as `scheme://host/path?query`: for patterns and for people, never compared.
    #[serde(with = "serde_bytes")]
    pub uri: Vec<u8>,
    /// What it varies on: [`crate::http::vary::names_bytes`].
    #[serde(with = "serde_bytes")]
    pub names: Vec<u8>,
    /// The values that its request had for these: [`crate::http::vary::variant_bytes`].
    #[serde(with = "serde_bytes")]
    pub variant: Vec<u8>,
    /// When its request was forwarded, in nanoseconds of the monotonic clock: what was purged since is not in it.
    pub asked: u64,
    /// When it came, in nanoseconds of the monotonic clock.
    pub received: u64,
    /// How old it was then, in nanoseconds.
    pub initial_age: u64,
    /// How old it may become, in nanoseconds.
    pub lifetime: u64,
    /// How long after that it may be served while it is refreshed, in nanoseconds.
    pub stale_while_revalidate: u64,
    /// How long after its lifetime it may be served when the origin fails, in nanoseconds.
    pub stale_if_error: u64,
    /// How long after its lifetime it is kept to be validated, in nanoseconds.
    pub keep: u64,
    /// It may answer authorised requests.
    pub for_authorized: bool,
    /// It may answer nobody without asking the origin first (`no-cache`).
    pub validate: bool,
    /// It may never be served stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub strict: bool,
    /// Whose word its lifetime is.
    pub basis: Basis,
    /// Its tags, hashed with the secret of the process.
    pub tags: Vec<u64>,
    /// The name of the rule under which it was stored.
    pub rule: String,
    /// Its status.
    pub status: u16,
    /// Its header fields, in the ABI's form.
    #[serde(with = "serde_bytes")]
    pub fields: Vec<u8>,
    /// Its body.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl Stored {
    /// The slot's bytes.
    pub fn encode(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// The response in a slot's bytes, if there is one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        record::decode(VERSION, bytes)
    }

    /// Bytes of its parts in memory, as they are allocated.
    pub fn size(&self) -> u64 {
        let parts = [
            self.key.capacity(),
            self.uri.capacity(),
            self.names.capacity(),
            self.variant.capacity(),
            self.tags.capacity().saturating_mul(8),
            self.rule.capacity(),
            self.fields.capacity(),
            self.body.capacity(),
        ];
        let parts = parts.into_iter().fold(0_usize, usize::saturating_add);
        u64::try_from(parts).unwrap_or(u64::MAX)
    }

    /// Its freshness.
    pub const fn freshness(&self) -> Freshness {
        Freshness {
            received: Nanos(self.received),
            initial_age: Nanos(self.initial_age),
            lifetime: Nanos(self.lifetime),
        }
    }

    /// Its header fields.
    pub fn headers(&self) -> Headers {
        Headers::from_pairs(self.fields.clone())
    }

    /// Whether the origin can be asked if it still holds: only of a 200 does its 304 say so (RFC 9110, 15.4.5).
    pub fn can_be_validated(&self) -> bool {
        self.status == 200 && can_be_asked(&self.headers())
    }

    /// Whether it is an error of the service.
    pub const fn is_error(&self) -> bool {
        self.status >= 500
    }

    /// The instant from which it is of no use any more, not even stale, monotonic.
    pub fn until(&self) -> Nanos {
        self.freshness().expires_at().saturating_add(self.grace().longest())
    }

    /// How long it is of use after its lifetime.
    pub const fn grace(&self) -> Grace {
        Grace {
            while_revalidate: Nanos(self.stale_while_revalidate),
            if_error: Nanos(self.stale_if_error),
            keep: Nanos(self.keep),
        }
    }
}
