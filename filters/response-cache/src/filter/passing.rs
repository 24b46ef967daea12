//! The response's side: what the origin said, and may it be stored?

use kit::exchange::{Attribute, Map};
use kit::{Exchange, Filter, Flow, Nanos};

use super::ResponseCache;
use super::looking::heed;
use super::stream::{Asked, Filling, Forwarded, Held, Kept, Passing, Stream, Writing};
use crate::http::freshness::Arrival;
use crate::http::request::Method;
use crate::http::response::Response;
use crate::http::vary;
use crate::policy::{reuse, storing};
use crate::reply::{self, How, Mend};
use crate::signals::{Decision, Refusal, Staleness, Validation};
use crate::store::Entry;
use crate::store::flights::Landing;
use crate::store::stored::Stored;

impl ResponseCache {
    /// The headers of a response have come.
    pub(super) fn pass_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        match std::mem::take(stream) {
            Stream::Forwarded(forwarded) => return self.pass_asked(stream, x, *forwarded, end),
            Stream::Passing(passing) => self.pass_by(x, &passing),
            Stream::Answered(mend) => apply(&mend, x),
            // Somebody else answered while it waited: there is nothing to wait for any more.
            Stream::Waiting(_) | Stream::Untouched | Stream::Filling(_) => {}
        }
        Flow::Continue
    }

    /// A response that is never stored.
    fn pass_by(&self, x: &dyn Exchange, passing: &Passing) {
        if passing.request.method == Method::Unsafe {
            self.invalidate(x, passing);
        }
        self.mark(x, passing.decision, None, &[], 0);
    }

    /// A response to a request that the store was asked about.
    fn pass_asked(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        mut forwarded: Forwarded,
        end: bool,
    ) -> Flow {
        let headers = x.response();
        let response = Response::read(&headers, &self.config.targeted);
        let status = response.status;
        let local = || !is_from_upstream(x);
        let kept = forwarded.stale.take();
        if let Some(stale) = kept.as_ref().map(|kept| &*kept.stored) {
            x.detail(Self::NAME, "origin", &status);
            if has_failed(x, status) {
                self.validated(x, &forwarded, Validation::Failed);
                if let Some(flow) = self.serve_instead(stream, x, &mut forwarded, stale, status) {
                    return flow;
                }
            } else if status == 304 && forwarded.validating && !local() {
                return self.revalidated(stream, x, forwarded, stale, &headers);
            } else {
                self.validated(x, &forwarded, Validation::Replaced);
                if forwarded.asked.request.method == Method::Head && stale.status == 200 && !local()
                {
                    self.learn_from_head(x, &forwarded, stale, &headers);
                }
            }
        }
        // From here on its name will do; the copy of what comes may need the room.
        let replaced = kept.map(Kept::into_writing);
        let begun = forwarded.asked.may_store.then(|| {
            let fill = self.begin(x, &forwarded, &response, &headers)?;
            let may_replace = storing::is_said_to_all(status)
                || !self.has_good(x, &forwarded.asked, replaced.as_ref());
            may_replace.then_some(fill).ok_or(Refusal::Status)
        });
        let outcome = begun.as_ref().map(|begun| begun.as_ref().map(|_| ()).map_err(|why| *why));
        self.mark(x, forwarded.decision, outcome, &forwarded.asked.whole, status);
        match begun {
            None => {}
            Some(Err(refusal)) => {
                self.meters.refused(x.host(), refusal);
                x.detail(Self::NAME, "not_stored", &refusal.as_str());
                if forwarded.flight.is_held() {
                    let landing = landing(x, &forwarded, status, refusal);
                    self.land(x, &mut forwarded.flight, landing);
                }
                self.forget_refused(x, &forwarded, replaced.as_ref(), status, refusal);
                if replaced.is_none() {
                    self.fetch_whole(x, &forwarded, &response, &headers);
                }
            }
            Some(Ok(fill)) => {
                let replaces = replaced.filter(|Writing { key, names, variant, .. }| {
                    !fill.overwrites(key, names, variant)
                });
                let filling = Filling { fill, flight: forwarded.flight.begun(), replaces };
                if end {
                    self.finish(x, filling);
                } else {
                    *stream = Stream::Filling(Box::new(filling));
                }
            }
        }
        Flow::Continue
    }

    /// Whether a good response is stored that an error would replace, or hide from requests of other values.
    fn has_good(&self, x: &dyn Exchange, asked: &Asked, matched: Option<&Writing>) -> bool {
        let keys = [Some(&asked.whole), matched.map(|matched| &matched.key)];
        let stored = keys.into_iter().flatten();
        let mut stored = stored.flat_map(|key| self.store.entries_of(x.host(), key));
        stored.any(|Entry { stored, .. }| {
            vary::cluster_of(&stored.variant).unwrap_or_default() == &*asked.cluster
                && self
                    .is_softly_purged(x.host(), &stored)
                    .is_some_and(|soft| reuse::outlives_errors(&stored, x.now(), soft))
        })
    }

    /// Answers with what is stored in place of an error, where that is allowed.
    fn serve_instead(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        forwarded: &mut Forwarded,
        stale: &Stored,
        status: u16,
    ) -> Option<Flow> {
        if !self.may_serve_instead(x, &forwarded.asked, stale) {
            return None;
        }
        self.land(x, &mut forwarded.flight, Landing::Failed);
        self.meters.served_stale(x.host(), Staleness::Error);
        x.note(Self::NAME, Staleness::Error.as_str());
        self.note_rule(x, Some(forwarded.asked.rule));
        x.detail(Self::NAME, "origin", &status);
        Some(self.answer(stream, x, &forwarded.asked, stale, How::InsteadOf(status)))
    }

    /// Whether what is stored may be the answer if the origin fails now.
    pub(super) fn may_serve_instead(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        stale: &Stored,
    ) -> bool {
        let Some(rule) = self.config.rules.get(asked.rule).filter(|_| !asked.background) else {
            return false;
        };
        let soft = self.is_softly_purged(x.host(), stale);
        soft.is_some_and(|soft| {
            reuse::may_serve_on_error(
                &asked.request,
                &asked.headers,
                stale,
                x.now(),
                soft,
                &rule.terms,
                heed(rule),
            )
        })
    }

    pub(super) fn land(&self, x: &dyn Exchange, flight: &mut Held, landing: Landing) {
        if let Some(flight) = flight.take() {
            self.flights.land(x.host(), flight, landing, x.now());
        }
    }

    pub(super) fn arrival(&self, x: &dyn Exchange, asked: Nanos) -> Arrival {
        Arrival { asked, received: x.now(), wall: x.host().wall().as_secs() }
    }

    /// Says what the cache did, where clients are to know.
    pub(super) fn mark(
        &self,
        x: &dyn Exchange,
        decision: Decision,
        storing: Option<Result<(), Refusal>>,
        key: &[u8],
        status: u16,
    ) {
        for name in self.config.hidden() {
            x.remove_header(Map::Response, name);
        }
        let mut marks = self.config.marks();
        // Who made a background request wants to know what came of it.
        marks.cache_status |= decision == Decision::Background;
        if marks.any() {
            let (word, said) = reply::passing(decision, status, storing);
            for (name, value) in marks.fields(word, &said, key) {
                x.add_header(Map::Response, &name, &value);
            }
        }
    }
}

/// Why nobody needs to wait for such a response, or that it is worth another try.
pub(super) fn landing(
    x: &dyn Exchange,
    forwarded: &Forwarded,
    status: u16,
    refusal: Refusal,
) -> Landing {
    if has_failed(x, status) {
        Landing::Failed
    } else if is_own_fault(forwarded, status, refusal) {
        Landing::Unshared
    } else {
        refused(refusal)
    }
}

/// What those who wait are told: only what the response itself is the reason of will be so the next time.
pub(super) const fn refused(refusal: Refusal) -> Landing {
    if refusal.is_of_moment() { Landing::Failed } else { Landing::Uncacheable(refusal) }
}

/// Whether only this request is to blame that its response may not be stored: that says nothing about the next one.
pub(super) fn is_own_fault(forwarded: &Forwarded, status: u16, refusal: Refusal) -> bool {
    let own_no_store = forwarded.asked.request.directives.no_store;
    refusal.is_of_request()
        || (refusal == Refusal::NoStore && own_no_store)
        // A part or a 304 that the client asked for: the next request may want the whole.
        || matches!(status, 206 | 304)
        // An error that one request provokes, or a field that nobody can read, says nothing about the next answer.
        || !storing::is_said_to_all(status)
        || refusal == Refusal::Malformed
}

fn apply(mend: &Mend, x: &dyn Exchange) {
    match mend {
        Mend::RemoveContentType => x.remove_header(Map::Response, "content-type"),
        Mend::SetContentType(value) => x.set_header(Map::Response, "content-type", value),
    }
}

/// Whether the response is the upstream's own and not one that Envoy or another filter made.
pub(super) fn is_from_upstream(x: &dyn Exchange) -> bool {
    x.attribute(Attribute::ResponseDetails).is_some_and(|details| *details == *b"via_upstream")
}

/// Whether the origin has failed: one of the statuses of RFC 5861, section 4, or an answer of the circuit breaker.
pub(super) fn has_failed(x: &dyn Exchange, status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
        || x.attribute(Attribute::ResponseDetails)
            .is_some_and(|details| details.starts_with(b"weir_circuit"))
}
