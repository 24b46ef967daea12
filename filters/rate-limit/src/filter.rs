//! The filter in a request's life: gather, decide, apply.

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::hash::Secret;
use kit::throttle::Throttle;
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::config::Config;
use crate::policy::{Decision, Event, Policy};
use crate::reply;
use crate::signals::{Metrics, Word};

/// The rate limiter of one worker.
#[derive(Debug)]
pub struct RateLimit {
    policy: Policy,
    metrics: Vec<Metrics>,
    complaints: Throttle,
    switched_off: Vec<String>,
}

impl Filter for RateLimit {
    const NAME: &'static str = "rate-limit";
    const CALLBACKS: Callbacks = Callbacks::of(&[Callback::RequestHeaders]);
    type Config = Config;
    type Stream = ();

    fn read(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let metrics = config.rules.iter().map(|rule| Metrics::new(host, &rule.name)).collect();
        for rule in &config.rules {
            if let Err(error) = rule.table.prepare(host) {
                log::error!("rate-limit: table not prepared rule={} error={error}", rule.name);
            }
        }
        let policy = Policy::new(config.rules, Secret::of_process(host));
        let (complaints, switched_off) = (Throttle::default(), config.switched_off);
        Self { policy, metrics, complaints, switched_off }
    }

    fn summary(&self) -> Vec<String> {
        let in_force = self.policy.rules().iter().map(crate::rule::Rule::describe);
        let off = self.switched_off.iter().map(|name| format!("rule {name}: switched off"));
        in_force.chain(off).collect()
    }

    fn on_request_headers(&self, (): &mut (), x: &dyn Exchange, _end: bool) -> Flow {
        let now = x.now();
        let decision = self
            .policy
            .decide(x, now, |rule_idx, event| self.account(x.host(), now, rule_idx, event));
        let (word, reply) = match decision {
            Decision::Admit => (Word::Admit, None),
            Decision::Limit { rule, wait, .. } => (Word::Limit, Some(reply::limited(rule, wait))),
            Decision::Keyless(rule) => (Word::Deny, Some(reply::keyless(rule))),
            Decision::Failed(rule) => (Word::Error, Some(reply::failed(rule))),
        };
        x.note(Self::NAME, word.as_str());
        reply.map_or(Flow::Continue, kit::Reply::into_flow)
    }
}

impl RateLimit {
    /// Counts what happened at a rule.
    fn account(&self, host: &dyn Host, now: Nanos, rule_idx: usize, event: Event) {
        let Some(metrics) = self.metrics.get(rule_idx) else { return };
        match event {
            Event::Keyless => metrics.count(host, Word::Deny),
            Event::Failed(error) => {
                metrics.count(host, Word::Error);
                self.complain(now, rule_idx, error);
            }
            Event::Charged(charged) => {
                metrics
                    .count(host, if charged.refusal.is_some() { Word::Limit } else { Word::Admit });
                metrics.count_place(host, charged.place, charged.n_conflicts);
            }
        }
    }

    /// Says that a count could not be kept, at most once a minute.
    fn complain(&self, now: Nanos, rule_idx: usize, error: kit::shared::UpdateError) {
        if let (true, Some(rule)) = (self.complaints.is_due(now), self.policy.rules().get(rule_idx))
        {
            log::warn!(
                "rate-limit: count not kept rule={} error={error} on_failure={}",
                rule.name,
                rule.on_failure.as_str()
            );
        }
    }
}
