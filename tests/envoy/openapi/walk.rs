//! Every operation of the document is asked for, with everything that its query may say.

use harness::admin::Way;
use harness::gateway::{Gateway, PATIENCE};
use harness::openapi::{Document, Operation};
use serde_json::Value;
use weir_testbed::wait;

use super::{ask, document, origin, start, whole};

/// Something to show in each answer: limited, stored, failed, opened.
fn traffic(gateway: &Gateway) {
    for (target, n) in [("/few", 4), ("/stored/a", 3), ("/ill", 2), ("/plain", 2)] {
        for _ in 0..n {
            gateway.get(target);
        }
    }
    gateway.await_metric("weir_circuit_breaker_state;breaker=payments/upstream", 2);
    for _ in 0..2 {
        assert_eq!(gateway.get("/ill").status(), 503);
    }
}

/// The names of the filter's rules, if the operation has to do with some.
fn rules(gateway: &Gateway, document: &Document, operation: &Operation) -> Vec<String> {
    let of_filter = document.operations().into_iter().find(|one| {
        one.tag == operation.tag && one.method == "GET" && one.path.ends_with("/rules")
    });
    let Some(rules) = of_filter else { return Vec::new() };
    let answer: Value = serde_json::from_slice(&ask(gateway, "GET", &rules.path).body).unwrap();
    let rules = answer["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
}

/// What to ask of an operation: nothing but what must be said, then each parameter by itself, then all together.
fn targets(operation: &Operation, rules: &[String]) -> Vec<String> {
    let required = operation.required();
    let mut queries = vec![required.clone()];
    let mut together = vec![required];
    for parameter in &operation.parameters {
        let values = if parameter.name == "rule" { rules } else { &parameter.values };
        for value in values {
            let others = operation.parameters.iter().filter(|one| one.is_required);
            let others = others.filter(|one| one.name != parameter.name);
            let pairs = others.map(|one| one.is(&one.values[0])).chain([parameter.is(value)]);
            queries.push(pairs.collect::<Vec<String>>().join("&"));
        }
        if !parameter.is_required && parameter.name != "id" && parameter.values != ["true"] {
            together.push(parameter.is(values.first().unwrap()));
        }
    }
    queries.push(together.join("&"));
    let names: &[String] = if operation.path.contains("{name}") { rules } else { &[String::new()] };
    let with = |path: &str, query: &str| {
        let query = query.trim_start_matches('&');
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    };
    let paths = names.iter().map(|name| operation.at(name));
    let mut targets: Vec<String> = paths
        .flat_map(|path| queries.iter().map(move |query| with(&path, query)).collect::<Vec<_>>())
        .collect();
    targets.dedup();
    targets
}

/// How many lines there are about changes that an operator made, of this filter.
fn audits(gateway: &Gateway, filter: &str) -> usize {
    let part = format!(": {filter}: operations ");
    let log = gateway.envoy.log_tail();
    log.lines().filter(|line| line.contains(&part) && line.ends_with(" by=127.0.0.1")).count()
}

/// Asks for everything that only reads, or for everything that changes something and is told in the log.
fn walk(gateway: &Gateway, document: &mut Document, reads: bool) {
    let operations = document.operations();
    for operation in operations.iter().filter(|one| (one.method == "GET") == reads) {
        let rules = rules(gateway, document, operation);
        let mut n_done = 0;
        for target in targets(operation, &rules) {
            let before = audits(gateway, &operation.tag);
            let answer = ask(gateway, &operation.method, &target);
            let name = format!("{} {target}", operation.method);
            document.take(operation, &name, &answer);
            assert_eq!(answer.field("cache-control"), Some("no-store"), "{name}");
            if answer.status() == 200 {
                n_done += 1;
                let is_told = || (audits(gateway, &operation.tag) > before).then_some(());
                if !reads && wait::until(PATIENCE, is_told).is_none() {
                    panic!("{name}: no line in the log\n{}", gateway.envoy.log_tail());
                }
            } else if !reads {
                assert_eq!(audits(gateway, &operation.tag), before, "{name}: nothing was done");
            }
            if reads {
                let head = ask(gateway, "HEAD", &target);
                assert_eq!((head.status(), head.body.len()), (answer.status(), 0), "HEAD {target}");
            }
        }
        let is_health = operation.path.contains("/health/");
        assert!(n_done > 0 || is_health, "{operation:?} never succeeds");
    }
}

#[test]
fn every_operation_answers_as_the_document_says() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    let mut document = document(&gateway, "/weir");
    // Nothing has happened and nothing is known: lists are empty, shares are null, health is bad.
    walk(&gateway, &mut document, true);
    admin.lead(Some(gateway.envoy.admin()));
    traffic(&gateway);
    let is_asked = || {
        let answer = ask(&gateway, "GET", "/weir/health/detailed");
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["clusters"][0]["hosts"].is_array().then_some(())
    };
    wait::until(PATIENCE, is_asked).expect("Envoy's admin interface is asked");
    walk(&gateway, &mut document, true);
    walk(&gateway, &mut document, false);
    // Hands on breakers, events, purges, warming.
    assert_eq!(
        ask(&gateway, "PUT", "/weir/breakers/control?mode=force_open&for=10m&all=true").status(),
        200
    );
    walk(&gateway, &mut document, true);
    assert!(document.taken() > 200, "{} answers", document.taken());
    assert_eq!(document.problems(), [""; 0]);
}

#[test]
fn a_gateway_that_is_ready_says_so_as_the_document_has_it() {
    let (origin, admin) = (origin(), Way::start());
    let mut configuration = whole();
    configuration["metrics"]["health"]["clusters"] = serde_json::json!(["upstream"]);
    configuration["metrics"]["health"]["open"] = serde_json::json!(true);
    let gateway = start("gateway", &configuration, &origin, &admin);
    let mut document = document(&gateway, "/weir");
    admin.lead(Some(gateway.envoy.admin()));
    let ready = || (gateway.get("/weir/health/ready").status() == 200).then_some(());
    wait::until(PATIENCE, ready).expect("it is ready");
    let health = document.operations();
    let health: Vec<&Operation> =
        health.iter().filter(|one| one.path.contains("/health/")).collect();
    assert_eq!(health.len(), 4);
    for operation in health {
        let proven = ask(&gateway, "GET", &operation.path);
        let anybody = gateway.get(&operation.path);
        assert_eq!(proven.status(), 200, "{proven:?}");
        assert_eq!(anybody.status(), if operation.is_open { 200 } else { 401 }, "{anybody:?}");
        document.take(operation, &operation.path, &proven);
        document.take(operation, &operation.path, &anybody);
    }
    assert_eq!(document.problems(), [""; 0]);
}
