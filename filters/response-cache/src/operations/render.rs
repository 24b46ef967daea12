//! The answers as JSON, but for explanations.

use kit::Reply;
use kit::operations::json::{ok, put, put_some, seconds};
use serde_json::{Map, Value, json};

use super::cache::{Done, Mode, PurgeInfo, RuleCounts, RuleInfo, Statistics};
use crate::signals::Decision;
use crate::warming::{Added, Progress};

/// The rules.
pub(super) fn rules(rules: &[RuleInfo]) -> Reply {
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    ok(&json!({ "rules": rules }))
}

fn rule(rule: &RuleInfo) -> Value {
    json!({
        "name": rule.name,
        "action": rule.action,
        "match": rule.matches,
        "key": rule.key,
        "terms": rule.terms,
    })
}

/// What has been counted.
pub(super) fn statistics(found: &Statistics) -> Reply {
    let all = found.rules.iter().flat_map(|rule| &rule.decisions);
    let mut object = share(all);
    let served = found.rules.iter().map(|rule| rule.bytes_served);
    put(&mut object, "bytes_served", json!(served.fold(0, u64::saturating_add)));
    put(
        &mut object,
        "store",
        json!({
            "entries": found.entries, "max_entries": found.max_entries,
            "bytes": found.bytes, "max_bytes": found.max_bytes,
        }),
    );
    put(&mut object, "stored", json!(found.stored));
    put(&mut object, "not_stored", counts(found.refused.iter().map(|(why, n)| (why.as_str(), *n))));
    put(
        &mut object,
        "evictions",
        counts(found.evictions.iter().map(|(why, n)| (why.as_str(), *n))),
    );
    put(&mut object, "invalidations", json!(found.invalidations));
    for (name, values) in &found.others {
        put(&mut object, name, counts(values.iter().copied()));
    }
    let rules: Vec<Value> = found.rules.iter().map(rule_counts).collect();
    put(&mut object, "rules", json!(rules));
    ok(&Value::Object(object))
}

fn rule_counts(counted: &RuleCounts) -> Value {
    let mut object = Map::new();
    put(&mut object, "rule", json!(counted.rule));
    object.append(&mut share(counted.decisions.iter()));
    put(&mut object, "bytes_served", json!(counted.bytes_served));
    let decisions = counted.decisions.iter().map(|(decision, n)| (decision.as_str(), *n));
    put(&mut object, "decisions", counts(decisions));
    Value::Object(object)
}

/// Requests, hits, misses, and the share of hits in both; `null` where nothing was looked up.
fn share<'a>(decisions: impl Iterator<Item = &'a (Decision, u64)>) -> Map<String, Value> {
    let (mut requests, mut hits, mut misses) = (0_u64, 0_u64, 0_u64);
    for (decision, n) in decisions {
        requests = requests.saturating_add(*n);
        match Kind::of(*decision) {
            Kind::Hit => hits = hits.saturating_add(*n),
            Kind::Miss => misses = misses.saturating_add(*n),
            Kind::Passed => {}
        }
    }
    let looked_up = hits.saturating_add(misses);
    // In parts of ten thousand, so that a share reads as 0.9127.
    let ratio = u128::from(hits).saturating_mul(10_000).checked_div(u128::from(looked_up));
    let ratio =
        ratio.and_then(|parts| u32::try_from(parts).ok()).map(|parts| f64::from(parts) / 10_000.0);
    let mut object = Map::new();
    put(&mut object, "requests", json!(requests));
    put(&mut object, "hits", json!(hits));
    put(&mut object, "misses", json!(misses));
    put(&mut object, "hit_ratio", json!(ratio));
    object
}

/// What a decision counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The store answered.
    Hit,
    /// It was asked, and could not.
    Miss,
    /// It was not asked.
    Passed,
}

impl Kind {
    const fn of(decision: Decision) -> Self {
        match decision {
            Decision::Hit | Decision::StaleHit | Decision::Collapsed => Self::Hit,
            // An error from the store is no good answer, whoever gives it.
            Decision::ErrorHit
            | Decision::Miss
            | Decision::VaryMiss
            | Decision::Stale
            | Decision::Request
            | Decision::OnlyIfCached => Self::Miss,
            Decision::Method | Decision::Bypass | Decision::Background | Decision::Operations => {
                Self::Passed
            }
        }
    }
}

/// An object of numbers, without the zeros.
fn counts(values: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let mut object = Map::new();
    for (name, n) in values.filter(|(_, n)| *n > 0) {
        put(&mut object, name, json!(n));
    }
    Value::Object(object)
}

/// What was purged.
pub(super) fn purged(mode: Mode, all: &[Done]) -> Reply {
    ok(&json!({ "mode": mode.word(), "purged": done_list(all) }))
}

/// What became of each target: `entries` where they were counted, `error` where it failed.
pub(super) fn done_list(all: &[Done]) -> Value {
    let done = all.iter().map(|done| {
        let mut object = Map::new();
        put(&mut object, done.target.parameter(), json!(done.target.text()));
        match done.outcome {
            Ok(receipt) => {
                if let Some(entries) = receipt.entries {
                    put(&mut object, "entries", json!(entries));
                }
            }
            Err(error) => put(&mut object, "error", json!(error.to_string())),
        }
        Value::Object(object)
    });
    done.collect()
}

/// The purges in force.
pub(super) fn purges(purges: &[PurgeInfo]) -> Reply {
    let purges = purges.iter().map(|purge| {
        json!({ "what": purge.what, "mode": purge.mode.word(), "ago_seconds": seconds(purge.ago) })
    });
    ok(&json!({ "purges": purges.collect::<Vec<Value>>() }))
}

/// How warming goes.
pub(super) fn warming(progress: Option<&Progress>) -> Reply {
    let Some(progress) = progress else { return ok(&json!({ "state": "off" })) };
    let is_done = progress.waiting == 0 && progress.running == 0;
    let classes = ["no_answer", "1xx", "2xx", "3xx", "4xx", "5xx"];
    let failures = progress.failures.iter().map(|failure| {
        let mut object = Map::new();
        put_some(&mut object, "url", Some(failure.url.as_str()));
        put(&mut object, "status", json!(failure.status));
        Value::Object(object)
    });
    ok(&json!({
        "state": if is_done { "done" } else { "running" },
        "waiting": progress.waiting,
        "running": progress.running,
        "done": counts(classes.into_iter().zip(progress.ended)),
        "stored": progress.stored,
        "retries": progress.retries,
        "lost": progress.lost,
        "not_stored": failures.collect::<Vec<Value>>(),
    }))
}

/// What was put on the list.
pub(super) fn added(added: Added) -> Reply {
    ok(&json!({ "added": added.added, "waiting_already": added.waiting_already }))
}

/// What was taken off it.
pub(super) fn stopped(stopped: u32) -> Reply {
    ok(&json!({ "stopped": stopped }))
}
