//! What operators read: summaries, and every message in full.

use super::*;

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_rule_describes_itself() {
    for (rule, words) in [
        (json!({}), "every request"),
        (
            json!({"hosts": ["a.com", "*.b.com"], "methods": ["GET", "HEAD"], "path": {"prefix": "/api"}}),
            "method GET or HEAD and path below /api and host a.com or *.b.com",
        ),
        (json!({"path": {"template": "/u/{id}/**"}}), "path /u/{id}/**"),
        (json!({"path": {"regex": "/v\\d"}}), "path ~ /v\\d"),
        (
            json!({"headers": [{"name": "x", "exact": "1", "not": true}], "query": [{"name": "q", "present": false}]}),
            "header x not = \"1\" and query q not present",
        ),
        (
            json!({"cookies": [{"name": "c", "regex": "a+"}, {"name": "d", "contains": "e"}]}),
            "cookie d (text not shown) and cookie c (text not shown)",
        ),
        (
            json!({"route_names": "r*", "virtual_hosts": "v", "clusters": ["a", "b"], "source": "10.0.0.0/8"}),
            "route r* and virtual host v and cluster a or b and source 10.0.0.0/8",
        ),
        (
            json!({"route_metadata": [{"namespace": "n", "path": ["a", "b"], "exact": "x"}]}),
            "route metadata n|a|b = \"x\"",
        ),
        (
            json!({"methods": "GET", "any": [{"clusters": "a"}, {"clusters": "b"}], "not": {"source": "::1"}}),
            "method GET and any of (cluster a; cluster b) and not (source ::1)",
        ),
        (
            json!({"headers": [{"name": "X-Api-Key", "exact": "s3cret"}, {"name": "authorization", "present": true}]}),
            "header x-api-key (text not shown) and header authorization present",
        ),
        (
            json!({"query": [{"name": "access_token", "prefix": "s3cret", "not": true}]}),
            "query access_token not (text not shown)",
        ),
        (json!({"not": {"methods": "GET"}}), "not (method GET)"),
        (
            json!({"claims": [{"path": ["realm", "role"], "exact": "admin"}, {"path": "x", "present": false}]}),
            "claim realm.role = \"admin\" and claim x not present",
        ),
        (
            json!({"claims": [{"path": "session_id", "prefix": "s3cret"}]}),
            "claim session_id (text not shown)",
        ),
    ] {
        assert_eq!(matcher(&rule).describe(), words);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how() {
    for (rule, line) in [
        (
            json!({"methods": "get"}),
            r#"methods: found "get", allowed a method such as "GET"; write "GET", methods are upper case"#,
        ),
        (
            json!({"methods": ["G T"]}),
            r#"methods[0]: found "G T", allowed a method such as "GET"; use letters only, such as GET"#,
        ),
        (json!({"methods": []}), "methods: found 0 entries, at least 1 is needed; add 1 entry"),
        (
            json!({"hosts": "a.com:80"}),
            r#"hosts: found "a.com:80", allowed a host such as "example.com" or "*.example.com"; leave the port out, hosts are compared without it"#,
        ),
        (
            json!({"hosts": "*"}),
            r#"hosts: found "*", allowed a host such as "example.com" or "*.example.com"; put the * first and a dot behind it, or leave `hosts` out to match any"#,
        ),
        (
            json!({"hosts": "https://a.com"}),
            r#"hosts: found "https://a.com", allowed a host such as "example.com" or "*.example.com"; write the host alone, without scheme and path"#,
        ),
        (
            json!({"path": {}}),
            "path: found none of them, allowed exactly one of exact, prefix, template, regex; add one",
        ),
        (
            json!({"path": {"exact": "/a", "prefix": "/a"}}),
            "path: found exact and prefix, allowed exactly one of exact, prefix, template, regex; keep one",
        ),
        (
            json!({"path": {"prefix": "api"}}),
            r#"path.prefix: found "api", allowed a path such as "/api"; begin it with /"#,
        ),
        (
            json!({"path": {"exact": "/a?b"}}),
            r#"path.exact: found "/a?b", allowed a path such as "/api"; leave the query out, paths are compared without it; the field `query` matches parameters"#,
        ),
        (
            json!({"path": {"exact": "/a#b"}}),
            r#"path.exact: found "/a#b", allowed a path such as "/api"; leave the part after # out, clients do not send it"#,
        ),
        (
            json!({"path": {"template": "/a*"}}),
            r#"path.template: found "/a*", allowed a path such as "/users/{id}/orders/*" or "/files/**"; let each *, ** and {name} fill a whole segment"#,
        ),
        (
            json!({"path": {"template": "/**/a"}}),
            r#"path.template: found "/**/a", allowed a path such as "/users/{id}/orders/*" or "/files/**"; put ** last, or use * for each single segment"#,
        ),
        (
            json!({"path": {"template": "/{a}/{a}"}}),
            r#"path.template: found "/{a}/{a}", allowed a path such as "/users/{id}/orders/*" or "/files/**"; name each segment once, with letters, digits and _"#,
        ),
        (
            json!({"path": {"regex": "/(a"}}),
            r#"path.regex: found "/(a", allowed a regular expression for the whole value; mend the expression: found open group without closing ')'"#,
        ),
        (
            json!({"path": {"regex": "a)|(b"}}),
            r#"path.regex: found "a)|(b", allowed a regular expression for the whole value; mend the expression: found closing ')' without matching '('"#,
        ),
        (
            json!({"path": {"regex": "/caf\u{e9}"}}),
            "path.regex: found \"/caf\u{e9}\", allowed a regular expression for the whole value; write what is beyond ASCII as escapes such as %C3%A9, as paths have it",
        ),
        (
            json!({"headers": [{"name": "x y", "present": true}]}),
            r#"headers[0].name: found "x y", allowed a header name such as "x-api-key"; use letters, digits and -, _ and the like, without blanks or colons"#,
        ),
        (
            json!({"headers": [{"name": "x"}]}),
            "headers[0]: found none of them, allowed exactly one of exact, prefix, suffix, contains, regex, present; add one",
        ),
        (
            json!({"headers": [{"name": "x", "present": true, "not": true}]}),
            "headers[0].not: found it beside present, allowed either of them; remove it and set headers[0].present to false",
        ),
        (
            json!({"query": [{"name": "q", "exakt": "1", "present": true}]}),
            r#"query[0].exakt: unknown field; did you mean "exact"?"#,
        ),
        (
            json!({"clusters": [""]}),
            r#"clusters[0]: found "", allowed a name, or its beginning followed by *; fill it in"#,
        ),
        (
            json!({"source": "10.0.0.1/8"}),
            r#"source: found "10.0.0.1/8", allowed an address or a range, such as "10.0.0.0/8" or "2001:db8::/32"; write 10.0.0.0/8, or 10.0.0.1 for the one address"#,
        ),
        (
            json!({"any": [{}]}),
            r#"any[0]: found no condition, allowed at least one; add one, such as "methods""#,
        ),
        (
            json!({"not": {}}),
            r#"not: found no condition, allowed at least one; add one, such as "methods""#,
        ),
        (json!({"header": []}), r#"header: unknown field; did you mean "headers"?"#),
        (
            json!({"claims": [{"exact": "x"}]}),
            "claims[0].path: found nothing, allowed a list of entries, each a text of 1 to 4096 bytes, or one without a list; add this field",
        ),
        (
            json!({"claims": [{"path": "p"}]}),
            "claims[0]: found none of them, allowed exactly one of exact, prefix, suffix, contains, regex, present; add one",
        ),
        (
            json!({"claims": [{"path": "p", "name": "p", "exact": "x"}]}),
            "claims[0].name: unknown field; remove it, the fields here are path, namespace, payload, exact, prefix, suffix, contains, regex, present, not",
        ),
        (
            json!({"route_metadata": [{"namespace": "n", "path": "p"}]}),
            "route_metadata[0]: found none of them, allowed exactly one of exact, flag; add one",
        ),
    ] {
        let lines: Vec<String> =
            read(&rule).err().map(|problems| problems.lines().collect()).unwrap_or_default();
        assert_eq!(lines.first().map(String::as_str), Some(&*format!("test: {line}")), "{rule}");
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}

#[test]
fn any_and_not_do_not_nest() {
    let problems = read(&json!({"any": [{"any": [{"methods": "GET"}]}]})).err();
    let first = problems.and_then(|problems| problems.lines().next());
    assert!(first.is_some_and(|line| {
        line.starts_with(
            "test: any[0].any: unknown field; remove it, the fields here are methods, ",
        )
    }));
}

#[test]
fn a_program_beyond_the_bound_is_refused() {
    let problems = read(&json!({"path": {"regex": "(?:[a-z]{50}){50}"}})).err();
    let first = problems.and_then(|problems| problems.lines().next()).unwrap_or_default();
    assert!(first.contains("mend the expression: compiled regex exceeded size limit"), "{first}");
}
