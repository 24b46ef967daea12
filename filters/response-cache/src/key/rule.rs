//! The `key` of a rule: what tells two requests apart.
//!
//! Whatever a rule adds to the URI is written with its kind, its name and every value, each with its length in front:
//! absent, empty and several are three different things, and no value can imitate another part.
//! Rules share a store, so a key also says how its rule reads the query.
//!
//! **Private stays private**: with `user`, a request that does not say who asks, or says it twice, has no key
//! and passes to the origin. Twice, because origins differ in which of two they believe.

use kit::config::{Fields, quoted};
use kit::exchange::Exchange;
use kit::key::Source;
use kit::place::Place;
use std::fmt::Display;

use super::parts::{self, Kind};
use super::query::QueryRule;
use super::{Key, primary};

/// What makes a request's key; the default is the whole URI.
#[derive(Debug, Clone, Default)]
pub struct KeyRule {
    query: QueryRule,
    /// How the query is read, as it is in each key.
    shape: Vec<u8>,
    headers: Vec<Box<str>>,
    cookies: Vec<Box<str>>,
    claims: Vec<Source>,
    /// Who asks; empty if the response is anybody's.
    user: Vec<Source>,
}

/// How many headers, cookies, claims or parts of a user a key may have.
const MAX_NAMES: usize = 8;

/// The most that all parts together may take, in bytes; a request beyond it has no key.
pub const MAX_PARTS: usize = 16 << 10;

impl KeyRule {
    /// Reads the object `key` that `fields` stands on.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let query = QueryRule::read(fields);
        let mut names = |name, place: Place, allowed| {
            let parse = |text: &str| parse_name(text, place);
            let read = fields.optional_parsed_list(name, 1..=MAX_NAMES, allowed, parse);
            let mut read = read.unwrap_or_default();
            read.sort();
            read.dedup();
            read
        };
        let headers = names("headers", Place::Header, "a header's name such as \"accept\"");
        let cookies = names("cookies", Place::Cookie, "a cookie's name such as \"theme\"");
        let claims = Source::read_claims(fields, "claims", 1..=MAX_NAMES).unwrap_or_default();
        let user = Source::read_many(fields, "user", 1..=MAX_NAMES);
        for source in user.iter().flatten().filter(|source| !source.names_caller()) {
            fields.problem(
                "user",
                quoted(&source.to_string()),
                "a claim, a header, a cookie or a property",
                "name what proves who asks, such as \"claim:sub\"",
            );
        }
        let on_missing = fields.optional_choice("on_missing_user", &[("bypass", ())]);
        if on_missing.is_some() && user.is_none() {
            fields.problem(
                "on_missing_user",
                "it without user",
                "both or none",
                "add user, or remove on_missing_user",
            );
        }
        let shape = query.shape();
        Self { query, shape, headers, cookies, claims, user: user.unwrap_or_default() }
    }

    /// What is in the key, in one line for operators: `URI without query, header accept, user claim sub`.
    pub fn describe(&self) -> String {
        let mut words = self.query.describe();
        let mut add = |kind: &str, name: &dyn Display| {
            words.push_str(", ");
            words.push_str(kind);
            words.push_str(&name.to_string());
        };
        self.headers.iter().for_each(|name| add("header ", name));
        self.cookies.iter().for_each(|name| add("cookie ", name));
        self.claims.iter().for_each(|source| add("", source));
        self.user.iter().for_each(|source| add("user ", source));
        words
    }

    /// Whether each user has responses of their own.
    pub const fn is_per_user(&self) -> bool {
        !self.user.is_empty()
    }

    /// Whether keys have more than the URI.
    pub const fn has_parts(&self) -> bool {
        !self.shape.is_empty()
            || !self.headers.is_empty()
            || !self.cookies.is_empty()
            || !self.claims.is_empty()
            || self.is_per_user()
    }

    /// Whether keys have this header's values.
    pub fn has_header(&self, name: &[u8]) -> bool {
        self.headers.iter().any(|known| known.as_bytes() == name)
    }

    /// The request fields that keys are made of, lower case; some may come twice.
    pub fn fields(&self) -> Vec<String> {
        let cookies = self.cookies.iter().map(|_| "cookie");
        let sources = self.claims.iter().chain(&self.user).filter_map(Source::field);
        self.headers
            .iter()
            .map(|name| &**name)
            .chain(cookies)
            .chain(sources)
            .map(str::to_owned)
            .collect()
    }

    /// The key of this request; `None` if it has none, and so must neither be answered from the store nor stored.
    ///
    /// That is so if it is no whole `http` or `https` URI, if `user` is asked for and the request names none or several,
    /// or if the parts take more than [`MAX_PARTS`].
    ///
    /// **Cost**: one allocation for each half; one host call for the headers, shared with matching, if there are parts;
    /// one for each claim.
    pub fn build(
        &self,
        x: &dyn Exchange,
        scheme: &[u8],
        authority: &[u8],
        path: &[u8],
    ) -> Option<Key> {
        let uri = self.uri(scheme, authority, path)?;
        let mut out = Vec::new();
        if !self.shape.is_empty() {
            parts::push(&mut out, Kind::Query, &self.shape, &[]);
        }
        if !self.headers.is_empty() || !self.cookies.is_empty() {
            let request = x.request();
            for (kind, place, names) in [
                (Kind::Header, Place::Header, &self.headers),
                (Kind::Cookie, Place::Cookie, &self.cookies),
            ] {
                for name in names {
                    let mut values = Vec::new();
                    place.any(&request, name, |value| {
                        values.push(value.to_vec());
                        false
                    });
                    parts::push(&mut out, kind, name.as_bytes(), &values);
                }
            }
        }
        for claim in &self.claims {
            parts::push(&mut out, Kind::Claim, claim.identity().as_bytes(), &claim.all(x));
        }
        for source in &self.user {
            let values = source.all(x);
            let [value] = values.as_slice() else { return None };
            if value.is_empty() {
                return None;
            }
            parts::push(&mut out, Kind::User, source.identity().as_bytes(), &values);
        }
        (out.len() <= MAX_PARTS).then_some(Key { uri, parts: out })
    }

    /// The URI half alone, for invalidation and purge by URL; `None` if it is no whole `http` or `https` URI.
    pub fn uri(&self, scheme: &[u8], authority: &[u8], path: &[u8]) -> Option<Vec<u8>> {
        primary(scheme, authority, &self.query.target(path))
    }
}

fn parse_name(text: &str, place: Place) -> Result<Box<str>, String> {
    let name = place.parse_name(text).map_err(|error| error.to_string())?;
    let mend = match (place, &*name) {
        (Place::Header, ":authority" | ":path" | ":scheme") => "remove it: the URI is in each key",
        (Place::Header, name) if name.starts_with(':') => "remove it: only GET and HEAD are cached",
        (Place::Header, "cookie") => "name the cookies in \"cookies\"",
        (Place::Header, "authorization" | "proxy-authorization") => {
            "write it as \"user\": \"header:authorization\", so that each user has responses of their own"
        }
        _ => return Ok(name),
    };
    Err(mend.to_owned())
}
