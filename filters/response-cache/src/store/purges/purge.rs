//! Making a purge, and telling what was made.

use std::fmt;

use kit::shared::{Change, UpdateError};
use kit::{Host, Nanos};

use crate::store::purges::ledger::{self, Entry, Head, Log, Logged, Patterns, Record};
use crate::store::purges::marks::Times;
use crate::store::purges::pattern::Pattern;
use crate::store::purges::sweep::SETTLE;
use crate::store::purges::{Mode, Purges, Table, read_head};

/// The longest line about a purge that is remembered, in bytes.
const MAX_LINE: usize = 256;

/// What is to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// All of the store.
    Everything,
    /// What has any of these tags.
    Tags(Vec<Vec<u8>>),
    /// What is stored under a URI: all variants, and all that keys with parts have under it.
    Uris {
        /// The URI half of its key by each rule that may have stored it.
        keys: Vec<Vec<u8>>,
        /// The URI as it was given: for people.
        shown: String,
    },
    /// What any of these means: a prefix, a pattern, or all patterns of a resource; at most
    /// [`ledger::MAX_PATTERNS`], beyond which the first of them purge everything.
    Patterns(Vec<Pattern>),
}

impl fmt::Display for Purge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        match self {
            Self::Everything => f.write_str("everything")?,
            Self::Tags(tags) => {
                for tag in tags {
                    write!(f, "{separator}tag {}", tag.escape_ascii())?;
                    separator = ", ";
                }
            }
            Self::Uris { shown, .. } => write!(f, "url {}", shown.escape_debug())?,
            Self::Patterns(patterns) => {
                for pattern in patterns {
                    write!(f, "{separator}{pattern}")?;
                    separator = ", ";
                }
            }
        }
        Ok(())
    }
}

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// What was asked for until then is meant, monotonic.
    pub at: Nanos,
    /// Hard or soft.
    pub mode: Mode,
    /// How many tags, URIs or patterns were written; one for everything.
    pub written: usize,
    /// The list of patterns was full: everything older than the oldest of them is purged as well.
    pub merged: bool,
}

/// What is in force, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Until when everything is purged.
    pub everything: Times,
    /// Until when everything is purged because the list of patterns was full.
    pub merged: Times,
    /// The patterns in force, the oldest first.
    pub patterns: Vec<Entry>,
    /// The last purges, the youngest last.
    pub log: Vec<Logged>,
    /// When patterns are applied to what is stored, monotonic; `None` if nothing waits for that.
    pub sweep_due: Option<Nanos>,
}

impl Purges {
    /// Purges; when it returns, every worker sees it.
    ///
    /// `now` is when the purge was asked for: what is asked for later is not meant.
    ///
    /// # Errors
    /// Something could not be written: of several tags or URIs, some may be purged.
    ///
    /// **Cost**: one get and one set for the whole and for the log; and for each tag and URI, or for all patterns.
    pub fn purge(
        &self,
        host: &dyn Host,
        what: &Purge,
        mode: Mode,
        now: Nanos,
    ) -> Result<Receipt, UpdateError> {
        let done = self.write(host, what, mode, now);
        // Also after an error: what is written is to be seen.
        self.purged.advance(host);
        if done.is_ok() {
            let logged = Logged { at: now.0, mode, what: line(what) };
            let added = self.change(host, ledger::LOG, now, |log: &mut Log| {
                log.add(logged.clone());
                (Change::Store, ())
            });
            if let Err(error) = added {
                log::warn!("response-cache: a purge is in force and not in the list: {error}");
            }
        }
        done
    }

    /// What is in force, and what was purged last.
    ///
    /// **Cost**: three gets.
    pub fn list(&self, host: &dyn Host) -> Listing {
        let head = read_head(host, &self.name(ledger::HEAD));
        let list: Patterns = self.read(host, ledger::LIST);
        let log: Log = self.read(host, ledger::LOG);
        Listing {
            everything: head.everything,
            merged: list.merged,
            patterns: list.list,
            log: log.purges,
            sweep_due: (head.sweep_due != 0).then_some(Nanos(head.sweep_due)),
        }
    }

    fn read<R: Record>(&self, host: &dyn Host, name: &str) -> R {
        let bytes = host.shared_get(&self.name(name)).map(|found| found.value).unwrap_or_default();
        R::read(&bytes).unwrap_or_else(|| R::lost(Nanos(u64::MAX)))
    }

    fn write(
        &self,
        host: &dyn Host,
        what: &Purge,
        mode: Mode,
        now: Nanos,
    ) -> Result<Receipt, UpdateError> {
        let mut receipt = Receipt { at: now, mode, written: 1, merged: false };
        let mut serial = 0;
        match what {
            Purge::Everything => {}
            Purge::Tags(tags) => {
                receipt.written = tags.len();
                for tag in tags {
                    self.raise(host, Table::Marks, self.tag(tag), mode, now)?;
                }
            }
            Purge::Uris { keys, .. } => {
                receipt.written = keys.len();
                for key in keys {
                    self.raise(host, Table::Marks, self.uri_tag(key), mode, now)?;
                }
            }
            Purge::Patterns(patterns) => {
                receipt.written = patterns.len();
                (receipt.merged, serial) =
                    self.change(host, ledger::LIST, now, |list: &mut Patterns| {
                        let mut merged = false;
                        for pattern in patterns {
                            merged |= list.add(pattern.text(), pattern.form(), mode, now);
                        }
                        (Change::Store, (merged, list.serial))
                    })?;
            }
        }
        self.change(host, ledger::HEAD, now, |head: &mut Head| {
            match what {
                Purge::Everything => head.everything.raise(mode, now),
                Purge::Tags(_) => head.has_tags = true,
                Purge::Uris { .. } => head.has_uris = true,
                Purge::Patterns(_) => head.patterns = head.patterns.max(serial),
            }
            head.latest = head.latest.max(now.0);
            let settled = now.saturating_add(SETTLE).0;
            head.sweep_due =
                if head.sweep_due == 0 { settled } else { head.sweep_due.min(settled) };
            (Change::Store, ())
        })?;
        Ok(receipt)
    }
}

/// A purge in a line, cut where it is long.
fn line(what: &Purge) -> String {
    let mut line = what.to_string();
    if line.len() > MAX_LINE {
        let end = (0..=MAX_LINE.saturating_sub(3)).rev().find(|at| line.is_char_boundary(*at));
        line.truncate(end.unwrap_or(0));
        line.push('…');
    }
    line
}
