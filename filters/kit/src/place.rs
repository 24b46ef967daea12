//! Named values of a request: headers, query parameters, cookies.

use crate::headers::Headers;
use crate::target;

/// Where a named value of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header; a name in lower case.
    Header,
    /// A parameter of the query; names and values are compared decoded.
    Query,
    /// A cookie of any `cookie` line; names are compared as they are, quotes around a value are part of it.
    Cookie,
}

impl Place {
    /// Shows the values of this name to `accept`, in the request's order, until it takes one; whether it did.
    ///
    /// A name may have several values: several lines of a header, repeated parameters or cookies.
    ///
    /// **Cost**: no host call; allocates only for an encoded query parameter of that name.
    pub fn any(self, request: &Headers, name: &str, mut accept: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Header => request.all(name).any(accept),
            Self::Query => {
                let (_, query) = target::split(request.get(":path").unwrap_or_default());
                target::query_pairs(query)
                    .filter(|(found, _)| *target::form_decoded(found) == *name.as_bytes())
                    .any(|(_, value)| accept(&target::form_decoded(value)))
            }
            Self::Cookie => request.all("cookie").any(|line| {
                cookies(line).any(|(found, value)| found == name.as_bytes() && accept(value))
            }),
        }
    }

    /// The word for it in configurations and summaries.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Cookie => "cookie",
        }
    }

    /// The longest name in bytes: longer ones exist nowhere, and every request pays for comparing.
    const MAX_NAME: usize = 256;

    /// A name as it is compared here.
    ///
    /// # Errors
    /// The name is empty, too long, or has characters that no such name can have.
    pub fn parse_name(self, name: &str) -> Result<Box<str>, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > Self::MAX_NAME {
            return Err(NameError::Long { max: Self::MAX_NAME });
        }
        let token = match self {
            Self::Header if name.eq_ignore_ascii_case("host") => return Err(NameError::Host),
            Self::Header => name.strip_prefix(':').unwrap_or(name),
            Self::Query => return Ok(name.into()),
            Self::Cookie => name,
        };
        if token.is_empty() || !token.bytes().all(is_token) {
            return Err(NameError::Characters);
        }
        Ok(if self == Self::Header { name.to_ascii_lowercase().into() } else { name.into() })
    }
}

/// Why a text is no name; its `Display` tells how to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No text.
    #[error("fill it in")]
    Empty,
    /// More bytes than allowed.
    #[error("shorten it to {max} bytes")]
    Long {
        /// The bound.
        max: usize,
    },
    /// A header that Envoy turns into a pseudo header, so that none of this name is ever there.
    #[error("write \":authority\", as Envoy calls it")]
    Host,
    /// Characters that are in no name.
    #[error("use letters, digits and -, _ and the like, without blanks or colons")]
    Characters,
}

/// Whether a byte may stand in a name (RFC 9110, 5.6.2 `tchar`).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The pairs of one `cookie` line (RFC 6265, 5.4, read leniently): what has no `=` is no cookie.
fn cookies(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(at);
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    })
}

#[cfg(test)]
mod tests;
