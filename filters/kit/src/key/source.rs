//! One part of a request, for filters that look a value up instead of counting by it.

use std::fmt;

use super::part::{HEADER_SIZE, Part};
use super::read::{FORMS, kinds_of_request, long, short};
use crate::config::Fields;
use crate::exchange::Exchange;
use crate::net::client_address;

/// Where a value comes from: one part of a key, other than a constant.
///
/// **Cost**: as a [`super::KeyTemplate`] of this part, and always one allocation for the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(Part);

impl Source {
    /// Reads the required field `name`: a part of a key as a text or an object.
    ///
    /// `None` if it is missing or wrong, both with a problem recorded.
    pub fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        let kinds = kinds_of_request();
        let part = if fields.is_object(name) {
            fields.object(name, |fields| long(fields, &kinds))
        } else {
            fields.parsed(name, FORMS, |text| short(text, &kinds))
        };
        part.map(Self)
    }

    /// The value itself, with nothing in front of it; none if the request has none, or an empty one,
    /// or one beyond 8 KiB.
    ///
    /// An address is given as text, such as `192.0.2.1` or, for a network, its first address `2001:db8::`.
    pub fn value(&self, x: &dyn Exchange) -> Option<Vec<u8>> {
        if let Some(prefixes) = self.0.prefixes() {
            return Some(prefixes.network(client_address(x)?).to_string().into_bytes());
        }
        let mut value = Vec::new();
        self.0.append(x, &|_| None, &mut value)?;
        value.drain(..HEADER_SIZE.min(value.len()));
        Some(value)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
