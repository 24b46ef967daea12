//! What a request costs, and what it comes to when it is over.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;

use harness::client::Request;
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::http::Message;
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{self, await_remaining, remaining};

/// What each rule allows: units of a window that no test outlives.
const QUOTA: u64 = 10_000;

/// A rule for the path of its name, whose requests cost this.
fn costing(name: &str, cost: &Value) -> Value {
    json!({"name": name, "match": {"path": {"exact": format!("/{name}")}}, "cost": cost,
        "limits": [{"algorithm": "fixed_window", "quota": QUOTA, "window": "1h"}]})
}

/// Answers as the request's own fields say.
fn as_told(request: &Message) -> Act {
    let told = |name: &str| request.field(name).unwrap_or_default();
    let body = vec![b'x'; told("x-size").parse().unwrap_or(0)];
    let status = told("x-status").parse().unwrap_or(200);
    let cost = ("x-cost", told("x-answer"));
    let fields: &[(&str, &str)] = if told("x-answer").is_empty() { &[] } else { &[cost] };
    Act::response(status, fields, body)
}

fn start(rules: &[Value], origin: &Origin) -> Gateway {
    let configuration = json!({"operations": operations::section(), "rules": rules});
    Setup::new("rate-limit", &configuration, origin.address())
        .routes(json!([
            {"match": {"prefix": "/slow"}, "route": {"cluster": "upstream", "timeout": "1s"}},
            {"match": {"prefix": "/deserted"}, "route": {"cluster": "deserted"}},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "10s"}},
        ]))
        .workers(2)
        .start()
}

/// Until Envoy has let go of every request, which it does when all has been settled.
fn await_quiet(gateway: &Gateway) {
    let active =
        || gateway.envoy.stats("^http.front.downstream_rq_active").unwrap().values().sum::<u64>();
    assert!(wait::until(PATIENCE, || (active() == 0).then_some(())).is_some(), "{}", active());
}

/// Plays requests of one rule one by one; each must come to its number of units.
fn each_costs(gateway: &Gateway, rule: &str, requests: &[(Request, u64)]) {
    let description = format!("path=%2F{rule}");
    let mut left = remaining(gateway, &description);
    for (request, units) in requests {
        let answer = request.ask(gateway.address());
        assert_ne!(answer.status(), 429, "{answer:?}");
        left -= units;
        await_quiet(gateway);
        assert_eq!(remaining(gateway, &description), left, "{units} units for {request:?}");
    }
}

#[test]
fn a_request_says_its_cost_itself_within_bounds() {
    let origin = Origin::start(as_told);
    let header =
        json!({"from": "request_header", "name": "x-units", "default": 2, "min": 1, "max": 50});
    let query = json!({"from": "request_query", "name": "limit", "max": 100});
    let gateway = start(&[costing("header", &header), costing("query", &query)], &origin);
    let values = |values: &[&str]| {
        values
            .iter()
            .fold(Request::get("/header"), |request, value| request.field("x-units", value))
    };
    each_costs(
        &gateway,
        "header",
        &[
            (values(&["7"]), 7),
            (values(&[]), 2),
            (values(&["0"]), 1),
            (values(&["-5"]), 2),
            (values(&["1e9"]), 2),
            (values(&[""]), 2),
            (values(&["99999999999999999999999"]), 50),
            (values(&["1", "9", "3"]), 9),
        ],
    );
    each_costs(
        &gateway,
        "query",
        &[
            (Request::get("/query?limit=25"), 25),
            (Request::get("/query?a=1&limit=1%30&limit=3"), 10),
            (Request::get("/query"), 1),
            (Request::get("/query?limit="), 1),
            (Request::get("/query?limit=5000"), 100),
        ],
    );
}

#[test]
fn a_request_costs_what_of_its_body_came() {
    let origin = Origin::start(as_told);
    let cost = json!({"from": "request_body", "per": "1KiB", "reserve": 7});
    let gateway = start(&[costing("body", &cost)], &origin);
    let post = || Request::new("POST", "/body");
    let chunked = |len: usize| {
        let body = format!("{len:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(len));
        post().field("transfer-encoding", "chunked").body(body).without("content-length")
    };
    each_costs(
        &gateway,
        "body",
        &[
            (post().body(vec![b'x'; 2_500]), 3),
            (post().body(vec![b'x'; 2_048]), 2),
            (post().body(""), 1),
            (Request::get("/body"), 1),
            (chunked(2_500), 3),
            (chunked(20_000), 20),
        ],
    );
    let before = remaining(&gateway, "path=%2Fbody");
    let mut cut = TcpStream::connect(gateway.address()).unwrap();
    let announced = "POST /body HTTP/1.1\r\nhost: example.com\r\ncontent-length: 100000\r\n\r\n";
    cut.write_all(format!("{announced}{}", "x".repeat(1_500)).as_bytes()).unwrap();
    await_remaining(&gateway, "path=%2Fbody", before - 98);
    drop(cut);
    await_quiet(&gateway);
    let paid = before - remaining(&gateway, "path=%2Fbody");
    assert!((2..=3).contains(&paid), "of the body came 1.5 KiB, and not 98: {paid}");
}

#[test]
fn a_response_says_what_its_request_cost() {
    let origin = Origin::start(as_told);
    let header = json!({"from": "response_header", "name": "x-cost", "default": 4, "reserve": 10});
    let body = json!({"from": "response_body", "per": "1KiB", "reserve": 2, "max": 30});
    let status = json!({"from": "status", "values": {"404": 5, "2xx": 1, "5xx": 0}, "default": 3});
    let rules = [costing("header", &header), costing("body", &body), costing("status", &status)];
    let gateway = start(&rules, &origin);
    let get =
        |rule: &str, name: &str, value: &str| Request::get(&format!("/{rule}")).field(name, value);
    each_costs(
        &gateway,
        "header",
        &[
            (get("header", "x-answer", "25"), 25),
            (get("header", "x-answer", "0"), 0),
            (get("header", "x-answer", "10"), 10),
            (get("header", "x-answer", ""), 4),
            (get("header", "x-answer", "many"), 4),
        ],
    );
    each_costs(
        &gateway,
        "body",
        &[
            (get("body", "x-size", "5000"), 5),
            (get("body", "x-size", "1024"), 1),
            (get("body", "x-size", "0"), 0),
            (get("body", "x-size", "90000"), 30),
        ],
    );
    each_costs(
        &gateway,
        "status",
        &[
            (get("status", "x-status", "201"), 1),
            (get("status", "x-status", "404"), 5),
            (get("status", "x-status", "403"), 3),
            (get("status", "x-status", "503"), 0),
        ],
    );
}

#[test]
fn time_and_what_envoy_answers_itself_are_costs_too() {
    let origin = Origin::start(|_| Act::Hang);
    let duration = json!({"from": "duration", "per": "100ms", "max": 1000});
    let status = json!({"from": "status", "values": {"503": 7, "2xx": 1}, "reserve": 1});
    let rules = [costing("slow", &duration), costing("deserted", &status)];
    let gateway = start(&rules, &origin);
    assert_eq!(gateway.get("/slow").status(), 504, "the route's timeout is one second");
    await_quiet(&gateway);
    let spent = QUOTA - remaining(&gateway, "path=%2Fslow");
    assert!((10..=60).contains(&spent), "a second in tenths, on whatever machine: {spent}");
    assert_eq!(gateway.get("/deserted").status(), 503);
    await_quiet(&gateway);
    assert_eq!(remaining(&gateway, "path=%2Fdeserted"), QUOTA - 7);
}

#[test]
fn what_is_reserved_keeps_others_out_until_it_is_settled() {
    let origin = Origin::start(as_told);
    let mut rule = costing(
        "header",
        &json!({"from": "response_header", "name": "x-cost", "reserve": 4, "max": 100}),
    );
    rule["limits"][0]["quota"] = json!(10);
    let gateway = start(&[rule], &origin);
    let answering = |cost: &str| {
        let answer = Request::get("/header").field("x-answer", cost).ask(gateway.address());
        await_quiet(&gateway);
        answer.status()
    };
    let left = || remaining(&gateway, "path=%2Fheader");
    assert_eq!((answering("0"), left()), (200, 10), "settled down to nothing");
    assert_eq!((answering("5"), left()), (200, 5), "settled up");
    assert_eq!((answering("1"), left()), (200, 4));
    assert_eq!((answering("9"), left()), (200, 0), "admitted with what it reserved, and in debt");
    assert_eq!(answering("0"), 429);
}

#[test]
fn a_refused_request_is_charged_nowhere_unless_its_rule_says_so() {
    let origin = Origin::plain();
    let units = json!({"from": "request_header", "name": "x-units"});
    let rule = |name: &str, target: &str, quota: u32, more: Value| {
        let mut rule = json!({"name": name, "match": {"path": {"exact": target}}, "cost": units,
            "limits": [{"quota": quota, "window": "1d"}]});
        for (field, value) in more.as_object().unwrap() {
            rule[field] = value.clone();
        }
        rule
    };
    let gateway = start(
        &[
            rule("first", "/free", 1_000, json!({})),
            rule("free", "/free", 10, json!({})),
            rule("last", "/free", 1_000, json!({})),
            rule("charged", "/charged", 10, json!({"charge_refused": true})),
            rule("before", "/both", 20, json!({"charge_refused": true})),
            rule("tight", "/both", 6, json!({})),
            rule("behind", "/both", 30, json!({"charge_refused": true})),
            rule("uncharged", "/both", 40, json!({})),
        ],
        &origin,
    );
    let ask = |target: &str, units: &str| {
        Request::get(target).field("x-units", units).ask(gateway.address()).status()
    };
    let left = |target: &str| -> Vec<u64> {
        let state = operations::read(&gateway, &format!("/state?path=%2F{target}"));
        let rules = state["rules"].as_array().unwrap().iter();
        let left = rules.map(|rule| rule["limits"][0]["remaining"].as_u64());
        left.flatten().collect()
    };
    assert_eq!([ask("/free", "6"), ask("/charged", "6")], [200, 200]);
    assert_eq!((left("free"), left("charged")), (vec![994, 4, 994], vec![4]));
    assert_eq!([ask("/free", "6"), ask("/charged", "6")], [429, 429]);
    assert_eq!((left("free"), left("charged")), (vec![994, 4, 994], vec![0]));
    assert_eq!([ask("/free", "4"), ask("/charged", "1")], [200, 429], "what is left can be had");
    assert_eq!((ask("/both", "6"), left("both")), (200, vec![14, 0, 24, 34]));
    assert_eq!((ask("/both", "6"), left("both")), (429, vec![8, 0, 18, 34]), "in any order");
}

/// Five failed logins for each address in a quarter of an hour.
fn login() -> Value {
    json!({"name": "login", "match": {"methods": "POST", "path": {"exact": "/login"}},
        "count": "responses", "statuses": [401, 403],
        "limits": [{"algorithm": "sliding_window", "quota": 5, "window": "15m"}]})
}

fn try_login(gateway: &Gateway, address: &str, password: &str) -> Message {
    Request::new("POST", "/login")
        .field("x-forwarded-for", address)
        .field("x-status", if password == "right" { "200" } else { "401" })
        .body(password)
        .ask(gateway.address())
}

#[test]
fn only_failed_logins_count() {
    let origin = Origin::start(as_told);
    let gateway = start(&[login()], &origin);
    let description = "address=192.0.2.1&method=POST&path=%2Flogin";
    let attempt = |password: &str| {
        let status = try_login(&gateway, "192.0.2.1", password).status();
        await_quiet(&gateway);
        status
    };
    for n in 0..20 {
        assert_eq!(attempt("right"), 200, "login {n}");
    }
    assert_eq!(remaining(&gateway, description), 5, "successful ones are free");
    for n in 1..=5 {
        assert_eq!(attempt("wrong"), 401, "guess {n}");
        assert_eq!(remaining(&gateway, description), 5 - n);
        if n < 5 {
            assert_eq!(attempt("right"), 200, "the owner gets in between");
        }
    }
    assert_eq!((attempt("wrong"), attempt("right")), (429, 429));
    assert_eq!(try_login(&gateway, "192.0.2.2", "right").status(), 200, "another address");
    let refused = try_login(&gateway, "192.0.2.1", "right");
    let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((800..=1_013).contains(&seconds), "the window, and a slice of it at most: {seconds}");
}

#[test]
fn guesses_at_the_same_time_are_five_as_well() {
    let origin = Origin::start(as_told);
    let gateway = start(&[login()], &origin);
    for round in 0..10 {
        let address = format!("192.0.2.{round}");
        let (before, together) = (origin.hits(), Barrier::new(16));
        let statuses: Vec<u16> = thread::scope(|scope| {
            let guess = || {
                together.wait();
                try_login(&gateway, &address, "wrong").status()
            };
            let guesses: Vec<_> = (0..16).map(|_| scope.spawn(guess)).collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        });
        let of = |status: u16| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((of(401), of(429)), (5, 11), "round {round}");
        assert_eq!(origin.hits() - before, 5);
    }
}

#[test]
fn a_guess_stays_charged_if_the_client_goes_away_before_the_answer() {
    let origin = Origin::start(|_| Act::Hang);
    let gateway = start(&[login()], &origin);
    for n in 1..=5 {
        let mut client = TcpStream::connect(gateway.address()).unwrap();
        client.write_all(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx").unwrap();
        assert!(wait::until(PATIENCE, || (origin.hits() == n).then_some(())).is_some());
        drop(client);
        await_quiet(&gateway);
    }
    origin.play(as_told);
    assert_eq!(try_login(&gateway, "127.0.0.1", "right").status(), 429);
    assert_eq!(remaining(&gateway, "address=127.0.0.1&method=POST&path=%2Flogin"), 0);
    assert_eq!(origin.hits(), 5);
}

#[test]
fn a_guess_stays_charged_if_it_times_out_and_not_if_no_upstream_was_asked() {
    let origin = Origin::start(|_| Act::Hang);
    let mut slow = login();
    slow["match"] = json!({"path": {"prefix": "/slow"}});
    let mut deserted = login();
    deserted["name"] = json!("deserted");
    deserted["match"] = json!({"path": {"prefix": "/deserted"}});
    let gateway = start(&[slow, deserted], &origin);
    assert_eq!([gateway.get("/slow").status(), gateway.get("/deserted").status()], [504, 503]);
    await_quiet(&gateway);
    assert_eq!(remaining(&gateway, "path=%2Fslow"), 4, "the upstream may have judged it");
    assert_eq!(remaining(&gateway, "path=%2Fdeserted"), 5);
}

/// A rule that gives back, for the paths below that of its name.
fn refunding(name: &str, refund: &Value) -> Value {
    json!({"name": name, "match": {"path": {"prefix": format!("/{name}")}}, "refund": refund,
        "limits": [{"quota": 10, "window": "1h"}]})
}

#[test]
fn what_failed_and_what_was_not_modified_is_given_back() {
    let origin = Origin::start(|request| match request.target() {
        "/any/cut" => Act::Cut(Vec::new()),
        _ => as_told(request),
    });
    let mut deserted = refunding("deserted", &json!({"statuses": "5xx"}));
    let any = refunding("any", &json!({"statuses": [304, "5xx"]}));
    let mut kept = deserted.clone();
    kept["name"] = json!("kept");
    kept.as_object_mut().unwrap().remove("refund");
    deserted["limits"] = json!([{"quota": 20, "window": "1h"}]);
    let gateway = start(&[any, deserted, kept], &origin);
    let ask = |target: &str, status: &str| {
        let answer = Request::get(target).field("x-status", status).ask(gateway.address());
        await_quiet(&gateway);
        (answer.status(), remaining(&gateway, &format!("path={}", target.replace('/', "%2F"))))
    };
    assert_eq!(ask("/any", "200"), (200, 9));
    assert_eq!(ask("/any", "500"), (500, 9));
    assert_eq!(ask("/any", "599"), (599, 9));
    assert_eq!(ask("/any", "304"), (304, 9));
    assert_eq!(ask("/any", "404"), (404, 8));
    assert_eq!(ask("/any/cut", ""), (503, 8), "the upstream cut the connection");
    assert_eq!(ask("/deserted", ""), (503, 20), "no upstream is there");
    let kept = operations::read(&gateway, "/state?path=%2Fdeserted&rule=kept");
    assert_eq!(
        kept["rules"][0]["limits"][0]["remaining"], 9,
        "only the rule that says so: {kept:#}"
    );
}

#[test]
fn answers_from_the_cache_are_given_back_in_one_module_and_in_two() {
    let origin = Origin::start(|request| {
        let fields = [
            ("cache-control", if request.target() == "/a" { "max-age=600" } else { "no-store" }),
            ("etag", "\"1\""),
            // What an upstream says of its own cache makes nothing free.
            ("cache-status", "weir; hit"),
        ];
        Act::response(200, &fields, "a")
    });
    let rate_limit = json!({"operations": operations::section(), "rules": [
        {"name": "all", "refund": {"cache_hits": true}, "limits": [{"quota": 5, "window": "1h"}]},
    ]});
    let together = json!({"rate_limit": rate_limit, "response_cache": {}});
    let one = Setup::new("gateway", &together, origin.address());
    let two = Setup::new("rate-limit", &rate_limit, origin.address());
    for setup in [one, two.behind("response-cache", &json!({}))] {
        let gateway = setup.workers(2).start();
        let ask = |request: Request| {
            let answer = request.ask(gateway.address());
            await_quiet(&gateway);
            (answer.status(), remaining(&gateway, ""))
        };
        assert_eq!(ask(Request::get("/a")), (200, 4), "a miss costs");
        for _ in 0..8 {
            assert_eq!(ask(Request::get("/a")), (200, 4), "a hit is free");
        }
        assert_eq!(ask(Request::get("/a").field("if-none-match", "\"1\"")), (304, 4));
        assert_eq!(ask(Request::get("/b")), (200, 3), "never stored");
        assert_eq!(ask(Request::get("/b")), (200, 2));
    }
}
