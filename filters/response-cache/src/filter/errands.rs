//! What the filter does by itself: background requests, and what is due when the timer fires.

use kit::exchange::{Answer, CallId};
use kit::hash::Tag;
use kit::headers::Headers;
use kit::target::Url;
use kit::{Exchange, Host, Nanos};

use super::ResponseCache;
use super::stream::{Asked, Forwarded, Loose};
use crate::background::{Background, Ended, Job};
use crate::config::Rule;
use crate::config::service::DEFAULT_BACKGROUND_TIMEOUT;
use crate::http::response::Response;
use crate::http::vary::{self, Vary};
use crate::key;
use crate::policy::assume::COMPARED;
use crate::policy::storing;
use crate::signals::Refresh;
use crate::store::flights::{Flight, Landing};
use crate::store::purges::sweep::Listed;
use crate::store::purges::{self, Standing, Subject};
use crate::store::stored::Stored;
use crate::store::{Entry, Place};
use crate::warming::Outcome;

/// Buckets that one tick of one worker sweeps: up to half a thousand gets.
const SWEPT_PAGES: u32 = 8;

/// What is to be done when a background request has ended.
#[derive(Debug)]
pub(super) enum OnEnd {
    /// The flight is to be landed; of a refresh, which stored response it was to replace.
    Refresh(Flight, Option<u64>),
    /// The list of what is to be warmed goes on.
    Warm(u64),
}

impl ResponseCache {
    /// Whether somebody refreshes what is stale, so that this request need not wait for it.
    ///
    /// With a cluster for background requests it is this filter; else whoever comes first does it on its own way.
    pub(super) fn refresh(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        rule: &Rule,
        stored: &Stored,
    ) -> Refreshing {
        let (host, now) = (x.host(), x.now());
        let background = self.way_back(stored, now);
        if background.is_none() && !asked.may_store {
            return Refreshing::Already;
        }
        let tag = self.flight_tag(asked, Some(stored));
        let Some(flight) = self.flights.refreshing(host, tag, self.lease(), now) else {
            return Refreshing::Already;
        };
        let Some(background) = background else { return Refreshing::ByThis(flight) };
        let names = vary::read_names(&stored.names).unwrap_or_default();
        let kept = kept(rule, &names);
        let job = Job::again(&asked.headers, &asked.scheme, &rule.name, &asked.key, kept);
        self.start(host, background, &job, OnEnd::Refresh(flight, Some(stored.generation)));
        Refreshing::Already
    }

    /// The way back for refreshing this response; none where there is none, or where one try has not replaced it:
    /// then who comes first refreshes it, as without a way back.
    pub(super) fn way_back(&self, stored: &Stored, now: Nanos) -> Option<&Background<OnEnd>> {
        let is_in_vain = self.unrefreshed.has(stored.generation, now);
        self.background.as_ref().filter(|background| !is_in_vain && background.has_cluster(now))
    }

    /// Nothing but being a part, or a 304, kept a response from being stored: the whole is fetched in the background,
    /// if it fits. Else clients that only ask for parts or with conditions would never fill the store.
    pub(super) fn fetch_whole(
        &self,
        x: &dyn Exchange,
        forwarded: &Forwarded,
        response: &Response,
        headers: &Headers,
    ) {
        let asked = &forwarded.asked;
        let way_back = self.background.as_ref();
        let Some(background) = way_back.filter(|way| way.has_cluster(x.now())) else { return };
        let Some(rule) = self.config.rules.get(asked.rule) else { return };
        let fits = match response.status {
            206 if asked.request.has_range => {
                whole_size(headers).is_some_and(|size| size <= self.config.max_object.0)
            }
            304 => asked.request.has_condition,
            _ => false,
        };
        if asked.background || !fits {
            return;
        }
        let mut whole = response.clone();
        (whole.status, whole.partial) = (200, false);
        if storing::forbids(&asked.request, &whole, &rule.terms).is_some() {
            return;
        }
        let tag = self.flight_tag(asked, None);
        if let Some(flight) = self.flights.refreshing(x.host(), tag, self.lease(), x.now()) {
            let Vary::On(names) = &response.vary else { return };
            let kept = kept(rule, &vary::merged(names, &COMPARED));
            let job = Job::again(&asked.headers, &asked.scheme, &rule.name, &asked.key, kept);
            self.start(x.host(), background, &job, OnEnd::Refresh(flight, None));
        }
    }

    fn start(&self, host: &dyn Host, background: &Background<OnEnd>, job: &Job<'_>, on_end: OnEnd) {
        if let Err(OnEnd::Refresh(flight, _)) = background.start(host, job, on_end) {
            self.meters.refreshed(host, Refresh::Full);
            self.flights.land(host, flight, Landing::Failed, host.now());
        }
    }

    /// A background request has ended; what it brought, the request itself has stored on its way.
    pub(super) fn background_ended(&self, host: &dyn Host, id: CallId, answer: &Answer) {
        let Some(background) = &self.background else { return };
        if let Some((on_end, ended)) = background.ended(id, answer, host.now()) {
            self.do_on_end(host, on_end, ended);
        }
    }

    fn do_on_end(&self, host: &dyn Host, on_end: OnEnd, ended: Ended) {
        let came = match ended {
            Ended::Answered { is_stored: true, .. } => Refresh::Answered,
            Ended::Answered { status: 200..=499, .. } => Refresh::NotStored,
            Ended::Unreached => Refresh::Unreached,
            Ended::Answered { .. } | Ended::Failed => Refresh::Failed,
        };
        self.meters.refreshed(host, came);
        match on_end {
            OnEnd::Refresh(flight, replaces) => {
                let landing = match came {
                    Refresh::Answered => Landing::Stored,
                    Refresh::NotStored | Refresh::Unreached => Landing::Abandoned,
                    Refresh::Failed | Refresh::Full => Landing::Failed,
                };
                self.flights.land(host, flight, landing, host.now());
                if let Some(generation) = replaces.filter(|_| came != Refresh::Failed) {
                    self.unrefreshed.add(generation, host.now());
                }
            }
            OnEnd::Warm(job) => self.warmed(host, job, ended),
        }
    }

    /// The timer has fired.
    pub(super) fn do_what_is_due(&self, host: &dyn Host) {
        let now = host.now();
        for loose in self.adrift.take() {
            match loose {
                Loose::Flight(flight, landing) => self.flights.land(host, flight, landing, now),
                Loose::Waiting(place) => self.flights.leave(host, &place),
            }
        }
        for on_end in self.background.iter().flat_map(|background| background.overdue(now)) {
            self.do_on_end(host, on_end, Ended::Failed);
        }
        self.flights.on_tick(host, now);
        self.purges.sweep(host, &Shelf(self), now, SWEPT_PAGES);
        self.warm(host);
    }

    fn warm(&self, host: &dyn Host) {
        let (Some(warming), Some(background)) = (&self.warming, &self.background) else { return };
        for job in warming.on_tick(host, host.now()) {
            let Some(url) = Url::parse(&job.url) else {
                self.warmed(host, job.id, Ended::Failed);
                continue;
            };
            let request = Job {
                scheme: url.scheme.as_bytes(),
                authority: url.authority.as_bytes(),
                path: url.path.as_bytes(),
                ..Job::default()
            };
            if background.start(host, &request, OnEnd::Warm(job.id)).is_err() {
                self.warmed(host, job.id, Ended::Failed);
            }
        }
    }

    fn warmed(&self, host: &dyn Host, job: u64, ended: Ended) {
        let outcome = match ended {
            Ended::Answered { status, is_stored } => Outcome::Answered { status, is_stored },
            Ended::Unreached | Ended::Failed => Outcome::Failed,
        };
        if let Some(warming) = &self.warming {
            warming.done(host, job, outcome, host.now());
        }
    }

    /// How long one refresh keeps others from starting.
    fn lease(&self) -> Nanos {
        let own = self.config.background.as_ref().map(|background| background.timeout);
        own.unwrap_or(DEFAULT_BACKGROUND_TIMEOUT)
    }

    /// Throws one entry away; whether it is gone.
    pub(super) fn forget(&self, host: &dyn Host, place: Place) -> bool {
        match self.store.forget(host, place) {
            Ok(changed) => {
                self.meters.changed(host, &changed);
                true
            }
            Err(_contended_or_refused) => false,
        }
    }

    /// What purges say of a stored response.
    pub(super) fn standing(&self, host: &dyn Host, stored: &Stored) -> Standing {
        // A key that can not be read is in no store; were it, nobody could purge it.
        let Some(subject) =
            Subject::of(Nanos(stored.asked), &stored.key, &stored.uri, &stored.tags)
        else {
            return Standing::Gone;
        };
        self.purges.verdict(host, &subject)
    }

    /// Whether it was purged softly; `None` if it was purged for good.
    pub(super) fn is_softly_purged(&self, host: &dyn Host, stored: &Stored) -> Option<bool> {
        match self.standing(host, stored) {
            Standing::Valid => Some(false),
            Standing::Soft => Some(true),
            Standing::Gone => None,
        }
    }

    /// What requests share that can be answered by one response: the key, the cluster and, once known, the variant.
    pub(super) fn flight_tag(&self, asked: &Asked, stale: Option<&Stored>) -> Tag {
        let mut bytes = stale.map_or(&asked.whole, |stale| &stale.key).clone();
        let variant = stale.map_or(&*asked.cluster, |stale| &stale.variant);
        bytes.extend_from_slice(variant);
        bytes.extend_from_slice(&u32::try_from(variant.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.secret.tag(&bytes)
    }
}

/// The fields that are in the keys of this rule or among these names of `Vary`.
fn kept(rule: &Rule, names: &[String]) -> Vec<String> {
    let mut kept = rule.key.fields();
    kept.extend_from_slice(names);
    kept
}

/// The size of the whole that a part is of (RFC 9110, 14.4); `None` if it is not told.
fn whole_size(part: &Headers) -> Option<u64> {
    let range = part.text("content-range")?.trim();
    let (_, size) = range.strip_prefix("bytes ")?.split_once('/')?;
    size.parse().ok()
}

/// The store as the sweep sees it: a page is a bucket.
struct Shelf<'a>(&'a ResponseCache);

impl purges::sweep::Shelf for Shelf<'_> {
    type Place = Place;

    fn n_pages(&self) -> u32 {
        self.0.store.n_buckets()
    }

    fn page(&self, host: &dyn Host, page: u32) -> Vec<Listed<Place>> {
        let entries = self.0.store.scan(host, page, 1).entries.into_iter();
        entries
            .filter_map(|Entry { stored, place }| {
                let (uri_key, parts) = key::halves(&stored.key)?;
                Some(Listed {
                    place,
                    asked: Nanos(stored.asked),
                    uri: stored.uri.clone(),
                    uri_key: uri_key.to_vec(),
                    has_parts: !parts.is_empty(),
                    tags: stored.tags.clone(),
                })
            })
            .collect()
    }

    fn forget(&self, host: &dyn Host, place: &Place) -> bool {
        self.0.forget(host, *place)
    }
}

/// Who refreshes what is stale.
#[derive(Debug)]
pub(super) enum Refreshing {
    /// Somebody else, or the filter itself.
    Already,
    /// This request is to do it, on its own way, and to land this flight.
    ByThis(Flight),
}
