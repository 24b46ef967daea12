//! What is exported: every metric with its labels as documented, read by Prometheus' own parser; and nobody's data.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use harness::token::sha256;
use serde_json::{Value, json};
use weir_testbed::{root, wait};

/// What operators show in these tests.
const TOKEN: &str = "open sesame";

/// The paths of the filters' endpoints.
const DESKS: [&str; 4] = ["/weir/metrics", "/weir/limits", "/weir/cache", "/weir/breakers"];

/// What clients send here and nobody else may see: an address, a name, keys, and what stands in a query.
const PERSONAL: [&str; 9] = [
    "203.0.113.77",
    "127.0.0.1",
    "alice",
    "k-4711",
    "example.org",
    "c00kie",
    "agent-x",
    "/people/",
    "b0dy",
];

fn configuration() -> Value {
    let operations = |path: &str| json!({"path": path, "token_sha256": sha256(TOKEN)});
    let path = |prefix: &str| json!({"path": {"prefix": prefix}});
    let limits = |quota: u32| json!([{"quota": quota, "window": "1h"}]);
    json!({
        "metrics": {
            "operations": operations(DESKS[0]), "bytes": true, "status": "code", "cluster": true,
            "upstream_time": true, "grpc": true, "max_series": 100,
            "consumers": {"key": "header:x-api-key"},
        },
        "rate_limit": {"operations": operations(DESKS[1]), "rules": [
            {"name": "few", "match": path("/few"), "key": ["header:x-api-key"], "limits": limits(1)},
            {"name": "each", "match": path("/people"), "key": ["address"], "mode": "shadow", "limits": limits(2)},
        ]},
        "response_cache": {"operations": operations(DESKS[2]), "rules": [
            {"name": "people", "match": path("/people"), "ttl": "1h"},
            {"name": "rest", "stale_if_error": "1h"},
        ]},
        "circuit_breaker": {"operations": operations(DESKS[3]), "rules": [{
            "name": "weak", "match": path("/weak"), "consecutive": {"failures": 2},
            "open": {"time": "1h", "max_time": "1h"},
        }]},
    })
}

/// A gateway after requests of all kinds, each of which says who sends it.
fn used() -> (Gateway, Origin) {
    let origin = Origin::start(|request| match request.target().split('?').next() {
        Some("/weak") => Act::response(500, &[], ""),
        Some("/cut") => Act::Cut(Vec::new()),
        Some("/slow") => Act::Hang,
        Some("/old") => Act::response(200, &[("cache-control", "max-age=60"), ("age", "90")], "x"),
        Some("/grpc") => {
            Act::response(200, &[("content-type", "application/grpc"), ("grpc-status", "5")], "")
        }
        _ => Act::response(200, &[], "x"),
    });
    let gateway = Setup::new("gateway", &configuration(), origin.address()).workers(2).start();
    let ask = |method: &str, target: &str| {
        let request = Request::new(method, &format!("{target}?mail=alice@example.org"))
            .field("x-forwarded-for", "203.0.113.77")
            .field("x-api-key", "k-4711")
            .field("cookie", "session=c00kie")
            .field("user-agent", "agent-x")
            .field("referer", "https://example.org/alice");
        let request = if target == "/grpc" {
            request.field("content-type", "application/grpc").field("te", "trailers")
        } else {
            request
        };
        let request = if method == "GET" { request } else { request.body("b0dy") };
        let _ = request.try_ask(gateway.address());
    };
    for target in ["/people/alice", "/few", "/weak", "/old", "/cut", "/people/1", "/grpc"] {
        (0..4).for_each(|_| ask("GET", target));
    }
    ask("GET", "/slow");
    ask("GET", DESKS[0]);
    for method in ["POST", "DELETE", "ALICE", "K-4711"] {
        ask(method, "/people/alice");
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=weak/upstream", 2);
    origin.play(|_| Act::response(500, &[], ""));
    ask("GET", "/old");
    // Histograms are shown with Envoy's next flush.
    let is_whole = || {
        let text = gateway.envoy.prometheus("weir_metrics").unwrap();
        text.contains("weir_metrics_request_duration_milliseconds_count").then_some(())
    };
    wait::until(PATIENCE, is_whole).expect("a flush");
    (gateway, origin)
}

/// One line of a scrape.
struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

/// The samples of a scrape. Our values hold no quotes, so they end at the first.
fn samples(scrape: &str) -> Vec<Sample<'_>> {
    let lines = scrape.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap().split("\",");
            let labels = labels.filter_map(|label| label.trim_end_matches('"').split_once("=\""));
            Sample { name, labels: labels.collect() }
        })
        .collect()
}

/// The rows of the READMEs' tables of metrics, by the name of the metric.
fn documented() -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for filter in ["metrics", "rate-limit", "response-cache", "circuit-breaker"] {
        let file = root::root().join("filters").join(filter).join("README.md");
        let text = std::fs::read_to_string(file).unwrap();
        for row in text.lines().filter(|line| line.starts_with("| `weir_")) {
            let names = row.split('|').nth(1).unwrap();
            for name in names.split('`').filter(|name| name.starts_with("weir_")) {
                rows.insert(name.to_owned(), row.to_owned());
            }
        }
    }
    rows
}

/// Every word in code in the filters' READMEs: what a label's value may be, besides names of the configuration.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for filter in ["metrics", "rate-limit", "response-cache", "circuit-breaker", "gateway"] {
        let file = root::root().join("filters").join(filter).join("README.md");
        let text = std::fs::read_to_string(file).unwrap();
        words.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    words
}

/// The family that a sample belongs to.
fn family<'a>(name: &'a str, documented: &BTreeMap<String, String>) -> &'a str {
    let parts =
        ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    parts.into_iter().find(|base| documented.contains_key(*base)).unwrap_or(name)
}

fn promtool(scrape: &str) -> (Option<i32>, String) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs; `make setup` brings it");
    tool.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let ran = tool.wait_with_output().unwrap();
    let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    (ran.status.code(), said)
}

#[test]
fn prometheus_reads_every_metric_and_each_has_the_labels_and_values_that_are_documented() {
    let (gateway, _origin) = used();
    let scrape = gateway.envoy.prometheus("weir_").unwrap();
    // 3 says that it was read and that the linter has a word to say: there are no HELP texts in Envoy's exposition,
    // and Wasm histograms hold whole numbers, so durations are milliseconds.
    let (code, said) = promtool(&scrape);
    assert!(matches!(code, Some(0 | 3)), "{said}");
    let objections: Vec<&str> = said
        .lines()
        .filter(|line| {
            !line.ends_with("no help text") && !line.contains("use base unit \"seconds\"")
        })
        .collect();
    assert_eq!(objections, [""; 0]);
    assert_eq!(promtool("weir_x{a=b} 1\n").0, Some(1), "what is no exposition is refused");

    let documented = documented();
    let mut allowed = words();
    allowed.extend(
        ["few", "each", "people", "rest", "weak", "weak/upstream", "all", "slow", "upstream"]
            .map(str::to_owned),
    );
    let mut met = BTreeSet::new();
    for Sample { name, labels } in samples(&scrape) {
        let family = family(name, &documented);
        let row = documented.get(family).unwrap_or_else(|| panic!("{family} is in no README"));
        met.insert(family);
        for (label, value) in labels.into_iter().filter(|(label, _)| *label != "le") {
            // The README's first table says which labels all families have besides, if they are asked for.
            let is_option = (label == "cluster" && row.contains("`route`"))
                || (label == "status" && (row.contains("`class`") || row.contains("the same")))
                || (label == "cluster" && row.contains("the same"));
            let is_told = row.contains(&format!("`{label}`"))
                || (row.contains("the same")
                    && ["route", "method", "class", "from"].contains(&label));
            assert!(is_told || is_option, "{family}: {label}");
            let is_number = label == "status" && value.parse::<u16>().is_ok();
            // Envoy's own list, to which the README refers.
            let is_flag = label == "flag" && value.bytes().all(|byte| byte.is_ascii_uppercase());
            let is_hash = label == "consumer"
                && value.len() == 16
                && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(
                is_number || is_flag || is_hash || allowed.contains(value),
                "{family}: {label}={value}"
            );
        }
    }
    for (name, kind) in
        scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
    {
        let expected = match name {
            _ if name.ends_with("_total") => "counter",
            _ if name.ends_with("_milliseconds") => "histogram",
            _ => "gauge",
        };
        assert_eq!(kind, expected, "{name}");
    }
    // Every family of the metrics' own README is provoked here; of the others those that these requests touch.
    let own = documented.keys().filter(|name| name.starts_with("weir_metrics_"));
    let missing: Vec<&String> = own.filter(|name| !met.contains(name.as_str())).collect();
    assert_eq!(missing, [""; 0]);
    assert!(met.len() > 25, "{met:?}");
}

/// Everything that operators can read without naming something, as the index of each filter lists it.
fn told(gateway: &Gateway) -> BTreeMap<String, String> {
    let read = |path: &str| {
        let answer = Request::get(path).field("x-weir-token", TOKEN).ask(gateway.address());
        assert_eq!(answer.status(), 200, "{path}: {answer:?}");
        answer.text()
    };
    let mut told = BTreeMap::new();
    for desk in DESKS {
        let index: Value = serde_json::from_str(&read(desk)).unwrap();
        for endpoint in index["endpoints"].as_array().unwrap() {
            let path = endpoint["path"].as_str().unwrap().split('?').next().unwrap();
            // What repeats the request that an operator describes says nothing of others.
            let is_own = ["NAME", "/explain", "/state"].iter().any(|own| path.contains(own));
            if endpoint["method"] == "GET" && !is_own {
                told.insert(path.to_owned(), read(path));
            }
        }
    }
    told
}

#[test]
fn nothing_that_says_who_somebody_is_leaves_by_metrics_statistics_or_messages() {
    let (gateway, _origin) = used();
    let mut exported = told(&gateway);
    assert!(exported.len() >= 10, "{:?}", exported.keys());
    exported.insert("prometheus".to_owned(), gateway.envoy.prometheus("").unwrap());
    exported.insert("stats".to_owned(), gateway.envoy.get("/stats").unwrap().body);
    exported.insert("messages".to_owned(), gateway.messages().join("\n"));
    for (from, text) in &exported {
        let lower = text.to_lowercase();
        for personal in PERSONAL {
            // The addresses of the cluster's own hosts are no client's.
            let hosts = personal == "127.0.0.1" && matches!(from.as_str(), "prometheus" | "stats");
            assert!(hosts || !lower.contains(personal), "{from} has {personal}: {text}");
        }
    }
}
