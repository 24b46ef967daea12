//! The reasons of the cache as sentences for people; the words themselves are in [`crate::signals`].

use crate::signals::{Decision, Refusal};

/// Why a request is answered or forwarded.
pub(super) const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Hit => "a stored response may answer it",
        Decision::StaleHit => {
            "a stored response may answer it though it is stale; it is being refreshed"
        }
        Decision::ErrorHit => "a stored error of the service answers it",
        Decision::Collapsed => "another request has just brought the response",
        Decision::Miss => "nothing is stored for it",
        Decision::VaryMiss => {
            "something is stored for this key, but for other values of the headers that it varies on"
        }
        Decision::Stale => "what is stored is no longer fresh",
        Decision::Request => "the request itself refuses what is stored",
        Decision::Method => "its method is neither GET nor HEAD",
        Decision::Bypass => "it is not for the cache",
        Decision::Background => "it is the cache's own request",
        Decision::Operations => "it is an operator's request",
        Decision::OnlyIfCached => "it asks for only-if-cached, and nothing usable is stored",
    }
}

/// Why a response was not stored.
pub(super) const fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Method => "it is not the answer to a GET",
        Refusal::Status => "its status is not stored",
        Refusal::NoStore => "the response or the request says no-store",
        Refusal::Private => "it is private, and the key does not tell users apart",
        Refusal::NoCache => "it says no-cache, and has nothing to be validated by",
        Refusal::Malformed => "its cache directives break the grammar",
        Refusal::NoLifetime => "no lifetime is stated or given, or one that contradicts itself",
        Refusal::NotPlain => {
            "its lifetime is not the origin's own, and the request may be a user's"
        }
        Refusal::Expired => "its lifetime was over when it came, and it is of no use stale",
        Refusal::Authorization => {
            "the request was authorised, and the response does not say that it may be shared"
        }
        Refusal::SetCookie => "it sets a cookie",
        Refusal::Vary => "it varies on everything, on too much, or on what is no field name",
        Refusal::Partial => "it is a part of a whole",
        Refusal::LocalReply => "it is not the upstream's answer but Envoy's or another filter's",
        Refusal::TooLarge => "it is larger than max_object or than its place in the store",
        Refusal::FillMemory => "fill_memory was in use",
        Refusal::Incomplete => "its body is not as long as was announced",
        Refusal::Invalidated => "the resource was changed or purged while it was fetched",
        Refusal::Guarded => {
            "the request has a field such as x-forwarded-host that neither the key nor Vary has"
        }
        Refusal::Tags => "it has more tags, or longer ones, than are kept",
        Refusal::Store => "the shared store was not to be had",
    }
}
