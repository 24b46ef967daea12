//! What operators are told: what is in force, and what is wrong.

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn problems(json: &str) -> Vec<String> {
    let problems = config::load("test", json.as_bytes(), Plans::read).unwrap_err();
    let lines: Vec<String> = problems.lines().collect();
    lines[..lines.len() - 1]
        .iter()
        .map(|line| line.strip_prefix("test: ").unwrap().to_owned())
        .collect()
}

#[test]
fn the_summary_tells_sources_and_defaults_and_no_hash() {
    let plans = keyed(r#", "unknown": "free""#);
    assert_eq!(
        plans.to_string(),
        "anonymous, free, standard, premium by header x-api-key (3 keys); \
         anonymous without any of them, free for what is not known"
    );
    assert!(format!("{plans:?}").contains("Table(3)"), "{plans:?}");
    let claims = read(r#""sources": [{"value": "claim:plan"}, {"value": "header:x-plan"}]"#);
    assert!(claims.to_string().contains("by claim plan, then header x-plan;"), "{claims}");
}

#[test]
fn each_mistake_says_where_what_and_how() {
    let sources = r#""sources": [{"value": "claim:plan"}]"#;
    let plans = "allowed \"anonymous\", \"free\", \"standard\", \"premium\"";
    let (key, upper) = (hex("acme-1"), hex("acme-1").to_uppercase());
    let one = |entry: &str| {
        format!(r#"{{{NAMES}, "sources": [{{"value": "header:k", "keys": [{entry}]}}]}}"#)
    };
    let header = "allowed the name of a response header, such as \"x-ratelimit-plan\"";
    let ours = "choose another name, this one belongs to the connection";
    let upgrade = "allowed an object of at most 2048 bytes for each of \
        \"anonymous\", \"free\", \"standard\", \"premium\"; write what clients of a plan are to be told, \
        such as { \"free\": { \"plan\": \"premium\" } }";
    for (json, line) in [
        (
            format!(r#"{{"names": ["a", "b", "a"], "absent": "a", {sources}}}"#),
            "names: found \"a\" a second time, allowed each name once; remove or rename one of them"
                .to_owned(),
        ),
        (
            format!(r#"{{"names": ["a"], {sources}}}"#),
            "absent: found nothing, allowed \"a\"; add this field".to_owned(),
        ),
        (
            format!(r#"{{"absent": "a", "unknown": "b", {sources}}}"#),
            "names: found nothing, allowed a list of names; add this field".to_owned(),
        ),
        (
            format!(r#"{{{NAMES}, "unknown": "premum", {sources}}}"#),
            format!("unknown: found \"premum\", {plans}; did you mean \"premium\"?"),
        ),
        (
            format!("{{{NAMES}}}"),
            "sources: found nothing, allowed a list of objects; add this field".to_owned(),
        ),
        (
            format!(r#"{{{NAMES}, "sources": [{{"value": "claim:plan", "keys": []}}]}}"#),
            "sources[0].keys: found 0 entries, at least 1 is needed; add 1 entry".to_owned(),
        ),
        (
            one(&format!(r#"{{"sha256": "{key}", "plan": "gold"}}"#)),
            format!("sources[0].keys[0].plan: found \"gold\", {plans}; choose one of them"),
        ),
        (
            one(&format!(r#"{{"sha256": "{key}", "plan": "free"}}, {{"sha256": "{upper}", "plan": "free"}}"#)),
            "sources[0].keys[1].sha256: found the hash of sources[0].keys[0] a second time, \
             allowed each hash once; remove one of them"
                .to_owned(),
        ),
        (
            one(r#"{"sha256": "my secret key", "plan": "free"}"#),
            "sources[0].keys[0].sha256: found a value that is no such hash, perhaps the key itself, \
             allowed the SHA-256 of the key as 64 hexadecimal digits; choose a new key if this was one, \
             and print its hash with: printf %s \"$KEY\" | sha256sum"
                .to_owned(),
        ),
        (
            one(&format!(r#"{{"sha256": "{}", "plan": "free"}}"#, hex(""))),
            "sources[0].keys[0].sha256: found the hash of an empty text, \
             allowed the SHA-256 of the key as 64 hexadecimal digits; \
             set KEY before: printf %s \"$KEY\" | sha256sum"
                .to_owned(),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "header": "x plan"}}"#),
            format!(
                "header: found \"x plan\", {header}; \
                 use letters, digits and -, _ and the like, without blanks or colons"
            ),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "header": ":status"}}"#),
            format!("header: found \":status\", {header}; leave the colon out"),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "header": "Connection"}}"#),
            format!("header: found \"Connection\", {header}; {ours}"),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "header": "content-length"}}"#),
            format!("header: found \"content-length\", {header}; {ours}"),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "header": "X-RateLimit-Reset"}}"#),
            format!(
                "header: found \"X-RateLimit-Reset\", {header}; \
                 choose another name, this one says something else in answers"
            ),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "upgrade": {{"fre": {{}}}}}}"#),
            format!("upgrade: found an object for an unknown plan \"fre\", {upgrade}"),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "upgrade": {{"free": "premium"}}}}"#),
            format!("upgrade: found no object for the plan \"free\", {upgrade}"),
        ),
        (
            format!(r#"{{{NAMES}, {sources}, "upgrade": {{"free": {{"a": "{}"}}}}}}"#, "x".repeat(2_048)),
            format!("upgrade: found an object that is too long for the plan \"free\", {upgrade}"),
        ),
    ] {
        assert_eq!(problems(&json), [line], "{json}");
    }
}
