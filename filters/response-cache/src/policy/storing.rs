//! May this response be stored, on which terms, and for how long?
//!
//! The order of the checks is the order of the reasons: what forbids storing comes before what is missing.
//!
//! Whose word counts: a rule with [`Origin::Override`] and a `ttl` for this status speaks instead of the origin's
//! `Cache-Control`. It never shares what an authorised request got, stores no part for a whole, and no response that
//! varies on everything. Without a `ttl` for the status the origin's word counts, whatever the rule says otherwise.
//!
//! Strict by choice: `private="f"` and `no-cache="f"` are honoured field by field (the fields are not kept), but only
//! where they are lists in quotes that leave a whole response behind; everything else counts for all of it.
//! A lifetime that contradicts itself is no lifetime, and nothing is assumed or given in its place.
//!
//! **Source**: RFC 9111 sections 3 (storing), 3.1 (fields), 3.5 (Authorization), 4.2 (freshness), 5.2.2 (directives);
//! RFC 5861 (grace); RFC 6585 sections 3 to 6 (statuses that are never stored); RFC 9110 section 15 (statuses).

use kit::Nanos;
use kit::headers::Headers;

use crate::http::directives::{Delta, Scope};
use crate::http::freshness::{Arrival, Freshness, Stated};
use crate::http::request::{Method, Request};
use crate::http::response::{Length, Response};
use crate::http::vary::Vary;
use crate::policy::assume::is_heuristically_cacheable;
use crate::policy::terms::{Basis, Cookies, Grace, Origin, SetCookie, Terms};
use crate::signals::Refusal;

/// Leave to store a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// How long it is fresh; it may be stale already.
    pub freshness: Freshness,
    /// Whose word that is.
    pub basis: Basis,
    /// Of what use it is after that.
    pub grace: Grace,
    /// It may answer nobody without asking the origin first (`no-cache`).
    pub validate: bool,
    /// It may never be served stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub strict: bool,
    /// It may answer authorised requests.
    pub for_authorized: bool,
    /// Fields that are not kept, lower case: those that `private` and `no-cache` name, and cookies that are removed.
    pub dropped: Vec<Vec<u8>>,
}

/// What forbids to store this response to this request, whenever it came: the part of [`judge`] that needs no clock.
pub fn forbids(request: &Request, response: &Response, terms: &Terms) -> Option<Refusal> {
    let said = &response.directives;
    let overruled = overruled(response.status, terms).is_some();
    let unwanted = terms.statuses.is_some_and(|statuses| !statuses.contains(response.status));
    let shared = request.authorized && !terms.per_user && (overruled || !said.allows_authorized());
    let cookie = response.sets_cookie
        && terms.set_cookie == SetCookie::Refuse
        && !names_cookie(response, terms);
    [
        (request.method != Method::Get, Refusal::Method),
        (request.directives.no_store, Refusal::NoStore),
        (request.directives.malformed, Refusal::Malformed),
        (is_part(response), Refusal::Partial),
        (response.grpc || !is_storable(response.status) || unwanted, Refusal::Status),
        (!overruled && said.malformed, Refusal::Malformed),
        (!overruled && said.must_understand && !is_understood(response.status), Refusal::Status),
        (!overruled && said.no_store && !said.must_understand, Refusal::NoStore),
        (!overruled && said.private == Scope::Whole && !terms.per_user, Refusal::Private),
        (
            !overruled && said.no_cache == Scope::Whole && !can_be_validated(response),
            Refusal::NoCache,
        ),
        (cookie, Refusal::SetCookie),
        (shared, Refusal::Authorization),
        (response.vary == Vary::Anything, Refusal::Vary),
        (response.length == Length::Invalid, Refusal::Incomplete),
    ]
    .into_iter()
    .find_map(|(forbids, refusal)| forbids.then_some(refusal))
}

/// Whether this response to this request may be stored, and on which terms.
///
/// A response that is stale already is stored if it is of use all the same: it can be validated within the time
/// that the rule keeps it, or its grace has not run out.
///
/// # Errors
/// The first reason that speaks against it.
pub fn judge(
    request: &Request,
    request_headers: &Headers,
    response: &Response,
    terms: &Terms,
    arrival: Arrival,
) -> Result<Leave, Refusal> {
    if let Some(refusal) = forbids(request, response, terms) {
        return Err(refusal);
    }
    let said = &response.directives;
    let overruled = overruled(response.status, terms).is_some();
    let initial_age = response.initial_age(arrival);
    let (lifetime, basis) = lifetime(request, request_headers, response, terms, arrival)?;
    let freshness = Freshness { received: arrival.received, initial_age, lifetime };
    let leave = Leave {
        freshness,
        basis,
        grace: grace(response, terms),
        validate: !overruled && said.no_cache == Scope::Whole,
        strict: !overruled && said.forbids_stale(),
        for_authorized: terms.per_user || (basis != Basis::Given && said.allows_authorized()),
        dropped: dropped(response, terms),
    };
    if response.status >= 500 && !is_named(response.status, terms) {
        return Err(Refusal::Status);
    }
    if is_of_use(&leave, arrival.received) {
        return Ok(leave);
    }
    Err(if leave.validate { Refusal::NoCache } else { Refusal::Expired })
}

/// The lifetime, and whose word it is.
fn lifetime(
    request: &Request,
    request_headers: &Headers,
    response: &Response,
    terms: &Terms,
    arrival: Arrival,
) -> Result<(Nanos, Basis), Refusal> {
    if let Some(ttl) = overruled(response.status, terms) {
        return given(request, request_headers, response, ttl, terms, arrival);
    }
    match response.lifetime(arrival) {
        Stated::Seconds(seconds) => {
            let stated = Nanos::from_secs(seconds);
            let within = clamped(stated, terms);
            // A longer life is the operator's word, which does not reach requests that show who they come from.
            let longer = stated < within && may_be_given(request, request_headers, terms).is_ok();
            match (longer, within < stated) {
                (true, _) => Ok((within, Basis::Given)),
                (false, true) => Ok((within, Basis::Stated)),
                (false, false) => Ok((stated, Basis::Stated)),
            }
        }
        // It can be used for nothing but to be validated, so that it needs no lifetime.
        Stated::Nothing if response.directives.no_cache == Scope::Whole => {
            Ok((Nanos::ZERO, Basis::Stated))
        }
        Stated::Nothing => match ttl(response.status, terms) {
            Some(_) if response.pragma => Err(Refusal::NoCache),
            Some(ttl) => given(request, request_headers, response, ttl, terms, arrival),
            None => assumed(request_headers, response, terms, arrival),
        },
        Stated::Unclear => Err(Refusal::NoLifetime),
    }
}

/// The operator's lifetime. It counts from the arrival: how old the response was then is no matter of the rule's.
fn given(
    request: &Request,
    request_headers: &Headers,
    response: &Response,
    ttl: Nanos,
    terms: &Terms,
    arrival: Arrival,
) -> Result<(Nanos, Basis), Refusal> {
    may_be_given(request, request_headers, terms)?;
    let lifetime = clamped(ttl, terms).saturating_add(response.initial_age(arrival));
    Ok((lifetime, Basis::Given))
}

/// Whether the answer to this request may be stored on the operator's word alone.
fn may_be_given(
    request: &Request,
    request_headers: &Headers,
    terms: &Terms,
) -> Result<(), Refusal> {
    if request.authorized && !terms.per_user {
        return Err(Refusal::Authorization);
    }
    let shows_cookie = request.has_cookie && terms.cookies == Cookies::Careful;
    if shows_cookie || shows_credentials(request_headers, terms) {
        return Err(Refusal::NotPlain);
    }
    Ok(())
}

/// Whether a request shows a key or token that the rule's keys do not have.
pub(super) fn shows_credentials(request_headers: &Headers, terms: &Terms) -> bool {
    !terms.per_user && terms.known.show_credentials(request_headers)
}

/// A lifetime by assumption (4.2.2): for statuses that are cacheable by themselves, or by `public`.
fn assumed(
    request_headers: &Headers,
    response: &Response,
    terms: &Terms,
    arrival: Arrival,
) -> Result<(Nanos, Basis), Refusal> {
    if !is_heuristically_cacheable(response.status) && !response.directives.public {
        return Err(Refusal::NoLifetime);
    }
    // An origin that keeps fields from some users has thought of caches, and named no lifetime all the same.
    let said = &response.directives;
    for (scope, refusal) in [(&said.private, Refusal::Private), (&said.no_cache, Refusal::NoCache)]
    {
        if *scope != Scope::Absent {
            return Err(refusal);
        }
    }
    let assumptions = &terms.assumptions;
    let lifetime = assumptions.lifetime(response.modified, response.date, arrival.wall);
    let lifetime = lifetime.ok_or(Refusal::NoLifetime)?;
    if response.pragma {
        return Err(Refusal::NoCache);
    }
    if !assumptions.cover(request_headers, &terms.known) {
        return Err(Refusal::NotPlain);
    }
    Ok((clamped(lifetime, terms), Basis::Assumed))
}

/// The rule's lifetime for this status where it goes before the origin's word.
fn overruled(status: u16, terms: &Terms) -> Option<Nanos> {
    match terms.origin {
        Origin::Override => ttl(status, terms),
        Origin::Respect => None,
    }
}

fn ttl(status: u16, terms: &Terms) -> Option<Nanos> {
    terms.ttl.iter().find(|(statuses, _)| statuses.contains(status)).map(|(_, ttl)| *ttl)
}

/// Where a rule contradicts itself, `max_ttl` wins.
fn clamped(lifetime: Nanos, terms: &Terms) -> Nanos {
    let lifetime = terms.min_ttl.map_or(lifetime, |min| lifetime.max(min));
    terms.max_ttl.map_or(lifetime, |max| lifetime.min(max))
}

/// The origin's word on each kind of grace goes before the rule's, also where it is no number: then there is none.
fn grace(response: &Response, terms: &Terms) -> Grace {
    let said = &response.directives;
    let overruled = overruled(response.status, terms).is_some();
    let serves_stale = overruled || !(said.forbids_stale() || said.no_cache == Scope::Whole);
    let of = |stated: Delta, ruled: Option<Nanos>| match stated {
        _ if !serves_stale => Nanos::ZERO,
        Delta::Seconds(seconds) if !overruled => Nanos::from_secs(seconds),
        Delta::Invalid if !overruled => Nanos::ZERO,
        Delta::Absent | Delta::Seconds(_) | Delta::Invalid => ruled.unwrap_or(Nanos::ZERO),
    };
    Grace {
        while_revalidate: of(said.stale_while_revalidate, terms.stale_while_revalidate),
        if_error: of(said.stale_if_error, terms.stale_if_error),
        keep: if can_be_validated(response) { terms.keep } else { Nanos::ZERO },
    }
}

/// Whether the operator wants responses of this status stored, by `statuses` or by a lifetime for it: an error of the
/// service is stored on nobody else's word, since it would be served for longer than it lasts.
fn is_named(status: u16, terms: &Terms) -> bool {
    terms.statuses.is_some_and(|statuses| statuses.contains(status)) || ttl(status, terms).is_some()
}

/// Whether the origin can say of it later that it still holds: a 304 stands for a 200 (RFC 9110, 15.4.5), so to ask
/// about anything else is to hear that the other has come back.
const fn can_be_validated(response: &Response) -> bool {
    response.status == 200 && response.has_validator()
}

/// Whether every other request would get this status as well: that something is there, elsewhere, or not there.
/// Any other may be about one request alone, or about a moment.
pub const fn is_said_to_all(status: u16) -> bool {
    matches!(status, 200..=399 | 404 | 410)
}

/// Whether anything can ever be done with it: now while it is fresh, or later in its grace.
fn is_of_use(leave: &Leave, now: Nanos) -> bool {
    let stale_for = leave.freshness.age(now).saturating_sub(leave.freshness.lifetime);
    !leave.freshness.left(now).is_zero() || leave.grace.longest() > stale_for
}

fn dropped(response: &Response, terms: &Terms) -> Vec<Vec<u8>> {
    let said = &response.directives;
    let mut dropped = said.no_cache.fields().to_vec();
    // A store per user is private to that user.
    if !terms.per_user {
        dropped.extend_from_slice(said.private.fields());
    }
    if response.sets_cookie {
        dropped.extend([b"set-cookie".to_vec(), b"set-cookie2".to_vec()]);
    }
    dropped.sort();
    dropped.dedup();
    dropped
}

/// Whether the origin itself says that the cookie is not for caches, and the rest is.
fn names_cookie(response: &Response, terms: &Terms) -> bool {
    let said = &response.directives;
    let private = if terms.per_user { &[] } else { said.private.fields() };
    said.no_cache.fields().iter().chain(private).any(|name| name == b"set-cookie")
}

/// What answers a range of the request, and not the request for the whole.
const fn is_part(response: &Response) -> bool {
    response.partial || matches!(response.status, 206 | 416)
}

/// Final statuses, but for those that answer a condition (304, 412) or a range, that concern the proxy (407),
/// and those that their definition keeps out of caches (RFC 6585: 428, 429, 431, 511).
const fn is_storable(status: u16) -> bool {
    matches!(status, 200..=599)
        && !matches!(status, 206 | 304 | 407 | 412 | 416 | 428 | 429 | 431 | 511)
}

/// Statuses whose meaning for caches is implemented here (`must-understand`): those of RFC 9110, section 15, that are stored.
const fn is_understood(status: u16) -> bool {
    is_storable(status)
        && matches!(
            status,
            200..=205 | 300..=303 | 305 | 307 | 308 | 400..=406 | 408..=411 | 413..=415 | 417 | 421 | 422 | 426 | 451
                | 500..=505
        )
}
