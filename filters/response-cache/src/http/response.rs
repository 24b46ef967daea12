//! What the cache wants to know of a response.
//!
//! **Source**: RFC 9111 sections 3 (storing), 3.1 (fields), 3.5 (Authorization), 4.2.2 (heuristics), 5.2.2 (directives);
//! RFC 9110 sections 7.6.1 (Connection), 15 (statuses).

use kit::headers::{Headers, encode_pairs, is_hop_by_hop};

use crate::http::directives::{ResponseDirectives, seconds};
use crate::http::field::{members, print_date, trim};
use crate::http::freshness::{self, Arrival, Dated};
use crate::http::request::{asks_no_cache, is_grpc};
use crate::http::targeted;
use crate::http::vary::Vary;

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
    /// When it expires, as it says itself.
    pub expires: Dated,
    /// When it was made.
    pub date: Dated,
    /// When its representation was last changed.
    pub modified: Dated,
    /// It has a validator.
    pub has_validator: bool,
    /// `Pragma: no-cache`: of no meaning in a response (RFC 9111, 5.4), but no leave to assume anything either.
    pub pragma: bool,
    /// How old it was when it was sent on to us, in seconds.
    pub age: Option<u64>,
    has_age: bool,
    /// It sets a cookie.
    pub sets_cookie: bool,
    /// It is a part of a whole.
    pub partial: bool,
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
    /// Reads the facts. The first of the `targeted` fields that is valid and not empty takes the place of
    /// `Cache-Control` and `Expires` (RFC 9213, 2.2); their names are lower case, in order of preference.
    pub fn read(headers: &Headers, targeted: &[String]) -> Self {
        let mut this = Self::default();
        for (name, value) in headers.iter() {
            match name {
                b":status" => this.status = status(value),
                b"cache-control" => this.directives.read(value),
                b"vary" => this.vary.read(value),
                b"expires" => this.expires.read(value),
                b"date" => this.date.read(value),
                b"last-modified" => {
                    this.modified.read(value);
                    this.has_validator = true;
                }
                b"etag" => this.has_validator = true,
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
        if let Some(directives) = targeted.iter().find_map(|name| targeted::read(headers, name)) {
            this.directives = directives;
            this.expires = Dated::Absent;
        }
        this
    }

    /// The fields to keep, in the ABI's form, in the order in which they came.
    ///
    /// Left out are those that concern one connection or one transfer, and the upstream's `Age`,
    /// which is counted on from [`Freshness`]. A `Date` is put in where there is no valid one;
    /// `Set-Cookie` is left out, since one client's cookie is nobody else's, and so are the `hidden` fields.
    pub fn stored_fields(&self, headers: &Headers, hidden: &[String], arrival: Arrival) -> Vec<u8> {
        let dated = matches!(self.date, Dated::At(_));
        let mut kept: Vec<(&[u8], &[u8])> = headers
            .iter()
            .filter(|(name, _)| {
                let listed = self.connection.iter().any(|listed| listed == name);
                let cookie = matches!(*name, b"set-cookie" | b"set-cookie2");
                let hidden = hidden.iter().any(|hidden| hidden.as_bytes() == *name);
                !listed
                    && !cookie
                    && !hidden
                    && !concerns_transfer(name)
                    && (dated || *name != b"date")
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

/// Fields that are never kept: of one connection or transfer (RFC 9111, 3.1), counted anew, or Envoy's own notes.
pub fn concerns_transfer(name: &[u8]) -> bool {
    name.starts_with(b":")
        || name.starts_with(b"x-envoy-")
        || is_hop_by_hop(name)
        || matches!(name, b"age" | b"content-length")
}

fn status(value: &[u8]) -> u16 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
