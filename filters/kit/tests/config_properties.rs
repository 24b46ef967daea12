//! Laws of the configuration reader and of units, over all inputs.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![cfg(not(target_arch = "wasm32"))]

use kit::config::{self, Fields};
use kit::units::{Bytes, Nanos, Ratio};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Map, Number, Value};

/// What a filter would keep, all of it bounded.
#[derive(Debug)]
struct Config {
    burst: u32,
    shift: i64,
    factor: f64,
    window: Nanos,
    size: Bytes,
    share: Ratio,
    name: String,
    tags: Vec<String>,
    nested: Option<Box<Self>>,
    list: Vec<Self>,
}

const NAMES: [&str; 10] =
    ["burst", "shift", "factor", "window", "size", "share", "name", "tags", "nested", "list"];

fn take(fields: &mut Fields<'_>) -> Config {
    Config {
        burst: fields.integer("burst", 2..=9),
        shift: fields.optional_integer("shift", -2..=2).unwrap_or(0),
        factor: fields.optional_number("factor", 0.5..=2.0).unwrap_or(1.0),
        window: fields.optional_duration("window", Nanos(1)..=Nanos::HOUR).unwrap_or(Nanos::SECOND),
        size: fields.optional_bytes("size", Bytes(1)..=Bytes::MIB).unwrap_or(Bytes::KIB),
        share: fields
            .optional_ratio("share", Ratio::MIN_POSITIVE..=Ratio::ONE)
            .unwrap_or(Ratio::ONE),
        name: fields.optional_text_of("name", 1..=8).unwrap_or_else(|| "x".to_owned()),
        tags: fields.optional_one_or_many("tags", 0..=3).unwrap_or_default(),
        nested: fields.optional_object("nested", |nested| Box::new(take(nested))),
        list: fields.optional_objects("list", 0..=3, take).unwrap_or_default(),
    }
}

fn is_in_range(config: &Config) -> bool {
    (2..=9).contains(&config.burst)
        && (-2..=2).contains(&config.shift)
        && (0.5..=2.0).contains(&config.factor)
        && (Nanos(1)..=Nanos::HOUR).contains(&config.window)
        && (Bytes(1)..=Bytes::MIB).contains(&config.size)
        && (Ratio::MIN_POSITIVE..=Ratio::ONE).contains(&config.share)
        && (1..=8).contains(&config.name.len())
        && config.tags.len() <= 3
        && config.list.len() <= 3
        && config.nested.as_deref().is_none_or(is_in_range)
        && config.list.iter().all(is_in_range)
}

/// Any JSON, with known names and nearly right values often among it.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3..=12_i64).prop_map(Value::from),
        any::<f64>().prop_map(|f| Number::from_f64(f).map_or(Value::Null, Value::Number)),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,3}(s|ms|h|KiB|B|%)".prop_map(Value::from),
    ];
    let name = prop_oneof![4 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A configuration that is right, from the values that `bad` leaves.
fn with_mistakes(bad: &[bool; 6]) -> (Value, usize) {
    let rows: [(&str, Value, Value); 6] = [
        ("burst", Value::from(3), Value::from(0)),
        ("factor", Value::from(1.5), Value::from("a")),
        ("window", Value::from("5s"), Value::from("5")),
        ("size", Value::from("5KiB"), Value::from("5GiB")),
        ("share", Value::from("5%"), Value::from(5)),
        ("tags", Value::from("a"), Value::Null),
    ];
    let fields = rows.into_iter().zip(bad);
    let fields: Map<String, Value> = fields
        .map(|((name, right, wrong), bad)| (name.to_owned(), if *bad { wrong } else { right }))
        .collect();
    (Value::Object(fields), bad.iter().filter(|bad| **bad).count())
}

/// The same value with numbers that a double and JSON text both hold exactly.
fn tame(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::from(integer % 1_000_000),
            None => Value::from(0.125),
        },
        Value::Array(list) => list.iter().map(tame).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), tame(field))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// The message that Envoy hands over for an object.
fn to_struct(object: &Value) -> Struct {
    let fields = object.as_object().unwrap();
    Struct { fields: fields.iter().map(|(name, field)| (name.clone(), to_proto(field))).collect() }
}

fn to_proto(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => {
            Kind::ListValue(ListValue { values: list.iter().map(to_proto).collect() })
        }
        Value::Object(_) => Kind::StructValue(to_struct(value)),
    };
    prost_types::Value { kind: Some(kind) }
}

proptest! {
    #[test]
    fn no_json_panics_and_what_is_accepted_is_in_range(value in json()) {
        match config::read("rate-limit", &value, take) {
            Ok(config) => prop_assert!(is_in_range(&config), "{config:?}"),
            Err(problems) => {
                prop_assert!(problems.count() > 0);
                for line in problems.lines() {
                    prop_assert!(line.starts_with("rate-limit: "), "{line}");
                    prop_assert!(!line.contains(char::is_control), "{line}");
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = config::load("rate-limit", &bytes, take);
    }

    #[test]
    fn no_bytes_that_begin_like_a_struct_panic(mut bytes in vec(prop_oneof![any::<u8>(), 0_u8..34], 0..200)) {
        bytes.insert(0, 0x0a);
        let _ = config::load("rate-limit", &bytes, take);
    }

    #[test]
    fn a_struct_and_json_text_of_one_value_read_the_same(value in json()) {
        let value = tame(&value);
        prop_assume!(value.is_object());
        let text = serde_json::to_vec(&value).unwrap();
        let parsed = config::parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&value));
        // An empty object is an empty message, which is no configuration at all.
        prop_assume!(value != Value::Object(Map::new()));
        prop_assert_eq!(config::parse(&to_struct(&value).encode_to_vec()), Ok(value));
    }

    #[test]
    fn all_mistakes_are_reported_at_once(bad: [bool; 6], doubled: bool) {
        let (mut value, mut mistakes) = with_mistakes(&bad);
        if doubled {
            let inner = value.clone();
            value["nested"] = inner.clone();
            value["list"] = Value::from(vec![inner]);
            mistakes *= 3;
        }
        let found = config::read("rate-limit", &value, take).err().map_or(0, |problems| problems.count());
        prop_assert_eq!(found, mistakes);
    }

    #[test]
    fn spans_print_and_parse(nanos: u64, scale in 0_u32..18) {
        let span = Nanos(nanos / 10_u64.pow(scale));
        prop_assert_eq!(span.to_string().parse(), Ok(span));
        let round = Nanos::from_secs(nanos >> 40);
        prop_assert_eq!(round.to_string().parse(), Ok(round));
    }

    #[test]
    fn sizes_print_and_parse(size: u64, shift in 0_u32..64) {
        for size in [Bytes(size >> shift), Bytes(size << shift), Bytes((size >> shift) * 10_u64.pow(shift / 22))] {
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }

    #[test]
    fn shares_print_and_parse(ppm in 0_u32..=1_000_000) {
        let share = Ratio::from_ppm(ppm);
        prop_assert_eq!(share.to_string().parse(), Ok(share));
    }

    #[test]
    fn no_text_panics_a_unit(text in prop_oneof![any::<String>(), "[0-9]{0,25}[.dhmsunKMGTiB%]{0,4}[0-9]{0,3}[a-z%]{0,2}"]) {
        let _ = text.parse::<Nanos>();
        let _ = text.parse::<Bytes>();
        if let Ok(share) = text.parse::<Ratio>() {
            prop_assert!(share <= Ratio::ONE);
        }
    }

    #[test]
    fn arithmetic_on_spans_never_wraps(a: u64, b: u64) {
        let (a, b) = (Nanos(a), Nanos(b));
        prop_assert!(a + b >= a.max(b));
        prop_assert!(a - b <= a);
        prop_assert!(a.as_secs_ceil() >= a.as_secs() && a.as_secs_ceil() - a.as_secs() <= 1);
    }
}
