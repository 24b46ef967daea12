use serde_json::json;

use super::*;
use crate::config;
use crate::fake::{FakeExchange, FakeHost};
use crate::key::{KeyOutcome, KeyTemplate};
use crate::matching::Matcher;
use crate::net::client_address;
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;

/// The SHA-256 of `open sesame`.
const HASH: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

fn access() -> Access {
    let object = json!({"path": "/weir", "token_sha256": HASH});
    config::read("test", &object, Access::read).unwrap()
}

/// The operator's own request, with this query.
fn operator(query: &str, headers: &[(&str, &str)]) -> FakeExchange {
    FakeExchange::get(&FakeHost::default(), &format!("/weir/state?{query}"), headers)
        .with_attribute(Attribute::RouteName, b"own route")
        .with_property(&["metadata", "filter_metadata", JWT_NAMESPACE, JWT_PAYLOAD, "iss"], b"me")
        .with_property(&["connection", "requested_server_name"], b"sni")
        .with_property(&["xds", "route_metadata"], b"route")
}

fn problems(query: &str) -> Vec<String> {
    let x = operator(query, &[]);
    Described::read(&x, &access(), &["rule"])
        .map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

fn text(x: &dyn Exchange, name: &str) -> Vec<String> {
    let request = x.request();
    request.all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn nothing_described_is_a_get_of_the_operator() {
    let x = operator("", &[("x-api-key", "k"), ("x-weir-token", "open sesame")]);
    let described = Described::read(&x, &access(), &[]).unwrap();
    let pairs: Vec<String> = described
        .request()
        .iter()
        .map(|(name, value)| {
            format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        })
        .collect();
    let expected =
        [":method=GET", ":path=/", ":authority=example.com", ":scheme=https", "x-api-key=k"];
    assert_eq!(pairs, expected);
    assert_eq!(client_address(&described), Some([192, 0, 2, 1].into()));
    assert_eq!(described.attribute(Attribute::RouteName), None);
    assert_eq!(described.property(&["xds", "route_metadata"]), None);
    assert_eq!(described.property(&["connection", "requested_server_name"]), Some(b"sni".to_vec()));
    let claim = ["metadata", "filter_metadata", JWT_NAMESPACE, JWT_PAYLOAD, "iss"];
    assert_eq!(described.property(&claim), Some(b"me".to_vec()));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn everything_can_be_described() {
    let x = operator(
        "method=POST&path=%2Flogin%3Fa%3D1%2526&host=Shop.test:8443&address=2001:db8::1&route=r+1\
         &virtual_host=v&cluster=c&claim.sub=alice&claim.realm.tenant=t&rule=general\
         &header.X-Plan=pro&header.x-plan=free&header.accept=",
        &[("x-plan", "own"), ("accept", "*/*"), ("user-agent", "curl")],
    );
    let described = Described::read(&x, &access(), &["rule"]).unwrap();
    assert_eq!(text(&described, ":method"), ["POST"]);
    assert_eq!(text(&described, ":path"), ["/login?a=1%26"]);
    assert_eq!(text(&described, ":authority"), ["Shop.test:8443"]);
    assert_eq!(text(&described, "x-plan"), ["pro", "free"]);
    assert_eq!(text(&described, "accept"), [""]);
    assert_eq!(text(&described, "user-agent"), ["curl"]);
    assert_eq!(client_address(&described), Some("2001:db8::1".parse().unwrap()));
    for (attribute, value) in [
        (Attribute::RouteName, &b"r 1"[..]),
        (Attribute::VirtualHost, b"v"),
        (Attribute::Cluster, b"c"),
    ] {
        assert_eq!(described.attribute(attribute).as_deref(), Some(value));
    }
    assert_eq!(described.method().as_deref(), Some(&b"POST"[..]));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn matching_and_keys_see_it() {
    let x = operator(
        "method=POST&path=/login&address=198.51.100.7&claim.sub=alice&claim.realm.tenant=t&route=r",
        &[],
    );
    let described = Described::read(&x, &access(), &[]).unwrap();
    let matcher = json!({"methods": "POST", "path": {"exact": "/login"}, "source": "198.51.100.0/24",
        "route_names": "r"});
    assert!(config::read("test", &matcher, Matcher::read).unwrap().matches(&described));
    for (key, value) in [
        (json!("claim:sub"), "alice"),
        (json!("claim:realm.tenant"), "t"),
        (json!({"part": "claim", "path": ["realm", "tenant"]}), "t"),
        (json!("claim:iss"), "me"),
    ] {
        let rule = json!({"key": [key], "on_missing": "deny"});
        let template = config::read("test", &rule, |fields| KeyTemplate::read(fields).unwrap());
        let mut out = Vec::new();
        assert_eq!(template.unwrap().build(&described, &mut out), KeyOutcome::Key, "{rule}");
        assert!(out.ends_with(value.as_bytes()), "{rule}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_operations_token_is_no_credential_of_the_described() {
    for (headers, authorization) in [
        (&[("authorization", "Bearer open sesame")][..], 0),
        (&[("x-weir-token", "open sesame"), ("authorization", "Bearer open sesame")], 0),
        (&[("x-weir-token", "open sesame"), ("authorization", "Bearer a.b.c")], 1),
    ] {
        let x = operator("", headers);
        let described = Described::read(&x, &access(), &[]).unwrap();
        assert_eq!(text(&described, "authorization").len(), authorization, "{headers:?}");
        assert_eq!(text(&described, "x-weir-token").len(), 0);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_url_is_scheme_host_and_path_at_once() {
    let x = operator("url=HTTP://Example.org:8080/a%3Fb=%2541%26c", &[]);
    let described = Described::read(&x, &access(), &[]).unwrap();
    let all = [":scheme", ":authority", ":path"].map(|name| text(&described, name).concat());
    assert_eq!(all, ["http", "example.org:8080", "/a?b=%41&c"]);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn nothing_that_is_done_to_it_has_an_effect() {
    let x = operator("", &[("a", "1")]);
    let described = Described::read(&x, &access(), &[]).unwrap();
    described.set_header(Map::Request, "a", b"2");
    described.add_header(Map::Request, "a", b"3");
    described.remove_header(Map::Request, "a");
    described.note("filter", "word");
    assert_eq!(
        (text(&described, "a"), text(&x, "a")),
        (vec!["1".to_owned()], vec!["1".to_owned()])
    );
    assert_eq!((described.notes(), x.notes()), (Vec::new(), Vec::new()));
    assert!(described.response().is_empty() && described.body(9).is_empty());
    assert_eq!(described.waker(), x.waker());
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how() {
    let all = "unknown parameter; the parameters here are method, path, host, url, address, route, virtual_host, \
        cluster, header.NAME, claim.NAME, rule; if it belongs to the path, write the & before it as %26";
    for (query, line) in [
        ("methd=GET", r#"methd: unknown parameter; did you mean "method"?"#.to_owned()),
        ("virtual-host=v", r#"virtual-host: unknown parameter; did you mean "virtual_host"?"#.into()),
        ("headers.x-a=1", r#"headers.x-a: unknown parameter; did you mean "header.x-a"?"#.into()),
        ("claims=1", r#"claims: unknown parameter; did you mean "claim.NAME"?"#.into()),
        ("rules=1", r#"rules: unknown parameter; did you mean "rule"?"#.into()),
        ("page=1", format!("page: {all}")),
        ("a%0Ab=1", format!("\"a\\nb\": {all}")),
        ("method=", r#"method: found "", allowed a method such as "POST"; write it as requests have it"#.into()),
        ("path=login", r#"path: found "login", allowed a path such as "/login"; begin it with / and write a blank in it as %2520"#.into()),
        ("path=/a+b", r#"path: found "/a b", allowed a path such as "/login"; begin it with / and write a blank in it as %2520"#.into()),
        ("host=https://x", r#"host: found "https://x", allowed a host such as "example.com" or "example.com:8443"; leave scheme and path out"#.into()),
        ("address=192.0.2.1:80", r#"address: found "192.0.2.1:80", allowed an address such as "192.0.2.1" or "2001:db8::1"; write it in digits, without a port or a range"#.into()),
        ("url=/news", format!("url: found \"/news\", allowed {}; {}", Url::FORM, Url::MEND)),
        ("url=http://a/&path=/b", "path: found url beside path or host, allowed one form; leave the other out".into()),
        ("host=a&url=http://a/", "url: found url beside path or host, allowed one form; leave the other out".into()),
        ("route=", r#"route: found "", allowed a name of Envoy's configuration; fill it in, or leave the parameter out for a request that has none"#.into()),
        ("method=GET&method=GET", "method: found a second time, allowed once; remove one of them".into()),
        ("claim.a=1&claim.a=2", "claim.a: found a second time, allowed once; remove one of them".into()),
        ("claim.=1", r#"claim.: found no name, allowed a claim's name such as "claim.sub"; add it"#.into()),
        ("header.=1", r#"header.: found "", allowed a header's name such as "header.x-api-key"; fill it in"#.into()),
        ("header.host=x", r#"header.host: found "host", allowed a header's name such as "header.x-api-key"; describe it with host"#.into()),
        ("header.:path=x", r#"header.:path: found ":path", allowed a header's name such as "header.x-api-key"; describe it with method, path or host"#.into()),
        ("header.x-a=secret%0D%0Ax-b:1", "header.x-a: found a value with a line break or NUL, allowed what a header can carry; leave them out".into()),
    ] {
        assert_eq!(problems(query), [line], "{query}");
    }
    assert_eq!(problems("methd=GET&address=x").len(), 2);
    let many = vec!["header.a=1"; MAX_PARAMETERS].join("&");
    assert_eq!(problems(&many), [""; 0]);
    assert_eq!(
        problems(&format!("{many}&header.a=1&x=1")),
        ["header.a: found one parameter more, allowed 64; leave some out"]
    );
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_query_is_read_or_refused(query in "([a-z.%:=&+]|method=|path=/|header\\.|claim\\.|%0a|address=|\\PC){0,60}") {
        let x = operator(&query, &[]);
        match Described::read(&x, &access(), &[]) {
            Ok(described) => prop_assert!(described.request().get(":path").unwrap().starts_with(b"/")),
            Err(problems) => {
                prop_assert!(!problems.is_empty() && problems.len() <= MAX_PARAMETERS + 1);
                prop_assert!(problems.iter().all(|p| !p.to_string().contains(char::is_control)));
            }
        }
    }
}
