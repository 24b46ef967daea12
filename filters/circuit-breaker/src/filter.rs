//! The breaker as a filter: gather what the rule needs, ask the breaker, do what it says.

mod probing;
mod refusing;
mod settling;

use std::rc::Rc;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, Attribute, CallId, Map};
use kit::filter::{Filter, Flow};
use kit::key::KeyOutcome;
use kit::meter::Counter;
use kit::operations::openapi;
use kit::shared::UpdateError;
use kit::throttle::Throttle;
use kit::{Exchange, Host, Nanos};

use crate::answer::Rejected;
use crate::breaker::{Decision, Event, Refusal, Ticket, Transition};
use crate::config::{Config, EventLog, OnFailure, Per, Rule};
use crate::fallback::Fallback;
use crate::operations;
use crate::policy::{Breakers, Stepped};
use crate::probe::Probes;
use crate::records::Records;
use crate::records::events::{self, Happened};
use crate::report;
use crate::signals::{self, Bypass, Degraded, FALLBACK_HEADER, Word};
use crate::unit::{Unit, Units};
use refusing::Instead;
use settling::Admitted;

/// The circuit breaker of one worker.
#[derive(Debug)]
pub struct CircuitBreaker {
    pub(crate) config: Config,
    pub(crate) breakers: Breakers,
    pub(crate) units: Units,
    pub(crate) records: Records,
    probes: Probes,
    /// Whether a rule falls back to another cluster: then no client may say that it does.
    marks_fallbacks: bool,
    forged: Counter,
    no_rule: Counter,
    no_scope: Counter,
    degraded: [Counter; Degraded::ALL.len()],
    evictions: Counter,
    degraded_logged_at: Throttle,
    evicted_logged_at: Throttle,
    lost_way_logged_at: Throttle,
}

/// How many breakers a worker looks at with each tick: 256 gets are half a millisecond.
const LOOKS_PER_TICK: usize = 256;

/// What an exchange holds: its breaker and the ticket, from its admission to its end; and what it got instead.
#[derive(Debug, Default)]
pub struct Stream(Option<Admitted>, Option<Instead>);

impl Filter for CircuitBreaker {
    const NAME: &'static str = signals::NAME;
    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::RequestBody,
        Callback::ResponseHeaders,
        Callback::ResponseTrailers,
        Callback::Log,
        Callback::Tick,
        Callback::QueueReady,
        Callback::CallAnswered,
    ]);
    /// Ends ramps and holds that no request ends, shows how many requests fail, and sends what is due of own probes:
    /// as much later than due as the shortest opening could be noticed.
    const TICK: Option<Nanos> = Some(Nanos::from_millis(500));
    const ROUTINE: &'static [&'static str] = &[Word::Admit.as_note()];

    type Config = Config;
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let bypassed =
            |why: Bypass| Counter::new(host, signals::BYPASSED, &[("reason", why.as_str())]);
        openapi::publish_below(host, signals::NAME, &config.operations, &operations::OPERATIONS);
        let marks =
            |rule: &Rule| rule.fallbacks.iter().any(|one| matches!(one, Fallback::Cluster(_)));
        let this = Self {
            breakers: Breakers::open(host, config.max_breakers),
            probes: Probes::default(),
            marks_fallbacks: config.rules.iter().any(marks),
            forged: bypassed(Bypass::Forged),
            units: Units::new(config.rules.len(), config.max_breakers),
            records: Records::open(host, config.max_breakers),
            no_rule: bypassed(Bypass::NoRule),
            no_scope: bypassed(Bypass::NoScope),
            degraded: Degraded::ALL
                .map(|why| Counter::new(host, signals::DEGRADED, &[("reason", why.as_str())])),
            evictions: Counter::new(host, signals::EVICTIONS, &[]),
            degraded_logged_at: Throttle::default(),
            evicted_logged_at: Throttle::default(),
            lost_way_logged_at: Throttle::default(),
            config,
        };
        this.meet_probed(host);
        this
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        let host = x.host();
        if let Some(answer) = operations::answer(&self.config.operations, self, x, end) {
            answer.audit.iter().for_each(|line| log::info!("{line}"));
            x.note(signals::NAME, answer.word);
            return answer.reply.into_flow();
        }
        if self.marks_fallbacks && x.request_header(FALLBACK_HEADER).is_some() {
            return self.take_mark(x);
        }
        let Some((rule_idx, rule)) =
            self.config.rules.iter().enumerate().find(|(_, rule)| rule.matcher.matches(x))
        else {
            self.no_rule.add(host, 1);
            return Flow::Continue;
        };
        let Some(unit) = self.unit(x, rule_idx, rule) else {
            self.no_scope.add(host, 1);
            return Flow::Continue;
        };
        if self.breakers.are_all_closed(host) {
            let ticket = Ticket { admitted_at: x.now(), permit: None };
            return admit(stream, (x, end), rule, unit, Word::Admit, ticket);
        }
        let asked =
            self.breakers.ask(host, unit.place, &rule.settings, || end && is_safe(x), x.now());
        let is_advice = rule.is_shadow || asked.is_ok_and(|done| done.effects.is_advice);
        match self.done(host, rule, &unit, asked) {
            Ok(Some(Decision::Admit(ticket))) => {
                admit(stream, (x, end), rule, unit, Word::Admit, ticket)
            }
            Ok(Some(Decision::Probe(ticket))) => {
                admit(stream, (x, end), rule, unit, Word::Probe, ticket)
            }
            Ok(Some(Decision::Reject { .. })) if is_advice => {
                // Its end will say nothing: the breaker does not count on it.
                tell(x, rule, &unit, Word::Shadow);
                Flow::Continue
            }
            Ok(Some(Decision::Reject { reason, retry_in })) => {
                let word = if reason == Refusal::Shed { Word::Shed } else { Word::Reject };
                tell(x, rule, &unit, word);
                let rejected = Rejected { reason: signals::refusal(reason), retry_in };
                self.refuse(stream, x, end, (rule, &unit), rejected)
            }
            Ok(None) | Err(_) => match self.config.on_failure {
                // It is no probe and was not let through by a closed breaker: its end will say nothing.
                OnFailure::Admit => Flow::Continue,
                OnFailure::Deny => {
                    tell(x, rule, &unit, Word::Reject);
                    let rejected = Rejected { reason: signals::UNKNOWN, retry_in: Nanos::ZERO };
                    self.refuse(stream, x, end, (rule, &unit), rejected)
                }
            },
        }
    }

    fn on_request_body(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        _size: usize,
        end: bool,
    ) -> Flow {
        if let Some(admitted) = stream.0.as_mut().filter(|_| end) {
            admitted.is_sent(x.now());
        }
        Flow::Continue
    }

    fn on_response_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        if let Some(admitted) = &mut stream.0 {
            self.begin_answer(admitted, x, end);
        }
        Flow::Continue
    }

    fn on_response_trailers(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        if let Some(admitted) = &mut stream.0 {
            self.end_answer(admitted, x);
        }
        Flow::Continue
    }

    fn on_log(&self, stream: &mut Stream, x: &dyn Exchange) {
        self.end_instead(stream, x);
        if let Some(admitted) = stream.0.take() {
            self.end(admitted, x);
        }
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        self.heard(host, id, &answer);
    }

    fn on_tick(&self, host: &dyn Host) {
        for unit in self.units.next_ones(LOOKS_PER_TICK) {
            let Some(rule) = self.config.rules.get(unit.rule_idx) else { continue };
            let Some(breaker) = self.breakers.find(host, unit.place) else { continue };
            let now = host.now();
            let (next, _) = breaker.step(&rule.settings, Event::Look, now);
            if next != breaker {
                let looked = self.breakers.step(host, unit.place, &rule.settings, Event::Look, now);
                // One that failed is looked at again with the next tick.
                let _ = self.done(host, rule, &unit, looked);
            }
            unit.show_failures(host, &next.tally(&rule.settings, now));
            self.probe(host, rule, &unit, next);
        }
    }
}

impl CircuitBreaker {
    /// The breaker for this request; none if it has nothing of what tells the breakers of the rule apart.
    fn unit(&self, x: &dyn Exchange, rule_idx: usize, rule: &Rule) -> Option<Rc<Unit>> {
        let meet = |scope: &[u8]| {
            let unit = self.units.meet(x.host(), &self.breakers, rule_idx, rule, scope);
            self.records.meet(x.host(), rule, &unit);
            unit
        };
        let scope = match rule.per {
            Per::Cluster => x.attribute(Attribute::Cluster),
            Per::Route => x.attribute(Attribute::RouteName),
            Per::VirtualHost => x.attribute(Attribute::VirtualHost),
            Per::Rule => return Some(meet(b"")),
            Per::Key => {
                let mut key = Vec::new();
                let is_whole = rule.key.build(x, &mut key) == KeyOutcome::Key;
                return is_whole.then(|| meet(&key));
            }
        };
        scope.filter(|scope| !scope.is_empty()).map(|scope| meet(&scope))
    }

    /// Tells what a step did; gives the decision.
    fn done(
        &self,
        host: &dyn Host,
        rule: &Rule,
        unit: &Unit,
        stepped: Result<Stepped, UpdateError>,
    ) -> Result<Option<Decision>, UpdateError> {
        let done = stepped.inspect_err(|error| self.tell_degraded(host, rule, *error))?;
        if done.has_evicted {
            self.tell_evicted(host);
        }
        if let Some(transition) = &done.effects.transition {
            self.tell(host, rule, unit, transition, done.at);
        }
        Ok(done.effects.decision)
    }

    fn tell(&self, host: &dyn Host, rule: &Rule, unit: &Unit, transition: &Transition, at: Nanos) {
        self.show(host, rule, unit, transition);
        let Transition { from, to, cause } = *transition;
        let cause = report::because(rule, cause);
        self.note(host, rule, unit, Happened { at, from, to, cause, by: String::new() });
    }

    /// Takes an event into the list, and logs it as JSON where that is asked for.
    pub(crate) fn note(&self, host: &dyn Host, rule: &Rule, unit: &Unit, what: Happened) {
        let id = self.breakers.id(unit.place);
        let event = events::Event::new(host, rule, unit, id, what);
        if self.config.event_log == EventLog::Json {
            let object = operations::event(&event);
            log::log!(report::level(event.to()), "{}: event {object}", signals::NAME);
        }
        self.records.events.add(host, &event);
    }

    /// Counts, shows and logs a change of state.
    pub(crate) fn show(&self, host: &dyn Host, rule: &Rule, unit: &Unit, transition: &Transition) {
        self.units.show(host, &self.breakers, unit, transition);
        if self.config.event_log == EventLog::Text {
            let line = report::line(rule, &unit.scope, transition);
            log::log!(report::level(transition.to), "{}: {line}", signals::NAME);
        }
    }

    fn tell_degraded(&self, host: &dyn Host, rule: &Rule, error: UpdateError) {
        let why = match error {
            UpdateError::Contended => Degraded::Contended,
            UpdateError::Refused => Degraded::Refused,
        };
        if let Some(counter) = self.degraded.get(why as usize) {
            counter.add(host, 1);
        }
        if self.degraded_logged_at.is_due(host.now()) {
            log::warn!(
                "{}: state not changed rule={}: {error}; see on_failure",
                signals::NAME,
                rule.name
            );
        }
    }

    pub(crate) fn tell_evicted(&self, host: &dyn Host) {
        self.evictions.add(host, 1);
        if self.evicted_logged_at.is_due(host.now()) {
            log::warn!(
                "{}: table full, a breaker was forgotten; raise max_breakers",
                signals::NAME
            );
        }
    }
}

fn admit(
    stream: &mut Stream,
    (x, end): (&dyn Exchange, bool),
    rule: &Rule,
    unit: Rc<Unit>,
    word: Word,
    ticket: Ticket,
) -> Flow {
    tell(x, rule, &unit, word);
    stream.0 = Some(Admitted::new(x, unit, ticket, end));
    Flow::Continue
}

/// Says what became of a request, to whoever logs and counts; of what goes without saying, the rule is not told.
fn tell(x: &dyn Exchange, rule: &Rule, unit: &Unit, word: Word) {
    x.note(signals::NAME, word.as_note());
    if word != Word::Admit {
        x.detail(signals::NAME, "rule", &rule.name);
    }
    unit.count(x.host(), word);
}

/// Whether the request's method is safe: RFC 9110, 9.2.1; `TRACE` never reaches an upstream by itself.
///
/// A safe request is a good probe only if it is here in whole: one whose body is still to come would hold the permit
/// for as long as its client likes to send.
fn is_safe(x: &dyn Exchange) -> bool {
    let headers = x.headers(Map::Request);
    matches!(headers.get(":method"), Some(b"GET" | b"HEAD" | b"OPTIONS"))
}
