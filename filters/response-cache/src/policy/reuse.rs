//! May this stored response answer this request: now, once the origin was asked, or when the origin fails?
//!
//! First come the bounds that nobody can lift: a response that is not for authorised requests, or whose lifetime is
//! not the origin's own and whose request shows a user, is not used at all. Then what the response says
//! (`no-cache`, `must-revalidate` and their like), then the operator's soft purge, then freshness and the client's wishes.
//!
//! A client's wish can make the cache stricter, and by `max-stale` and `stale-if-error` more generous than the grace of
//! the response, never beyond what the response forbids. A rule may have wishes ignored ([`Heed`]).
//! `no-store` on a request does not keep it from being answered with what is stored already (5.2.1.5);
//! only, nothing that the origin then says is kept, not even by a 304.
//!
//! **Source**: RFC 9111 sections 3.5, 4, 4.2.4 (stale), 4.3 (validation), 5.2.1 (request directives),
//! 5.2.2.2, 5.2.2.4, 5.2.2.8, 5.2.2.10; RFC 5861 sections 3, 4.

use kit::Nanos;
use kit::headers::Headers;

use crate::http::directives::{Delta, MaxStale, RequestDirectives};
use crate::http::request::Request;
use crate::policy::storing::{is_said_to_all, shows_credentials};
use crate::policy::terms::{Basis, Cookies, Terms};
use crate::signals::Decision;
use crate::store::stored::Stored;

/// What becomes of a request for which something is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered with what is stored: fresh, or as stale as the client takes it.
    Serve,
    /// It is answered with what is stored, which is stale, and that is refreshed in the background.
    ServeStale,
    /// The origin is asked whether what is stored is still good, for this reason.
    Validate(Decision),
    /// It goes to the origin as it is, for this reason.
    Forward(Decision),
    /// It goes to the origin, and what is stored is nothing to it: that is not for such requests.
    NotFor,
}

/// What is heeded beyond the stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heed {
    /// The request's own directives (5.2.1).
    pub directives: bool,
    /// Responses can be refreshed in the background: without that none is served for the time of its refresh.
    pub refresh: bool,
}

/// How a stored response stands at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its age.
    pub age: Nanos,
    /// How much longer it is fresh; zero when it is stale, also when it was purged softly.
    pub left: Nanos,
    /// How long its lifetime has been over; zero while it lasts.
    pub stale_for: Nanos,
    /// The operator takes it as stale.
    pub soft_purged: bool,
}

impl Standing {
    /// How this response stands at `now`.
    pub const fn of(stored: &Stored, now: Nanos, soft_purged: bool) -> Self {
        let freshness = stored.freshness();
        let age = freshness.age(now);
        Self {
            age,
            left: if soft_purged { Nanos::ZERO } else { freshness.left(now) },
            stale_for: age.saturating_sub(freshness.lifetime),
            soft_purged,
        }
    }

    /// Whether it is fresh: its lifetime is greater than its age (4.2).
    pub const fn is_fresh(&self) -> bool {
        !self.left.is_zero()
    }
}

/// Decides what becomes of a request for which this response is stored.
///
/// `soft_purged` is what the purges say of it, `terms` are those of the rule that the request matches now.
///
/// **Cost**: the stored fields are read only where the response can not be served.
pub fn decide(
    request: &Request,
    headers: &Headers,
    stored: &Stored,
    now: Nanos,
    soft_purged: bool,
    terms: &Terms,
    heed: Heed,
) -> Verdict {
    if !is_for(request, headers, stored, terms) {
        return Verdict::NotFor;
    }
    let standing = Standing::of(stored, now, soft_purged);
    let wishes = Wishes::of(request, heed);
    let refused = if stored.validate {
        Decision::Stale
    } else if wishes.asks_origin() {
        Decision::Request
    } else if standing.is_fresh() {
        if wishes.take_fresh(standing) {
            return Verdict::Serve;
        }
        Decision::Request
    } else if stored.strict {
        Decision::Stale
    } else if !wishes.take_stale(standing) {
        Decision::Request
    } else if heed.refresh && lasts(standing, Nanos(stored.stale_while_revalidate)) {
        return Verdict::ServeStale;
    } else if wishes.ask_for_stale() && !soft_purged {
        return Verdict::Serve;
    } else {
        Decision::Stale
    };
    if wishes.forbid_storing() || !stored.can_be_validated() {
        Verdict::Forward(refused)
    } else {
        Verdict::Validate(refused)
    }
}

/// Whether this response may answer a request for which the origin has failed: it can not be reached, breaks off,
/// or answers with an error that the rule takes for one.
///
/// How young the client would have it does not matter now ("regardless of other freshness information", RFC 5861, 4);
/// that it wants the origin asked does (`no-cache`), and so does what the response itself forbids.
pub fn may_serve_on_error(
    request: &Request,
    headers: &Headers,
    stored: &Stored,
    now: Nanos,
    soft_purged: bool,
    terms: &Terms,
    heed: Heed,
) -> bool {
    let wishes = Wishes::of(request, heed);
    if !is_for(request, headers, stored, terms) || stored.validate || wishes.asks_origin() {
        return false;
    }
    let standing = Standing::of(stored, now, soft_purged);
    let allowed = Nanos(stored.stale_if_error).max(wishes.stale_if_error());
    standing.is_fresh() || (!stored.strict && lasts(standing, allowed))
}

/// Whether this is a good response that somebody may be served without the origin, now or if it fails: no error takes
/// its place (RFC 5861, 4).
pub fn outlives_errors(stored: &Stored, now: Nanos, soft_purged: bool) -> bool {
    let standing = Standing::of(stored, now, soft_purged);
    let grace = Nanos(stored.stale_while_revalidate.max(stored.stale_if_error));
    is_said_to_all(stored.status)
        && !stored.validate
        && (standing.is_fresh() || (!stored.strict && lasts(standing, grace)))
}

/// Whether the client wants an answer from the store or none: what can not be served is then answered with 504 (5.2.1.7).
pub const fn only_if_cached(request: &Request, heed: Heed) -> bool {
    heed.directives && request.directives.only_if_cached
}

/// Whether this response may be used for this request at all, by whom it comes from.
///
/// Of a response whose lifetime is not the origin's own nobody has said that it is for everyone.
fn is_for(request: &Request, headers: &Headers, stored: &Stored, terms: &Terms) -> bool {
    let authorized = !request.authorized || stored.for_authorized;
    let plain = match stored.basis {
        Basis::Stated => true,
        Basis::Given => {
            let shows_user = request.authorized && !terms.per_user;
            let shows_cookie = terms.cookies == Cookies::Careful && headers.get("cookie").is_some();
            !shows_user && !shows_cookie && !shows_credentials(headers, terms)
        }
        Basis::Assumed => terms.assumptions.cover(headers, &terms.known),
    };
    authorized && plain
}

/// Whether a stale response is still within this grace; without any there is nothing to be within.
fn lasts(standing: Standing, grace: Nanos) -> bool {
    !grace.is_zero() && standing.stale_for <= grace
}

/// What a client asks of stored responses, as far as it is heeded.
struct Wishes(RequestDirectives);

impl Wishes {
    fn of(request: &Request, heed: Heed) -> Self {
        Self(if heed.directives { request.directives } else { RequestDirectives::default() })
    }

    /// The origin is to be asked (5.2.1.4); what can not be read may say so.
    fn asks_origin(&self) -> bool {
        self.0.no_cache
            || self.0.malformed
            || self.0.max_age == Delta::Invalid
            || self.0.min_fresh == Delta::Invalid
    }

    /// Whether a fresh response is young enough (5.2.1.1), and stays fresh for long enough (5.2.1.3).
    fn take_fresh(&self, standing: Standing) -> bool {
        let young = within(self.0.max_age).is_none_or(|most| standing.age <= most);
        let lasting = within(self.0.min_fresh).is_none_or(|least| standing.left >= least);
        young && lasting
    }

    /// Whether a stale response would do.
    ///
    /// Not with `min-fresh`, and with `max-age` only if there is `max-stale` too (5.2.1.1), which says how stale (5.2.1.2).
    fn take_stale(&self, standing: Standing) -> bool {
        let young = within(self.0.max_age).is_none_or(|most| standing.age <= most);
        let stale_enough = match self.0.max_stale {
            MaxStale::Absent | MaxStale::Invalid => self.0.max_age == Delta::Absent,
            MaxStale::Any => true,
            MaxStale::Seconds(most) => standing.stale_for <= Nanos::from_secs(most),
        };
        young && stale_enough && self.0.min_fresh == Delta::Absent
    }

    /// Whether staleness is what it asks for: the response's own grace is not needed then (4.2.4).
    const fn ask_for_stale(&self) -> bool {
        matches!(self.0.max_stale, MaxStale::Any | MaxStale::Seconds(_))
    }

    /// Nothing that comes of this request may be stored (5.2.1.5).
    const fn forbid_storing(&self) -> bool {
        self.0.no_store
    }

    /// The staleness that it takes when the origin fails (RFC 5861, 4).
    fn stale_if_error(&self) -> Nanos {
        within(self.0.stale_if_error).unwrap_or(Nanos::ZERO)
    }
}

const fn within(delta: Delta) -> Option<Nanos> {
    match delta {
        Delta::Seconds(seconds) => Some(Nanos::from_secs(seconds)),
        Delta::Absent | Delta::Invalid => None,
    }
}

#[cfg(test)]
mod tests;
