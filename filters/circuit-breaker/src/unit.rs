//! What one worker keeps per breaker that it met: its place in the table, and its metrics.
//!
//! No state is here, so every worker may have its own. The number kept is bounded by `max_breakers`;
//! breakers beyond it work like the others, but share the metrics of the name `_other`.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::Host;
use kit::hash::Tag;
use kit::meter::{Counter, Family, Gauge, Kind, OVERFLOW};

use crate::breaker::window::Tally;
use crate::breaker::{State, Transition};
use crate::config::{Per, Rule};
use crate::entry::code_of;
use crate::policy::Breakers;
use crate::signals::{self, Ended, Word};

/// Pairs of states between which a breaker can change.
const N_TRANSITIONS: usize = State::ALL.len() * (State::ALL.len() - 1);

/// Kinds of fallbacks.
const N_KINDS: usize = 3;

/// How often a worker looks whether the state that it showed still is: changes are seconds apart.
const MAX_LOOKS: u32 = 4;

/// One breaker as a worker sees it.
#[derive(Debug)]
pub struct Unit {
    /// The index of its rule.
    pub rule_idx: usize,
    /// Where its state is.
    pub place: Tag,
    /// The cluster, route, host or key that it is for, readable; empty if it is for the whole rule.
    pub scope: String,
    /// What operators may see of it, for the records.
    pub shown: Shown,
    /// Whether the records have its name, or are to get it only when it fails.
    pub is_listed: Cell<bool>,
    series: Rc<Series>,
}

/// What operators may see of what a breaker is for.
#[derive(Debug)]
pub enum Shown {
    /// This text.
    Text(Box<[u8]>),
    /// This key, in words.
    Key(Box<[u8]>),
    /// Nothing.
    Nothing,
}

impl Shown {
    /// The text; empty if there is nothing to be seen.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.to_vec(),
            Self::Key(key) => kit::key::readable(key).into_bytes(),
            Self::Nothing => Vec::new(),
        }
    }
}

/// The metrics of a breaker, or of all that are beyond the bound.
#[derive(Debug)]
struct Series {
    label: String,
    state: Option<Gauge>,
    requests: [Counter; Word::ALL.len()],
    outcomes: [Counter; Ended::ALL.len()],
    slow: Counter,
    failure_percent: Option<Gauge>,
}

/// The breakers of one rule.
type ByScope = BTreeMap<Box<[u8]>, Rc<Unit>>;

/// The breakers that this worker met.
#[derive(Debug)]
pub struct Units {
    max: usize,
    /// One entry per rule.
    met: RefCell<Vec<ByScope>>,
    /// The metrics of the breakers beyond the bound: Envoy makes an id for each definition, so define them once.
    others: OnceCell<Rc<Series>>,
    /// For each rule, the metrics of its breakers together where clients name them.
    of_keys: Vec<OnceCell<Rc<Series>>>,
    transitions: Family,
    fallbacks: Family,
    /// Where the last look at some of them ended.
    turn: Cell<usize>,
}

impl Units {
    /// None yet; room for `max`.
    pub fn new(n_rules: usize, max: u32) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let labels = &["breaker", "from", "to"];
        let n_labels = max.saturating_add(1);
        let max_series = n_labels.saturating_mul(N_TRANSITIONS);
        let max_fallbacks = n_labels.saturating_mul(N_KINDS);
        Self {
            max,
            met: RefCell::new(vec![BTreeMap::new(); n_rules]),
            others: OnceCell::new(),
            of_keys: (0..n_rules).map(|_| OnceCell::new()).collect(),
            transitions: Family::new(Kind::Counter, signals::TRANSITIONS, labels, max_series),
            fallbacks: Family::new(
                Kind::Counter,
                signals::FALLBACKS,
                &["breaker", "kind"],
                max_fallbacks,
            ),
            turn: Cell::new(0),
        }
    }

    /// The breaker of this rule for this scope.
    ///
    /// **Cost**: no host call and no allocation but at the first meeting; one of a key is met anew each time,
    /// since a client could have a worker keep any number of them.
    pub fn meet(
        &self,
        host: &dyn Host,
        breakers: &Breakers,
        rule_idx: usize,
        rule: &Rule,
        scope: &[u8],
    ) -> Rc<Unit> {
        let mut met = self.met.borrow_mut();
        if let Some(unit) = met.get(rule_idx).and_then(|units| units.get(scope)) {
            return Rc::clone(unit);
        }
        let place = breakers.place(&rule.name, rule.per, scope);
        if rule.per == Per::Key {
            let shown = if rule.show_keys { Shown::Key(Box::from(scope)) } else { Shown::Nothing };
            return self.stranger(host, breakers, rule_idx, rule, place, shown);
        }
        let is_full = met.iter().map(BTreeMap::len).sum::<usize>() >= self.max;
        let shown = Shown::Text(Box::from(scope));
        if is_full {
            return self.stranger(host, breakers, rule_idx, rule, place, shown);
        }
        let scope_text = text(scope);
        let series = Rc::new(Series::new(host, rule, &scope_text));
        let is_listed = Cell::new(false);
        let unit = Rc::new(Unit { rule_idx, place, scope: scope_text, shown, is_listed, series });
        if let Some(units) = met.get_mut(rule_idx) {
            units.insert(Box::from(scope), Rc::clone(&unit));
        }
        unit
    }

    /// The breaker at this place, as an operator names it: the one that this worker keeps, if it is for this scope.
    pub fn at(
        &self,
        host: &dyn Host,
        breakers: &Breakers,
        rule_idx: usize,
        rule: &Rule,
        place: Tag,
        scope: &[u8],
    ) -> Rc<Unit> {
        if rule.per != Per::Key && breakers.place(&rule.name, rule.per, scope) == place {
            return self.meet(host, breakers, rule_idx, rule, scope);
        }
        self.stranger(host, breakers, rule_idx, rule, place, Shown::Text(Box::from(scope)))
    }

    /// One that this worker does not keep.
    fn stranger(
        &self,
        host: &dyn Host,
        breakers: &Breakers,
        rule_idx: usize,
        rule: &Rule,
        place: Tag,
        shown: Shown,
    ) -> Rc<Unit> {
        let (scope, series) = if rule.per == Per::Key {
            (breakers.id(place), self.of_keys(host, rule_idx, rule))
        } else {
            let others = || Rc::new(Series::of_many(host, OVERFLOW));
            (text(&shown.text()), Rc::clone(self.others.get_or_init(others)))
        };
        Rc::new(Unit { rule_idx, place, scope, shown, is_listed: Cell::new(true), series })
    }

    /// Some of the breakers that this worker met: each time the next ones, so that all have their turn.
    pub fn next_ones(&self, n: usize) -> Vec<Rc<Unit>> {
        let met = self.met.borrow();
        let all = || met.iter().flat_map(BTreeMap::values);
        let n_met = all().count();
        let from = self.turn.get().checked_rem(n_met).unwrap_or(0);
        self.turn.set(from.saturating_add(n));
        all().cycle().skip(from).take(n.min(n_met)).map(Rc::clone).collect()
    }

    /// Counts a request that got something else than a rejection.
    pub fn count_fallback(&self, host: &dyn Host, unit: &Unit, kind: signals::Kind) {
        let labels = [unit.series.label.as_str(), kind.as_str()];
        if let (Some(metric), _) = self.fallbacks.series(host, &labels) {
            host.add(metric, 1);
        }
    }

    fn of_keys(&self, host: &dyn Host, rule_idx: usize, rule: &Rule) -> Rc<Series> {
        let make = || Rc::new(Series::of_many(host, &rule.name));
        self.of_keys.get(rule_idx).map_or_else(make, |cell| Rc::clone(cell.get_or_init(make)))
    }

    /// Counts a change of state that was this worker's, and shows the state that is.
    ///
    /// Another worker may have changed it again and shown that already, so what was shown is compared with
    /// what is stored: the last to look leaves the truth.
    pub fn show(&self, host: &dyn Host, breakers: &Breakers, unit: &Unit, change: &Transition) {
        let (from, to) = (signals::state(change.from), signals::state(change.to));
        if let (Some(metric), _) = self.transitions.series(host, &[&unit.series.label, from, to]) {
            host.add(metric, 1);
        }
        let mut shown = change.to;
        for _ in 0..MAX_LOOKS {
            unit.show(host, shown);
            let is = breakers.find(host, unit.place).unwrap_or_default().shown();
            if is == shown {
                return;
            }
            shown = is;
        }
    }
}

impl Unit {
    /// Counts a request.
    pub fn count(&self, host: &dyn Host, word: Word) {
        if let Some(counter) = self.series.requests.get(word as usize) {
            counter.add(host, 1);
        }
    }

    /// Counts an admitted request whose answer began late.
    pub fn count_slow(&self, host: &dyn Host) {
        self.series.slow.add(host, 1);
    }

    /// Counts the end of a request.
    pub fn count_end(&self, host: &dyn Host, ended: Ended) {
        if let Some(counter) = self.series.outcomes.get(ended as usize) {
            counter.add(host, 1);
        }
    }

    /// Shows how many of the requests of its window failed.
    pub fn show_failures(&self, host: &dyn Host, tally: &Tally) {
        if let Some(gauge) = &self.series.failure_percent {
            let (n_failed, n_ended) = (u64::from(tally.n_failed), u64::from(tally.n_ended));
            gauge.set(host, n_failed.saturating_mul(100).checked_div(n_ended).unwrap_or(0));
        }
    }

    fn show(&self, host: &dyn Host, state: State) {
        if let Some(gauge) = &self.series.state {
            gauge.set(host, u64::from(code_of(state)));
        }
    }
}

impl Series {
    fn new(host: &dyn Host, rule: &Rule, scope: &str) -> Self {
        let label = match rule.per {
            Per::Rule | Per::Key => rule.name.clone(),
            Per::Cluster | Per::Route | Per::VirtualHost => format!("{}/{scope}", rule.name),
        };
        let gauge = |family| Some(Gauge::new(host, family, &[("breaker", &label)]));
        let (state, failure_percent) = (gauge(signals::STATE), gauge(signals::FAILURE_PERCENT));
        Self { state, failure_percent, ..Self::of_many(host, &label) }
    }

    /// Without a state: one of many breakers together would say nothing.
    fn of_many(host: &dyn Host, label: &str) -> Self {
        let counter =
            |family, name, value| Counter::new(host, family, &[("breaker", label), (name, value)]);
        Self {
            state: None,
            failure_percent: None,
            slow: Counter::new(host, signals::SLOW, &[("breaker", label)]),
            requests: Word::ALL.map(|word| counter(signals::REQUESTS, "decision", word.as_str())),
            outcomes: Ended::ALL.map(|ended| counter(signals::OUTCOMES, "result", ended.as_str())),
            label: label.to_owned(),
        }
    }
}

/// A scope as log lines and labels show it: one word.
fn text(scope: &[u8]) -> String {
    String::from_utf8_lossy(scope)
        .chars()
        .map(|c| if c.is_control() || c.is_whitespace() { '_' } else { c })
        .collect()
}
