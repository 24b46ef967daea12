//! What holds for every rule and every request.

use proptest::prelude::*;

use super::*;
use crate::exchange::Map;
use crate::headers::Headers;

/// A request of any bytes whatever, with the names that rules look at more often than chance has it.
fn any_request() -> impl Strategy<Value = FakeExchange> {
    let names =
        [":method", ":path", ":authority", "x-env", "cookie"].map(|name| name.as_bytes().to_vec());
    let name = prop_oneof![proptest::sample::select(names.to_vec()), any::<Vec<u8>>()];
    let value = prop_oneof![
        any::<Vec<u8>>(),
        "/[a-c%/?&=+.]{0,12}".prop_map(String::into_bytes),
        "[a-z]=[a-z\";%]{0,8}".prop_map(String::into_bytes),
    ];
    let pairs = proptest::collection::vec((name, value), 0..8);
    (pairs, any::<Option<Vec<u8>>>()).prop_map(|(pairs, source)| {
        let x = FakeExchange::new(&FakeHost::default(), &[]);
        x.set_map(Map::Request, Headers::new(&pairs));
        if let Some(source) = source {
            x.set_attribute(Attribute::SourceAddress, &source);
        }
        x
    })
}

/// Compiled once: the laws ask each of them about every request.
fn rules() -> Vec<(Value, Matcher)> {
    rows().into_iter().map(|(rule, _)| (rule.clone(), matcher(&rule))).collect()
}

#[test]
fn no_request_makes_a_rule_panic() {
    let rules = rules();
    proptest!(|(x in any_request())| {
        for (_, rule) in &rules {
            let _ = rule.matches(&x);
        }
    });
}

#[test]
fn a_rule_and_its_opposite_never_agree() {
    let plain =
        |rule: &Value| *rule != json!({}) && rule.get("any").is_none() && rule.get("not").is_none();
    let pairs: Vec<(Value, Matcher, Matcher)> = rules()
        .into_iter()
        .filter(|(rule, _)| plain(rule))
        .map(|(rule, compiled)| (rule.clone(), compiled, matcher(&json!({"not": rule}))))
        .collect();
    proptest!(|(x in any_request())| {
        for (rule, compiled, opposite) in &pairs {
            prop_assert_ne!(compiled.matches(&x), opposite.matches(&x), "{}", rule);
        }
    });
}

proptest! {
    #[test]
    fn no_configuration_makes_reading_panic(
        field in proptest::sample::select(vec!["exact", "prefix", "template", "regex"]),
        text: String,
    ) {
        let _ = read(&json!({"path": {field: text}}));
        let _ = read(&json!({"hosts": text, "source": text, "methods": text, "clusters": text}));
        let _ = read(&json!({"headers": [{"name": text, "regex": text}]}));
    }

    #[test]
    fn a_prefix_is_the_path_or_ends_at_a_slash(path in "/[ab/]{0,8}", prefix in "/[ab]{1,3}") {
        let rule = matcher(&json!({"path": {"prefix": prefix}}));
        let x = FakeExchange::get(&FakeHost::default(), &path, &[]);
        let segments: Vec<&str> = path.split('/').collect();
        let wanted: Vec<&str> = prefix.split('/').collect();
        prop_assert_eq!(rule.matches(&x), segments.starts_with(&wanted));
    }
}
