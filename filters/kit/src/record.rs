//! What is kept in shared data: bytes with a version in front.
//!
//! State outlives a configuration update and a crashed VM, and a new release may meet the bytes of an old one.
//! The first byte says which; a record of another version is ignored, never misread.
//! This is the only module that names bincode.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// No record is larger, and no bytes make reading allocate more than this at a time:
/// a length in foreign bytes can claim anything.
pub const MAX_SIZE: usize = 4 << 20;

/// Integers at fixed width, so that a record's size is known from its shape; little-endian.
const FORM: Configuration<LittleEndian, Fixint, Limit<MAX_SIZE>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit();

/// A value as bytes, its version first.
///
/// A value that can not be written (a sequence of unknown length, say) becomes a lone version byte,
/// which reads as nothing.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    if let Ok(mut body) = bincode::serde::encode_to_vec(value, FORM) {
        bytes.append(&mut body);
    }
    bytes
}

/// The value in these bytes, if they are of this version, whole, and nothing follows.
pub fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Option<T> {
    let (found, body) = bytes.split_first()?;
    if *found != version {
        return None;
    }
    let (value, used) = bincode::serde::decode_from_slice(body, FORM).ok()?;
    (used == body.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(target_arch = "wasm32"))]
    use proptest::prelude::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn another_version_is_ignored() {
        let bytes = encode(1, &(7_u64, String::from("x")));
        assert_eq!(decode(1, &bytes), Some((7_u64, String::from("x"))));
        assert_eq!(decode::<(u64, String)>(2, &bytes), None);
    }

    #[test]
    fn bytes_too_few_or_too_many_are_ignored() {
        let bytes = encode(1, &7_u64);
        assert_eq!(decode::<u64>(1, &bytes[..bytes.len() - 1]), None);
        assert_eq!(decode::<u64>(1, &[&bytes[..], &[0]].concat()), None);
        assert_eq!(decode::<u64>(1, &[]), None);
    }

    #[cfg(not(target_arch = "wasm32"))]
    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(bytes: Vec<u8>) {
            let _ = decode::<(u64, Vec<String>, Option<Vec<u8>>)>(bytes.first().copied().unwrap_or(0), &bytes);
        }
    }
}
