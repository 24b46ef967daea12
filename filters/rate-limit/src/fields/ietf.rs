//! `RateLimit-Policy` and `RateLimit`, as the IETF's HTTPAPI group has them now.
//!
//! **Shape**: structured fields (RFC 9651), Lists of Strings with parameters, one item for each limit:
//! `RateLimit-Policy: "general";q=100;w=60` and `RateLimit: "general";r=40;t=1`.
//!
//! - `qu` is left out for requests, the default, and for costs: the registry has no unit for them, and what a request
//!   consumes of the default one is the server's affair (3.1.2). `weir-unit="cost"` says so to those who care.
//! - `w` is left out for concurrency, which has no window.
//! - `t`, the effective window, is the time within which the client can have no more than `r` (4.1.2, and the same
//!   instant in the words of -10: until more quota is made available). It is not when the whole quota is back:
//!   with a quota that flows back steadily that is much later, and a client that waited for it would waste it.
//!   A response with `Retry-After` never names an earlier instant there than the `t` of a limit that refused (6);
//!   other limits may say a later one, since nobody has to wait for them.
//! - `pk` is a keyed hash, another one after each start of Envoy. Clients can tell partitions apart by it, but not
//!   compute it, as 6.1 would like: then they could also find out about keys that are not theirs.
//!
//! **Source**: draft-ietf-httpapi-ratelimit-headers-11 (2026-05).

use sfv::{Integer, KeyRef, ListSerializer, StringRef};

use crate::standing::{Standing, Unit};

const QUOTA: &KeyRef = KeyRef::constant("q");
const QUOTA_UNIT: &KeyRef = KeyRef::constant("qu");
const OWN_UNIT: &KeyRef = KeyRef::constant("weir-unit");
const WINDOW: &KeyRef = KeyRef::constant("w");
const PARTITION_KEY: &KeyRef = KeyRef::constant("pk");
const REMAINING: &KeyRef = KeyRef::constant("r");
const EFFECTIVE_WINDOW: &KeyRef = KeyRef::constant("t");

/// The number as a structured field has it: at most fifteen digits.
pub(super) fn integer(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
}

/// Writes both fields.
pub(super) fn write(
    standings: &[Standing<'_>],
    partition_key: bool,
    out: &mut impl FnMut(&'static str, &str),
) {
    let mut policies = ListSerializer::new();
    let mut limits = ListSerializer::new();
    for standing in standings {
        // A name that is no text of visible characters cannot be told; the configuration admits none.
        let Ok(name) = StringRef::from_str(standing.policy) else { continue };
        let mut policy = policies.bare_item(name).parameter(QUOTA, integer(standing.quota));
        policy = match standing.unit {
            Unit::Requests => policy,
            Unit::Bytes => policy.parameter(QUOTA_UNIT, StringRef::constant("content-bytes")),
            Unit::Concurrent => {
                policy.parameter(QUOTA_UNIT, StringRef::constant("concurrent-requests"))
            }
            Unit::Cost => policy.parameter(OWN_UNIT, StringRef::constant("cost")),
        };
        if let Some(window) = standing.window {
            policy = policy.parameter(WINDOW, integer(window.as_secs_ceil().max(1)));
        }
        let mut limit = limits.bare_item(name).parameter(REMAINING, integer(standing.remaining));
        if let Some(seconds) = standing.effective_window() {
            limit = limit.parameter(EFFECTIVE_WINDOW, integer(seconds));
        }
        if partition_key {
            policy.parameter(PARTITION_KEY, standing.partition.as_slice());
            limit.parameter(PARTITION_KEY, standing.partition.as_slice());
        }
    }
    if let (Some(policies), Some(limits)) = (policies.finish(), limits.finish()) {
        out("ratelimit-policy", &policies);
        out("ratelimit", &limits);
    }
}

#[cfg(test)]
mod tests {
    use kit::Nanos;
    use sfv::{BareItem, List, ListEntry, Parser};

    use super::*;
    use crate::fields::tests::written;
    use crate::standing::PLAIN;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const IETF: &str = r#"{"ratelimit": "ietf"}"#;
    const WITH_KEYS: &str = r#"{"ratelimit": "ietf", "partition_key": true}"#;

    fn both(config: &str, standings: &[Standing<'_>]) -> (String, String) {
        let [(policy, policies), (limit, limits)] = written(config, standings).try_into().unwrap();
        assert_eq!((policy, limit), ("ratelimit-policy", "ratelimit"));
        (policies, limits)
    }

    /// Name and parameters of each item, by a parser that is not ours.
    fn parse(field: &str) -> Vec<(String, Vec<(String, BareItem)>)> {
        let list: List = Parser::new(field).parse().unwrap();
        list.into_iter()
            .map(|entry| {
                let ListEntry::Item(item) = entry else { panic!("an inner list") };
                let BareItem::String(name) = item.bare_item else { panic!("no String") };
                let params = item.params.into_iter().map(|(key, value)| (key.to_string(), value));
                (name.to_string(), params.collect())
            })
            .collect()
    }

    #[test]
    fn each_limit_is_an_item_of_both() {
        let daily = Standing {
            policy: "daily",
            quota: 1_000,
            window: Some(Nanos::DAY),
            remaining: 0,
            next: Nanos::HOUR,
            refused: true,
            ..PLAIN
        };
        let (policies, limits) = both(IETF, &[PLAIN, daily]);
        assert_eq!(policies, r#""general";q=100;w=60, "daily";q=1000;w=86400"#);
        assert_eq!(limits, r#""general";r=40;t=1, "daily";r=0;t=3600"#);
    }

    #[test]
    fn units_are_those_of_the_registry() {
        let bytes = Standing { policy: "bytes", unit: Unit::Bytes, ..PLAIN };
        let cost = Standing { policy: "cost", unit: Unit::Cost, ..PLAIN };
        let concurrent = Standing {
            policy: "at-once",
            unit: Unit::Concurrent,
            window: None,
            quota: 5,
            remaining: 2,
            ..PLAIN
        };
        let (policies, limits) = both(IETF, &[bytes, cost, concurrent]);
        assert_eq!(
            policies,
            concat!(
                r#""bytes";q=100;qu="content-bytes";w=60, "cost";q=100;weir-unit="cost";w=60, "#,
                r#""at-once";q=5;qu="concurrent-requests""#
            )
        );
        assert_eq!(limits, r#""bytes";r=40;t=1, "cost";r=40;t=1, "at-once";r=2"#);
    }

    #[test]
    fn a_parser_reads_both_back() {
        let (policies, limits) = both(WITH_KEYS, &[PLAIN]);
        let key = BareItem::ByteSequence(vec![7; 16]);
        let parameter = |name: &str, number: i64| {
            (name.to_owned(), BareItem::Integer(Integer::try_from(number).unwrap()))
        };
        assert_eq!(
            parse(&policies),
            [(
                "general".to_owned(),
                vec![parameter("q", 100), parameter("w", 60), ("pk".to_owned(), key.clone())]
            )]
        );
        assert_eq!(
            parse(&limits),
            [(
                "general".to_owned(),
                vec![parameter("r", 40), parameter("t", 1), ("pk".to_owned(), key)]
            )]
        );
    }

    #[test]
    fn the_largest_numbers_are_cut_to_what_a_field_can_say() {
        let huge = Standing {
            quota: u64::MAX,
            remaining: u64::MAX,
            window: Some(Nanos::MAX),
            next: Nanos::MAX,
            ..PLAIN
        };
        let (policies, limits) = both(IETF, &[huge]);
        assert_eq!(policies, r#""general";q=999999999999999;w=18446744074"#);
        assert_eq!(limits, r#""general";r=999999999999999;t=18446744074"#);
        assert_eq!((parse(&policies).len(), parse(&limits).len()), (1, 1));
    }

    #[test]
    fn the_smallest_numbers_stay_lawful() {
        let nothing =
            Standing { quota: 0, remaining: 0, window: Some(Nanos::ZERO), next: Nanos(1), ..PLAIN };
        let (policies, limits) = both(IETF, &[nothing]);
        assert_eq!(policies, r#""general";q=0;w=1"#);
        assert_eq!(limits, r#""general";r=0;t=1"#);
    }

    #[test]
    fn a_name_that_cannot_be_told_is_left_out() {
        let odd = Standing { policy: "a\"\\b", ..PLAIN };
        let (_, limits) = both(IETF, &[odd]);
        assert_eq!(parse(&limits)[0].0, "a\"\\b");
        assert_eq!(written(IETF, &[Standing { policy: "ä", ..PLAIN }]), []);
    }
}
