//! What holds for any exchanges: nothing is lost, nothing is counted twice, nothing grows without bound.
#![cfg(all(test, not(target_arch = "wasm32")))]

use std::collections::BTreeSet;
use std::rc::Rc;

use kit::exchange::Attribute;
use kit::fake::{FakeExchange, FakeHost};
use kit::{Filter, Nanos, config};
use proptest::prelude::*;
use weir_metrics::config::Status;
use weir_metrics::facts::Facts;
use weir_metrics::labels::{Answerer, Class, Method};
use weir_metrics::policy;
use weir_metrics::series::Table;
use weir_metrics::{Config, Metrics};

const DETAILS: [&str; 5] =
    ["via_upstream", "weir_limited", "route_not_found", "downstream_remote_disconnect", ""];

type Exchange = (Option<Vec<u8>>, Option<Vec<u8>>, u64, &'static str);

/// Few routes and methods that occur often, and any bytes at all.
fn exchange() -> impl Strategy<Value = Exchange> {
    let word = || {
        prop_oneof![Just(b"GET".to_vec()), any::<Vec<u8>>(), any::<[u8; 1]>().prop_map(Vec::from)]
    };
    let status = prop_oneof![Just(0), 100..600_u64, any::<u64>()];
    (
        proptest::option::of(word()),
        proptest::option::of(word()),
        status,
        proptest::sample::select(&DETAILS[..]),
    )
}

fn facts(exchange: &Exchange) -> Facts {
    let (route, method, status, details) = exchange;
    let (from, outcome) = policy::judge(*status, details.as_bytes(), || true);
    Facts {
        route: route.as_deref().map(Rc::from),
        method: Method::of(method.as_deref()),
        status: *status,
        details: Some(Rc::from(details.as_bytes())),
        from,
        outcome,
        duration: Some(Nanos(1)),
        bytes: Some((2, 3)),
        ..Facts::default()
    }
}

/// The sum over all series of a family, and how many there are.
fn total(host: &FakeHost, family: &str, part: &str) -> (i64, usize) {
    let prefix = format!("{family};");
    let names = host.metric_names();
    let found: Vec<&String> =
        names.iter().filter(|n| n.starts_with(&prefix) && n.contains(part)).collect();
    (found.iter().filter_map(|name| host.metric(name)).sum(), found.len())
}

/// The values of the label `route`.
fn routes(host: &FakeHost) -> BTreeSet<String> {
    let route = |name: &String| {
        let rest = name.strip_prefix("weir_metrics_requests_total;route=")?;
        Some(rest.split(";method=").next()?.to_owned())
    };
    host.metric_names().iter().filter_map(route).collect()
}

proptest! {
    #[test]
    fn every_exchange_is_in_exactly_one_series(
        exchanges in proptest::collection::vec(exchange(), 0..200),
        max_series in 1..20_usize,
        has_codes: bool,
    ) {
        let host = FakeHost::default();
        let status = if has_codes { Status::Code } else { Status::Class };
        let config = Config { max_series, bytes: true, status, ..Config::default() };
        let mut table = Table::new(&config, &host);
        for exchange in &exchanges {
            table.count(&host, &facts(exchange));
        }
        let n = i64::try_from(exchanges.len()).unwrap();
        let (requests, n_series) = total(&host, "weir_metrics_requests_total", "");
        prop_assert_eq!(requests, n);
        let latencies = exchanges.iter().filter(|it| policy::latency(&facts(it)).is_some()).count();
        let durations = total(&host, "weir_metrics_request_duration_milliseconds", "").0;
        prop_assert_eq!(durations, i64::try_from(latencies).unwrap());
        prop_assert_eq!(total(&host, "weir_metrics_request_bytes_total", "").0, 2 * n);
        prop_assert_eq!(total(&host, "weir_metrics_response_bytes_total", "").0, 3 * n);
        prop_assert_eq!(total(&host, "weir_metrics_flow_total", "").0, n);
        for route in routes(&host) {
            let of_route = |family| total(&host, family, &format!(";route={route};")).0;
            let flow = of_route("weir_metrics_flow_total");
            prop_assert_eq!(flow, of_route("weir_metrics_requests_total"), "{}", route);
        }
        prop_assert!(table.len() <= max_series);
        prop_assert!(n_series <= max_series + Class::ALL.len() * Answerer::ALL.len());
        for class in Class::ALL {
            let expected = exchanges.iter().filter(|x| facts(x).class() == class).count();
            let label = format!(";class={};", class.as_str());
            let counted = total(&host, "weir_metrics_requests_total", &label).0;
            prop_assert_eq!(counted, i64::try_from(expected).unwrap());
        }
    }

    #[test]
    fn consumers_add_up_and_are_bounded(
        // By worker, consumer, status; consumer 0 has no key, from 200 on it is a tick.
        steps in proptest::collection::vec((0..3_usize, prop_oneof![0..5_u8, 0..40_u8, any::<u8>()], 0..700_u64), 0..1_000),
        max in 1..6_usize,
        conflicts in 0..9_u32,
    ) {
        let host = FakeHost::default();
        let text = format!(r#"{{"consumers": {{"key": "header:x-key", "max": {max}}}}}"#);
        let workers: [Metrics; 3] = std::array::from_fn(|_| {
            Metrics::new(config::load("metrics", text.as_bytes(), Metrics::read).unwrap(), &host)
        });
        host.schedule_conflicts(conflicts);
        let mut n_exchanges = 0;
        for (worker, consumer, status) in &steps {
            if *consumer >= 200 {
                host.advance(Nanos::from_millis(250));
                workers[*worker].on_tick(&host);
                continue;
            }
            let key = consumer.to_string();
            let headers = [("x-key", key.as_str())];
            let x = FakeExchange::get(&host, "/", if *consumer == 0 { &[] } else { &headers })
                .with_attribute(Attribute::ResponseCode, &status.to_le_bytes());
            let mut stream = Default::default();
            workers[*worker].on_request_headers(&mut stream, &x, true);
            workers[*worker].on_log(&mut stream, &x);
            n_exchanges += 1;
        }
        let family = "weir_metrics_consumer_requests_total";
        prop_assert_eq!(total(&host, family, "").0, n_exchanges);
        let labels: BTreeSet<String> = host
            .metric_names()
            .into_iter()
            .filter(|name| name.starts_with(family))
            .filter_map(|name| Some(name.split(';').nth(1)?.to_owned()))
            .collect();
        prop_assert!(labels.len() <= max + 2, "{labels:?}");
    }
}
