//! One part, for its value.

use super::*;

fn source(value: &Value) -> Result<Source, String> {
    let rule = json!({ "value": value });
    let read = config::read("test", &rule, |fields| Source::read(fields, "value"));
    read.map(|source| source.unwrap())
        .map_err(|problems| problems.lines().next().unwrap_or_default())
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_source_gives_the_value_and_nothing_else() {
    let x = request();
    for (value, expected) in [
        (json!("header:X-Api-Key"), Some("k1")),
        (json!({"part": "header", "name": "x-api-key"}), Some("k1")),
        (json!("header:x-empty"), None),
        (json!("header:x-none"), None),
        (json!("claim:sub"), Some("anna")),
        (
            json!({"part": "claim", "path": ["realm", "tier"], "namespace": "own", "payload": "claims"}),
            Some("gold"),
        ),
        (json!({"part": "property", "path": ["connection", "mtls"]}), Some("\u{1}")),
        (json!("cookie:session"), Some("\"s 1\"")),
        (json!("query:user"), Some("a b")),
        (json!("host"), Some("shop.example.com")),
        (json!("route"), Some("users")),
        (json!("address"), Some("2001:db8:1:2::")),
        (json!({"part": "address", "ipv6_prefix": 128}), Some("2001:db8:1:2:3:4:5:6")),
    ] {
        let found = source(&value).unwrap().value(&x);
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{value}");
    }
    let x = FakeExchange::get(&FakeHost::default(), "/", &[("x", &"a".repeat(8_193))]);
    assert_eq!(source(&json!("header:x")).unwrap().value(&x), None);
    assert_eq!(source(&json!("address")).unwrap().value(&x), Some(b"192.0.2.1".to_vec()));
    assert_eq!(source(&json!("claim:plan")).unwrap().to_string(), "claim plan");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_source_depends_on_the_request() {
    let forms = r#"allowed a part such as "address", "header:x-api-key" or {"part": "claim", "path": ["sub"]}"#;
    let words = "write one of address, header:NAME, cookie:NAME, query:NAME, path_segment:NUMBER, \
        claim:NAME, method, host, path, route, virtual_host, cluster";
    for (value, line) in [
        (json!("constant:x"), format!("found \"constant:x\", {forms}; {words}")),
        (json!("ip"), format!("found \"ip\", {forms}; {words}")),
        (json!(7), format!("found 7, {forms}; give a text in quotes")),
        (json!(["host"]), format!("found a list, {forms}; give a text in quotes")),
    ] {
        assert_eq!(source(&value), Err(format!("test: value: {line}")));
    }
    let line = source(&json!({"part": "constant", "value": "x"})).unwrap_err();
    assert!(
        line.starts_with("test: value.part: found \"constant\", allowed \"address\", "),
        "{line}"
    );
    let missing = config::read("test", &json!({}), |fields| Source::read(fields, "value")).err();
    let line = missing.and_then(|problems| problems.lines().next());
    assert_eq!(line, Some(format!("test: value: found nothing, {forms}; add this field")));
}
