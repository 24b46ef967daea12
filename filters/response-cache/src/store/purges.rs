//! What was purged: told to every worker at once, without looking for a single object.
//!
//! A purge is an instant: whatever was *asked for* at or before it is gone (hard) or stale (soft).
//! An answer that is on its way while something is purged was asked for before, so it is purged as well.
//! Instants are kept for everything ([`ledger::Head`]), for tags and URIs ([`marks`]) and for patterns
//! ([`ledger::Patterns`]); a reader compares them with the stored response that it has found.
//! So a purge costs the same whatever is stored, and no index of tags can grow or be wrong.
//!
//! **How workers see it**: a purge writes shared data first and moves a gauge then; gauges are the only memory of
//! Envoy that all workers share and that is read without a copy. A worker asks for the gauge first and reads
//! the shared data again when it has moved. Whoever sees the gauge moved therefore sees what was written before;
//! whoever reads shared data that is newer than the gauge only reads it once more.
//! Where the operator's `stats_matcher` rejects the gauge, which is found out by moving it, shared data is read
//! each time. And because a hot restart may take from a gauge what a purge adds, everything is read again with each
//! [`Purges::sweep`], that is each tick.
//!
//! **Bounds**: [`marks::N_SETS`] times [`marks::MAX_MARKS`] tags and URIs, [`ledger::MAX_PATTERNS`] patterns.
//! Beyond that the oldest are merged into instants that count for more objects: too much is purged, never too little.
//! What clients cause ([`Purges::forget_uri`]) has a table of its own, which can fill up without touching
//! what is not their users'.
//!
//! **At the edges**: all of it outlives a configuration update and the crash of a VM. A record that can not be read
//! (of another release) purges everything. A worker that dies between the writing and the gauge has not answered
//! its purge; the others see it with their next tick.

pub mod glob;
pub mod ledger;
pub mod marks;
pub mod pattern;
mod purge;
mod sequence;
pub mod sweep;
mod view;

use std::cell::RefCell;

use kit::hash::Secret;
use kit::shared::{Change, UpdateError, update};
use kit::{Host, Nanos};
use serde::{Deserialize, Serialize};

pub use purge::{Listing, Purge, Receipt};

use crate::key;
use crate::signals::{INVALIDATION_SEQUENCE, PURGE_SEQUENCE};
use ledger::{Head, Record};
use marks::{Marks, N_SETS};
use sequence::Sequence;
use view::View;

/// One worker's view of what was purged.
#[derive(Debug)]
pub struct Purges {
    prefix: String,
    secret: Secret,
    /// Moves with each purge.
    purged: Sequence,
    /// Moves with each URI that is forgotten.
    forgotten: Sequence,
    /// Who this worker is to the others.
    me: u64,
    view: RefCell<View>,
}

/// What is asked about a stored response, or about one that is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// When its request was forwarded, monotonic. A response that was validated since: when that was asked.
    pub asked: Nanos,
    /// Its URI as text: `scheme://host/path?query`.
    pub uri: &'a [u8],
    /// The URI half of its key: [`crate::key::Key::uri`].
    pub uri_key: &'a [u8],
    /// Its key has more than the URI: [`crate::key::Key::parts`].
    pub has_parts: bool,
    /// Its tags: [`Purges::tag`].
    pub tags: &'a [u64],
}

impl<'a> Subject<'a> {
    /// A response of this whole key ([`crate::key::Key::whole`]); `None` for bytes that are no key.
    pub fn of(asked: Nanos, whole: &'a [u8], uri: &'a [u8], tags: &'a [u64]) -> Option<Self> {
        let (uri_key, parts) = key::halves(whole)?;
        Some(Self { asked, uri, uri_key, has_parts: !parts.is_empty(), tags })
    }
}

/// What purges make of a stored response; the worst of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing: its freshness decides.
    Valid,
    /// It counts as stale, whatever its lifetime.
    Soft,
    /// It is not there, not even as something stale.
    Gone,
}

/// How thoroughly something is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// It is gone.
    Hard,
    /// It is stale: validated or refreshed with the next request, and still there when the origin fails.
    Soft,
}

impl Mode {
    /// The word in answers and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

/// The two tables of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Tags and URIs that operators purge.
    Marks,
    /// URIs that clients' unsafe requests invalidate.
    Forgotten,
}

/// What a mark is for: the first byte of what is hashed, so that no tag is taken for a URI.
mod domain {
    pub(super) const TAG: u8 = b't';
    pub(super) const URI: u8 = b'u';
}

impl Purges {
    /// Opens the purges of the store of this name, and makes their records where there are none.
    ///
    /// The first who opens them is the canary on the main thread, before any worker exists.
    ///
    /// **Cost**: one get; 132 gets and sets where there is nothing yet.
    pub fn open(host: &dyn Host, name: &str) -> Self {
        let this = Self {
            prefix: format!("weir/response-cache/{name}/purges/"),
            secret: Secret::of_process(host),
            purged: Sequence::open(host, PURGE_SEQUENCE),
            forgotten: Sequence::open(host, INVALIDATION_SEQUENCE),
            me: host.random(),
            view: RefCell::default(),
        };
        this.prepare(host);
        this
    }

    /// What was purged says about this response.
    ///
    /// **Cost**: one reading of a gauge, and one more if its key has parts; after a purge one get, one more if
    /// patterns changed, and one for each set of marks that is asked for first. Patterns are compared only
    /// with what was asked for before them; see [`glob::Glob::accepts`] for that.
    pub fn verdict(&self, host: &dyn Host, subject: &Subject<'_>) -> Standing {
        let view = &mut *self.view.borrow_mut();
        view.refresh(host, self);
        let mut standing = view.floor().standing(subject.asked);
        if standing < Standing::Gone && view.head().has_tags {
            for tag in subject.tags {
                standing = standing.max(view.mark(host, self, *tag, subject.asked));
            }
        }
        if standing < Standing::Gone && view.head().has_uris {
            let tag = self.uri_tag(subject.uri_key);
            standing = standing.max(view.mark(host, self, tag, subject.asked));
        }
        if standing < Standing::Gone && subject.has_parts {
            let tag = self.uri_tag(subject.uri_key);
            standing = standing.max(view.forgotten(host, self, tag, subject.asked));
        }
        if standing < Standing::Gone {
            standing = standing.max(view.patterns(subject));
        }
        standing
    }

    /// Whether such a response may be stored: not if it is gone, and not if it was asked for before a pattern
    /// that has been swept, since whether that meant it is not known any more.
    ///
    /// Ask before a response is stored; ask again after it is, and forget it if the answer has changed.
    ///
    /// **Cost**: as [`Purges::verdict`].
    pub fn admits(&self, host: &dyn Host, subject: &Subject<'_>) -> bool {
        let standing = self.verdict(host, subject);
        standing != Standing::Gone && !self.view.borrow().was_swept_since(subject.asked)
    }

    /// Forgets what is stored under this URI for anybody: what an unsafe request invalidates under keys with parts,
    /// which its own key does not tell (RFC 9111, 4.4). `uri` is the URI half of the key.
    ///
    /// Keys without parts are invalidated in the store itself, exactly.
    ///
    /// # Errors
    /// The instant could not be written: what is stored is still used.
    ///
    /// **Cost**: one get and one set of at most 1,570 bytes, one change of a gauge.
    pub fn forget_uri(&self, host: &dyn Host, uri: &[u8], now: Nanos) -> Result<(), UpdateError> {
        let done = self.raise(host, Table::Forgotten, self.uri_tag(uri), Mode::Hard, now);
        self.forgotten.advance(host);
        done
    }

    /// A tag as it is kept in [`crate::store::stored::Stored::tags`]: 64 keyed bits.
    pub fn tag(&self, tag: &[u8]) -> u64 {
        self.hash(domain::TAG, tag)
    }

    fn uri_tag(&self, uri: &[u8]) -> u64 {
        self.hash(domain::URI, uri)
    }

    fn hash(&self, domain: u8, bytes: &[u8]) -> u64 {
        let mut named = Vec::with_capacity(bytes.len().saturating_add(1));
        named.push(domain);
        named.extend_from_slice(bytes);
        let tag = self.secret.tag(&named).to_bytes();
        tag.first_chunk::<8>().map_or(0, |low| u64::from_le_bytes(*low))
    }

    /// Writes an instant for a tag.
    fn raise(
        &self,
        host: &dyn Host,
        table: Table,
        tag: u64,
        mode: Mode,
        now: Nanos,
    ) -> Result<(), UpdateError> {
        let done = update(host, &self.set_name(table, Marks::set_of(tag)), |bytes| {
            let mut marks = Marks::read(bytes).unwrap_or_else(|| Marks::everything(now));
            marks.raise(tag, mode, now);
            *bytes = marks.write();
            (Change::Store, ())
        })?;
        if done.n_conflicts > 0 {
            log::debug!("response-cache: {} conflicts over a purge", done.n_conflicts);
        }
        Ok(())
    }

    /// Changes a record; `change` says whether it did.
    fn change<R: Record, T>(
        &self,
        host: &dyn Host,
        name: &str,
        now: Nanos,
        mut change: impl FnMut(&mut R) -> (Change, T),
    ) -> Result<T, UpdateError> {
        let done = update(host, &self.name(name), |bytes| {
            let mut record = R::read(bytes).unwrap_or_else(|| R::lost(now));
            let (changed, value) = change(&mut record);
            *bytes = record.write();
            (changed, value)
        })?;
        Ok(done.value)
    }

    fn name(&self, record: &str) -> String {
        [&self.prefix, record].concat()
    }

    fn set_name(&self, table: Table, set: usize) -> String {
        let table = match table {
            Table::Marks => "marks",
            Table::Forgotten => "forgotten",
        };
        format!("{}{table}{set}", self.prefix)
    }

    /// Makes what is missing: the host swaps only what is there.
    fn prepare(&self, host: &dyn Host) {
        let head = self.name(ledger::HEAD);
        if host.shared_get(&head).is_some() {
            return;
        }
        let sets = [Table::Marks, Table::Forgotten]
            .into_iter()
            .flat_map(|table| (0..N_SETS).map(move |set| self.set_name(table, set)));
        let records = [ledger::LIST, ledger::LOG, ledger::WALK].map(|name| self.name(name));
        // The head is last: where it is, everything is.
        for name in sets.chain(records).chain([head]) {
            if host.shared_get(&name).is_none()
                && let Err(error) = host.shared_set(&name, &[], None)
            {
                log::error!("response-cache: purges not prepared: {error}");
            }
        }
    }
}

/// The head of a name, as a reader takes it.
fn read_head(host: &dyn Host, name: &str) -> Head {
    let bytes = host.shared_get(name).map(|found| found.value).unwrap_or_default();
    Head::read(&bytes).unwrap_or_else(|| Head::lost(Nanos(u64::MAX)))
}
