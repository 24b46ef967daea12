//! From the `match` object to a [`Matcher`].

use std::ops::RangeInclusive;

use super::claim::ClaimCondition;
use super::condition::Condition;
use super::host::{HOST_FORMS, HostPattern};
use super::metadata::RouteMetadata;
use super::name::{NAME_FORMS, NamePattern};
use super::path::PathPattern;
use super::text::TextCondition;
use super::{AllOf, Matcher};
use crate::config::Fields;
use crate::exchange::Attribute;
use crate::net::NET_FORMS;
use crate::place::{Place, is_token};

/// How long a list may be: every request may have to walk along all of it.
const ENTRIES: RangeInclusive<usize> = 1..=64;

/// How many alternatives `any` may have.
const ALTERNATIVES: RangeInclusive<usize> = 1..=16;

impl Matcher {
    /// Reads the fields of a `match` object: `fields.optional_object("match", Matcher::read).unwrap_or_default()`.
    ///
    /// Problems are recorded in `fields`; what comes back then is never used.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let all = AllOf::new(conditions(fields));
        let any = fields.optional_objects("any", ALTERNATIVES, inner).unwrap_or_default();
        let not = fields.optional_object("not", inner);
        Self { all, any, not }
    }
}

/// Reads an alternative of `any`, or `not`: without a condition it would match everything, surely a slip.
fn inner(fields: &mut Fields<'_>) -> AllOf {
    if fields.is_empty() {
        fields.own_problem("no condition", "at least one", "add one, such as \"methods\"");
    }
    AllOf::new(conditions(fields))
}

fn conditions(fields: &mut Fields<'_>) -> Vec<Condition> {
    let mut all = Vec::new();
    let methods =
        fields.optional_one_or_many_parsed("methods", ENTRIES, "a method such as \"GET\"", method);
    all.extend(methods.map(Condition::Methods));
    let hosts =
        fields.optional_one_or_many_parsed("hosts", ENTRIES, HOST_FORMS, HostPattern::parse);
    all.extend(hosts.map(Condition::Hosts));
    all.extend(fields.optional_object("path", PathPattern::read).flatten().map(Condition::Path));
    for (name, place) in
        [("headers", Place::Header), ("query", Place::Query), ("cookies", Place::Cookie)]
    {
        let texts =
            fields.optional_objects(name, ENTRIES, |entry| TextCondition::read(place, entry));
        all.extend(texts.into_iter().flatten().flatten().map(Condition::Text));
    }
    for (name, attribute) in [
        ("route_names", Attribute::RouteName),
        ("virtual_hosts", Attribute::VirtualHost),
        ("clusters", Attribute::Cluster),
    ] {
        let names =
            fields.optional_one_or_many_parsed(name, ENTRIES, NAME_FORMS, NamePattern::parse);
        all.extend(names.map(|names| Condition::Named(attribute, names)));
    }
    let metadata = fields.optional_objects("route_metadata", ENTRIES, RouteMetadata::read);
    all.extend(metadata.into_iter().flatten().flatten().map(Condition::RouteMetadata));
    let claims = fields.optional_objects("claims", ENTRIES, ClaimCondition::read);
    all.extend(claims.into_iter().flatten().flatten().map(Condition::Claim));
    let source = fields.optional_one_or_many_parsed("source", ENTRIES, NET_FORMS, str::parse);
    all.extend(source.map(Condition::Source));
    all
}

/// Why a text is no method; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum MethodError {
    #[error("write \"{0}\", methods are upper case")]
    Case(String),
    #[error("use letters only, such as GET")]
    Characters,
}

fn method(text: &str) -> Result<Box<str>, MethodError> {
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_token) {
        return Err(MethodError::Characters);
    }
    let upper = text.to_ascii_uppercase();
    if upper != text {
        return Err(MethodError::Case(upper));
    }
    Ok(upper.into())
}
