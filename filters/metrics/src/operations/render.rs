//! The answers as JSON. Times are seconds, with `_seconds` in their names, exact to a microsecond.

use std::time::{Duration, SystemTime};

use kit::meter::Gauge;
use kit::operations::json::{ok, put, put_some};
use kit::{Host, Nanos, Reply};
use serde_json::{Map, Value, json};

use crate::consumers::Busiest;
use crate::labels::{Class, Method, Outcome};
use crate::signals;
use crate::stats::failures::{Failure, Failures};
use crate::stats::histogram::MAX_RELATIVE_ERROR;
use crate::stats::tally::{Latency, Tally};
use crate::stats::window::{self, Slice};
use crate::stats::{Snapshot, flags};

/// The quantiles that are told, in thousandths.
const QUANTILES: [(&str, u32); 3] = [("p50", 500), ("p95", 950), ("p99", 990)];

/// What was counted since the last reset.
pub(super) fn stats(
    snapshot: &Snapshot,
    host: &dyn Host,
    in_flight: u64,
    n_routes: usize,
) -> Reply {
    let Snapshot { book, .. } = snapshot;
    let total = book.total();
    let mut object = header(snapshot);
    put(&mut object, "requests", json!(total.requests()));
    put(&mut object, "in_flight", json!(in_flight));
    put(&mut object, "operations", json!(book.operations));
    put(&mut object, "excluded", json!(book.excluded));
    let methods = Method::ALL.into_iter().zip(book.methods);
    put(&mut object, "by_method", counts(methods.map(|(method, n)| (method.as_str(), n))));
    put(&mut object, "by_class", classes(&total));
    let statuses = book.statuses.iter().map(|(status, n)| (status.to_string(), *n));
    put(&mut object, "by_status", counts(statuses));
    tally(&mut object, &total);
    let mut decisions = Map::new();
    for decided in &book.decisions {
        let words = decisions.entry(decided.filter.clone()).or_insert_with(|| json!({}));
        if let Some(words) = words.as_object_mut() {
            put(words, &decided.word, json!(decided.count));
        }
    }
    put(&mut object, "decisions", Value::Object(decisions));
    let of = |outcome| total.of_outcome(outcome);
    put(&mut object, "limits", json!({ "limited": of(Outcome::Limited) }));
    let hits = of(Outcome::Hit).saturating_add(of(Outcome::Stale));
    let mut cache = cache(host);
    put(&mut cache, "hits", json!(hits));
    put(&mut cache, "hit_ratio", ratio(hits, hits.saturating_add(of(Outcome::Upstream))));
    put(&mut object, "cache", Value::Object(cache));
    let mut breakers = breakers(host);
    put(&mut breakers, "refused", json!(of(Outcome::Refused)));
    put(&mut object, "breakers", Value::Object(breakers));
    let mut routes: Vec<&(Vec<u8>, Tally)> = book.routes.iter().collect();
    routes.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.requests()));
    put(&mut object, "routes", self::routes(&routes, n_routes));
    put(&mut object, "routes_known", json!(book.routes.len()));
    put(&mut object, "requests_of_other_routes", json!(book.folded.requests()));
    ok(&Value::Object(object))
}

/// Throughput, latency and errors of the last minutes, and the slowest routes.
pub(super) fn performance(
    snapshot: &Snapshot,
    slices: impl Fn(Nanos) -> Vec<Slice>,
    n_routes: usize,
) -> Reply {
    let Snapshot { now, book } = snapshot;
    let mut object = header(snapshot);
    let all = slices(Nanos::from_mins(5));
    let windows = [Nanos::MINUTE, Nanos::from_mins(5)].map(|length| {
        let span = window::span(*now, length).0.min(now.saturating_sub(book.reset_at).0);
        let began = now.saturating_sub(window::span(*now, length));
        let mut sum = Tally::default();
        for slice in all.iter().filter(|slice| slice.began() >= began) {
            sum.merge(&slice.tally);
        }
        let mut window = Map::new();
        put(&mut window, "window_seconds", json!(length.as_secs()));
        put(&mut window, "span_seconds", seconds(Nanos(span)));
        put(&mut window, "requests", json!(sum.requests()));
        put(&mut window, "requests_per_second", per_second(sum.requests(), Nanos(span)));
        put(&mut window, "by_class", classes(&sum));
        tally(&mut window, &sum);
        Value::Object(window)
    });
    put(&mut object, "windows", json!(windows));
    let mut since_reset = Map::new();
    let total = book.total();
    let span = now.saturating_sub(book.reset_at);
    put(&mut since_reset, "requests", json!(total.requests()));
    put(&mut since_reset, "requests_per_second", per_second(total.requests(), span));
    put(&mut since_reset, "by_class", classes(&total));
    tally(&mut since_reset, &total);
    put(&mut object, "since_reset", Value::Object(since_reset));
    let mut slowest: Vec<&(Vec<u8>, Tally)> =
        book.routes.iter().filter(|(_, tally)| !tally.latency.is_empty()).collect();
    slowest.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.latency.quantile(950)));
    put(&mut object, "slowest_routes", routes(&slowest, n_routes));
    let history = all.iter().map(|slice| {
        let Tally { latency, .. } = &slice.tally;
        let mut point = Map::new();
        put(&mut point, "began_seconds_ago", seconds(now.saturating_sub(slice.began())));
        put(&mut point, "requests", json!(slice.tally.requests()));
        put(&mut point, "errors", json!(slice.tally.errors()));
        put(&mut point, "latency_seconds", self::latency(latency));
        Value::Object(point)
    });
    put(&mut object, "slice_seconds", json!(window::SLICE.as_secs()));
    put(&mut object, "history", history.collect());
    ok(&Value::Object(object))
}

/// The latest failures.
pub(super) fn errors(failures: &Failures, max: usize, limit: usize) -> Reply {
    let latest: Vec<Value> = failures.kept.iter().rev().take(limit).map(failure).collect();
    ok(&json!({ "failures": failures.total, "max": max, "latest": latest }))
}

/// The busiest consumers.
pub(super) fn consumers(busiest: &Busiest, limit: usize) -> Reply {
    let consumers = busiest.consumers.iter().take(limit).map(|busy| {
        json!({
            "consumer": busy.consumer,
            "has_series": busy.has_series,
            "at_least": busy.at_least,
            "at_most": busy.at_most,
        })
    });
    ok(&json!({
        "span_seconds": seconds(busiest.span),
        "requests": busiest.requests,
        "max": busiest.max,
        "with_series": busiest.with_series,
        "consumers": consumers.collect::<Vec<Value>>(),
    }))
}

/// What the cache holds now, as its own gauges say.
pub(super) fn cache(host: &dyn Host) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "entries", json!(gauge(host, signals::CACHE_ENTRIES)));
    put(&mut object, "bytes", json!(gauge(host, signals::CACHE_BYTES)));
    object
}

/// What the breakers are at now, as their own gauge says.
pub(super) fn breakers(host: &dyn Host) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "not_closed", json!(gauge(host, signals::BREAKERS_NOT_CLOSED)));
    object
}

fn gauge(host: &dyn Host, rest: &str) -> u64 {
    Gauge::new(host, &[signals::PREFIX, rest].concat(), &[]).read(host)
}

/// What a reset did.
pub(super) fn reset(requests: u64) -> Reply {
    ok(&json!({ "reset": { "requests": requests } }))
}

fn failure(failure: &Failure) -> Value {
    let mut object = Map::new();
    put(&mut object, "time", json!(date(failure.time)));
    put(&mut object, "method", json!(failure.method));
    put(&mut object, "route", json!(failure.route));
    put(&mut object, "status", json!(failure.status));
    put(&mut object, "duration_seconds", failure.duration.map_or(Value::Null, seconds));
    put(&mut object, "details", json!(failure.details));
    let words: Vec<&str> = flags::words(failure.flags).collect();
    put(&mut object, "flags", json!(words));
    put_some(&mut object, "address", failure.address.as_ref());
    put_some(&mut object, "user_agent", failure.user_agent.as_ref());
    Value::Object(object)
}

/// What every answer about numbers begins with.
fn header(snapshot: &Snapshot) -> Map<String, Value> {
    let Snapshot { now, book } = snapshot;
    let mut object = Map::new();
    put(&mut object, "uptime_seconds", seconds(now.saturating_sub(book.started)));
    put(&mut object, "since_reset_seconds", seconds(now.saturating_sub(book.reset_at)));
    put(&mut object, "quantile_error", json!(MAX_RELATIVE_ERROR));
    object
}

/// What is told of every sum: errors, latency, flow.
pub(super) fn tally(object: &mut Map<String, Value>, tally: &Tally) {
    put(object, "errors", json!(tally.errors()));
    put(object, "error_ratio", ratio(tally.errors(), tally.requests()));
    put(object, "latency_seconds", latency(&tally.latency));
    let flow = Outcome::ALL
        .into_iter()
        .map(|outcome| (outcome.as_str(), json!(tally.of_outcome(outcome))));
    put(object, "flow", flow.map(|(word, n)| (word.to_owned(), n)).collect());
}

fn routes(routes: &[&(Vec<u8>, Tally)], n: usize) -> Value {
    let routes = routes.iter().take(n).map(|(name, sum)| {
        let mut object = Map::new();
        put(&mut object, "route", json!(String::from_utf8_lossy(name)));
        put(&mut object, "requests", json!(sum.requests()));
        tally(&mut object, sum);
        Value::Object(object)
    });
    routes.collect()
}

/// How long answers took; all but the count are null where there were none.
fn latency(latency: &Latency) -> Value {
    let mut object = Map::new();
    put(&mut object, "count", json!(latency.count()));
    let exact = [("average", latency.average()), ("min", latency.min()), ("max", latency.max())];
    let quantiles = QUANTILES.map(|(name, permille)| (name, latency.quantile(permille)));
    for (name, duration) in exact.into_iter().chain(quantiles) {
        put(&mut object, name, duration.map_or(Value::Null, seconds));
    }
    Value::Object(object)
}

fn classes(tally: &Tally) -> Value {
    counts(Class::ALL.into_iter().map(|class| (class.as_str(), tally.of_class(class))))
}

/// Counts that are not zero, by name.
fn counts<N: Into<String>>(counts: impl Iterator<Item = (N, u64)>) -> Value {
    let counts = counts.filter(|(_, n)| *n > 0);
    Value::Object(counts.map(|(name, n)| (name.into(), json!(n))).collect())
}

/// Seconds, exact to a microsecond.
pub(super) fn seconds(span: Nanos) -> Value {
    json!(Nanos::from_micros(span.as_micros()).as_secs_f64())
}

/// A share with six decimals; null of nothing.
fn ratio(part: u64, whole: u64) -> Value {
    let millionths = u128::from(part).saturating_mul(1_000_000).checked_div(u128::from(whole));
    let millionths = millionths.and_then(|share| u32::try_from(share).ok());
    millionths.map_or(Value::Null, |share| json!(f64::from(share) / 1_000_000.0))
}

/// How many in a second, with three decimals; null for no time.
pub(super) fn per_second(n: u64, span: Nanos) -> Value {
    let thousandths =
        u128::from(n).saturating_mul(1_000_000_000_000).checked_div(u128::from(span.0));
    let thousandths = thousandths.and_then(|rate| u64::try_from(rate).ok());
    thousandths.map_or(Value::Null, |rate| {
        json!(Nanos::from_micros(rate.saturating_mul(1_000)).as_secs_f64())
    })
}

/// RFC 3339 in UTC, with milliseconds.
fn date(time: Nanos) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from(time);
    humantime::format_rfc3339_millis(time).to_string()
}
