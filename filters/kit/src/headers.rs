//! One header map, as the host hands it over.
//!
//! The host copies a whole map into one buffer; this view reads it in place.
//! Values are bytes until something proves them text: clients may send any.

use std::fmt;

/// The bytes of a header map in the ABI's "pairs" form, and reading over them.
///
/// **Shape**: `u32` count, then per pair `u32` name length and `u32` value length, then per pair the
/// name, a NUL, the value, a NUL; all little-endian.
/// Names are lower case; pseudo headers keep their colon; a name may occur several times.
/// A buffer that does not keep this shape reads as if it ended before the first bad pair.
///
/// **Cost**: a lookup compares lengths first and touches no name of another length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    pairs: Vec<u8>,
}

const WORD: usize = 4;

impl Headers {
    /// Takes the host's buffer as it is.
    pub const fn from_pairs(pairs: Vec<u8>) -> Self {
        Self { pairs }
    }

    /// Makes a map of these pairs, in this order.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Self {
        Self { pairs: encode_pairs(pairs) }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no pair at all: also what an unavailable map reads as.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The pairs in the host's order.
    pub fn iter(&self) -> Iter<'_> {
        let count = word(&self.pairs, 0).unwrap_or(0);
        Iter {
            pairs: &self.pairs,
            sizes_at: WORD,
            data_at: WORD.saturating_add(count.saturating_mul(2 * WORD)),
            left: count,
        }
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// Every value of this name, in order: a field may come in several lines.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of this name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The bytes in the ABI's form.
    pub fn as_pairs(&self) -> &[u8] {
        &self.pairs
    }

    /// The same map with every value of `name` replaced by this one, or removed.
    pub fn with(&self, name: &str, value: Option<&[u8]>) -> Self {
        let mut pairs: Vec<(&[u8], &[u8])> =
            self.iter().filter(|(found, _)| *found != name.as_bytes()).collect();
        if let Some(value) = value {
            pairs.push((name.as_bytes(), value));
        }
        Self::new(&pairs)
    }

    /// The same map with one more value of `name`.
    pub fn with_added(&self, name: &str, value: &[u8]) -> Self {
        let mut pairs: Vec<(&[u8], &[u8])> = self.iter().collect();
        pairs.push((name.as_bytes(), value));
        Self::new(&pairs)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                (
                    String::from_utf8_lossy(name).into_owned(),
                    String::from_utf8_lossy(value).into_owned(),
                )
            }))
            .finish()
    }
}

/// Iterates over the pairs of a [`Headers`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    pairs: &'a [u8],
    sizes_at: usize,
    data_at: usize,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // Every header of every request passes here: a call of its own costs a filter 12 % of a hit.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name_len = word(self.pairs, self.sizes_at)?;
        let value_len = word(self.pairs, self.sizes_at.checked_add(WORD)?)?;
        let name_end = self.data_at.checked_add(name_len)?;
        let value_at = name_end.checked_add(1)?;
        let value_end = value_at.checked_add(value_len)?;
        let name = self.pairs.get(self.data_at..name_end)?;
        let value = self.pairs.get(value_at..value_end)?;
        self.sizes_at = self.sizes_at.checked_add(2 * WORD)?;
        self.data_at = value_end.checked_add(1)?;
        Some((name, value))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let (bytes, _) = bytes.get(at..)?.split_first_chunk::<WORD>()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

/// Fields of one connection or one hop (RFC 9110, 7.6.1 and 11.7; RFC 9111, 3.1): lower case.
///
/// What a `Connection` field lists besides is for whoever reads it.
pub const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Whether a field is in [`HOP_BY_HOP`].
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|hop| hop.as_bytes() == name)
}

/// Writes pairs in the ABI's form; see [`Headers`] for the shape.
pub fn encode_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    let data: usize = pairs.iter().map(|(n, v)| n.as_ref().len() + v.as_ref().len() + 2).sum();
    let mut out = Vec::with_capacity(WORD + pairs.len() * 2 * WORD + data);
    push_word(&mut out, pairs.len());
    for (name, value) in pairs {
        push_word(&mut out, name.as_ref().len());
        push_word(&mut out, value.as_ref().len());
    }
    for (name, value) in pairs {
        out.extend_from_slice(name.as_ref());
        out.push(0);
        out.extend_from_slice(value.as_ref());
        out.push(0);
    }
    out
}

fn push_word(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(target_arch = "wasm32"))]
    use proptest::prelude::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn sample() -> Headers {
        Headers::new(&[
            (":method", &b"GET"[..]),
            ("accept", b"a"),
            ("x", b"\xff"),
            ("accept", b"b"),
        ])
    }

    #[test]
    fn finds_the_first_and_all_values_of_a_name() {
        let headers = sample();
        assert_eq!(headers.get("accept"), Some(&b"a"[..]));
        assert_eq!(headers.all("accept").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(headers.get("none"), None);
        assert_eq!(headers.len(), 4);
    }

    #[test]
    fn a_value_that_is_not_text_is_bytes_and_no_text() {
        assert_eq!(sample().get("x"), Some(&b"\xff"[..]));
        assert_eq!(sample().text("x"), None);
    }

    #[test]
    fn setting_replaces_every_value() {
        let headers = sample().with("accept", Some(b"c"));
        assert_eq!(headers.all("accept").collect::<Vec<_>>(), [b"c"]);
        assert_eq!(headers.with("accept", None).get("accept"), None);
        assert_eq!(sample().with_added("accept", b"c").all("accept").count(), 3);
    }

    #[cfg(not(target_arch = "wasm32"))]
    proptest! {
        #[test]
        fn reading_undoes_writing(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let headers = Headers::new(&pairs);
            let read: Vec<_> = headers.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_bytes_read_without_a_panic(bytes: Vec<u8>) {
            let _ = Headers::from_pairs(bytes).iter().count();
        }
    }
}
