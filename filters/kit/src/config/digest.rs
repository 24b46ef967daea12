//! Reads secrets of which the configuration holds only the hash.

use super::fields::Fields;
use super::secret::Secret;

/// The hash of the empty text: what the command prints when its variable is not set.
const HASH_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Lengths that are looked at: a value of another length is no hash, and may be what should have been hashed.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=4_096;

impl Fields<'_> {
    /// The SHA-256 of a secret, as 64 hexadecimal digits; what is written there is never shown.
    ///
    /// `secret` is the word for what was hashed, such as `token`; its upper case names a shell variable.
    /// The hash of the empty text is refused: anybody can send that.
    /// `None` if the field is missing or wrong, both with a problem recorded.
    pub fn sha256(&mut self, name: &'static str, secret: &str) -> Option<[u8; 32]> {
        if !self.has(name) {
            self.know(&[name]);
            let mend = format_args!("print it with: {}", command(secret));
            self.problem(name, "nothing", allowed(secret), mend);
            return None;
        }
        self.optional_sha256(name, secret)
    }

    /// The SHA-256 of a secret, as [`Fields::sha256`].
    ///
    /// `None` if the field is absent, or wrong.
    pub fn optional_sha256(&mut self, name: &'static str, secret: &str) -> Option<[u8; 32]> {
        let written = self.optional_secret(name, LENGTHS)?;
        self.hash(name, secret, &written)
    }

    fn hash(&mut self, name: &str, secret: &str, written: &Secret) -> Option<[u8; 32]> {
        let (allowed, command) = (allowed(secret), command(secret));
        let Some(hash) = parse_hash(written.reveal()) else {
            self.problem(
                name,
                format_args!("a value that is no such hash, perhaps the {secret} itself"),
                allowed,
                format_args!(
                    "choose a new {secret} if this was one, and print its hash with: {command}"
                ),
            );
            return None;
        };
        if hash == HASH_OF_NOTHING {
            let mend = format_args!("set {} before: {command}", secret.to_ascii_uppercase());
            self.problem(name, "the hash of an empty text", allowed, mend);
            return None;
        }
        Some(hash)
    }
}

fn allowed(secret: &str) -> String {
    format!("the SHA-256 of the {secret} as 64 hexadecimal digits")
}

/// What prints the hash of a secret that stands in the variable of its name.
fn command(secret: &str) -> String {
    format!("printf %s \"${}\" | sha256sum", secret.to_ascii_uppercase())
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(json: &str) -> Result<Option<[u8; 32]>, String> {
        load("test", json.as_bytes(), |fields| fields.sha256("key", "key"))
            .map_err(|problems| problems.lines().next().unwrap_or_default())
    }

    #[test]
    fn a_hash_is_read_in_any_case() {
        let expected = Some(std::array::from_fn(|_| 0xab));
        for digits in ["ab", "AB", "aB"] {
            assert_eq!(read(&format!(r#"{{"key": "{}"}}"#, digits.repeat(32))), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_hash_is_not_shown() {
        let missing = "test: key: found nothing, \
             allowed the SHA-256 of the key as 64 hexadecimal digits; \
             print it with: printf %s \"$KEY\" | sha256sum";
        assert_eq!(read("{}"), Err(missing.to_owned()));
        let none = "test: key: found a value that is no such hash, perhaps the key itself, \
             allowed the SHA-256 of the key as 64 hexadecimal digits; \
             choose a new key if this was one, and print its hash with: printf %s \"$KEY\" | sha256sum";
        for written in ["tiger", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(
                read(&format!(r#"{{"key": "{written}"}}"#)),
                Err(none.to_owned()),
                "{written}"
            );
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            read(&format!(r#"{{"key": "{empty}"}}"#)),
            Err("test: key: found the hash of an empty text, \
                 allowed the SHA-256 of the key as 64 hexadecimal digits; \
                 set KEY before: printf %s \"$KEY\" | sha256sum"
                .to_owned())
        );
    }
}
