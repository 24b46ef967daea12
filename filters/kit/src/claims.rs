//! Claims of a token that Envoy verified: where Envoy keeps them.

use std::ops::RangeInclusive;

use crate::config::Fields;

/// The deepest path of a claim or another property.
pub(crate) const DEPTH: RangeInclusive<usize> = 1..=8;

/// Where dynamic metadata is: `metadata`, `filter_metadata`, then the namespace and the payload's key.
const ROOT: [&str; 2] = ["metadata", "filter_metadata"];

/// Segments of a property in front of the claim's own path.
pub(crate) const N_ROOT: usize = ROOT.len() + 2;

/// Where Envoy's JWT filter puts the claims, unless the operator names another place.
pub(crate) const JWT_NAMESPACE: &str = "envoy.filters.http.jwt_authn";
pub(crate) const JWT_PAYLOAD: &str = "jwt_payload";

/// The property of the claim of this name, in the usual place.
pub(crate) fn named(name: &str) -> Vec<Box<str>> {
    property(JWT_NAMESPACE, JWT_PAYLOAD, [name.to_owned()])
}

/// Reads `path`, `namespace` and `payload` of an object that names a claim, to the property that it is.
pub(crate) fn read(fields: &mut Fields<'_>) -> Vec<Box<str>> {
    let path = fields.one_or_many("path", DEPTH);
    let namespace = fields.optional_text("namespace");
    let payload = fields.optional_text("payload");
    let namespace = namespace.as_deref().unwrap_or(JWT_NAMESPACE);
    property(namespace, payload.as_deref().unwrap_or(JWT_PAYLOAD), path)
}

fn property(
    namespace: &str,
    payload: &str,
    path: impl IntoIterator<Item = String>,
) -> Vec<Box<str>> {
    let root = ROOT.into_iter().chain([namespace, payload]).map(Box::from);
    root.chain(path.into_iter().map(String::into_boxed_str)).collect()
}

/// The claim's own path, as operators write it.
pub(crate) fn words(property: &[Box<str>]) -> String {
    property.get(N_ROOT..).unwrap_or_default().join(".")
}
