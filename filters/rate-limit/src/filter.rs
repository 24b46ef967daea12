//! The filter in a request's life: decide, warn, tell, settle.

use std::borrow::Cow;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::Map;
use kit::hash::Secret;
use kit::meter::Counter;
use kit::operations::{Access, openapi};
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::answer::Spent;
use crate::config::Config;
use crate::fields::FieldStyles;
use crate::operations;
use crate::plans::Identity;
use crate::policy::{Assessment, Charge, Decision, Event, Limited, Policy};
use crate::rule::Rule;
use crate::signals::{self, Word};
use crate::standing::Standing;
use crate::watch::Watch;

/// The rate limiter of one worker.
#[derive(Debug)]
pub struct RateLimit {
    pub(crate) policy: Policy,
    pub(crate) watches: Vec<Watch>,
    fields: FieldStyles,
    warns_upstream: bool,
    /// Requests that no rule looked at.
    exempt: Counter,
    operations: Access,
    pub(crate) switched_off: Vec<Rule>,
}

/// What is remembered of an exchange.
#[derive(Debug, Default)]
pub struct Stream {
    /// What is settled at its end.
    charges: Vec<Charge>,
    /// What its response will carry.
    headers: Vec<Header>,
}

type Header = (Cow<'static, str>, Vec<u8>);

impl Filter for RateLimit {
    const NAME: &'static str = "rate-limit";
    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::ResponseHeaders,
        Callback::Log,
        Callback::Tick,
    ]);
    const TICK: Option<Nanos> = Some(Nanos::SECOND);
    /// A refusal's details say it as well.
    const ROUTINE: &'static [&'static str] = &[Word::Admit.as_str(), Word::Limit.as_str()];
    type Config = Config;
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let Config { rules, switched_off, exempt, plans, fields, operations } = config;
        openapi::publish_below(host, Self::NAME, &operations, &operations::OPERATIONS);
        for rule in &rules {
            for allowance in rule.allowances.iter() {
                if let Err(error) = allowance.table.prepare(host) {
                    log::error!("rate-limit: table not prepared rule={} error={error}", rule.name);
                }
            }
        }
        let watches = rules.iter().map(|rule| Watch::new(host, rule)).collect();
        let keeps_accounts = fields.wanted(true);
        let warns_upstream = rules.iter().any(|rule| rule.near.to_upstream);
        let policy = Policy::new(exempt, plans, rules, Secret::of_process(host), keeps_accounts);
        let exempt = Counter::new(host, signals::EXEMPT, &[]);
        Self { policy, watches, fields, warns_upstream, exempt, operations, switched_off }
    }

    fn summary(&self) -> Vec<String> {
        let in_force = self.policy.rules.iter().map(ToString::to_string);
        let off = self.switched_off.iter().map(|rule| format!("rule {}: off", rule.name));
        let exempt = self.policy.exempt.iter().map(|all| format!("exempt: {}", all.describe()));
        let plans = self.policy.plans.iter().map(|plans| format!("plans {plans}"));
        let operations = self.operations.is_on().then(|| self.operations.describe());
        exempt.chain(plans).chain(in_force).chain(off).chain(operations).collect()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        if let Some(answer) = operations::answer(&self.operations, self, x, end) {
            for line in &answer.audit {
                log::info!("{line}");
            }
            x.note(Self::NAME, answer.word);
            return answer.reply.into_flow();
        }
        let now = x.now();
        let identity = self.policy.identify(x);
        let assessment = self.policy.decide(x, &identity, now, |rule_idx, event| {
            self.see(x, now, rule_idx, identity.plan, &event);
        });
        note(x, &assessment);
        let is_refused = matches!(assessment.decision, Decision::Limit(_));
        let tells = is_refused || self.fields.wanted(false);
        let seen = if tells { assessment.seen.as_slice() } else { &[] };
        let standings = self.policy.standings(seen, now);
        let told = self.fields.wanted(is_refused).then_some(standings.as_slice());
        let mut headers = self.headers(x, &identity, &assessment, told);
        let mut reply = match &assessment.decision {
            decision @ (Decision::Exempt | Decision::Admit) => {
                if matches!(decision, Decision::Exempt) {
                    self.exempt.add(x.host(), 1);
                }
                self.warn(x, &assessment);
                stream.charges = assessment.charges;
                stream.charges.retain(|charge| self.policy.settles(charge));
                stream.headers = headers;
                return Flow::Continue;
            }
            Decision::Limit(limited) => {
                self.rank(x, &identity, limited, now);
                // A better plan helps only where the limit is the plan's.
                let is_by_plan = limited.key.allowance.plan.is_some();
                let plans = self.policy.plans.as_ref().filter(|_| is_by_plan);
                let spent = Spent {
                    standings: &standings,
                    wait: limited.wait,
                    plan: plans.map(|plans| plans.name(identity.plan)),
                    upgrade: plans.and_then(|plans| plans.upgrade(identity.plan)),
                };
                limited.rule.answer.spent(&spent, || x.host().random())
            }
            Decision::Keyless(rule) => rule.answer.keyless(&rule.name),
            Decision::Failed(rule) => rule.answer.failed(&rule.name, || x.host().random()),
        };
        reply.headers.append(&mut headers);
        reply.into_flow()
    }

    fn on_response_headers(&self, stream: &mut Stream, x: &dyn Exchange, _end: bool) -> Flow {
        for (name, value) in stream.headers.drain(..) {
            x.set_header(Map::Response, &name, &value);
        }
        Flow::Continue
    }

    fn on_log(&self, stream: &mut Stream, x: &dyn Exchange) {
        let charges = std::mem::take(&mut stream.charges);
        if !charges.is_empty() {
            let now = x.now();
            self.policy.settle(x, &charges, now, |charge, event| {
                self.see(x, now, charge.rule_idx, charge.plan, &event);
            });
        }
    }

    fn on_tick(&self, host: &dyn Host) {
        for watch in &self.watches {
            watch.add_up(host, host.now());
        }
    }
}

impl RateLimit {
    /// Tells the upstream which rules have not much left for this request's keys.
    fn warn(&self, x: &dyn Exchange, assessment: &Assessment<'_>) {
        if !self.warns_upstream {
            return;
        }
        let near = names(assessment, |rule| rule.near.to_upstream);
        if !near.is_empty() {
            x.set_header(Map::Request, signals::NEAR_HEADER, near.as_bytes());
        } else if x.request_header(signals::NEAR_HEADER).is_some() {
            // A client can not say it of itself: what the upstream then answers may be cached for others.
            x.remove_header(Map::Request, signals::NEAR_HEADER);
        }
    }

    /// What the response carries of this filter, whoever makes it.
    fn headers(
        &self,
        x: &dyn Exchange,
        identity: &Identity<'_>,
        assessment: &Assessment<'_>,
        told: Option<&[Standing<'_>]>,
    ) -> Vec<Header> {
        let mut headers = Vec::new();
        if let Some(plans) = &self.policy.plans
            && let Some(name) = plans.header()
        {
            let plan = plans.name(identity.plan).as_bytes().to_vec();
            headers.push((Cow::Owned(name.to_owned()), plan));
        }
        let near = names(assessment, |rule| rule.near.to_client);
        if !near.is_empty() {
            headers.push((Cow::Borrowed(signals::NEAR_HEADER), near.into_bytes()));
        }
        if let Some(standings) = told {
            self.fields.write(
                standings,
                || x.host().wall(),
                |name, value| {
                    headers.push((Cow::Borrowed(name), value.as_bytes().to_vec()));
                },
            );
        }
        headers
    }

    /// Passes on what happened at a rule.
    fn see(&self, x: &dyn Exchange, now: Nanos, rule_idx: usize, plan: usize, event: &Event<'_>) {
        let place = self.watches.get(rule_idx).zip(self.policy.rules.get(rule_idx));
        if let Some((watch, rule)) = place {
            watch.see(x.host(), now, rule, plan, event);
        }
    }

    /// Takes note of who was refused.
    fn rank(&self, x: &dyn Exchange, identity: &Identity<'_>, limited: &Limited<'_>, now: Nanos) {
        let Some(watch) = self.watches.get(limited.rule_idx) else { return };
        watch.rank(x.host(), now, limited.key.tag, || match limited.rule.show_keys {
            true => self.policy.readable_key(limited.rule, x, identity),
            false => String::new(),
        });
    }
}

/// The names of the rules that are near and that this choice takes.
fn names(assessment: &Assessment<'_>, choose: impl Fn(&Rule) -> bool) -> String {
    let chosen = assessment.near.iter().filter(|rule| choose(rule));
    chosen.map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Tells the decision record the word, the rule where one rule decided, and the cost where it is not 1.
fn note(x: &dyn Exchange, assessment: &Assessment<'_>) {
    x.note(RateLimit::NAME, word(assessment).as_str());
    let rule = match &assessment.decision {
        Decision::Exempt => None,
        Decision::Admit => assessment.shadow,
        Decision::Limit(limited) => Some(limited.rule),
        Decision::Keyless(rule) | Decision::Failed(rule) => Some(*rule),
    };
    if let Some(rule) = rule {
        x.detail(RateLimit::NAME, "rule", &rule.name);
    }
    if assessment.cost > 1 {
        x.detail(RateLimit::NAME, "cost", &assessment.cost);
    }
}

/// The word for the decision record.
fn word(assessment: &Assessment<'_>) -> Word {
    match assessment.decision {
        Decision::Exempt => Word::Exempt,
        Decision::Admit if assessment.shadow.is_some() => Word::Shadow,
        Decision::Admit => Word::Admit,
        Decision::Limit(_) => Word::Limit,
        Decision::Keyless(_) => Word::Deny,
        Decision::Failed(_) => Word::Error,
    }
}
