//! A stored response: the bytes of one slot.
//!
//! A slot holds everything that is compared before a byte is served: the whole primary key, the values that
//! the response varies on, and the generation under which the index knows it.
//!
//! **Shape**: one [`kit::record`]; a record of another version, or one that is torn, reads as nothing.

use kit::headers::Headers;
use kit::{Nanos, record};
use serde::{Deserialize, Serialize};

use crate::freshness::Freshness;

/// Changes with the fields of [`Stored`].
const VERSION: u8 = 2;

/// Everything that is kept of one response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What the index calls this writing of the slot.
    pub generation: u64,
    /// The primary key.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// What it varies on: [`crate::vary::names_bytes`].
    #[serde(with = "serde_bytes")]
    pub names: Vec<u8>,
    /// The values that its request had for these: [`crate::vary::variant_bytes`].
    #[serde(with = "serde_bytes")]
    pub variant: Vec<u8>,
    /// When it came, in nanoseconds of the monotonic clock.
    pub received: u64,
    /// How old it was then, in nanoseconds.
    pub initial_age: u64,
    /// How old it may become, in nanoseconds.
    pub lifetime: u64,
    /// It may answer authorised requests.
    pub for_authorized: bool,
    /// Its lifetime was assumed: it answers plain requests only ([`crate::assume`]).
    pub assumed: bool,
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
}
