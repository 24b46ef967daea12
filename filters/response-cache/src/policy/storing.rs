//! May this response be stored, on which terms, and for how long?
//!
//! The order of the checks is the order of the reasons: what forbids storing comes before what is missing.
//! `private` and `no-cache` with field names count as without: a cache may read them so (RFC 9111, 5.2.2.4, 5.2.2.7),
//! and what a name was forgotten in is then not shared.
//!
//! **Source**: RFC 9111 sections 3 (storing), 3.1 (fields), 3.3 (incomplete), 3.5 (Authorization), 4.2 (freshness),
//! 5.2.2 (directives); RFC 5861 sections 3, 4; RFC 9110 section 15 (statuses).

use kit::Nanos;
use kit::headers::Headers;

use crate::http::directives::Delta;
use crate::http::freshness::{self, Arrival, Freshness, Stated};
use crate::http::request::Request;
use crate::http::response::{Length, Response};
use crate::http::vary::Vary;
use crate::policy::assume::is_heuristically_cacheable;
use crate::policy::terms::{Basis, Cookies, Grace, Origin, SetCookie, Terms};
use crate::signals::Refusal;

/// Leave to store a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// How long it is fresh.
    pub freshness: Freshness,
    /// Whose word that is.
    pub basis: Basis,
    /// How long it is of use after that.
    pub grace: Grace,
    /// It answers nobody without asking the origin first.
    pub validate: bool,
    /// It is never served stale.
    pub strict: bool,
    /// It may answer authorised requests.
    pub for_authorized: bool,
}

/// What forbids to store this response to this request, whenever it came: the part of [`judge`] that needs no clock.
pub fn forbids(request: &Request, response: &Response, terms: &Terms) -> Option<Refusal> {
    let said = &response.directives;
    let overridden = overrides(terms, response.status).is_some();
    let authorized = request.authorized && !said.allows_authorized() && !terms.per_user;
    [
        (request.directives.no_store, Refusal::NoStore),
        (said.malformed && !overridden, Refusal::Malformed),
        (forbids_storing(response) && !overridden, Refusal::NoStore),
        (said.must_understand && !is_understood(response.status), Refusal::Status),
        (said.private && !terms.per_user && !overridden, Refusal::Private),
        (response.sets_cookie && terms.set_cookie == SetCookie::Refuse, Refusal::SetCookie),
        (authorized, Refusal::Authorization),
        (response.vary == Vary::Anything, Refusal::Vary),
        (response.length == Length::Invalid, Refusal::Incomplete),
        (response.grpc || !is_wanted(terms, response.status), Refusal::Status),
        (is_part(request, response), Refusal::Partial),
        (!is_final(response.status), Refusal::Status),
    ]
    .into_iter()
    .find_map(|(forbids, refusal)| forbids.then_some(refusal))
}

/// Whether this response to this request may be stored on these terms.
///
/// What is stale already when it comes is stored where it is of use all the same: to be validated, or served stale.
///
/// # Errors
/// The first reason that speaks against it.
pub fn judge(
    request: &Request,
    headers: &Headers,
    response: &Response,
    terms: &Terms,
    arrival: Arrival,
) -> Result<Leave, Refusal> {
    if let Some(refusal) = forbids(request, response, terms) {
        return Err(refusal);
    }
    let said = &response.directives;
    let (basis, lifetime) = lifetime(response, terms, arrival)?;
    match basis {
        Basis::Stated => {}
        Basis::Given => {
            let careful = terms.cookies == Cookies::Careful && !terms.per_user;
            if request.has_cookie && careful {
                return Err(Refusal::Cookie);
            }
        }
        Basis::Assumed if response.pragma => return Err(Refusal::NoCache),
        Basis::Assumed if !terms.assumptions.cover(headers) => return Err(Refusal::NotPlain),
        Basis::Assumed => {}
    }
    let overridden = overrides(terms, response.status).is_some();
    let validate = said.no_cache && !overridden;
    let strict = (validate || said.forbids_stale()) && !overridden;
    let freshness = Freshness {
        received: arrival.received,
        initial_age: freshness::initial_age(response.age, response.date, arrival),
        lifetime,
    };
    let grace = grace(response, terms, strict);
    let usable = lifetime.saturating_add(grace.longest());
    if validate && grace.keep.is_zero() {
        return Err(Refusal::NoCache);
    }
    if freshness.left(arrival.received).is_zero() && freshness.age(arrival.received) >= usable {
        return Err(Refusal::Expired);
    }
    let for_authorized = said.allows_authorized() || terms.per_user;
    Ok(Leave { freshness, basis, grace, validate, strict, for_authorized })
}

/// The lifetime and whose word it is.
fn lifetime(
    response: &Response,
    terms: &Terms,
    arrival: Arrival,
) -> Result<(Basis, Nanos), Refusal> {
    if let Some(ttl) = overrides(terms, response.status) {
        return Ok((Basis::Given, ttl));
    }
    let stated =
        freshness::lifetime(&response.directives, response.expires, response.date, arrival);
    let found = match stated {
        Stated::Seconds(seconds) => Some((Basis::Stated, Nanos::from_secs(seconds))),
        // A lifetime that is there but can not be read is over (4.2.1).
        Stated::Unclear => Some((Basis::Stated, Nanos::ZERO)),
        Stated::Nothing if response.directives.no_cache => Some((Basis::Stated, Nanos::ZERO)),
        Stated::Nothing => given(terms, response.status)
            .map(|ttl| (Basis::Given, ttl))
            .or_else(|| assumed(response, terms, arrival).map(|ttl| (Basis::Assumed, ttl))),
    };
    let (basis, lifetime) = found.ok_or(Refusal::NoLifetime)?;
    // Bounds are for lifetimes; a response that is over at once, or only to be validated, has none.
    if lifetime.is_zero() || response.directives.no_cache {
        return Ok((basis, lifetime));
    }
    let lifetime = lifetime.max(terms.min_ttl.unwrap_or(Nanos::ZERO));
    Ok((basis, lifetime.min(terms.max_ttl.unwrap_or(Nanos::MAX))))
}

fn assumed(response: &Response, terms: &Terms, arrival: Arrival) -> Option<Nanos> {
    if !is_heuristically_cacheable(response.status) {
        return None;
    }
    terms.assumptions.lifetime(response.modified, response.date, arrival.wall)
}

/// How long a response is of use after its lifetime; the origin's word goes before the rule's.
fn grace(response: &Response, terms: &Terms, strict: bool) -> Grace {
    let said = &response.directives;
    let of = |stated: Delta, given: Option<Nanos>| match stated {
        Delta::Seconds(seconds) => Nanos::from_secs(seconds),
        Delta::Absent => given.unwrap_or(Nanos::ZERO),
        Delta::Invalid => Nanos::ZERO,
    };
    let keep = if response.has_validator { terms.keep } else { Nanos::ZERO };
    if strict {
        return Grace { keep, ..Grace::default() };
    }
    Grace {
        while_revalidate: of(said.stale_while_revalidate, terms.stale_while_revalidate),
        if_error: of(said.stale_if_error, terms.stale_if_error),
        keep,
    }
}

/// The rule's lifetime for a status, if it goes before the origin's.
fn overrides(terms: &Terms, status: u16) -> Option<Nanos> {
    if terms.origin == Origin::Override { given(terms, status) } else { None }
}

/// The rule's lifetime for a status.
fn given(terms: &Terms, status: u16) -> Option<Nanos> {
    terms.ttl.iter().find(|(statuses, _)| statuses.contains(status)).map(|(_, ttl)| *ttl)
}

/// `no-store`, unless the response says that its status tells all (5.2.2.3).
const fn forbids_storing(response: &Response) -> bool {
    let said = &response.directives;
    said.no_store && !(said.must_understand && is_understood(response.status))
}

/// Whether it is only a part, or says something about the part that was asked for.
const fn is_part(request: &Request, response: &Response) -> bool {
    response.partial || response.status == 206 || (response.status == 416 && request.has_range)
}

/// Whether a response of this status ends an exchange and stands for itself; 304 stands for another one.
const fn is_final(status: u16) -> bool {
    matches!(status, 200..=599) && status != 304
}

fn is_wanted(terms: &Terms, status: u16) -> bool {
    terms.statuses.as_ref().is_none_or(|statuses| statuses.contains(status))
}

/// The statuses that RFC 9110, 15, defines, and whose caching is as it says there.
const fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=205 | 300..=303 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}
