//! `weir_testbed::envoy` against the real binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use serde_json::{Value, json};
use weir_testbed::envoy::{Envoy, Options, StartError, validate};
use weir_testbed::wait;

fn answering(text: &str) -> Value {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                  http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"},
             "direct_response": {"status": 200, "body": {"inline_string": text}}}
        ]}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
        }}]
    });
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    json!({"static_resources": {"listeners": [{
        "name": "front",
        "address": address,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]
    }]}})
}

fn body(envoy: &Envoy) -> String {
    let url = format!("http://{}/", envoy.listener("front").unwrap());
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

fn gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    !stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn several_at_once_serve_on_ports_of_their_own() {
    let starts = ["a", "b", "c"].map(|text| {
        let start = move || Envoy::start(&answering(text), Options::default()).unwrap();
        (text, std::thread::spawn(start))
    });
    for (text, start) in starts {
        let envoy = start.join().unwrap();
        assert_eq!(body(&envoy), text);
        assert!(envoy.stats("^http.front.downstream_rq_2xx$").unwrap().values().eq(&[1]));
        assert!(envoy.prometheus("downstream_rq_total").unwrap().contains("# TYPE"));
    }
}

#[test]
fn dropping_ends_the_process_and_removes_its_directory() {
    let envoy = Envoy::start(&answering("x"), Options::default()).unwrap();
    let (pid, dir) = (envoy.process().pid(), envoy.dir().to_owned());
    assert!(dir.join("bootstrap.json").is_file());
    drop(envoy);
    assert!(gone(pid));
    assert!(!dir.exists());
}

#[test]
fn asked_to_stop_it_ends_cleanly() {
    let envoy = Envoy::start(&answering("x"), Options::default()).unwrap();
    assert!(envoy.stop().unwrap().success());
}

#[test]
fn a_refused_bootstrap_says_why() {
    let mut bootstrap = answering("x");
    bootstrap["static_resources"]["listeners"][0]["nonsense"] = json!(1);
    for error in [
        Envoy::start(&bootstrap, Options::default()).unwrap_err(),
        validate(&bootstrap, Options::default()).unwrap_err(),
    ] {
        assert!(matches!(&error, StartError::Ended { status, .. } if !status.success()));
        assert!(error.to_string().contains("nonsense"), "{error}");
    }
    validate(&answering("x"), Options::default()).unwrap();
}

#[test]
fn an_address_in_use_is_a_failed_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bootstrap = answering("x");
    let address = &mut bootstrap["static_resources"]["listeners"][0]["address"];
    address["socket_address"]["port_value"] = json!(taken.local_addr().unwrap().port());
    let error = Envoy::start(&bootstrap, Options::default()).unwrap_err();
    assert!(error.to_string().contains("Address already in use"), "{error}");
}

#[test]
fn an_end_from_outside_is_noticed() {
    let envoy = Envoy::start(&answering("x"), Options::default()).unwrap();
    assert!(envoy.process().ended().is_none());
    envoy.post("/quitquitquit").unwrap();
    let ended = wait::until(Duration::from_secs(10), || envoy.process().ended());
    assert!(ended.unwrap().success());
}

#[test]
fn a_start_can_be_given_up() {
    let options = Options::default();
    options.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = Envoy::start(&answering("x"), options).unwrap_err();
    assert!(matches!(error, StartError::Cancelled), "{error}");
}
