//! Keys by `No-Vary-Search`: one for all queries that a response says are the same to it.
//!
//! Under a path's *alias* lies what its responses have last said in that field, each saying with a number that was
//! made by chance. A response that says something of its query is stored under the canonical query, with the number of
//! its saying in the key: so no request's own key equals it, and it can be found through the alias only.
//! When an alias is lost, what it led to is lost with it, and never comes back under another saying or after
//! an invalidation that could not see it.
//!
//! **Shape**: the URI half is that of the canonical query, so that purges by URL and invalidations name it.
//!
//! **Source**: draft-ietf-httpbis-no-vary-search, section 6.

use kit::record;
use serde::{Deserialize, Serialize};

use super::parts::{self, Kind};
use super::{Key, split};
use crate::http::search::NoVarySearch;

/// Changes with the shape of [`Sayings`].
const VERSION: u8 = 1;

/// How many different sayings of one path are kept; each costs a miss one look.
pub const MAX_SAYINGS: usize = 4;

/// A longer field counts as absent.
pub const MAX_LINE: usize = 2_048;

/// One field, as it came, and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// Told by chance.
    number: u64,
    /// The field in one line.
    #[serde(with = "serde_bytes")]
    line: Vec<u8>,
}

/// What the responses of one path have last said, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sayings(Vec<Saying>);

impl Sayings {
    /// What lies under an alias; nothing for bytes that [`Sayings::write`] has not made.
    pub fn read(bytes: &[u8]) -> Self {
        record::decode(VERSION, bytes).unwrap_or_default()
    }

    /// The bytes to keep.
    pub fn write(&self) -> Vec<u8> {
        record::encode(VERSION, self)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Saying> {
        self.0.iter()
    }

    /// The saying of this line, if it is known.
    pub fn find(&self, line: &[u8]) -> Option<&Saying> {
        self.0.iter().find(|saying| saying.line == line)
    }

    /// Adds a saying under this number; the oldest goes beyond [`MAX_SAYINGS`].
    pub fn add(&mut self, line: &[u8], number: u64) -> Saying {
        let saying = Saying { number, line: line.to_vec() };
        self.0.insert(0, saying.clone());
        self.0.truncate(MAX_SAYINGS);
        saying
    }
}

impl Saying {
    /// What it says.
    pub fn meaning(&self) -> Option<NoVarySearch> {
        NoVarySearch::parse(&self.line)
    }

    /// The key of all requests that are the same by it as the one of this key.
    pub fn key(&self, meaning: &NoVarySearch, key: &Key) -> Option<Key> {
        let mut all = key.parts.clone();
        parts::push(&mut all, Kind::Search, &self.number.to_le_bytes(), &[]);
        Some(Key { uri: canonical(meaning, &key.uri)?, parts: all })
    }
}

/// The URI half with the canonical query, and without `?` if that is empty.
pub fn canonical(meaning: &NoVarySearch, uri: &[u8]) -> Option<Vec<u8>> {
    let (mut canonical, query) = without_query(uri)?;
    let query = meaning.canonical(query);
    if !query.is_empty() {
        canonical.push(b'?');
        canonical.extend_from_slice(&query);
    }
    Some(canonical)
}

/// The alias of the path that this URI half has.
pub fn of(uri: &[u8]) -> Option<Key> {
    let (uri, _) = without_query(uri)?;
    let mut marked = Vec::new();
    parts::push(&mut marked, Kind::Alias, b"", &[]);
    Some(Key { uri, parts: marked })
}

/// A URI half up to its query, and the query.
fn without_query(uri: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (base, target) = split(uri)?;
    let mut halves = target.splitn(2, |byte| *byte == b'?');
    let path = halves.next()?;
    Some(([base, path].concat(), halves.next().unwrap_or_default()))
}
