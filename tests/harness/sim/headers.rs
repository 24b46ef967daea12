//! Header maps as a filter sees them, and the byte form in which they cross the ABI.

/// Most pairs that Envoy takes from a guest in one call; with more it drops all of them.
pub const MAX_PAIRS: usize = 1024;
/// Most bytes of serialized pairs that Envoy takes from a guest in one call; with more it drops all.
pub const MAX_PAIRS_BYTES: usize = 1024 * 1024;

/// A list of headers, names in lower case, values as bytes.
///
/// **Shape**: order of arrival; a name may occur several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The headers of `pairs`, in their order.
    pub fn of<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }

    /// The first value of `name`, which must be in lower case.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of `name` as text; a value that is not UTF-8 counts as absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of `name`.
    pub fn all(&self, name: impl AsRef<[u8]>) -> Vec<&[u8]> {
        let name = name.as_ref();
        self.iter().filter(|(own, _)| *own == name).map(|(_, value)| value).collect()
    }

    /// Appends one header.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Makes `value` the only value of `name`.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let place = self.0.iter().position(|(own, _)| *own == name);
        self.0.retain(|(own, _)| *own != name);
        let place = place.unwrap_or(self.0.len());
        self.0.insert(place.min(self.0.len()), (name, value.to_vec()));
    }

    /// Removes every value of `name`.
    pub fn remove(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        self.0.retain(|(own, _)| *own != name);
    }

    /// How many headers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Bytes of all names and values, as Envoy counts a header map.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The ABI's form: a count, the two lengths of each pair, then each part with a NUL after it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.len() * 10 + self.bytes());
        out.extend_from_slice(&length(self.len()));
        for (name, value) in self.iter() {
            out.extend_from_slice(&length(name.len()));
            out.extend_from_slice(&length(value.len()));
        }
        for part in self.iter().flat_map(|(name, value)| [name, value]) {
            out.extend_from_slice(part);
            out.push(0);
        }
        out
    }

    /// Reads what a guest sent; like Envoy it takes all of it or nothing.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        if bytes.len() > MAX_PAIRS_BYTES {
            return Self::new();
        }
        Self::try_decode(bytes).unwrap_or_default()
    }

    fn try_decode(bytes: &[u8]) -> Option<Self> {
        let (count, mut sizes) = take_length(bytes)?;
        if count > MAX_PAIRS {
            return None;
        }
        let mut parts = sizes.get(count * 8..)?;
        let mut headers = Self::new();
        for _ in 0..count {
            let (name_size, rest) = take_length(sizes)?;
            let (value_size, rest) = take_length(rest)?;
            sizes = rest;
            let (name, rest) = take_part(parts, name_size)?;
            let (value, rest) = take_part(rest, value_size)?;
            parts = rest;
            headers.add(name, value);
        }
        Some(headers)
    }
}

fn length(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

fn take_part(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let part = bytes.get(..size)?;
    let (terminator, rest) = bytes.get(size..)?.split_first()?;
    (*terminator == 0).then_some((part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_way_through_the_abi() {
        let headers = Headers::of([(&b"a"[..], &b"\xff\x00"[..]), (b"", b""), (b"a", b"2")]);
        assert_eq!(Headers::decode(&headers.encode()), headers);
    }

    #[test]
    fn too_many_pairs_are_dropped_as_a_whole() {
        let pairs = |count: usize| Headers::of((0..count).map(|n| (format!("h{n}"), "v")));
        assert_eq!(Headers::decode(&pairs(MAX_PAIRS).encode()).len(), MAX_PAIRS);
        assert!(Headers::decode(&pairs(MAX_PAIRS + 1).encode()).is_empty());
        let big = Headers::of([("h", "v".repeat(MAX_PAIRS_BYTES))]);
        assert!(Headers::decode(&big.encode()).is_empty());
    }

    #[test]
    fn broken_pairs_are_dropped_as_a_whole() {
        let mut bytes = Headers::of([("a", "b"), ("c", "d")]).encode();
        bytes.pop();
        assert!(Headers::decode(&bytes).is_empty());
        assert!(Headers::decode(b"\xff\xff\xff\xff").is_empty());
    }

    #[test]
    fn set_keeps_one_value_in_the_place_of_the_first() {
        let mut headers = Headers::of([("a", "1"), ("b", "2"), ("A", "3")]);
        headers.set(b"A", b"4");
        assert_eq!(headers, Headers::of([("a", "4"), ("b", "2")]));
    }
}
