//! Parts that the filter itself gives.

use super::*;

const GIVEN: [&str; 2] = ["consumer", "plan"];

fn read_given(rule: &Value) -> Result<KeyTemplate, config::Problems> {
    config::read("test", rule, |fields| KeyTemplate::read_with(fields, &GIVEN).unwrap_or_default())
}

fn first_line(rule: &Value) -> String {
    let problems = read_given(rule).err();
    problems.and_then(|problems| problems.lines().next()).unwrap_or_default()
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_given_part_is_one_like_the_others() {
    let x = request();
    let give = |word: &str| match word {
        "consumer" => Some(&b"acme"[..]),
        "plan" => Some(&b""[..]),
        _ => None,
    };
    for (rule, expected) in [
        (json!({"key": "consumer"}), whole(&[(64, b"acme")])),
        (json!({"key": [{"part": "consumer"}, "method"]}), whole(&[(64, b"acme"), (9, b"GET")])),
        (json!({"key": ["consumer", "plan"]}), vec![form::ANONYMOUS]),
        (json!({"key": "method"}), whole(&[(9, b"GET")])),
    ] {
        let template = read_given(&rule).unwrap();
        let mut out = Vec::new();
        assert_eq!(template.build_with(&x, &give, &mut out), KeyOutcome::Key);
        assert_eq!(out, expected, "{rule}");
    }
    let template = read_given(&json!({"key": ["method", "consumer"]})).unwrap();
    assert_eq!(template.describe(), "method and consumer, else one key for all");
    let mut out = Vec::new();
    assert_eq!(template.build(&x, &mut out), KeyOutcome::Key);
    assert_eq!(out, [form::ANONYMOUS], "given by nobody");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn given_words_are_known_only_where_they_are_given() {
    let line = first_line(&json!({"key": "customer"}));
    assert!(line.ends_with("route, virtual_host, cluster, consumer, plan"), "{line}");
    let line = first_line(&json!({"key": "consumer:x"}));
    assert!(line.ends_with("; remove what follows the colon"), "{line}");
    let line = first_line(&json!({"key": [{"part": "consumr"}]}));
    assert!(
        line.ends_with("\"cluster\", \"consumer\", \"plan\"; did you mean \"consumer\"?"),
        "{line}"
    );
    let line = first_line(&json!({"key": [{"part": "consumer", "name": "x"}]}));
    assert_eq!(line, "test: key[0].name: unknown field; remove it, the fields here are part");
    assert!(read(&json!({"key": "consumer"})).is_err());
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_key_that_is_read_alone_has_no_stand_in() {
    let alone = |rule: &Value| config::read("test", rule, KeyTemplate::read_alone);
    let template = alone(&json!({"key": ["header:x-api-key", "host"]})).unwrap().unwrap();
    assert_eq!(template.parts(), "header x-api-key and host");
    let mut out = Vec::new();
    assert_eq!(template.build(&request(), &mut out), KeyOutcome::Key);
    assert_eq!(out, whole(&[(2, b"k1"), (10, b"shop.example.com")]));
    let nobody = FakeExchange::get(&FakeHost::default(), "/", &[]);
    out.clear();
    assert_eq!(template.build(&nobody, &mut out), KeyOutcome::Missing(Missing::Skip));
    assert!(out.is_empty());
    assert!(alone(&json!({})).unwrap().is_none());
    let problems = alone(&json!({"key": "host", "on_missing": "skip"})).unwrap_err();
    let line = problems.lines().next().unwrap();
    assert_eq!(line, "test: on_missing: unknown field; remove it, the fields here are key");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn templates_that_count_by_other_things_have_other_identities() {
    let long = "x".repeat(100);
    let claim = |namespace: &str| json!({"part": "claim", "path": ["sub"], "namespace": namespace});
    let keys = [
        json!("header:x-api-key"),
        json!("query:x-api-key"),
        json!(["header:x-api-key", "host"]),
        json!("claim:sub"),
        claim("one"),
        claim("two"),
        json!(format!("constant:{long}a")),
        json!(format!("constant:{long}b")),
        json!("address"),
        json!({"part": "address", "ipv4_prefix": 24}),
    ];
    let identities: std::collections::BTreeSet<String> =
        keys.iter().map(|key| template(&json!({ "key": key })).identity()).collect();
    assert_eq!(identities.len(), keys.len(), "{identities:?}");
}
