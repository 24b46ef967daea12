//! The request's side: what is stored, and may it be the answer?

use std::rc::Rc;

use kit::exchange::{Attribute, Map, STALE_COPY};
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow};

use super::ResponseCache;
use super::looking::{Look, Origin};
use super::stream::{Asked, Forwarded, Held, Kept, Passing, Queued, Stream, Waiting};
use crate::background::{self, Errand, MARKER, Restored};
use crate::config::Action;
use crate::http::directives::RequestDirectives;
use crate::http::request::{Method, Request, Treatment};
use crate::http::validation;
use crate::key;
use crate::reply::{self, How};
use crate::signals::{Decision, Staleness, Wait};
use crate::store::flights;
use crate::store::stored::Stored;

/// A request that the store is not asked about.
pub(super) struct Bypassed {
    pub(super) request: Request,
    /// The rule that matches it.
    pub(super) rule: Option<usize>,
}

/// How often one callback asks the store: what another worker has just stored may be gone again.
const MAX_LOOKS: usize = 4;

/// Whether a request comes for the first time or has waited.
pub(super) enum Turn {
    First,
    /// It waited for another request's response; why it would have been forwarded itself.
    Woken(flights::Waiting, Decision),
    /// It did not wait: a response had been stored between its look and its question. Why, likewise.
    Again(flights::Waiting, Decision),
}

/// Whether a request that nothing stored answers goes on now.
pub(super) enum Boarding {
    /// It goes, and lands this flight.
    Goes(Held),
    /// It waits.
    Waits(flights::Waiting),
    /// Another response has just been stored: the store is to be asked once more.
    LooksAgain(flights::Waiting),
}

impl ResponseCache {
    /// A request has come.
    pub(super) fn ask(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        let errand = self.errand(x);
        if let Some(reply) = self.operations(x, end) {
            return reply.into_flow();
        }
        let headers = x.request();
        let request = Request::read(&headers);
        let decision = match request.treatment(end) {
            Treatment::Untouched => return Flow::Continue,
            Treatment::Forward(decision) => decision,
            Treatment::LookUp => match self.asked(x, request, &headers, errand.as_ref()) {
                Ok(asked) if errand.as_ref().is_none_or(|errand| errand.is_for(&asked.key)) => {
                    return self.search(stream, x, asked, Turn::First);
                }
                Ok(Asked { rule, .. }) => return self.refuse_errand(x, Some(rule)),
                Err(bypassed) if errand.is_some_and(|errand| errand.rule.is_some()) => {
                    return self.refuse_errand(x, bypassed.rule);
                }
                Err(bypassed) => {
                    self.decided(x, bypassed.rule, Decision::Bypass);
                    *stream = passing(Decision::Bypass, bypassed.request);
                    return Flow::Continue;
                }
            },
        };
        self.decided(x, None, decision);
        *stream = passing(decision, request);
        Flow::Continue
    }

    /// A waiting request was woken.
    pub(super) fn ask_again(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        if !matches!(stream, Stream::Waiting(_)) {
            return Flow::Continue;
        }
        let Stream::Waiting(waiting) = std::mem::take(stream) else { return Flow::Continue };
        let Waiting { asked, decision, mut place } = *waiting;
        let turn = place.take().map_or(Turn::First, |place| Turn::Woken(place, decision));
        self.search(stream, x, asked, turn)
    }

    /// What a genuine marker says; any marker is removed, nobody behind is to see it.
    fn errand(&self, x: &dyn Exchange) -> Option<Errand> {
        let headers = x.request();
        headers.get(MARKER)?;
        let errand = background::errand(&self.secret, &headers, x.now());
        x.remove_header(Map::Request, MARKER);
        if let Some(errand) = &errand {
            // The way back is plain; the origin is to see the scheme of the request that was the occasion.
            x.set_header(Map::Request, "x-forwarded-proto", &errand.scheme);
            let Restored { names, values } = &errand.restored;
            for name in names {
                x.remove_header(Map::Request, name);
                for value in values.all(name) {
                    x.add_header(Map::Request, name, value);
                }
            }
        }
        errand
    }

    /// The cache's own request has come without what the key of its occasion has, such as a claim that the filters in
    /// front give only to a token that they have taken out: what the origin says to it is another's answer.
    fn refuse_errand(&self, x: &dyn Exchange, rule: Option<usize>) -> Flow {
        self.decided(x, rule, Decision::Background);
        reply::key_mismatch(self.config.marks()).into_flow()
    }

    /// What the store is to be asked; the rule at hand if nothing is.
    pub(super) fn asked(
        &self,
        x: &dyn Exchange,
        mut request: Request,
        headers: &Rc<Headers>,
        errand: Option<&Errand>,
    ) -> Result<Asked, Box<Bypassed>> {
        let named = errand.and_then(|errand| errand.rule.as_deref());
        let matching = match named {
            Some(name) => self.config.rules.iter().position(|rule| rule.name == name),
            None => self.config.rules.iter().position(|rule| rule.matcher.matches(x)),
        };
        let Some((idx, rule)) = matching.and_then(|idx| Some((idx, self.config.rules.get(idx)?)))
        else {
            return Err(Box::new(Bypassed { request, rule: None }));
        };
        if rule.action == Action::Bypass || rule.is_bypassed(x) {
            return Err(Box::new(Bypassed { request, rule: Some(idx) }));
        }
        let scheme = errand.map_or(&request.scheme, |errand| &errand.scheme).clone();
        let Some(key) = rule.key.build(x, &scheme, &request.authority, &request.path) else {
            return Err(Box::new(Bypassed { request, rule: Some(idx) }));
        };
        if !rule.heeds_directives {
            request.directives = RequestDirectives::default();
        }
        let may_store = request.method == Method::Get
            && !rule.no_store.as_ref().is_some_and(|no_store| no_store.matches(x));
        Ok(Asked {
            rule: idx,
            whole: key.whole(),
            key,
            scheme,
            cluster: cluster(x),
            background: errand.is_some(),
            may_store,
            headers: Rc::clone(headers),
            request,
        })
    }

    /// Looks for an answer; twice, if another response has been stored between the look and the question for a place.
    pub(super) fn search(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        asked: Asked,
        turn: Turn,
    ) -> Flow {
        let mut turn = turn;
        for _look in 0..MAX_LOOKS {
            let mut found = match self.look(x, &asked) {
                Look::Serve(stored) => return self.serve(stream, x, &asked, &stored, turn),
                Look::ServeStale(stored) => {
                    self.leave(x, turn);
                    return self.serve_stale(stream, x, &asked, &stored);
                }
                Look::Refuse => {
                    self.leave(x, turn);
                    self.decided(x, Some(asked.rule), Decision::OnlyIfCached);
                    return reply::only_if_cached(self.config.marks()).into_flow();
                }
                Look::Forward(found) => found,
            };
            if let Some(lead) = found.lead.take() {
                self.leave(x, turn);
                let flight = Held::of(lead, &self.adrift);
                return self.forward(stream, x, asked, found, flight);
            }
            let decision = found.decision;
            let has_waited = matches!(turn, Turn::Woken(..));
            match self.board(x, &asked, decision, found.stale.as_deref(), turn) {
                Boarding::Goes(flight) => {
                    return self.forward(stream, x, asked, found, flight);
                }
                Boarding::Waits(place) => {
                    let place = Queued::of(place, &self.adrift);
                    *stream = Stream::Waiting(Box::new(Waiting { asked, decision, place }));
                    return Flow::Pause;
                }
                Boarding::LooksAgain(place) if has_waited => turn = Turn::Woken(place, decision),
                Boarding::LooksAgain(place) => turn = Turn::Again(place, decision),
            }
        }
        self.leave(x, turn);
        self.forward(stream, x, asked, Origin::for_lack(Decision::Miss), Held::nothing())
    }

    /// Gives a place among those who wait back: this request goes on.
    pub(super) fn leave(&self, x: &dyn Exchange, turn: Turn) {
        if let Turn::Woken(place, _) | Turn::Again(place, _) = turn {
            self.flights.leave(x.host(), &place);
        }
    }

    /// Answers with what is fresh.
    fn serve(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        asked: &Asked,
        stored: &Stored,
        turn: Turn,
    ) -> Flow {
        let (decision, how) = match turn {
            Turn::First => (Decision::Hit, How::Fresh),
            Turn::Woken(place, decision) | Turn::Again(place, decision) => {
                self.flights.leave(x.host(), &place);
                self.meters.waited(x.host(), Wait::Served);
                (Decision::Collapsed, How::Collapsed(decision))
            }
        };
        let decision = if stored.is_error() { Decision::ErrorHit } else { decision };
        self.decided(x, Some(asked.rule), decision);
        self.answer(stream, x, asked, stored, how)
    }

    /// Answers with what is stale and is being refreshed.
    fn serve_stale(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        asked: &Asked,
        stored: &Stored,
    ) -> Flow {
        let decision = if stored.is_error() { Decision::ErrorHit } else { Decision::StaleHit };
        self.decided(x, Some(asked.rule), decision);
        self.meters.served_stale(x.host(), Staleness::Revalidating);
        self.answer(stream, x, asked, stored, How::Stale)
    }

    pub(super) fn answer(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        asked: &Asked,
        stored: &Stored,
        how: How,
    ) -> Flow {
        let reply = reply::stored(
            stored,
            &asked.request,
            &asked.headers,
            x.now(),
            how,
            self.config.marks(),
            || x.host().random(),
        );
        // For HEAD the body goes along, and Envoy sends its length alone.
        let n_bytes = if asked.request.method == Method::Head { 0 } else { reply.body.len() };
        self.meters.served(x.host(), asked.rule, n_bytes);
        *stream = reply::mend(&reply).map_or(Stream::Untouched, Stream::Answered);
        reply.into_flow()
    }

    /// Sends a request on.
    fn forward(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        mut asked: Asked,
        origin: Origin,
        flight: Held,
    ) -> Flow {
        let Origin { decision, stale, validate, .. } = origin;
        let stale = stale.and_then(|stale| self.keep(x, stale));
        let known = stale.as_ref().map(|kept| &*kept.stored);
        let validating = validate && self.prepare(x, &asked, known);
        if let Some(rule) = self.config.rules.get(asked.rule).filter(|_| asked.may_store) {
            // The origin is to choose by what is compared.
            for (name, value) in rule.normal.rewrites(&asked.headers) {
                x.set_header(Map::Request, name, &value);
            }
            asked.may_store = Self::name_in_one_form(x, &asked);
        }
        if stale.as_ref().is_some_and(|stale| self.may_serve_instead(x, &asked, &stale.stored)) {
            x.publish(STALE_COPY, b"1");
        }
        self.decided(x, Some(asked.rule), decision);
        let at = x.now();
        let forwarded = Forwarded { decision, asked, at, stale, validating, flight };
        *stream = Stream::Forwarded(Box::new(forwarded));
        Flow::Continue
    }

    /// Has the origin asked by the one name that all authorities of this key have; whether it is. It is not where Envoy
    /// has a route for the name as it came alone: then the request goes on as it came, and its answer is its own.
    fn name_in_one_form(x: &dyn Exchange, asked: &Asked) -> bool {
        let came = &asked.request.authority;
        let Some(authority) = key::one_form(&asked.scheme, came) else { return true };
        x.set_header(Map::Request, ":authority", &authority);
        let is_same_way = cluster(x) == asked.cluster;
        if !is_same_way {
            x.set_header(Map::Request, ":authority", came);
        }
        is_same_way
    }

    /// Keeps what is stored at hand while the origin is asked; without it, where copies take all that they may.
    fn keep(&self, x: &dyn Exchange, stored: Rc<Stored>) -> Option<Kept> {
        match self.budget.lease(stored.size()) {
            Ok(lease) => Some(Kept::new(stored, lease)),
            Err(refusal) => {
                self.meters.refused(x.host(), refusal);
                None
            }
        }
    }

    /// Puts our conditions in the place of the client's; whether there are any.
    fn prepare(&self, x: &dyn Exchange, asked: &Asked, stale: Option<&Stored>) -> bool {
        let is_askable = |stale: &&Stored| {
            stale.can_be_validated() && !self.contradicted.has(stale.generation, x.now())
        };
        let stale = stale.filter(|_| asked.may_store).filter(is_askable);
        let Some(stale) = stale else { return false };
        let conditions = validation::conditions(&stale.headers());
        if conditions.is_empty() {
            return false;
        }
        for name in ["if-none-match", "if-modified-since", "if-range", "range"] {
            if asked.headers.get(name).is_some() {
                x.remove_header(Map::Request, name);
            }
        }
        for (name, value) in conditions {
            x.set_header(Map::Request, name, &value);
        }
        true
    }

    pub(super) fn decided(&self, x: &dyn Exchange, rule: Option<usize>, decision: Decision) {
        self.meters.decided(x.host(), rule, decision);
        x.note(Self::NAME, decision.as_str());
        self.note_rule(x, rule);
    }

    /// Tells the decision record which rule decided.
    pub(super) fn note_rule(&self, x: &dyn Exchange, rule: Option<usize>) {
        if let Some(rule) = rule.and_then(|rule| self.config.rules.get(rule)) {
            x.detail(Self::NAME, "rule", &rule.name);
        }
    }
}

fn passing(decision: Decision, request: Request) -> Stream {
    Stream::Passing(Box::new(Passing { decision, request }))
}

/// The cluster that the request goes to; empty if it goes to none.
pub(super) fn cluster(x: &dyn Exchange) -> Rc<[u8]> {
    x.attribute(Attribute::Cluster).unwrap_or_default()
}
