//! What the fields of a rule must agree in: each alone is sound, together they can not be meant.
//!
//! A field that would have no effect is a problem as much as one that is wrong: whoever wrote it expects one.

use kit::config::{Fields, quoted};

use crate::limit::Limit;
use crate::plans::Plans;
use crate::rule::{CONSUMER, Mode, Rule};

/// Checks a rule in whose object `fields` still is.
pub(super) fn rule(fields: &mut Fields<'_>, rule: &Rule, plans: Option<&Plans>) {
    if rule.key.has_given() && !plans.is_some_and(Plans::has_keys) {
        fields.problem(
            "key",
            format_args!("{} without API keys", quoted(CONSUMER)),
            "it with plans.sources[].keys, which say who has which key",
            "add keys to a source of plans, or count by another part, such as \"address\"",
        );
    }
    if rule.mode == Mode::Shadow && fields.has("enforce") {
        fields.problem(
            "enforce",
            "it beside mode: \"shadow\"",
            "it with mode: \"enforce\", of which it is a share",
            "remove it, or set mode to \"enforce\"",
        );
    }
    if limits(rule).all(|limit| limit.algorithm.is_concurrency()) {
        for field in ["cost", "count", "refund", "charge_refused"] {
            if fields.has(field) {
                fields.problem(
                    field,
                    "it beside limits of concurrency alone",
                    "no such field: each request in flight counts one, until it ends",
                    "remove it, or add a limit with a window",
                );
            }
        }
    } else if let Some(capacity) = smallest_capacity(rule)
        && rule.cost.usual() > capacity
    {
        fields.problem(
            "cost",
            format_args!("{} for a request", rule.cost.usual()),
            format_args!("at most {capacity}, the smallest quota or burst of its limits"),
            "lower it, or raise that limit: each request would spend all of it",
        );
    }
}

/// Checks that clients can tell the limits of all rules apart: `fields` is the whole configuration.
///
/// The limits that one rule has for two plans may have one name, since no client meets both.
pub(super) fn names_of_limits(fields: &mut Fields<'_>, rules: &[Rule]) {
    for (idx, one) in rules.iter().enumerate() {
        let behind = rules.iter().skip(idx.saturating_add(1));
        // Rules of one name have a line of their own.
        for other in behind.filter(|other| other.name != one.name) {
            let twice = limits(one).find(|limit| limits(other).any(|own| own.name == limit.name));
            if let Some(limit) = twice {
                fields.problem(
                    "rules",
                    format_args!(
                        "two limits that clients know as {}, of the rules {} and {}",
                        quoted(&limit.name),
                        quoted(&one.name),
                        quoted(&other.name)
                    ),
                    "names that differ",
                    "give one of them another \"name\"",
                );
            }
        }
    }
}

/// Checks that whoever shows no plan, or one that nobody knows, is limited by some rule: `fields` is the whole
/// configuration, and sound.
///
/// Any client may choose to be one of these; without a rule for them it chose to be unlimited.
pub(super) fn fallback_plans(fields: &mut Fields<'_>, plans: &Plans, rules: &[Rule]) {
    let [absent, unknown] = plans.fallbacks();
    for (word, plan) in [("absent", absent), ("unknown", unknown)] {
        let is_told = word == "unknown" && unknown == absent;
        if !is_told && !rules.iter().any(|rule| rule.allowances.of(plan).is_some()) {
            fields.problem(
                "plans",
                format_args!("{word}: {}, which no rule has limits for", quoted(plans.name(plan))),
                "a plan that some rule limits: any client may choose to be one of these",
                "add this plan to the limits of a rule, with a large quota if need be",
            );
        }
    }
}

fn limits(rule: &Rule) -> impl Iterator<Item = &Limit> {
    rule.allowances.iter().flat_map(|allowance| allowance.limits().iter())
}

/// What the strictest limit with a window admits at once.
fn smallest_capacity(rule: &Rule) -> Option<u64> {
    let with_window = limits(rule).filter(|limit| !limit.algorithm.is_concurrency());
    with_window.map(|limit| limit.algorithm.capacity()).min()
}
