//! The operations endpoints on a host in memory, with two workers: every answer, slip and change.
#![cfg(test)]

mod common;

use common::{BROKEN, Gateway, OK, filter};
use kit::Nanos;
use kit::fake::FakeExchange;
use kit::filter::{Filter, Flow, Reply};
use serde_json::{Value, json};
use weir_circuit_breaker::filter::Stream;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const RULES: &str = r#"{
    "operations": {"path": "/weir", "source": "192.0.2.0/24"},
    "rules": [
        {"name": "shop", "match": {"hosts": "example.com"}, "consecutive": {"failures": 3},
            "open": {"time": "10s", "jitter": "0%"}},
        {"name": "whole", "per": "rule", "shadow": true},
        {"name": "tenants", "per": "key", "key": "header:x-tenant"},
        {"name": "later", "enabled": false}
    ]
}"#;

/// The answer to an operator's request to a worker.
fn ask(gateway: &Gateway, worker: usize, method: &str, target: &str) -> Reply {
    let path = format!("/weir{target}");
    let x = FakeExchange::get(&gateway.host, &path, &[]);
    kit::Exchange::set_header(&x, kit::exchange::Map::Request, ":method", method.as_bytes());
    match gateway.workers[worker].on_request_headers(&mut Stream::default(), &x, true) {
        Flow::Reply(reply) => *reply,
        flow @ (Flow::Continue | Flow::Pause) => panic!("{method} {target}: {flow:?}"),
    }
}

/// The JSON of an answer with this status.
fn told(gateway: &Gateway, worker: usize, status: u16, method: &str, target: &str) -> Value {
    let reply = ask(gateway, worker, method, target);
    assert_eq!(reply.status, status, "{method} {target}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

fn read(gateway: &Gateway, target: &str) -> Value {
    told(gateway, 0, 200, "GET", target)
}

/// Events as `from to cause by`.
fn events(gateway: &Gateway) -> Vec<String> {
    let list = read(gateway, "/events");
    let events = list["events"].as_array().unwrap().iter().map(|event| {
        let word = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
        ["from", "to", "cause", "by"].map(word).join(" ")
    });
    events.collect()
}

#[test]
fn the_index_lists_what_there_is_and_rules_say_what_they_do() {
    let gateway = Gateway::new(1, RULES);
    let index = read(&gateway, "");
    assert_eq!(read(&gateway, "/"), index);
    let paths: Vec<String> = index["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap();
            format!("{} {}", word("method"), word("path").split('?').next().unwrap())
        })
        .collect();
    assert_eq!(
        paths,
        [
            "GET /weir/rules",
            "GET /weir/rules/NAME",
            "GET /weir/breakers",
            "GET /weir/events",
            "PUT /weir/control",
            "DELETE /weir/control",
            "POST /weir/reset",
        ]
    );
    let rules = read(&gateway, "/rules");
    assert_eq!(rules["rules"][0]["match"], "host example.com");
    assert_eq!(rules["rules"][1]["mode"], "shadow");
    assert_eq!(rules["rules"][2]["shows_keys"], false);
    assert_eq!(rules["rules"][3], json!({"name": "later", "mode": "off"}));
    assert_eq!(read(&gateway, "/rules/whole")["rules"], json!([rules["rules"][1]]));
    assert_eq!(ask(&gateway, 0, "HEAD", "/rules").status, 200);
}

#[test]
fn every_worker_lists_what_any_worker_met() {
    let gateway = Gateway::new(2, RULES);
    assert_eq!(read(&gateway, "/breakers"), json!({"total": 0, "breakers": []}));
    for cluster in ["pay", "search"] {
        let passing = gateway.ask(0, "GET", cluster).ok().unwrap();
        gateway.end(passing, OK);
    }
    gateway.open();
    gateway.wait(4);
    let all = told(&gateway, 1, 200, "GET", "/breakers");
    assert_eq!(all["total"], 2);
    let pay = &all["breakers"][0];
    assert_eq!(
        (&pay["rule"], &pay["per"], &pay["scope"]),
        (&json!("shop"), &json!("cluster"), &json!("pay"))
    );
    assert_eq!((&pay["state"], &pay["since_seconds"]), (&json!("open"), &json!(4)));
    assert_eq!((&pay["open_for_seconds"], &pay["next_probe_seconds"]), (&json!(10), &json!(6)));
    assert_eq!((&pay["openings"], &pay["consecutive_failures"]), (&json!(1), &json!(0)));
    let failures = pay["last_failures"].as_array().unwrap();
    assert_eq!(failures.len(), 3);
    assert_eq!(
        failures[0],
        json!({"at": "1970-01-01T00:00:00.000Z", "failed": true, "slow": false, "status": 500,
            "duration_seconds": 0, "route": "all", "reason": "via_upstream"})
    );
    let search = &all["breakers"][1];
    assert_eq!((&search["scope"], &search["state"]), (&json!("search"), &json!("closed")));
    assert_eq!(
        search["window"],
        json!({"ended": 1, "failed": 0, "slow": 0, "shed": 0, "failure_share": 0.0})
    );
    assert_eq!(search["last_failures"], json!([]));

    let ids = |target: &str| -> Vec<Value> {
        let all = read(&gateway, target);
        all["breakers"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    let (pay, search) = (pay["id"].clone(), search["id"].clone());
    assert_ne!(pay, search);
    let by_id = format!("/breakers?id={}", pay.as_str().unwrap());
    for (target, expected) in [
        ("/breakers?state=open", vec![&pay]),
        ("/breakers?state=closed", vec![&search]),
        ("/breakers?scope=search", vec![&search]),
        ("/breakers?rule=shop", vec![&pay, &search]),
        ("/breakers?rule=whole", vec![]),
        ("/breakers?limit=1", vec![&pay]),
        (&by_id, vec![&pay]),
    ] {
        assert_eq!(ids(target).iter().collect::<Vec<_>>(), expected, "{target}");
    }
    assert_eq!(read(&gateway, "/breakers?limit=1")["total"], 2);
}

#[test]
fn a_hand_holds_for_all_workers_until_it_lets_go_or_its_time_is_over() {
    let gateway = Gateway::new(2, RULES);
    assert!(gateway.get(0, OK));
    let one = "rule=shop&scope=pay";
    let held = told(&gateway, 0, 200, "PUT", &format!("/control?mode=force_open&{one}&for=1m"));
    assert_eq!(held["total"], 1);
    assert_eq!(
        (&held["breakers"][0]["from"], &held["breakers"][0]["to"]),
        (&json!("closed"), &json!("open"))
    );
    assert_eq!(held["breakers"][0]["held"], json!({"control": "force_open", "rest_seconds": 60}));
    assert!(!gateway.get(0, OK) && !gateway.get(1, OK), "both workers");
    assert_eq!(gateway.metric("state;breaker=shop/pay"), 2);
    assert_eq!(gateway.metric("not_closed"), 1);
    let seen = told(&gateway, 1, 200, "GET", "/breakers?state=open");
    assert_eq!(seen["breakers"][0]["held"]["control"], "force_open");

    let free = told(&gateway, 1, 200, "DELETE", &format!("/control?{one}"));
    assert_eq!(free["breakers"][0]["held"], Value::Null);
    assert!(gateway.get(0, OK) && gateway.get(1, OK));
    assert_eq!((gateway.metric("state;breaker=shop/pay"), gateway.metric("not_closed")), (0, 0));
    let nothing = told(&gateway, 1, 200, "DELETE", &format!("/control?{one}"));
    assert_eq!(nothing["breakers"][0]["to"], "closed", "nobody held it: nothing happens");

    told(&gateway, 1, 200, "PUT", &format!("/control?mode=force_open&{one}&for=1m"));
    gateway.wait(59);
    assert!(!gateway.get(0, OK));
    gateway.wait(1);
    assert_eq!(
        read(&gateway, "/breakers")["breakers"][0]["state"],
        "closed",
        "before anybody came"
    );
    assert!(gateway.get(0, OK));
    assert_eq!((gateway.metric("state;breaker=shop/pay"), gateway.metric("not_closed")), (0, 0));
    assert_eq!(
        events(&gateway),
        [
            "closed open operator 192.0.2.1",
            "open closed released 192.0.2.1",
            "closed open operator 192.0.2.1",
            "open closed released -",
        ]
    );
    let last = read(&gateway, "/events?limit=2");
    assert_eq!(last["total"], 4);
    let entry = &last["events"][0];
    assert_eq!((&entry["control"], &entry["for"]), (&json!("force_open"), &json!("1m")));
    assert_eq!(
        (&entry["rule"], &entry["scope"], &entry["per"]),
        (&json!("shop"), &json!("pay"), &json!("cluster"))
    );
    assert_eq!(
        gateway.metric("transitions_total;breaker=shop/pay;from=closed;to=open"),
        2,
        "each once"
    );
}

#[test]
fn each_control_does_what_it_says() {
    for (mode, passes, opens) in
        [("force_closed", true, false), ("disable", true, false), ("metrics_only", true, true)]
    {
        let gateway = Gateway::new(2, RULES);
        told(&gateway, 0, 200, "PUT", &format!("/control?mode={mode}&rule=shop&scope=pay"));
        for worker in [0, 1, 0, 1, 0] {
            assert_eq!(gateway.get(worker, BROKEN), passes, "{mode}");
        }
        let breaker = read(&gateway, "/breakers")["breakers"][0].clone();
        assert_eq!(breaker["state"], if opens { "open" } else { "closed" }, "{mode}");
        assert_eq!(breaker["held"], json!({"control": mode}), "{mode}");
        let ended = if mode == "force_closed" { 5 } else { 0 };
        assert_eq!(breaker["window"]["ended"], ended, "{mode}: {breaker:#}");
        assert_eq!(breaker["last_failures"].as_array().unwrap().len(), if opens { 3 } else { 5 });
    }
}

#[test]
fn a_reset_closes_and_forgets() {
    let gateway = Gateway::new(2, RULES);
    gateway.open();
    assert!(!gateway.get(1, OK));
    let reset = told(&gateway, 1, 200, "POST", "/reset?rule=shop");
    assert_eq!((&reset["total"], &reset["breakers"][0]["to"]), (&json!(1), &json!("closed")));
    assert!(gateway.get(0, OK) && gateway.get(1, OK));
    let breaker = read(&gateway, "/breakers")["breakers"][0].clone();
    assert_eq!((&breaker["openings"], &breaker["window"]["ended"]), (&json!(0), &json!(2)));
    assert_eq!((gateway.metric("state;breaker=shop/pay"), gateway.metric("not_closed")), (0, 0));
    assert_eq!(events(&gateway), ["closed open consecutive -", "open closed reset 192.0.2.1"]);
    let opened = &read(&gateway, "/events")["events"][0];
    assert_eq!((&opened["failures"], &opened["retry_in"]), (&json!("3/3"), &json!("10s")));
}

#[test]
fn an_act_on_a_worker_that_is_behind_comes_after_what_it_met() {
    let gateway = Gateway::new(2, RULES);
    gateway.open();
    gateway.host.set_now(Nanos(Nanos::from_secs(1_000).0 - 5));
    told(&gateway, 1, 200, "POST", "/reset?rule=shop");
    assert_eq!(events(&gateway), ["closed open consecutive -", "open closed reset 192.0.2.1"]);
}

#[test]
fn what_was_never_met_can_be_held_and_all_means_all() {
    let gateway = Gateway::new(2, RULES);
    let new = told(&gateway, 0, 200, "PUT", "/control?mode=force_open&rule=shop&scope=new%20one");
    assert_eq!(
        (&new["breakers"][0]["met"], &new["breakers"][0]["scope"]),
        (&json!(false), &json!("new one"))
    );
    assert!(gateway.ask(1, "GET", "new one").is_err());
    assert!(gateway.ask(1, "GET", "pay").is_ok());
    let whole = told(&gateway, 0, 200, "PUT", "/control?mode=disable&rule=whole");
    assert_eq!(whole["breakers"][0].get("scope"), None);
    let all = told(&gateway, 1, 200, "PUT", "/control?mode=force_open&all=true");
    let scopes: Vec<&Value> =
        all["breakers"].as_array().unwrap().iter().map(|one| &one["scope"]).collect();
    assert_eq!(scopes, [&json!("new one"), &json!("pay"), &Value::Null]);
    assert_eq!(all["total"], 3);
    assert_eq!(told(&gateway, 0, 200, "DELETE", "/control?all=true")["total"], 3);
    assert!(gateway.ask(0, "GET", "new one").is_ok());
    assert_eq!(gateway.metric("not_closed"), 0);
}

#[test]
fn every_slip_is_told_and_changes_nothing() {
    let gateway = Gateway::new(1, RULES);
    assert!(gateway.get(0, OK));
    for (method, target, status, said) in [
        ("GET", "/breaker", 404, r#"There is nothing at "/breaker"; did you mean "/breakers"?"#),
        ("GET", "/breakers?rule=shopp", 404, r#"There is no rule "shopp"; did you mean "shop"?"#),
        (
            "GET",
            "/events?rule=x",
            404,
            r#"There is no rule "x"; the rules are shop, whole, tenants, later"#,
        ),
        (
            "PUT",
            "/control?mode=disable&rule=x",
            404,
            r#"There is no rule "x"; the rules are shop, whole, tenants, later"#,
        ),
        ("POST", "/reset?rule=later", 409, r#"Rule "later" is switched off: it has no breakers."#),
        (
            "POST",
            "/reset?rule=tenants",
            404,
            r#"No breaker of rule "tenants" is known yet; name one with scope"#,
        ),
        (
            "POST",
            "/reset?rule=tenants&scope=a",
            404,
            r#"Rule "tenants" has no breaker whose key is shown as "a"; GET /breakers has their ids"#,
        ),
        (
            "POST",
            "/reset?rule=shop&id=12",
            404,
            r#"Rule "shop" has no known breaker of id "12"; GET /breakers has their ids"#,
        ),
        ("GET", "/control", 405, "This resource has the methods PUT, DELETE."),
        ("GET", "/reset", 405, "This resource has the methods POST."),
        ("POST", "/control", 405, "This resource has the methods PUT, DELETE."),
        ("DELETE", "/breakers", 405, "This resource has the methods GET, HEAD."),
    ] {
        let problem = told(&gateway, 0, status, method, target);
        assert_eq!(problem["detail"], said, "{method} {target}");
    }
    for (method, target, problems) in [
        ("GET", "/rules?x=1", &["x: unknown parameter, allowed none; remove it"][..]),
        (
            "GET",
            "/breakers?stat=1&state=opened&limit=0&rule=",
            &[
                r#"stat: unknown parameter; did you mean "state"?"#,
                r#"rule: found "", allowed a text; fill it in, or remove the parameter"#,
                r#"state: found "opened", allowed closed, recovering, shedding, half_open or open; did you mean "open"?"#,
                r#"limit: found "0", allowed 1 to 1000; choose one of them"#,
            ],
        ),
        ("GET", "/events?limit=65", &[r#"limit: found "65", allowed 1 to 64; choose one of them"#]),
        (
            "PUT",
            "/control",
            &[
                "mode: found nothing, allowed force_open, force_closed, disable or metrics_only; add it",
                "rule: found nothing, allowed a rule's name; add it, or all=true to mean every breaker",
            ],
        ),
        (
            "PUT",
            "/control?mode=forced_open&for=1&scope=a&id=b&all=false",
            &[
                r#"mode: found "forced_open", allowed force_open, force_closed, disable or metrics_only; did you mean "force_open"?"#,
                r#"for: found "1", allowed 1s to 30d; add a unit, such as "1ms" or "1s""#,
                "id: found it beside scope, allowed one of them; remove one",
                "rule: found nothing, allowed a rule's name; add the one of this breaker",
            ],
        ),
        (
            "PUT",
            "/control?mode=disable&for=31d&all=true&rule=shop",
            &[
                r#"for: found "31d", allowed 1s to 30d; without it the hand holds until it lets go"#,
                "all: found true beside other names, allowed alone; remove it, or them",
            ],
        ),
        (
            "DELETE",
            "/control?all=yes&mode=disable",
            &[
                "mode: unknown parameter; the parameters here are rule, scope, id, all",
                r#"all: found "yes", allowed true or false; write one of them"#,
                "rule: found nothing, allowed a rule's name; add it, or all=true to mean every breaker",
            ],
        ),
        (
            "POST",
            "/reset?rule=whole&scope=a",
            &[r#"scope: found "a", allowed none: the rule has one breaker; remove it"#],
        ),
        (
            "POST",
            "/reset?rule=shop&rule=shop",
            &["rule: found a second time, allowed once; remove one of them"],
        ),
    ] {
        let found = told(&gateway, 0, 400, method, target);
        assert_eq!(found["problems"], json!(problems), "{method} {target}");
    }
    let long = format!("/reset?rule=shop&scope={}", "x".repeat(129));
    assert_eq!(
        told(&gateway, 0, 400, "POST", &long)["problems"],
        json!(["scope: found 129 bytes, allowed 128; use the id that GET /breakers has"])
    );
    assert!(events(&gateway).is_empty());
    assert_eq!(read(&gateway, "/breakers")["total"], 1);
}

#[test]
fn a_page_of_another_site_can_reset_nothing() {
    let gateway = Gateway::new(1, RULES);
    gateway.open();
    for (origin, status) in
        [("https://evil.example", 403), ("null", 403), ("https://example.com", 200)]
    {
        let x = FakeExchange::get(&gateway.host, "/weir/reset?all=true", &[("origin", origin)]);
        kit::Exchange::set_header(&x, kit::exchange::Map::Request, ":method", b"POST");
        let flow = gateway.workers[0].on_request_headers(&mut Stream::default(), &x, true);
        let Flow::Reply(reply) = flow else { panic!("{origin}: {flow:?}") };
        assert_eq!(reply.status, status, "{origin}");
    }
}

#[test]
fn state_hands_dossiers_and_events_outlive_an_update() {
    let mut gateway = Gateway::new(2, RULES);
    gateway.open();
    told(&gateway, 0, 200, "PUT", "/control?mode=disable&rule=shop&scope=search&for=5m");
    let before = [read(&gateway, "/breakers"), read(&gateway, "/events")];
    for worker in 0..2 {
        gateway.workers[worker] = filter(&gateway.host, RULES);
    }
    assert_eq!([read(&gateway, "/breakers"), read(&gateway, "/events")], before);
    assert!(!gateway.get(0, OK));
}

#[test]
fn a_change_that_cannot_be_stored_is_told() {
    let gateway = Gateway::new(1, RULES);
    assert!(gateway.get(0, OK));
    gateway.host.schedule_conflicts(u32::MAX);
    let failed = told(&gateway, 0, 503, "PUT", "/control?mode=force_open&rule=shop&scope=pay");
    assert_eq!(failed["detail"], "Some breakers were not changed; try again.");
    assert_eq!(
        failed["breakers"][0]["error"], "64 attempts met another worker's change",
        "{failed:#}"
    );
    gateway.host.schedule_conflicts(0);
    assert!(gateway.get(0, OK));
    assert!(events(&gateway).is_empty());
}
