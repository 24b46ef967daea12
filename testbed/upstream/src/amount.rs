//! The texts in which switches are written: spans of time, ranges of spans, mixes of status codes.
//!
//! One grammar serves the JSON of `/_control` and the query parameters.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest span that a switch takes; beyond it `hang` says better what is meant.
const LONGEST: Duration = Duration::from_secs(600);

/// Says which text is not understood and what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found \"{found}\", allowed is {allowed}")]
pub struct BadAmount {
    found: String,
    allowed: &'static str,
}

/// Reads `250ms`, `2s` or `1m`, up to ten minutes.
///
/// # Errors
/// Anything else, a number without a unit included (except a bare `0`).
pub fn read_span(text: &str) -> Result<Duration, BadAmount> {
    let bad = || BadAmount {
        found: text.to_owned(),
        allowed: "a span such as 250ms, 2s or 1m, at most 10m",
    };
    let text_trimmed = text.trim();
    let digits = text_trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(text_trimmed.len());
    let (number, unit) = text_trimmed.split_at(digits);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let span = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "" if number == 0 => Duration::ZERO,
        _ => return Err(bad()),
    };
    if span <= LONGEST { Ok(span) } else { Err(bad()) }
}

/// Writes a span in the grammar of [`read_span`].
fn write_span(span: Duration) -> String {
    let ms = span.as_millis();
    match ms {
        ms if ms > 0 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// One span, written as [`read_span`] reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = BadAmount;
    fn from_str(text: &str) -> Result<Self, BadAmount> {
        read_span(text).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_span(self.0))
    }
}

/// A span, or a range of which every request draws one: `20ms` or `20ms..80ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    shortest: Duration,
    longest: Duration,
}

impl Range {
    /// The span at `share` of the way from the shortest to the longest; `share` is drawn from `0.0..1.0`.
    #[must_use]
    pub fn at(self, share: f64) -> Duration {
        self.shortest + (self.longest - self.shortest).mul_f64(share.clamp(0.0, 1.0))
    }
}

impl FromStr for Range {
    type Err = BadAmount;
    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let (shortest, longest) = match text.split_once("..") {
            Some((from, to)) => (read_span(from)?, read_span(to)?),
            None => (read_span(text)?, read_span(text)?),
        };
        if shortest <= longest {
            Ok(Self { shortest, longest })
        } else {
            Err(BadAmount {
                found: text.to_owned(),
                allowed: "a range that starts with the shorter span",
            })
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_span(self.shortest))?;
        if self.longest > self.shortest {
            write!(f, "..{}", write_span(self.longest))?;
        }
        Ok(())
    }
}

/// Which share of the requests gets which status: `503` (all), `503:0.3`, `503:0.3,404:0.1`; the rest gets 200.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix(Vec<(u16, f64)>);

impl Mix {
    /// The status for a request that drew `share` from `0.0..1.0`; `None` is the ordinary 200.
    #[must_use]
    pub fn draw(&self, share: f64) -> Option<u16> {
        let mut upper = 0.0;
        self.0.iter().find_map(|&(code, ratio)| {
            upper += ratio;
            (share < upper).then_some(code)
        })
    }
}

impl FromStr for Mix {
    type Err = BadAmount;
    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let bad = || BadAmount {
            found: text.to_owned(),
            allowed: "status codes 200 to 599 with ratios whose sum is at most 1, such as 503 or 503:0.3,404:0.1",
        };
        let mut mix = Vec::new();
        for part in text.split(',') {
            let (code, ratio) = part.split_once(':').unwrap_or((part, "1"));
            let code: u16 = code.trim().parse().map_err(|_| bad())?;
            let ratio: f64 = ratio.trim().parse().map_err(|_| bad())?;
            if !(200..=599).contains(&code) || !(0.0..=1.0).contains(&ratio) {
                return Err(bad());
            }
            mix.push((code, ratio));
        }
        let sum: f64 = mix.iter().map(|(_, ratio)| ratio).sum();
        if sum <= 1.0 + 1e-9 { Ok(Self(mix)) } else { Err(bad()) }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (code, ratio)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{code}:{ratio}")?;
        }
        Ok(())
    }
}

/// Lets serde read and write an amount as its text.
macro_rules! as_text {
    ($($amount:ty),+) => {$(
        impl TryFrom<String> for $amount {
            type Error = BadAmount;
            fn try_from(text: String) -> Result<Self, BadAmount> {
                text.parse()
            }
        }
        impl From<$amount> for String {
            fn from(amount: $amount) -> Self {
                amount.to_string()
            }
        }
    )+};
}

as_text!(Span, Range, Mix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for text in ["0ms", "250ms", "2s", "1500ms", "10m"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["", "5", "s", "-1s", "1.5s", "11m", "1h", "99999999999999999999s"] {
            let error = text.parse::<Span>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("found \"{text}\", allowed is a span such as 250ms, 2s or 1m, at most 10m")
            );
        }
    }

    #[test]
    fn a_range_draws_between_its_ends() {
        let range: Range = "20ms..80ms".parse().unwrap();
        assert_eq!(range.at(0.0), Duration::from_millis(20));
        assert_eq!(range.at(0.5), Duration::from_millis(50));
        assert_eq!(range.at(7.0), Duration::from_millis(80));
        assert_eq!(range.to_string(), "20ms..80ms");
        assert_eq!("5ms".parse::<Range>().unwrap().at(0.9), Duration::from_millis(5));
        assert!("80ms..20ms".parse::<Range>().is_err());
    }

    #[test]
    fn a_mix_gives_each_code_its_share() {
        let mix: Mix = "503:0.3,404:0.1".parse().unwrap();
        assert_eq!(mix.draw(0.0), Some(503));
        assert_eq!(mix.draw(0.29), Some(503));
        assert_eq!(mix.draw(0.35), Some(404));
        assert_eq!(mix.draw(0.4), None);
        assert_eq!("503".parse::<Mix>().unwrap().draw(0.999), Some(503));
        for bad in ["", "99", "600", "503:2", "503:0.6,404:0.6", "503:x"] {
            assert!(bad.parse::<Mix>().is_err(), "{bad}");
        }
    }
}
