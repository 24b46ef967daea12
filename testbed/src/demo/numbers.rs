//! The counters in Prometheus against what was sent.

use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Sent, json, text};
use super::report::Step;
use crate::stack::run::Stop;

/// How long Prometheus, which asks every second, may take to have seen the last request.
const SCRAPED_WITHIN: Duration = Duration::from_secs(20);

/// A counter by its name and the labels that are looked at.
struct Counter {
    /// What it counts, for people.
    what: &'static str,
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    /// Which requests of the story it has to have counted.
    counts: fn(&Sent) -> bool,
}

/// What is compared. The labels are those of `testbed/envoy/envoy.yaml` and of the filters.
const COUNTERS: [Counter; 6] = [
    Counter {
        what: "requests at Envoy's listener",
        name: "envoy_http_downstream_rq_total",
        labels: &[("envoy_http_conn_manager_prefix", "gateway")],
        counts: |_| true,
    },
    Counter {
        what: "requests in the metrics filter",
        name: "weir_metrics_requests_total",
        labels: &[],
        counts: |_| true,
    },
    Counter {
        what: "requests that the limit admitted",
        name: "weir_rate_limit_requests_total",
        labels: &[("rule", "demo"), ("decision", "admit")],
        counts: |sent| sent.route == "limited" && sent.status == 200,
    },
    Counter {
        what: "requests that the limit refused",
        name: "weir_rate_limit_requests_total",
        labels: &[("rule", "demo"), ("decision", "limit")],
        counts: |sent| sent.route == "limited" && sent.status == 429,
    },
    Counter {
        what: "requests that the cache answered",
        name: "weir_response_cache_requests_total",
        labels: &[("rule", "demo"), ("decision", "hit")],
        counts: |sent| sent.is_hit,
    },
    Counter {
        what: "requests that the breaker rejected",
        name: "weir_circuit_breaker_requests_total",
        labels: &[("breaker", "demo/fragile"), ("decision", "reject")],
        counts: |sent| sent.is_rejected,
    },
];

/// The counters at one moment, in the order of `COUNTERS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<u64>);

impl Numbers {
    /// What Envoy itself says now, less what the story has sent so far: what was there before the story.
    ///
    /// # Errors
    /// Envoy's admin does not answer.
    pub fn of_envoy(client: &Client) -> Result<Self, String> {
        let page = text(client.state.admin, "/stats/prometheus")?;
        let before =
            |counter: &Counter| sum(&page, counter).saturating_sub(client.n_sent(counter.counts));
        Ok(Self(COUNTERS.iter().map(before).collect()))
    }

    /// What Prometheus has seen.
    fn of_prometheus(client: &Client) -> Result<Self, String> {
        COUNTERS.iter().map(|counter| query(client, counter)).collect::<Result<_, _>>().map(Self)
    }
}

/// Waits until Prometheus has seen exactly what was sent since `before`.
///
/// # Errors
/// It has not, with the counters that differ.
pub fn equal(client: &Client, before: &Numbers, stop: &Stop, step: &Step) -> Result<(), String> {
    let expected = Numbers(
        COUNTERS
            .iter()
            .zip(&before.0)
            .map(|(counter, before)| before + client.n_sent(counter.counts))
            .collect(),
    );
    step.did("asked Prometheus for the counters, less what they were before the story");
    let mut last = Err("Prometheus was not asked".to_owned());
    stop.or_until(SCRAPED_WITHIN, || {
        last = Numbers::of_prometheus(client);
        (last.as_ref() == Ok(&expected)).then_some(())
    });
    let mut wrong = Vec::new();
    for (((counter, before), expected), seen) in
        COUNTERS.iter().zip(&before.0).zip(&expected.0).zip(&last?.0)
    {
        let (sent, seen) = (expected - before, seen.saturating_sub(*before));
        step.saw(&format!("{}: {seen}, sent {sent}", counter.what));
        if seen != sent {
            wrong.push(counter.what);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("these differ: {}", wrong.join(", "))) }
}

/// The sum of a counter's series on a page in Prometheus' text format.
fn sum(page: &str, counter: &Counter) -> u64 {
    let is_wanted = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        name == counter.name
            && counter
                .labels
                .iter()
                .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    let value = |line: &str| line.rsplit_once(' ')?.1.parse::<u64>().ok();
    page.lines().filter(is_wanted).filter_map(value).sum()
}

fn query(client: &Client, counter: &Counter) -> Result<u64, String> {
    let labels: Vec<String> =
        counter.labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let expression = format!("sum({}{{{}}})", counter.name, labels.join(","));
    let answer =
        json(client.state.prometheus, &format!("/api/v1/query?query={}", escaped(&expression)))?;
    let result = answer.pointer("/data/result/0/value/1").and_then(Value::as_str);
    // A counter that was never touched has no series.
    result.unwrap_or("0").parse().map_err(|e| format!("{expression}: {e}"))
}

/// An expression as the value of a query parameter.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_counter_are_added_up_by_their_labels() {
        let page = "# TYPE weir_rate_limit_requests_total counter\n\
                    weir_rate_limit_requests_total{rule=\"demo\",decision=\"admit\"} 5\n\
                    weir_rate_limit_requests_total{decision=\"limit\",rule=\"demo\"} 2\n\
                    weir_rate_limit_requests_total{decision=\"limit\",rule=\"other\"} 7\n\
                    weir_metrics_requests_total{route=\"a\"} 3\nweir_metrics_requests_total{route=\"b\"} 4\n";
        assert_eq!(COUNTERS.map(|counter| sum(page, &counter)), [0, 7, 5, 2, 0, 0]);
    }

    #[test]
    fn expressions_are_escaped_for_a_query() {
        assert_eq!(escaped("sum(a_b{c=\"d\"})"), "sum%28a_b%7Bc%3D%22d%22%7D%29");
    }
}
