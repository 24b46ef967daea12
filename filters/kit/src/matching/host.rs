//! Hosts: a whole name, or everything below a domain.

use std::fmt;

/// What a host must be; letters' case does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// This host.
    Exact(Box<str>),
    /// Any host that ends with this, which begins with a dot; at least one label stands before it.
    Below(Box<str>),
}

pub(super) const HOST_FORMS: &str = "a host such as \"example.com\" or \"*.example.com\"";

/// Why a text is no host; its `Display` tells how to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    #[error("leave the port out, hosts are compared without it")]
    Port,
    #[error("put the * first and a dot behind it, or leave `hosts` out to match any")]
    Wildcard,
    #[error("write the host alone, without scheme and path")]
    Characters,
}

impl HostPattern {
    pub(super) fn parse(text: &str) -> Result<Self, HostError> {
        let (below, name) = match text.strip_prefix('*') {
            Some(suffix) if suffix.len() > 1 && suffix.starts_with('.') => (true, suffix),
            Some(_) => return Err(HostError::Wildcard),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(HostError::Wildcard);
        }
        let is_v6 = name.starts_with('[') && name.ends_with(']');
        if !is_v6 && name.contains(':') && !name.contains('/') {
            return Err(HostError::Port);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(HostError::Characters);
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into();
        Ok(if below { Self::Below(name) } else { Self::Exact(name) })
    }

    /// Whether a host, without port, is meant.
    pub(super) fn accepts(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Below(suffix) => {
                let at = host.len().saturating_sub(suffix.len());
                at > 0
                    && host.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}
