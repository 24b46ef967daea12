use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::exchange::Attribute;
use crate::fake::{FakeExchange, FakeHost};

mod claims;
mod costs;
mod laws;
mod messages;

fn read(rule: &Value) -> Result<Matcher, config::Problems> {
    config::read("test", rule, Matcher::read)
}

fn matcher(rule: &Value) -> Matcher {
    read(rule).unwrap_or_else(|problems| panic!("{rule}: {problems}"))
}

/// `GET /api/users?tag=x` on `shop.example.com:8080` with what a condition may look at.
fn request() -> FakeExchange {
    let headers = [
        (":method", "GET"),
        (":path", "/%61pi/users?tag=x&tag=y%20z"),
        (":authority", "Shop.Example.com:8080"),
        (":scheme", "https"),
        ("x-env", "prod-eu"),
        ("x-env", "canary"),
        ("x-empty", ""),
        ("cookie", "session=abc; theme=dark"),
    ];
    FakeExchange::new(&FakeHost::default(), &headers)
        .with_attribute(Attribute::SourceAddress, b"[2001:db8::7]:4711")
        .with_attribute(Attribute::RouteName, b"users-v2")
        .with_attribute(Attribute::VirtualHost, b"shop")
        .with_attribute(Attribute::Cluster, b"users")
        .with_property(&["xds", "route_metadata", "filter_metadata", "weir", "tier"], b"gold")
        .with_property(&["xds", "route_metadata", "filter_metadata", "weir", "a", "b"], &[1])
        .with_property(
            &["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "jwt_payload", "role"],
            b"admin",
        )
}

/// Each rule, and whether it matches [`request`].
fn rows() -> Vec<(Value, bool)> {
    vec![
        (json!({}), true),
        (json!({"methods": ["GET", "HEAD"]}), true),
        (json!({"methods": "POST"}), false),
        (json!({"hosts": ["shop.example.com"]}), true),
        (json!({"hosts": "SHOP.example.com."}), true),
        (json!({"hosts": ["*.example.com"]}), true),
        (json!({"hosts": ["*.com"]}), true),
        (json!({"hosts": ["*.shop.example.com"]}), false),
        (json!({"hosts": ["example.com"]}), false),
        (json!({"path": {"prefix": "/api"}}), true),
        (json!({"path": {"prefix": "/ap"}}), false),
        (json!({"path": {"exact": "/api/users"}}), true),
        (json!({"path": {"exact": "/api/user%73"}}), true),
        (json!({"path": {"template": "/api/{what}"}}), true),
        (json!({"path": {"regex": "/api/[a-z]+"}}), true),
        (json!({"path": {"regex": "/api"}}), false),
        (json!({"path": {"regex": "/x|/api/users"}}), true),
        (json!({"headers": [{"name": "X-Env", "exact": "canary"}]}), true),
        (json!({"headers": [{"name": "x-env", "exact": "prod"}]}), false),
        (json!({"headers": [{"name": "x-env", "exact": "prod", "not": true}]}), true),
        (json!({"headers": [{"name": "x-env", "exact": "canary", "not": true}]}), false),
        (json!({"headers": [{"name": "x-env", "exact": "canary", "not": false}]}), true),
        (json!({"headers": [{"name": "x-env", "prefix": "prod-"}]}), true),
        (json!({"headers": [{"name": "x-env", "suffix": "-eu"}]}), true),
        (json!({"headers": [{"name": "x-env", "suffix": "-us"}]}), false),
        (json!({"headers": [{"name": "x-env", "contains": "d-e"}]}), true),
        (json!({"headers": [{"name": "x-env", "regex": "prod-(eu|us)"}]}), true),
        (json!({"headers": [{"name": "x-env", "regex": "prod"}]}), false),
        (json!({"headers": [{"name": "x-env", "present": true}]}), true),
        (json!({"headers": [{"name": "x-env", "present": false}]}), false),
        (json!({"headers": [{"name": "x-none", "present": false}]}), true),
        (json!({"headers": [{"name": "x-none", "exact": ""}]}), false),
        (json!({"headers": [{"name": "x-none", "exact": "", "not": true}]}), true),
        (json!({"headers": [{"name": "x-empty", "exact": ""}]}), true),
        (json!({"headers": [{"name": ":scheme", "exact": "https"}]}), true),
        (json!({"query": [{"name": "tag", "exact": "y z"}]}), true),
        (json!({"query": [{"name": "tag", "exact": "z"}]}), false),
        (json!({"query": [{"name": "Tag", "present": true}]}), false),
        (json!({"cookies": [{"name": "theme", "exact": "dark"}]}), true),
        (json!({"cookies": [{"name": "session", "prefix": "x"}]}), false),
        (json!({"route_names": ["users-*"]}), true),
        (json!({"route_names": ["users"]}), false),
        (json!({"route_names": "*"}), true),
        (json!({"virtual_hosts": ["blog", "shop"]}), true),
        (json!({"clusters": "users*"}), true),
        (json!({"clusters": ["orders"]}), false),
        (
            json!({"route_metadata": [{"namespace": "weir", "path": ["tier"], "exact": "gold"}]}),
            true,
        ),
        (json!({"route_metadata": [{"namespace": "weir", "path": "tier", "exact": "go"}]}), false),
        (
            json!({"route_metadata": [{"namespace": "weir", "path": ["a", "b"], "flag": true}]}),
            true,
        ),
        (
            json!({"route_metadata": [{"namespace": "weir", "path": ["a", "b"], "flag": false}]}),
            false,
        ),
        (json!({"route_metadata": [{"namespace": "weir", "path": ["c"], "exact": ""}]}), false),
        (json!({"claims": [{"path": "role", "exact": "admin"}]}), true),
        (json!({"claims": [{"path": "role", "exact": "user"}]}), false),
        (json!({"claims": [{"path": ["role"], "present": true}]}), true),
        (json!({"claims": [{"path": "none", "present": true}]}), false),
        (json!({"claims": [{"path": "none", "exact": "x", "not": true}]}), true),
        (json!({"source": ["10.0.0.0/8", "2001:db8::/32"]}), true),
        (json!({"source": "10.0.0.0/8"}), false),
        (json!({"methods": "GET", "hosts": "other.com"}), false),
        (json!({"any": [{"methods": "POST"}, {"path": {"prefix": "/api"}}]}), true),
        (json!({"any": [{"methods": "POST"}, {"path": {"prefix": "/x"}}]}), false),
        (json!({"methods": "POST", "any": [{"methods": "GET"}]}), false),
        (json!({"not": {"methods": "GET", "hosts": "other.com"}}), true),
        (json!({"not": {"methods": "GET"}}), false),
        (json!({"any": [{"methods": "GET"}], "not": {"clusters": "users"}}), false),
    ]
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_rule_matches_or_not() {
    let x = request();
    for (rule, expected) in rows() {
        assert_eq!(matcher(&rule).matches(&x), expected, "{rule}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_a_request_does_not_have_satisfies_nothing() {
    let bare = FakeExchange::new(&FakeHost::default(), &[]);
    for (rule, _) in rows() {
        let text = rule.to_string();
        let expected = rule == json!({})
            || text.contains("\"not\":true")
            || text.contains("\"present\":false")
            || (rule.get("not").is_some() && rule.get("any").is_none());
        assert_eq!(matcher(&rule).matches(&bare), expected, "{rule}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_shape_of_path_takes_its_paths() {
    let rows: [(&str, &str, &[&str], &[&str]); 12] = [
        ("exact", "/api", &["/api", "/%61pi", "/api?x"], &["/api/", "/API", "/", "", "*"]),
        ("exact", "/", &["/", "/?x"], &["", "//", "/a"]),
        (
            "prefix",
            "/api",
            &["/api", "/api/", "/api/x", "/%61pi/x", "/api?x"],
            &["/apix", "/x/api", "/ap", "/api%2Fx"],
        ),
        ("prefix", "/api/", &["/api/", "/api/x"], &["/api", "/apix"]),
        ("prefix", "/", &["/", "/a", "//"], &["", "*"]),
        (
            "template",
            "/users/{id}/orders/*",
            &["/users/7/orders/8", "/users/%37/orders/a%2Fb"],
            &[
                "/users/7/orders",
                "/users//orders/8",
                "/users/7/orders/8/",
                "/users/7/orders/8/9",
                "/Users/7/orders/8",
            ],
        ),
        (
            "template",
            "/files/**",
            &["/files", "/files/", "/files/a", "/files/a/b"],
            &["/filesx", "/", "/x/files"],
        ),
        ("template", "/**", &["/", "/a", "/a/b"], &["", "*"]),
        ("template", "/a/", &["/a/"], &["/a", "/a/b"]),
        ("template", "/caf\u{e9}/*", &["/caf%c3%a9/x"], &["/cafe/x"]),
        ("regex", "/v[12]/.*", &["/v1/", "/v2/a/b", "/%761/"], &["/v3/", "/v1", "x/v1/"]),
        ("regex", "(?i)/api", &["/api", "/API"], &["/api/"]),
    ];
    for (shape, text, inside, outside) in rows {
        let rule = matcher(&json!({"path": {shape: text}}));
        for (paths, expected) in [(inside, true), (outside, false)] {
            for path in paths {
                let x = FakeExchange::get(&FakeHost::default(), path, &[]);
                assert_eq!(rule.matches(&x), expected, "{shape} {text}: {path}");
            }
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn values_are_bytes_and_an_expression_cannot_be_evaded_by_bad_ones() {
    let host = FakeHost::default();
    let x = FakeExchange::get(&host, "/", &[]);
    let pairs = [(":method", &b"GET"[..]), ("x-id", b"bot\xff\xfe"), (":path", b"/a\xff")];
    x.set_map(crate::exchange::Map::Request, crate::headers::Headers::new(&pairs));
    for (rule, expected) in [
        (json!({"headers": [{"name": "x-id", "prefix": "bot"}]}), true),
        (json!({"headers": [{"name": "x-id", "exact": "bot"}]}), false),
        (json!({"headers": [{"name": "x-id", "regex": "bot.*"}]}), true),
        (json!({"path": {"regex": "/a.*"}}), true),
        (json!({"path": {"exact": "/a%ff"}}), true),
    ] {
        assert_eq!(matcher(&rule).matches(&x), expected, "{rule}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_value_beyond_the_bound_satisfies_no_expression() {
    let rule = matcher(&json!({"headers": [{"name": "x", "regex": "a*"}]}));
    for (len, expected) in
        [(regex::Pattern::MAX_VALUE, true), (regex::Pattern::MAX_VALUE + 1, false)]
    {
        let x = FakeExchange::get(&FakeHost::default(), "/", &[("x", &"a".repeat(len))]);
        assert_eq!(rule.matches(&x), expected);
    }
}
