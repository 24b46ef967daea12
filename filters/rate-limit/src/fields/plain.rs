//! The older fields: three of them, about one limit.
//!
//! They have room for one limit, so they tell the [nearest](crate::standing::nearest) one to its end.
//! Reset is when its whole quota is back. A refused client is better served by `Retry-After`,
//! which says when the next request is admitted and takes precedence over these.
//!
//! **Source**: `ratelimit: draft_03` is draft-polli-ratelimit-headers-03 as Envoy writes it, with the quotas of all
//! limits behind that of the nearest: `10, 10;w=1;name="per-ip", 1000;w=3600;name="per-user"`. Envoy itself calls these
//! fields `x-ratelimit-…`; here they have the draft's names, beside which [`write_x`]'s can be had.
//! `x_ratelimit` is what most public APIs send, with three habits of saying when.

use std::time::{Duration, SystemTime};

use kit::Nanos;
use sfv::{KeyRef, ListSerializer, StringRef};

use super::ietf::integer;
use crate::standing::{Standing, nearest};

const WINDOW: &KeyRef = KeyRef::constant("w");
const NAME: &KeyRef = KeyRef::constant("name");

/// How `X-RateLimit-Reset` says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Seconds from now.
    Seconds,
    /// The instant, in seconds since 1970 (UTC).
    Epoch,
    /// The instant, as RFC 3339 has it: `2026-11-21T04:56:52Z`.
    Iso8601,
}

/// Writes the three fields of draft 03.
pub(super) fn write_draft_03(standings: &[Standing<'_>], out: &mut impl FnMut(&'static str, &str)) {
    let Some(nearest) = nearest(standings) else { return };
    let mut quotas = ListSerializer::new();
    quotas.bare_item(integer(nearest.quota));
    for standing in standings {
        let (Some(window), Ok(name)) = (standing.window, StringRef::from_str(standing.policy))
        else {
            continue;
        };
        quotas
            .bare_item(integer(standing.quota))
            .parameter(WINDOW, integer(window.as_secs_ceil().max(1)))
            .parameter(NAME, name);
    }
    if let Some(quotas) = quotas.finish() {
        out("ratelimit-limit", &quotas);
        out("ratelimit-remaining", &nearest.remaining.to_string());
        out("ratelimit-reset", &nearest.reset.as_secs_ceil().to_string());
    }
}

/// Writes the three fields `X-RateLimit-…`.
pub(super) fn write_x(
    standings: &[Standing<'_>],
    reset: Reset,
    wall: impl FnOnce() -> Nanos,
    out: &mut impl FnMut(&'static str, &str),
) {
    let Some(nearest) = nearest(standings) else { return };
    let reset = match reset {
        Reset::Seconds => nearest.reset.as_secs_ceil().to_string(),
        Reset::Epoch => wall().saturating_add(nearest.reset).as_secs_ceil().to_string(),
        Reset::Iso8601 => rfc_3339(wall().saturating_add(nearest.reset)),
    };
    out("x-ratelimit-limit", &nearest.quota.to_string());
    out("x-ratelimit-remaining", &nearest.remaining.to_string());
    out("x-ratelimit-reset", &reset);
}

/// The instant in text, a begun second counted.
///
/// The last instant that nanoseconds can say is in the year 2554: the formatter's end, 9999, is never reached.
fn rfc_3339(instant: Nanos) -> String {
    let instant = SystemTime::UNIX_EPOCH + Duration::from_secs(instant.as_secs_ceil());
    humantime::format_rfc3339_seconds(instant).to_string()
}

#[cfg(test)]
mod tests {
    use sfv::{List, Parser};

    use super::*;
    use crate::fields::tests::written;
    use crate::standing::PLAIN;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn values(config: &str, standings: &[Standing<'_>]) -> Vec<String> {
        written(config, standings).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn draft_03_is_as_envoy_writes_it() {
        let per_ip = Standing {
            policy: "per-ip",
            quota: 10,
            window: Some(Nanos::SECOND),
            remaining: 1,
            reset: Nanos::from_millis(901),
            ..PLAIN
        };
        let at_once = Standing { policy: "at-once", quota: 5, window: None, ..PLAIN };
        let [limit, remaining, reset] =
            values(r#"{"ratelimit": "draft_03"}"#, &[PLAIN, per_ip, at_once]).try_into().unwrap();
        assert_eq!(limit, r#"10, 100;w=60;name="general", 10;w=1;name="per-ip""#);
        assert_eq!((remaining.as_str(), reset.as_str()), ("1", "1"));
        assert_eq!(Parser::new(&limit).parse::<List>().unwrap().len(), 3);
    }

    #[test]
    fn an_instant_can_be_told_in_three_ways() {
        for (form, reset) in
            [("seconds", "36"), ("epoch", "1795237048"), ("iso8601", "2026-11-21T04:57:28Z")]
        {
            let config = format!(r#"{{"x_ratelimit": "{form}"}}"#);
            assert_eq!(values(&config, &[PLAIN]), ["100", "40", reset], "{form}");
        }
    }

    #[test]
    fn the_first_and_the_last_instant_can_be_told() {
        assert_eq!(rfc_3339(Nanos::ZERO), "1970-01-01T00:00:00Z");
        assert_eq!(rfc_3339(Nanos::MAX), "2554-07-21T23:34:34Z");
        let endless = Standing { quota: u64::MAX, remaining: 0, reset: Nanos::MAX, ..PLAIN };
        for (form, reset) in [
            ("seconds", "18446744074"),
            ("epoch", "18446744074"),
            ("iso8601", "2554-07-21T23:34:34Z"),
        ] {
            let config = format!(r#"{{"x_ratelimit": "{form}"}}"#);
            assert_eq!(values(&config, &[endless]), ["18446744073709551615", "0", reset], "{form}");
        }
    }

    #[test]
    fn a_refusal_is_told_before_a_smaller_share() {
        let refused = Standing { policy: "big", quota: 7, refused: true, ..PLAIN };
        let spent = Standing { remaining: 0, ..PLAIN };
        assert_eq!(values(r#"{"x_ratelimit": "seconds"}"#, &[spent, refused])[0], "7");
    }
}
