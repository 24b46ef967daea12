//! What a request gets that its breaker rejects: the first fallback that can, else the rejection.

use std::rc::Rc;

use kit::exchange::{Attribute, Map, STALE_COPY};
use kit::filter::{Flow, is_grpc};
use kit::{Exchange, Nanos};

use super::settling::Admitted;
use super::{CircuitBreaker, Stream, is_safe};
use crate::answer::{self, Rejected};
use crate::breaker::{Decision, Ticket};
use crate::config::{Per, Rule};
use crate::evidence::CACHE_HID_ERROR;
use crate::fallback::Fallback;
use crate::signals::{self, FALLBACK_HEADER, FALLBACK_NOTE, Kind, Word};
use crate::unit::Unit;

/// What became of a rejected request, where its end tells more.
#[derive(Debug)]
pub(super) enum Instead {
    /// A cache in front has a copy for it.
    Stale(Rc<Unit>),
    /// It went on to another cluster.
    Cluster(Rc<Unit>),
}

/// Whether another cluster takes a request, and on whose account.
enum Backup {
    /// It does; nobody counts how that ends.
    Takes,
    /// It does, and its own breaker counts.
    Counts(Rc<Unit>, Ticket),
    /// Its own breaker rejects as well.
    Rejects,
}

impl CircuitBreaker {
    /// Answers a request that the breaker rejects, or lets it go elsewhere. `end` as in the request headers.
    ///
    /// **Cost**: for each kind of fallback that is asked: one property, or the content type, or the headers and the
    /// other cluster's breaker.
    pub(super) fn refuse(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        end: bool,
        (rule, unit): (&Rule, &Rc<Unit>),
        rejected: Rejected,
    ) -> Flow {
        x.detail(signals::NAME, "reason", &rejected.reason);
        for fallback in &rule.fallbacks {
            match fallback {
                Fallback::Stale if x.property(&[STALE_COPY]).is_none() => {}
                Fallback::Stale => {
                    // The cache puts its copy in the place of the rejection; the end says whether it did.
                    stream.1 = Some(Instead::Stale(Rc::clone(unit)));
                    break;
                }
                Fallback::Cluster(name) => {
                    match self.backup(x, end, rule, unit, name) {
                        Backup::Rejects => continue,
                        Backup::Takes => {}
                        Backup::Counts(backup, ticket) => {
                            stream.0 = Some(Admitted::new(x, backup, ticket, end));
                        }
                    }
                    x.set_header(Map::Request, FALLBACK_HEADER, name.as_bytes());
                    stream.1 = Some(Instead::Cluster(Rc::clone(unit)));
                    self.fell_back(x, unit, Kind::Cluster);
                    return Flow::Continue;
                }
                Fallback::Static(_) if speaks_grpc(x) => {}
                Fallback::Static(own) => {
                    self.fell_back(x, unit, Kind::Static);
                    return answer::instead(own, &rule.name, rejected).into_flow();
                }
            }
        }
        answer::rejection(&rule.answer, &rule.name, rejected).into_flow()
    }

    /// Takes the mark of a fallback from a request that came with it; it is this filter's to set.
    ///
    /// Envoy has chosen the route by the mark, and chooses anew without it, but tells filters only of the first
    /// choice. So which breaker the request meets is not known: it passes while all are closed, and only then.
    pub(super) fn take_mark(&self, x: &dyn Exchange) -> Flow {
        x.remove_header(Map::Request, FALLBACK_HEADER);
        self.forged.add(x.host(), 1);
        if self.breakers.are_all_closed(x.host()) {
            return Flow::Continue;
        }
        x.note(signals::NAME, Word::Reject.as_note());
        x.detail(signals::NAME, "reason", &signals::FORGED);
        let rejected = Rejected { reason: signals::FORGED, retry_in: Nanos::ZERO };
        answer::rejection(&self.config.answer, signals::NO_RULE, rejected).into_flow()
    }

    /// The end of a request that was rejected.
    pub(super) fn end_instead(&self, stream: &mut Stream, x: &dyn Exchange) {
        match stream.1.take() {
            None => {}
            Some(Instead::Stale(unit)) => {
                let details = x.attribute(Attribute::ResponseDetails);
                if details.is_some_and(|details| *details == *CACHE_HID_ERROR.as_bytes()) {
                    self.fell_back(x, &unit, Kind::Stale);
                }
            }
            Some(Instead::Cluster(unit)) => self.check_way(x, &unit),
        }
    }

    fn fell_back(&self, x: &dyn Exchange, unit: &Unit, kind: Kind) {
        self.units.count_fallback(x.host(), unit, kind);
        x.note(signals::NAME, FALLBACK_NOTE);
        if let Some(rule) = self.config.rules.get(unit.rule_idx) {
            x.detail(signals::NAME, "rule", &rule.name);
        }
        x.detail(signals::NAME, "kind", &kind.as_str());
    }

    /// Whether the other cluster may be sent this request. Where each cluster has a breaker, that one's says so.
    fn backup(&self, x: &dyn Exchange, end: bool, rule: &Rule, unit: &Unit, name: &str) -> Backup {
        if rule.per != Per::Cluster {
            return Backup::Takes;
        }
        let host = x.host();
        let backup = self.units.meet(host, &self.breakers, unit.rule_idx, rule, name.as_bytes());
        self.records.meet(host, rule, &backup);
        if backup.place == unit.place {
            return Backup::Rejects;
        }
        let is_safe = || end && is_safe(x);
        let asked = self.breakers.ask(host, backup.place, &rule.settings, is_safe, x.now());
        let is_advice = asked.is_ok_and(|done| done.effects.is_advice);
        let (word, ticket) = match self.done(host, rule, &backup, asked) {
            Ok(Some(Decision::Admit(ticket))) => (Word::Admit, ticket),
            Ok(Some(Decision::Probe(ticket))) => (Word::Probe, ticket),
            Ok(Some(Decision::Reject { .. })) if !is_advice => return Backup::Rejects,
            Ok(_) | Err(_) => return Backup::Takes,
        };
        backup.count(host, word);
        Backup::Counts(backup, ticket)
    }

    /// Says so if no route took the request elsewhere: then it went where it was not to go.
    ///
    /// **Cost**: one property, of requests that fell back to a cluster.
    fn check_way(&self, x: &dyn Exchange, unit: &Unit) {
        let is_per_cluster =
            self.config.rules.get(unit.rule_idx).is_some_and(|rule| rule.per == Per::Cluster);
        let went_to = || x.property(&["xds", "cluster_name"]);
        if is_per_cluster
            && went_to().is_some_and(|cluster| cluster == unit.shown.text())
            && self.lost_way_logged_at.is_due(x.now())
        {
            log::warn!(
                "{}: fallback not routed cluster={}: no route takes requests with {FALLBACK_HEADER} elsewhere",
                signals::NAME,
                unit.scope
            );
        }
    }
}

/// Whether the client speaks gRPC.
fn speaks_grpc(x: &dyn Exchange) -> bool {
    x.request_header("content-type").is_some_and(|kind| is_grpc(&kind))
}
