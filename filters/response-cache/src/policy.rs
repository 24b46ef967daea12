//! What is decided about a request once the store has answered, and about a response. Pure.
//!
//! **Source**: RFC 9111 sections 4 (using a stored response), 5.2.1 (request directives), 3 (storing), 3.5 (Authorization).

pub mod assume;
pub mod reuse;
pub mod storing;
pub mod terms;

use std::rc::Rc;

use kit::Nanos;
use kit::headers::Headers;

use assume::Assumptions;
use terms::Basis;

use crate::http::directives::Delta;
use crate::http::freshness::{Arrival, Freshness};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::signals::{Decision, Refusal};
use crate::store::Found;
use crate::store::stored::Stored;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered with this.
    Serve(Rc<Stored>),
    /// It goes to the upstream, for this reason.
    Forward(Decision),
    /// It is answered with 504: nothing usable is stored, and nothing else was wanted.
    Refuse,
}

/// Decides by what was found; `found` is asked only if the request allows stored answers at all.
pub fn decide(
    request: &Request,
    headers: &Headers,
    assumptions: &Assumptions,
    now: Nanos,
    find: impl FnOnce() -> Found,
) -> Verdict {
    let reason = if request.directives.refuses_stored() {
        Decision::Request
    } else {
        match find() {
            Found::Entry(entry) if entry.stored.freshness().left(now).is_zero() => Decision::Stale,
            Found::Entry(entry)
                if satisfies(request, &entry.stored, now)
                    && (entry.stored.basis != Basis::Assumed || assumptions.cover(headers)) =>
            {
                return Verdict::Serve(entry.stored);
            }
            Found::Entry(_) => Decision::Request,
            Found::Nothing => Decision::Miss,
            Found::OtherVariant => Decision::VaryMiss,
        }
    };
    if request.directives.only_if_cached { Verdict::Refuse } else { Verdict::Forward(reason) }
}

/// Leave to store a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// How long it is fresh.
    pub freshness: Freshness,
    /// Whose word that is.
    pub basis: Basis,
}

/// What forbids to store this response to this request, whenever it came: the part of [`judge`] that needs no clock.
pub fn forbids(request: &Request, response: &Response) -> Option<Refusal> {
    if request.directives.no_store {
        return Some(Refusal::NoStore);
    }
    response.forbids(request.authorized)
}

/// Whether this response to this request may be stored.
///
/// # Errors
/// The first reason that speaks against it.
pub fn judge(
    request: &Request,
    headers: &Headers,
    response: &Response,
    assumptions: &Assumptions,
    arrival: Arrival,
) -> Result<Leave, Refusal> {
    if let Some(refusal) = forbids(request, response) {
        return Err(refusal);
    }
    match response.judge(request.authorized, arrival) {
        Ok(freshness) => Ok(Leave { freshness, basis: Basis::Stated }),
        Err(Refusal::NoLifetime) => {
            let freshness = response.assume(assumptions, arrival)?;
            let leave = Leave { freshness, basis: Basis::Assumed };
            if assumptions.cover(headers) { Ok(leave) } else { Err(Refusal::NotPlain) }
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether a fresh response is one that this request wants and may have.
fn satisfies(request: &Request, stored: &Stored, now: Nanos) -> bool {
    let freshness = stored.freshness();
    let young_enough = match request.directives.max_age {
        Delta::Seconds(seconds) => freshness.age(now) <= Nanos::from_secs(seconds),
        Delta::Absent | Delta::Invalid => true,
    };
    let lasts_enough = match request.directives.min_fresh {
        Delta::Seconds(seconds) => freshness.left(now) >= Nanos::from_secs(seconds),
        Delta::Absent | Delta::Invalid => true,
    };
    young_enough && lasts_enough && (stored.for_authorized || !request.authorized)
}
