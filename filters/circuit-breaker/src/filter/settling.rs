//! The outcome of an admitted request: settled once, when its answer begins or, without one, when the exchange ends;
//! what the upstream breaks afterwards is added.

use std::rc::Rc;

use kit::exchange::{Attribute, Map};
use kit::headers::Headers;
use kit::{Exchange, Nanos};

use super::CircuitBreaker;
use crate::breaker::{Begun, Event, Ticket};
use crate::config::Rule;
use crate::evidence::{self, Ending, Evidence, Failures, deadline, judge};
use crate::policy::Stepped;
use crate::records::Bad;
use crate::signals::Ended;
use crate::unit::Unit;

/// The status of a switch to another protocol: RFC 9110, 15.2.2.
const SWITCHING_PROTOCOLS: u64 = 101;

/// An admitted request.
#[derive(Debug)]
pub(super) struct Admitted {
    unit: Rc<Unit>,
    ticket: Ticket,
    /// When it was let through.
    passed_at: Nanos,
    /// When all of it had been let through: the upstream's time begins.
    whole_at: Option<Nanos>,
    /// The deadline that its client chose.
    deadline: Option<Nanos>,
    settled: Option<Settled>,
}

/// What an answer was counted as.
#[derive(Debug, Clone, Copy)]
struct Settled {
    ended: Ended,
    /// How its beginning was counted, while its end may still say something.
    begun: Option<Begun>,
    /// The status of the answer.
    status: Option<u16>,
}

impl Admitted {
    /// A request that goes on with this ticket; `end` says that it has no body.
    ///
    /// **Cost**: looks for three headers.
    pub(super) fn new(x: &dyn Exchange, unit: Rc<Unit>, ticket: Ticket, end: bool) -> Self {
        let passed_at = x.now();
        Self {
            unit,
            ticket,
            passed_at,
            whole_at: end.then_some(passed_at),
            deadline: deadline::chosen(x),
            settled: None,
        }
    }

    /// The last of its body has been let through.
    pub(super) fn is_sent(&mut self, now: Nanos) {
        self.whole_at.get_or_insert(now);
    }

    /// Whether the upstream took too long to begin its answer, by this filter's clock; while the client still sends,
    /// it has not begun to take time.
    fn is_slow(&self, rule: &Rule, now: Nanos) -> bool {
        let took = self.whole_at.map(|whole_at| now.saturating_sub(whole_at));
        rule.settings.slow.is_some_and(|slow| took.is_some_and(|took| took > slow.duration))
    }

    fn is_past_deadline(&self, now: Nanos) -> bool {
        deadline::is_past(self.deadline, now.saturating_sub(self.passed_at))
    }
}

impl CircuitBreaker {
    /// The answer begins: it is evidence, and a probe's permit is free.
    ///
    /// **Cost**: the details and the header map; of what a step costs see [`crate::policy::Breakers::step`].
    pub(super) fn begin_answer(&self, admitted: &mut Admitted, x: &dyn Exchange, end: bool) {
        if admitted.settled.is_some() {
            return;
        }
        let Some(rule) = self.config.rules.get(admitted.unit.rule_idx) else { return };
        let is_past_deadline = admitted.is_past_deadline(x.now());
        let headers = x.headers(Map::Response);
        let beginning = Beginning { x, headers: &headers, is_past_deadline };
        let is_whole = end || beginning.status() == SWITCHING_PROTOCOLS;
        let seen = Seen::of(&beginning, rule, is_whole);
        self.settle(admitted, rule, x, &seen);
    }

    /// The trailers have come: a gRPC call says there how it ended.
    pub(super) fn end_answer(&self, admitted: &mut Admitted, x: &dyn Exchange) {
        let Some(Settled { begun: Some(begun), .. }) = admitted.settled else { return };
        let Some(rule) = self.config.rules.get(admitted.unit.rule_idx) else { return };
        let Some(grpc_status) = grpc_status(x, Map::Trailers) else { return };
        let is_past_deadline = admitted.is_past_deadline(x.now());
        if failures(rule).is_failed_by_trailers(grpc_status, is_past_deadline) {
            self.break_off(admitted, rule, begun, x, Some(grpc_status));
        }
    }

    /// The exchange is over.
    ///
    /// **Cost**: the flags, of an answer that has begun.
    pub(super) fn end(&self, mut admitted: Admitted, x: &dyn Exchange) {
        let Some(rule) = self.config.rules.get(admitted.unit.rule_idx) else { return };
        match admitted.settled {
            None => {
                let is_past_deadline = admitted.is_past_deadline(x.now());
                let seen = Seen::of(&End { x, is_past_deadline }, rule, true);
                self.settle(&mut admitted, rule, x, &seen);
            }
            Some(Settled { begun: Some(begun), .. }) => {
                self.end_begun(&mut admitted, rule, begun, x);
            }
            Some(Settled { begun: None, .. }) => {}
        }
        let ended = admitted.settled.map_or(Ended::Ignored, |settled| settled.ended);
        admitted.unit.count_end(x.host(), ended);
    }

    fn end_begun(&self, admitted: &mut Admitted, rule: &Rule, begun: Begun, x: &dyn Exchange) {
        let is_broken =
            evidence::is_broken_by_upstream(x.number(Attribute::ResponseFlags).unwrap_or(0));
        if is_broken && !is_tunnel(x) {
            self.break_off(admitted, rule, begun, x, None);
        } else if begun.ends_row {
            let whole = Event::Whole(admitted.ticket);
            let _stepped = self.step(admitted, rule, whole, x);
        }
    }

    /// Counts what is seen of an exchange.
    fn settle(&self, admitted: &mut Admitted, rule: &Rule, x: &dyn Exchange, seen: &Seen) {
        let (host, ticket) = (x.host(), admitted.ticket);
        admitted.settled =
            Some(Settled { ended: Ended::Ignored, begun: None, status: seen.status });
        let Seen { evidence, status, grpc_status, .. } = *seen;
        if evidence == Evidence::Nothing && ticket.permit.is_none() {
            return;
        }
        let is_slow = evidence != Evidence::Nothing && admitted.is_slow(rule, x.now());
        if is_slow {
            admitted.unit.count_slow(host);
        }
        let (event, ended) = match evidence {
            Evidence::Success if seen.is_whole => {
                (Event::Success { ticket, is_slow }, Ended::Success)
            }
            Evidence::Success => (Event::Begun { ticket, is_slow }, Ended::Success),
            Evidence::Failure => {
                let (luck, come_back) = (host.random(), come_back(rule, x));
                (Event::Failure { ticket, is_slow, luck, come_back }, Ended::Failure)
            }
            Evidence::Nothing => (Event::Nothing(ticket), Ended::Ignored),
        };
        let done = self.step(admitted, rule, event, x);
        let is_late = done.is_some_and(|done| done.effects.is_late);
        admitted.settled = Some(Settled {
            ended: if is_late { Ended::Late } else { ended },
            begun: done.and_then(|done| done.effects.begun),
            status,
        });
        let has_failed = evidence == Evidence::Failure;
        if has_failed || is_slow {
            let took = x.now().saturating_sub(admitted.passed_at);
            let bad = Bad { has_failed, is_slow, status, grpc_status, took };
            self.records.fail(x, rule, &admitted.unit, bad);
        }
    }

    /// An answer that had begun well failed, and the upstream is the cause.
    fn break_off(
        &self,
        admitted: &mut Admitted,
        rule: &Rule,
        begun: Begun,
        x: &dyn Exchange,
        grpc_status: Option<u32>,
    ) {
        let event = Event::Broken { ticket: admitted.ticket, begun, luck: x.host().random() };
        let done = self.step(admitted, rule, event, x);
        let is_late = done.is_some_and(|done| done.effects.is_late);
        let ended = if is_late { Ended::Late } else { Ended::Failure };
        let status = admitted.settled.and_then(|settled| settled.status);
        admitted.settled = Some(Settled { ended, begun: None, status });
        let (is_slow, took) = (begun.is_slow, x.now().saturating_sub(admitted.passed_at));
        let bad = Bad { has_failed: true, is_slow, status, grpc_status, took };
        self.records.fail(x, rule, &admitted.unit, bad);
    }

    /// A lost outcome is counted as degraded; a lost permit runs out.
    fn step(
        &self,
        admitted: &Admitted,
        rule: &Rule,
        event: Event,
        x: &dyn Exchange,
    ) -> Option<Stepped> {
        let (host, unit) = (x.host(), &admitted.unit);
        let stepped = self.breakers.step(host, unit.place, &rule.settings, event, x.now());
        let _ = self.done(host, rule, unit, stepped);
        stepped.ok()
    }
}

/// What is known of an exchange when its outcome is settled.
struct Seen {
    evidence: Evidence,
    /// Whether nothing that follows can say more.
    is_whole: bool,
    status: Option<u16>,
    grpc_status: Option<u32>,
}

impl Seen {
    fn of(ending: &impl Ending, rule: &Rule, is_whole: bool) -> Self {
        let evidence = judge(ending, failures(rule));
        let is_bad = evidence == Evidence::Failure || rule.settings.slow.is_some();
        Self {
            evidence,
            is_whole,
            status: u16::try_from(ending.status()).ok().filter(|status| *status > 0),
            grpc_status: if is_bad { ending.grpc_status() } else { None },
        }
    }
}

/// An answer that begins.
struct Beginning<'a> {
    x: &'a dyn Exchange,
    headers: &'a Headers,
    is_past_deadline: bool,
}

impl Ending for Beginning<'_> {
    fn flags(&self) -> u64 {
        self.x.number(Attribute::ResponseFlags).unwrap_or(0)
    }

    fn has_details(&self, details: &[u8]) -> bool {
        has_details(self.x, details)
    }

    fn status(&self) -> u64 {
        self.headers.text(":status").and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Among the headers of an answer that has nothing else.
    fn grpc_status(&self) -> Option<u32> {
        self.headers.text("grpc-status")?.parse().ok()
    }

    /// What Envoy makes of a timeout is the first that the client gets.
    fn has_begun(&self) -> bool {
        false
    }

    fn is_past_deadline(&self) -> bool {
        self.is_past_deadline
    }
}

/// An exchange that ended, as Envoy tells it in the log phase, and whose answer this filter has not seen begin.
struct End<'a> {
    x: &'a dyn Exchange,
    is_past_deadline: bool,
}

impl Ending for End<'_> {
    fn flags(&self) -> u64 {
        self.x.number(Attribute::ResponseFlags).unwrap_or(0)
    }

    fn has_details(&self, details: &[u8]) -> bool {
        has_details(self.x, details)
    }

    fn status(&self) -> u64 {
        self.x.number(Attribute::ResponseCode).unwrap_or(0)
    }

    /// In the trailers, or in the headers of an answer that has nothing else.
    fn grpc_status(&self) -> Option<u32> {
        grpc_status(self.x, Map::Trailers).or_else(|| grpc_status(self.x, Map::Response))
    }

    /// Envoy's own answer has a 5xx, or, to a gRPC client, its status among the headers.
    fn has_begun(&self) -> bool {
        (1..500).contains(&self.status()) && self.x.header(Map::Response, "grpc-status").is_none()
    }

    fn is_past_deadline(&self) -> bool {
        self.is_past_deadline
    }
}

fn has_details(x: &dyn Exchange, details: &[u8]) -> bool {
    x.attribute(Attribute::ResponseDetails).is_some_and(|found| found.as_ref() == details)
}

const fn failures(rule: &Rule) -> Failures<'_> {
    Failures {
        status: &rule.failure_status,
        grpc: &rule.failure_grpc_status,
        ignored_status: &rule.ignored_status,
        ignored_grpc: &rule.ignored_grpc_status,
    }
}

/// How long the failed upstream asks to be left alone; zero if it says nothing.
fn come_back(rule: &Rule, x: &dyn Exchange) -> Nanos {
    if !rule.heeds_retry_after {
        return Nanos::ZERO;
    }
    let value = x.header(Map::Response, "retry-after");
    let asked = value.and_then(|value| evidence::retry_after(&value, || x.host().wall()));
    asked.unwrap_or(Nanos::ZERO)
}

/// Whether the request asked for a tunnel: RFC 9110, 9.3.6. Asked only of an answer that broke off.
fn is_tunnel(x: &dyn Exchange) -> bool {
    x.request_header(":method").is_some_and(|method| *method == *b"CONNECT")
}

fn grpc_status(x: &dyn Exchange, map: Map) -> Option<u32> {
    std::str::from_utf8(&x.header(map, "grpc-status")?).ok()?.parse().ok()
}
