//! Paths: one of four shapes, over the canonical spelling.

use std::fmt;

use super::regex::{Pattern, REGEX_FORM};
use crate::config::Fields;
use crate::target::canonical_path;

/// What a path must be. Literals are held in canonical form, as the paths that they are compared with.
#[derive(Clone, Debug)]
pub(super) enum PathPattern {
    /// This path.
    Exact(Box<str>),
    /// This path, or any below it: `/api` means `/api` and `/api/x`, not `/apix`.
    /// With a slash at its end it means only what is below.
    Prefix(Box<str>),
    /// A path of these segments.
    Template(Template),
    /// A path that satisfies the expression.
    Regex(Pattern),
}

impl PathPattern {
    /// Reads the fields of a `path` object.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        const LITERAL: &str = "a path such as \"/api\"";
        const TEMPLATE: &str = "a path such as \"/users/{id}/orders/*\" or \"/files/**\"";
        fields.exactly_one_of(&["exact", "prefix", "template", "regex"]);
        let exact = fields.optional_parsed("exact", LITERAL, literal).map(Self::Exact);
        let prefix = fields.optional_parsed("prefix", LITERAL, literal).map(Self::Prefix);
        let template =
            fields.optional_parsed("template", TEMPLATE, Template::parse).map(Self::Template);
        let regex =
            fields.optional_parsed("regex", REGEX_FORM, Pattern::parse_for_paths).map(Self::Regex);
        exact.or(prefix).or(template).or(regex)
    }

    pub(super) fn is_regex(&self) -> bool {
        matches!(self, Self::Regex(_))
    }

    /// Whether a path in canonical form is meant.
    pub(super) fn accepts(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == &**exact,
            Self::Prefix(prefix) => is_below(path, prefix),
            Self::Template(template) => template.accepts(path),
            Self::Regex(pattern) => pattern.accepts(path.as_bytes()),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "below {prefix}"),
            Self::Template(template) => f.write_str(&template.text),
            Self::Regex(pattern) => write!(f, "{pattern}"),
        }
    }
}

/// Whether `path` is `prefix` or continues it at a segment's end; both in canonical form.
pub fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// Why a text is no path; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("begin it with /")]
    NoSlash,
    #[error(
        "leave the query out, paths are compared without it; the field `query` matches parameters"
    )]
    Query,
    #[error("leave the part after # out, clients do not send it")]
    Fragment,
    #[error("shorten it to {MAX_LITERAL} bytes")]
    Long,
    #[error("let each *, ** and {{name}} fill a whole segment")]
    PartOfSegment,
    #[error("put ** last, or use * for each single segment")]
    RestNotLast,
    #[error("name each segment once, with letters, digits and _")]
    SegmentName,
}

/// The longest path of a rule, in bytes.
const MAX_LITERAL: usize = 1_024;

/// A path of a rule in canonical form.
pub(crate) fn literal(text: &str) -> Result<Box<str>, PathError> {
    if !text.starts_with('/') {
        return Err(PathError::NoSlash);
    }
    if text.len() > MAX_LITERAL {
        return Err(PathError::Long);
    }
    if text.contains('?') {
        return Err(PathError::Query);
    }
    if text.contains('#') {
        return Err(PathError::Fragment);
    }
    Ok(canonical_path(text.as_bytes()).into())
}

/// A path by its segments.
#[derive(Clone, Debug)]
pub(super) struct Template {
    text: Box<str>,
    segments: Vec<Segment>,
    /// Whether anything may follow, or nothing: the template ends with `**`.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    /// Any one segment that is not empty.
    Any,
}

impl Template {
    fn parse(text: &str) -> Result<Self, PathError> {
        literal(text)?;
        let mut names: Vec<&str> = Vec::new();
        let mut segments = Vec::new();
        let mut open = false;
        for part in text.split('/').skip(1) {
            if open {
                return Err(PathError::RestNotLast);
            }
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            match (part, name) {
                ("**", _) => open = true,
                ("*", _) => segments.push(Segment::Any),
                (_, Some(name)) => {
                    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                    if name.is_empty() || !name.bytes().all(word) || names.contains(&name) {
                        return Err(PathError::SegmentName);
                    }
                    names.push(name);
                    segments.push(Segment::Any);
                }
                (_, None) if part.contains(['*', '{', '}']) => {
                    return Err(PathError::PartOfSegment);
                }
                (_, None) => {
                    segments.push(Segment::Literal(canonical_path(part.as_bytes()).into()));
                }
            }
        }
        Ok(Self { text: text.into(), segments, open })
    }

    fn accepts(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut parts = path.split('/');
        for segment in &self.segments {
            let fits = match (segment, parts.next()) {
                (Segment::Literal(literal), Some(part)) => part == &**literal,
                (Segment::Any, Some(part)) => !part.is_empty(),
                (_, None) => false,
            };
            if !fits {
                return false;
            }
        }
        self.open || parts.next().is_none()
    }
}
