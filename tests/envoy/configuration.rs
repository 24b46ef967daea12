//! Bad configurations are refused with our words; good ones keep what is counted, stored and known.

use std::fs;
use std::path::{Path, PathBuf};

use harness::filters::configuration;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::envoy::{StartError, own_messages};
use weir_testbed::proxy::bootstrap::wasm_filter;
use weir_testbed::{root, wait, yaml};

#[test]
fn a_bad_configuration_stops_a_static_start() {
    let origin = Origin::plain();
    let bad = json!({"rules": [{"name": "general", "limits": [{"quota": 0, "window": "1m"}]}]});
    let error = Setup::new("rate-limit", &bad, origin.address())
        .fixed()
        .try_start()
        .err()
        .expect("it must not start");
    let StartError::Ended { .. } = &error else { panic!("{error}") };
    assert_eq!(
        error.grave_messages(),
        [
            "rate-limit: rules[0].limits[0].quota: found 0, allowed 1 to 1000000000; raise it to at least 1, zero does not mean off",
            "rate-limit: configuration rejected (1 problem); the filter will not start, Envoy keeps its previous configuration or refuses to boot",
        ]
    );
}

#[test]
fn a_filter_whose_fields_all_have_defaults_starts_without_any() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    // Both arrive as no bytes at all: a Struct without fields, and no configuration.
    let mut cache = wasm_filter("cache", &root::module("response-cache"), "");
    cache["typed_config"]["config"]["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": {}});
    let mut metrics = wasm_filter("metrics", &root::module("metrics"), "");
    let config = metrics["typed_config"]["config"].as_object_mut().unwrap();
    config.remove("configuration");
    let gateway =
        Setup::new("metrics", &json!({}), origin.address()).before(metrics).before(cache).start();
    assert_eq!([0; 2].map(|_| gateway.get("/").status()), [200; 2]);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn a_bad_update_is_refused_and_the_old_configuration_goes_on() {
    let origin = Origin::plain();
    let quota = |quota: Value| json!({"rules": [{"name": "general", "limits": [{"quota": quota, "window": "1h"}]}]});
    let gateway = Setup::new("rate-limit", &quota(json!(3)), origin.address()).workers(4).start();
    assert_eq!(gateway.get("/").status(), 200);
    assert!(!gateway.update(&quota(json!("three"))), "a bad configuration was taken");
    let messages = gateway.messages();
    let expected =
        "rate-limit: rules[0].limits[0].quota: found \"three\", allowed 1 to 1000000000;";
    assert!(messages.iter().any(|message| message.starts_with(expected)), "{messages:#?}");
    assert_eq!(
        [0; 3].map(|_| gateway.get("/").status()),
        [200, 200, 429],
        "the old quota of 3 goes on, and its count"
    );
}

#[test]
fn an_update_keeps_counters_cache_and_breaker() {
    let origin = Origin::start(|request| match request.target() {
        "/ill" => Act::response(500, &[], ""),
        target => Act::response(200, &[("cache-control", "max-age=600")], target),
    });
    let with = |note: &str| {
        json!({
            "metrics": {},
            "rate_limit": {"rules": [
                {"name": note, "match": {"path": {"exact": "/none"}}, "limits": [{"quota": 1, "window": "1s"}]},
                {"name": "few", "match": {"path": {"prefix": "/few"}}, "limits": [{"quota": 2, "window": "1h"}]},
            ]},
            "response_cache": {"rules": [{"name": note}]},
            "circuit_breaker": {"rules": [
                {"name": "ill", "match": {"path": {"prefix": "/ill"}}, "consecutive": {"failures": 2}, "open": {"time": "1h", "max_time": "1h"}},
            ]},
        })
    };
    let gateway = Setup::new("gateway", &with("before"), origin.address()).workers(4).start();
    assert_eq!(
        ["/few/1", "/few/2", "/few/3"].map(|target| gateway.get(target).status()),
        [200, 200, 429]
    );
    assert_eq!(gateway.get("/stored").status(), 200);
    assert_eq!([0; 2].map(|_| gateway.get("/ill").status()), [500; 2]);
    gateway.await_metric(
        "weir_circuit_breaker_transitions_total;breaker=ill/upstream;from=closed;to=open",
        1,
    );
    assert!(gateway.update(&with("after")), "{}", gateway.envoy.log_tail());
    for n in 0..16 {
        assert_eq!(gateway.get("/few/again").status(), 429, "request {n}: the limit forgot");
        assert_eq!(gateway.get("/ill").status(), 503, "request {n}: the breaker forgot");
        assert!(gateway.get("/stored").field("age").is_some(), "request {n}: the cache forgot");
    }
    assert_eq!((origin.hits_of("/stored"), origin.hits_of("/ill")), (1, 2));
}

/// Every file in `envoy/invalid/`: the module refuses it, with exactly the lines that the file expects.
///
/// One Envoy for each filter is asked to take all of them, one after the other; none is taken, so it serves on.
#[test]
fn every_invalid_example_is_refused_with_its_message() {
    let origin = Origin::plain();
    let mut n_files = 0;
    for filter in ["rate-limit", "response-cache", "circuit-breaker", "metrics", "gateway"] {
        let module = format!("weir_{}", filter.replace('-', "_"));
        let sound = serde_json::from_str(&configuration(&module)).unwrap();
        let gateway = Setup::new(filter, &sound, origin.address()).start();
        for path in files(&root::root().join("envoy/invalid").join(filter)) {
            n_files += 1;
            let text = fs::read_to_string(&path).unwrap();
            let expected: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
            assert!(!expected.is_empty(), "{}: no `# expect: ` line", path.display());
            let said = refusal(&gateway, &yaml::read(&path).unwrap());
            assert_eq!(said, expected, "{}", path.display());
        }
        assert_eq!(gateway.get("/").status(), 200, "{filter}");
    }
    assert!(n_files >= 20, "only {n_files} examples were found");
}

/// What the module says when it is given a configuration that it does not take.
fn refusal(gateway: &Gateway, configuration: &Value) -> Vec<String> {
    let is_ours = |line: &&String| line.contains("wasm log");
    let before = gateway.envoy.log().lines().iter().rfind(is_ours).cloned();
    assert!(!gateway.update(configuration), "taken: {configuration}");
    let said = wait::until(PATIENCE, || {
        let lines = gateway.envoy.log().lines();
        let old = lines.iter().rposition(|line| Some(line) == before.as_ref());
        let new = lines.iter().skip(old.map_or(0, |idx| idx + 1)).map(String::as_str);
        let said: Vec<String> = own_messages(new).into_iter().map(|message| message.text).collect();
        let is_over = said.last().is_some_and(|line| line.contains("configuration rejected ("));
        is_over.then_some(said)
    });
    said.unwrap_or_else(|| panic!("nothing said\n{}", gateway.envoy.log_tail()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
