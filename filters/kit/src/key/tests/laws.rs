//! What holds for every template and every request.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::exchange::Map;
use crate::headers::Headers;

type Values = Vec<Option<Vec<u8>>>;

/// Bytes that look like pieces of an encoding, so that a sloppy one would be fooled.
fn any_value() -> impl Strategy<Value = Option<Vec<u8>>> {
    let piece = prop_oneof![
        Just(vec![2, 1, 0, 0, 0]),
        Just(vec![form::WHOLE]),
        Just(vec![form::ANONYMOUS]),
        proptest::collection::vec(0..4_u8, 0..3),
    ];
    let value = proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat());
    proptest::option::weighted(0.9, value)
}

fn exchange(values: &Values) -> FakeExchange {
    let names = ["x-0", "x-1", "x-2"];
    let pairs: Vec<(&str, &[u8])> = names
        .iter()
        .zip(values)
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let x = FakeExchange::new(&FakeHost::default(), &[]);
    x.set_map(Map::Request, Headers::new(&pairs));
    x
}

/// What the key must tell apart: the values, or that there is no whole tuple of them.
fn identity(values: &Values) -> Option<Vec<Vec<u8>>> {
    values.iter().map(|value| value.clone().filter(|value| !value.is_empty())).collect()
}

proptest! {
    #[test]
    fn keys_are_equal_only_for_equal_parts(
        tuples in proptest::collection::vec(proptest::collection::vec(any_value(), 3), 2..24)
    ) {
        let rule = json!({"key": ["header:x-0", "header:x-1", "header:x-2"]});
        let mut seen: BTreeMap<Vec<u8>, Option<Vec<Vec<u8>>>> = BTreeMap::new();
        for values in &tuples {
            let built = key(&rule, &exchange(values));
            let identity = identity(values);
            if let Some(other) = seen.insert(built, identity.clone()) {
                prop_assert_eq!(other, identity);
            }
        }
        let distinct: std::collections::BTreeSet<_> = tuples.iter().map(identity).collect();
        prop_assert_eq!(seen.len(), distinct.len());
    }

    #[test]
    fn no_request_makes_building_panic(
        pairs: Vec<(Vec<u8>, Vec<u8>)>, path: Vec<u8>, authority: Vec<u8>, cookie: Vec<u8>, source: Vec<u8>,
    ) {
        let mut all = vec![
            (b":path".to_vec(), path), (b":authority".to_vec(), authority), (b"cookie".to_vec(), cookie),
        ];
        all.extend(pairs);
        let x = FakeExchange::new(&FakeHost::default(), &[]).with_attribute(Attribute::SourceAddress, &source);
        x.set_map(Map::Request, Headers::new(&all));
        for part in ["address", "header:x", "cookie:c", "query:q", "path_segment:3", "host", "path", "method"] {
            let mut out = Vec::new();
            prop_assert_eq!(template(&json!({"key": part})).build(&x, &mut out), KeyOutcome::Key);
            prop_assert!(!out.is_empty());
        }
    }

    #[test]
    fn no_text_makes_reading_panic(text: String) {
        let _ = read(&json!({"key": text}));
        let _ = read(&json!({"key": [{"part": text, "name": text}], "on_missing": text}));
    }
}
