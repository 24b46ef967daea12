//! The tags of a response: what it can be purged by.
//!
//! `Surrogate-Key` separates them by blanks, `Cache-Tag` by commas; a field of another name does as its name says:
//! one that ends in `-tag` or `-tags` separates by commas, every other by blanks.
//! Tags are bytes and compared as they are, upper and lower case apart. Several lines and fields add up.
//!
//! **Bounds**: [`MAX_TAG`] bytes each, [`MAX_TAGS`] tags, [`MAX_FIELDS`] bytes of all lines together.
//! A response with more is not stored: what could not be purged is worse than what has to be fetched.
//!
//! **Source**: no standard; Fastly's `Surrogate-Key` (1,024 bytes a key, 16,384 a field, space-separated),
//! Cloudflare's and Akamai's `Cache-Tag` (comma-separated, 16 KiB).

use kit::headers::Headers;

use crate::http::field::trim;

/// The fields that are read unless the configuration names others.
pub const DEFAULT_FIELDS: [&str; 2] = ["surrogate-key", "cache-tag"];

/// The longest tag, in bytes.
pub const MAX_TAG: usize = 1_024;

/// Different tags of one response.
pub const MAX_TAGS: usize = 128;

/// Bytes of all lines of all tag fields of one response.
pub const MAX_FIELDS: usize = 16 << 10;

/// A response has more tags, or longer ones, than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_TAGS} tags, {MAX_TAG} bytes of one or {MAX_FIELDS} of all")]
pub struct TooMuch;

/// The tags in these fields (lower-case names), each once, in the order in which they come.
///
/// # Errors
/// [`TooMuch`], and nothing is cut off.
///
/// **Cost**: no allocation where there are none.
pub fn read<S: AsRef<str>>(headers: &Headers, fields: &[S]) -> Result<Vec<Vec<u8>>, TooMuch> {
    let mut tags: Vec<Vec<u8>> = Vec::new();
    let mut n_bytes = 0_usize;
    for field in fields.iter().map(AsRef::as_ref) {
        let by_comma = field.ends_with("-tag") || field.ends_with("-tags");
        let separates = |byte: &u8| match by_comma {
            true => *byte == b',',
            false => matches!(byte, b' ' | b'\t'),
        };
        for line in headers.all(field) {
            n_bytes = n_bytes.saturating_add(line.len());
            if n_bytes > MAX_FIELDS {
                return Err(TooMuch);
            }
            for tag in line.split(separates).map(trim).filter(|tag| !tag.is_empty()) {
                if tag.len() > MAX_TAG {
                    return Err(TooMuch);
                }
                if tags.iter().any(|found| found == tag) {
                    continue;
                }
                if tags.len() == MAX_TAGS {
                    return Err(TooMuch);
                }
                tags.push(tag.to_vec());
            }
        }
    }
    Ok(tags)
}
