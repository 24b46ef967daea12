//! From the fields `key` and `on_missing` to a [`KeyTemplate`].

use std::ops::RangeInclusive;

use super::part::{Part, Prefixes};
use super::{KeyTemplate, OnMissing};
use crate::config::Fields;
use crate::exchange::Attribute;
use crate::place::{NameError, Place};

/// How many parts a key may have.
const PARTS: RangeInclusive<usize> = 1..=8;

/// The deepest path of a property or claim.
const DEPTH: RangeInclusive<usize> = 1..=8;

/// The last path segment that can be named; each request may have to walk so far.
const MAX_SEGMENT: usize = 31;

/// Where Envoy's JWT filter puts the claims, unless the operator names another place.
const JWT_NAMESPACE: &str = "envoy.filters.http.jwt_authn";
const JWT_PAYLOAD: &str = "jwt_payload";

const FORMS: &str = "a part such as \"address\", \"header:x-api-key\" or {\"part\": \"claim\", \"path\": [\"sub\"]}";

const ON_MISSING: [(&str, OnMissing); 4] = [
    ("anonymous", OnMissing::Anonymous),
    ("address", OnMissing::Address),
    ("skip", OnMissing::Skip),
    ("deny", OnMissing::Deny),
];

impl KeyTemplate {
    /// Reads the fields `key` and `on_missing` of the object that `fields` stands on; `None` if `key` is absent.
    ///
    /// Callers choose what that means: `KeyTemplate::read(fields).unwrap_or_default()` counts by address.
    /// Problems are recorded in `fields`; what comes back then is never used.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let parts = fields.optional_parsed_or_objects("key", PARTS, FORMS, short, long);
        let on_missing = fields.optional_choice("on_missing", &ON_MISSING);
        Some(Self { parts: parts?, on_missing: on_missing.unwrap_or_default() })
    }
}

/// Why a text is no part of a key; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PartError {
    #[error("write one of {WORDS}")]
    Unknown,
    #[error("add what it is called, as in \"{0}:…\"")]
    NoName(&'static str),
    #[error("remove what follows the colon")]
    NoNameWanted,
    #[error("for a property write {{\"part\": \"property\", \"path\": [\"…\"]}}")]
    Property,
    #[error("count the segment from 0 to {MAX_SEGMENT}")]
    Segment,
    #[error(transparent)]
    Name(#[from] NameError),
}

const WORDS: &str = "address, header:NAME, cookie:NAME, query:NAME, path_segment:NUMBER, claim:NAME, \
    constant:TEXT, method, host, path, route, virtual_host, cluster";

/// Which part an object or a text is about.
#[derive(Clone, Copy)]
enum Kind {
    Address,
    Field(Place),
    PathSegment,
    Claim,
    Property,
    Constant,
    Bare(Bare),
}

/// A part without any setting.
#[derive(Clone, Copy)]
enum Bare {
    Method,
    Host,
    Path,
    Named(Attribute),
}

const KINDS: [(&str, Kind); 14] = [
    ("address", Kind::Address),
    ("header", Kind::Field(Place::Header)),
    ("cookie", Kind::Field(Place::Cookie)),
    ("query", Kind::Field(Place::Query)),
    ("path_segment", Kind::PathSegment),
    ("claim", Kind::Claim),
    ("property", Kind::Property),
    ("constant", Kind::Constant),
    ("method", Kind::Bare(Bare::Method)),
    ("host", Kind::Bare(Bare::Host)),
    ("path", Kind::Bare(Bare::Path)),
    ("route", Kind::Bare(Bare::Named(Attribute::RouteName))),
    ("virtual_host", Kind::Bare(Bare::Named(Attribute::VirtualHost))),
    ("cluster", Kind::Bare(Bare::Named(Attribute::Cluster))),
];

impl Bare {
    fn part(self) -> Part {
        match self {
            Self::Method => Part::Method,
            Self::Host => Part::Host,
            Self::Path => Part::Path,
            Self::Named(attribute) => Part::Named(attribute),
        }
    }
}

/// A part in its short form: a word, or a word, a colon and a name.
fn short(text: &str) -> Result<Part, PartError> {
    let (typed, name) = match text.split_once(':') {
        Some((word, name)) => (word, Some(name)),
        None => (text, None),
    };
    let (word, kind) = KINDS.iter().find(|(word, _)| *word == typed).ok_or(PartError::Unknown)?;
    let named = || name.filter(|name| !name.is_empty()).ok_or(PartError::NoName(word));
    match kind {
        Kind::Address | Kind::Bare(_) if name.is_some() => Err(PartError::NoNameWanted),
        Kind::Address => Ok(Part::Address(Prefixes::default())),
        Kind::Bare(bare) => Ok(bare.part()),
        Kind::Field(place) => Ok(Part::Field(*place, place.parse_name(named()?)?)),
        Kind::PathSegment => {
            let digits = named()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let idx = digits.parse().ok().filter(|idx| is_number && *idx <= MAX_SEGMENT);
            idx.map(Part::PathSegment).ok_or(PartError::Segment)
        }
        Kind::Claim => Ok(claim(JWT_NAMESPACE, JWT_PAYLOAD, [named()?.to_owned()])),
        Kind::Property => Err(PartError::Property),
        Kind::Constant => Ok(Part::Constant(named()?.into())),
    }
}

/// A part in its long form: an object with the field `part` and the part's own.
fn long(fields: &mut Fields<'_>) -> Option<Part> {
    let words = KINDS.map(|(word, kind)| (word, Some(kind)));
    match fields.choice("part", &words) {
        Some(Kind::Address) => {
            let whole = Prefixes::default();
            let v4 = fields.optional_integer("ipv4_prefix", 8_u32..=32).unwrap_or(whole.v4);
            let v6 = fields.optional_integer("ipv6_prefix", 16_u32..=128).unwrap_or(whole.v6);
            Some(Part::Address(Prefixes { v4, v6 }))
        }
        Some(Kind::Field(place)) => {
            let allowed = format!("a {} name", place.word());
            let name = fields.parsed("name", &allowed, |text| place.parse_name(text))?;
            Some(Part::Field(place, name))
        }
        Some(Kind::PathSegment) => {
            Some(Part::PathSegment(fields.integer("index", 0..=MAX_SEGMENT)))
        }
        Some(Kind::Claim) => {
            let path = fields.one_or_many("path", DEPTH);
            let namespace = fields.optional_text("namespace");
            let payload = fields.optional_text("payload");
            let namespace = namespace.as_deref().unwrap_or(JWT_NAMESPACE);
            Some(claim(namespace, payload.as_deref().unwrap_or(JWT_PAYLOAD), path))
        }
        Some(Kind::Property) => {
            let path = fields.one_or_many("path", DEPTH);
            Some(Part::Property(path.into_iter().map(String::into_boxed_str).collect()))
        }
        Some(Kind::Constant) => Some(Part::Constant(fields.text("value").into())),
        Some(Kind::Bare(bare)) => Some(bare.part()),
        None => {
            fields.know(&["name", "index", "path", "namespace", "payload", "value"]);
            fields.know(&["ipv4_prefix", "ipv6_prefix"]);
            None
        }
    }
}

fn claim(namespace: &str, payload: &str, path: impl IntoIterator<Item = String>) -> Part {
    let root = ["metadata", "filter_metadata", namespace, payload].map(Box::from);
    Part::Claim(root.into_iter().chain(path.into_iter().map(String::into_boxed_str)).collect())
}
