//! From the fields `key` and `on_missing` to a [`KeyTemplate`].

use std::ops::RangeInclusive;

use super::part::{Part, Prefixes};
use super::{KeyTemplate, OnMissing};
use crate::claims::{self, DEPTH};
use crate::config::Fields;
use crate::exchange::Attribute;
use crate::place::{NameError, Place};

/// How many parts a key may have.
const PARTS: RangeInclusive<usize> = 1..=8;

/// The last path segment that can be named; each request may have to walk so far.
const MAX_SEGMENT: usize = 31;

pub(super) const FORMS: &str = "a part such as \"address\", \"header:x-api-key\" or {\"part\": \"claim\", \"path\": [\"sub\"]}";

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
        Self::read_with(fields, &[])
    }

    /// As [`KeyTemplate::read`], with further parts that the filter itself gives: `"consumer"` or
    /// `{"part": "consumer"}` for a `given` word. Use [`KeyTemplate::build_with`] then.
    pub fn read_with(fields: &mut Fields<'_>, given: &[&'static str]) -> Option<Self> {
        let parts = parts(fields, &kinds(given));
        let on_missing = fields.optional_choice("on_missing", &ON_MISSING);
        Some(Self { parts: parts?, on_missing: on_missing.unwrap_or_default() })
    }

    /// As [`KeyTemplate::read`], without the field `on_missing`: a request that lacks a part has no key,
    /// [`super::Missing::Skip`].
    pub fn read_alone(fields: &mut Fields<'_>) -> Option<Self> {
        let parts = parts(fields, &kinds(&[]));
        Some(Self { parts: parts?, on_missing: OnMissing::Skip })
    }
}

/// The field `key`; `None` if it is absent or wrong.
fn parts(fields: &mut Fields<'_>, kinds: &Kinds) -> Option<Vec<Part>> {
    fields.optional_parsed_or_objects(
        "key",
        PARTS,
        FORMS,
        |text| short(text, kinds),
        |fields| long(fields, kinds),
    )
}

/// The words of a configuration, and what they are about.
pub(super) type Kinds = Vec<(&'static str, Kind)>;

/// All parts of a key, and those that the filter gives.
fn kinds(given: &[&'static str]) -> Kinds {
    let given = given.iter().enumerate().map(|(idx, word)| (*word, Kind::Given(idx)));
    KINDS.into_iter().chain(given).collect()
}

/// All parts that depend on the request.
pub(super) fn kinds_of_request() -> Kinds {
    KINDS.into_iter().filter(|(_, kind)| !matches!(kind, Kind::Constant)).collect()
}

/// Why a text is no part of a key; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PartError {
    #[error("write one of {0}")]
    Unknown(String),
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

/// Which part an object or a text is about.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Address,
    Field(Place),
    PathSegment,
    Claim,
    Property,
    Constant,
    Bare(Bare),
    /// The filter's own, by its place among those that it gives.
    Given(usize),
}

/// A part without any setting.
#[derive(Clone, Copy)]
pub(super) enum Bare {
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

impl Kind {
    /// The short form of a part with this word, if it has one.
    fn form(self, word: &str) -> Option<String> {
        match self {
            Self::Property => None,
            Self::Address | Self::Bare(_) | Self::Given(_) => Some(word.to_owned()),
            Self::Field(_) | Self::Claim => Some(format!("{word}:NAME")),
            Self::PathSegment => Some(format!("{word}:NUMBER")),
            Self::Constant => Some(format!("{word}:TEXT")),
        }
    }
}

fn forms(kinds: &Kinds) -> String {
    let forms: Vec<String> = kinds.iter().filter_map(|(word, kind)| kind.form(word)).collect();
    forms.join(", ")
}

/// A part in its short form: a word, or a word, a colon and a name.
pub(super) fn short(text: &str, kinds: &Kinds) -> Result<Part, PartError> {
    let (typed, name) = match text.split_once(':') {
        Some((word, name)) => (word, Some(name)),
        None => (text, None),
    };
    let (word, kind) = kinds
        .iter()
        .find(|(word, _)| *word == typed)
        .ok_or_else(|| PartError::Unknown(forms(kinds)))?;
    let named = || name.filter(|name| !name.is_empty()).ok_or(PartError::NoName(word));
    match kind {
        Kind::Address | Kind::Bare(_) | Kind::Given(_) if name.is_some() => {
            Err(PartError::NoNameWanted)
        }
        Kind::Address => Ok(Part::Address(Prefixes::default())),
        Kind::Bare(bare) => Ok(bare.part()),
        Kind::Given(idx) => Ok(Part::Given(*idx, word)),
        Kind::Field(place) => Ok(Part::Field(*place, place.parse_name(named()?)?)),
        Kind::PathSegment => {
            let digits = named()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let idx = digits.parse().ok().filter(|idx| is_number && *idx <= MAX_SEGMENT);
            idx.map(Part::PathSegment).ok_or(PartError::Segment)
        }
        Kind::Claim => Ok(Part::Claim(claims::named(named()?))),
        Kind::Property => Err(PartError::Property),
        Kind::Constant => Ok(Part::Constant(named()?.into())),
    }
}

/// A part in its long form: an object with the field `part` and the part's own.
pub(super) fn long(fields: &mut Fields<'_>, kinds: &Kinds) -> Option<Part> {
    let words: Vec<(&str, Option<(&str, Kind)>)> =
        kinds.iter().map(|(word, kind)| (*word, Some((*word, *kind)))).collect();
    let Some((word, kind)) = fields.choice("part", &words) else {
        fields.know(&["name", "index", "path", "namespace", "payload", "value"]);
        fields.know(&["ipv4_prefix", "ipv6_prefix"]);
        return None;
    };
    match kind {
        Kind::Address => {
            let whole = Prefixes::default();
            let v4 = fields.optional_integer("ipv4_prefix", 8_u32..=32).unwrap_or(whole.v4);
            let v6 = fields.optional_integer("ipv6_prefix", 16_u32..=128).unwrap_or(whole.v6);
            Some(Part::Address(Prefixes { v4, v6 }))
        }
        Kind::Field(place) => {
            let allowed = format!("a {} name", place.word());
            let name = fields.parsed("name", &allowed, |text| place.parse_name(text))?;
            Some(Part::Field(place, name))
        }
        Kind::PathSegment => Some(Part::PathSegment(fields.integer("index", 0..=MAX_SEGMENT))),
        Kind::Claim => Some(Part::Claim(claims::read(fields))),
        Kind::Property => {
            let path = fields.one_or_many("path", DEPTH);
            Some(Part::Property(path.into_iter().map(String::into_boxed_str).collect()))
        }
        Kind::Constant => Some(Part::Constant(fields.text("value").into())),
        Kind::Bare(bare) => Some(bare.part()),
        Kind::Given(idx) => Some(Part::Given(idx, word)),
    }
}
