//! Laws of keys over all requests.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::config;
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::target::{form_decoded, query_pairs};
use proptest::prelude::*;
use weir_response_cache::http::accept::{takes_coding, weighted};
use weir_response_cache::http::search::NoVarySearch;
use weir_response_cache::http::vary::variant_bytes;
use weir_response_cache::key::normal::Normal;
use weir_response_cache::key::query::stem;
use weir_response_cache::key::{Key, KeyRule, halves, shown};

fn rule(json: &str) -> KeyRule {
    config::load("test", json.as_bytes(), KeyRule::read).unwrap()
}

fn query() -> impl Strategy<Value = String> {
    "(([abAB]|%61|\\+|\\[|;|\\.|utm_a)?(=|=[01]|%3D)?&){0,5}[ab]?"
}

/// What a query says to any origin: for each stem its parameters as sent, in their order.
fn said(query: &str) -> Vec<(Vec<u8>, Vec<&str>)> {
    let mut said: Vec<(Vec<u8>, Vec<&str>)> = Vec::new();
    for piece in query.split('&') {
        let name = stem(&form_decoded(piece.split('=').next().unwrap().as_bytes()));
        match said.iter_mut().find(|(known, _)| *known == name) {
            Some((_, pieces)) => pieces.push(piece),
            None => said.push((name, vec![piece])),
        }
    }
    said.sort();
    said
}

proptest! {
    /// Requests share a sorted key exactly if no origin can tell them apart.
    #[test]
    fn sorting_merges_only_what_is_the_same(a in query(), b in query(), shuffle: prop::sample::Index) {
        let rule = rule(r#"{"query": {"sort": true}}"#);
        let of = |query: &str| rule.uri(b"https", b"e", format!("/?{query}").as_bytes()).unwrap();
        let mut moved: Vec<&str> = a.split('&').collect();
        let by = shuffle.index(moved.len());
        moved.rotate_left(by);
        for b in [b, moved.join("&")] {
            let same = if a.contains(';') || b.contains(';') { a == b } else { said(&a) == said(&b) };
            prop_assert_eq!(of(&a) == of(&b), same, "{} {}", a, b);
        }
    }

    /// A denied parameter is all that may be missing.
    #[test]
    fn what_a_rule_keeps_is_in_the_key(a in query(), b in query()) {
        let rule = rule(r#"{"query": {"deny": ["b"], "drop_tracking": true}}"#);
        let of = |query: &str| rule.uri(b"https", b"e", format!("/?{query}").as_bytes()).unwrap();
        let kept = |query: &str| -> Option<Vec<String>> {
            let dropped = |piece: &&str| matches!(&*form_decoded(piece.split('=').next().unwrap().as_bytes()), b"b" | b"utm_a");
            let kept: Vec<String> = query.split('&').filter(|piece| !dropped(piece)).map(str::to_owned).collect();
            (!kept.is_empty()).then_some(kept)
        };
        if !a.contains(';') && !b.contains(';') {
            prop_assert_eq!(of(&a) == of(&b), kept(&a) == kept(&b), "{} {}", a, b);
        }
    }

    /// No value, name or number of values can imitate another.
    #[test]
    fn requests_that_differ_in_a_part_never_share_a_key(
        a in prop::collection::vec((0..3_usize, "[a=;, ]{0,3}"), 0..4),
        b in prop::collection::vec((0..3_usize, "[a=;, ]{0,3}"), 0..4),
        other_host: bool,
    ) {
        let rule = rule(r#"{"headers": ["x", "y"], "user": "header:u"}"#);
        let names = ["x", "y", "u"];
        let of = |headers: &[(usize, String)], host: &[u8]| -> Option<Vec<u8>> {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (names[*name], value.as_str())).collect();
            let x = FakeExchange::get(&FakeHost::default(), "/", &headers);
            rule.build(&x, b"https", host, b"/").map(|key| key.whole())
        };
        let values = |headers: &[(usize, String)]| -> Vec<Vec<String>> {
            (0..3).map(|name| headers.iter().filter(|(of, _)| *of == name).map(|(_, value)| value.clone()).collect()).collect()
        };
        let (key_a, key_b) = (of(&a, b"e"), of(&b, if other_host { b"f" } else { b"e" }));
        prop_assert_eq!(key_a.is_some(), values(&a)[2].len() == 1 && !values(&a)[2][0].is_empty());
        if let (Some(key_a), Some(key_b)) = (key_a, key_b) {
            prop_assert_eq!(key_a == key_b, !other_host && values(&a) == values(&b));
        }
    }

    #[test]
    fn halves_read_back(host in "[a-z]{1,3}", path in "/[a-z?&]{0,5}", value in "\\PC{0,8}") {
        let rule = rule(r#"{"headers": ["x"]}"#);
        let x = FakeExchange::get(&FakeHost::default(), "/", &[("x", &value)]);
        let key = rule.build(&x, b"http", host.as_bytes(), path.as_bytes()).unwrap();
        let whole = key.whole();
        prop_assert_eq!(halves(&whole), Some((&key.uri[..], &key.parts[..])));
        let start = format!("http://{host}{path}, header x ");
        prop_assert!(shown(&whole).starts_with(&start));
    }

    #[test]
    fn any_bytes_are_shown(key: Vec<u8>, uri: Vec<u8>, parts: Vec<u8>) {
        let _ = shown(&key);
        let _ = shown(&Key { uri, parts }.whole());
    }

    /// draft-ietf-httpbis-no-vary-search, 6.
    #[test]
    fn queries_are_equivalent_exactly_if_their_spellings_are_equal(
        a in query(), b in query(),
        field in prop::sample::select(vec!["key-order", "params", "params=(\"a\")", "params, except=(\"a\" \"B\")", "key-order, params=(\"b\")"]),
    ) {
        let search = NoVarySearch::read(&Headers::new(&[("no-vary-search", field)])).unwrap();
        let pairs = |query: &str| {
            let mut pairs: Vec<_> = query_pairs(query.as_bytes())
                .map(|(name, value)| (form_decoded(name).into_owned(), form_decoded(value).into_owned()))
                .filter(|(name, _)| match field {
                    "params" => false,
                    "params=(\"a\")" => name != b"a",
                    "params, except=(\"a\" \"B\")" => name == b"a" || name == b"B",
                    "key-order, params=(\"b\")" => name != b"b",
                    _ => true,
                })
                .collect();
            if field.starts_with("key-order") {
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
            }
            pairs
        };
        let (spelled_a, spelled_b) = (search.canonical(a.as_bytes()), search.canonical(b.as_bytes()));
        prop_assert_eq!(spelled_a == spelled_b, pairs(&a) == pairs(&b), "{} {}", a, b);
        prop_assert_eq!(search.canonical(&spelled_a), spelled_a);
    }

    /// A normal value is taken by who has it, is its own normal value, and equals no value that came as it is.
    #[test]
    fn a_normal_value_is_accepted(line in "((br|gzip|x-gzip|identity|zstd|\\*)(;q=(0|0\\.5|1))?, ?){0,4}") {
        let json = br#"{"accept_encoding": ["br", "gzip"]}"#;
        let normal = config::load("test", json, Normal::read).unwrap();
        let request = Headers::new(&[("accept-encoding", &line)]);
        let names = ["accept-encoding".to_owned()];
        if let Some(value) = normal.value("accept-encoding", &request) {
            let accepted = weighted(request.all("accept-encoding")).unwrap();
            let coding = value.split(|byte| *byte == b',').next().unwrap();
            prop_assert!(takes_coding(coding, &accepted), "{}", line);
            if !value.ends_with(b"q=0") {
                prop_assert!(takes_coding(b"identity", &accepted), "{}", line);
            }
            let forwarded = Headers::new(&[("accept-encoding", &value)]);
            prop_assert_eq!(normal.value("accept-encoding", &forwarded), Some(value));
            prop_assert!(normal.rewrites(&forwarded).is_empty());
            let plain = variant_bytes(b"", &names, &forwarded, &Normal::default());
            prop_assert_ne!(variant_bytes(b"", &names, &request, &normal), plain);
        }
    }
}
