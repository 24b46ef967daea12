//! The response's side: what the origin said, and may it be stored?

use std::rc::Rc;

use kit::exchange::{Attribute, Map};
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow, Nanos};

use super::ResponseCache;
use super::asking::heed;
use super::stream::{Asked, Filling, Forwarded, Held, Passing, Stream};
use crate::fill::Fill;
use crate::http::conditional::is_current;
use crate::http::freshness::Arrival;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::http::validation::{self, Head};
use crate::http::vary::Vary;
use crate::http::{reference, tags, vary};
use crate::key::{self, Key};
use crate::policy::assume::COMPARED;
use crate::policy::reuse;
use crate::policy::storing::{self, Leave};
use crate::policy::terms::Basis;
use crate::reply::{self, How, Mend};
use crate::signals::{Decision, Refusal, Staleness, Validation};
use crate::store::flights::Landing;
use crate::store::index::Changed;
use crate::store::purges::Subject;
use crate::store::stored::Stored;

/// Fields by which services make their answers and which they forget to name in `Vary`: what is answered to them is
/// not stored, unless the key has them. Envoy sets `x-forwarded-proto` and `-for` itself, and no answer should depend
/// on the path that a proxy has rewritten.
const GUARDED: [&str; 8] = [
    "x-forwarded-host",
    "x-forwarded-server",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

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
        if let Some(stale) = forwarded.stale.clone() {
            if has_failed(x, status) {
                self.validated(x, &forwarded, Validation::Failed);
                if let Some(flow) = self.serve_instead(stream, x, &mut forwarded, &stale, status) {
                    return flow;
                }
            } else if status == 304 && forwarded.validating && !local() {
                return self.revalidated(stream, x, forwarded, &stale, &headers);
            } else {
                self.validated(x, &forwarded, Validation::Replaced);
                if forwarded.asked.request.method == Method::Head && !local() {
                    self.learn_from_head(x, &forwarded, &stale, &headers);
                }
            }
        }
        let begun =
            forwarded.asked.may_store.then(|| self.begin(x, &forwarded, &response, &headers));
        let outcome = begun.as_ref().map(|begun| begun.as_ref().map(|_| ()).map_err(|why| *why));
        self.mark(x, forwarded.decision, outcome, &forwarded.asked.whole, status);
        match begun {
            None => {}
            Some(Err(refusal)) => {
                self.meters.refused(x.host(), refusal);
                if forwarded.flight.is_held() {
                    let landing = landing(x, &forwarded, status, refusal);
                    self.land(x, &mut forwarded.flight, landing);
                }
                self.forget_refused(x, &forwarded, status, refusal);
                self.fetch_whole(x, &forwarded, &response, &headers);
            }
            Some(Ok(fill)) => {
                let stale = forwarded.stale.filter(|stale| stale.key != fill.key());
                let filling = Filling { fill, flight: forwarded.flight, stale };
                if end {
                    self.finish(x, filling);
                } else {
                    *stream = Stream::Filling(Box::new(filling));
                }
            }
        }
        Flow::Continue
    }

    /// A piece of the body has come.
    pub(super) fn pass_body(&self, stream: &mut Stream, x: &dyn Exchange, size: usize, end: bool) {
        let Stream::Filling(filling) = stream else { return };
        let fill = &mut filling.fill;
        if size > 0
            && let Err(refusal) = fill.make_room(size).and_then(|()| fill.push(&x.body(size), size))
        {
            self.meters.refused(x.host(), refusal);
            self.land(x, &mut filling.flight, refused(refusal));
            *stream = Stream::Untouched;
            return;
        }
        if end {
            self.pass_end(stream, x);
        }
    }

    /// The body is there in whole.
    pub(super) fn pass_end(&self, stream: &mut Stream, x: &dyn Exchange) {
        if let Stream::Filling(_) = stream
            && let Stream::Filling(filling) = std::mem::take(stream)
        {
            self.finish(x, *filling);
        }
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
        let asked = &forwarded.asked;
        let rule = self.config.rules.get(asked.rule)?;
        let soft = self.is_softly_purged(x.host(), stale)?;
        let may = !asked.background
            && reuse::may_serve_on_error(
                &asked.request,
                &asked.headers,
                stale,
                x.now(),
                soft,
                &rule.terms,
                heed(rule),
            );
        if !may {
            return None;
        }
        self.land(x, &mut forwarded.flight, Landing::Failed);
        self.meters.served_stale(x.host(), Staleness::Error);
        x.note(Self::NAME, Staleness::Error.as_str());
        Some(self.answer(stream, x, &forwarded.asked, stale, How::InsteadOf(status)))
    }

    /// The origin said 304: what is stored is good, with the fields that it sent along.
    fn revalidated(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        mut forwarded: Forwarded,
        stale: &Stored,
        update: &Headers,
    ) -> Flow {
        self.validated(x, &forwarded, Validation::NotModified);
        let arrival = self.arrival(x, forwarded.at);
        let fresh = self.freshen(x, &forwarded.asked, stale, update, arrival);
        let landing = match &fresh {
            Ok(_) => Landing::Stored,
            Err(refusal) => refused(*refusal),
        };
        self.land(x, &mut forwarded.flight, landing);
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(refusal) => {
                self.meters.refused(x.host(), refusal);
                Rc::new(Stored {
                    fields: validation::freshened(&stale.headers(), update),
                    ..stale.clone()
                })
            }
        };
        let asked = &forwarded.asked;
        if asked.background {
            return Flow::Continue;
        }
        let not_modified = asked.request.has_condition
            && fresh.status == 200
            && is_current(&asked.headers, &fresh.headers());
        if not_modified {
            // The client wants to hear just what the origin has said.
            self.mark(x, Decision::Stale, None, &asked.whole, 304);
            return Flow::Continue;
        }
        self.answer(stream, x, asked, &fresh, How::Revalidated)
    }

    /// Stores what is stored once more, with the fields of a 304: this response, and every other variant that the
    /// 304 selects.
    fn freshen(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        stale: &Stored,
        update: &Headers,
        arrival: Arrival,
    ) -> Result<Rc<Stored>, Refusal> {
        let fresh = self.refreshed(asked, stale, update, arrival)?;
        let others = self.store.entries_of(x.host(), &stale.key);
        self.put(x, fresh.clone(), arrival.asked)?;
        for other in others {
            let other = &other.stored;
            if other.generation != stale.generation
                && validation::selects(update, &other.headers())
                && let Ok(again) = self.refreshed(asked, other, update, arrival)
            {
                // Whether another variant gets fresher is no matter of this response.
                let _stored = self.put(x, again, arrival.asked);
            }
        }
        Ok(Rc::new(fresh))
    }

    /// What is stored, with the fields of an answer that says it is good.
    fn refreshed(
        &self,
        asked: &Asked,
        stale: &Stored,
        update: &Headers,
        arrival: Arrival,
    ) -> Result<Stored, Refusal> {
        let rule = self.config.rules.get(asked.rule).ok_or(Refusal::Store)?;
        let status = stale.status.to_string();
        let fields = Headers::from_pairs(validation::freshened(&stale.headers(), update));
        let whole = fields.with(":status", Some(status.as_bytes()));
        // Age is of the message that has just come.
        let whole = match update.get("age") {
            Some(age) => whole.with("age", Some(age)),
            None => whole,
        };
        let response = Response::read(&whole, &self.config.targeted);
        // Also what a HEAD has said is judged as what a GET would get.
        let request = Request { method: Method::Get, ..asked.request.clone() };
        let leave = storing::judge(&request, &asked.headers, &response, &rule.terms, arrival)?;
        Ok(Stored {
            body: stale.body.clone(),
            names: stale.names.clone(),
            variant: stale.variant.clone(),
            // It may have been found by what `No-Vary-Search` says.
            key: stale.key.clone(),
            uri: stale.uri.clone(),
            ..self.composed(asked, &response, &whole, &leave, arrival)?
        })
    }

    /// HEAD tells whether what is stored is still what a GET would get (RFC 9111, 4.3.5).
    fn learn_from_head(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        stale: &Stored,
        headers: &Headers,
    ) {
        let size = u64::try_from(stale.body.len()).unwrap_or(u64::MAX);
        match validation::head(&stale.headers(), size, headers) {
            Head::Freshens => {
                let arrival = self.arrival(x, forwarded.at);
                let freshened = self.refreshed(&forwarded.asked, stale, headers, arrival);
                if let Err(refusal) = freshened.and_then(|fresh| self.put(x, fresh, arrival.asked))
                {
                    self.meters.refused(x.host(), refusal);
                }
            }
            Head::Invalidates => self.invalidate_key(x, &stale.key),
            Head::SaysNothing => {}
        }
    }

    /// Begins to copy the response that has just come, if it may be stored.
    fn begin(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        response: &Response,
        headers: &Headers,
    ) -> Result<Fill, Refusal> {
        let asked = &forwarded.asked;
        let rule = self.config.rules.get(asked.rule).ok_or(Refusal::Store)?;
        // Most responses are refused by what they say: the clocks are for the others.
        if let Some(refusal) = storing::forbids(&asked.request, response, &rule.terms) {
            // A status that is not stored is often Envoy's or the breaker's: who answered says more.
            let is_local = refusal == Refusal::Status && !is_from_upstream(x);
            return Err(if is_local { Refusal::LocalReply } else { refusal });
        }
        let arrival = self.arrival(x, forwarded.at);
        let leave = storing::judge(&asked.request, &asked.headers, response, &rule.terms, arrival);
        // Who answered is asked only where it matters: for what would be stored, and for errors.
        if (leave.is_ok() || response.status >= 400) && !is_from_upstream(x) {
            return Err(Refusal::LocalReply);
        }
        let leave = leave?;
        let Vary::On(names) = &response.vary else { return Err(Refusal::Vary) };
        if self.is_guarded(asked, names) {
            return Err(Refusal::Guarded);
        }
        let names =
            if leave.basis == Basis::Assumed { &vary::merged(names, &COMPARED) } else { names };
        let mut stored = Stored {
            names: vary::names_bytes(names),
            variant: vary::variant_bytes(&asked.cluster, names, &asked.headers, &rule.normal),
            ..self.composed(asked, response, headers, &leave, arrival)?
        };
        if self.config.no_vary_search {
            self.rekey(x, asked, headers, &mut stored)?;
        }
        let max_bytes = self.config.max_object.0;
        Fill::begin(stored, forwarded.at, response.length, max_bytes, &self.budget)
    }

    /// What is stored, but for the body and what it varies on.
    fn composed(
        &self,
        asked: &Asked,
        response: &Response,
        headers: &Headers,
        leave: &Leave,
        arrival: Arrival,
    ) -> Result<Stored, Refusal> {
        let rule = self.config.rules.get(asked.rule).ok_or(Refusal::Store)?;
        let named = tags::read(headers, &self.config.tag_headers).map_err(|_| Refusal::Tags)?;
        let mut leave = leave.clone();
        leave.dropped.extend(self.config.hidden().iter().map(|name| name.clone().into_bytes()));
        let constant = rule.tags.iter().map(|tag| self.purges.tag(tag.as_bytes()));
        Ok(Stored {
            key: asked.whole.clone(),
            uri: key::uri_text(&asked.key.uri),
            asked: arrival.asked.0,
            received: leave.freshness.received.0,
            initial_age: leave.freshness.initial_age.0,
            lifetime: leave.freshness.lifetime.0,
            stale_while_revalidate: leave.grace.while_revalidate.0,
            stale_if_error: leave.grace.if_error.0,
            keep: leave.grace.keep.0,
            for_authorized: leave.for_authorized,
            validate: leave.validate,
            strict: leave.strict,
            basis: leave.basis,
            tags: named.iter().map(|tag| self.purges.tag(tag)).chain(constant).collect(),
            rule: rule.name.clone(),
            status: response.status,
            fields: response.stored_fields(headers, &leave, arrival),
            ..Stored::default()
        })
    }

    /// Stores a response that has passed in whole.
    fn finish(&self, x: &dyn Exchange, filling: Filling) {
        let Filling { fill, mut flight, stale } = filling;
        let stored = fill.end().and_then(|(stored, asked)| self.put(x, stored, asked));
        let landing = match stored {
            Ok(()) => {
                // What it replaces has another key, under which it would be found before this one.
                if let Some(stale) = stale {
                    self.forget_entry(x, &stale);
                }
                Landing::Stored
            }
            Err(refusal) => {
                self.meters.refused(x.host(), refusal);
                refused(refusal)
            }
        };
        self.land(x, &mut flight, landing);
    }

    /// Stores a response, unless it was purged while it was on its way.
    fn put(&self, x: &dyn Exchange, stored: Stored, asked: Nanos) -> Result<(), Refusal> {
        let host = x.host();
        let key = Key::read(&stored.key).ok_or(Refusal::Store)?;
        let (uri, tags) = (stored.uri.clone(), stored.tags.clone());
        let subject = Subject {
            asked: Nanos(stored.asked),
            uri: &uri,
            uri_key: &key.uri,
            has_parts: !key.parts.is_empty(),
            tags: &tags,
        };
        if !self.purges.admits(host, &subject) {
            return Err(Refusal::Invalidated);
        }
        let whole = stored.key.clone();
        let changed = self.store.put(host, stored, asked, x.now())?;
        self.meters.stored(host, &changed);
        if !self.purges.admits(host, &subject) {
            self.invalidate_key(x, &whole);
            return Err(Refusal::Invalidated);
        }
        Ok(())
    }

    /// Forgets what is stored for a URI that an unsafe request has changed, and for those of the same origin that
    /// its response names (RFC 9111, 4.4).
    fn invalidate(&self, x: &dyn Exchange, passing: &Passing) {
        let headers = x.response();
        let status = Response::read(&headers, &[]).status;
        if !(200..400).contains(&status) || !is_from_upstream(x) {
            return;
        }
        let request = &passing.request;
        let (scheme, authority) = (&request.scheme, &request.authority);
        let Some(base) = key::primary(scheme, authority, &request.path) else { return };
        let named = ["location", "content-location"].into_iter().filter_map(|name| {
            let named = reference::resolve(&base, headers.get(name)?)?;
            Some(key::split(&named)?.1.to_vec())
        });
        let mut targets = vec![request.path.clone()];
        for target in named {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let mut all = Changed::default();
        for target in &targets {
            for uri in self.config.uris(scheme, authority, target) {
                // First those that are told by what is stored, which this one may be.
                for twin in self.twins(x.host(), &uri) {
                    self.forget_uri(x, &twin, &mut all);
                }
                self.forget_uri(x, &uri, &mut all);
            }
        }
        self.meters.invalidated(x.host(), &all);
    }

    /// Forgets all that is stored for a URI, whoever it was for.
    pub(super) fn forget_uri(&self, x: &dyn Exchange, uri: &[u8], all: &mut Changed) {
        match self.store.invalidate(x.host(), uri, x.now()) {
            Ok(changed) => all.add(&changed),
            Err(_contended_or_refused) => self.meters.refused(x.host(), Refusal::Store),
        }
        if self.config.has_key_parts() && self.purges.forget_uri(x.host(), uri, x.now()).is_err() {
            self.meters.refused(x.host(), Refusal::Store);
        }
    }

    fn invalidate_key(&self, x: &dyn Exchange, whole: &[u8]) {
        match self.store.invalidate(x.host(), whole, x.now()) {
            Ok(changed) => self.meters.invalidated(x.host(), &changed),
            Err(_contended_or_refused) => self.meters.refused(x.host(), Refusal::Store),
        }
    }

    /// The origin was asked about what is stored and gave another response, which may not be stored: what is stored is
    /// no answer any more. What only this request is to blame for says nothing about others' answers.
    fn forget_refused(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        status: u16,
        refusal: Refusal,
    ) {
        let Some(stale) = &forwarded.stale else { return };
        let replaced = forwarded.validating
            && !is_own_fault(forwarded, status, refusal)
            && !matches!(refusal, Refusal::LocalReply | Refusal::Store | Refusal::FillMemory)
            && !has_failed(x, status);
        if replaced {
            self.invalidate_key(x, &stale.key);
        }
    }

    /// Whether the request has a field that services answer by though no key knows it, and this key does not either.
    fn is_guarded(&self, asked: &Asked, vary: &[String]) -> bool {
        let rule = self.config.rules.get(asked.rule);
        let guarded = |name: &[u8]| GUARDED.iter().any(|guarded| guarded.as_bytes() == name);
        let is_known = |name: &[u8]| {
            rule.is_some_and(|rule| rule.key.has_header(name))
                || vary.iter().any(|known| known.as_bytes() == name)
        };
        asked.headers.iter().any(|(name, _)| guarded(name) && !is_known(name))
    }

    fn validated(&self, x: &dyn Exchange, forwarded: &Forwarded, came: Validation) {
        if forwarded.validating {
            self.meters.validated(x.host(), came);
        }
    }

    pub(super) fn land(&self, x: &dyn Exchange, flight: &mut Held, landing: Landing) {
        if let Some(flight) = flight.take() {
            self.flights.land(x.host(), flight, landing, x.now());
        }
    }

    fn arrival(&self, x: &dyn Exchange, asked: Nanos) -> Arrival {
        Arrival { asked, received: x.now(), wall: x.host().wall().as_secs() }
    }

    /// Says what the cache did, where clients are to know.
    fn mark(
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
fn landing(x: &dyn Exchange, forwarded: &Forwarded, status: u16, refusal: Refusal) -> Landing {
    if has_failed(x, status) {
        Landing::Failed
    } else if is_own_fault(forwarded, status, refusal) {
        Landing::Abandoned
    } else {
        refused(refusal)
    }
}

/// What those who wait are told: only what the response itself is the reason of will be so the next time.
const fn refused(refusal: Refusal) -> Landing {
    if refusal.is_of_moment() { Landing::Failed } else { Landing::Uncacheable(refusal) }
}

/// Whether only this request is to blame that its response may not be stored: that says nothing about the next one.
fn is_own_fault(forwarded: &Forwarded, status: u16, refusal: Refusal) -> bool {
    let own_no_store = forwarded.asked.request.directives.no_store;
    refusal.is_of_request()
        || (refusal == Refusal::NoStore && own_no_store)
        // A part or a 304 that the client asked for: the next request may want the whole.
        || matches!(status, 206 | 304)
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
fn has_failed(x: &dyn Exchange, status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
        || x.attribute(Attribute::ResponseDetails)
            .is_some_and(|details| details.starts_with(b"weir_circuit"))
}
