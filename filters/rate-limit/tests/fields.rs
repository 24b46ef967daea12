//! Whatever the standings, the fields are what their formats allow, by a parser that is not ours.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::{Nanos, config};
use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};
use weir_rate_limit::fields::{FieldStyles, MAX_TOLD};
use weir_rate_limit::standing::{Standing, Unit};

/// The most that a structured field's Integer can say.
const MAX_INTEGER: u64 = 999_999_999_999_999;

fn written(text: &str, standings: &[Standing<'_>], wall: Nanos) -> Vec<(&'static str, String)> {
    let styles = config::load("f", text.as_bytes(), FieldStyles::read).unwrap();
    let mut fields = Vec::new();
    styles.write(standings, || wall, |name, value| fields.push((name, value.to_owned())));
    fields
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[A-Za-z0-9_.-]{1,64}", 1..=20)
}

fn standing() -> impl Strategy<Value = Standing<'static>> {
    let units = [Unit::Requests, Unit::Bytes, Unit::Concurrent, Unit::Cost];
    (
        any::<(u64, u64, u64, u64, [u8; 16], bool)>(),
        prop::option::of(any::<u64>().prop_map(Nanos)),
        prop::sample::select(units.to_vec()),
    )
        .prop_map(|((quota, remaining, reset, next, partition, refused), window, unit)| {
            Standing {
                policy: "",
                quota,
                capacity: quota,
                window,
                unit,
                remaining,
                reset: Nanos(reset),
                next: Nanos(next),
                partition,
                refused,
            }
        })
}

fn standings() -> impl Strategy<Value = (Vec<String>, Vec<Standing<'static>>)> {
    names().prop_flat_map(|names| {
        let count = names.len();
        (Just(names), prop::collection::vec(standing(), count))
    })
}

fn named<'a>(names: &'a [String], standings: &[Standing<'a>]) -> Vec<Standing<'a>> {
    let each = names.iter().zip(standings);
    each.map(|(policy, standing)| Standing { policy, ..*standing }).collect()
}

fn number(item: &sfv::Item, key: &str) -> Option<u64> {
    match item.params.get(key) {
        Some(BareItem::Integer(number)) => Some(u64::try_from(*number).unwrap()),
        _ => None,
    }
}

fn items(field: &str) -> Vec<sfv::Item> {
    let list: List = Parser::new(field).parse().unwrap();
    let item = |entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("an inner list"),
    };
    list.into_iter().map(item).collect()
}

proptest! {
    #[test]
    fn ietf_fields_parse_and_say_the_same((names, plain) in standings()) {
        let standings = named(&names, &plain);
        let config = r#"{"ratelimit": "ietf", "partition_key": true}"#;
        let fields = written(config, &standings, Nanos::ZERO);
        let (policies, limits) = (items(&fields[0].1), items(&fields[1].1));
        prop_assert_eq!(policies.len(), standings.len().min(MAX_TOLD));
        prop_assert_eq!(limits.len(), policies.len());
        for (policy, limit) in policies.iter().zip(&limits) {
            let BareItem::String(name) = &policy.bare_item else { panic!("no String") };
            prop_assert_eq!(&policy.bare_item, &limit.bare_item);
            let told = |standing: &&Standing<'_>| {
                standing.policy == name.as_str()
                    && number(policy, "q") == Some(standing.quota.min(MAX_INTEGER))
                    && number(limit, "r") == Some(standing.remaining.min(MAX_INTEGER))
                    && number(policy, "w")
                        == standing.window.map(|window| window.as_secs_ceil().max(1))
                    && number(limit, "t") == standing.effective_window()
                    && limit.params.get("pk")
                        == Some(&BareItem::ByteSequence(standing.partition.to_vec()))
            };
            prop_assert!(standings.iter().any(|standing| told(&standing)), "{}", name.as_str());
        }
    }

    #[test]
    fn draft_03_is_a_list_of_quotas((names, plain) in standings()) {
        let standings = named(&names, &plain);
        let fields = written(r#"{"ratelimit": "draft_03"}"#, &standings, Nanos::ZERO);
        let quotas = items(&fields[0].1);
        prop_assert!((1..=MAX_TOLD + 1).contains(&quotas.len()));
        prop_assert!(fields[1].1.parse::<u64>().is_ok() && fields[2].1.parse::<u64>().is_ok());
    }

    #[test]
    fn an_iso_8601_instant_is_never_before_the_reset(
        plain in standing(), wall: u64,
    ) {
        let wall = Nanos(wall);
        let told = |form: &str| {
            let config = format!(r#"{{"x_ratelimit": "{form}"}}"#);
            written(&config, &[plain], wall)[2].1.clone()
        };
        let epoch: u64 = told("epoch").parse().unwrap();
        prop_assert_eq!(epoch, wall.saturating_add(plain.reset).as_secs_ceil());
        let instant = humantime::parse_rfc3339(&told("iso8601")).unwrap();
        let since = instant.duration_since(std::time::UNIX_EPOCH).unwrap();
        prop_assert_eq!(since.as_secs(), epoch);
    }
}
