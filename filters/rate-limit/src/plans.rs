//! Which plan a request is on, and whose it is.
//!
//! Sources are asked in the operator's order, and **the first one that the request has decides**: a value that it
//! knows gives its plan, one that it does not know gives `unknown` and never falls through to a later source.
//! A request that has none of them is `absent`. So a client that sends rubbish to the first source gets `unknown`,
//! and one that leaves a source out gets what the later ones say; an empty value, or one beyond 8 KiB, is left out.
//!
//! **The order that is safe** puts first what a client can neither leave out nor choose, such as a verified claim,
//! and API keys behind it; and neither `unknown` nor `absent` should be a better plan than the sources give.
//! With keys first, any client may escape its claim's plan into `unknown` by sending a key that nobody has.
//!
//! Without a table the value itself is the plan's name, compared byte by byte; only the configured names count.
//! Such a source must be one that clients cannot write: a claim, or a header that Envoy removes from what they send.
//! Claims that name plans are texts: numbers and truth values arrive as Envoy's own bytes and name none.
//!
//! API keys are kept only as SHA-256, which is enough because a key is random and cannot be guessed.
//! For the same reason the table is searched without regard to time: who learns how far a hash agreed
//! still cannot make a key for it.
//!
//! Deliberately not done here: limits. Rules look them up by [`Plans::index_of`].

mod read;

use std::fmt;

use kit::Exchange;
use kit::config::Value;
use kit::hash::hex;
use kit::key::Source;
use sha2::{Digest, Sha256};

/// The plans of a configuration, and how a request comes to one.
#[derive(Debug)]
pub struct Plans {
    /// All different; a plan is its place here.
    names: Vec<String>,
    absent: usize,
    unknown: usize,
    /// In the order in which they are asked.
    sources: Vec<PlanSource>,
    header: Option<String>,
    /// What a client of each plan is told about a better one, by the plan's place.
    upgrades: Vec<Option<Value>>,
}

/// What a request turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The plan, by its place in [`Plans::names`].
    pub plan: usize,
    /// Who sent it, if the value is in a table: the same bytes for the same API key and for no other.
    pub consumer: Option<&'a [u8]>,
    /// What the operator calls the consumer; two keys of one may have the same name.
    pub name: Option<&'a str>,
}

impl Identity<'_> {
    /// Anybody, where there are no plans.
    pub const NOBODY: Self = Self { plan: 0, consumer: None, name: None };

    /// The consumer for operators: its name, or else the hash that the configuration has of its key.
    pub fn readable(&self) -> Option<String> {
        self.name.map(str::to_owned).or_else(|| self.consumer.map(hex))
    }
}

/// Where a plan may come from.
#[derive(Debug)]
struct PlanSource {
    value: Source,
    /// The values that are known; without a table the value is a plan's name.
    table: Option<Table>,
}

/// Known values, sorted by their hashes, which are all different.
struct Table(Vec<Known>);

struct Known {
    hash: [u8; 32],
    plan: usize,
    name: Option<Box<str>>,
}

impl Plans {
    /// The names of the plans, in the operator's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a plan's name, compared exactly.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|found| found == name)
    }

    /// The name of a plan, by its place.
    pub fn name(&self, plan: usize) -> &str {
        self.names.get(plan).map_or("", String::as_str)
    }

    /// The plans of those who show nothing, and of those who show what nobody knows.
    pub const fn fallbacks(&self) -> [usize; 2] {
        [self.absent, self.unknown]
    }

    /// Whether there is a table of API keys, and so consumers.
    pub fn has_keys(&self) -> bool {
        self.sources.iter().any(|source| source.table.is_some())
    }

    /// The response header that carries the plan, in lower case; `None` if none does.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The JSON object that tells a client of this plan about a better one.
    pub fn upgrade(&self, plan: usize) -> Option<&Value> {
        self.upgrades.get(plan)?.as_ref()
    }

    /// The plan of a request, and the consumer if its key is known.
    ///
    /// **Cost**: what reading the sources costs up to the first that the request has; for a table one SHA-256
    /// of at most 8 KiB and a search in at most 10,000 entries. It allocates for the value.
    pub fn identify(&self, x: &dyn Exchange) -> Identity<'_> {
        let plan = |plan| Identity { plan, consumer: None, name: None };
        let found = self.sources.iter().find_map(|source| Some((source, source.value.value(x)?)));
        let Some((source, value)) = found else { return plan(self.absent) };
        let known = match &source.table {
            Some(table) => table.find(&value),
            None => self.named(&value).map(plan),
        };
        known.unwrap_or_else(|| plan(self.unknown))
    }

    fn named(&self, value: &[u8]) -> Option<usize> {
        self.names.iter().position(|name| name.as_bytes() == value)
    }
}

impl Table {
    fn new(mut entries: Vec<Known>) -> Self {
        entries.sort_unstable_by_key(|known| known.hash);
        Self(entries)
    }

    fn find(&self, value: &[u8]) -> Option<Identity<'_>> {
        let hash: [u8; 32] = Sha256::digest(value).into();
        let idx = self.0.binary_search_by_key(&hash, |known| known.hash).ok()?;
        let known = self.0.get(idx)?;
        Some(Identity {
            plan: known.plan,
            consumer: Some(&known.hash),
            name: known.name.as_deref(),
        })
    }
}

/// In an operator's words: `by header x-api-key (2 keys), then claim plan; anonymous without any, free for …`.
impl fmt::Display for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by ", self.names.join(", "))?;
        for (idx, source) in self.sources.iter().enumerate() {
            if idx > 0 {
                f.write_str(", then ")?;
            }
            write!(f, "{}", source.value)?;
            match source.table.as_ref().map(|table| table.0.len()) {
                Some(1) => f.write_str(" (1 key)")?,
                Some(count) => write!(f, " ({count} keys)")?,
                None => {}
            }
        }
        let name = |plan: usize| self.names.get(plan).map_or("", String::as_str);
        let (absent, unknown) = (name(self.absent), name(self.unknown));
        write!(f, "; {absent} without any of them, {unknown} for what is not known")
    }
}

/// Without the hashes: they are many, and nobody's business.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.0.len())
    }
}

#[cfg(test)]
mod tests;
