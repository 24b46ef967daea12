//! What a request costs, counted: exact, repeatable, and held in `tests/sim/cost.golden`.
//!
//! A change of a number there is a change of the product; the commit that makes it says why.
//! `make costs` writes the table anew.

use std::fmt::Write;
use std::time::Duration;

use harness::filters::configuration;
use harness::sim::{
    Answer, Cost, Fleet, Module, Outcome, PLAIN_REQUEST_NANOS, Request, Response, Upstream, World,
    root,
};

/// What comes before the request that is measured.
#[derive(Clone, Copy)]
enum Before {
    /// So many of its like, answered in the same way.
    Same(usize),
    /// One of its like, answered in this other way.
    Answered(fn() -> Upstream),
    /// One of its like is under way; it is answered while this one waits.
    Waiting,
}

/// A row of the table.
struct Scenario {
    module: &'static str,
    name: &'static str,
    /// The module's configuration; none is the one that the other tests use.
    configuration: Option<&'static str>,
    /// What happens before the one that is measured.
    before: Before,
    request: fn() -> Request,
    upstream: fn() -> Upstream,
    /// The most that it may cost above plain proxying, in percent of a plain proxied request.
    budget: Option<u64>,
}

const LIMIT_ONE: &str = r#"{"rules":[{"name":"r","limits":[{"quota":1,"window":"1h"}]}]}"#;
const TWO_RULES: &str = r#"{"rules":[
    {"name":"a","limits":[{"quota":100,"window":"1h"}]},
    {"name":"b","limits":[{"quota":100,"window":"1h"},{"quota":9,"window":"1s"}]}]}"#;
const SLIDING: &str = r#"{"rules":[{"name":"r","limits":[{"algorithm":"sliding_window","quota":100,"window":"1h"}]}]}"#;
const TOLD: &str = r#"{"fields":{"ratelimit":"ietf"},"rules":[{"name":"r","limits":[{"quota":100,"window":"1h"}]}]}"#;
const SETTLED: &str = r#"{"rules":[{"name":"r","limits":[{"quota":100,"window":"1h"}],"refund":{"statuses":[200]}}]}"#;
const GATEWAY_LIMIT_ONE: &str = r#"{"metrics":{},"rate_limit":{"rules":[{"name":"r","limits":[{"quota":1,"window":"1h"}]}]},"response_cache":{},"circuit_breaker":{"rules":[{"name":"all"}]}}"#;
const OPENS_AT_ONCE: &str =
    r#"{"rules":[{"name":"all","consecutive":{"failures":1},"ratio":{"enabled":false}}]}"#;

const CONSUMERS: &str = r#"{"consumers":{"key":"header:cookie"}}"#;
const BACKGROUND: &str = r#"{"background":{"cluster":"loopback"}}"#;

const RATE_LIMIT: &str = "weir_rate_limit";
const CACHE: &str = "weir_response_cache";
const BREAKER: &str = "weir_circuit_breaker";
const METRICS: &str = "weir_metrics";
const GATEWAY: &str = "weir_gateway";

/// Each filter alone may add a fifth to a plain request, the gateway three tenths.
const ALONE: Option<u64> = Some(20);
const TOGETHER: Option<u64> = Some(30);

#[rustfmt::skip]
const SCENARIOS: [Scenario; 23] = [
    Scenario { module: RATE_LIMIT, name: "admitted", configuration: None, before: Before::Same(2), request: get, upstream: plain, budget: ALONE },
    Scenario { module: RATE_LIMIT, name: "admitted, sliding", configuration: Some(SLIDING), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: RATE_LIMIT, name: "admitted, two rules", configuration: Some(TWO_RULES), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: RATE_LIMIT, name: "admitted, told", configuration: Some(TOLD), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: RATE_LIMIT, name: "admitted, refunded", configuration: Some(SETTLED), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: RATE_LIMIT, name: "answered 429", configuration: Some(LIMIT_ONE), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: CACHE, name: "hit, 1 KiB", configuration: None, before: Before::Same(5), request: get, upstream: kibibyte, budget: None },
    Scenario { module: CACHE, name: "hit, second level", configuration: None, before: Before::Same(1), request: get, upstream: kibibyte, budget: None },
    Scenario { module: CACHE, name: "hit, 64 KiB", configuration: None, before: Before::Same(5), request: get, upstream: kibibytes, budget: None },
    Scenario { module: CACHE, name: "stale hit, 1 KiB", configuration: Some(BACKGROUND), before: Before::Same(2), request: get, upstream: stale, budget: None },
    Scenario { module: CACHE, name: "validated, 1 KiB", configuration: None, before: Before::Answered(tagged), request: get, upstream: not_modified, budget: None },
    Scenario { module: CACHE, name: "waited, 1 KiB", configuration: None, before: Before::Waiting, request: get, upstream: kibibyte, budget: None },
    Scenario { module: CACHE, name: "miss, stored, 1 KiB", configuration: None, before: Before::Same(0), request: get, upstream: kibibyte, budget: None },
    Scenario { module: CACHE, name: "miss, not stored", configuration: None, before: Before::Same(2), request: get, upstream: plain, budget: ALONE },
    Scenario { module: CACHE, name: "POST", configuration: None, before: Before::Same(2), request: post, upstream: plain, budget: ALONE },
    Scenario { module: BREAKER, name: "admitted, closed", configuration: None, before: Before::Same(2), request: get, upstream: plain, budget: ALONE },
    Scenario { module: BREAKER, name: "admitted, failed", configuration: None, before: Before::Same(2), request: get, upstream: failure, budget: None },
    Scenario { module: BREAKER, name: "rejected, open", configuration: Some(OPENS_AT_ONCE), before: Before::Same(2), request: get, upstream: failure, budget: None },
    Scenario { module: METRICS, name: "counted", configuration: None, before: Before::Same(2), request: get, upstream: plain, budget: ALONE },
    Scenario { module: METRICS, name: "counted, consumers", configuration: Some(CONSUMERS), before: Before::Same(2), request: get, upstream: plain, budget: None },
    Scenario { module: GATEWAY, name: "admitted, not stored", configuration: None, before: Before::Same(2), request: get, upstream: plain, budget: TOGETHER },
    Scenario { module: GATEWAY, name: "hit, 1 KiB", configuration: None, before: Before::Same(5), request: get, upstream: kibibyte, budget: None },
    Scenario { module: GATEWAY, name: "answered 429", configuration: Some(GATEWAY_LIMIT_ONE), before: Before::Same(2), request: get, upstream: plain, budget: None },
];

/// A request like a browser's: nine headers and a cookie.
fn get() -> Request {
    Request::get("/articles/42?page=2")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
        .header("cookie", "session=0123456789abcdef; theme=dark")
}

fn post() -> Request {
    let mut request = get().chunk("a=b");
    request.headers.set(b":method", b"POST");
    request
}

fn plain() -> Upstream {
    Upstream::Answers(Response::new(200, "hello").header("cache-control", "no-store"))
}

fn kibibyte() -> Upstream {
    cacheable(1)
}

fn kibibytes() -> Upstream {
    cacheable(64)
}

fn cacheable(kibibytes: usize) -> Upstream {
    let body = vec![b'x'; kibibytes * 1_024];
    Upstream::Answers(Response::new(200, body).header("cache-control", "max-age=60"))
}

/// Stale for 40 seconds when it comes.
fn stale() -> Upstream {
    aged("max-age=60, stale-while-revalidate=600", 200, "x".repeat(1_024))
}

fn tagged() -> Upstream {
    aged("max-age=60", 200, "x".repeat(1_024))
}

fn not_modified() -> Upstream {
    aged("max-age=60", 304, String::new())
}

fn aged(control: &str, status: u16, body: String) -> Upstream {
    let response = Response::new(status, body).header("cache-control", control);
    Upstream::Answers(response.header("age", "100").header("etag", "\"1\""))
}

fn failure() -> Upstream {
    Upstream::status(500)
}

fn measure(scenario: &Scenario) -> Outcome {
    let world = World::new(1);
    let module = Module::shipped(scenario.module);
    let own = scenario.configuration.map_or_else(|| configuration(scenario.module), str::to_owned);
    let fleet = Fleet::start(&world, &module, 1, own)
        .unwrap_or_else(|lines| panic!("{}: {lines:?}", scenario.module));
    // Background requests are never answered: a refresh stays under way.
    world.cluster("loopback", |_| Answer::Silent);
    let run = |upstream: fn() -> Upstream| {
        let outcome = fleet.worker(0).request((scenario.request)()).run(upstream);
        world.advance(Duration::from_millis(10));
        outcome
    };
    match scenario.before {
        Before::Same(times) => (0..times).for_each(|_| drop(run(scenario.upstream))),
        Before::Answered(otherwise) => drop(run(otherwise)),
        Before::Waiting => {
            let mut first = fleet.worker(0).request((scenario.request)());
            first.request_headers();
            let mut waiting = fleet.worker(0).request((scenario.request)());
            waiting.request_headers();
            assert!(waiting.is_held(), "{}", scenario.name);
            let worker = fleet.worker(0);
            drop(worker.take_cost());
            first.complete(scenario.upstream);
            let mut outcome = waiting.complete(|| panic!("it has waited in vain"));
            // It is woken, and answered, in a callback that is no stream's.
            outcome.cost.add(&worker.take_cost());
            return outcome;
        }
    }
    run(scenario.upstream)
}

/// Microseconds with one digit.
fn micros(nanos: u64) -> String {
    format!("{}.{}", nanos / 1_000, nanos % 1_000 / 100)
}

/// Host calls by kind: the number of calls and the short name.
fn calls(cost: &Cost) -> String {
    let short = |name: &str| name.trim_start_matches("proxy_").to_owned();
    let listed: Vec<_> =
        cost.calls.iter().map(|(name, count)| format!("{count} {}", short(name))).collect();
    listed.join(", ")
}

fn table() -> String {
    let mut text = String::from(
        "\
# Counted costs of one request, in the simulated host. `make costs` writes this file.
#
# Exact: entries (callbacks entered), calls (host calls, listed on the right), fuel (WebAssembly operators), heap (pages of 64 KiB
# beyond those that the module starts with, whose number hangs on the length of paths in its messages).
# Estimated: us = entries x 0.5 + host calls at their prices measured on Envoy 1.40 + fuel x 0.03 ns.
# A plain proxied request costs Envoy 42 us; the budget is what may come on top of it
# (a fifth for a filter alone, three tenths for the gateway); the benchmark on a real Envoy has the last word.
#
# module                scenario               entries  calls    fuel   heap  est. us  budget us  host calls
",
    );
    for scenario in &SCENARIOS {
        let outcome = measure(scenario);
        assert_eq!(outcome.trap, None, "{} {}", scenario.module, scenario.name);
        let cost = &outcome.cost;
        let budget = scenario
            .budget
            .map_or_else(|| "-".to_owned(), |share| micros(PLAIN_REQUEST_NANOS * share / 100));
        writeln!(
            text,
            "{:<23} {:<22} {:>7} {:>6} {:>7} {:>6} {:>8} {:>10}  {}",
            scenario.module,
            scenario.name,
            cost.callbacks,
            cost.total_calls(),
            cost.fuel,
            cost.pages.saturating_sub(Module::shipped(scenario.module).initial_pages()),
            micros(cost.nanos()),
            budget,
            calls(cost),
        )
        .expect("a string takes everything");
    }
    text
}

#[test]
fn the_counted_costs_are_those_of_the_table() {
    let path = root().join("tests/sim/cost.golden");
    let found = table();
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<_> = found
        .lines()
        .filter(|line| !expected.lines().any(|old| old == *line))
        .map(|line| format!("now  {line}"))
        .chain(
            expected
                .lines()
                .filter(|line| !found.lines().any(|new| new == *line))
                .map(|line| format!("was  {line}")),
        )
        .collect();
    assert!(
        found == expected,
        "costs changed; if that is meant, run `make costs` and say why in the commit:\n{}",
        changed.join("\n")
    );
}

#[test]
fn the_gateway_fetches_the_request_headers_once() {
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.module == GATEWAY) {
        let cost = measure(scenario).cost;
        let maps = cost.count("proxy_get_header_map_pairs");
        // One more for the response headers, which the cache and the log look at.
        assert!(maps <= 2, "{}: {}", scenario.name, calls(&cost));
    }
}

/// What a hit may cost: one header map, one get of shared data (two if the object is not in the worker's own memory),
/// one reading of a clock, one reply. Only the first hits write, how often it was used.
#[test]
fn a_hit_takes_one_header_map_one_get_one_clock_and_one_reply() {
    let hits = [("hit, 1 KiB", 1, 0), ("hit, 64 KiB", 1, 0), ("hit, second level", 2, 1)];
    for (name, n_gets, n_sets) in hits {
        let mut scenarios = SCENARIOS.iter();
        let scenario = scenarios.find(|scenario| scenario.module == CACHE && scenario.name == name);
        let outcome = measure(scenario.expect("it is in the table"));
        let cost = &outcome.cost;
        assert!(!outcome.forwarded, "{name}");
        let found = [
            "proxy_get_header_map_pairs",
            "proxy_get_shared_data",
            "clock_time_get",
            "proxy_send_local_response",
            "proxy_set_shared_data",
        ]
        .map(|function| cost.count(function));
        assert_eq!(found, [1, n_gets, 1, 1, n_sets], "{name}: {}", calls(cost));
    }
}
