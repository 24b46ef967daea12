//! What the parameters of a request say; every problem of them at once.
//!
//! | parameters | mean |
//! | --- | --- |
//! | `rule=NAME&scope=S` | the breaker of the rule for this cluster, route, virtual host or shown key |
//! | `rule=NAME&id=I` | the breaker of the rule with this id |
//! | `rule=NAME` | every known breaker of the rule |
//! | `all=true` | every known breaker of every rule |

use std::ops::RangeInclusive;

use kit::Nanos;
use kit::config::{closest, quoted};
use kit::described::Problem;
use kit::operations::Refusal;
use kit::operations::parameters::{flag, one, only};

use super::ledger::{Filter, Hold, RuleInfo, Target};
use crate::breaker::{Control, MAX_HOLD, State};
use crate::config::Per;
use crate::records::dossier::MAX_SCOPE;
use crate::records::events::N_EVENTS;
use crate::signals;

/// How many breakers are listed unless more are asked for.
pub const DEFAULT_LISTED: usize = 100;

/// How long a hand may be told to hold.
const HOLD: RangeInclusive<Nanos> = Nanos::SECOND..=MAX_HOLD;

/// Reads what to list.
///
/// # Errors
/// [`Refusal::Parameters`] with every problem.
pub fn read_filter(query: &[u8]) -> Result<Filter, Refusal> {
    let mut parameters = Parameters::of(query, &["rule", "scope", "id", "state", "limit"]);
    let states = State::ALL.map(|state| (signals::state(state), state));
    let filter = Filter {
        rule: parameters.text("rule"),
        scope: parameters.text("scope"),
        id: parameters.text("id"),
        state: parameters.choice("state", &states),
        limit: parameters.limit(super::MAX_LISTED).unwrap_or(DEFAULT_LISTED),
    };
    parameters.done(filter)
}

/// Reads which events to list: those of a rule, and how many.
///
/// # Errors
/// [`Refusal::Parameters`] with every problem.
pub fn read_events(query: &[u8]) -> Result<(Option<String>, usize), Refusal> {
    let mut parameters = Parameters::of(query, &["rule", "limit"]);
    let rule = parameters.text("rule");
    let limit = parameters.limit(N_EVENTS).unwrap_or(N_EVENTS);
    parameters.done((rule, limit))
}

/// Reads which breakers are meant.
///
/// # Errors
/// [`Refusal::Parameters`] with every problem; [`Refusal::Unknown`] or [`Refusal::Conflict`] if there is no such rule,
/// or it is switched off.
pub fn read_target(query: &[u8], rules: &[RuleInfo]) -> Result<Target, Refusal> {
    let mut parameters = Parameters::of(query, &["rule", "scope", "id", "all"]);
    let target = parameters.target();
    check(&parameters.done(target)?.unwrap_or(Target::All), rules)
}

/// Reads which breakers are to be taken in hand, and how.
///
/// # Errors
/// As [`read_target`].
pub fn read_hold(query: &[u8], rules: &[RuleInfo]) -> Result<(Target, Hold), Refusal> {
    let mut parameters = Parameters::of(query, &["mode", "for", "rule", "scope", "id", "all"]);
    let controls = Control::ALL.map(|control| (signals::control(control), control));
    let control = parameters.choice("mode", &controls);
    if control.is_none() && !parameters.has_problem("mode") {
        let what = format!("found nothing, allowed {}; add it", listed(&controls));
        parameters.problem("mode", what);
    }
    let time = parameters.time("for");
    let target = parameters.target();
    let read = target.zip(control);
    // Without a problem there are both.
    let Some((target, control)) = parameters.done(read)? else {
        return Err(Refusal::parameter("mode", "found nothing; add it"));
    };
    Ok((check(&target, rules)?, Hold { control, time }))
}

/// Whether the rule is there and has such breakers.
fn check(target: &Target, rules: &[RuleInfo]) -> Result<Target, Refusal> {
    let (Target::Rule(rule) | Target::Scope { rule, .. } | Target::Id { rule, .. }) = target else {
        return Ok(Target::All);
    };
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    Refusal::unless_known("rule", rule, &names)?;
    let found = rules.iter().find(|info| info.name == *rule);
    let Some(terms) = found.and_then(|info| info.terms.as_ref()) else {
        let what = format!("Rule {} is switched off: it has no breakers.", quoted(rule));
        return Err(Refusal::Conflict(what));
    };
    match target {
        Target::Scope { scope, .. } if terms.per == Per::Rule => {
            let what = format!(
                "found {}, allowed none: the rule has one breaker; remove it",
                quoted(scope)
            );
            Err(Refusal::parameter("scope", what))
        }
        Target::Scope { scope, .. } if scope.len() > MAX_SCOPE => {
            let what = format!(
                "found {} bytes, allowed {MAX_SCOPE}; use the id that GET /breakers has",
                scope.len()
            );
            Err(Refusal::parameter("scope", what))
        }
        Target::All | Target::Rule(_) | Target::Scope { .. } | Target::Id { .. } => {
            Ok(target.clone())
        }
    }
}

/// The parameters of a request, and what is wrong with them so far.
struct Parameters<'a> {
    query: &'a [u8],
    problems: Vec<Problem>,
}

impl<'a> Parameters<'a> {
    fn of(query: &'a [u8], known: &[&str]) -> Self {
        let mut this = Self { query, problems: Vec::new() };
        this.take(only(query, known));
        this
    }

    /// What was read, if nothing is wrong.
    fn done<T>(self, read: T) -> Result<T, Refusal> {
        if self.problems.is_empty() { Ok(read) } else { Err(Refusal::Parameters(self.problems)) }
    }

    fn problem(&mut self, name: &str, what: impl Into<String>) {
        self.problems.push(Problem { parameter: name.to_owned(), what: what.into() });
    }

    fn has_problem(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.parameter == name)
    }

    fn take<T>(&mut self, read: Result<T, Refusal>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(Refusal::Parameters(problems)) => {
                self.problems.extend(problems);
                None
            }
            // The readers of parameters find nothing else.
            Err(_) => None,
        }
    }

    /// A text that is not empty.
    fn text(&mut self, name: &str) -> Option<String> {
        let text = self.take(one(self.query, name))??;
        if text.is_empty() {
            self.problem(name, "found \"\", allowed a text; fill it in, or remove the parameter");
            return None;
        }
        Some(text)
    }

    fn choice<T: Copy>(&mut self, name: &str, known: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = known.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let mend = match closest(&text, known.iter().map(|(word, _)| *word)) {
                Some(meant) => format!("did you mean {}?", quoted(meant)),
                None => "choose one of them".to_owned(),
            };
            let what = format!("found {}, allowed {}; {mend}", quoted(&text), listed(known));
            self.problem(name, what);
        }
        found.map(|(_, choice)| *choice)
    }

    fn limit(&mut self, max: usize) -> Option<usize> {
        let text = self.text("limit")?;
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        if limit.is_none() {
            let what = format!("found {}, allowed 1 to {max}; choose one of them", quoted(&text));
            self.problem("limit", what);
        }
        limit
    }

    fn time(&mut self, name: &str) -> Option<Nanos> {
        let text = self.text(name)?;
        let allowed = format!("{} to {}", HOLD.start(), HOLD.end());
        match text.parse::<Nanos>() {
            Ok(time) if HOLD.contains(&time) => return Some(time),
            Ok(_) => {
                let mend = "without it the hand holds until it lets go";
                self.problem(name, format!("found {}, allowed {allowed}; {mend}", quoted(&text)));
            }
            Err(error) => {
                self.problem(name, format!("found {}, allowed {allowed}; {error}", quoted(&text)));
            }
        }
        None
    }

    /// Which breakers are meant; a problem if that is not clear.
    fn target(&mut self) -> Option<Target> {
        let all = self.take(flag(self.query, "all")).unwrap_or(false);
        let [rule, scope, id] = ["rule", "scope", "id"].map(|name| self.text(name));
        let has_none = [&rule, &scope, &id].iter().all(|part| part.is_none());
        if all && !has_none {
            let what = "found true beside other names, allowed alone; remove it, or them";
            self.problem("all", what);
        }
        if scope.is_some() && id.is_some() {
            self.problem("id", "found it beside scope, allowed one of them; remove one");
        }
        if !all && rule.is_none() && !self.has_problem("rule") {
            let what = if has_none {
                "found nothing, allowed a rule's name; add it, or all=true to mean every breaker"
            } else {
                "found nothing, allowed a rule's name; add the one of this breaker"
            };
            self.problem("rule", what);
        }
        match (all, rule, scope, id) {
            (true, ..) => Some(Target::All),
            (false, None, ..) => None,
            (false, Some(rule), Some(scope), _) => Some(Target::Scope { rule, scope }),
            (false, Some(rule), None, Some(id)) => Some(Target::Id { rule, id }),
            (false, Some(rule), None, None) => Some(Target::Rule(rule)),
        }
    }
}

/// `a, b or c`.
fn listed<T>(known: &[(&'static str, T)]) -> String {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    words.split_last().map_or_else(String::new, |(last, first)| {
        if first.is_empty() {
            (*last).to_owned()
        } else {
            format!("{} or {last}", first.join(", "))
        }
    })
}
