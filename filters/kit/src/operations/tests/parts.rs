//! What all operations endpoints have in common.

use super::*;
use crate::operations::parameters::{flag, one, only, pairs, word};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn told(refusal: Refusal) -> (u16, Value) {
    let reply = refusal.into_reply();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn problem(refused: Result<(), Refusal>) -> Value {
    told(refused.unwrap_err()).1["problems"][0].clone()
}

#[test]
fn parameters_are_read_strictly() {
    let decoded: Vec<(String, Vec<u8>)> = pairs(b"a=1&%62=%26+x").collect();
    assert_eq!(decoded, [("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"& x".to_vec())]);
    assert_eq!(only(b"a=1&b", &["a", "b"]), Ok(()));
    assert_eq!(
        problem(only(b"c", &["a", "b"])),
        "c: unknown parameter; the parameters here are a, b"
    );
    assert_eq!(one(b"a=%41", "a"), Ok(Some("A".to_owned())));
    assert_eq!((one(b"b=1", "a"), one(b"", "a")), (Ok(None), Ok(None)));
    let twice = "a: found a second time, allowed once; remove one of them";
    assert_eq!(problem(one(b"a=1&%61=1", "a").map(|_| ())), twice);
    assert_eq!(
        (flag(b"a=true", "a"), flag(b"a=false", "a"), flag(b"", "a")),
        (Ok(true), Ok(false), Ok(false))
    );
    let wrong = r#"a: found "", allowed true or false; write one of them"#;
    assert_eq!(problem(flag(b"a", "a").map(|_| ())), wrong);
    assert_eq!(
        (word("a-b_1.c"), word("a b\n"), word("")),
        ("a-b_1.c".into(), r#""a b\n""#.into(), "\"\"".into())
    );
}

#[test]
fn a_refusal_says_what_there_is_instead() {
    let paths = ["/rules", "/rules/NAME", "/top"];
    for (refusal, detail) in [
        (
            Refusal::nothing_at("/rule", &paths),
            r#"There is nothing at "/rule"; did you mean "/rules"?"#,
        ),
        (
            Refusal::nothing_at("/x", &paths),
            r#"There is nothing at "/x"; there are /rules, /rules/NAME and /top"#,
        ),
        (
            Refusal::nothing_at("/rules/", &paths),
            r#"There is nothing at "/rules/"; add the rule's name, or remove the slash to mean every rule"#,
        ),
        (
            Refusal::unless_known("rule", "x", &[]).unwrap_err(),
            r#"There is no rule "x"; there are no rules"#,
        ),
    ] {
        assert_eq!(told(refusal).1["detail"], detail);
    }
    let conflict = told(Refusal::Conflict("Full.".to_owned()));
    assert_eq!((conflict.0, &conflict.1["title"]), (409, &json!("Conflict")));
    let failed = told(Refusal::Failed { detail: "Not all.", done: Some(("done", json!([1]))) });
    assert_eq!((failed.0, &failed.1["done"]), (503, &json!([1])));
}

#[test]
fn a_request_proves_itself_wherever_it_goes() {
    let rule = json!({"path": "/weir", "token_sha256": HASH, "source": "192.0.2.0/24"});
    let proves = |rule: &Value, path: &str, token: &str| {
        access(rule).is_proven(&FakeExchange::get(
            &FakeHost::default(),
            path,
            &[("x-weir-token", token)],
        ))
    };
    assert!(proves(&rule, "/elsewhere", "open sesame") && proves(&rule, "/weir", "open sesame"));
    assert!(!proves(&rule, "/elsewhere", "wrong"));
    let elsewhere = json!({"path": "/weir", "token_sha256": HASH, "source": "198.51.100.0/24"});
    assert!(!proves(&elsewhere, "/", "open sesame"));
    let x = FakeExchange::get(&FakeHost::default(), "/", &[("x-weir-token", "open sesame")]);
    assert!(!Access::default().is_proven(&x));
}

#[test]
fn what_is_asked_is_what_follows_the_prefix() {
    let rule = json!({"path": "/weir", "source": "192.0.2.0/24"});
    let x = FakeExchange::get(&FakeHost::default(), "/%77eir/a?b=1", &[]);
    let answer = answer(&access(&rule), &x, true, |asked, audit| {
        audit.push("line".to_owned());
        let Asked { prefix, endpoint, method, query } = asked;
        assert_eq!((prefix.as_str(), endpoint.as_str()), ("/weir", "/a"));
        assert_eq!((method.as_slice(), query.as_slice()), (&b"GET"[..], &b"b=1"[..]));
        Ok(json::ok(&json!({})))
    });
    let answer = answer.unwrap();
    assert_eq!(
        (answer.word, answer.audit, answer.reply.status),
        ("operations", vec!["line".to_owned()], 200)
    );
}

#[test]
fn a_body_is_refused_before_anything_is_done() {
    let rule = json!({"path": "/weir", "source": "192.0.2.0/24"});
    let x = FakeExchange::get(&FakeHost::default(), "/weir/a", &[]);
    let answer = answer(&access(&rule), &x, false, |_, _| panic!("nothing is done")).unwrap();
    let body: Value = serde_json::from_slice(&answer.reply.body).unwrap();
    assert_eq!(
        (answer.reply.status, &body["problems"][0]),
        (400, &json!("body: found one, allowed none; send none"))
    );
    assert!(answer.audit.is_empty());
}

#[test]
fn a_page_of_another_site_is_told_by_its_origin() {
    let is_same = |headers: &[(&str, &str)]| {
        let x = FakeExchange::get(&FakeHost::default(), "/weir", headers);
        Refusal::unless_same_site(&x.request()).is_ok()
    };
    assert!(is_same(&[]), "no browser");
    assert!(is_same(&[("origin", "https://example.com")]));
    assert!(is_same(&[("origin", "https://Example.com")]), "hosts have no case");
    for origin in ["https://evil.example", "null", "", "example.com", "https://example.com.evil"] {
        assert!(!is_same(&[("origin", origin)]), "{origin}");
    }
    assert_eq!(told(Refusal::CrossSite).0, 403);
}
