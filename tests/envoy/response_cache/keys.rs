//! What makes two requests the same: the key of a rule, and header values that mean the same.

use harness::client::Request;
use harness::gateway::Setup;
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token;
use serde_json::{Value, json};

use super::status_of;

fn rule(name: &str, key: Value) -> Value {
    let path = json!({"prefix": format!("/{name}")});
    let mut rule = json!({"name": name, "match": {"path": path}, "ttl": "5m"});
    rule["key"] = key;
    rule
}

fn with(target: &str, fields: &[(&str, &str)]) -> Request {
    let request = Request::get(target);
    fields.iter().fold(request, |request, (name, value)| request.field(name, value))
}

/// Two requests below a path of their own, and whether they are the same.
type Pair<'a> =
    (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a [(&'a str, &'a str)], bool);

#[test]
fn two_requests_are_the_same_as_the_key_says() {
    let mut rules = [
        rule("sort", json!({"query": {"sort": true}})),
        rule("allow", json!({"query": {"allow": ["id", "page"]}})),
        rule("deny", json!({"query": {"deny": ["nonce"]}})),
        rule("tracking", json!({"query": {"drop_tracking": true}})),
        rule("none", json!({"query": "none"})),
        rule("all", json!({"query": "all"})),
        rule("headers", json!({"headers": ["x-tenant", "x-plan"]})),
        rule("cookies", json!({"cookies": ["theme"]})),
    ];
    for rule in &mut rules {
        rule["cookies"] = json!("ignore");
    }
    let configuration = json!({"rules": rules});
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(2).start();
    let none: &[(&str, &str)] = &[];
    let pairs: &[Pair<'_>] = &[
        ("sort", "?a=1&b=2", none, "?b=2&a=1", none, true),
        ("sort", "?a=1&a=2", none, "?a=2&a=1", none, false),
        ("sort", "?a=1&b=2", none, "?a=1;b=2", none, false),
        ("sort", "?a=1", none, "?a=1&a=1", none, false),
        ("sort", "?a=%41", none, "?a=A", none, false),
        ("allow", "?id=1", none, "?id=1&other=2", none, true),
        ("allow", "?id=1", none, "?other=3&id=1", none, true),
        ("allow", "?id=1", none, "?id=2", none, false),
        ("allow", "?id=1", none, "?ID=1", none, false),
        ("allow", "?id=1", none, "?%69d=2", none, false),
        ("allow", "?id=1&page=2", none, "?id=1", none, false),
        ("deny", "?id=1&nonce=5", none, "?nonce=6&id=1", none, true),
        ("deny", "?id=1&nonce=5", none, "?id=1&%6eonce=5", none, true),
        ("deny", "?id=1&nonce=5", none, "?id=1&Nonce=5", none, false),
        ("tracking", "?id=1", none, "?utm_source=x&id=1&gclid=7&fbclid=8", none, true),
        ("tracking", "?id=1", none, "?id=1&utm_x=1;admin=1", none, false),
        ("tracking", "?id=1", none, "?id=1&ref=a", none, false),
        ("none", "?a=1", none, "?b=2", none, true),
        ("none", "?a=1", none, "", none, true),
        ("none", "/x", none, "/y", none, false),
        ("all", "?a=1&b=2", none, "?b=2&a=1", none, false),
        ("all", "", none, "?", none, false),
        ("headers", "", &[("x-tenant", "a")], "", &[("x-tenant", "b")], false),
        ("headers", "", &[("x-tenant", "a")], "", &[("x-tenant", "a"), ("x-other", "1")], true),
        ("headers", "", &[("x-tenant", "a")], "", &[("x-plan", "a")], false),
        ("headers", "", &[("x-tenant", "")], "", none, false),
        ("headers", "", &[("x-tenant", "a,b")], "", &[("x-tenant", "a"), ("x-tenant", "b")], false),
        (
            "cookies",
            "",
            &[("cookie", "theme=dark; id=1")],
            "",
            &[("cookie", "id=2; theme=dark")],
            true,
        ),
        ("cookies", "", &[("cookie", "theme=dark")], "", &[("cookie", "theme=light")], false),
        ("cookies", "", &[("cookie", "theme=")], "", &[("cookie", "id=1")], false),
        (
            "cookies",
            "",
            &[("cookie", "theme=a; theme=b")],
            "",
            &[("cookie", "theme=b; theme=a")],
            false,
        ),
    ];
    for (n, (name, one, one_fields, other, other_fields, same)) in pairs.iter().enumerate() {
        let row = format!("{name}: {one} {one_fields:?} and {other} {other_fields:?}");
        let one = with(&format!("/{name}/{n}{one}"), one_fields);
        let other = with(&format!("/{name}/{n}{other}"), other_fields);
        let first = one.ask(gateway.address());
        assert_eq!(status_of(&first), "weir; fwd=uri-miss; stored", "{row}");
        assert!(status_of(&one.ask(gateway.address())).contains("hit"), "{row}");
        let second = other.ask(gateway.address());
        assert_eq!(status_of(&second).contains("hit"), *same, "{row}");
    }
}

#[test]
fn an_unsafe_request_reaches_all_keys_of_its_uri() {
    let configuration = json!({"rules": [
        rule("sort", json!({"query": {"sort": true}})),
        rule("headers", json!({"headers": ["x-tenant"]})),
    ]});
    let origin = Origin::start(|request| Act::response(200, &[], request.target()));
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(4).start();
    let asks = [
        with("/sort?a=1&b=2", &[]),
        with("/sort?c=1", &[]),
        with("/headers", &[("x-tenant", "a")]),
        with("/headers", &[("x-tenant", "b")]),
    ];
    let is_hit = |request: &Request| status_of(&request.ask(gateway.address())).contains("hit");
    let all = || -> Vec<bool> { asks.iter().map(is_hit).collect() };
    assert_eq!((all(), all()), (vec![false; 4], vec![true; 4]));
    Request::new("POST", "/sort?b=2&a=1").ask(gateway.address());
    assert_eq!(all(), [false, true, true, true]);
    Request::new("PUT", "/headers").ask(gateway.address());
    assert_eq!(all(), [true, true, false, false]);
    assert_eq!(all(), [true; 4]);
}

#[test]
fn claims_that_envoy_has_verified_tell_users_apart() {
    let configuration = json!({"rules": [
        {"name": "tier", "match": {"path": {"prefix": "/tier"}}, "key": {"claims": ["tier"]}},
        {"name": "mine", "match": {"path": {"prefix": "/mine"}}, "key": {"user": "claim:sub"}, "ttl": "5m"},
    ]});
    let origin = Origin::start(|request| {
        let fields: &[(&str, &str)] = match request.target() {
            "/tier" => &[("cache-control", "public, max-age=600")],
            _ => &[("cache-control", "private, max-age=600")],
        };
        Act::response(200, fields, request.field("x-who").unwrap_or("nobody"))
    });
    let setup = Setup::new("response-cache", &configuration, origin.address());
    let gateway = setup.workers(2).before(token::filter()).start();
    let ask = |target: &str, who: &str, claims: Value| -> Message {
        let request = Request::get(target).field("x-who", who);
        request.field("authorization", token::bearer(&claims)).ask(gateway.address())
    };
    for (target, who, claims, text) in [
        ("/tier", "first", json!({"tier": "gold", "sub": "ann"}), "first"),
        ("/tier", "second", json!({"tier": "gold", "sub": "bob"}), "first"),
        ("/tier", "third", json!({"tier": "free", "sub": "ann"}), "third"),
        ("/tier", "fourth", json!({"sub": "ann"}), "fourth"),
        ("/tier", "fifth", json!({"tier": ""}), "fifth"),
        ("/mine", "ann", json!({"sub": "ann"}), "ann"),
        ("/mine", "bob", json!({"sub": "bob"}), "bob"),
        ("/mine", "renewed", json!({"sub": "ann", "exp": 4_000_000_000_u64}), "ann"),
        // Without a user there is no key: neither stored nor served.
        ("/mine", "none", json!({}), "none"),
        ("/mine", "none again", json!({}), "none again"),
        ("/mine", "empty", json!({"sub": ""}), "empty"),
        ("/mine", "empty again", json!({"sub": ""}), "empty again"),
    ] {
        assert_eq!(ask(target, who, claims.clone()).text(), text, "{target} {who} {claims}");
    }
    let plain = Request::get("/mine").field("x-who", "plain").ask(gateway.address());
    assert_eq!((plain.text().as_str(), status_of(&plain)), ("plain", "weir; fwd=bypass"));
    let forged = Request::get("/mine").field("authorization", "Bearer eyJ.eyJzdWIiOiJhbm4ifQ.x");
    assert_eq!(forged.ask(gateway.address()).status(), 401);
}

/// Compresses with the first coding of the request that it knows, as many services do whatever the weights say.
fn compresses(request: &Message) -> Act {
    let accepted = request.field("accept-encoding").unwrap_or_default().to_owned();
    let mut fields =
        vec![("cache-control", "max-age=600"), ("vary", "accept-encoding, accept-language")];
    let wanted = accepted.split(',').map(str::trim).find(|coding| ["br", "gzip"].contains(coding));
    if let Some(coding) = wanted {
        fields.push(("content-encoding", coding));
    }
    let language = request.field("accept-language").unwrap_or("none").to_owned();
    fields.push(("content-language", &language));
    Act::response(200, &fields, "x")
}

#[test]
fn normal_values_make_fewer_variants_and_never_what_a_client_refuses() {
    let configuration = json!({"rules": [{"name": "all", "normalize": {
        "accept_encoding": ["br", "gzip"], "accept_language": ["en", "de"],
    }}]});
    let origin = Origin::start(compresses);
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(2).start();
    // What is accepted, and which codings are then no harm; an empty one is none.
    let asks: [(&str, &[&str]); 12] = [
        ("gzip, br", &["br", "gzip", ""]),
        ("br, gzip", &["br", "gzip", ""]),
        ("gzip;q=1.0, br;q=0.1", &["br", "gzip", ""]),
        ("br;q=0, gzip", &["gzip", ""]),
        ("gzip", &["gzip", ""]),
        ("gzip, deflate", &["gzip", ""]),
        ("identity", &[""]),
        ("", &[""]),
        ("gzip;q=0, *", &["br", ""]),
        ("*;q=0, gzip", &["gzip"]),
        ("br, identity;q=0", &["br"]),
        ("GZIP", &["gzip", ""]),
    ];
    for round in 0..3 {
        for (accepted, harmless) in asks {
            let answer = Request::get("/").field("accept-encoding", accepted);
            let answer = answer.field("accept-language", "en").ask(gateway.address());
            let coding = answer.field("content-encoding").unwrap_or_default();
            assert!(harmless.contains(&coding), "round {round}, {accepted}: {answer:?}");
            let is_hit = status_of(&answer).contains("hit");
            assert!(is_hit || round == 0, "round {round}, {accepted}: {answer:?}");
        }
    }
    let before = origin.hits();
    assert!(before <= 6, "twelve spellings of six meanings: {before}");
    for (language, given) in [
        ("de-AT, en;q=0.5", "de"),
        ("de", "de"),
        ("de;q=0, en", "en"),
        ("fr", "*"),
        ("it, es", "*"),
    ] {
        let asked = Request::get("/l").field("accept-language", language).ask(gateway.address());
        assert_eq!(asked.field("content-language"), Some(given), "{language}");
    }
    assert_eq!(origin.hits_of("/l"), 3, "German, English, neither");
}

#[test]
fn devices_are_told_apart_by_class() {
    let origin = Origin::start(|request| {
        let agent = request.field("user-agent").unwrap_or("none").to_owned();
        Act::response(200, &[("cache-control", "max-age=600"), ("vary", "User-Agent")], agent)
    });
    let configuration = json!({"rules": [{"name": "all", "normalize": {"device": true}}]});
    let gateway = Setup::new("response-cache", &configuration, origin.address()).workers(2).start();
    const PHONE: &str = "Mozilla/5.0 (iPhone) Mobile";
    const DESKTOP: &str = "Mozilla/5.0 (X11; Linux)";
    for (agent, given) in [
        (PHONE, PHONE),
        (DESKTOP, DESKTOP),
        ("Mozilla/5.0 (Linux; Android 14) Mobile Safari", PHONE),
        ("curl/8", DESKTOP),
        ("Mozilla/5.0 (iPad)", "Mozilla/5.0 (iPad)"),
        ("Mozilla/5.0 (Linux; Android 14) Safari", "Mozilla/5.0 (iPad)"),
    ] {
        let answer = Request::get("/").field("user-agent", agent).ask(gateway.address());
        assert_eq!(answer.text(), given, "{agent}");
    }
    assert_eq!(gateway.get("/").text(), "none", "absent says something else");
}
