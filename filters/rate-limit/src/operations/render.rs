//! The answers as JSON. Times are seconds, with `_seconds` in their names; a begun millisecond counts.

use kit::operations::json::{self, ok, put, put_some, seconds};
use kit::{Exchange, Reply};
use serde_json::{Map, Value, json};

use super::ledger::{
    Client, Forgotten, Key, LimitState, Reset, RuleInfo, RuleState, RuleTop, Standing,
};

/// The rules in force.
pub(super) fn rules(rules: &[RuleInfo]) -> Reply {
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    ok(&json!({ "rules": rules }))
}

fn rule(rule: &RuleInfo) -> Value {
    let quotas = rule.quotas.iter().map(|quotas| {
        let mut object = Map::new();
        put_some(&mut object, "plan", quotas.plan.as_ref());
        put(&mut object, "limits", json!(quotas.limits));
        put(&mut object, "max_keys", json!(quotas.max_keys));
        Value::Object(object)
    });
    let quotas: Vec<Value> = quotas.collect();
    let mut object = Map::new();
    put(&mut object, "name", json!(rule.name));
    put(&mut object, "mode", json!(rule.mode));
    put_some(&mut object, "share", rule.share.as_ref());
    put(&mut object, "match", json!(rule.matches));
    put(&mut object, "key", json!(rule.key));
    put(&mut object, "quotas", json!(quotas));
    put_some(&mut object, "cost", rule.cost.as_ref());
    put_some(&mut object, "settlement", rule.settlement.as_ref());
    put(&mut object, "shows_keys", json!(rule.shows_keys));
    Value::Object(object)
}

/// What the rules say of a request, and the request as it was understood.
pub(super) fn state(x: &dyn Exchange, client: &Client, states: &[RuleState]) -> Reply {
    let admits = states.iter().all(|state| !state.is_enforced || state.standing.admits());
    let rules: Vec<Value> = states.iter().map(rule_state).collect();
    ok(&json!({ "request": request(x, client), "admits": admits, "rules": rules }))
}

fn request(x: &dyn Exchange, client: &Client) -> Value {
    let mut object = json::request(x);
    put_some(&mut object, "plan", client.plan.as_ref());
    put_some(&mut object, "consumer", client.consumer.as_ref());
    Value::Object(object)
}

fn rule_state(state: &RuleState) -> Value {
    let mut object = Map::new();
    put(&mut object, "rule", json!(state.rule));
    put(&mut object, "mode", json!(state.mode));
    put(&mut object, "standing", json!(state.standing.word()));
    put_some(&mut object, "plan", state.plan.as_ref());
    match &state.standing {
        Standing::Counted { key: found, limits } => {
            put(&mut object, "key", key(found));
            put(&mut object, "enforced", json!(state.is_enforced));
            put(&mut object, "admits", json!(state.standing.admits()));
            put(&mut object, "limits", limits.iter().map(limit_state).collect());
        }
        Standing::Keyless => {
            put(&mut object, "enforced", json!(state.is_enforced));
            put(&mut object, "admits", json!(false));
        }
        Standing::NotMatching | Standing::Exempt | Standing::OtherPlan | Standing::Skipped => {}
    }
    Value::Object(object)
}

fn limit_state(limit: &LimitState) -> Value {
    json!({
        "name": limit.name,
        "algorithm": limit.algorithm,
        "quota": limit.quota,
        "window_seconds": seconds(limit.window),
        "remaining": limit.remaining,
        "next_seconds": seconds(limit.next),
        "reset_seconds": seconds(limit.reset),
    })
}

fn key(key: &Key) -> Value {
    let mut object = Map::new();
    put(&mut object, "hash", json!(key.hash()));
    put_some(&mut object, "text", key.text.as_ref());
    Value::Object(object)
}

/// What a reset did.
pub(super) fn resets(resets: &[Reset]) -> Reply {
    ok(&json!({ "reset": reset_list(resets) }))
}

/// What a reset did to each rule.
pub(super) fn reset_list(resets: &[Reset]) -> Value {
    resets.iter().map(reset).collect()
}

fn reset(reset: &Reset) -> Value {
    let mut object = Map::new();
    put(&mut object, "rule", json!(reset.rule));
    put_some(&mut object, "plan", reset.plan.as_ref());
    if let Some(found) = &reset.key {
        put(&mut object, "key", key(found));
    }
    match &reset.forgotten {
        Ok(Forgotten::Keys(keys)) => put(&mut object, "keys", json!(keys)),
        Ok(Forgotten::Table(max_keys)) => put(&mut object, "max_keys", json!(max_keys)),
        Err(error) => put(&mut object, "error", json!(error.to_string())),
    }
    Value::Object(object)
}

/// The keys refused most.
pub(super) fn top(tops: &[RuleTop]) -> Reply {
    let rules = tops.iter().map(|RuleTop { rule, report }| {
        let keys = report.counters.iter().map(|counter| {
            let found = Key { tag: counter.tag, text: counter.label.clone() };
            json!({ "key": key(&found), "at_least": counter.at_least(), "at_most": counter.at_most })
        });
        json!({
            "rule": rule,
            "span_seconds": seconds(report.span),
            "refusals": report.total,
            "keys": keys.collect::<Vec<Value>>(),
        })
    });
    ok(&json!({ "rules": rules.collect::<Vec<Value>>() }))
}
