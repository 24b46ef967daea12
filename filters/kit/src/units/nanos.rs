//! Time in nanoseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{UnitError, split_digits};

/// A span of time, or an instant of a monotonic clock, in nanoseconds.
///
/// All arithmetic saturates: a clock that jumps backwards gives a span of zero, never a wrap.
///
/// **Shape.** As text: digits and a unit (`d h m s ms us ns`), several parts from the largest unit down:
/// `"250ms"`, `"1s"`, `"1h30m"`, `"30d"`. Printed exactly; hours go up to 48, then days are used.
///
/// ```
/// use kit::units::Nanos;
/// assert_eq!("1m30s".parse(), Ok(Nanos::from_secs(90)));
/// assert_eq!(Nanos::from_millis(250).to_string(), "250ms");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Nanos(pub u64);

/// Units from the largest to the smallest.
const UNITS: [(&str, Nanos); 7] = [
    ("d", Nanos::DAY),
    ("h", Nanos::HOUR),
    ("m", Nanos::MINUTE),
    ("s", Nanos::SECOND),
    ("ms", Nanos::MILLISECOND),
    ("us", Nanos::MICROSECOND),
    ("ns", Nanos(1)),
];

const SHAPE: UnitError =
    UnitError::Shape { shape: "a whole number and a unit, such as \"250ms\" or \"1h30m\"" };

impl Nanos {
    /// No time at all, and the start of a monotonic clock.
    pub const ZERO: Self = Self(0);
    /// The longest span, about 584 years.
    pub const MAX: Self = Self(u64::MAX);
    /// 1 µs.
    pub const MICROSECOND: Self = Self(1_000);
    /// 1 ms.
    pub const MILLISECOND: Self = Self(1_000_000);
    /// 1 s.
    pub const SECOND: Self = Self(1_000_000_000);
    /// 60 s.
    pub const MINUTE: Self = Self::from_secs(60);
    /// 60 min.
    pub const HOUR: Self = Self::from_secs(3_600);
    /// 24 h.
    pub const DAY: Self = Self::from_secs(86_400);

    /// This many microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self::MICROSECOND.saturating_mul(micros)
    }

    /// This many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self::MILLISECOND.saturating_mul(millis)
    }

    /// This many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self::SECOND.saturating_mul(secs)
    }

    /// This many minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Self::MINUTE.saturating_mul(mins)
    }

    /// This many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::HOUR.saturating_mul(hours)
    }

    /// This many days of 24 h.
    pub const fn from_days(days: u64) -> Self {
        Self::DAY.saturating_mul(days)
    }

    /// Whole microseconds, the rest cut off.
    pub const fn as_micros(self) -> u64 {
        self.0 / Self::MICROSECOND.0
    }

    /// Whole milliseconds, the rest cut off.
    pub const fn as_millis(self) -> u64 {
        self.0 / Self::MILLISECOND.0
    }

    /// Whole seconds, the rest cut off.
    pub const fn as_secs(self) -> u64 {
        self.0 / Self::SECOND.0
    }

    /// Whole seconds, a begun one counted: what `Retry-After` needs, so that a client never comes too early.
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(Self::SECOND.0)
    }

    /// Whole milliseconds, a begun one counted.
    pub const fn as_millis_ceil(self) -> u64 {
        self.0.div_ceil(Self::MILLISECOND.0)
    }

    /// Seconds as a fraction, for display and ratios only: the number that is nearest to the decimal one, so that it is
    /// written with as few digits. The sum of whole seconds and a fraction would have more, as in 2.4137779999999998.
    ///
    /// **Cost**: a text of at most 30 characters.
    pub fn as_secs_f64(self) -> f64 {
        let span = Duration::from(self);
        format!("{}.{:09}", span.as_secs(), span.subsec_nanos()).parse().unwrap_or(f64::MAX)
    }

    /// The sum, at most [`Nanos::MAX`].
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero: `now.saturating_sub(then)` is the age of `then`.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This span `times` over, at most [`Nanos::MAX`].
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// One of `parts` equal parts, rounded down; `None` for no parts.
    pub const fn checked_div(self, parts: u64) -> Option<Self> {
        match self.0.checked_div(parts) {
            Some(part) => Some(Self(part)),
            None => None,
        }
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Saturates at [`Nanos::MAX`].
impl Add for Nanos {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

/// Saturates at [`Nanos::MAX`].
impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        *self = self.saturating_add(other);
    }
}

/// Saturates at zero.
impl Sub for Nanos {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

/// Saturates at zero.
impl SubAssign for Nanos {
    fn sub_assign(&mut self, other: Self) {
        *self = self.saturating_sub(other);
    }
}

impl From<Nanos> for Duration {
    fn from(span: Nanos) -> Self {
        Self::from_nanos(span.0)
    }
}

/// Saturates at [`Nanos::MAX`].
impl From<Duration> for Nanos {
    fn from(span: Duration) -> Self {
        u64::try_from(span.as_nanos()).map_or(Self::MAX, Self)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let in_days = *self >= Self::from_days(2);
        let mut rest = self.0;
        for (unit, size) in UNITS {
            if size == Self::DAY && !in_days {
                continue;
            }
            let count = rest.checked_div(size.0).unwrap_or(0);
            if count > 0 {
                write!(f, "{count}{unit}")?;
                rest = rest.saturating_sub(count.saturating_mul(size.0));
            }
        }
        Ok(())
    }
}

impl FromStr for Nanos {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.is_empty() {
            return Err(SHAPE);
        }
        let mut total = 0_u64;
        let mut smaller = UNITS.iter();
        let mut rest = text;
        while !rest.is_empty() {
            let (digits, tail) = split_digits(rest);
            if digits.is_empty() {
                return Err(SHAPE);
            }
            let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            let size = size_of(unit, digits, text)?;
            if !smaller.any(|(_, each)| *each == size) {
                return Err(UnitError::Order);
            }
            let count: u64 = digits.parse().map_err(|_| UnitError::Overflow)?;
            let part = count.checked_mul(size.0).ok_or(UnitError::Overflow)?;
            total = total.checked_add(part).ok_or(UnitError::Overflow)?;
            rest = tail;
        }
        Ok(Self(total))
    }
}

/// The length of `unit`, which followed `digits` in `text`.
fn size_of(unit: &str, digits: &str, text: &str) -> Result<Nanos, UnitError> {
    match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, size)) => Ok(*size),
        None if unit.is_empty() && digits.len() == text.len() && digits.len() <= 20 => {
            Err(UnitError::NoUnit { example: format!("\"{digits}ms\" or \"{digits}s\"") })
        }
        None if unit.is_empty() => Err(SHAPE),
        None => Err(UnitError::UnknownUnit { known: "d, h, m, s, ms, us and ns" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_no_more_digits_than_the_span() {
        for millis in 0..20_000_u32 {
            let expected = format!("{}", f64::from(millis) / 1_000.0);
            assert_eq!(Nanos::from_millis(millis.into()).as_secs_f64().to_string(), expected);
        }
        assert_eq!(Nanos::from_micros(2_413_778).as_secs_f64().to_string(), "2.413778");
    }

    #[test]
    fn text_and_span_agree() {
        for (text, span) in [
            ("0s", 0),
            ("1ns", 1),
            ("1us", 1_000),
            ("250ms", 250_000_000),
            ("1s500ms", 1_500_000_000),
            ("1m30s", 90_000_000_000),
            ("15m", 900_000_000_000),
            ("24h", 86_400_000_000_000),
            ("36h", 129_600_000_000_000),
            ("2d1h", 176_400_000_000_000),
            ("30d", 2_592_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Nanos(span)), "{text}");
            assert_eq!(Nanos(span).to_string(), text);
        }
        assert_eq!("1d".parse(), Ok(Nanos::from_hours(24)));
        assert_eq!("90s".parse(), Ok(Nanos::from_secs(90)));
    }

    #[test]
    fn a_refusal_says_how_to_write_it() {
        for (text, message) in [
            ("", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("-1s", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("1.5s", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("1 s", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("1s ", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("1h30", "write a whole number and a unit, such as \"250ms\" or \"1h30m\""),
            ("250", "add a unit, such as \"250ms\" or \"250s\""),
            ("5sec", "the units are d, h, m, s, ms, us and ns"),
            ("5S", "the units are d, h, m, s, ms, us and ns"),
            ("30m1h", "write each unit once, the largest first, as in \"1h30m\""),
            ("1s1s", "write each unit once, the largest first, as in \"1h30m\""),
            ("213504d", "the value is too large to be counted"),
            ("99999999999999999999s", "the value is too large to be counted"),
        ] {
            assert_eq!(text.parse::<Nanos>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Nanos::SECOND - Nanos::MINUTE, Nanos::ZERO);
        assert_eq!(Nanos::MAX + Nanos(1), Nanos::MAX);
        assert_eq!(Nanos::from_days(u64::MAX), Nanos::MAX);
        assert_eq!(Nanos::SECOND.checked_div(0), None);
        assert_eq!(Nanos::from(Duration::MAX), Nanos::MAX);
    }

    #[test]
    fn a_begun_second_counts() {
        assert_eq!(Nanos(1).as_secs_ceil(), 1);
        assert_eq!(Nanos::SECOND.as_secs_ceil(), 1);
        assert_eq!(Nanos(1_000_000_001).as_secs_ceil(), 2);
        assert_eq!(Nanos::ZERO.as_secs_ceil(), 0);
    }
}
