use std::cell::RefCell;

use kit::fake::{FakeExchange, FakeHost};
use kit::shared::UpdateError;
use kit::top::{Counter, Report};
use kit::{Host, Nanos, config};
use serde_json::{Value, json};

use super::*;

/// A limiter of two rules that writes down what it was told to forget.
#[derive(Default)]
struct Stub {
    forgot: RefCell<Vec<String>>,
    /// What every reset comes to, if not to one key.
    failure: Option<UpdateError>,
}

impl Stub {
    fn reset(&self, what: &str, rule: Option<&str>, key: Option<&Key>) -> Vec<Reset> {
        self.forgot.borrow_mut().push(format!("{what} {}", rule.unwrap_or("of all")));
        let forgotten = if key.is_some() { Forgotten::Keys(1) } else { Forgotten::Table(65_536) };
        let reset = |name: &str, plan: Option<&str>| Reset {
            rule: name.to_owned(),
            plan: plan.map(str::to_owned),
            key: key.cloned(),
            forgotten: self.failure.map_or(Ok(forgotten), Err),
        };
        let mut resets = vec![reset("general", Some("free")), reset("login", None)];
        resets.retain(|reset| rule.is_none_or(|rule| reset.rule == rule));
        resets
    }
}

fn key(text: Option<&str>) -> Key {
    Key { tag: [0x5f; 16], text: text.map(str::to_owned) }
}

const HASH_OF_KEY: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";

impl Ledger for Stub {
    fn names(&self) -> Vec<&str> {
        vec!["general", "login"]
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let rule = |name: &str, plan: Option<&str>, share: Option<&str>| RuleInfo {
            name: name.to_owned(),
            mode: "enforce",
            share: share.map(str::to_owned),
            matches: "every request".to_owned(),
            key: "address".to_owned(),
            quotas: vec![Quotas {
                plan: plan.map(str::to_owned),
                limits: vec!["10 per 1m".to_owned()],
                max_keys: 64,
            }],
            cost: None,
            settlement: None,
            shows_keys: false,
        };
        vec![rule("general", Some("free"), Some("25%")), rule("login", None, None)]
    }

    fn client(&self, _x: &dyn Exchange) -> Client {
        Client { plan: Some("free".to_owned()), consumer: Some("acme".to_owned()) }
    }

    fn state(&self, x: &dyn Exchange) -> Vec<RuleState> {
        let state = |rule: &str, is_enforced, standing| RuleState {
            rule: rule.to_owned(),
            mode: "enforce",
            plan: None,
            is_enforced,
            standing,
        };
        let limits = vec![LimitState {
            name: "minute".to_owned(),
            algorithm: "gcra",
            quota: 10,
            window: Nanos::MINUTE,
            remaining: 0,
            next: Nanos(1_500_000_001),
            reset: Nanos::from_secs(58),
        }];
        let is_login = x.request().get(":path") == Some(b"/login?a=1");
        let login = Standing::Counted { key: key(Some("192.0.2.1")), limits };
        vec![
            state("general", true, Standing::Skipped),
            state("login", is_login, if is_login { login } else { Standing::NotMatching }),
        ]
    }

    fn reset_key(&self, _x: &dyn Exchange, rule: Option<&str>) -> Vec<Reset> {
        self.reset("key", rule, Some(&key(Some("a b\nc"))))
    }

    fn reset_rule(&self, _host: &dyn Host, rule: Option<&str>) -> Vec<Reset> {
        self.reset("rule", rule, None)
    }

    fn top(&self, _host: &dyn Host, rule: Option<&str>) -> Vec<RuleTop> {
        let counter =
            Counter { tag: [0x5f; 16], at_most: 12, error: 2, label: Some("192.0.2.1".to_owned()) };
        let report = Report { span: Nanos::from_mins(9), total: 40, counters: vec![counter] };
        vec![RuleTop { rule: rule.unwrap_or("general").to_owned(), report }]
    }
}

/// Whoever comes from 192.0.2.0/24 with the token `open sesame`.
fn access() -> Access {
    let object = json!({
        "path": "/weir/rl",
        "source": "192.0.2.0/24",
        "token_sha256": "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb",
    });
    config::read("test", &object, Access::read).unwrap()
}

fn exchange(method: &str, path: &str, token: &str) -> FakeExchange {
    let x = FakeExchange::get(&FakeHost::default(), path, &[("x-weir-token", token)]);
    x.set_header(kit::exchange::Map::Request, ":method", method.as_bytes());
    x
}

fn ask_of(stub: &Stub, method: &str, path: &str) -> Answer {
    answer(&access(), stub, &exchange(method, path, "open sesame"), true).unwrap()
}

fn ask(method: &str, path: &str) -> Answer {
    ask_of(&Stub::default(), method, path)
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.reply.body).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.reply.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| std::str::from_utf8(value).unwrap())
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn other_requests_are_none_of_it() {
    let x = exchange("GET", "/weir/rlx", "open sesame");
    assert_eq!(answer(&access(), &Stub::default(), &x, true), None);
    let x = exchange("GET", "/weir/rl", "open sesame");
    assert_eq!(answer(&Access::default(), &Stub::default(), &x, true), None);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn who_may_not_learns_nothing_and_changes_nothing() {
    for path in ["/weir/rl", "/weir/rl/rules", "/weir/rl/nothing", "/weir/rl/state?x=1"] {
        let stub = Stub::default();
        let x = exchange("DELETE", path, "wrong");
        let denied = answer(&access(), &stub, &x, true).unwrap();
        assert_eq!((denied.reply.status, denied.word), (401, "operations_token"));
        assert_eq!(header(&denied, "www-authenticate"), Some("Bearer"));
        assert_eq!(header(&denied, "cache-control"), Some("no-store"));
        let x = x.with_attribute(kit::exchange::Attribute::SourceAddress, b"198.51.100.1:1");
        let denied = answer(&access(), &stub, &x, true).unwrap();
        assert_eq!((denied.reply.status, denied.word), (403, "operations_source"));
        assert_eq!((denied.audit.len(), stub.forgot.borrow().len()), (0, 0));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_answer_is_json_and_for_no_cache() {
    for (method, path, status) in [
        ("GET", "/weir/rl", 200),
        ("GET", "/weir/rl/", 200),
        ("HEAD", "/weir/rl/rules", 200),
        ("GET", "/weir/rl/rules/login", 200),
        ("GET", "/weir/rl/state", 200),
        ("GET", "/weir/rl/top?rule=login", 200),
        ("DELETE", "/weir/rl/state", 200),
        ("DELETE", "/weir/rl/rules", 200),
        ("DELETE", "/weir/rl/rules/login", 200),
        ("GET", "/weir/rl/rules?a=1", 400),
        ("GET", "/weir/rl/stat", 404),
        ("PUT", "/weir/rl/rules", 405),
    ] {
        let answer = ask(method, path);
        assert_eq!((answer.reply.status, answer.word), (status, "operations"), "{method} {path}");
        let form = if status == 200 { "application/json" } else { "application/problem+json" };
        assert_eq!(header(&answer, "content-type"), Some(form), "{method} {path}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        assert_eq!((answer.reply.details, answer.reply.grpc_status), ("weir_operations", None));
        assert!(body(&answer).is_object());
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_index_names_each_endpoint_below_the_prefix() {
    for path in ["/weir/rl", "/weir/rl/", "/weir/%72l"] {
        let index = body(&ask("GET", path));
        assert_eq!(index["endpoints"][0]["path"], "/weir/rl/rules", "{path}");
        assert_eq!(index["endpoints"].as_array().unwrap().len(), 7);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn rules_are_told_in_words() {
    let general = json!({
        "name": "general", "mode": "enforce", "share": "25%", "match": "every request", "key": "address",
        "quotas": [{ "plan": "free", "limits": ["10 per 1m"], "max_keys": 64 }], "shows_keys": false,
    });
    let all = body(&ask("GET", "/weir/rl/rules"));
    assert_eq!((&all["rules"][0], &all["rules"][1]["name"]), (&general, &json!("login")));
    assert_eq!(body(&ask("GET", "/weir/rl/rules/general")), json!({ "rules": [general] }));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_described_request_is_told_where_it_stands() {
    let request = |path: &str| json!({ "method": "GET", "path": path, "host": "example.com", "address": "192.0.2.1", "plan": "free", "consumer": "acme" });
    let login = json!({
        "rule": "login", "mode": "enforce", "standing": "counted",
        "key": { "hash": HASH_OF_KEY, "text": "192.0.2.1" }, "enforced": true, "admits": false,
        "limits": [{
            "name": "minute", "algorithm": "gcra", "quota": 10, "window_seconds": 60, "remaining": 0,
            "next_seconds": 1.501, "reset_seconds": 58,
        }],
    });
    let general = json!({ "rule": "general", "mode": "enforce", "standing": "skipped" });
    let refused = body(&ask("GET", "/weir/rl/state?path=%2Flogin%3Fa=1"));
    let expected =
        json!({ "request": request("/login?a=1"), "admits": false, "rules": [general, login] });
    assert_eq!(refused, expected);
    let admitted = body(&ask("GET", "/weir/rl/state?rule=general"));
    let expected = json!({ "request": request("/"), "admits": true, "rules": [general] });
    assert_eq!(admitted, expected);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_reset_says_what_it_did_and_the_log_who_did_it() {
    for (path, forgot, lines) in [
        (
            "/state?path=/x",
            "key of all",
            vec![
                format!(
                    "rate-limit: operations reset rule=general plan=free key={HASH_OF_KEY} keys=1 by=192.0.2.1"
                ),
                format!(
                    "rate-limit: operations reset rule=login key={HASH_OF_KEY} keys=1 by=192.0.2.1"
                ),
            ],
        ),
        (
            "/state?rule=login",
            "key login",
            vec![format!(
                "rate-limit: operations reset rule=login key={HASH_OF_KEY} keys=1 by=192.0.2.1"
            )],
        ),
        (
            "/rules/login",
            "rule login",
            vec![
                "rate-limit: operations reset rule=login key=all max_keys=65536 by=192.0.2.1"
                    .to_owned(),
            ],
        ),
    ] {
        let stub = Stub::default();
        let answer = ask_of(&stub, "DELETE", &format!("/weir/rl{path}"));
        assert_eq!((answer.reply.status, &answer.audit), (200, &lines), "{path}");
        assert_eq!(*stub.forgot.borrow(), [forgot], "{path}");
    }
    let all = body(&ask("DELETE", "/weir/rl/rules"));
    let of = |rule: &str| json!({ "rule": rule, "max_keys": 65_536 });
    let general = json!({ "rule": "general", "plan": "free", "max_keys": 65_536 });
    assert_eq!(all, json!({ "reset": [general, of("login")] }));
    let one = body(&ask("DELETE", "/weir/rl/state?rule=login"));
    let key = json!({ "hash": HASH_OF_KEY, "text": "a b\nc" });
    assert_eq!(one, json!({ "reset": [{ "rule": "login", "key": key, "keys": 1 }] }));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_reset_that_fails_says_so() {
    let stub = Stub { failure: Some(UpdateError::Contended), ..Stub::default() };
    let answer = ask_of(&stub, "DELETE", "/weir/rl/rules/login");
    let line = "rate-limit: operations reset rule=login key=all error=contended by=192.0.2.1";
    assert_eq!((answer.reply.status, answer.audit.join("\n").as_str()), (503, line));
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    let error = "64 attempts met another worker's change";
    assert_eq!(body(&answer)["reset"], json!([{ "rule": "login", "error": error }]));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn names_cannot_forge_a_line_of_the_log() {
    let reset = Reset {
        rule: "a by=127.0.0.1\nrate-limit: x".to_owned(),
        plan: Some(String::new()),
        key: Some(key(Some("x\ny"))),
        forgotten: Ok(Forgotten::Keys(0)),
    };
    let line = format!(
        r#"rate-limit: operations reset rule="a by=127.0.0.1\nrate-limit: x" plan="" key={HASH_OF_KEY} keys=0 by=unknown"#
    );
    assert_eq!(reset.audit(None), line);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_keys_refused_most_are_listed_with_their_bounds() {
    let key = json!({ "hash": HASH_OF_KEY, "text": "192.0.2.1" });
    let of = |rule: &str| {
        json!({ "rules": [{ "rule": rule, "span_seconds": 540, "refusals": 40,
            "keys": [{ "key": key, "at_least": 10, "at_most": 12 }] }] })
    };
    assert_eq!(body(&ask("GET", "/weir/rl/top")), of("general"));
    assert_eq!(body(&ask("GET", "/weir/rl/top?rule=login")), of("login"));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how_and_changes_nothing() {
    for (method, path, status, told) in [
        ("GET", "/stat", 404, r#"There is nothing at "/stat"; did you mean "/state"?"#),
        (
            "GET",
            "/x",
            404,
            r#"There is nothing at "/x"; there are /rules, /rules/NAME, /state and /top"#,
        ),
        (
            "DELETE",
            "/rules/",
            404,
            r#"There is nothing at "/rules/"; add the rule's name, or remove the slash to mean every rule"#,
        ),
        ("DELETE", "/rules/genral", 404, r#"There is no rule "genral"; did you mean "general"?"#),
        ("DELETE", "/rules/x", 404, r#"There is no rule "x"; the rules are general, login"#),
        ("DELETE", "/state?rule=", 404, r#"There is no rule ""; the rules are general, login"#),
        ("GET", "/top?rule=logn", 404, r#"There is no rule "logn"; did you mean "login"?"#),
        ("DELETE", "/rules?rule=login", 400, "rule: unknown parameter, allowed none; remove it"),
        (
            "DELETE",
            "/rules/login?a%0A=1",
            400,
            r#""a\n": unknown parameter, allowed none; remove it"#,
        ),
        ("GET", "/top?rules=login", 400, r#"rules: unknown parameter; did you mean "rule"?"#),
        ("GET", "/top?a=1", 400, "a: unknown parameter; the one here is rule"),
        (
            "DELETE",
            "/state?rule=login&rule=general",
            400,
            "rule: found a second time, allowed once; remove one of them",
        ),
        (
            "DELETE",
            "/state?adress=192.0.2.7",
            400,
            r#"adress: unknown parameter; did you mean "address"?"#,
        ),
        ("DELETE", "/top", 405, "This resource has the methods GET, HEAD."),
        ("POST", "/state", 405, "This resource has the methods GET, HEAD, DELETE."),
        ("delete", "/rules", 405, "This resource has the methods GET, HEAD, DELETE."),
    ] {
        let stub = Stub::default();
        let answer = ask_of(&stub, method, &format!("/weir/rl{path}"));
        let body = body(&answer);
        let found = if status == 400 { &body["problems"][0] } else { &body["detail"] };
        assert_eq!((answer.reply.status, found), (status, &json!(told)), "{method} {path}");
        assert_eq!(body["status"], status);
        assert_eq!((answer.audit.len(), stub.forgot.borrow().len()), (0, 0), "{method} {path}");
        let allow = told.strip_prefix("This resource has the methods ");
        assert_eq!(header(&answer, "allow"), allow.map(|allow| allow.trim_end_matches('.')));
    }
}
