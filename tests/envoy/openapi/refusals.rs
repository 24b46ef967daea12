//! Every operation of the document, asked by whoever may not and by whoever asks wrongly.

use harness::admin::Way;
use harness::client::Request;
use harness::gateway::Gateway;
use harness::http::Message;
use harness::openapi::{Document, Operation};
use serde_json::{Value, json};

use super::{TOKEN, ask, document, origin, start, whole};

/// The problem that an answer tells, which has this status.
fn problem(answer: &Message, status: u16, name: &str) -> Value {
    assert_eq!(answer.status(), status, "{name}: {answer:?}");
    assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{name}");
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{name}");
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], status, "{name}");
    problem
}

/// Whether the first problem with the parameters is this.
fn is_refused(
    document: &mut Document,
    operation: &Operation,
    name: &str,
    answer: &Message,
    line: &str,
) {
    let told = problem(answer, 400, name);
    let lines = told["problems"].as_array().unwrap();
    let is_told = |one: &Value| one.as_str().is_some_and(|one| one.starts_with(line));
    assert!(lines.iter().any(is_told), "{name}: not {line}: {lines:#?}");
    document.take(operation, name, answer);
}

/// The path with a query of what must be there and of more.
fn target(operation: &Operation, more: &str) -> String {
    let query = [operation.required(), more.to_owned()].join("&");
    format!("{}?{}", operation.at("shadow"), query.trim_matches('&'))
}

fn walk(gateway: &Gateway, document: &mut Document, check: impl Fn(&mut Document, &Operation)) {
    let operations = document.operations();
    assert!(operations.len() > 30, "{} operations", operations.len());
    for operation in &operations {
        check(document, operation);
    }
    assert_eq!(document.problems(), [""; 0]);
    let messages = gateway.messages();
    let audits =
        messages.iter().filter(|line| line.contains(": operations ") && line.contains(" by="));
    assert_eq!(audits.count(), 0, "nothing was changed: {messages:#?}");
}

#[test]
fn nobody_gets_an_answer_without_the_token() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    walk(&gateway, &mut document(&gateway, "/weir"), |document, operation| {
        let target = target(operation, "");
        let name = format!("{} {target}", operation.method);
        let request = || Request::new(&operation.method, &target);
        let answers = [
            request(),
            request().field("x-weir-token", "open sesam"),
            request().field("authorization", format!("Bearer {TOKEN}s")),
            request().field("authorization", format!("Basic {TOKEN}")),
            request()
                .field("x-weir-token", "wrong")
                .field("authorization", format!("Bearer {TOKEN}")),
        ];
        for request in answers {
            let answer = request.ask(gateway.address());
            document.take(operation, &name, &answer);
            if operation.is_open {
                assert_eq!(answer.status(), 200, "{name}");
                continue;
            }
            problem(&answer, 401, &name);
            assert_eq!(answer.field("www-authenticate"), Some("Bearer"), "{name}");
        }
    });
    assert_eq!(origin.hits(), 0, "nothing below the paths reaches the service");
}

#[test]
fn every_path_has_its_methods_and_no_others() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    let operations = document(&gateway, "/weir").operations();
    for operation in &operations {
        let own = operations.iter().filter(|one| one.path == operation.path);
        let mut allowed: Vec<&str> = own.map(|one| one.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE", "BREW"]
        {
            // The cache in front of the breakers takes a PURGE to any path that is not its own for one of that URL.
            let is_purge = method == "PURGE" && operation.tag == "circuit-breaker";
            if allowed.contains(&method) || is_purge {
                continue;
            }
            let target = target(operation, "");
            let answer = ask(&gateway, method, &target);
            let name = format!("{method} {target}");
            if method == "HEAD" {
                assert_eq!(answer.status(), 405, "{name}");
            } else {
                problem(&answer, 405, &name);
            }
            let mut told: Vec<&str> = answer.field("allow").unwrap().split(", ").collect();
            told.sort_unstable();
            assert_eq!(told, allowed, "{name}");
        }
    }
    assert_eq!(origin.hits(), 0, "nothing below the paths reaches the service");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    for operation in document(&gateway, "/weir").operations() {
        let path = operation.at("shado");
        let (targets, begin) = match operation.path.as_str() {
            named if named.ends_with("/{name}") => (vec![path.clone()], "There is no rule "),
            "/weir" | "/weir/limits" | "/weir/cache" | "/weir/breakers" => {
                (vec![format!("{path}/nothing")], "There is nothing at ")
            }
            _ => (vec![format!("{path}x"), format!("{path}/x/y")], "There is nothing at "),
        };
        for target in targets {
            let name = format!("{} {target}", operation.method);
            let told = problem(&ask(&gateway, &operation.method, &target), 404, &name);
            let detail = told["detail"].as_str().unwrap();
            assert!(detail.starts_with(begin), "{name}: {detail}");
            assert!(
                detail.contains("; did you mean ")
                    || detail.contains("; there are ")
                    || detail.contains("; the rules are "),
                "{name}: {detail}"
            );
        }
    }
    assert_eq!(origin.hits(), 0, "nothing below the paths reaches the service");
}

#[test]
fn a_body_and_a_wrong_parameter_are_told_with_what_is_allowed() {
    let (origin, admin) = (origin(), Way::start());
    let gateway = start("gateway", &whole(), &origin, &admin);
    walk(&gateway, &mut document(&gateway, "/weir"), |document, operation| {
        let Operation { method, parameters, .. } = operation;
        let plain = target(operation, "");
        let with_body = Request::new(method, &plain).field("x-weir-token", TOKEN).body("{}");
        let answer = with_body.ask(gateway.address());
        let line = "body: found one, allowed none; send none";
        is_refused(document, operation, &format!("{method} {plain} with a body"), &answer, line);

        let mut slips = vec![("nonsense=1".to_owned(), "nonsense: unknown parameter".to_owned())];
        for parameter in parameters {
            let own = &parameter.name;
            if !parameter.is_list && !parameter.is_required {
                let pair = parameter.is(&parameter.values[0]);
                slips.push((format!("{pair}&{pair}"), format!("{own}: found")));
            }
            if parameter.is_strict && !parameter.is_required {
                slips.push((parameter.is("?!"), format!("{own}: found \"?!\", allowed ")));
            }
        }
        for (more, line) in slips {
            let target = target(operation, &more);
            let answer = ask(&gateway, method, &target);
            is_refused(document, operation, &format!("{method} {target}"), &answer, &line);
        }
        for parameter in parameters.iter().filter(|one| one.is_required) {
            let target = operation.at("shadow");
            let line = format!("{}: found no", parameter.name);
            let answer = ask(&gateway, method, &target);
            is_refused(document, operation, &format!("{method} {target}"), &answer, &line);
        }
    });
    let told = problem(&ask(&gateway, "GET", "/weir/stats?rout=1"), 400, "a slip");
    assert_eq!(told["problems"], json!(["rout: unknown parameter; the one here is routes"]));
    assert_eq!(origin.hits(), 0, "nothing below the paths reaches the service");
}
