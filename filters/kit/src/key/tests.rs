use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::exchange::Attribute;
use crate::fake::{FakeExchange, FakeHost};

mod given;
mod laws;
mod messages;
mod shown;
mod sources;

fn read(rule: &Value) -> Result<KeyTemplate, config::Problems> {
    config::read("test", rule, |fields| KeyTemplate::read(fields).unwrap_or_default())
}

fn template(rule: &Value) -> KeyTemplate {
    read(rule).unwrap_or_else(|problems| panic!("{rule}: {problems}"))
}

fn key(rule: &Value, x: &dyn Exchange) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(template(rule).build(x, &mut out), KeyOutcome::Key, "{rule}");
    out
}

/// A part as it is written: kind and value.
type Written<'a> = (u8, &'a [u8]);

/// The bytes of a whole key of these parts.
fn whole(parts: &[Written<'_>]) -> Vec<u8> {
    let mut out = vec![form::WHOLE];
    for (tag, value) in parts {
        out.push(*tag);
        out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        out.extend_from_slice(value);
    }
    out
}

fn request() -> FakeExchange {
    let headers = [
        (":method", "GET"),
        (":path", "/%61pi/users?user=a%20b&user=c"),
        (":authority", "Shop.Example.com.:8080"),
        ("x-api-key", "k1"),
        ("x-api-key", "k2"),
        ("x-empty", ""),
        ("cookie", "theme=dark"),
        ("cookie", "session=\"s 1\"; session=s2"),
    ];
    FakeExchange::new(&FakeHost::default(), &headers)
        .with_attribute(Attribute::SourceAddress, b"[2001:db8:1:2:3:4:5:6]:4711")
        .with_attribute(Attribute::RouteName, b"users")
        .with_attribute(Attribute::VirtualHost, b"shop")
        .with_attribute(Attribute::Cluster, b"backend")
        .with_property(
            &["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "jwt_payload", "sub"],
            b"anna",
        )
        .with_property(&["metadata", "filter_metadata", "own", "claims", "realm", "tier"], b"gold")
        .with_property(&["connection", "mtls"], &[1])
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_part_is_taken_from_its_place() {
    let x = request();
    let net = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    let net48 = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let rows: [(Value, &[Written<'_>]); 21] = [
        (json!({}), &[(1, &net)]),
        (json!({"key": "address"}), &[(1, &net)]),
        (json!({"key": ["address"]}), &[(1, &net)]),
        (json!({"key": [{"part": "address", "ipv6_prefix": 48}]}), &[(1, &net48)]),
        (json!({"key": "header:X-Api-Key"}), &[(2, b"k1")]),
        (json!({"key": [{"part": "header", "name": "x-api-key"}]}), &[(2, b"k1")]),
        (json!({"key": "query:user"}), &[(3, b"a b")]),
        (json!({"key": "cookie:session"}), &[(4, b"\"s 1\"")]),
        (json!({"key": "path_segment:0"}), &[(5, b"api")]),
        (json!({"key": [{"part": "path_segment", "index": 1}]}), &[(5, b"users")]),
        (json!({"key": "claim:sub"}), &[(6, b"anna")]),
        (
            json!({"key": [{"part": "claim", "path": ["realm", "tier"], "namespace": "own", "payload": "claims"}]}),
            &[(6, b"gold")],
        ),
        (json!({"key": [{"part": "property", "path": ["connection", "mtls"]}]}), &[(7, &[1])]),
        (json!({"key": "constant:a:b"}), &[(8, b"a:b")]),
        (json!({"key": "method"}), &[(9, b"GET")]),
        (json!({"key": "host"}), &[(10, b"shop.example.com")]),
        (json!({"key": "path"}), &[(11, b"/api/users")]),
        (json!({"key": "route"}), &[(12, b"users")]),
        (json!({"key": "virtual_host"}), &[(13, b"shop")]),
        (json!({"key": "cluster"}), &[(14, b"backend")]),
        (
            json!({"key": ["method", "claim:sub", {"part": "host"}]}),
            &[(9, b"GET"), (6, b"anna"), (10, b"shop.example.com")],
        ),
    ];
    for (rule, parts) in rows {
        assert_eq!(key(&rule, &x), whole(parts), "{rule}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn addresses_of_one_network_are_one_client() {
    let host = FakeHost::default();
    let with = |peer: &str| {
        FakeExchange::get(&host, "/", &[]).with_attribute(Attribute::SourceAddress, peer.as_bytes())
    };
    let default = json!({"key": "address"});
    let wide = json!({"key": [{"part": "address", "ipv4_prefix": 24}]});
    for (rule, one, other, same) in [
        (&default, "192.0.2.1:1", "192.0.2.1:2", true),
        (&default, "192.0.2.1:1", "192.0.2.2:1", false),
        (&default, "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true),
        (&default, "[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true),
        (&default, "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false),
        (&wide, "192.0.2.1:1", "192.0.2.200:1", true),
        (&wide, "192.0.2.1:1", "192.0.3.1:1", false),
        // Four bytes are no sixteen, even where the numbers agree.
        (&default, "0.0.0.0:1", "[::]:1", false),
    ] {
        assert_eq!(key(rule, &with(one)) == key(rule, &with(other)), same, "{one} {other}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_missing_part_is_answered_as_asked() {
    let x = request();
    let no_address = FakeExchange::get(&FakeHost::default(), "/", &[])
        .with_attribute(Attribute::SourceAddress, b"envoy://internal_client_address/");
    for missing in [
        "header:x-none",
        "header:x-empty",
        "cookie:none",
        "query:none",
        "path_segment:7",
        "claim:none",
    ] {
        let parts = json!(["constant:c", missing]);
        let rule = |on_missing: &str| json!({"key": parts, "on_missing": on_missing});
        assert_eq!(key(&json!({"key": parts}), &x), [form::ANONYMOUS], "{missing}");
        assert_eq!(key(&rule("anonymous"), &x), [form::ANONYMOUS]);
        let address = key(&rule("address"), &x);
        assert_eq!(address.first(), Some(&form::ADDRESS));
        assert_eq!(address.get(1..), key(&json!({"key": "address"}), &x).get(1..));
        assert_eq!(key(&rule("address"), &no_address), [form::ANONYMOUS]);
        for (word, outcome) in [("skip", Missing::Skip), ("deny", Missing::Deny)] {
            let mut out = b"rule 7".to_vec();
            assert_eq!(template(&rule(word)).build(&x, &mut out), KeyOutcome::Missing(outcome));
            assert_eq!(out, b"rule 7", "nothing is left behind");
        }
    }
    assert_eq!(key(&json!({"key": "address"}), &no_address), [form::ANONYMOUS]);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn an_address_in_its_place_counts_by_the_networks_of_the_template() {
    let rule = json!({
        "key": ["header:x-none", {"part": "address", "ipv6_prefix": 32}],
        "on_missing": "address",
    });
    let mut expected = vec![form::ADDRESS, 1, 16, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8];
    expected.resize(6 + 16, 0);
    assert_eq!(key(&rule, &request()), expected);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_value_beyond_the_bound_names_nobody() {
    let rule = json!({"key": "header:x"});
    for (len, missing) in [(part::MAX_VALUE, false), (part::MAX_VALUE + 1, true), (60_000, true)] {
        let x = FakeExchange::get(&FakeHost::default(), "/", &[("x", &"a".repeat(len))]);
        assert_eq!(key(&rule, &x) == [form::ANONYMOUS], missing, "{len}");
    }
}

#[test]
fn everyone_shares_one_key_that_no_part_makes() {
    let mut out = Vec::new();
    assert_eq!(KeyTemplate::everyone().build(&request(), &mut out), KeyOutcome::Key);
    assert_eq!(out, [form::WHOLE]);
}

#[test]
fn a_key_is_appended_to_what_the_caller_wrote() {
    let mut out = vec![7];
    assert_eq!(KeyTemplate::address().build(&request(), &mut out), KeyOutcome::Key);
    assert_eq!(out.first(), Some(&7));
    assert_eq!(out.get(1..), Some(&*key(&json!({}), &request())));
}
