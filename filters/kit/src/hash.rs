//! Keyed hashing: what places a client's key in a table.
//!
//! The key of the hash is drawn once per Envoy process and kept in shared data, so that all workers agree
//! and nobody outside can aim at a bucket (SipHash: Aumasson and Bernstein, 2012).

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

use crate::exchange::Host;

/// The shared name of the secret.
const SECRET_KEY: &str = "weir/secret";

/// The process-wide secret of all hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// A secret of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The secret of this process, drawn by whoever asks first.
    ///
    /// The first is the canary on the main thread, before any worker exists, so two can not draw at once.
    pub fn of_process(host: &dyn Host) -> Self {
        if let Some(found) = host.shared_get(SECRET_KEY)
            && let Ok(bytes) = <[u8; 16]>::try_from(found.value.as_slice())
        {
            return Self(bytes);
        }
        let mut bytes = [0; 16];
        let (low, high) = bytes.split_at_mut(8);
        low.copy_from_slice(&host.random().to_le_bytes());
        high.copy_from_slice(&host.random().to_le_bytes());
        if let Err(error) = host.shared_set(SECRET_KEY, &bytes, None) {
            log::error!(
                "kit: secret not shared: {error}; workers will not see each other's keyed state"
            );
        }
        Self(bytes)
    }

    /// The tag of these bytes.
    pub fn tag(&self, bytes: &[u8]) -> Tag {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(bytes);
        let hash = hasher.finish128().as_u128();
        // Zero marks an empty slot; a key that hashes to it (one in 2^128) shares the tag of another.
        Tag(if hash == 0 { 1 } else { hash })
    }
}

impl Secret {
    /// What stands for a tag wherever it is told: 16 hexadecimal digits of its own tag.
    ///
    /// Tags place keys in tables; who knew them could find out which keys crowd each other out.
    pub fn alias(&self, tag: [u8; 16]) -> String {
        let bytes = self.tag(&tag).to_bytes();
        hex(bytes.get(..8).unwrap_or_default())
    }
}

/// Bytes in hexadecimal digits, lower case.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// 128 keyed bits that stand for a key; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u128);

impl Tag {
    /// The tag as it is stored: 16 bytes, little-endian.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The tag that is stored as these bytes; none if they mark an empty slot.
    pub(crate) const fn of_bytes(bytes: [u8; 16]) -> Option<Self> {
        match u128::from_le_bytes(bytes) {
            0 => None,
            tag => Some(Self(tag)),
        }
    }

    /// The bucket for this tag among `n_buckets`, all equally likely.
    pub fn bucket(self, n_buckets: u32) -> u32 {
        let high = self.0 >> 64;
        u32::try_from((high * u128::from(n_buckets)) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn another_secret_gives_another_tag() {
        let (a, b) = (Secret::new([1; 16]), Secret::new([2; 16]));
        assert_eq!(a.tag(b"key"), a.tag(b"key"));
        assert_ne!(a.tag(b"key"), b.tag(b"key"));
        assert_ne!(a.tag(b"key"), a.tag(b"kez"));
    }

    #[test]
    fn buckets_are_in_range_and_evenly_used() {
        let secret = Secret::new([7; 16]);
        let mut counts = [0_u32; 10];
        for n in 0..10_000_u32 {
            counts[secret.tag(&n.to_le_bytes()).bucket(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn an_alias_is_short_and_not_the_tag() {
        let secret = Secret::new([7; 16]);
        let tag = secret.tag(b"key").to_bytes();
        let alias = secret.alias(tag);
        assert_eq!(alias, hex(&secret.tag(&tag).to_bytes())[..16]);
        assert_ne!(alias, hex(&tag)[..16]);
        assert_eq!(hex(&[0x00, 0x0f, 0xa9]), "000fa9");
    }

    #[test]
    fn debug_output_does_not_tell_the_secret() {
        assert_eq!(format!("{:?}", Secret::new([9; 16])), "Secret(..)");
    }
}
