//! An explanation as JSON.

use kit::operations::json::{ok, put, put_some, request, seconds};
use kit::{Exchange, Nanos, Reply};
use serde_json::{Map, Value, json};

use super::cache::{Entry, Explanation, Flight};
use super::{arithmetic, because};
use crate::http::vary;

/// What the cache would do with a request, and why.
///
/// Of a stored response it tells what decides about it, never a field or the body; of what it varies on the names.
pub(super) fn explanation(x: &dyn Exchange, found: &Explanation, now: Nanos) -> Reply {
    let mut object = Map::new();
    put(&mut object, "request", Value::Object(request(x)));
    put(&mut object, "decision", json!(found.decision.as_str()));
    let why = found.why.as_deref().unwrap_or_else(|| because::decision(found.decision));
    put(&mut object, "because", json!(why));
    if let Some((name, action)) = &found.rule {
        put(&mut object, "rule", json!({ "name": name, "action": action }));
    }
    put_some(&mut object, "key", found.key.as_ref());
    put_some(&mut object, "cluster", found.cluster.as_ref());
    put(&mut object, "is_stored", json!(found.entries.iter().any(|entry| entry.is_selected)));
    let entries: Vec<Value> = found.entries.iter().map(|entry| entry_of(entry, now)).collect();
    put(&mut object, "entries", json!(entries));
    if let Some(found) = found.flight {
        put(&mut object, "flight", flight(found));
    }
    ok(&Value::Object(object))
}

fn entry_of(entry: &Entry, now: Nanos) -> Value {
    let stored = &*entry.stored;
    let freshness = stored.freshness();
    let grace = stored.grace();
    let names = vary::read_names(&stored.names).unwrap_or_default();
    json!({
        "is_selected": entry.is_selected,
        "url": String::from_utf8_lossy(&stored.uri),
        "status": stored.status,
        "rule": stored.rule,
        "body_bytes": stored.body.len(),
        "varies_on": names.iter().collect::<Vec<_>>(),
        "tags": entry.tags,
        "purged": entry.purged.word(),
        "for_authorized": stored.for_authorized,
        "freshness": {
            "basis": arithmetic::basis_word(stored.basis),
            "age_seconds": seconds(freshness.age(now)),
            "lifetime_seconds": seconds(freshness.lifetime),
            "left_seconds": seconds(freshness.left(now)),
            "stale_while_revalidate_seconds": seconds(grace.while_revalidate),
            "stale_if_error_seconds": seconds(grace.if_error),
            "keep_seconds": seconds(grace.keep),
            "validate": stored.validate,
            "strict": stored.strict,
            "arithmetic": arithmetic::lines(stored, entry.purged, now),
        },
    })
}

fn flight(flight: Flight) -> Value {
    match flight {
        Flight::Underway { waiting, left } => {
            json!({ "state": "underway", "waiting": waiting, "left_seconds": seconds(left) })
        }
        Flight::Uncacheable { reason, left } => json!({
            "state": "uncacheable",
            "reason": reason.as_str(),
            "because": because::refusal(reason),
            "left_seconds": seconds(left),
        }),
    }
}
