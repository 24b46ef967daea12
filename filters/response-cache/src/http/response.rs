//! What the cache wants to know of a response, and whether it may be stored.
//!
//! The order of the checks is the order of the reasons: what forbids storing comes before what is missing.
//!
//! **Source**: RFC 9111 sections 3 (storing), 3.1 (fields), 3.5 (Authorization), 4.2.2 (heuristics), 5.2.2 (directives);
//! RFC 9110 sections 7.6.1 (Connection), 15 (statuses).

use kit::Nanos;
use kit::headers::{Headers, encode_pairs};

use crate::http::directives::{ResponseDirectives, seconds};
use crate::http::field::{members, print_date, trim};
use crate::http::freshness::{self, Arrival, Dated, Freshness, Stated};
use crate::http::request::{asks_no_cache, is_grpc};
use crate::http::vary::Vary;
use crate::policy::assume::{Assumptions, is_heuristically_cacheable};
use crate::signals::Refusal;

/// The facts of one response, read in one pass over its headers.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Its status; zero if there is none to read.
    pub status: u16,
    /// What it says about caches.
    pub directives: ResponseDirectives,
    /// Which requests it answers.
    pub vary: Vary,
    /// How long its body is to be, if that is said.
    pub length: Length,
    /// It speaks gRPC.
    pub grpc: bool,
    expires: Dated,
    date: Dated,
    modified: Dated,
    /// `Pragma: no-cache`: of no meaning in a response (RFC 9111, 5.4), but no leave to assume anything either.
    pragma: bool,
    age: Option<u64>,
    has_age: bool,
    sets_cookie: bool,
    partial: bool,
    /// Fields that concern the connection it came over, lower case (RFC 9110, 7.6.1).
    connection: Vec<Vec<u8>>,
}

/// What a response says about the length of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Length {
    /// Nothing: it ends when it ends.
    #[default]
    Unknown,
    /// This many bytes.
    Bytes(u64),
    /// No number, or several different ones.
    Invalid,
}

impl Response {
    /// Reads the facts.
    pub fn read(headers: &Headers) -> Self {
        let mut this = Self::default();
        for (name, value) in headers.iter() {
            match name {
                b":status" => this.status = status(value),
                b"cache-control" => this.directives.read(value),
                b"vary" => this.vary.read(value),
                b"expires" => this.expires.read(value),
                b"date" => this.date.read(value),
                b"last-modified" => this.modified.read(value),
                b"pragma" => this.pragma |= asks_no_cache(value),
                b"age" if !this.has_age => {
                    this.has_age = true;
                    this.age = freshness::age_value(value);
                }
                b"set-cookie" | b"set-cookie2" => this.sets_cookie = true,
                b"content-range" => this.partial = true,
                b"content-length" => this.length.read(value),
                b"content-type" => this.grpc |= is_grpc(value),
                b"connection" => {
                    this.connection.extend(members(value).map(<[u8]>::to_ascii_lowercase));
                }
                _ => {}
            }
        }
        this
    }

    /// What forbids to store it, whenever it came; `authorized` says that the request was.
    pub fn forbids(&self, authorized: bool) -> Option<Refusal> {
        let said = &self.directives;
        [
            (self.partial || self.status == 206, Refusal::Partial),
            (self.grpc || !is_storable(self.status), Refusal::Status),
            (said.malformed, Refusal::Malformed),
            (said.no_store, Refusal::NoStore),
            (said.private, Refusal::Private),
            (said.no_cache, Refusal::NoCache),
            (self.sets_cookie, Refusal::SetCookie),
            (authorized && !said.allows_authorized(), Refusal::Authorization),
            (self.vary == Vary::Anything, Refusal::Vary),
            (self.length == Length::Invalid, Refusal::Incomplete),
        ]
        .into_iter()
        .find_map(|(forbids, refusal)| forbids.then_some(refusal))
    }

    /// Whether it may be stored as far as it says so itself, and how long it is fresh; `authorized` says that the request was.
    ///
    /// # Errors
    /// The first reason that speaks against it.
    pub fn judge(&self, authorized: bool, arrival: Arrival) -> Result<Freshness, Refusal> {
        if let Some(refusal) = self.forbids(authorized) {
            return Err(refusal);
        }
        match freshness::lifetime(&self.directives, self.expires, self.date, arrival) {
            Stated::Seconds(lifetime) => self.fresh_for(Nanos::from_secs(lifetime), arrival),
            Stated::Nothing | Stated::Unclear => Err(Refusal::NoLifetime),
        }
    }

    /// How long it is fresh by assumption, where [`judge`](Self::judge) misses nothing but a lifetime.
    ///
    /// # Errors
    /// [`Refusal::NoLifetime`] if nothing may be assumed or something unclear is stated, [`Refusal::NoCache`] if it
    /// has the `Pragma` of that name, [`Refusal::Expired`] if it is older already.
    pub fn assume(
        &self,
        assumptions: &Assumptions,
        arrival: Arrival,
    ) -> Result<Freshness, Refusal> {
        let stated = freshness::lifetime(&self.directives, self.expires, self.date, arrival);
        if stated != Stated::Nothing || !is_heuristically_cacheable(self.status) {
            return Err(Refusal::NoLifetime);
        }
        let lifetime = assumptions.lifetime(self.modified, self.date, arrival.wall);
        let lifetime = lifetime.ok_or(Refusal::NoLifetime)?;
        if self.pragma { Err(Refusal::NoCache) } else { self.fresh_for(lifetime, arrival) }
    }

    fn fresh_for(&self, lifetime: Nanos, arrival: Arrival) -> Result<Freshness, Refusal> {
        let freshness = Freshness {
            received: arrival.received,
            initial_age: freshness::initial_age(self.age, self.date, arrival),
            lifetime,
        };
        if freshness.left(arrival.received).is_zero() {
            return Err(Refusal::Expired);
        }
        Ok(freshness)
    }

    /// The fields to keep, in the ABI's form, in the order in which they came.
    ///
    /// Left out are those that concern one connection or one transfer, and the upstream's `Age`,
    /// which is counted on from [`Freshness`]. A `Date` is put in where there is no valid one.
    pub fn stored_fields(&self, headers: &Headers, arrival: Arrival) -> Vec<u8> {
        let dated = matches!(self.date, Dated::At(_));
        let mut kept: Vec<(&[u8], &[u8])> = headers
            .iter()
            .filter(|(name, _)| {
                let listed = self.connection.iter().any(|listed| listed == name);
                !listed && !concerns_transfer(name) && (dated || *name != b"date")
            })
            .collect();
        let date = if dated { None } else { print_date(arrival.wall) };
        if let Some(date) = &date {
            kept.push((b"date", date.as_bytes()));
        }
        encode_pairs(&kept)
    }
}

impl Length {
    fn read(&mut self, line: &[u8]) {
        let digits = trim(line);
        // `seconds` saturates far above any length that is stored.
        let read = seconds(digits).map_or(Self::Invalid, Self::Bytes);
        *self = if *self == Self::Unknown || *self == read { read } else { Self::Invalid };
    }
}

/// Final statuses whose meaning for caches is understood, and which say something lasting with a stated lifetime.
const fn is_storable(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 451 | 501
    )
}

/// Fields that are never kept: of one connection or transfer (RFC 9111, 3.1), counted anew, or Envoy's own notes.
pub fn concerns_transfer(name: &[u8]) -> bool {
    name.starts_with(b":")
        || name.starts_with(b"x-envoy-")
        || matches!(
            name,
            b"age"
                | b"connection"
                | b"content-length"
                | b"keep-alive"
                | b"proxy-authenticate"
                | b"proxy-authentication-info"
                | b"proxy-authorization"
                | b"proxy-connection"
                | b"te"
                | b"trailer"
                | b"transfer-encoding"
                | b"upgrade"
        )
}

fn status(value: &[u8]) -> u16 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
