//! Names from Envoy's configuration: routes, virtual hosts, clusters.

use std::fmt;

/// What a name must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NamePattern {
    /// This name.
    Exact(Box<str>),
    /// Any name that begins so; the empty beginning is any name at all.
    Prefix(Box<str>),
}

pub(super) const NAME_FORMS: &str = "a name, or its beginning followed by *";

/// A name without a character names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fill it in")]
pub(super) struct EmptyName;

impl NamePattern {
    /// A `*` at the end makes a prefix; elsewhere it is a character like others.
    pub(super) fn parse(text: &str) -> Result<Self, EmptyName> {
        match text.strip_suffix('*') {
            Some(prefix) => Ok(Self::Prefix(prefix.into())),
            None if text.is_empty() => Err(EmptyName),
            None => Ok(Self::Exact(text.into())),
        }
    }

    pub(super) fn accepts(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => name == exact.as_bytes(),
            Self::Prefix(prefix) => name.starts_with(prefix.as_bytes()),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}
