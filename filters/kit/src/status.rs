//! Sets of HTTP statuses, as operators write them.
//!
//! An entry is a status (`401`), a range (`"500-599"`) or a class (`"5xx"`).
//! [`crate::config::Fields::optional_statuses`] reads a list of them.

use std::fmt;
use std::ops::RangeInclusive;

/// The statuses that exist (RFC 9110, 15).
const ALL: RangeInclusive<u16> = 100..=599;

/// Words of 64 bits that hold one bit per status.
const N_WORDS: usize = 8;

/// A set of statuses from 100 to 599.
///
/// Two sets are equal if they hold the same statuses, however they were written.
///
/// **Cost**: a test is one bit of 64 bytes, whatever the set.
///
/// ```
/// use kit::status::Statuses;
///
/// let statuses: Statuses = [401..=401, 500..=503].into_iter().collect();
/// assert!(statuses.contains(502) && !statuses.contains(504));
/// assert_eq!(statuses.to_string(), "401, 500-503");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Statuses([u64; N_WORDS]);

impl Statuses {
    /// Whether the status is in the set; none outside 100 to 599 is.
    pub fn contains(&self, status: u16) -> bool {
        bit_of(status)
            .is_some_and(|(word, bit)| self.0.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn insert(&mut self, status: u16) {
        if let Some((word, bit)) = bit_of(status)
            && let Some(bits) = self.0.get_mut(word)
        {
            *bits |= bit;
        }
    }
}

/// The word and the bit in it that stand for a status.
fn bit_of(status: u16) -> Option<(usize, u64)> {
    let idx = if ALL.contains(&status) { status.checked_sub(*ALL.start())? } else { return None };
    Some((usize::from(idx / 64), 1 << (idx % 64)))
}

/// Adds up ranges; what lies outside 100 to 599 is left out.
impl FromIterator<RangeInclusive<u16>> for Statuses {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        let mut all = Self::default();
        for range in ranges {
            let within = *range.start().max(ALL.start())..=*range.end().min(ALL.end());
            within.for_each(|status| all.insert(status));
        }
        all
    }
}

/// Ranges from the lowest on, whole classes by their name: `401, 5xx`; `none` for an empty set.
impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_class = |first: u16| {
            first.is_multiple_of(100)
                && (first..=first.saturating_add(99)).all(|code| self.contains(code))
        };
        let mut separator = "";
        let mut next = *ALL.start();
        while let Some(first) = (next..=*ALL.end()).find(|status| self.contains(*status)) {
            f.write_str(separator)?;
            let mut last = first;
            if is_class(first) {
                last = first.saturating_add(99);
                write!(f, "{}xx", first / 100)?;
            } else {
                let run = (first..=*ALL.end()).take_while(|status| self.contains(*status));
                last = run.take_while(|status| !is_class(*status)).last().unwrap_or(last);
                write!(f, "{first}")?;
                if last > first {
                    write!(f, "-{last}")?;
                }
            }
            separator = ", ";
            next = last.saturating_add(1);
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statuses({self})")
    }
}

/// What an entry of a list may be, for messages.
pub(crate) const STATUS_FORMS: &str =
    "a status, a range or a class of them, such as 401, \"500-599\" or \"5xx\"";

/// Why a text is no status, range or class; its `Display` tells how to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatusError {
    #[error("write three digits, from 100 to 599")]
    Digits,
    #[error("write the lower status first")]
    Order,
    #[error("write a class as 1xx, 2xx, 3xx, 4xx or 5xx")]
    Class,
}

/// Reads one entry of a list.
pub(crate) fn parse(text: &str) -> Result<RangeInclusive<u16>, StatusError> {
    if text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'x')) {
        let digit = text.strip_suffix("xx").and_then(single);
        let class = digit.filter(|digit| matches!(digit, b'1'..=b'5')).ok_or(StatusError::Class)?;
        let first = u16::from(class - b'0').saturating_mul(100);
        return Ok(first..=first.saturating_add(99));
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (status(low)?, status(high)?) {
        (low, high) if low <= high => Ok(low..=high),
        _ => Err(StatusError::Order),
    }
}

fn single(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() { Some(*byte) } else { None }
}

fn status(text: &str) -> Result<u16, StatusError> {
    let is_three_digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|status| is_three_digits && ALL.contains(status));
    number.ok_or(StatusError::Digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(json: &str) -> Result<Statuses, String> {
        config::load("test", json.as_bytes(), |fields| {
            fields.optional_statuses("on", 1..=4).unwrap_or_default()
        })
        .map_err(|problems| problems.lines().next().unwrap_or_default())
    }

    #[test]
    fn each_form_is_read_and_shown_shortest() {
        for (list, shown, inside, outside) in [
            (r#"[401, "403"]"#, "401, 403", &[401, 403][..], &[400, 402, 404][..]),
            (r#"["500-599"]"#, "5xx", &[500, 599], &[499, 600, 0, u16::MAX]),
            (r#"["5xx", "1xx"]"#, "1xx, 5xx", &[100, 199, 500], &[99, 200]),
            (r#"["502-504", 503, 505]"#, "502-505", &[502, 505], &[501, 506]),
            (r#"["400-599"]"#, "4xx, 5xx", &[400, 599], &[399]),
            (r#"["399-500"]"#, "399, 4xx, 500", &[399, 500], &[398, 501]),
            ("429", "429", &[429], &[428]),
            ("429.0", "429", &[429], &[430]),
            (r#""2xx""#, "2xx", &[204], &[304]),
        ] {
            let statuses = read(&format!(r#"{{"on": {list}}}"#)).unwrap();
            assert_eq!(statuses.to_string(), shown);
            assert!(inside.iter().all(|status| statuses.contains(*status)), "{list}");
            assert!(!outside.iter().any(|status| statuses.contains(*status)), "{list}");
        }
        assert_eq!(read("{}").unwrap().to_string(), "none");
    }

    #[test]
    fn sets_are_equal_by_what_they_hold() {
        let all: Statuses = [0..=u16::MAX].into_iter().collect();
        assert_eq!(read(r#"{"on": ["1xx", "200-500", "501-599"]}"#), Ok(all));
        assert_eq!(format!("{all:?}"), "Statuses(1xx, 2xx, 3xx, 4xx, 5xx)");
        #[expect(clippy::reversed_empty_ranges, reason = "an empty range adds nothing")]
        let none: Statuses = [300..=200].into_iter().collect();
        assert_eq!(none, Statuses::default());
    }

    #[test]
    fn each_mistake_says_where_what_and_how() {
        let forms = format!("allowed {STATUS_FORMS}");
        for (list, line) in [
            (
                r#"["599-500"]"#,
                format!("[0]: found \"599-500\", {forms}; write the lower status first"),
            ),
            (
                r#"[200, 600]"#,
                format!("[1]: found 600, {forms}; write three digits, from 100 to 599"),
            ),
            ("[-200]", format!("[0]: found -200, {forms}; write three digits, from 100 to 599")),
            (
                r#"["50"]"#,
                format!("[0]: found \"50\", {forms}; write three digits, from 100 to 599"),
            ),
            (
                r#"["+50"]"#,
                format!("[0]: found \"+50\", {forms}; write three digits, from 100 to 599"),
            ),
            ("[200.5]", format!("[0]: found 200.5, {forms}; write three digits, from 100 to 599")),
            ("[true]", format!("[0]: found true, {forms}; write three digits, from 100 to 599")),
            (
                r#"["6xx"]"#,
                format!("[0]: found \"6xx\", {forms}; write a class as 1xx, 2xx, 3xx, 4xx or 5xx"),
            ),
            (
                r#""5XX""#,
                format!(": found \"5XX\", {forms}; write a class as 1xx, 2xx, 3xx, 4xx or 5xx"),
            ),
            ("[]", ": found 0 entries, at least 1 is needed; add 1 entry".to_owned()),
            (
                "{}",
                format!(
                    ": found an object, allowed a list of entries, each {STATUS_FORMS}, or one without a list; put the values in [ ]"
                ),
            ),
        ] {
            assert_eq!(read(&format!(r#"{{"on": {list}}}"#)), Err(format!("test: on{line}")));
        }
    }
}
