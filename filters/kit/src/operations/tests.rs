use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::exchange::Attribute;
use crate::fake::{FakeExchange, FakeHost};

mod parts;

/// The SHA-256 of `open sesame`.
const HASH: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

fn read(rule: &Value) -> Result<Access, config::Problems> {
    config::read("test", rule, Access::read)
}

fn access(rule: &Value) -> Access {
    read(rule).unwrap_or_else(|problems| panic!("{rule}: {problems}"))
}

fn judge(rule: &Value, path: &str, headers: &[(&str, &str)]) -> Verdict {
    access(rule).decide(&FakeExchange::get(&FakeHost::default(), path, headers))
}

const NO_TOKEN: Verdict = Verdict::Denied(Denial::Token);
const NO_SOURCE: Verdict = Verdict::Denied(Denial::Source);

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn only_what_is_below_the_prefix_is_ours() {
    let rule = json!({"path": "/weir", "source": "192.0.2.0/24"});
    for (path, verdict, endpoint) in [
        ("/weir", Verdict::Granted, Some("")),
        ("/weir?x", Verdict::Granted, Some("")),
        ("/weir/health", Verdict::Granted, Some("/health")),
        ("/%77eir/he%61lth?x", Verdict::Granted, Some("/health")),
        ("/weirdo", Verdict::NotOurs, None),
        ("/x/weir", Verdict::NotOurs, None),
        ("/", Verdict::NotOurs, None),
        ("", Verdict::NotOurs, None),
    ] {
        let x = FakeExchange::get(&FakeHost::default(), path, &[]);
        assert_eq!(access(&rule).decide(&x), verdict, "{path}");
        assert_eq!(access(&rule).endpoint(&x).as_deref(), endpoint, "{path}");
    }
    assert_eq!(
        Access::default().decide(&FakeExchange::get(&FakeHost::default(), "/weir", &[])),
        Verdict::NotOurs
    );
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_token_is_taken_from_either_header() {
    let rule = json!({"path": "/weir", "token_sha256": HASH});
    let upper = json!({"path": "/weir", "token_sha256": HASH.to_uppercase()});
    let long = "x".repeat(1_025);
    for (headers, verdict) in [
        (&[("authorization", "Bearer open sesame")][..], Verdict::Granted),
        (&[("authorization", "bearer  open sesame ")], Verdict::Granted),
        (&[("x-weir-token", "open sesame")], Verdict::Granted),
        (&[("authorization", "Basic dTpw"), ("x-weir-token", "open sesame")], Verdict::Granted),
        (&[("authorization", "Bearer open sesame"), ("x-weir-token", "no")], NO_TOKEN),
        (&[("authorization", "open sesame")], NO_TOKEN),
        (&[("authorization", "Bearer")], NO_TOKEN),
        (&[("authorization", "Bearer ")], NO_TOKEN),
        (&[("x-weir-token", "")], NO_TOKEN),
        (&[("x-weir-token", "open sesam")], NO_TOKEN),
        (&[("x-weir-token", HASH)], NO_TOKEN),
        (&[("x-weir-token", &long)], NO_TOKEN),
        (&[], NO_TOKEN),
    ] {
        assert_eq!(judge(&rule, "/weir/x", headers), verdict, "{headers:?}");
        assert_eq!(judge(&upper, "/weir/x", headers), verdict, "{headers:?}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_token_is_told_from_the_credentials_of_clients() {
    let with_token = access(&json!({"path": "/weir", "token_sha256": HASH}));
    let without = access(&json!({"path": "/weir", "source": "::1"}));
    for (name, value, is_token) in [
        ("x-weir-token", "anything", [true, true]),
        ("authorization", "bearer open sesame", [true, false]),
        ("authorization", "Bearer of.another.kind", [false, false]),
        ("authorization", "Basic dTpw", [false, false]),
        ("x-api-key", "open sesame", [false, false]),
    ] {
        let told = [&with_token, &without].map(|a| a.is_token(name.as_bytes(), value.as_bytes()));
        assert_eq!(told, is_token, "{name}: {value}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_wrong_address_learns_nothing_about_tokens() {
    let both = json!({"path": "/weir", "token_sha256": HASH, "source": ["198.51.100.0/24"]});
    let right = [("x-weir-token", "open sesame")];
    assert_eq!(judge(&both, "/weir", &right), NO_SOURCE);
    assert_eq!(judge(&both, "/weir", &[]), NO_SOURCE);
    let at = |peer: &str, headers: &[(&str, &str)]| {
        let x = FakeExchange::get(&FakeHost::default(), "/weir", headers)
            .with_attribute(Attribute::SourceAddress, peer.as_bytes());
        access(&both).decide(&x)
    };
    assert_eq!(at("198.51.100.7:1", &right), Verdict::Granted);
    assert_eq!(at("[::ffff:198.51.100.7]:1", &right), Verdict::Granted);
    assert_eq!(at("198.51.100.7:1", &[]), NO_TOKEN);
    assert_eq!(at("envoy://internal_client_address/", &right), NO_SOURCE);
    assert_eq!((Denial::Token.status(), Denial::Source.status()), (401, 403));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how_and_never_the_secret() {
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let no_hash = "token_sha256: found a value that is no such hash, perhaps the token itself, \
        allowed the SHA-256 of the token as 64 hexadecimal digits; \
        choose a new token if this was one, and print its hash with: printf %s \"$TOKEN\" | sha256sum";
    for (rule, line) in [
        (
            json!({"path": "/weir"}),
            "configuration: found neither token_sha256 nor source, allowed at least one of them; add one, or remove the object to switch operations off",
        ),
        (
            json!({"source": "::1"}),
            r#"path: found nothing, allowed a path such as "/weir"; add this field"#,
        ),
        (
            json!({"path": "/", "source": "::1"}),
            r#"path: found "/", allowed a path such as "/weir"; name a path of its own, the whole site cannot be the operations endpoint"#,
        ),
        (
            json!({"path": "weir", "source": "::1"}),
            r#"path: found "weir", allowed a path such as "/weir"; begin it with /"#,
        ),
        (
            json!({"path": "/weir/", "source": "::1"}),
            r#"path: found "/weir/", allowed a path such as "/weir"; remove the slash at its end"#,
        ),
        (json!({"path": "/weir", "token_sha256": "open sesame"}), no_hash),
        (json!({"path": "/weir", "token_sha256": HASH.replace('4', "g")}), no_hash),
        (json!({"path": "/weir", "token_sha256": &HASH[1..]}), no_hash),
        (
            json!({"path": "/weir", "token_sha256": nothing}),
            "token_sha256: found the hash of an empty text, allowed the SHA-256 of the token as 64 hexadecimal digits; set TOKEN before: printf %s \"$TOKEN\" | sha256sum",
        ),
        (
            json!({"path": "/weir", "token": "open sesame", "source": "::1"}),
            r#"token: unknown field; remove it, the fields here are path, source, token_sha256"#,
        ),
    ] {
        let lines: Vec<String> =
            read(&rule).err().map(|problems| problems.lines().collect()).unwrap_or_default();
        assert_eq!(lines.first(), Some(&format!("test: {line}")), "{rule}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(!lines.concat().contains("sesame"));
    }
}

#[test]
fn summaries_do_not_tell_the_hash() {
    let rule = json!({"path": "/weir", "token_sha256": HASH, "source": ["::1", "10.0.0.0/8"]});
    assert_eq!(
        access(&rule).describe(),
        "operations below /weir with the token from ::1 or 10.0.0.0/8"
    );
    assert!(!format!("{:?}", access(&rule)).contains("41"));
    assert_eq!(Access::default().describe(), "operations off");
    assert!(!Access::default().is_on() && access(&rule).is_on());
}
