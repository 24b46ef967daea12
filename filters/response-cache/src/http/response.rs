//! What the cache wants to know of a response, and which of its fields are kept. Whether it may be stored at all is
//! for [`crate::policy::storing`] to say.
//!
//! **Source**: RFC 9111 sections 3.1 (fields), 5.1 to 5.4; RFC 9213 (targeted fields);
//! RFC 9110 sections 6.6.1 (Date), 7.6.1 (Connection), 8.8 (validators).

use kit::Nanos;
use kit::headers::{Headers, encode_pairs, is_hop_by_hop};

use crate::http::directives::{ResponseDirectives, seconds};
use crate::http::field::{is_entity_tag, members, print_date, trim};
use crate::http::freshness::{self, Arrival, Dated, Stated};
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
    /// When it ends, by the origin's clock; absent where a targeted field counts instead.
    pub expires: Dated,
    /// When it was made, by the origin's clock.
    pub date: Dated,
    /// When what it shows last changed, by the origin's clock.
    pub modified: Dated,
    /// `Pragma: no-cache`: of no meaning in a response (RFC 9111, 5.4), but no leave to assume anything either.
    pub pragma: bool,
    /// It sets a cookie.
    pub sets_cookie: bool,
    /// It says that it is a part (`Content-Range`).
    pub partial: bool,
    age: Option<u64>,
    has_age: bool,
    n_tags: u32,
    tagged: bool,
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
    /// Reads the facts. `targeted` names the fields of RFC 9213 that this cache heeds, in lower case, the first that
    /// counts first: it stands for `Cache-Control`, `Expires` and `Pragma`.
    ///
    /// **Cost**: one pass over the headers, and one more for each targeted field until one counts.
    pub fn read(headers: &Headers, targeted: &[String]) -> Self {
        let mut this = Self::default();
        for (name, value) in headers.iter() {
            match name {
                b":status" => this.status = status(value),
                b"cache-control" => this.directives.read(value),
                b"vary" => this.vary.read(value),
                b"expires" => this.expires.read(value),
                b"date" => this.date.read(value),
                b"last-modified" => this.modified.read(value),
                b"etag" => {
                    this.n_tags = this.n_tags.saturating_add(1);
                    this.tagged = this.n_tags == 1 && is_entity_tag(value);
                }
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
        if let Some(said) = targeted::directives(headers, targeted) {
            this.directives = said;
            this.expires = Dated::Absent;
            this.pragma = false;
        }
        this
    }

    /// Whether it has something by which the origin can say later that it still holds (RFC 9110, 8.8).
    pub const fn has_validator(&self) -> bool {
        self.tagged || matches!(self.modified, Dated::At(_))
    }

    /// How old it was when it came.
    pub fn initial_age(&self, arrival: Arrival) -> Nanos {
        freshness::initial_age(self.age, self.date, arrival)
    }

    /// The lifetime that it states.
    pub fn lifetime(&self, arrival: Arrival) -> Stated {
        freshness::lifetime(&self.directives, self.expires, self.date, arrival)
    }

    /// The fields to keep, in the ABI's form, in the order in which they came.
    ///
    /// Left out are the `dropped` ones (lower case), those that concern one connection or one transfer, and the upstream's
    /// `Age`, which is counted on from [`crate::http::freshness::Freshness`]. A `Date` is put in where there is no valid one.
    pub fn stored_fields(
        &self,
        headers: &Headers,
        dropped: &[Vec<u8>],
        arrival: Arrival,
    ) -> Vec<u8> {
        let dated = matches!(self.date, Dated::At(_));
        let mut kept: Vec<(&[u8], &[u8])> = headers
            .iter()
            .filter(|(name, _)| {
                let mut unwanted = self.connection.iter().chain(dropped);
                let listed = unwanted.any(|unwanted| unwanted == name);
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

/// Fields that are never kept: of one connection or transfer (RFC 9111, 3.1), counted anew, or Envoy's own notes.
pub(crate) fn concerns_transfer(name: &[u8]) -> bool {
    name.starts_with(b":")
        || name.starts_with(b"x-envoy-")
        || is_hop_by_hop(name)
        || matches!(name, b"age" | b"content-length")
}

fn status(value: &[u8]) -> u16 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
