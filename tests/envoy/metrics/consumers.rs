//! Consumers through a real Envoy with four workers: who gets series, and that they add up.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use harness::client::{Connection, Request};
use harness::gateway::{Gateway, PATIENCE, Setup};
use harness::origin::{Act, Origin};
use serde_json::{Value, json};
use weir_testbed::wait;

use super::operations::{ask, read, section};

const FAMILY: &str = "weir_metrics_consumer_requests_total";

/// Consumers that may have series.
const MAX: usize = 5;
/// All is sent in so many waves: in none are there more names than one worker takes note of between two ticks.
const WAVES: u64 = 4;
/// Connections of each consumer that sends much, so that several workers meet it.
const CONNECTIONS: u64 = 2;
/// Consumers that send much, and how much on each connection in each wave.
const HEAVY: [(&str, u64); 3] = [("tenant-a", 50), ("tenant-b", 30), ("tenant-c", 15)];
/// Consumers that send less than a place takes, all in the first wave.
const N_LIGHT: u64 = 9;
const LIGHT: u64 = 10;
/// Names that are invented for one request each.
const N_INVENTED: u64 = 500;
/// Requests without a key, in the first wave.
const N_NOBODY: u64 = 20;
const ALL_WITH_KEY: u64 = WAVES * CONNECTIONS * (50 + 30 + 15) + N_LIGHT * LIGHT + N_INVENTED;

fn settings(max: usize, show: bool) -> Value {
    json!({
        "operations": section(),
        "consumers": {"key": "header:x-tenant", "max": max, "show": show},
    })
}

fn start(configuration: &Value) -> (Origin, Gateway) {
    let origin = Origin::start(|request| match request.target() {
        "/missing" => Act::response(404, &[], ""),
        target => Act::response(200, &[], target),
    });
    let gateway = Setup::new("metrics", configuration, origin.address()).workers(4).start();
    (origin, gateway)
}

fn of(tenant: &str) -> Request {
    Request::get("/").field("x-tenant", tenant)
}

fn times(tenant: &str, n: u64) -> Vec<Request> {
    (0..n).map(|_| of(tenant)).collect()
}

/// What everybody sends in a wave, by connection.
fn everybody(wave: u64) -> Vec<Vec<Request>> {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        all.extend(HEAVY.map(|(name, n)| times(name, n)));
    }
    let invented = (0..N_INVENTED).filter(|n| n % WAVES == wave);
    all.push(invented.map(|n| of(&format!("tenant-invented-{n}"))).collect());
    if wave == 0 {
        all.extend((0..N_LIGHT).map(|n| times(&format!("tenant-light-{n}"), LIGHT)));
        all.push((0..N_NOBODY).map(|_| Request::get("/missing")).collect());
    }
    all
}

/// Sends all waves, each when the one before is added up; the list at the end.
fn send_all(gateway: &Gateway, before: u64) -> Value {
    let mut sent = before;
    let mut list = Value::Null;
    for wave in 0..WAVES {
        let all = everybody(wave);
        send(gateway, &all);
        let with_key: usize = all.iter().map(Vec::len).sum();
        sent += with_key as u64 - if wave == 0 { N_NOBODY } else { 0 };
        let listed = || Some(read(gateway, "/consumers")).filter(|it| it["requests"] == sent);
        let listed = wait::until(PATIENCE, listed);
        list = listed.unwrap_or_else(|| panic!("not {sent}: {:#}", read(gateway, "/consumers")));
    }
    list
}

/// Sends all of it at once.
fn send(gateway: &Gateway, connections: &[Vec<Request>]) {
    thread::scope(|scope| {
        for requests in connections {
            scope.spawn(move || {
                let mut connection = Connection::open(gateway.address());
                for request in requests {
                    connection.ask(request).unwrap();
                }
            });
        }
    });
}

/// What a scrape says: requests by consumer and class.
fn scrape(gateway: &Gateway) -> BTreeMap<(String, String), u64> {
    let text = gateway.envoy.prometheus("weir_metrics_consumer").unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(FAMILY)?.strip_prefix('{'));
    let read = |line: &str| {
        let (labels, value) = line.rsplit_once("} ").unwrap();
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
            rest.split_once("\",").map_or(rest, |(value, _)| value).trim_end_matches('"').to_owned()
        };
        ((label("consumer"), label("class")), value.parse().unwrap())
    };
    lines.map(read).collect()
}

fn sum(scraped: &BTreeMap<(String, String), u64>, is_meant: impl Fn(&str) -> bool) -> u64 {
    scraped.iter().filter(|((label, _), _)| is_meant(label)).map(|(_, count)| count).sum()
}

/// The scrape, once all requests with a key are in it.
fn await_sum(gateway: &Gateway, expected: u64) -> BTreeMap<(String, String), u64> {
    let counted =
        || Some(scrape(gateway)).filter(|it| sum(it, |label| label != "_none") == expected);
    let counted = wait::until(PATIENCE, counted);
    counted.unwrap_or_else(|| panic!("not {expected}: {:#?}", scrape(gateway)))
}

#[test]
fn the_busiest_have_series_and_all_add_up() {
    let (_origin, gateway) = start(&settings(MAX, false));
    let list = send_all(&gateway, 0);
    let first = await_sum(&gateway, ALL_WITH_KEY);
    assert_eq!(first[&("_none".to_owned(), "4xx".to_owned())], N_NOBODY);
    let rows = list["consumers"].as_array().unwrap();
    let bounds: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| (row["at_least"].as_u64().unwrap(), row["at_most"].as_u64().unwrap()))
        .collect();
    assert_eq!((rows.len(), &list["max"], &list["with_series"]), (20, &json!(MAX), &json!(3)));
    for ((at_least, at_most), (name, n)) in bounds.iter().zip(HEAVY) {
        let truth = n * CONNECTIONS * WAVES;
        assert!(*at_least <= truth && truth <= *at_most, "{name} {truth}: {list:#}");
        assert!(at_most - at_least < 20, "the order is certain: {list:#}");
    }
    let heavy: Vec<&str> = rows[..3].iter().map(|row| row["consumer"].as_str().unwrap()).collect();
    assert!(rows.iter().enumerate().all(|(idx, row)| row["has_series"] == (idx < 3)), "{list:#}");
    // Another configuration, with a place less: the list is there before the first request.
    let before = scrape(&gateway);
    assert!(gateway.update(&settings(MAX - 1, false)), "{}", gateway.envoy.log_tail());
    send_all(&gateway, ALL_WITH_KEY);
    let after = await_sum(&gateway, 2 * ALL_WITH_KEY);
    let count = |scraped: &BTreeMap<_, _>, label: &str| sum(scraped, |found| found == label);
    for (label, (name, n)) in heavy.iter().zip(HEAVY) {
        let grown = count(&after, label) - count(&before, label);
        assert_eq!(grown, n * CONNECTIONS * WAVES, "{name}: {after:#?}");
    }
    let consumers: BTreeSet<&str> = after.keys().map(|(label, _)| label.as_str()).collect();
    let is_hash =
        |label: &&&str| label.len() == 16 && label.bytes().all(|it| it.is_ascii_hexdigit());
    assert!(consumers.contains("_other") && consumers.contains("_none"), "{consumers:?}");
    // The three, and one more at the most: who sent little the first time may have sent enough by now.
    let n_own = consumers.iter().filter(is_hash).count();
    assert!(n_own + 2 == consumers.len() && (3..MAX).contains(&n_own), "{consumers:?}");
    let everything = [
        gateway.envoy.prometheus("weir_").unwrap(),
        read(&gateway, "/consumers").to_string(),
        read(&gateway, "/stats").to_string(),
        gateway.envoy.log_tail(),
    ];
    assert!(everything.iter().all(|text| !text.contains("tenant-")), "{everything:?}");
}

#[test]
fn a_consumer_is_in_clear_if_asked_for() {
    let (_origin, gateway) = start(&settings(MAX, true));
    let name = r#"tenant "a";b"#;
    send(&gateway, &[times(name, 30)]);
    let listed = wait::until(PATIENCE, || {
        Some(read(&gateway, "/consumers")).filter(|it| it["with_series"] == 1)
    });
    let listed = listed.unwrap_or_else(|| panic!("{:#}", read(&gateway, "/consumers")));
    let row = json!({"consumer": r#"header "tenant \"a\"_b""#, "has_series": true, "at_least": 30, "at_most": 30});
    assert_eq!(listed["consumers"], json!([row]));
    assert!(gateway.update(&settings(MAX + 1, true)), "{}", gateway.envoy.log_tail());
    send(&gateway, &[times(name, 5)]);
    await_sum(&gateway, 35);
    let text = gateway.envoy.prometheus("weir_metrics_consumer").unwrap();
    let label = r#"consumer="header \"tenant \\\"a\\\"_b\"""#;
    // A worker of the configuration before may not have heard yet that this one has a place.
    let own =
        text.lines().find(|line| line.contains(label)).and_then(|line| line.rsplit(' ').next());
    assert!(own.is_some_and(|n| ["1", "2", "3", "4", "5"].contains(&n)), "{text}");
    assert_eq!(ask(&gateway, "DELETE", "/consumers").status(), 405);
}
