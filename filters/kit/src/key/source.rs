//! One part of a request, for filters that look a value up instead of counting by it.

use std::fmt;

use std::convert::Infallible;
use std::ops::RangeInclusive;

use super::part::{HEADER_SIZE, Part};
use super::read::{FORMS, kinds_of_request, long, short};
use crate::claims;
use crate::config::Fields;
use crate::exchange::Exchange;
use crate::net::client_address;
use crate::place::Place;

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

    /// Reads the field `name` as a list of parts, or one of them; `None` if it is absent, or no list.
    pub fn read_many(
        fields: &mut Fields<'_>,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<Vec<Self>> {
        let kinds = kinds_of_request();
        fields.optional_parsed_or_objects(
            name,
            counts,
            FORMS,
            |text| short(text, &kinds).map(Self),
            |fields| long(fields, &kinds).map(Self),
        )
    }

    /// Reads the field `name` as a list of claims, or one of them: a claim's name, or an object with `path` and,
    /// where Envoy keeps the claims elsewhere, `namespace` and `payload`. `None` if it is absent, or no list.
    pub fn read_claims(
        fields: &mut Fields<'_>,
        name: &'static str,
        counts: RangeInclusive<usize>,
    ) -> Option<Vec<Self>> {
        fields.optional_parsed_or_objects(
            name,
            counts,
            "a claim such as \"tier\" or {\"path\": [\"realm\", \"tier\"]}",
            |text| Ok::<_, Infallible>(Self(Part::Claim(claims::named(text)))),
            |fields| Some(Self(Part::Claim(claims::read(fields)))),
        )
    }

    /// Every value of it in the request's order, whole: a name may come several times, a value may be empty.
    ///
    /// A claim and a property have one at most. For callers that must tell requests apart whatever they send.
    pub fn all(&self, x: &dyn Exchange) -> Vec<Vec<u8>> {
        match &self.0 {
            Part::Field(place, name) => {
                let mut values = Vec::new();
                place.any(&x.request(), name, |value| {
                    values.push(value.to_vec());
                    false
                });
                values
            }
            Part::Claim(path) | Part::Property(path) => {
                let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                x.property(&path).into_iter().collect()
            }
            Part::Address(_)
            | Part::PathSegment(_)
            | Part::Constant(_)
            | Part::Method
            | Part::Host
            | Part::Path
            | Part::Named(_)
            | Part::Given(..) => self.value(x).into_iter().collect(),
        }
    }

    /// Whether it can say who asks: a header, a cookie, a claim or another property.
    pub const fn names_caller(&self) -> bool {
        matches!(
            self.0,
            Part::Field(Place::Header | Place::Cookie, _) | Part::Claim(_) | Part::Property(_)
        )
    }

    /// The request field that it is read from, lower case; none where it is no field.
    pub const fn field(&self) -> Option<&str> {
        let Part::Field(place, name) = &self.0 else { return None };
        match place {
            Place::Header => Some(name),
            Place::Cookie => Some("cookie"),
            Place::Query => None,
        }
    }

    /// What it is, so that no other source has the same words: unlike `Display` with a claim's whole place.
    pub fn identity(&self) -> String {
        self.0.identity()
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
