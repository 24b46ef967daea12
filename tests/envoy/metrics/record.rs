//! The decision record: one line of the access log says what every filter did, and why.

use std::collections::BTreeMap;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::{root, wait, yaml};

/// The fields of the access log in `envoy/gateway.yaml`.
fn shipped() -> Value {
    let file = yaml::read(&root::root().join("envoy/gateway.yaml")).unwrap();
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let format = format!("{manager}/access_log/0/typed_config/log_format/json_format");
    file.pointer(&format).expect("the file has an access log of JSON").clone()
}

fn start(origin: &Origin) -> Gateway {
    let path = |prefix: &str| json!({"path": {"prefix": prefix}});
    let configuration = json!({
        "metrics": {},
        "rate_limit": {"rules": [
            {"name": "sign-in", "match": path("/few"), "limits": [{"quota": 1, "window": "1h"}]},
            {"name": "trial", "match": path("/trial"), "mode": "shadow", "limits": [{"quota": 1, "window": "1h"}]},
            {"name": "reports", "match": path("/dear"), "cost": 5, "limits": [{"quota": 100, "window": "1h"}]},
        ]},
        "response_cache": {"rules": [
            {"name": "admin", "match": path("/admin"), "action": "bypass"},
            {"name": "pages", "stale_if_error": "1h"},
        ]},
        "circuit_breaker": {"rules": [{
            "name": "weak", "match": path("/weak"), "consecutive": {"failures": 2},
            "open": {"time": "1h", "max_time": "1h"},
        }]},
    });
    Setup::new("gateway", &configuration, origin.address()).access_log(shipped()).workers(2).start()
}

/// The lines of the access log, once there are so many.
fn lines(gateway: &Gateway, n: usize) -> Vec<Value> {
    let found = wait::until(PATIENCE, || Some(gateway.access_log()).filter(|log| log.len() == n));
    found.unwrap_or_else(|| panic!("not {n}: {:#?}", gateway.access_log()))
}

#[test]
fn a_line_of_the_shipped_log_says_what_every_filter_did_and_why() {
    let origin = Origin::start(|request| match request.target().split('?').next() {
        Some("/stored") => Act::response(200, &[("cache-control", "max-age=600")], "x"),
        Some("/old") => Act::response(200, &[("cache-control", "max-age=60"), ("age", "90")], "x"),
        Some("/weak") => Act::response(500, &[], ""),
        Some("/secret") => Act::response(200, &[("cache-control", "no-store")], "x"),
        _ => Act::response(200, &[("cache-control", "max-age=600")], "x"),
    });
    let gateway = start(&origin);
    let mut n = 0;
    let mut ask = |target: &str| {
        gateway.get(target);
        n += 1;
        let line = lines(&gateway, n).pop().unwrap();
        assert_eq!(
            line["path"],
            target.split('?').next().unwrap(),
            "the query is nobody's business"
        );
        assert_eq!(line["route"], "all", "{line}");
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        let status = line["status"].as_u64().unwrap();
        (status, text("details"), text("decisions"))
    };
    let mut check = |target: &str, status: u64, details: &str, decisions: &str| {
        let expected = (status, details.to_owned(), decisions.to_owned());
        assert_eq!(ask(target), expected, "{target}");
    };
    let via = "via_upstream";
    check("/stored?user=alice", 200, via, "rate-limit=admit,response-cache=miss;rule=pages");
    check(
        "/stored?user=alice",
        200,
        "weir_cache_hit",
        "rate-limit=admit,response-cache=hit;rule=pages",
    );
    check(
        "/secret",
        200,
        via,
        "rate-limit=admit,response-cache=miss;rule=pages;not_stored=no_store",
    );
    check("/admin", 200, via, "rate-limit=admit,response-cache=bypass;rule=admin");
    check("/few", 200, via, "rate-limit=admit,response-cache=miss;rule=pages");
    check("/few", 429, "weir_rate_limited", "rate-limit=limit;rule=sign-in");
    check("/trial", 200, via, "rate-limit=admit,response-cache=miss;rule=pages");
    check(
        "/trial",
        200,
        "weir_cache_hit",
        "rate-limit=shadow;rule=trial,response-cache=hit;rule=pages",
    );
    check("/dear", 200, via, "rate-limit=admit;cost=5,response-cache=miss;rule=pages");
    check("/old", 200, via, "rate-limit=admit,response-cache=miss;rule=pages");
    let refused = "rate-limit=admit,response-cache=miss;rule=pages";
    for _ in 0..2 {
        let failed = format!("{refused};not_stored=no_lifetime,circuit-breaker=closed");
        check("/weak", 500, via, &failed);
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=weak/upstream", 2);
    let open = format!("{refused};not_stored=no_store,circuit-breaker=open;rule=weak;reason=open");
    check("/weak", 503, "weir_circuit_open", &open);
    origin.play(|_| Act::response(500, &[], ""));
    let stale = "rate-limit=admit,response-cache=stale_if_error;rule=pages;origin=500";
    check("/old", 200, "weir_cache_stale_if_error", stale);

    // Whatever a client sends as a method or a target, the line is JSON, and the record is the filters' own.
    let hostile = Request::new("BREW", "/x\";rate-limit=limit;rule=none,%0a").body("");
    hostile.ask(gateway.address());
    let line = lines(&gateway, n + 1).pop().unwrap();
    assert_eq!(line["decisions"], "rate-limit=admit,response-cache=method", "{line}");
}

#[test]
fn modules_of_their_own_tell_what_is_not_routine() {
    let origin = Origin::start(|_| Act::response(500, &[], ""));
    let fields =
        |module: &str| json!({"decisions": format!("%FILTER_STATE(wasm.weir.{module}:PLAIN)%")});
    let told = |gateway: &Gateway, n: usize| -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for line in lines(gateway, n) {
            *found.entry(line["decisions"].as_str().unwrap_or("-").to_owned()).or_default() += 1;
        }
        found
    };
    let breaker = json!({"rules": [{"name": "all", "consecutive": {"failures": 2}, "open": {"time": "1h", "max_time": "1h"}}]});
    let gateway = Setup::new("circuit-breaker", &breaker, origin.address())
        .access_log(fields("circuit-breaker"))
        .start();
    (0..5).for_each(|_| drop(gateway.get("/")));
    let expected = [("-", 2), ("circuit-breaker=open;rule=all;reason=open", 3)];
    assert_eq!(told(&gateway, 5), expected.map(|(word, n)| (word.to_owned(), n)).into());

    let limit = json!({"rules": [{"name": "tried", "mode": "shadow", "limits": [{"quota": 2, "window": "1h"}]}]});
    let gateway =
        Setup::new("rate-limit", &limit, origin.address()).access_log(fields("rate-limit")).start();
    (0..5).for_each(|_| drop(gateway.get("/")));
    let expected = [("-", 2), ("rate-limit=shadow;rule=tried", 3)];
    assert_eq!(told(&gateway, 5), expected.map(|(word, n)| (word.to_owned(), n)).into());
}
