//! Keys in operators' words.

use proptest::prelude::*;

use super::*;

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_key_is_shown_part_by_part() {
    let x = request();
    for (rule, words) in [
        (json!({}), "address 2001:db8:1:2::"),
        (json!({"key": ["header:x-api-key", "query:user"]}), r#"header "k1", query "a b""#),
        (
            json!({"key": ["cookie:session", "path_segment:0"]}),
            r#"cookie "\"s 1\"", path segment "api""#,
        ),
        (json!({"key": ["claim:sub", "constant:it's"]}), r#"claim "anna", constant "it's""#),
        (
            json!({"key": [{"part": "property", "path": ["connection", "mtls"]}]}),
            r#"property "\u{1}""#,
        ),
        (
            json!({"key": ["method", "host", "path"]}),
            r#"method "GET", host "shop.example.com", path "/api/users""#,
        ),
        (
            json!({"key": ["route", "virtual_host", "cluster"]}),
            r#"route "users", virtual host "shop", cluster "backend""#,
        ),
        (json!({"key": "header:x-none"}), "without a key"),
        (
            json!({"key": "header:x-none", "on_missing": "address"}),
            "without a key, address 2001:db8:1:2::",
        ),
    ] {
        assert_eq!(readable(&key(&rule, &x)), words, "{rule}");
    }
    let v4 = FakeExchange::get(&FakeHost::default(), "/", &[]);
    assert_eq!(readable(&key(&json!({}), &v4)), "address 192.0.2.1");
    assert_eq!(readable(&[form::WHOLE]), "one key for all");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_given_part_is_shown_by_its_word() {
    let key = whole(&[(65, b"free"), (64, b"acme")]);
    assert_eq!(readable_with(&key, &["consumer", "plan"]), r#"plan "free", consumer "acme""#);
    assert_eq!(readable(&key), r#"given "free", given "acme""#);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn values_are_escaped_and_cut_between_characters() {
    let x64 = "x".repeat(64);
    for (value, shown) in [
        (&b"a\n\xff\"\\\xe2\x80\xae"[..], r#""a\n\xff\"\\\u{202e}""#),
        ("caf\u{e9}".as_bytes(), "\"caf\u{e9}\""),
        (x64.as_bytes(), &format!("\"{x64}\"")),
        (format!("{x64}y").as_bytes(), &format!("\"{x64}\"…")),
        ("\u{20ac}".repeat(22).as_bytes(), &format!("\"{}\"…", "\u{20ac}".repeat(21))),
        (&[0xff; 65], &format!("\"{}\"…", r"\xff".repeat(64))),
    ] {
        assert_eq!(readable(&whole(&[(2, value)])), format!("header {shown}"));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_is_no_key_is_called_so() {
    let cut = whole(&[(2, b"abc")]);
    for bytes in [
        &b""[..],
        &[0],
        &[9, 1],
        &[form::ANONYMOUS, 1],
        &[form::ADDRESS],
        cut.get(..cut.len() - 1).unwrap(),
        &whole(&[(0, b"a")]),
        &whole(&[(15, b"a")]),
        &whole(&[(1, b"abc")]),
        &whole(&[(9, &b"a"[..]); 9]),
    ] {
        assert_eq!(readable(bytes), "unreadable key", "{bytes:?}");
    }
    assert_eq!(readable(&whole(&[(9, &b"a"[..]); 8])).matches("method").count(), 8);
}

proptest! {
    #[test]
    fn whatever_comes_is_short_and_printable(
        bytes: Vec<u8>,
        parts in prop::collection::vec((any::<u8>(), any::<Vec<u8>>()), 0..10),
    ) {
        let parts: Vec<Written<'_>> = parts.iter().map(|(tag, value)| (*tag, value.as_slice())).collect();
        for bytes in [bytes, whole(&parts)] {
            let shown = readable(&bytes);
            prop_assert!(shown.len() <= 4_096, "{}", shown.len());
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
