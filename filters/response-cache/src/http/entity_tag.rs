//! Entity tags: what tells two forms of a representation apart.
//!
//! A tag is read strictly: `W/` in upper case, quotes, and in them nothing but visible characters and bytes above ASCII.
//! What is no tag equals nothing, so that a slip of the origin costs a transfer and never a wrong answer.
//!
//! ```
//! use weir_response_cache::http::entity_tag::EntityTag;
//!
//! let strong = EntityTag::read(b"\"1\"").unwrap();
//! let weak = EntityTag::read(b"W/\"1\"").unwrap();
//! assert!(strong.is_same(weak) && !strong.is_identical(weak));
//! ```
//!
//! The crates that were weighed for this (`headers` 0.4 with its `ETag`, `IfNoneMatch`) take a whole HTTP library along
//! and keep tags as text; this is less code than their conversion.
//!
//! **Source**: RFC 9110 sections 8.8.3 (ETag), 8.8.3.2 (comparison), 13.1.2 (lists of tags), 5.6.1 (lists).

use kit::headers::Headers;

use crate::http::field::trim;

/// One entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// It stands for representations that are as good as each other, not byte for byte the same.
    pub weak: bool,
    /// What stands between its quotes.
    pub opaque: &'a [u8],
}

/// The `ETag` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged<'a> {
    /// It has none.
    Untagged,
    /// It has this one.
    With(EntityTag<'a>),
    /// It is no tag, or there are several different ones.
    Unclear,
}

impl<'a> EntityTag<'a> {
    /// The tag that is this whole value, blanks around it aside.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::take(trim(value))?;
        rest.is_empty().then_some(tag)
    }

    /// Weak comparison: the same but for weakness.
    pub fn is_same(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    /// Strong comparison: the same, and neither is weak.
    pub fn is_identical(self, other: Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// One tag from the front, and what follows it.
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match bytes.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, bytes),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| !is_tag_byte(*byte))?;
        let (opaque, rest) = inner.split_at_checked(end)?;
        Some((Self { weak, opaque }, rest.strip_prefix(b"\"")?))
    }
}

/// The tag that these fields carry.
pub fn tagged(headers: &Headers) -> Tagged<'_> {
    let mut tagged = Tagged::Untagged;
    for line in headers.all("etag") {
        let read = EntityTag::read(line).map_or(Tagged::Unclear, Tagged::With);
        tagged = if tagged == Tagged::Untagged || tagged == read { read } else { Tagged::Unclear };
    }
    tagged
}

/// The tags of one line of a list; `None` if anything in it is no tag.
///
/// A tag may hold commas, so the list is cut at quotes. Empty members are skipped.
pub fn list(line: &[u8]) -> Option<Vec<EntityTag<'_>>> {
    let mut tags = Vec::new();
    let mut rest = line;
    loop {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            return Some(tags);
        }
        let (tag, after) = EntityTag::take(rest)?;
        tags.push(tag);
        rest = trim(after);
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

/// `etagc`: visible ASCII but the quote, and everything above ASCII.
const fn is_tag_byte(byte: u8) -> bool {
    byte > b' ' && byte != b'"' && byte != 0x7f
}
