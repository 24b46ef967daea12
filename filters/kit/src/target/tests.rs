use super::*;
use proptest::prelude::*;

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_spelling_of_a_path_has_one_form() {
    for (path, form) in [
        ("/api", "/api"),
        ("/%61pi", "/api"),
        ("/%61%70%69", "/api"),
        ("/a%24b;c=1", "/a$b;c=1"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%3fb", "/a%3Fb"),
        ("/a#b", "/a%23b"),
        ("/100%", "/100%25"),
        ("/100%25", "/100%25"),
        ("/%2561", "/%2561"),
        ("/%zz%4", "/%25zz%254"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%00", "/%00"),
        // Left to Envoy's normalize_path and merge_slashes.
        ("//x/../api/.", "//x/../api/."),
        ("", ""),
        ("*", "*"),
    ] {
        assert_eq!(canonical_path(path.as_bytes()), form, "{path}");
    }
    assert_eq!(canonical_path(b"/\xff"), "/%FF");
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_host_is_without_port_and_last_dot() {
    for (authority, found) in [
        ("example.com", "example.com"),
        ("example.com:8080", "example.com"),
        ("example.com:", "example.com"),
        ("example.com.:80", "example.com"),
        ("example.com.", "example.com"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("a:b", "a:b"),
        ("", ""),
    ] {
        assert_eq!(host(authority.as_bytes()), found.as_bytes(), "{authority}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_query_is_read_pair_by_pair() {
    let (path, query) = split(b"/a?x=1&&y&z=a=b&=v?w");
    assert_eq!(path, b"/a");
    let pairs: Vec<(&[u8], &[u8])> = query_pairs(query).collect();
    assert_eq!(pairs, [(&b"x"[..], &b"1"[..]), (b"y", b""), (b"z", b"a=b"), (b"", b"v?w")]);
    assert_eq!(split(b"/a"), (&b"/a"[..], &b""[..]));
    assert_eq!(split(b"/a?"), (&b"/a"[..], &b""[..]));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_parameter_decodes_as_forms_do() {
    for (encoded, decoded) in [
        ("a+b", &b"a b"[..]),
        ("a%2Bb", b"a+b"),
        ("%ff", b"\xff"),
        ("100%", b"100%"),
        ("%4", b"%4"),
        ("%%41", b"%A"),
        ("plain", b"plain"),
    ] {
        assert_eq!(&*form_decoded(encoded.as_bytes()), decoded, "{encoded}");
    }
}

/// Decodes everything, the slow way: what an upstream may make of a path.
fn fully_decoded(path: &[u8]) -> Vec<u8> {
    let plus = path.iter().flat_map(|byte| match byte {
        b'+' => b"%2B".to_vec(),
        other => vec![*other],
    });
    form_decoded(&plus.collect::<Vec<_>>()).into_owned()
}

fn paths() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"%".to_vec()),
        Just(b"/".to_vec()),
        any::<u8>().prop_map(|byte| format!("%{byte:02x}").into_bytes()),
        any::<u8>().prop_map(|byte| format!("%{byte:02X}").into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_form_is_visible_ascii_and_its_own_form(path in paths()) {
        let form = canonical_path(&path);
        prop_assert!(form.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(&canonical_path(form.as_bytes()), &form);
    }

    #[test]
    fn the_form_decodes_to_what_the_path_does(path in paths()) {
        prop_assert_eq!(fully_decoded(canonical_path(&path).as_bytes()), fully_decoded(&path));
    }

    #[test]
    fn escaping_any_byte_but_a_slash_changes_nothing(path in "[a-z0-9/.;:@!$&'()*,=~_-]{0,20}", at: usize) {
        let bytes = path.as_bytes();
        if !bytes.is_empty() && bytes[at % bytes.len()] != b'/' {
            let at = at % bytes.len();
            let escaped = [&bytes[..at], format!("%{:02x}", bytes[at]).as_bytes(), &bytes[at + 1..]].concat();
            prop_assert_eq!(canonical_path(&escaped), canonical_path(bytes));
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_url_is_what_a_client_could_ask_for() {
    for (text, whole) in [
        ("https://example.com/a?b=%41&c#", None),
        ("https://example.com/a?b=%41&c", Some("https://example.com/a?b=%41&c")),
        ("HTTPS://Example.COM:8443/A/../b//", Some("https://example.com:8443/A/../b//")),
        ("http://example.com", Some("http://example.com/")),
        ("http://example.com?a=/b", Some("http://example.com/?a=/b")),
        ("http://[::1]:80/", Some("http://[::1]:80/")),
        ("http:///a", None),
        ("http://:80/a", None),
        ("http://user@example.com/", None),
        ("http://exa\\mple.com/", None),
        ("http://example.com/a b", None),
        ("http://example.com/\u{e9}", None),
        ("http://example.com/\n", None),
        ("ftp://example.com/", None),
        ("example.com/a", None),
        ("/a", None),
        ("", None),
    ] {
        assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), whole, "{text}");
    }
    let long = |n: usize| format!("http://a/{}", "x".repeat(n - 9));
    assert!(
        Url::parse(&long(Url::MAX_LEN)).is_some() && Url::parse(&long(Url::MAX_LEN + 1)).is_none()
    );
}
