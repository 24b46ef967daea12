//! What operators are told about real requests, and what they are told when they ask wrongly.

use harness::client::Request;
use harness::gateway::{Gateway, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};

use super::status_of;

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

fn request(method: &str, endpoint: &str) -> Request {
    Request::new(method, &format!("/weir{endpoint}")).field("x-weir-token", TOKEN)
}

fn ask(gateway: &Gateway, method: &str, endpoint: &str) -> Message {
    request(method, endpoint).ask(gateway.address())
}

fn json_of(answer: &Message) -> Value {
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn read(gateway: &Gateway, endpoint: &str) -> Value {
    let answer = ask(gateway, "GET", endpoint);
    assert_eq!(answer.status(), 200, "{endpoint}: {answer:?}");
    assert_eq!(answer.field("content-type"), Some("application/json"), "{endpoint}");
    json_of(&answer)
}

fn explain(gateway: &Gateway, path: &str, more: &str) -> Value {
    read(gateway, &format!("/explain?url=http%3A%2F%2Fexample.com%2F{path}{more}"))
}

/// Answers by the first word of the path.
fn origin() -> Origin {
    Origin::start(|request| {
        let path = request.target().split('?').next().unwrap_or_default();
        let fields: &[(&str, &str)] = match path {
            "/fresh" => &[
                ("cache-control", "max-age=600, stale-while-revalidate=60"),
                ("age", "10"),
                ("surrogate-key", "front news"),
                ("vary", "accept-language"),
            ],
            "/stale" => {
                &[("cache-control", "max-age=10, stale-if-error=90"), ("age", "20"), ("etag", "1")]
            }
            "/strict" => &[
                ("cache-control", "max-age=10, must-revalidate"),
                ("age", "20"),
                ("etag", "\"1\""),
            ],
            "/private" => &[("cache-control", "private")],
            "/cookie" => &[("cache-control", "max-age=60"), ("set-cookie", "id=1")],
            "/all" => &[("cache-control", "max-age=60"), ("vary", "*")],
            "/short" => &[("cache-control", "no-store")],
            _ => &[("cache-control", "max-age=600")],
        };
        Act::response(200, fields, request.target())
    })
}

fn start(origin: &Origin) -> Gateway {
    let configuration = json!({
        "operations": {"path": "/weir", "token_sha256": sha256(TOKEN)},
        "rules": [
            {"name": "admin", "match": {"path": {"prefix": "/admin"}}, "action": "bypass"},
            {"name": "rest", "tags": ["site"]},
            {"name": "later", "enabled": false},
        ],
    });
    let gateway = Setup::new("response-cache", &configuration, origin.address());
    gateway.workers(4).start()
}

/// A span in the arithmetic, such as `1m10s8ms`, in milliseconds.
fn millis(text: &str) -> u64 {
    let mut rest = text;
    let mut sum = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, left) = unit.split_at(letters);
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            other => panic!("{other} in {text}"),
        };
        sum += number.parse::<u64>().unwrap_or_else(|error| panic!("{text}: {error}")) * scale;
        rest = left;
    }
    sum
}

/// Whether the sum or difference in this line adds up; spans are rounded up to milliseconds.
fn adds_up(line: &str) -> bool {
    let spans: Vec<u64> = line
        .split_whitespace()
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(millis)
        .collect();
    let [result, left, right] = spans[..] else { panic!("three spans: {line}") };
    let exact = if line.contains(" + ") { left + right } else { left - right };
    result.abs_diff(exact) <= 1
}

#[test]
fn what_is_stored_is_explained_with_its_rule_key_tags_and_freshness() {
    let origin = origin();
    let gateway = start(&origin);
    let nothing = explain(&gateway, "fresh", "");
    assert_eq!(
        [&nothing["decision"], &nothing["is_stored"], &nothing["entries"], &nothing["cluster"]],
        [&json!("miss"), &json!(false), &json!([]), &json!("upstream")]
    );
    gateway.get("/fresh");
    for _worker in 0..8 {
        let found = explain(&gateway, "fresh", "");
        assert_eq!(found["decision"], "hit", "{found:#}");
        assert_eq!(found["rule"], json!({"name": "rest", "action": "cache"}));
        assert_eq!(found["is_stored"], true);
        assert!(found["key"].as_str().unwrap().contains("example.com"), "{found:#}");
        let entry = &found["entries"][0];
        assert_eq!(entry["url"], "http://example.com/fresh");
        assert_eq!(entry["tags"], json!(["front", "news", "site"]));
        assert_eq!(entry["varies_on"], json!(["accept-language"]));
        assert_eq!(
            [&entry["status"], &entry["purged"], &entry["body_bytes"], &entry["rule"]],
            [&json!(200), &json!("no"), &json!(6), &json!("rest")]
        );
        let freshness = &entry["freshness"];
        let seconds = |name: &str| freshness[name].as_f64().unwrap();
        assert!((10.0..40.0).contains(&seconds("age_seconds")), "{freshness:#}");
        assert!((seconds("lifetime_seconds") - 600.0).abs() < 1e-9);
        let left = seconds("lifetime_seconds") - seconds("age_seconds");
        assert!((seconds("left_seconds") - left).abs() < 0.0021, "{freshness:#}");
        assert_eq!(freshness["basis"], "stated");
        let lines: Vec<&str> =
            freshness["arithmetic"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for begin in ["age ", "fresh for "] {
            let line = lines.iter().find(|line| line.starts_with(begin)).unwrap();
            assert!(adds_up(line), "{line}");
        }
        assert!(lines.contains(&"once stale: served while it is refreshed for 1m"), "{lines:?}");
    }
    let age = gateway.get("/fresh").field("age").unwrap().parse::<f64>().unwrap();
    let told = explain(&gateway, "fresh", "")["entries"][0]["freshness"]["age_seconds"].clone();
    assert!(told.as_f64().unwrap() >= age, "clients are told {age}, operators {told}");
    assert_eq!(origin.hits(), 1, "explaining asks nobody");
}

#[test]
fn other_variants_clusters_methods_and_directives_are_explained_as_they_would_be_decided() {
    let origin = origin();
    let gateway = start(&origin);
    gateway.get("/fresh");
    gateway.get("/stale");
    gateway.get("/strict");
    let table = [
        ("fresh", "&header.accept-language=fr", "vary_miss", Some(false)),
        ("fresh", "&cluster=deserted", "vary_miss", Some(false)),
        ("fresh", "&cluster=upstream", "hit", Some(true)),
        ("fresh", "&method=HEAD", "hit", Some(true)),
        ("fresh", "&method=POST", "method", None),
        ("fresh", "&header.cache-control=no-cache", "request", Some(true)),
        ("fresh", "&header.cache-control=max-age%3D5", "request", Some(true)),
        ("nothing", "&header.cache-control=only-if-cached", "only_if_cached", None),
        ("nothing", "&header.if-match=%221%22", "bypass", None),
        ("admin", "", "bypass", None),
        ("stale", "", "stale", Some(true)),
        ("strict", "", "stale", Some(true)),
    ];
    for (path, more, decision, is_selected) in table {
        let found = explain(&gateway, path, more);
        assert_eq!(found["decision"], decision, "{path}{more}: {found:#}");
        assert!(found["because"].as_str().is_some_and(|why| !why.is_empty()), "{found:#}");
        let selected = found["entries"][0]["is_selected"].as_bool();
        assert_eq!(selected, is_selected, "{path}{more}: {found:#}");
    }
    let admin = explain(&gateway, "admin", "");
    assert_eq!(
        [&admin["because"], &admin["rule"]["name"]],
        [&json!("the rule says so"), &json!("admin")]
    );
    let lines = |path: &str| {
        let found = explain(&gateway, path, "");
        found["entries"][0]["freshness"]["arithmetic"].to_string()
    };
    assert!(lines("stale").contains("stale: served when the origin fails for"));
    assert!(lines("strict").contains("never served stale"));
    let found = explain(&gateway, "stale", "");
    let arithmetic = found["entries"][0]["freshness"]["arithmetic"].as_array().unwrap();
    let over =
        arithmetic.iter().filter_map(Value::as_str).find(|line| line.starts_with("stale for"));
    assert!(adds_up(over.unwrap()), "{over:?}");
}

#[test]
fn why_something_is_not_stored_is_remembered_and_told() {
    let origin = origin();
    let gateway = start(&origin);
    for (path, reason) in
        [("private", "private"), ("cookie", "set_cookie"), ("all", "vary"), ("short", "no_store")]
    {
        gateway.get(&format!("/{path}"));
        let found = explain(&gateway, path, "");
        assert_eq!([&found["decision"], &found["is_stored"]], [&json!("miss"), &json!(false)]);
        let flight = &found["flight"];
        assert_eq!([&flight["state"], &flight["reason"]], [&json!("uncacheable"), &json!(reason)]);
        assert!(flight["because"].as_str().is_some_and(|why| !why.is_empty()));
        let left = flight["left_seconds"].as_f64().unwrap();
        assert!(left > 0.0 && left <= 10.0, "{flight}");
    }
}

#[test]
fn purges_show_in_explanations_in_the_list_and_in_the_log() {
    let origin = origin();
    let gateway = start(&origin);
    gateway.get("/fresh");
    let soft = ask(&gateway, "DELETE", "/entries?tag=news&tag=odd%20one&soft=true");
    assert_eq!(
        json_of(&soft),
        json!({"mode": "soft", "purged": [{"tag": "news"}, {"tag": "odd one"}]})
    );
    for _worker in 0..4 {
        let found = explain(&gateway, "fresh", "");
        assert_eq!(
            [&found["entries"][0]["purged"], &found["is_stored"]],
            [&json!("soft"), &json!(true)],
            "{found:#}"
        );
        assert!(found.to_string().contains("softly purged: counts as stale"));
    }
    let hard = ask(&gateway, "DELETE", "/entries?pattern=%2F**%2Ffresh&url=http://example.com/b");
    assert_eq!(hard.status(), 200, "{hard:?}");
    for _worker in 0..4 {
        let found = explain(&gateway, "fresh", "");
        assert_eq!(found["decision"], "miss", "{found:#}");
        assert_eq!(found["is_stored"], false, "{found:#}");
    }
    let method = Request::new("PURGE", "/c?d=1").field("x-weir-token", TOKEN);
    let done = json_of(&method.ask(gateway.address()));
    assert_eq!(done, json!({"mode": "hard", "purged": [{"url": "http://example.com/c?d=1"}]}));
    let listed = read(&gateway, "/purges")["purges"].clone();
    let listed = listed.as_array().unwrap();
    assert!(
        listed.iter().all(|purge| purge["ago_seconds"].as_f64().is_some_and(|ago| ago < 60.0)),
        "{listed:?}"
    );
    let all = Value::from(listed.clone()).to_string();
    assert!(all.contains("fresh"), "{all}");
    let lines: Vec<String> =
        gateway.messages().into_iter().filter(|line| line.contains("operations purge")).collect();
    let line = |what: &str| format!("response-cache: operations purge {what} by=127.0.0.1");
    let expected = [
        line("tag=news mode=soft"),
        line("tag=\"odd one\" mode=soft"),
        line("pattern=\"/**/fresh\" mode=hard"),
        line("url=\"http://example.com/b\" mode=hard"),
        line("url=\"http://example.com/c?d=1\" mode=hard"),
    ];
    let mut sorted = lines;
    sorted.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(sorted, expected, "one line each, and no more");
}

#[test]
fn wrong_questions_are_answered_with_what_is_wrong_and_purge_nothing() {
    let origin = origin();
    let gateway = start(&origin);
    gateway.get("/fresh");
    let table = [
        ("GET", "/stat", 404, "/stats"),
        ("GET", "/stats/", 404, "/stats"),
        ("GET", "/stats?x=1", 400, "x"),
        ("POST", "/stats", 405, ""),
        ("GET", "/entries", 405, ""),
        ("POST", "/entries?everything=true", 405, ""),
        ("GET", "/rules/rst", 404, "rest"),
        ("GET", "/explain?url=fresh", 400, "url"),
        ("GET", "/explain?ulr=http://example.com/", 400, "url"),
        ("GET", "/explain?method=", 400, "method"),
        ("DELETE", "/entries", 400, "everything=true"),
        ("DELETE", "/entries?everything=yes", 400, "everything"),
        ("DELETE", "/entries?everything=true&everything=true", 400, "everything"),
        ("DELETE", "/entries?everything=true&tag=news", 400, "everything"),
        ("DELETE", "/entries?everything=false", 400, "everything=true"),
        ("DELETE", "/entries?tag=", 400, "tag"),
        ("DELETE", "/entries?tag=news&tga=front", 400, "tag"),
        ("DELETE", "/entries?tag=news&url=example.com", 400, "url"),
        ("DELETE", "/entries?tag=news&soft=1", 400, "soft"),
        ("DELETE", "/entries?tag=news&resource=services", 400, "resource"),
        ("DELETE", "/entries?tag=news&pattern=", 400, "pattern"),
        ("DELETE", "/entries?tag=news&prefix=", 400, "prefix"),
        ("PUT", "/entries?tag=news", 405, ""),
        ("DELETE", "/purges", 405, ""),
        ("PUT", "/warm", 400, "url"),
        ("PUT", "/warm?url=/a", 400, "url"),
        ("PUT", "/warm?url=http://example.com/&soft=true", 400, "soft"),
        ("PUT", "/warm?url=http://example.com/", 409, "background.cluster"),
        ("DELETE", "/warm", 409, "background.cluster"),
        ("PATCH", "/warm", 405, ""),
    ];
    for (method, endpoint, status, says) in table {
        let answer = ask(&gateway, method, endpoint);
        assert_eq!(answer.status(), status, "{method} {endpoint}: {answer:?}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json"),
            "{method} {endpoint}"
        );
        let problem = json_of(&answer);
        assert_eq!(problem["status"], status, "{method} {endpoint}");
        assert!(problem.to_string().contains(says), "{method} {endpoint}: {problem}");
        assert_eq!(answer.field("allow").is_some(), status == 405, "{method} {endpoint}");
    }
    for (name, value) in [("soft-purge", "yes"), ("surrogate-key", ""), ("cache-tag", " , ")] {
        let purge = Request::new("PURGE", "/fresh").field("x-weir-token", TOKEN).field(name, value);
        let answer = purge.ask(gateway.address());
        assert_eq!(answer.status(), 400, "{name}: {value}: {answer:?}");
    }
    assert!(status_of(&gateway.get("/fresh")).contains("hit"), "nothing was purged");
    assert_eq!(origin.hits(), 1, "nothing below the path reaches the service");
    assert!(!gateway.messages().iter().any(|line| line.contains("operations purge")));
}

#[test]
fn the_index_leads_to_every_endpoint_and_head_is_as_get() {
    let origin = origin();
    let gateway = start(&origin);
    let index = read(&gateway, "").to_string();
    for endpoint in ["/stats", "/rules", "/explain", "/entries", "/purges", "/warm"] {
        assert!(index.contains(&format!("/weir{endpoint}")), "{index}");
    }
    for endpoint in ["/", "/stats", "/rules", "/rules/later", "/purges", "/warm"] {
        let (get, head) = (ask(&gateway, "GET", endpoint), ask(&gateway, "HEAD", endpoint));
        assert_eq!((get.status(), head.status(), head.body.len()), (200, 200, 0), "{endpoint}");
        assert_eq!(get.field("content-type"), head.field("content-type"), "{endpoint}");
    }
    let rules = read(&gateway, "/rules")["rules"].clone();
    let named: Vec<_> =
        rules.as_array().unwrap().iter().map(|rule| (&rule["name"], &rule["action"])).collect();
    let (admin, rest, later) = (json!("admin"), json!("rest"), json!("later"));
    let (bypass, cache, off) = (json!("bypass"), json!("cache"), json!("off"));
    assert_eq!(named, [(&admin, &bypass), (&rest, &cache), (&later, &off)]);
    assert_eq!(read(&gateway, "/warm"), json!({"state": "off"}));
    assert_eq!(origin.hits(), 0);
}

#[test]
fn an_outsider_learns_and_changes_nothing() {
    let origin = origin();
    let gateway = start(&origin);
    gateway.get("/fresh");
    let mut answers = Vec::new();
    for (method, endpoint) in [
        ("GET", ""),
        ("GET", "/explain?url=http://example.com/fresh"),
        ("GET", "/stats"),
        ("GET", "/nothing"),
        ("DELETE", "/entries?everything=true"),
        ("PUT", "/warm?url=http://example.com/a"),
    ] {
        let target = format!("/weir{endpoint}");
        for token in [None, Some("open sesami")] {
            let request = Request::new(method, &target);
            let request = match token {
                Some(token) => request.field("x-weir-token", token),
                None => request,
            };
            let mut answer = request.ask(gateway.address());
            answer.fields.0.retain(|(name, _)| name != "date");
            answers.push(answer);
        }
    }
    answers.dedup();
    assert_eq!((answers.len(), answers[0].status()), (1, 401), "{answers:?}");
    assert!(!answers[0].text().contains("rest"), "{answers:?}");
    assert!(status_of(&gateway.get("/fresh")).contains("hit"));
    assert_eq!(origin.hits(), 1);
}
