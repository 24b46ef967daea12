//! The files in `envoy/` as they stand: Envoy takes them, and the filter in them does its work.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::client::Request;
use harness::gateway::Setup;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::envoy::{Envoy, Options};
use weir_testbed::proxy::stats::stats_config;
use weir_testbed::{root, yaml};

/// Puts free ports and the test's origin where the file names fixed ones; nothing else is changed.
///
/// A listener that one of the file's own clusters leads to gets a socket that only the two of them know.
pub(crate) fn placed(mut bootstrap: Value, upstream: SocketAddr) -> Value {
    let root = root::root();
    let mut ways_back = BTreeMap::new();
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    let clusters = bootstrap["static_resources"]["clusters"].clone();
    let targets: Vec<&Value> =
        clusters.as_array().unwrap().iter().flat_map(endpoints).filter_map(address).collect();
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        if targets.contains(&&listener["address"]) {
            let name = listener["name"].as_str().unwrap().to_owned();
            let pipe = pipe(&name);
            ways_back.insert(listener["address"].to_string(), pipe.clone());
            listener["address"] = pipe;
        } else {
            listener["address"]["socket_address"]["port_value"] = json!(0);
        }
        for filter in listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
            .as_array_mut()
            .unwrap()
        {
            if let Some(file) =
                filter.pointer_mut("/typed_config/config/vm_config/code/local/filename")
            {
                *file = json!(root.join(file.as_str().unwrap()));
            }
        }
    }
    for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().unwrap() {
        for endpoint in
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut().unwrap()
        {
            let address = &mut endpoint["endpoint"]["address"];
            *address = ways_back.get(&address.to_string()).cloned().unwrap_or_else(|| {
                json!({"socket_address": {"address": upstream.ip().to_string(), "port_value": upstream.port()}})
            });
        }
    }
    bootstrap
}

fn endpoints(cluster: &Value) -> impl Iterator<Item = &Value> {
    let groups = cluster["load_assignment"]["endpoints"].as_array().into_iter().flatten();
    groups.flat_map(|group| group["lb_endpoints"].as_array().into_iter().flatten())
}

fn address(endpoint: &Value) -> Option<&Value> {
    endpoint.pointer("/endpoint/address")
}

/// A socket of Linux that lies in no folder, so that nothing is left of it.
fn pipe(name: &str) -> Value {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    json!({"pipe": {"path": format!("@weir-test-{}-{number}-{name}", std::process::id())}})
}

#[test]
fn the_files_with_all_filters_lift_every_label_and_fit_every_bucket() {
    for name in ["gateway", "chain"] {
        let file = root::root().join("envoy").join(name).with_extension("yaml");
        let written = &yaml::read(&file).unwrap()["stats_config"];
        assert_eq!(written["stats_tags"], stats_config()["stats_tags"], "{name}");
        let milliseconds = &written["histogram_bucket_settings"][0];
        let made = &stats_config()["histogram_bucket_settings"][0];
        assert_eq!(milliseconds["match"], made["match"], "{name}");
        let bounds = |settings: &Value| -> Vec<f64> {
            settings["buckets"].as_array().unwrap().iter().filter_map(Value::as_f64).collect()
        };
        assert_eq!(bounds(milliseconds), bounds(made), "{name}");
    }
}

#[test]
fn every_file_starts_and_serves() {
    let origin = Origin::start(|request| {
        Act::response(200, &[("cache-control", "max-age=600")], request.target())
    });
    let mut served = Vec::new();
    let mut files: Vec<_> = fs::read_dir(root::root().join("envoy"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
    {
        let bootstrap = placed(yaml::read(&path).unwrap(), origin.address());
        let lifted = bootstrap["stats_config"]["stats_tags"].as_array().unwrap().clone();
        let options = Options { workers: 2, ..Options::default() };
        let envoy = Envoy::start(&bootstrap, options)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let address = envoy.listeners().unwrap().first().unwrap().address;
        for _ in 0..2 {
            let answer = Request::get("/").ask(address);
            assert_eq!((answer.status(), answer.text().as_str()), (200, "/"), "{name}");
        }
        let ours = envoy.stats("wasmcustom.weir_").unwrap();
        assert!(!ours.is_empty(), "{name}: no metric of ours");
        let labels = ours.keys().flat_map(|metric| metric.split(';').skip(1));
        for (label, _) in labels.filter_map(|label| label.split_once('=')) {
            assert!(lifted.iter().any(|tag| tag["tag_name"] == label), "{name}: {label} stays");
        }
        served.push(name);
    }
    assert_eq!(
        served,
        [
            "chain",
            "circuit-breaker",
            "gateway",
            "metrics",
            "rate-limit",
            "response-cache-origin",
            "response-cache"
        ]
    );
}

/// The listeners for clients and for the way back have the same filters without endpoints, and come before and after.
#[test]
fn the_operators_of_the_gateway_find_the_endpoints_of_all_filters_in_one_document() {
    let origin = Origin::plain();
    let file = root::root().join("envoy/gateway.yaml");
    let bootstrap = placed(yaml::read(&file).unwrap(), origin.address());
    let envoy = Envoy::start(&bootstrap, Options { workers: 2, ..Options::default() }).unwrap();
    let answer = Request::get("/weir/openapi.json")
        .field("x-weir-token", "6cea1e081cb266b32c9ca3c113dfc31f")
        .ask(envoy.listener("operations").unwrap());
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let tags: Vec<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    assert_eq!(tags, ["circuit-breaker", "metrics", "rate-limit", "response-cache"], "{answer:?}");
    for path in
        ["/weir/stats", "/weir/limits/rules", "/weir/cache/rules", "/weir/breakers/breakers"]
    {
        assert!(document["paths"][path].is_object(), "{path}: {:#}", document["paths"]);
    }
}

/// The code blocks of the top README whose fence names this language, or none.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(root::root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_snippet_in_the_readme_runs_as_it_stands() {
    let origin = Origin::plain();
    let snippet =
        blocks("yaml").into_iter().find(|block| block.contains("weir.rate-limit")).unwrap();
    let filters = yaml::parse(&snippet).unwrap();
    let mut bootstrap = yaml::read(&root::root().join("envoy/rate-limit.yaml")).unwrap();
    let filters_in =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let shipped = bootstrap.pointer_mut(filters_in).and_then(Value::as_array_mut).unwrap();
    let place = shipped.iter_mut().find(|filter| filter["name"] == "weir.rate-limit").unwrap();
    *place = filters[0].clone();
    let envoy = Envoy::start(&placed(bootstrap, origin.address()), Options::default()).unwrap();
    let address = envoy.listener("gateway").unwrap();
    let n_admitted = (0..120).filter(|_| Request::get("/").ask(address).status() == 200).count();
    assert!((100..=102).contains(&n_admitted), "100 a minute: {n_admitted}");
}

#[test]
fn the_messages_in_the_readme_are_what_the_module_says() {
    let origin = Origin::plain();
    let block =
        blocks("").into_iter().find(|block| block.starts_with("rate-limit: rules[0]")).unwrap();
    let bad = json!({"rules": [{"name": "general", "limits": [{"quota": 10, "window": 60, "brust": 5}]}]});
    let error = Setup::new("rate-limit", &bad, origin.address()).fixed().try_start().err().unwrap();
    let mut shown: Vec<&str> = block.lines().collect();
    let mut said = error.grave_messages();
    shown.sort_unstable();
    said.sort_unstable();
    assert_eq!(shown, said);
}
