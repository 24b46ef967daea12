//! Conditions on what a route carries: Envoy's way to give one route settings of its own.

use std::fmt;

use crate::config::{Fields, quoted};
use crate::exchange::Exchange;

/// A value that the route's metadata must have.
#[derive(Clone, Debug)]
pub(super) struct RouteMetadata {
    /// The property: `xds`, `route_metadata`, `filter_metadata`, the namespace, then keys.
    path: Vec<Box<str>>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Text(Box<str>),
    Flag(bool),
}

/// Where Envoy keeps it.
const ROOT: [&str; 3] = ["xds", "route_metadata", "filter_metadata"];

/// The deepest path into one namespace.
const MAX_DEPTH: usize = 8;

impl RouteMetadata {
    /// Reads the fields of an entry of `route_metadata`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let namespace = fields.text("namespace");
        let keys = fields.one_or_many("path", 1..=MAX_DEPTH);
        fields.exactly_one_of(&["exact", "flag"]);
        let exact =
            fields.optional_text_of("exact", 0..=1_024).map(|text| Value::Text(text.into()));
        let flag = fields.optional_bool("flag").map(Value::Flag);
        let path = ROOT.map(str::to_owned).into_iter().chain([namespace]).chain(keys);
        Some(Self { path: path.map(String::into_boxed_str).collect(), value: exact.or(flag)? })
    }

    pub(super) fn holds(&self, x: &dyn Exchange) -> bool {
        let path: Vec<&str> = self.path.iter().map(|part| &**part).collect();
        let Some(found) = x.property(&path) else { return false };
        match &self.value {
            Value::Text(text) => found == text.as_bytes(),
            // Envoy hands over a flag as one byte.
            Value::Flag(flag) => found == [u8::from(*flag)],
        }
    }
}

impl fmt::Display for RouteMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, key) in self.path.iter().skip(ROOT.len()).enumerate() {
            if idx > 0 {
                f.write_str("|")?;
            }
            f.write_str(key)?;
        }
        match &self.value {
            Value::Text(text) => write!(f, " = {}", quoted(text)),
            Value::Flag(flag) => write!(f, " = {flag}"),
        }
    }
}
