//! What a rule makes of the responses to its requests: the terms on which they are stored.

use std::rc::Rc;

use kit::Nanos;
use kit::status::Statuses;
use serde::{Deserialize, Serialize};

use crate::policy::assume::Assumptions;
use crate::policy::fields::KnownFields;

/// The terms of one rule; by default whatever the origin allows, and nothing that it does not.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whose word on the lifetime counts.
    pub origin: Origin,
    /// Lifetimes by status, the first that fits: where the origin states none, or always with [`Origin::Override`].
    pub ttl: Vec<(Statuses, Nanos)>,
    /// No lifetime is shorter; does not make storable what the origin forbids to store.
    pub min_ttl: Option<Nanos>,
    /// No lifetime is longer.
    pub max_ttl: Option<Nanos>,
    /// Lifetimes where neither the origin nor `ttl` has one.
    pub assumptions: Assumptions,
    /// How long beyond its lifetime a response may be served while it is refreshed, where the origin says nothing.
    pub stale_while_revalidate: Option<Nanos>,
    /// How long beyond its lifetime a response may be served when the origin fails, where the origin says nothing.
    pub stale_if_error: Option<Nanos>,
    /// How long beyond its lifetime a response with a validator is kept at least, to be validated.
    pub keep: Nanos,
    /// What becomes of a response that sets a cookie.
    pub set_cookie: SetCookie,
    /// What becomes of requests with a cookie where the lifetime is not the origin's own.
    pub cookies: Cookies,
    /// The key tells users apart: `private` responses and those to authorised requests may be stored.
    pub per_user: bool,
    /// Only these statuses are stored.
    pub statuses: Option<Statuses>,
    /// From which requests responses are stored.
    pub store_from: StoreFrom,
    /// Fields of requests that the operator knows, and those that the key has.
    pub known: Rc<KnownFields>,
}

/// From which requests responses are stored; all are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreFrom {
    /// From all but those with a field that services are known to answer by without saying so.
    #[default]
    Any,
    /// Only from those all of whose fields are known: to change no answer, or to the key or to `Vary`.
    Plain,
}

/// Whose word on the lifetime counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The origin's; the rule's where it has none.
    #[default]
    Respect,
    /// The rule's, also against `no-store`, `no-cache`, `private` (RFC 9111 does not allow this: it is the operator's word).
    Override,
}

/// What becomes of a response that sets a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetCookie {
    /// It is not stored.
    #[default]
    Refuse,
    /// It is stored without the cookie; the client that caused it gets it.
    Remove,
}

/// What becomes of requests with a cookie where the lifetime is not the origin's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookies {
    /// Neither stored for nor served to.
    #[default]
    Careful,
    /// As requests without.
    Ignore,
}

/// Whose word a lifetime is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Basis {
    /// The origin's.
    #[default]
    Stated,
    /// The operator's, for this status: shared between requests without cookie, authorisation and API key.
    Given,
    /// Assumed: shared between plain requests only ([`crate::policy::assume`]).
    Assumed,
}

/// How long a response is of use after its lifetime; each counts from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grace {
    /// It may be served while it is refreshed (RFC 5861, 3).
    pub while_revalidate: Nanos,
    /// It may be served when the origin fails (RFC 5861, 4).
    pub if_error: Nanos,
    /// It is kept to be validated.
    pub keep: Nanos,
}

impl Grace {
    /// How long it is of any use.
    pub fn longest(&self) -> Nanos {
        self.while_revalidate.max(self.if_error).max(self.keep)
    }
}
