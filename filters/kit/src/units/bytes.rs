//! Sizes in bytes.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, split_digits};

/// A number of bytes.
///
/// **Shape.** As text: digits and one unit, binary (`KiB MiB GiB TiB`), decimal (`kB MB GB TB`) or `B`:
/// `"64KiB"`, `"500B"`, `"64kB"`. Printed exactly, with the unit that needs the smallest number.
///
/// ```
/// use kit::units::Bytes;
/// assert_eq!("64KiB".parse(), Ok(Bytes(65_536)));
/// assert_eq!(Bytes(64_000).to_string(), "64kB");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// Units from the largest to the smallest.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

const SHAPE: UnitError =
    UnitError::Shape { shape: "a whole number and a unit, such as \"64KiB\" or \"500B\"" };

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);
    /// 1024 B.
    pub const KIB: Self = Self(1 << 10);
    /// 1024 KiB.
    pub const MIB: Self = Self(1 << 20);
    /// 1024 MiB.
    pub const GIB: Self = Self(1 << 30);

    /// This many times 1024 B.
    pub const fn from_kib(count: u64) -> Self {
        Self(Self::KIB.0.saturating_mul(count))
    }

    /// This many times 1024 KiB.
    pub const fn from_mib(count: u64) -> Self {
        Self(Self::MIB.0.saturating_mul(count))
    }

    /// The length of a slice.
    pub fn of(slice: &[u8]) -> Self {
        Self(u64::try_from(slice.len()).unwrap_or(u64::MAX))
    }

    /// As a length in memory; what the address space cannot hold becomes `usize::MAX`.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The sum, at most `u64::MAX`.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = UNITS.iter().find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        match largest {
            Some((unit, size)) => write!(f, "{}{unit}", self.0.checked_div(*size).unwrap_or(0)),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (digits, unit) = split_digits(text);
        if digits.is_empty() || !unit.chars().all(|c| c.is_ascii_alphabetic()) {
            return Err(SHAPE);
        }
        if unit.is_empty() {
            return Err(no_unit(digits));
        }
        let (_, size) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or(UnitError::UnknownUnit {
                known: "B, KiB, MiB, GiB, TiB (by 1024) and kB, MB, GB, TB (by 1000)",
            })?;
        let count: u64 = digits.parse().map_err(|_| UnitError::Overflow)?;
        count.checked_mul(*size).map(Self).ok_or(UnitError::Overflow)
    }
}

fn no_unit(digits: &str) -> UnitError {
    if digits.len() > 20 {
        return UnitError::Overflow;
    }
    UnitError::NoUnit { example: format!("\"{digits}B\" or \"{digits}KiB\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_size_agree() {
        for (text, size) in [
            ("0B", 0),
            ("500B", 500),
            ("1kB", 1_000),
            ("1KiB", 1_024),
            ("64kB", 64_000),
            ("64KiB", 65_536),
            ("1MiB", 1_048_576),
            ("3GB", 3_000_000_000),
            ("16TiB", 16 << 40),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(size)), "{text}");
            assert_eq!(Bytes(size).to_string(), text);
        }
    }

    #[test]
    fn a_refusal_says_how_to_write_it() {
        for (text, message) in [
            ("", "write a whole number and a unit, such as \"64KiB\" or \"500B\""),
            ("1.5MiB", "write a whole number and a unit, such as \"64KiB\" or \"500B\""),
            ("64 KiB", "write a whole number and a unit, such as \"64KiB\" or \"500B\""),
            ("64", "add a unit, such as \"64B\" or \"64KiB\""),
            ("64KB", "the units are B, KiB, MiB, GiB, TiB (by 1024) and kB, MB, GB, TB (by 1000)"),
            ("16777216TiB", "the value is too large to be counted"),
            ("99999999999999999999B", "the value is too large to be counted"),
            ("999999999999999999999", "the value is too large to be counted"),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap_err().to_string(), message, "{text}");
        }
    }
}
