//! Claims, in the forms in which Envoy hands them over.

use proptest::prelude::*;

use super::*;
use crate::headers::Headers;

const PLACE: [&str; 4] =
    ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "jwt_payload"];

fn with(value: &[u8]) -> FakeExchange {
    let path = [&PLACE[..], &["c"]].concat();
    FakeExchange::new(&FakeHost::default(), &[]).with_property(&path, value)
}

fn holds(test: &Value, value: &[u8]) -> bool {
    let mut entry = test.clone();
    entry["path"] = json!("c");
    matcher(&json!({ "claims": [entry] })).matches(&with(value))
}

fn number(number: f64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

fn list(elements: &[&[u8]]) -> Vec<u8> {
    let pairs: Vec<(&[u8], &[u8])> = elements.iter().map(|element| (*element, &b""[..])).collect();
    Headers::new(&pairs).as_pairs().to_vec()
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_list_is_written_as_envoy_writes_it() {
    let envoy = b"\x02\0\0\0\x05\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0admin\0\0ab\0\0";
    assert_eq!(list(&[b"admin", b"ab"]), envoy);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn one_element_of_a_list_is_enough() {
    let roles = list(&[b"user", b"admin", &number(7.0), &[1]]);
    for (test, expected) in [
        (json!({"exact": "admin"}), true),
        (json!({"exact": "root"}), false),
        (json!({"exact": "7"}), true),
        (json!({"exact": "true"}), true),
        (json!({"exact": "false"}), false),
        (json!({"prefix": "adm"}), true),
        (json!({"suffix": "ser"}), true),
        (json!({"contains": "dmi"}), true),
        (json!({"regex": "us.r"}), true),
        (json!({"regex": "us.*admin.*"}), false),
        (json!({"present": true}), true),
        (json!({"present": false}), false),
        (json!({"exact": "admin", "not": true}), false),
        (json!({"exact": "root", "not": true}), true),
    ] {
        assert_eq!(holds(&test, &roles), expected, "{test}");
    }
    for (test, expected) in [
        (json!({"present": true}), true),
        (json!({"exact": ""}), false),
        (json!({"regex": ".*"}), false),
        (json!({"regex": ".*", "not": true}), true),
    ] {
        assert_eq!(holds(&test, &list(&[])), expected, "empty list, {test}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn exact_compares_numbers_and_truth_values() {
    for (text, value, expected) in [
        ("5", number(5.0), true),
        ("5.0", number(5.0), true),
        ("-5", number(-5.0), true),
        ("0.5", number(0.5), true),
        ("-0", number(0.0), true),
        ("5", number(6.0), false),
        ("5", b"5".to_vec(), true),
        ("5.0", b"5".to_vec(), false),
        ("inf", number(f64::INFINITY), false),
        ("nan", number(f64::NAN), false),
        ("1e999", number(f64::INFINITY), false),
        ("true", vec![1], true),
        ("true", vec![0], false),
        ("false", vec![0], true),
        ("true", b"true".to_vec(), true),
        ("1", vec![1], false),
        ("", Vec::new(), true),
    ] {
        assert_eq!(holds(&json!({ "exact": text }), &value), expected, "{text} {value:?}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn an_object_is_only_there() {
    let object = Headers::new(&[("roles", "admin"), ("x", "")]).as_pairs().to_vec();
    assert!(holds(&json!({"present": true}), &object));
    for test in
        [json!({"exact": "roles"}), json!({"contains": "admin"}), json!({"regex": "(?s).*"})]
    {
        assert!(!holds(&test, &object), "{test}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_only_resembles_a_list_is_a_text() {
    let whole = list(&[b"admin"]);
    let longer = [&whole[..], b"x"].concat();
    for value in [&whole[..whole.len() - 1], &longer, b"\x01\0\0\0", b"\xff\xff\xff\xffadmin"] {
        assert!(!holds(&json!({"exact": "admin"}), value), "{value:?}");
        assert!(holds(&json!({"regex": "(?s).*"}), value), "{value:?}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn claims_may_be_elsewhere() {
    let x = FakeExchange::new(&FakeHost::default(), &[])
        .with_property(&["metadata", "filter_metadata", "own", "token", "a", "b"], b"x");
    let entry = json!({"path": ["a", "b"], "namespace": "own", "payload": "token", "exact": "x"});
    assert!(matcher(&json!({ "claims": [entry] })).matches(&x));
    assert!(!matcher(&json!({"claims": [{"path": ["a", "b"], "exact": "x"}]})).matches(&x));
}

proptest! {
    #[test]
    fn no_claim_makes_a_rule_panic(value: Vec<u8>, elements: Vec<Vec<u8>>, wanted: String) {
        let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
        for value in [&value[..], &list(&elements)] {
            let _ = holds(&json!({"exact": wanted}), value);
            let _ = holds(&json!({"contains": "a"}), value);
        }
        let is_one = elements.contains(&wanted.as_bytes());
        if wanted.parse::<f64>().is_err() && wanted != "true" && wanted != "false" {
            prop_assert_eq!(holds(&json!({"exact": wanted}), &list(&elements)), is_one);
        }
    }
}
