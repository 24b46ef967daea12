//! From a response that passes to one that is stored.

use kit::headers::Headers;
use kit::{Exchange, Nanos};

use super::ResponseCache;
use super::passing::{is_from_upstream, refused};
use super::stream::{Asked, Filling, Forwarded, Stream, Writing};
use crate::config::Rule;
use crate::fill::Fill;
use crate::http::freshness::Arrival;
use crate::http::response::Response;
use crate::http::vary::Vary;
use crate::http::{tags, vary};
use crate::key;
use crate::policy::assume::{COMPARED, is_compared};
use crate::policy::storing::{self, Leave};
use crate::policy::terms::{Basis, StoreFrom, Terms};
use crate::signals::Refusal;
use crate::store::Unstored;
use crate::store::flights::Landing;
use crate::store::purges::Subject;
use crate::store::stored::Stored;

impl ResponseCache {
    /// Begins to copy the response that has just come, if it may be stored.
    pub(super) fn begin(
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
        let (names, variant) = self.varying(asked, &response.vary, leave.basis)?;
        let composed = self.composed(asked, response, headers, &leave, arrival)?;
        let mut stored = Stored { names, variant, ..composed };
        if self.config.no_vary_search {
            self.rekey(x, asked, headers, &mut stored)?;
        }
        let max_bytes = self.config.max_object.0;
        Fill::begin(stored, forwarded.at, response.length, max_bytes, &self.budget)
    }

    /// What a response varies on, as it is stored: the names, and the values that this request has for them.
    pub(super) fn varying(
        &self,
        asked: &Asked,
        vary: &Vary,
        basis: Basis,
    ) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
        let rule = self.config.rules.get(asked.rule).ok_or(Refusal::Store)?;
        let Vary::On(names) = vary else { return Err(Refusal::Vary) };
        if let Some(refusal) = Self::unkeyed(asked, rule, names) {
            return Err(refusal);
        }
        let names = if basis == Basis::Assumed { &vary::merged(names, &COMPARED) } else { names };
        let variant = vary::variant_bytes(&asked.cluster, names, &asked.headers, &rule.normal);
        Ok((vary::names_bytes(names), variant))
    }

    /// What is stored, but for the body and what it varies on.
    pub(super) fn composed(
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
            fields: response.stored_fields(headers, &leave.dropped, arrival),
            ..Stored::default()
        })
    }

    /// Stores a response that has passed in whole.
    pub(super) fn finish(&self, x: &dyn Exchange, filling: Filling) {
        let Filling { fill, mut flight, replaces } = filling;
        let stored = fill.end().and_then(|(stored, asked)| self.put(x, stored, asked));
        let landing = match stored {
            Ok(()) => {
                // What it replaces has another key or another variant, and would be found before this one.
                if let Some(Writing { key, generation, .. }) = replaces {
                    self.forget_entry(x, &key, generation);
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
    pub(super) fn put(
        &self,
        x: &dyn Exchange,
        stored: Stored,
        asked: Nanos,
    ) -> Result<(), Refusal> {
        let host = x.host();
        // The response itself goes; what names it is asked about once more.
        let (whole, uri, tags) = (stored.key.clone(), stored.uri.clone(), stored.tags.clone());
        let subject =
            Subject::of(Nanos(stored.asked), &whole, &uri, &tags).ok_or(Refusal::Store)?;
        if !self.purges.admits(host, &subject) {
            return Err(Refusal::Invalidated);
        }
        match self.store.put(host, stored, asked, x.now()) {
            Ok(changed) => self.meters.stored(host, &changed),
            Err(Unstored { refusal, changed }) => {
                self.meters.changed(host, &changed);
                return Err(refusal);
            }
        }
        if !self.purges.admits(host, &subject) {
            self.invalidate_key(x, &whole);
            return Err(Refusal::Invalidated);
        }
        Ok(())
    }

    /// Why a request's fields forbid to store its answer, unless the key or `Vary` has them.
    pub(super) fn unkeyed(asked: &Asked, rule: &Rule, vary: &[String]) -> Option<Refusal> {
        let Terms { known, store_from, .. } = &rule.terms;
        let others = || asked.headers.iter().filter(|(name, _)| !is_keyed(rule, vary, name));
        let came = &asked.request.authority;
        let in_one_form = key::one_form(&asked.scheme, came);
        let authority = in_one_form.as_deref().unwrap_or(came);
        let is_dangerous =
            |(name, value): (&[u8], &[u8])| known.is_dangerous(name, value, authority);
        let is_plain = |name: &[u8]| known.is_neutral(name) || is_expected(name);
        if others().any(is_dangerous) {
            Some(Refusal::Guarded)
        } else if *store_from == StoreFrom::Plain && !others().all(|(name, _)| is_plain(name)) {
            Some(Refusal::NotPlain)
        } else {
            None
        }
    }

    /// Whether the request has no field by which its answer could be another than everybody's: only then does a refusal
    /// to it, or an error, say something about what is stored for others.
    pub(super) fn speaks_for_all(&self, asked: &Asked, names: &[u8]) -> bool {
        let Some(rule) = self.config.rules.get(asked.rule) else { return false };
        let Some(names) = vary::read_names(names) else { return false };
        let is_known = |name: &[u8]| {
            rule.terms.known.is_neutral(name)
                || is_expected(name) && name != b"authorization"
                || is_keyed(rule, &names, name)
        };
        Self::unkeyed(asked, rule, &names).is_none()
            && (rule.terms.per_user || asked.headers.iter().all(|(name, _)| is_known(name)))
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
}

/// Whether requests that differ in this field are told apart, by the rule's key or by `Vary`.
fn is_keyed(rule: &Rule, vary: &[String], name: &[u8]) -> bool {
    rule.key.has_header(name) || vary.iter().any(|known| known.as_bytes() == name)
}

/// Whether a field asks for a form of the answer, or for a part of it, or for none at all: the response says by
/// `Vary` if its form goes by it, and whatever is stored goes by the rest. What it says of who asks is judged by the
/// terms of the response.
fn is_expected(name: &[u8]) -> bool {
    is_compared(name) || matches!(name, b":path" | b"authorization" | b"if-range" | b"range")
}
