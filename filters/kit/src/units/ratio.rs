//! Shares of a whole.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, split_digits};

/// A share from nothing to all, exact to one part per million.
///
/// **Shape.** As text: a percentage with at most four decimals, `"12.5%"`; no other form.
///
/// ```
/// use kit::units::Ratio;
/// let half: Ratio = "50%".parse()?;
/// assert!(half.is_reached_by(5, 10));
/// assert!(!half.is_reached_by(4, 10));
/// # Ok::<(), kit::units::UnitError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u32);

/// Parts in the whole.
const WHOLE: u32 = 1_000_000;
/// Parts in one percent.
const PERCENT: u32 = 10_000;
/// Decimals of a percentage that a part per million can express.
const DECIMALS: usize = 4;

const SHAPE: UnitError =
    UnitError::Shape { shape: "a percentage with at most 4 decimals, such as \"12.5%\"" };

impl Ratio {
    /// Nothing of the whole.
    pub const ZERO: Self = Self(0);
    /// The smallest share above nothing: one part per million.
    pub const MIN_POSITIVE: Self = Self(1);
    /// All of the whole.
    pub const ONE: Self = Self(WHOLE);

    /// This many parts per million, at most all.
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm > WHOLE { Self::ONE } else { Self(ppm) }
    }

    /// This many percent, at most all.
    pub const fn from_percent(percent: u32) -> Self {
        Self::from_ppm(percent.saturating_mul(PERCENT))
    }

    /// In parts per million, `0..=1_000_000`.
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// As a fraction, `0.0..=1.0`.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// This share of `whole`, rounded down; exact for every `whole`.
    pub fn of(self, whole: u64) -> u64 {
        let share = u128::from(whole).saturating_mul(u128::from(self.0)) / u128::from(WHOLE);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// Whether `part` out of `whole` is at least this share; exact, and never for an empty whole.
    pub fn is_reached_by(self, part: u64, whole: u64) -> bool {
        let have = u128::from(part).saturating_mul(u128::from(WHOLE));
        whole > 0 && have >= u128::from(whole).saturating_mul(u128::from(self.0))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:04}", self.0 % PERCENT);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{}{point}{decimals}%", self.0 / PERCENT)
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let Some(number) = text.strip_suffix('%') else {
            return Err(no_percent(text));
        };
        let (whole, rest) = split_digits(number);
        if whole.is_empty() {
            return Err(SHAPE);
        }
        let whole: u32 = whole.parse().map_err(|_| UnitError::Overflow)?;
        let parts = whole.checked_mul(PERCENT).and_then(|parts| parts.checked_add(decimals(rest)?));
        match parts {
            Some(parts) if parts <= WHOLE => Ok(Self(parts)),
            Some(_) => Err(UnitError::Shape { shape: "at most \"100%\"" }),
            None if decimals(rest).is_none() => Err(SHAPE),
            None => Err(UnitError::Overflow),
        }
    }
}

/// Parts per million in the decimals of a percentage: `".5"` gives 5000, `""` none.
fn decimals(text: &str) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix('.')?;
    let plain = !digits.is_empty()
        && digits.len() <= DECIMALS
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return None;
    }
    format!("{digits:0<width$}", width = DECIMALS).parse().ok()
}

fn no_percent(text: &str) -> UnitError {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() || digits.len() > 3 || !rest.is_empty() {
        return SHAPE;
    }
    UnitError::NoUnit { example: format!("\"{digits}%\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_share_agree() {
        for (text, ppm) in [
            ("0%", 0),
            ("0.0001%", 1),
            ("0.5%", 5_000),
            ("12.5%", 125_000),
            ("99.9999%", 999_999),
            ("100%", 1_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Ratio(ppm)), "{text}");
            assert_eq!(Ratio(ppm).to_string(), text);
        }
        assert_eq!("12.5000%".parse(), Ok(Ratio(125_000)));
    }

    #[test]
    fn a_refusal_says_how_to_write_it() {
        for (text, message) in [
            ("", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            ("0.5", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            (".5%", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            ("5.%", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            ("5.00001%", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            ("5 %", "write a percentage with at most 4 decimals, such as \"12.5%\""),
            ("50", "add a unit, such as \"50%\""),
            ("100.0001%", "write at most \"100%\""),
            ("99999999999%", "the value is too large to be counted"),
        ] {
            assert_eq!(text.parse::<Ratio>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn shares_are_exact_at_the_edges() {
        assert_eq!(Ratio::ONE.of(u64::MAX), u64::MAX);
        assert_eq!(Ratio::from_percent(50).of(3), 1);
        assert_eq!(Ratio::from_percent(200), Ratio::ONE);
        assert!(Ratio::ONE.is_reached_by(u64::MAX, u64::MAX));
        assert!(!Ratio::ZERO.is_reached_by(0, 0));
    }
}
