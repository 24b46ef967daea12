//! The configuration, and its bounds.

mod checks;
mod limits;

use kit::config::{Fields, Names};
use kit::key::KeyTemplate;
use kit::matching::Matcher;
use kit::operations::Access;
use kit::units::Ratio;

use crate::answer::Answer;
use crate::cost::Cost;
use crate::fields::FieldStyles;
use crate::plans::Plans;
use crate::rule::{CONSUMER, Mode, Near, OnFailure, Rule};
use crate::settlement::Settlement;

/// What a configuration resolves to.
#[derive(Debug)]
pub struct Config {
    /// The rules in force, of different names, in the operator's order.
    pub rules: Vec<Rule>,
    /// The rules that are switched off.
    pub switched_off: Vec<Rule>,
    /// No rule looks at what one of these matches.
    pub exempt: Vec<Matcher>,
    /// Who has which plan.
    pub plans: Option<Plans>,
    /// What clients are told on responses.
    pub fields: FieldStyles,
    /// Who may use the operations endpoints.
    pub operations: Access,
}

/// Rules of one filter: each costs its share of every request.
pub const MAX_RULES: usize = 64;
/// Exemptions of a rule, and of all rules.
pub const MAX_EXEMPTIONS: usize = 16;
/// Keys that a rule keeps for each plan at the least: one bucket's worth.
pub const MIN_KEYS: u32 = 8;
/// Keys that a rule keeps for each plan at the most: about 400 MiB for one GCRA limit.
pub const MAX_KEYS: u32 = 10_000_000;
/// Keys that a rule keeps for each plan unless told otherwise: about 3 MiB for one GCRA limit.
pub const DEFAULT_KEYS: u32 = 65_536;

/// A rule's mode, with the word that says it is not in force at all.
#[derive(Clone, Copy)]
enum Switch {
    On(Mode),
    Off,
}

const MODES: [(&str, Switch); 3] = [
    ("enforce", Switch::On(Mode::Enforce)),
    ("shadow", Switch::On(Mode::Shadow)),
    ("off", Switch::Off),
];

impl Config {
    /// Reads the configuration.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let operations = fields.optional_object("operations", Access::read).unwrap_or_default();
        let exempt = exemptions(fields);
        let plans = fields.optional_object("plans", Plans::read);
        let styles = fields.optional_object("fields", FieldStyles::read).unwrap_or_default();
        let common = fields.optional_object("answer", Answer::read).unwrap_or_default();
        let mut names = Names::default();
        let mut switched_off = Vec::new();
        let read = fields.objects("rules", 1..=MAX_RULES, |fields| {
            let rule = read_rule(fields, &mut names, plans.as_ref(), &common);
            rule.map(|(switch, rule)| match switch {
                Switch::On(_) => Some(rule),
                Switch::Off => {
                    switched_off.push(rule);
                    None
                }
            })
        });
        let is_sound = read.iter().all(Option::is_some) && !read.is_empty();
        let rules: Vec<Rule> = read.into_iter().flatten().flatten().collect();
        if let (true, Some(plans)) = (is_sound, &plans) {
            checks::fallback_plans(fields, plans, &rules);
        }
        checks::names_of_limits(fields, &rules);
        Self { rules, switched_off, exempt, plans, fields: styles, operations }
    }
}

fn read_rule(
    fields: &mut Fields<'_>,
    names: &mut Names,
    plans: Option<&Plans>,
    common: &Answer,
) -> Option<(Switch, Rule)> {
    let name = names.read(fields);
    let switch = fields.optional_choice("mode", &MODES).unwrap_or(Switch::On(Mode::Enforce));
    let enforced = fields
        .optional_ratio("enforce", Ratio::from_ppm(1)..=Ratio::from_percent(100))
        .unwrap_or(Ratio::from_percent(100));
    let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
    let exempt = exemptions(fields);
    let key = KeyTemplate::read_with(fields, &[CONSUMER]).unwrap_or_default();
    let max_keys = fields.optional_integer("max_keys", MIN_KEYS..=MAX_KEYS).unwrap_or(DEFAULT_KEYS);
    let allowances = limits::read(fields, name.as_deref().unwrap_or_default(), plans, max_keys);
    let cost = Cost::read(fields).unwrap_or_default();
    let settlement = Settlement::read(fields);
    let charge_refused = fields.optional_bool("charge_refused").unwrap_or(false);
    let near = fields.optional_object("near", read_near).unwrap_or_default();
    let answer = fields.optional_object("answer", Answer::read);
    let show_keys = fields.optional_bool("show_keys").unwrap_or(false);
    let on_failure = fields
        .optional_choice("on_failure", &[("admit", OnFailure::Admit), ("deny", OnFailure::Deny)])
        .unwrap_or_default();
    let mode = if let Switch::On(mode) = switch { mode } else { Mode::Enforce };
    let rule = Rule {
        name: name?,
        mode,
        enforced,
        matcher,
        exempt,
        key,
        allowances: allowances?,
        cost,
        settlement,
        charge_refused,
        near,
        answer: answer.map_or_else(|| common.clone(), |own| own.over(common)),
        show_keys,
        on_failure,
    };
    checks::rule(fields, &rule, plans);
    Some((switch, rule))
}

fn exemptions(fields: &mut Fields<'_>) -> Vec<Matcher> {
    let read = fields.optional_objects("exempt", 1..=MAX_EXEMPTIONS, |fields| {
        if fields.is_empty() {
            fields.own_problem("no condition", "at least one", "add one, such as \"source\"");
        }
        Matcher::read(fields)
    });
    read.unwrap_or_default()
}

fn read_near(fields: &mut Fields<'_>) -> Near {
    let default = Near::default();
    let whole = Ratio::from_percent(1)..=Ratio::from_percent(100);
    Near {
        at: fields.optional_ratio("at", whole).unwrap_or(default.at),
        to_upstream: fields.optional_bool("to_upstream").unwrap_or(default.to_upstream),
        to_client: fields.optional_bool("to_client").unwrap_or(default.to_client),
    }
}
