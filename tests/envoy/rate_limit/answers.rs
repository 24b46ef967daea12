//! What clients are told: refusals, and where they stand before one.
#![allow(clippy::disallowed_methods, reason = "a real Envoy's answers are compared with real time")]

use std::time::{Duration, Instant, SystemTime};

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use sfv::{BareItem, List, ListEntry, Parser};
use weir_testbed::wait;

/// A rule for the path of its name.
fn rule(name: &str, limits: &Value) -> Value {
    json!({"name": name, "match": {"path": {"prefix": format!("/{name}")}}, "limits": limits})
}

fn once(name: &str) -> Value {
    rule(name, &json!([{"quota": 1, "window": "1h"}]))
}

/// The first answer that is none of the upstream's.
fn refusal(gateway: &Gateway, request: &Request) -> Message {
    for _ in 0..20 {
        let answer = request.ask(gateway.address());
        if answer.status() != 200 || answer.field("grpc-status").is_some() {
            return answer;
        }
    }
    panic!("never refused: {request:?}");
}

fn problem(answer: &Message) -> Value {
    assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()));
    serde_json::from_slice(&answer.body).unwrap()
}

/// A number in a field, which is there once.
fn number(answer: &Message, name: &str) -> u64 {
    let values = answer.fields.all(name);
    assert_eq!(values.len(), 1, "{name}: {answer:?}");
    values[0].parse().unwrap_or_else(|error| panic!("{name}: {error}: {answer:?}"))
}

/// What one item of a structured field says.
#[derive(Debug)]
struct Item {
    name: String,
    parameters: Vec<(String, BareItem)>,
}

impl Item {
    fn number(&self, name: &str) -> Option<u64> {
        let found = self.parameters.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| u64::try_from(i64::from(value.as_integer().unwrap())).unwrap())
    }
}

/// A field in the parser's words; the field is there once.
fn items(answer: &Message, name: &str) -> Vec<Item> {
    let values = answer.fields.all(name);
    assert_eq!(values.len(), 1, "{name}: {answer:?}");
    let list: List = Parser::new(&values[0]).parse().unwrap();
    let item = |entry| {
        let ListEntry::Item(item) = entry else { panic!("an inner list: {values:?}") };
        let BareItem::String(name) = item.bare_item else { panic!("no text: {values:?}") };
        let parameters = item.params.into_iter().map(|(key, value)| (key.to_string(), value));
        Item { name: name.to_string(), parameters: parameters.collect() }
    };
    list.into_iter().map(item).collect()
}

#[test]
fn a_refusal_is_a_problem_that_names_all_limits_that_are_spent() {
    let origin = Origin::plain();
    let configuration = json!({"rules": [
        rule("a", &json!([
            {"name": "hourly", "quota": 2, "window": "1h"},
            {"name": "daily", "algorithm": "fixed_window", "quota": 2, "window": "1d"},
            {"quota": 50, "window": "1h"},
        ])),
        {"name": "general", "limits": [{"quota": 2, "window": "30d"}]},
        {"name": "roomy", "limits": [{"quota": 200, "window": "1h"}]},
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let refused = refusal(&gateway, &Request::get("/a"));
    assert_eq!(refused.start, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(refused.field("x-weir-rate-limit"), Some("hourly"));
    assert_eq!(refused.field("cache-control"), Some("no-store"));
    let seconds = number(&refused, "retry-after");
    assert!((1_295_990..=1_296_000).contains(&seconds), "the longest wait: {seconds}");
    assert_eq!(
        problem(&refused),
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Quota exceeded",
            "status": 429,
            "detail": format!(
                "The quotas of \"hourly\" and \"daily\" and \"general\" are spent; come back in {seconds} s."
            ),
            "violated-policies": ["hourly", "daily", "general"],
        })
    );
    let head = Request::new("HEAD", "/a").ask(gateway.address());
    assert_eq!((head.status(), head.body.len()), (429, 0), "{head:?}");
}

#[test]
fn an_answer_is_what_the_operator_says_for_all_rules_or_for_one() {
    let origin = Origin::plain();
    let mut own = once("own");
    own["answer"] = json!({"status": 503, "json": {"error": {"code": 17, "retry": true}}});
    let mut page = once("page");
    page["answer"] = json!({"body": "<p>Später.</p>", "content_type": "text/html; charset=utf-8",
        "headers": {"X-Reason": "page"}});
    let configuration = json!({
        "answer": {"status": 420, "headers": {"X-Reason": "quota", "Link": "</limits>; rel=\"help\""}, "body": "enough"},
        "rules": [once("common"), own, page],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let of = |target: &str| refusal(&gateway, &Request::get(target));
    for (target, status, content_type, reason, link, body) in [
        ("/common", 420, "text/plain; charset=utf-8", "quota", true, "enough"),
        ("/own", 503, "application/json", "quota", true, r#"{"error":{"code":17,"retry":true}}"#),
        ("/page", 420, "text/html; charset=utf-8", "page", false, "<p>Später.</p>"),
    ] {
        let answer = of(target);
        assert_eq!(answer.status(), status, "{target}");
        assert_eq!(answer.fields.all("content-type"), [content_type], "{target}");
        assert_eq!(answer.fields.all("x-reason"), [reason], "{target}");
        assert_eq!(answer.field("link").is_some(), link, "{target}");
        assert_eq!(answer.text(), body, "{target}");
        assert_eq!(answer.field("cache-control"), Some("no-store"), "{target}");
        assert_eq!(answer.field("x-weir-rate-limit"), target.strip_prefix('/'), "{target}");
        assert!(number(&answer, "retry-after") > 3_500, "{target}");
    }
}

#[test]
fn grpc_clients_get_a_status_and_words() {
    let origin = Origin::plain();
    let mut own = once("own");
    own["answer"] =
        json!({"status": 503, "grpc_message": "Später: 100% spent", "headers": {"x-reason": "q"}});
    let mut keyless = once("keyless");
    keyless["key"] = json!("header:x-client");
    keyless["on_missing"] = json!("deny");
    let configuration = json!({"rules": [once("plain"), own, keyless]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let of = |target: &str, content_type: &str| {
        let call = Request::new("POST", target).field("content-type", content_type).body("");
        refusal(&gateway, &call)
    };
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let plain = of("/plain", content_type);
        assert_eq!((plain.status(), plain.field("grpc-status")), (200, Some("8")), "{plain:?}");
        assert_eq!(plain.field("content-type"), Some("application/grpc"));
        let seconds = number(&plain, "retry-after");
        assert_eq!(
            plain.field("grpc-message"),
            Some(&*format!("The quota of \"plain\" is spent; come back in {seconds} s."))
        );
        assert_eq!((plain.body.len(), plain.field("x-weir-rate-limit")), (0, Some("plain")));
    }
    let own = of("/own", "application/grpc");
    assert_eq!((own.status(), own.field("grpc-status")), (200, Some("8")), "{own:?}");
    assert_eq!(own.field("grpc-message"), Some("Sp%C3%A4ter: 100%25 spent"), "as gRPC escapes");
    assert_eq!(own.field("x-reason"), Some("q"));
    let keyless = of("/keyless", "application/grpc");
    assert_eq!((keyless.status(), keyless.field("grpc-status")), (200, Some("16")));
    let words = "\"keyless\" counts requests by a key that this request does not have.";
    assert_eq!(keyless.field("grpc-message"), Some(words));
    let json = of("/plain", "application/json");
    assert_eq!((json.status(), json.field("grpc-status")), (429, None));
}

#[test]
fn who_waits_as_long_as_told_is_admitted() {
    let origin = Origin::plain();
    let gcra = |name: &str, quota: u32, burst: u32| {
        rule(name, &json!([{"quota": quota, "window": "4s", "burst": burst}]))
    };
    let of = |name: &str, algorithm: &str| {
        rule(name, &json!([{"algorithm": algorithm, "quota": 3, "window": "2s"}]))
    };
    let configuration = json!({"fields": {"ratelimit": "ietf"}, "rules": [
        gcra("steady", 4, 1), gcra("burst", 2, 2), of("fixed", "fixed_window"), of("sliding", "sliding_window"),
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    std::thread::scope(|scope| {
        for target in ["/steady", "/burst", "/fixed", "/sliding"] {
            let gateway = &gateway;
            scope.spawn(move || {
                for round in 0..3 {
                    let refused = refusal(gateway, &Request::get(target));
                    let told = Instant::now();
                    let seconds = number(&refused, "retry-after");
                    assert!((1..=3).contains(&seconds), "{target}: {seconds}");
                    let window = items(&refused, "ratelimit")[0].number("t");
                    assert!(window.is_some_and(|t| t <= seconds), "{target}: {refused:?}");
                    let end = Duration::from_secs(seconds);
                    wait::until(PATIENCE, || (told.elapsed() >= end).then_some(())).unwrap();
                    let status = gateway.get(target).status();
                    assert_eq!(status, 200, "{target}, round {round}, after {seconds} s");
                }
            });
        }
    });
}

#[test]
fn jitter_spreads_those_who_come_back_and_invites_nobody_early() {
    let origin = Origin::plain();
    let configuration = json!({"answer": {"retry_after_jitter": "5s"}, "rules": [rule("a", &json!([
        {"algorithm": "fixed_window", "quota": 1, "window": "1h"},
    ]))]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    assert_eq!(gateway.get("/a").status(), 200);
    let admitted = Instant::now();
    let mut seen = [false; 6];
    for _ in 0..300 {
        let refused = gateway.get("/a");
        let seconds = number(&refused, "retry-after");
        let left = 3_600 - admitted.elapsed().as_secs();
        // The second that is running may be counted or not.
        assert!((left - 1..=left + 6).contains(&seconds), "{seconds}, {left} are left");
        seen[usize::try_from(seconds.saturating_sub(left).min(5)).unwrap()] = true;
        let detail = problem(&refused)["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with(&format!("come back in {seconds} s.")), "the same: {detail}");
    }
    assert_eq!(seen, [true; 6], "all of it is used");
}

#[test]
fn structured_fields_say_what_is_then_admitted() {
    // The upstream has fields of its own, which are about something else.
    let origin = Origin::start(|_| {
        let fields = [("ratelimit", "\"theirs\";r=9"), ("ratelimit-policy", "\"theirs\";q=9")];
        Act::response(200, &fields, "")
    });
    let mut dear = rule("both", &json!([{"name": "units", "quota": 20, "window": "1d"}]));
    dear["cost"] = json!(3);
    dear["name"] = json!("dear");
    let configuration = json!({"fields": {"ratelimit": "ietf", "partition_key": true}, "rules": [
        rule("both", &json!([{"quota": 5, "window": "1m"}, {"algorithm": "fixed_window", "quota": 100, "window": "1h"}])),
        dear,
        {"name": "flight", "limits": [{"algorithm": "concurrency", "quota": 4}]},
    ]});
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).workers(2).start();
    let from = |address: &str| {
        Request::get("/both").field("x-forwarded-for", address).ask(gateway.address())
    };
    let mut partitions: Vec<Vec<BareItem>> = Vec::new();
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let answer = from(address);
        let policies = items(&answer, "ratelimit-policy");
        let shown = |item: &Item| -> Vec<String> {
            let parameters = item.parameters.iter().filter(|(name, _)| name != "pk");
            let words = parameters.map(|(name, value)| match value.as_string() {
                Some(text) => format!("{name}={text}"),
                None => format!("{name}={}", value.as_integer().unwrap()),
            });
            [item.name.clone()].into_iter().chain(words).collect()
        };
        let words: Vec<String> = policies.iter().map(|item| shown(item).join(" ")).collect();
        assert_eq!(
            words,
            [
                "both.1m q=5 w=60",
                "both.1h q=100 w=3600",
                "units q=20 weir-unit=cost w=86400",
                "flight q=4 qu=concurrent-requests",
            ]
        );
        let limits = items(&answer, "ratelimit");
        let key = |items: &[Item]| -> Vec<BareItem> {
            let of = |item: &Item| item.parameters.iter().find(|(name, _)| name == "pk").cloned();
            items.iter().map(|item| of(item).unwrap().1).collect()
        };
        assert_eq!(key(&policies), key(&limits), "both fields name the same partition");
        partitions.push(key(&limits));
    }
    assert_eq!(partitions[0], partitions[1], "a client keeps its partitions");
    assert!(
        partitions[0].iter().zip(&partitions[2]).all(|(one, other)| one != other),
        "another client has others: {partitions:?}"
    );

    let remaining = |answer: &Message| -> Vec<Option<u64>> {
        items(answer, "ratelimit").iter().map(|item| item.number("r")).collect()
    };
    for left in [4, 3, 2, 1, 0] {
        let answer = from("192.0.2.3");
        assert_eq!(answer.status(), 200);
        let units = 20 - 3 * (5 - left);
        assert_eq!(remaining(&answer), [Some(left), Some(95 + left), Some(units), Some(3)]);
        let t = items(&answer, "ratelimit")[0].number("t");
        assert!(t.is_some_and(|t| (2..=12).contains(&t)), "one comes back every 12 s: {answer:?}");
    }
    let refused = from("192.0.2.3");
    assert_eq!(refused.status(), 429, "as r=0 said");
    assert_eq!(remaining(&refused), [Some(0), Some(95), Some(5), Some(4)], "charged nowhere");
    let t = items(&refused, "ratelimit")[0].number("t").unwrap();
    assert!(number(&refused, "retry-after") >= t);
}

#[test]
fn the_older_fields_tell_the_limit_that_is_nearest_to_its_end() {
    let origin = Origin::start(|_| Act::response(200, &[("x-ratelimit-remaining", "77")], ""));
    let configuration = |fields: Value| {
        json!({"fields": fields, "rules": [
            rule("a", &json!([{"quota": 100, "window": "1m"}, {"algorithm": "fixed_window", "quota": 4, "window": "1h"}])),
        ]})
    };
    let seconds = configuration(json!({"ratelimit": "draft_03", "x_ratelimit": "seconds"}));
    let gateway = Setup::new("rate-limit", &seconds, origin.address()).workers(2).start();
    for left in [3, 2] {
        let answer = gateway.get("/a");
        assert_eq!(
            answer.fields.all("ratelimit-limit"),
            [r#"4, 100;w=60;name="a.1m", 4;w=3600;name="a.1h""#]
        );
        for prefix in ["ratelimit", "x-ratelimit"] {
            assert_eq!(number(&answer, &format!("{prefix}-remaining")), left, "{answer:?}");
            let reset = number(&answer, &format!("{prefix}-reset"));
            assert!((3_590..=3_600).contains(&reset), "{answer:?}");
        }
        assert_eq!(number(&answer, "x-ratelimit-limit"), 4);
    }
    let end = |answer: &Message| -> u64 {
        let text = answer.field("x-ratelimit-reset").unwrap();
        text.parse().unwrap_or_else(|_| {
            assert_eq!(text.len(), "2026-11-21T06:00:00Z".len(), "{text}");
            let instant = humantime::parse_rfc3339(text).unwrap();
            instant.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        })
    };
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for style in ["epoch", "iso8601"] {
        assert!(gateway.update(&configuration(json!({"x_ratelimit": style}))));
        let answer = gateway.get("/a");
        let left = end(&answer) - now();
        assert!((3_500..=3_601).contains(&left), "{style}: {answer:?}");
        assert_eq!(answer.field("ratelimit-remaining"), None);
    }
    let refused = gateway.get("/a");
    assert_eq!((refused.status(), number(&refused, "x-ratelimit-remaining")), (429, 0));
    let until = number(&refused, "retry-after") + now();
    assert!(until.abs_diff(end(&refused)) <= 2, "{refused:?}");
}

#[test]
fn fields_can_be_kept_for_refusals() {
    let origin = Origin::plain();
    let configuration = json!({
        "fields": {"ratelimit": "ietf", "x_ratelimit": "seconds", "on": "refused"},
        "rules": [once("a")],
    });
    let gateway = Setup::new("rate-limit", &configuration, origin.address()).start();
    let admitted = gateway.get("/a");
    let names = |answer: &Message| -> Vec<String> {
        let all = answer.fields.0.iter().map(|(name, _)| name.clone());
        all.filter(|name| name.contains("ratelimit")).collect()
    };
    assert_eq!((admitted.status(), names(&admitted)), (200, Vec::<String>::new()));
    let mut told = names(&gateway.get("/a"));
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "ratelimit",
            "ratelimit-policy",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ]
    );
}

#[test]
fn every_answer_carries_the_fields_once_whoever_made_it() {
    let origin = Origin::start(|request| match request.target() {
        "/ill" => Act::response(500, &[], ""),
        "/cut" => Act::Cut(Vec::new()),
        "/slow" => Act::Hang,
        _ => {
            Act::response(200, &[("cache-control", "max-age=600"), ("ratelimit", "\"x\";r=1")], "")
        }
    });
    let configuration = json!({
        "rate_limit": {
            "plans": {"names": ["free"], "absent": "free", "sources": [{"value": "header:x-plan"}], "header": "x-plan"},
            "fields": {"ratelimit": "ietf", "x_ratelimit": "seconds"},
            "rules": [{"name": "all", "limits": [{"quota": 8, "window": "1h"}]}],
        },
        "response_cache": {},
        "circuit_breaker": {"rules": [{
            "name": "ill", "match": {"path": {"exact": "/ill"}}, "consecutive": {"failures": 1},
            "ratio": {"enabled": false}, "open": {"time": "1h", "max_time": "1h"},
        }]},
    });
    let gateway = Setup::new("gateway", &configuration, origin.address())
        .routes(json!([
            {"match": {"prefix": "/slow"}, "route": {"cluster": "upstream", "timeout": "0.5s"}},
            {"match": {"prefix": "/deserted"}, "route": {"cluster": "deserted"}},
            {"match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/"}},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "10s"}},
        ]))
        .workers(2)
        .start();
    for (n, (target, status, by)) in [
        ("/a", 200, "the upstream"),
        ("/a", 200, "the cache"),
        ("/ill", 500, "the upstream"),
        ("/ill", 503, "the breaker"),
        ("/cut", 503, "Envoy, for a reset"),
        ("/deserted", 503, "Envoy, without an upstream"),
        ("/slow", 504, "Envoy, out of time"),
        ("/moved", 301, "Envoy's route"),
        ("/a", 429, "the limiter"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = gateway.get(target);
        assert_eq!(answer.status(), status, "{by}: {answer:?}");
        if by == "the breaker" {
            assert!(answer.field("x-weir-breaker").is_some(), "{answer:?}");
            gateway.await_metric("weir_circuit_breaker_state;breaker=ill/upstream", 2);
        }
        assert_eq!(answer.field("age").is_some(), by == "the cache", "{answer:?}");
        let left = 7_u64.saturating_sub(n as u64);
        assert_eq!(items(&answer, "ratelimit")[0].number("r"), Some(left), "{by}");
        assert_eq!(items(&answer, "ratelimit-policy")[0].number("q"), Some(8), "{by}");
        assert_eq!(number(&answer, "x-ratelimit-remaining"), left, "{by}");
        assert_eq!(answer.fields.all("x-plan"), ["free"], "{by}");
        if target == "/ill" {
            gateway.await_metric("weir_circuit_breaker_state;breaker=ill/upstream", 2);
        }
    }
}
