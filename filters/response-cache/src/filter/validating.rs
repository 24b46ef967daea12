//! What the origin says of what is stored: 304, or the answer to a HEAD.

use std::rc::Rc;

use kit::headers::Headers;
use kit::{Exchange, Flow, Nanos};

use super::ResponseCache;
use super::passing::{is_own_fault, refused};
use super::stream::{Asked, Forwarded, Stream};
use crate::http::conditional::is_current;
use crate::http::entity_tag::{Tagged, tagged};
use crate::http::freshness::Arrival;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::http::validation::{self, Head};
use crate::http::vary;
use crate::policy::storing;
use crate::reply::How;
use crate::signals::{Decision, Refusal, Validation};
use crate::store::Entry;
use crate::store::flights::Landing;
use crate::store::purges::Standing;
use crate::store::stored::Stored;

impl ResponseCache {
    /// The origin said 304: what is stored is good, with the fields that it sent along.
    pub(super) fn revalidated(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        mut forwarded: Forwarded,
        stale: &Stored,
        update: &Headers,
    ) -> Flow {
        if validation::contradicts(update, &stale.headers()) {
            return self.contradict(stream, x, &mut forwarded, stale);
        }
        self.validated(x, &forwarded, Validation::NotModified);
        let arrival = self.arrival(x, forwarded.at);
        let fresh = self.freshen(x, &forwarded.asked, stale, update, arrival);
        let landing = match &fresh {
            Ok(_) => Landing::Stored,
            Err(refusal) if is_own_fault(&forwarded, stale.status, *refusal) => Landing::Unshared,
            Err(refusal) => refused(*refusal),
        };
        self.land(x, &mut forwarded.flight, landing);
        let stored = fresh.as_ref().map(|_| ()).map_err(|refusal| *refusal);
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(refusal) => {
                self.meters.refused(x.host(), refusal);
                // The origin takes back its leave: this answer is the last one.
                if !is_own_fault(&forwarded, stale.status, refusal) && !refusal.is_of_moment() {
                    self.invalidate_key(x, &stale.key);
                }
                Rc::new(self.freshened_once(stale, update, arrival))
            }
        };
        let asked = &forwarded.asked;
        if asked.background {
            self.mark(x, Decision::Background, Some(stored), &asked.whole, 304);
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
        let mut flow = self.answer(stream, x, asked, &fresh, How::Revalidated);
        // A cookie of the 304 is for this client, and is not kept.
        if let Flow::Reply(reply) = &mut flow {
            let cookies =
                update.all("set-cookie").map(|value| ("set-cookie".into(), value.to_vec()));
            reply.headers.extend(cookies);
        }
        flow
    }

    /// The origin said 304 about something else than what is stored, as replicas and rollbacks do: what is stored is
    /// not updated (RFC 9111, 4.3.4), but answers this request, and the next one asks for the whole.
    fn contradict(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        forwarded: &mut Forwarded,
        stale: &Stored,
    ) -> Flow {
        self.validated(x, forwarded, Validation::Failed);
        self.contradicted.add(stale.generation, x.now());
        self.land(x, &mut forwarded.flight, Landing::Unshared);
        if forwarded.asked.background {
            return Flow::Continue;
        }
        self.answer(stream, x, &forwarded.asked, stale, How::Contradicted)
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
        self.replace(x, stale, fresh.clone(), &others, arrival.asked)?;
        for other in others {
            let other = &other.stored;
            if other.generation != stale.generation
                && self.standing(x.host(), other) != Standing::Gone
                && vary::cluster_of(&other.variant) == vary::cluster_of(&stale.variant)
                && validation::is_the_very_same(update, &other.headers())
                && let Ok(again) = self.refreshed(asked, other, update, arrival)
                && again.variant == other.variant
            {
                // Whether another variant gets fresher is no matter of this response.
                let _stored = self.put(x, again, arrival.asked);
            }
        }
        Ok(Rc::new(fresh))
    }

    /// Stores a response in the place of the one that it was made of, unless that one has another successor already:
    /// what came while the origin was asked is newer.
    fn replace(
        &self,
        x: &dyn Exchange,
        stale: &Stored,
        fresh: Stored,
        others: &[Entry],
        asked: Nanos,
    ) -> Result<(), Refusal> {
        let has_successor = others.iter().any(|other| {
            other.stored.generation != stale.generation && other.stored.variant == stale.variant
        });
        if has_successor {
            return Ok(());
        }
        let is_moved = fresh.variant != stale.variant;
        self.put(x, fresh, asked)?;
        if is_moved {
            self.forget_entry(x, &stale.key, stale.generation);
        }
        Ok(())
    }

    /// What is stored, with the fields of a 304 that says it is good, for this one answer.
    fn freshened_once(&self, stale: &Stored, update: &Headers, arrival: Arrival) -> Stored {
        let mut fields = Headers::from_pairs(validation::freshened(&stale.headers(), update));
        for name in self.config.hidden() {
            fields = fields.with(name, None);
        }
        let response = Response::read(update, &[]);
        Stored {
            fields: fields.as_pairs().to_vec(),
            received: arrival.received.0,
            initial_age: response.initial_age(arrival).0,
            ..stale.clone()
        }
    }

    /// What is stored, with the fields of an answer that says it is good.
    pub(super) fn refreshed(
        &self,
        asked: &Asked,
        stale: &Stored,
        update: &Headers,
        arrival: Arrival,
    ) -> Result<Stored, Refusal> {
        let rule = self.config.rules.get(asked.rule).ok_or(Refusal::Store)?;
        let status = stale.status.to_string();
        let mut fields = Headers::from_pairs(validation::freshened(&stale.headers(), update));
        // A coding on the way made the tag weak, or took it; the origin knows the strong one. What is stored is coded.
        let kept = stale.headers();
        match tagged(&kept) {
            Tagged::With(tag) if tag.weak => fields = fields.with("etag", kept.get("etag")),
            Tagged::Untagged if kept.get("content-encoding").is_some() => {
                fields = fields.with("etag", None);
            }
            Tagged::With(_) | Tagged::Untagged | Tagged::Unclear => {}
        }
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
        let (names, variant) = self.varying(asked, &response.vary, leave.basis)?;
        // The origin may say only now what its answers vary on (4.1).
        let variant = if names == stale.names { stale.variant.clone() } else { variant };
        let composed = self.composed(asked, &response, &whole, &leave, arrival)?;
        // Hidden tags are in no stored field: what the update does not name anew stays.
        let names_tags = self.config.tag_headers.iter().any(|name| update.get(name).is_some());
        let tags = if names_tags { composed.tags.clone() } else { stale.tags.clone() };
        Ok(Stored {
            tags,
            body: stale.body.clone(),
            names,
            variant,
            // It may have been found by what `No-Vary-Search` says.
            key: stale.key.clone(),
            uri: stale.uri.clone(),
            ..composed
        })
    }

    /// HEAD tells whether what is stored is still what a GET would get (RFC 9111, 4.3.5).
    pub(super) fn learn_from_head(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        stale: &Stored,
        headers: &Headers,
    ) {
        if !self.speaks_for_all(&forwarded.asked, &stale.names) {
            return;
        }
        let size = u64::try_from(stale.body.len()).unwrap_or(u64::MAX);
        match validation::head(&stale.headers(), size, headers) {
            Head::Freshens => {
                let arrival = self.arrival(x, forwarded.at);
                let others = self.store.entries_of(x.host(), &stale.key);
                let freshened = self.refreshed(&forwarded.asked, stale, headers, arrival);
                let stored = freshened
                    .and_then(|fresh| self.replace(x, stale, fresh, &others, arrival.asked));
                if let Err(refusal) = stored {
                    self.meters.refused(x.host(), refusal);
                }
            }
            Head::Invalidates => self.invalidate_key(x, &stale.key),
            Head::SaysNothing => {}
        }
    }

    pub(super) fn validated(&self, x: &dyn Exchange, forwarded: &Forwarded, came: Validation) {
        if forwarded.validating {
            self.meters.validated(x.host(), came);
        }
    }
}
