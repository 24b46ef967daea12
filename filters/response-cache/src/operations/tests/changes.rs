//! What the endpoints change.

use super::*;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_purge_says_what_it_did_and_the_log_who_did_it() {
    let line = |what: &str| format!("response-cache: operations purge {what} by=192.0.2.1");
    for (query, mode, done, did, lines) in [
        (
            "url=HTTPS://Example.com/a%3Fb&tag=front+page&tag=x",
            "hard",
            json!([{"url": "https://example.com/a?b", "entries": 2}, {"tag": "front page"}, {"tag": "x"}]),
            vec![r#"hard url="https://example.com/a?b""#, r#"hard tag="front page""#, "hard tag=x"],
            vec![
                line(r#"url="https://example.com/a?b" mode=hard entries=2"#),
                line(r#"tag="front page" mode=hard"#),
                line("tag=x mode=hard"),
            ],
        ),
        (
            "prefix=https://example.com/n&pattern=*&resource=articles&soft=true",
            "soft",
            json!([{"prefix": "https://example.com/n"}, {"pattern": "*"}, {"resource": "articles"}]),
            vec![
                r#"soft prefix="https://example.com/n""#,
                r#"soft pattern="*""#,
                "soft resource=articles",
            ],
            vec![
                line(r#"prefix="https://example.com/n" mode=soft"#),
                line(r#"pattern="*" mode=soft"#),
                line("resource=articles mode=soft"),
            ],
        ),
        (
            "everything=true&soft=false",
            "hard",
            json!([{"everything": "true"}]),
            vec!["hard everything=true"],
            vec![line("everything=true mode=hard")],
        ),
        // Named twice is purged once.
        (
            "tag=x&tag=x",
            "hard",
            json!([{"tag": "x"}]),
            vec!["hard tag=x"],
            vec![line("tag=x mode=hard")],
        ),
    ] {
        let stub = Stub::default();
        let answer = ask_of(&stub, "DELETE", &format!("/entries?{query}"));
        assert_eq!(body(&answer), json!({ "mode": mode, "purged": done }), "{query}");
        assert_eq!((answer.reply.status, &answer.audit), (200, &lines), "{query}");
        assert_eq!(*stub.did.borrow(), did, "{query}");
    }
}

#[test]
fn a_purge_that_fails_says_so() {
    let stub = Stub { failure: Some(UpdateError::Contended), ..Stub::default() };
    let answer = ask_of(&stub, "DELETE", "/entries?tag=x");
    let line = "response-cache: operations purge tag=x mode=hard error=contended by=192.0.2.1";
    assert_eq!((answer.reply.status, answer.audit.join("\n").as_str()), (503, line));
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    let error = "64 attempts met another worker's change";
    assert_eq!(body(&answer)["purged"], json!([{ "tag": "x", "error": error }]));
}

#[test]
fn values_cannot_forge_a_line_of_the_log() {
    let answer =
        ask_of(&Stub::default(), "DELETE", "/entries?tag=x%0Aresponse-cache:+by=127.0.0.1");
    let line = r#"response-cache: operations purge tag="x\nresponse-cache: by=127.0.0.1" mode=hard by=192.0.2.1"#;
    assert_eq!(answer.audit, [line]);
}

#[test]
fn the_method_purge_takes_its_url_or_the_tags_that_it_names() {
    for (headers, status, did) in [
        (&[][..], 200, vec![r#"hard url="https://example.com/news?a=%41""#]),
        (&[("soft-purge", "1")], 200, vec![r#"soft url="https://example.com/news?a=%41""#]),
        (&[("soft-purge", "0")], 200, vec![r#"hard url="https://example.com/news?a=%41""#]),
        (&[("surrogate-key", "a b"), ("soft-purge", "1")], 200, vec!["soft tag=a", "soft tag=b"]),
        (&[("soft-purge", "yes")], 400, vec![]),
        // A field without a tag is a slip: the URL is not meant then.
        (&[("surrogate-key", "")], 400, vec![]),
    ] {
        let stub = Stub::default();
        let x = exchange("PURGE", "/news?a=%41", &[&[TOKEN], headers].concat());
        let answer = answer(&access(), &stub, &x, true).unwrap();
        assert_eq!((answer.reply.status, answer.word), (status, "operations"), "{headers:?}");
        assert_eq!(*stub.did.borrow(), did, "{headers:?}");
        assert_eq!(answer.audit.len(), did.len(), "{headers:?}");
    }
}

#[test]
fn each_mistake_says_where_what_and_how_and_changes_nothing() {
    let many = format!("/entries?{}", (0..65).map(|n| format!("&tag={n}")).collect::<String>());
    for (method, path, status, told) in [
        (
            "GET",
            "/x",
            404,
            r#"There is nothing at "/x"; there are /stats, /rules, /rules/NAME, /explain, /entries, /purges and /warm"#,
        ),
        ("GET", "/purge", 404, r#"There is nothing at "/purge"; did you mean "/purges"?"#),
        (
            "GET",
            "/rules/",
            404,
            r#"There is nothing at "/rules/"; add the rule's name, or remove the slash to mean every rule"#,
        ),
        ("GET", "/rules/nws", 404, r#"There is no rule "nws"; did you mean "news"?"#),
        (
            "DELETE",
            "/entries",
            400,
            "query: found none of url, tag, prefix, pattern and resource, allowed at least one; add one, or everything=true",
        ),
        (
            "DELETE",
            "/entries?soft=true",
            400,
            "query: found none of url, tag, prefix, pattern and resource, allowed at least one; add one, or everything=true",
        ),
        (
            "DELETE",
            "/entries?everything=false",
            400,
            "query: found none of url, tag, prefix, pattern and resource, allowed at least one; add one, or everything=true",
        ),
        (
            "DELETE",
            "/entries?everything=true&tag=a",
            400,
            "everything: found true beside other targets, allowed alone; remove it, or them",
        ),
        (
            "DELETE",
            "/entries?everything=yes",
            400,
            r#"everything: found "yes", allowed true or false; write one of them"#,
        ),
        (
            "DELETE",
            "/entries?tag=a&soft=true&soft=true",
            400,
            "soft: found a second time, allowed once; remove one of them",
        ),
        ("DELETE", "/entries?tags=a", 400, r#"tags: unknown parameter; did you mean "tag"?"#),
        (
            "DELETE",
            "/entries?tag=a&tag=",
            400,
            r#"tag: found "", allowed a tag; fill it in, or remove the parameter"#,
        ),
        (
            "DELETE",
            "/entries?tag=a&url=/news",
            400,
            r#"url: found "/news", allowed a URL such as "https://example.com/news?page=1"; write scheme, host and path, no fragment, and anything but visible ASCII as % and two digits"#,
        ),
        ("DELETE", "/entries?tag=a&pattern=%5B", 400, "pattern: no pattern"),
        (
            "DELETE",
            "/entries?prefix=%FF",
            400,
            "prefix: found bytes that are no text, allowed UTF-8; encode them once more",
        ),
        (
            "DELETE",
            "/entries?resource=article",
            400,
            r#"resource: There is no resource "article"; did you mean "articles"?"#,
        ),
        (
            "DELETE",
            &many,
            400,
            "tag: found one more, allowed 64 at once; send the rest with another request",
        ),
        (
            "PUT",
            "/warm",
            400,
            "url: found none, allowed at least one; add the URL to warm, encoded once more",
        ),
        ("PUT", "/warm?urls=https://a/", 400, r#"urls: unknown parameter; did you mean "url"?"#),
        ("DELETE", "/warm?url=https://a/", 400, "url: unknown parameter, allowed none; remove it"),
        ("GET", "/stats?rule=news", 400, "rule: unknown parameter, allowed none; remove it"),
        ("GET", "/entries", 405, "This resource has the methods DELETE."),
        ("PURGE", "/entries", 405, "This resource has the methods DELETE."),
        ("POST", "/warm", 405, "This resource has the methods GET, HEAD, PUT, DELETE."),
        ("delete", "/rules", 405, "This resource has the methods GET, HEAD."),
    ] {
        let stub = Stub::default();
        let answer = ask_of(&stub, method, path);
        let body = body(&answer);
        let found = if status == 400 { &body["problems"][0] } else { &body["detail"] };
        assert_eq!((answer.reply.status, found), (status, &json!(told)), "{method} {path}");
        assert_eq!((answer.audit.len(), stub.did.borrow().len()), (0, 0), "{method} {path}");
        let allow = told.strip_prefix("This resource has the methods ");
        assert_eq!(header(&answer, "allow"), allow.map(|allow| allow.trim_end_matches('.')));
    }
}

#[test]
fn urls_are_put_on_the_list_and_taken_off() {
    let stub = Stub::default();
    let answer = ask_of(&stub, "PUT", "/warm?url=https://A/&url=https://a/b%3Fc");
    assert_eq!(body(&answer), json!({ "added": 2, "waiting_already": 1 }));
    let line = "response-cache: operations warm added=2 waiting_already=1 by=192.0.2.1";
    assert_eq!(answer.audit, [line]);
    let answer = ask_of(&stub, "DELETE", "/warm");
    assert_eq!(body(&answer), json!({ "stopped": 3 }));
    assert_eq!(answer.audit, ["response-cache: operations warm stopped=3 by=192.0.2.1"]);
    assert_eq!(*stub.did.borrow(), ["warm https://a/ https://a/b?c", "stop"]);
    let progress = json!({
        "state": "running", "waiting": 1, "running": 0, "done": { "no_answer": 1, "2xx": 2 }, "stored": 2,
        "retries": 0, "lost": 0, "not_stored": [{ "url": "https://a/", "status": null }],
    });
    assert_eq!(body(&ask_of(&stub, "GET", "/warm")), progress);
}

#[test]
fn what_cannot_be_warmed_is_refused_with_what_would_help() {
    let full = AddError::Full { urls: 3, bytes: 99 };
    for (error, status, detail) in [
        (WarmError::Off, 409, "Warming is off; configure background.cluster to switch it on."),
        (
            full.into(),
            409,
            "The list has room for 3 more URLs of 99 bytes together; wait until some are done, or send fewer.",
        ),
        (AddError::Store(UpdateError::Refused).into(), 503, "The list was not changed; try again."),
    ] {
        let stub = Stub { no_warming: Some(error), ..Stub::default() };
        let answer = ask_of(&stub, "PUT", "/warm?url=https://a/");
        assert_eq!((answer.reply.status, &body(&answer)["detail"]), (status, &json!(detail)));
        assert!(answer.audit.is_empty());
    }
    let off = Stub { no_warming: Some(WarmError::Off), ..Stub::default() };
    assert_eq!(body(&ask_of(&off, "GET", "/warm")), json!({ "state": "off" }));
}

#[test]
fn purges_in_force_are_listed() {
    let one =
        json!({ "what": "pattern https://example.com/**", "mode": "soft", "ago_seconds": 1.5 });
    assert_eq!(ask("GET", "/purges"), json!({ "purges": [one] }));
}
