//! What operators read: summaries, and every message in full.

use super::*;

const FORMS: &str =
    r#"allowed a part such as "address", "header:x-api-key" or {"part": "claim", "path": ["sub"]}"#;

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_key_describes_itself() {
    for (rule, words) in [
        (json!({}), "address (IPv6 by /64), else one key for all"),
        (
            json!({"key": [{"part": "address", "ipv4_prefix": 24, "ipv6_prefix": 48}], "on_missing": "deny"}),
            "address (IPv4 by /24, IPv6 by /48), else denied",
        ),
        (
            json!({"key": ["header:X-Api-Key", "cookie:c", "query:q"], "on_missing": "address"}),
            "header x-api-key and cookie c and query q, else address",
        ),
        (
            json!({"key": ["claim:sub", "path_segment:0", "path"], "on_missing": "skip"}),
            "claim sub and path segment 0 and path, else not counted",
        ),
        (
            json!({"key": [{"part": "claim", "path": ["a", "b"]}, {"part": "property", "path": ["connection", "id"]}]}),
            "claim a.b and property connection.id, else one key for all",
        ),
        (
            json!({"key": ["route", "virtual_host", "cluster", "host"]}),
            "route and virtual host and cluster and host, else one key for all",
        ),
        (json!({"key": ["constant:x", "method"]}), "constant \"x\" and method"),
    ] {
        assert_eq!(template(&rule).describe(), words);
    }
    assert_eq!(KeyTemplate::everyone().describe(), "one key for all");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how() {
    let words = "write one of address, header:NAME, cookie:NAME, query:NAME, path_segment:NUMBER, \
        claim:NAME, constant:TEXT, method, host, path, route, virtual_host, cluster";
    for (rule, line) in [
        (json!({"key": "ip"}), format!(r#"key: found "ip", {FORMS}; {words}"#)),
        (json!({"key": ["host", "ip:x"]}), format!(r#"key[1]: found "ip:x", {FORMS}; {words}"#)),
        (json!({"key": "header"}), format!(r#"key: found "header", {FORMS}; add what it is called, as in "header:…""#)),
        (json!({"key": "claim:"}), format!(r#"key: found "claim:", {FORMS}; add what it is called, as in "claim:…""#)),
        (json!({"key": "address:64"}), format!(r#"key: found "address:64", {FORMS}; remove what follows the colon"#)),
        (json!({"key": "property:x"}), format!(r#"key: found "property:x", {FORMS}; for a property write {{"part": "property", "path": ["…"]}}"#)),
        (json!({"key": "path_segment:32"}), format!(r#"key: found "path_segment:32", {FORMS}; count the segment from 0 to 31"#)),
        (json!({"key": "path_segment:+1"}), format!(r#"key: found "path_segment:+1", {FORMS}; count the segment from 0 to 31"#)),
        (json!({"key": "header:x y"}), format!(r#"key: found "header:x y", {FORMS}; use letters, digits and -, _ and the like, without blanks or colons"#)),
        (json!({"key": 7}), format!("key: found 7, allowed a list of entries, each {}, or one without a list; put the values in [ ]", &FORMS["allowed ".len()..])),
        (json!({"key": [7]}), format!("key[0]: found 7, {FORMS}; give a text in quotes")),
        (json!({"key": []}), "key: found 0 entries, at least 1 is needed; add 1 entry".to_owned()),
        (json!({"key": [{"part": "claim"}]}), "key[0].path: found nothing, allowed a list of entries, each a text of 1 to 4096 bytes, or one without a list; add this field".to_owned()),
        (json!({"key": [{"part": "header", "nam": "x", "name": "x"}]}), "key[0].nam: unknown field; remove it, the fields here are part, name".to_owned()),
        (json!({"key": [{"part": "hedaer", "name": "x"}]}), r#"key[0].part: found "hedaer", allowed "address", "header", "cookie", "query", "path_segment", "claim", "property", "constant", "method", "host", "path", "route", "virtual_host", "cluster"; did you mean "header"?"#.to_owned()),
        (json!({"key": [{"part": "address", "ipv6_prefix": 0}]}), "key[0].ipv6_prefix: found 0, allowed 16 to 128; raise it to at least 16, zero does not mean off".to_owned()),
        (json!({"on_missing": "ignore"}), r#"on_missing: found "ignore", allowed "anonymous", "address", "skip", "deny"; choose one of them"#.to_owned()),
    ] {
        let lines: Vec<String> = read(&rule).err().map(|problems| problems.lines().collect()).unwrap_or_default();
        assert_eq!(lines.first(), Some(&format!("test: {line}")), "{rule}");
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}
