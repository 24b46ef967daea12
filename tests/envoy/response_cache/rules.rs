//! Every field of a rule, as clients see it.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::Origin;
use serde_json::{Value, json};

use super::{as_told, rounded, status_of};

fn start(configuration: &Value, origin: &Origin) -> Gateway {
    Setup::new("response-cache", configuration, origin.address()).workers(2).way_back().start()
}

/// A rule for all paths below its name.
fn rule(name: &str, mut terms: Value) -> Value {
    let mut rule = json!({"name": name, "match": {"path": {"prefix": format!("/{name}/")}}});
    for (field, value) in terms.as_object_mut().expect("terms are an object") {
        rule[field] = value.take();
    }
    rule
}

fn ask(gateway: &Gateway, target: &str, answer: &str, fields: &[(&str, &str)]) -> Message {
    let request = Request::get(target).field("x-answer", answer);
    let request = fields.iter().fold(request, |request, (name, value)| request.field(name, value));
    request.ask(gateway.address())
}

/// A path of its own, what the origin answers to its first request, what both requests carry, and the `Cache-Status`
/// of both; the second is answered with a bare 200 if it reaches the origin.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

fn check(gateway: &Gateway, rows: &[Row<'_>]) {
    for (n, (name, answer, fields, first, second)) in rows.iter().enumerate() {
        let target = format!("/{name}/{n}");
        let row = format!("{name}: {answer} {fields:?}");
        let whole = |said: &str| format!("weir; {said}");
        assert_eq!(rounded(&ask(gateway, &target, answer, fields)), whole(first), "first, {row}");
        let again = ask(gateway, &target, "200", fields);
        assert_eq!(rounded(&again), whole(second), "second, {row}");
        if again.field("age").is_some() {
            let status = answer.split(' ').next().and_then(|status| status.parse().ok());
            assert_eq!((Some(again.status()), again.text()), (status, target), "{row}");
        }
    }
}

const STORED: &str = "fwd=uri-miss; stored";
const MISS: &str = "fwd=uri-miss; detail=no_lifetime";
const COOKIE: [(&str, &str); 1] = [("cookie", "id=ann")];
const USER: [(&str, &str); 1] = [("authorization", "Bearer ann")];

#[test]
fn lifetimes_are_the_origins_or_the_rules() {
    let configuration = json!({"targeted": ["weir-control", "cdn-cache-control"], "rules": [
        rule("ttl", json!({"ttl": "5m"})),
        rule("map", json!({"ttl": {"2xx": "1m", "201": "2m", "404": "30s", "5xx": "10s", "3xx": "3m"}})),
        rule("bounds", json!({"min_ttl": "1m", "max_ttl": "10m"})),
        rule("override", json!({"origin": "override", "ttl": "100s"})),
        rule("overrides", json!({"origin": "override", "ttl": {"404": "100s"}})),
        rule("statuses", json!({"statuses": ["2xx", 404], "ttl": {"2xx": "5m"}})),
        rule("default", json!({"default_ttl": "100s"})),
        rule("nothing", json!({})),
        rule("off", json!({"action": "bypass"})),
    ]});
    let origin = Origin::start(as_told);
    check(
        &start(&configuration, &origin),
        &[
            ("ttl", "200", &[], STORED, "hit; ttl=300"),
            ("ttl", "301", &[], STORED, "hit; ttl=300"),
            ("ttl", "404", &[], MISS, STORED),
            ("ttl", "500", &[], MISS, STORED),
            ("ttl", "200 | cache-control: max-age=60", &[], STORED, "hit; ttl=60"),
            ("ttl", "200 | cache-control: s-maxage=30, max-age=60", &[], STORED, "hit; ttl=30"),
            ("ttl", "404 | cache-control: max-age=60", &[], STORED, "hit; ttl=60"),
            ("ttl", "200 | age: 100", &[], STORED, "hit; ttl=300"),
            ("ttl", "200 | cache-control: no-store", &[], "fwd=uri-miss; detail=no_store", STORED),
            ("ttl", "200 | cache-control: private", &[], "fwd=uri-miss; detail=private", STORED),
            ("ttl", "200 | vary: *", &[], "fwd=uri-miss; detail=vary", STORED),
            (
                "ttl",
                "206 | content-range: bytes 0-9/20",
                &[],
                "fwd=uri-miss; detail=partial",
                STORED,
            ),
            ("map", "200", &[], STORED, "hit; ttl=60"),
            ("map", "201", &[], STORED, "hit; ttl=120"),
            ("map", "301", &[], STORED, "hit; ttl=180"),
            ("map", "404", &[], STORED, "hit; ttl=30"),
            ("map", "503", &[], STORED, "hit; ttl=10"),
            ("map", "410", &[], MISS, STORED),
            ("bounds", "200 | cache-control: max-age=10", &[], STORED, "hit; ttl=60"),
            ("bounds", "200 | cache-control: max-age=300", &[], STORED, "hit; ttl=300"),
            ("bounds", "200 | cache-control: max-age=6000", &[], STORED, "hit; ttl=600"),
            ("bounds", "200 | cache-control: max-age=0", &[], STORED, "hit; ttl=60"),
            ("bounds", "200", &[], MISS, MISS),
            ("override", "200 | cache-control: no-store", &[], STORED, "hit; ttl=100"),
            ("override", "200 | cache-control: private, no-cache", &[], STORED, "hit; ttl=100"),
            ("override", "200 | cache-control: max-age=6000", &[], STORED, "hit; ttl=100"),
            ("override", "200 | cache-control: max-age=0", &[], STORED, "hit; ttl=100"),
            (
                "override",
                "404 | cache-control: no-store",
                &[],
                "fwd=uri-miss; detail=no_store",
                STORED,
            ),
            ("override", "200 | vary: *", &[], "fwd=uri-miss; detail=vary", STORED),
            ("overrides", "404 | cache-control: no-store", &[], STORED, "hit; ttl=100"),
            ("statuses", "404", &[], MISS, STORED),
            ("statuses", "404 | cache-control: max-age=60", &[], STORED, "hit; ttl=60"),
            (
                "statuses",
                "301 | cache-control: max-age=60",
                &[],
                "fwd=uri-miss; detail=status",
                STORED,
            ),
            ("statuses", "200", &[], STORED, "hit; ttl=300"),
            (
                "default",
                "200",
                &[],
                "fwd=uri-miss; detail=not_plain",
                "fwd=uri-miss; detail=not_plain",
            ),
            ("nothing", "200", &[], MISS, MISS),
            ("nothing", "200 | expires: 0", &[], "fwd=uri-miss; detail=expired", MISS),
            ("nothing", "200 | cache-control: max-age=60, immutable", &[], STORED, "hit; ttl=60"),
            (
                "nothing",
                "200 | cdn-cache-control: max-age=60 | cache-control: no-store",
                &[],
                STORED,
                "hit; ttl=60",
            ),
            (
                "nothing",
                "200 | cdn-cache-control: no-store | cache-control: max-age=60",
                &[],
                "fwd=uri-miss; detail=no_store",
                MISS,
            ),
            (
                "nothing",
                "200 | cdn-cache-control: @ | cache-control: max-age=60",
                &[],
                STORED,
                "hit; ttl=60",
            ),
            (
                "nothing",
                "200 | weir-control: max-age=20 | cdn-cache-control: max-age=60",
                &[],
                STORED,
                "hit; ttl=20",
            ),
            ("off", "200 | cache-control: max-age=60", &[], "fwd=bypass", "fwd=bypass"),
            ("no-rule", "200 | cache-control: max-age=60", &[], "fwd=bypass", "fwd=bypass"),
        ],
    );
}

#[test]
fn cookies_credentials_and_wishes_count_as_the_rule_says() {
    let preview = json!({"headers": [{"name": "x-preview", "present": true}]});
    let configuration = json!({"rules": [
        rule("careful", json!({"ttl": "5m"})),
        rule("ignore", json!({"ttl": "5m", "cookies": "ignore"})),
        rule("refuse", json!({})),
        rule("remove", json!({"set_cookie": "remove"})),
        rule("polite", json!({})),
        rule("rude", json!({"request_directives": "ignore"})),
        rule("user", json!({"ttl": "5m", "key": {"user": "header:authorization"}})),
        rule("preview", json!({"no_store": preview})),
        rule("direct", json!({"bypass": preview})),
    ]});
    let origin = Origin::start(as_told);
    let gateway = start(&configuration, &origin);
    const FRESH: &str = "200 | cache-control: max-age=60";
    const SETS: &str = "200 | cache-control: max-age=60 | set-cookie: id=ann";
    check(
        &gateway,
        &[
            (
                "careful",
                "200",
                &COOKIE,
                "fwd=uri-miss; detail=not_plain",
                "fwd=uri-miss; detail=not_plain",
            ),
            ("careful", FRESH, &COOKIE, STORED, "hit; ttl=60"),
            (
                "careful",
                "200",
                &USER,
                "fwd=uri-miss; detail=authorization",
                "fwd=uri-miss; detail=authorization",
            ),
            (
                "careful",
                "200 | cache-control: public",
                &USER,
                "fwd=uri-miss; detail=authorization",
                "fwd=uri-miss; detail=authorization",
            ),
            ("careful", "200 | cache-control: public, max-age=60", &USER, STORED, "hit; ttl=60"),
            ("careful", "200 | cache-control: s-maxage=60", &USER, STORED, "hit; ttl=60"),
            (
                "careful",
                "200 | cache-control: max-age=60, must-revalidate",
                &USER,
                STORED,
                "hit; ttl=60",
            ),
            ("ignore", "200", &COOKIE, STORED, "hit; ttl=300"),
            (
                "ignore",
                "200",
                &USER,
                "fwd=uri-miss; detail=authorization",
                "fwd=uri-miss; detail=authorization",
            ),
            ("refuse", SETS, &[], "fwd=uri-miss; detail=set_cookie", MISS),
            ("remove", SETS, &[], STORED, "hit; ttl=60"),
            ("user", "200 | cache-control: private", &USER, STORED, "hit; ttl=300"),
            ("user", FRESH, &[], "fwd=bypass", "fwd=bypass"),
            (
                "polite",
                FRESH,
                &[("cache-control", "no-cache")],
                STORED,
                "fwd=request; detail=no_lifetime",
            ),
            ("polite", FRESH, &[("pragma", "no-cache")], STORED, "fwd=request; detail=no_lifetime"),
            (
                "polite",
                FRESH,
                &[("cache-control", "no-store")],
                "fwd=uri-miss; detail=no_store",
                "fwd=uri-miss; detail=no_store",
            ),
            (
                "polite",
                FRESH,
                &[("cache-control", "min-fresh=100")],
                STORED,
                "fwd=request; detail=no_lifetime",
            ),
            ("rude", FRESH, &[("cache-control", "no-cache")], STORED, "hit; ttl=60"),
            ("rude", FRESH, &[("pragma", "no-cache")], STORED, "hit; ttl=60"),
            ("rude", FRESH, &[("cache-control", "no-store")], STORED, "hit; ttl=60"),
            (
                "rude",
                FRESH,
                &[("cache-control", "max-age=0, only-if-cached")],
                STORED,
                "hit; ttl=60",
            ),
            ("preview", FRESH, &[("x-preview", "1")], "fwd=uri-miss", "fwd=uri-miss"),
            ("direct", FRESH, &[("x-preview", "1")], "fwd=bypass", "fwd=bypass"),
        ],
    );
    // Who caused the cookie gets it, and nobody else does.
    assert_eq!(ask(&gateway, "/remove/own", SETS, &[]).field("set-cookie"), Some("id=ann"));
    let hit = ask(&gateway, "/remove/own", "200", &[]);
    assert!(status_of(&hit).contains("hit") && hit.field("set-cookie").is_none(), "{hit:?}");
    // What others have brought into the store answers such requests as well.
    ask(&gateway, "/preview/of-others", FRESH, &[]);
    let preview = [("x-preview", "1")];
    assert!(status_of(&ask(&gateway, "/preview/of-others", "200", &preview)).contains("hit"));
    ask(&gateway, "/direct/of-others", FRESH, &[]);
    assert_eq!(status_of(&ask(&gateway, "/direct/of-others", "200", &preview)), "weir; fwd=bypass");
    let refused = ask(&gateway, "/polite/none", FRESH, &[("cache-control", "only-if-cached")]);
    assert_eq!((refused.status(), status_of(&refused)), (504, "weir; detail=only_if_cached"));
    assert_eq!(origin.hits_of("/polite/none"), 0);
}

#[test]
fn graces_are_the_rules_where_the_origin_says_nothing() {
    let configuration = json!({"background": {"cluster": "background"}, "rules": [
        rule("while", json!({"stale_while_revalidate": "10m"})),
        rule("error", json!({"stale_if_error": "10m"})),
        rule("short", json!({"stale_if_error": "20s"})),
        rule("keep", json!({"keep": "1m"})),
        rule("lose", json!({"keep": "10s"})),
    ]});
    let origin = Origin::start(as_told);
    let gateway = start(&configuration, &origin);
    const STALE: &str = "200 | age: 100 | cache-control: max-age=60";
    const TAGGED: &str = "200 | age: 100 | etag: \"a\" | cache-control: max-age=60";
    const GOOD: &str = "304 | etag: \"a\" | cache-control: max-age=60";
    const EXPIRED: &str = "fwd=uri-miss; detail=expired";
    const INSTEAD: &str = "fwd=stale; fwd-status=503; ttl=-40; detail=stale_if_error";
    let strict = [STALE, ", must-revalidate"].concat();
    let own = [STALE, ", stale-if-error=30"].concat();
    let longer = [STALE, ", stale-if-error=300"].concat();
    for (n, (name, first, said, second, said_again)) in [
        ("while", STALE, STORED, "200", "hit; ttl=-40"),
        ("while", &strict, EXPIRED, "200", MISS),
        ("error", STALE, STORED, "503", INSTEAD),
        ("error", STALE, STORED, "200", "fwd=stale; fwd-status=200; detail=no_lifetime"),
        ("error", STALE, STORED, "404", "fwd=stale; fwd-status=404; detail=no_lifetime"),
        ("error", &strict, EXPIRED, "503", MISS),
        ("error", &own, EXPIRED, "503", MISS),
        ("short", STALE, EXPIRED, "503", MISS),
        ("short", &longer, STORED, "503", INSTEAD),
        ("keep", STALE, EXPIRED, "200", MISS),
        ("keep", TAGGED, STORED, GOOD, "fwd=stale; fwd-status=304; ttl=60"),
        ("keep", TAGGED, STORED, "503", "fwd=stale; fwd-status=503; detail=no_lifetime"),
        ("lose", TAGGED, EXPIRED, GOOD, "fwd=uri-miss; detail=status"),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{name}/{n}");
        let row = format!("{name}: {first}, then {second}");
        assert_eq!(rounded(&ask(&gateway, &target, first, &[])), format!("weir; {said}"), "{row}");
        let again = ask(&gateway, &target, second, &[]);
        assert_eq!(rounded(&again), format!("weir; {said_again}"), "{row}");
    }
}

#[test]
fn a_rules_own_tags_purge_what_it_stored() {
    let configuration = json!({"operations": {"path": "/weir", "source": "127.0.0.0/8"}, "rules": [
        rule("tagged", json!({"ttl": "5m", "tags": ["fixed", "other"]})),
        rule("plain", json!({"ttl": "5m"})),
    ]});
    let origin = Origin::start(as_told);
    let gateway = start(&configuration, &origin);
    let is_hit = |target: &str| status_of(&ask(&gateway, target, "200", &[])).contains("hit");
    for tag in ["fixed", "other"] {
        for target in ["/tagged/a", "/plain/a"] {
            is_hit(target);
            assert!(is_hit(target), "{target}");
        }
        let purge = Request::new("DELETE", &format!("/weir/entries?tag={tag}"));
        assert_eq!(purge.ask(gateway.address()).status(), 200);
        assert!(!is_hit("/tagged/a") && is_hit("/plain/a"), "{tag}");
    }
}
