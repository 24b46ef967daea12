//! The field `limits` of a rule: a list, or a list for each plan.

use kit::Nanos;
use kit::config::{Fields, closest, quoted};

use crate::account::{Limits, MAX_LIMITS};
use crate::allowance::Allowance;
use crate::limit::fixed_window::FixedWindow;
use crate::limit::gcra::Quota;
use crate::limit::slices::Slices;
use crate::limit::{Algorithm, Limit};
use crate::plans::Plans;
use crate::rule::Allowances;

/// A quota's largest number of units.
const MAX_QUOTA: u32 = 1_000_000_000;
/// The shortest window: shorter ones would be decided by the jitter of the network.
const MIN_WINDOW: Nanos = Nanos::SECOND;
/// The longest window.
const MAX_WINDOW: Nanos = Nanos::from_days(30);
/// Plans that a rule can have lists for: as many as there can be.
const MAX_PLANS: usize = 16;
/// The longest lease: a request that is longer in flight is no longer counted.
const MAX_LEASE: Nanos = Nanos::from_days(1);
/// The lease unless told otherwise.
const DEFAULT_LEASE: Nanos = Nanos::from_mins(5);

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Gcra,
    FixedWindow,
    SlidingWindow,
    Concurrency,
}

const KINDS: [(&str, Kind); 4] = [
    ("gcra", Kind::Gcra),
    ("fixed_window", Kind::FixedWindow),
    ("sliding_window", Kind::SlidingWindow),
    ("concurrency", Kind::Concurrency),
];

/// A limit as it was read: its name may have to be made.
struct Draft {
    name: Option<String>,
    algorithm: Algorithm,
}

/// Reads `limits`; `None` if there is something wrong with them, which is recorded.
pub(super) fn read(
    fields: &mut Fields<'_>,
    rule: &str,
    plans: Option<&Plans>,
    max_keys: u32,
) -> Option<Allowances> {
    if !fields.is_object("limits") {
        let drafts = fields.objects("limits", 1..=MAX_LIMITS, read_limit);
        let limits = named(fields, rule, drafts)?;
        return Some(Allowances::Same(Box::new(Allowance::new(rule, None, limits, max_keys))));
    }
    let Some(plans) = plans else {
        let object = fields.optional_json_object("limits", usize::MAX).unwrap_or_default();
        let is_one = ["quota", "window"].iter().any(|field| object.contains_key(*field));
        let (found, mend) = if is_one {
            ("one limit", "put it in a list, between [ ] or behind a dash")
        } else {
            ("lists by plan", "give one list for all, or add plans to the configuration")
        };
        fields.problem("limits", found, "a list, where no plans are configured", mend);
        return None;
    };
    let lists =
        fields.optional_named_lists("limits", 1..=MAX_PLANS, 1..=MAX_LIMITS, |_, fields| {
            read_limit(fields)
        })?;
    let mut by_plan: Vec<Option<Allowance>> = plans.names().iter().map(|_| None).collect();
    let mut is_sound = true;
    for (plan, drafts) in lists {
        let slot = plans.index_of(&plan).and_then(|idx| by_plan.get_mut(idx));
        match (slot, named(fields, rule, drafts)) {
            (Some(slot), Some(limits)) => {
                *slot = Some(Allowance::new(rule, Some(&plan), limits, max_keys));
            }
            // Without any plan the line about their names is enough.
            (None, _) if plans.names().is_empty() => is_sound = false,
            (None, _) => {
                let names = plans.names().iter().map(String::as_str);
                let mend = closest(&plan, names.clone()).map_or_else(
                    || "use those, or add this one there".to_owned(),
                    |name| format!("did you mean {}?", quoted(name)),
                );
                let names: Vec<String> = names.map(quoted).collect();
                let found = format!("limits of an unknown plan {}", quoted(&plan));
                fields.problem("limits", found, format!("plans.names: {}", names.join(", ")), mend);
                is_sound = false;
            }
            (Some(_), None) => is_sound = false,
        }
    }
    is_sound.then_some(Allowances::ByPlan(by_plan))
}

fn read_limit(fields: &mut Fields<'_>) -> Option<Draft> {
    let name = fields.optional_name("name");
    let kind = fields.optional_choice("algorithm", &KINDS).unwrap_or_default();
    let units = fields.sound_integer("quota", 1..=MAX_QUOTA);
    let word = KINDS.iter().find(|(_, found)| *found == kind).map_or("", |(word, _)| *word);
    let only_for = |fields: &mut Fields<'_>, field: &'static str, right: &str| {
        if fields.has(field) {
            let mend = format!("remove it, or set algorithm to {}", quoted(right));
            let found = format!("it beside algorithm {word}");
            fields.problem(field, found, format!("it with algorithm {right} only"), mend);
            fields.know(&[field]);
        }
    };
    let algorithm = if kind == Kind::Concurrency {
        only_for(fields, "burst", "gcra");
        if fields.has("window") {
            let mend = "write \"lease\" for how long one may be in flight, or remove it";
            fields.problem("window", "it beside algorithm concurrency", "no window", mend);
            fields.know(&["window"]);
        }
        let lease = fields.optional_duration("lease", MIN_WINDOW..=MAX_LEASE);
        Algorithm::Concurrency(Slices::new(units?, lease.unwrap_or(DEFAULT_LEASE))?)
    } else {
        only_for(fields, "lease", "concurrency");
        let window = sound_window(fields);
        if kind == Kind::Gcra {
            // A quota that is wrong bounds no burst: its own line is enough.
            let burst = fields.optional_integer("burst", 1..=units.unwrap_or(MAX_QUOTA));
            let (window, burst) = (window?, burst.or(units)?);
            Algorithm::Gcra(Quota::new(u64::from(units?), window, u64::from(burst))?)
        } else {
            only_for(fields, "burst", "gcra");
            let window = window?;
            match kind {
                Kind::FixedWindow => {
                    Algorithm::FixedWindow(FixedWindow::new(u64::from(units?), window)?)
                }
                Kind::Gcra | Kind::SlidingWindow | Kind::Concurrency => {
                    Algorithm::SlidingWindow(Slices::new(units?, window)?)
                }
            }
        }
    };
    Some(Draft { name, algorithm })
}

/// The window; `None` if it is missing or wrong, since it may be part of the limit's name.
fn sound_window(fields: &mut Fields<'_>) -> Option<Nanos> {
    if fields.has("window") {
        return fields.optional_duration("window", MIN_WINDOW..=MAX_WINDOW);
    }
    fields.duration("window", MIN_WINDOW..=MAX_WINDOW);
    None
}

/// Gives limits without a name one: the rule's, with the window behind it if there are several.
fn named(fields: &mut Fields<'_>, rule: &str, drafts: Vec<Option<Draft>>) -> Option<Limits> {
    let is_one = drafts.len() == 1;
    let mut limits: Vec<Limit> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Draft { name, algorithm } = draft?;
        let made = || match (is_one, algorithm.window()) {
            (true, _) => rule.to_owned(),
            (false, Some(window)) => format!("{rule}.{window}"),
            (false, None) => format!("{rule}.concurrency"),
        };
        let name = name.unwrap_or_else(made);
        if limits.iter().any(|limit| limit.name == name) {
            fields.problem(
                "limits",
                format!("two limits that clients know as {}", quoted(&name)),
                "names that differ",
                "give one of them a \"name\"",
            );
            return None;
        }
        limits.push(Limit { name, algorithm });
    }
    (!limits.is_empty()).then(|| Limits::new(limits))
}
