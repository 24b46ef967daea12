//! The answers as JSON. Times are seconds, with `_seconds` in their names; instants are RFC 3339 in UTC.

use std::time::{Duration, SystemTime};

use kit::operations::json::{ok, put, put_some, seconds};
use kit::{Nanos, Reply};
use serde_json::{Map, Value, json};

use super::ledger::{Acted, BreakerInfo, HeldInfo, Listed, MAX_LISTED, RuleInfo};
use crate::breaker::{Breaker, State};
use crate::config::Per;
use crate::records::dossier::Failure;
use crate::records::events::{Event, List};
use crate::records::flags;
use crate::signals;

/// The rules.
pub(super) fn rules(rules: &[RuleInfo]) -> Reply {
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    ok(&json!({ "rules": rules }))
}

fn rule(rule: &RuleInfo) -> Value {
    let mut object = Map::new();
    put(&mut object, "name", json!(rule.name));
    put(&mut object, "mode", json!(rule.mode));
    if let Some(terms) = &rule.terms {
        put(&mut object, "match", json!(terms.matches));
        put(&mut object, "per", json!(terms.per.as_str()));
        put_some(&mut object, "key", terms.key.as_ref());
        if terms.per == Per::Key {
            put(&mut object, "shows_keys", json!(terms.shows_keys));
        }
        put(&mut object, "terms", json!(terms.text));
    }
    Value::Object(object)
}

/// Breakers as they are at `now`.
pub(super) fn breakers(listed: &Listed, now: Nanos) -> Reply {
    let breakers: Vec<Value> = listed.breakers.iter().map(|found| breaker(found, now)).collect();
    ok(&json!({ "total": listed.total, "breakers": breakers }))
}

fn breaker(info: &BreakerInfo, now: Nanos) -> Value {
    let Breaker { since, open_for, n_opens, n_consecutive, .. } = info.breaker;
    let state = info.breaker.shown();
    let mut object = Map::new();
    put(&mut object, "id", json!(info.id));
    put(&mut object, "rule", json!(info.rule));
    put(&mut object, "per", json!(info.per.as_str()));
    put_some(&mut object, "scope", info.scope.as_ref());
    put(&mut object, "state", json!(signals::state(state)));
    put(&mut object, "since_seconds", seconds(now.saturating_sub(since)));
    if let Some(found) = HeldInfo::of(&info.breaker, now) {
        put(&mut object, "held", held(found));
    }
    put(&mut object, "window", window(info));
    put(&mut object, "consecutive_failures", json!(n_consecutive));
    put(&mut object, "openings", json!(n_opens));
    if info.breaker.state == State::Open {
        put(&mut object, "open_for_seconds", seconds(open_for));
        let next = info.breaker.retry_at().saturating_sub(now);
        put(&mut object, "next_probe_seconds", seconds(next));
    }
    if info.breaker.state == State::HalfOpen || info.n_probes > 0 {
        let (n_successes, n_failures) = (info.breaker.n_successes, info.breaker.n_failures);
        let probes =
            json!({ "out": info.n_probes, "succeeded": n_successes, "failed": n_failures });
        put(&mut object, "probes", probes);
    }
    if let Some(share) = info.share {
        put(&mut object, "share_passing", json!(share.as_f64()));
    }
    let failures: Vec<Value> = info.failures.iter().map(failure).collect();
    put(&mut object, "last_failures", json!(failures));
    Value::Object(object)
}

fn window(info: &BreakerInfo) -> Value {
    let tally = info.tally;
    let mut object = Map::new();
    put(&mut object, "ended", json!(tally.n_ended));
    put(&mut object, "failed", json!(tally.n_failed));
    put(&mut object, "slow", json!(tally.n_slow));
    put(&mut object, "shed", json!(tally.n_shed));
    if tally.n_ended > 0 {
        let share = f64::from(tally.n_failed) / f64::from(tally.n_ended);
        put(&mut object, "failure_share", json!((share * 1_000.0).round() / 1_000.0));
    }
    Value::Object(object)
}

fn held(held: HeldInfo) -> Value {
    let mut object = Map::new();
    put(&mut object, "control", json!(signals::control(held.control)));
    if let Some(rest) = held.rest {
        put(&mut object, "rest_seconds", seconds(rest));
    }
    Value::Object(object)
}

fn failure(failure: &Failure) -> Value {
    let text =
        |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
    let flags = flags::words(failure.flags);
    let mut object = Map::new();
    put(&mut object, "at", json!(instant(failure.at)));
    put(&mut object, "failed", json!(failure.has_failed));
    put(&mut object, "slow", json!(failure.is_slow));
    if let Some(status) = failure.status {
        put(&mut object, "status", json!(status));
    }
    if let Some(status) = failure.grpc_status {
        put(&mut object, "grpc_status", json!(status));
    }
    put_some(&mut object, "flags", text(flags.as_bytes()));
    put(&mut object, "duration_seconds", seconds(failure.took));
    put_some(&mut object, "route", text(&failure.route));
    put_some(&mut object, "reason", text(&failure.reason));
    Value::Object(object)
}

/// The last so many events, oldest first.
pub(super) fn events(list: &List, limit: usize) -> Reply {
    let surplus = list.events.len().saturating_sub(limit);
    let events: Vec<Value> = list.events.iter().skip(surplus).map(event).collect();
    ok(&json!({ "total": list.total, "events": events }))
}

/// An event as an object of one level: what happened to which breaker, why, with the numbers.
pub(crate) fn event(event: &Event) -> Value {
    let mut object = Map::new();
    put(&mut object, "at", json!(instant(Nanos(event.wall))));
    put(&mut object, "rule", json!(event.rule));
    put(&mut object, "per", json!(event.per().as_str()));
    put_some(&mut object, "scope", Some(&event.scope).filter(|scope| !scope.is_empty()));
    put(&mut object, "id", json!(event.id));
    put(&mut object, "from", json!(signals::state(event.from())));
    put(&mut object, "to", json!(signals::state(event.to())));
    for (name, value) in event.cause.split(' ').filter_map(|part| part.split_once('=')) {
        put(&mut object, name, json!(value));
    }
    put_some(&mut object, "by", Some(&event.by).filter(|by| !by.is_empty()));
    Value::Object(object)
}

/// What was done.
pub(super) fn done(all: &[Acted]) -> Reply {
    ok(&json!({ "total": all.len(), "breakers": acted(all) }))
}

/// What became of each breaker, or of the first [`MAX_LISTED`].
pub(super) fn acted(acted: &[Acted]) -> Value {
    acted.iter().take(MAX_LISTED).map(one).collect()
}

fn one(acted: &Acted) -> Value {
    let mut object = Map::new();
    put(&mut object, "id", json!(acted.id));
    put(&mut object, "rule", json!(acted.rule));
    put_some(&mut object, "scope", acted.scope.as_ref());
    if !acted.was_met {
        put(&mut object, "met", json!(false));
    }
    match acted.outcome {
        Ok(change) => {
            put(&mut object, "from", json!(signals::state(change.from)));
            put(&mut object, "to", json!(signals::state(change.to)));
            if let Some(found) = change.held {
                put(&mut object, "held", held(found));
            }
        }
        Err(error) => put(&mut object, "error", json!(error.to_string())),
    }
    Value::Object(object)
}

/// The instant in text: `2026-11-21T04:56:52.123Z`.
///
/// The last that nanoseconds can say is in the year 2554: the formatter's end, 9999, is never reached.
fn instant(wall: Nanos) -> String {
    let instant = SystemTime::UNIX_EPOCH + Duration::from_millis(wall.as_millis());
    humantime::format_rfc3339_millis(instant).to_string()
}
