//! Header fields that tell clients where they stand, so that they can slow down before they are refused.
//!
//! Three styles, none of them unless it is chosen:
//!
//! | style | fields | tells |
//! | --- | --- | --- |
//! | `ratelimit: ietf` | `RateLimit-Policy`, `RateLimit` | every limit, by name |
//! | `ratelimit: draft_03` | `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset` | the [nearest](crate::standing::nearest) limit, and the quotas of all |
//! | `x_ratelimit` | `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` | the nearest limit |
//!
//! **Units**: spans of time are in whole seconds, a begun one counted, so that nobody is invited too early.

mod ietf;
mod plain;

use kit::Nanos;
use kit::config::Fields;

pub use plain::Reset;

use crate::standing::Standing;

/// Limits that one response tells of: with more, those nearest to their ends.
///
/// An item takes up to some 250 bytes with the longest names, and clients bound a response's header.
pub const MAX_TOLD: usize = 16;

/// Which fields responses carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldStyles {
    ratelimit: Option<RateLimit>,
    x_ratelimit: Option<Reset>,
    on: On,
}

/// The styles of the fields that are called `RateLimit…`: only one can be had, their names mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RateLimit {
    Ietf { partition_key: bool },
    Draft03,
}

/// Which responses carry the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum On {
    #[default]
    EveryResponse,
    Refused,
}

impl FieldStyles {
    /// Reads the object `fields` of the configuration.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let is_ietf = [("ietf", true), ("draft_03", false)];
        let ratelimit = fields.optional_choice("ratelimit", &is_ietf);
        let partition_key = fields.optional_bool("partition_key");
        let resets =
            [("seconds", Reset::Seconds), ("epoch", Reset::Epoch), ("iso8601", Reset::Iso8601)];
        let x_ratelimit = fields.optional_choice("x_ratelimit", &resets);
        let on = [("every_response", On::EveryResponse), ("refused", On::Refused)];
        let on = fields.optional_choice("on", &on).unwrap_or_default();
        // A style that is wrong leaves open which one is meant: its own line is enough.
        let is_or_may_be_ietf = ratelimit.unwrap_or_else(|| fields.has("ratelimit"));
        if !fields.has("ratelimit") && !fields.has("x_ratelimit") {
            fields.own_problem(
                "no style",
                "ratelimit, x_ratelimit or both",
                "add one, or remove this object for responses without such fields",
            );
        } else if fields.has("partition_key") && !is_or_may_be_ietf {
            fields.problem(
                "partition_key",
                "it without \"ratelimit\": \"ietf\"",
                "it with that style only",
                "remove it, no other style can tell partitions apart",
            );
        }
        let ratelimit = ratelimit.map(|is_ietf| match is_ietf {
            true => RateLimit::Ietf { partition_key: partition_key.unwrap_or(false) },
            false => RateLimit::Draft03,
        });
        Self { ratelimit, x_ratelimit, on }
    }

    /// Whether a response carries fields: never while no style is chosen.
    pub fn wanted(&self, refused: bool) -> bool {
        let any = self.ratelimit.is_some() || self.x_ratelimit.is_some();
        any && (refused || self.on == On::EveryResponse)
    }

    /// Writes the fields, each name once; no field at all without a standing.
    ///
    /// Limits are named in the order given. `wall` gives the time since 1970 and is asked at most once,
    /// and only by a style that tells an instant.
    ///
    /// **Cost**: one buffer for each field; linear in the standings up to [`MAX_TOLD`] of them.
    pub fn write(
        &self,
        standings: &[Standing<'_>],
        wall: impl FnOnce() -> Nanos,
        mut out: impl FnMut(&'static str, &str),
    ) {
        let told;
        let standings = if standings.len() > MAX_TOLD {
            told = nearest_ones(standings);
            told.as_slice()
        } else {
            standings
        };
        match self.ratelimit {
            Some(RateLimit::Ietf { partition_key }) => {
                ietf::write(standings, partition_key, &mut out);
            }
            Some(RateLimit::Draft03) => plain::write_draft_03(standings, &mut out),
            None => {}
        }
        if let Some(reset) = self.x_ratelimit {
            plain::write_x(standings, reset, wall, &mut out);
        }
    }
}

/// The limits nearest to their ends, as many as are told, in the order given.
fn nearest_ones<'a>(standings: &[Standing<'a>]) -> Vec<Standing<'a>> {
    let mut ranked: Vec<(usize, Standing<'a>)> = standings.iter().copied().enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| one.compare_nearness(other));
    ranked.truncate(MAX_TOLD);
    ranked.sort_by_key(|(idx, _)| *idx);
    ranked.into_iter().map(|(_, standing)| standing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::PLAIN;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What the reader gives, or every problem but the closing line.
    fn read(text: &str) -> Result<FieldStyles, Vec<String>> {
        kit::config::load("f", text.as_bytes(), FieldStyles::read).map_err(|problems| {
            let mut lines: Vec<String> = problems.lines().collect();
            lines.pop();
            lines
        })
    }

    /// The fields that a configuration writes, at 2026-11-21T04:56:51.5Z.
    pub(super) fn written(text: &str, standings: &[Standing<'_>]) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        let wall = || Nanos::from_millis(1_795_237_011_500);
        read(text)
            .unwrap()
            .write(standings, wall, |name, value| fields.push((name, value.to_owned())));
        fields
    }

    #[test]
    fn both_kinds_of_fields_can_be_had() {
        let names = |text| -> Vec<&str> {
            written(text, &[PLAIN]).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(
            names(r#"{"ratelimit": "ietf", "x_ratelimit": "seconds"}"#),
            [
                "ratelimit-policy",
                "ratelimit",
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset"
            ]
        );
        assert_eq!(
            names(r#"{"ratelimit": "draft_03"}"#),
            ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]
        );
    }

    #[test]
    fn without_a_limit_there_is_no_field() {
        for style in ["ietf", "draft_03"] {
            let text = format!(r#"{{"ratelimit": "{style}", "x_ratelimit": "epoch"}}"#);
            assert_eq!(written(&text, &[]), []);
        }
    }

    #[test]
    fn the_responses_that_carry_fields_are_chosen() {
        let every = read(r#"{"ratelimit": "ietf"}"#).unwrap();
        assert!(every.wanted(true) && every.wanted(false));
        let refused = read(r#"{"ratelimit": "ietf", "on": "refused"}"#).unwrap();
        assert!(refused.wanted(true) && !refused.wanted(false));
        assert!(!FieldStyles::default().wanted(true));
    }

    #[test]
    fn only_a_style_that_tells_an_instant_asks_the_clock() {
        let styles = read(r#"{"ratelimit": "ietf", "x_ratelimit": "seconds"}"#).unwrap();
        styles.write(&[PLAIN], || panic!("asked"), |_, _| {});
    }

    #[test]
    fn of_many_limits_the_nearest_are_told_in_their_order() {
        let names: Vec<String> = (0..40).map(|idx| format!("l{idx}")).collect();
        let standings: Vec<Standing<'_>> = names
            .iter()
            .zip((0..40).rev())
            .map(|(name, remaining)| Standing { policy: name, remaining, ..PLAIN })
            .collect();
        let told: Vec<Standing<'_>> = nearest_ones(&standings);
        assert_eq!(told.len(), MAX_TOLD);
        assert_eq!((told[0].policy, told[MAX_TOLD - 1].policy), ("l24", "l39"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(
            read("{}").unwrap_err(),
            [
                "f: configuration: found no style, allowed ratelimit, x_ratelimit or both; add one, or remove this object for responses without such fields"
            ]
        );
        assert_eq!(
            read(r#"{"ratelimit": "draft_03", "partition_key": true, "on": "refusals"}"#)
                .unwrap_err(),
            [
                r#"f: on: found "refusals", allowed "every_response", "refused"; choose one of them"#,
                r#"f: partition_key: found it without "ratelimit": "ietf", allowed it with that style only; remove it, no other style can tell partitions apart"#,
            ]
        );
        assert_eq!(
            read(r#"{"x_ratelimit": "epoch", "partition_key": false}"#).unwrap_err().len(),
            1
        );
        assert_eq!(
            read(r#"{"ratelimit": "iet", "partition_key": true}"#).unwrap_err(),
            [r#"f: ratelimit: found "iet", allowed "ietf", "draft_03"; did you mean "ietf"?"#]
        );
        assert_eq!(
            read(r#"{"x_ratelimit": true}"#).unwrap_err(),
            [
                r#"f: x_ratelimit: found true, allowed "seconds", "epoch", "iso8601"; choose one of them, in quotes"#
            ]
        );
    }
}
