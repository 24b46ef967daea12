//! The sweep: what is purged is also thrown away, a few pages at each tick, by one worker at a time.
//!
//! Its use is that hard patterns can leave the list: once nothing is stored that one means,
//! and nothing can be stored any more that was asked for before it ([`Purges::admits`]), it says nothing.
//! A soft pattern leaves when a whole pass has met nothing that it means and that was asked for before it.
//! What a tag or everything purged is thrown away as well, so that its bytes are free.
//!
//! A pass takes in the patterns that are in force when it begins, and begins [`SETTLE`] after the purge:
//! a response that was judged before the purge and stored after is then in the store, where the pass meets it.
//! One worker has the lease; where it dies the next goes on at the page where it was.
//! Two workers on one page do no harm: what is gone stays gone, and a place names its generation.

use kit::shared::Change;
use kit::{Host, Nanos};
use serde::{Deserialize, Serialize};

use crate::store::purges::ledger::{self, Head, Patterns, Record};
use crate::store::purges::{Purges, Standing, Subject};

/// How long after a purge a pass may take its pattern in: much longer than any callback lasts.
pub const SETTLE: Nanos = Nanos::from_secs(5);

/// How long a worker may be silent before another goes on.
pub const LEASE: Nanos = Nanos::from_secs(5);

/// How long after a pass the next begins, where soft patterns still mean something.
pub const AGAIN: Nanos = Nanos::from_secs(60);

/// What is swept: the store, or what a test has instead of it.
pub trait Shelf {
    /// Where an entry is, so exactly that another in its place is not meant.
    type Place;

    /// Into how many pages it is divided; an entry never changes its page.
    fn n_pages(&self) -> u32;

    /// Everything on one page, fresh or stale; an entry that can not be read is nothing.
    fn page(&self, host: &dyn Host, page: u32) -> Vec<Listed<Self::Place>>;

    /// Throws one entry away; whether it is gone, or another has its place.
    fn forget(&self, host: &dyn Host, place: &Self::Place) -> bool;
}

/// One entry of a page: what [`Subject`] borrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<P> {
    /// Where it is.
    pub place: P,
    /// When it was asked for.
    pub asked: Nanos,
    /// Its URI as text.
    pub uri: Vec<u8>,
    /// The URI half of its key.
    pub uri_key: Vec<u8>,
    /// Its key has more than the URI.
    pub has_parts: bool,
    /// Its tags.
    pub tags: Vec<u64>,
}

impl<P> Listed<P> {
    /// What purges are asked about it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            asked: self.asked,
            uri: &self.uri,
            uri_key: &self.uri_key,
            has_parts: self.has_parts,
            tags: &self.tags,
        }
    }
}

/// What one step of a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries that were looked at.
    pub looked_at: usize,
    /// Entries that were thrown away.
    pub forgotten: usize,
    /// A pass has ended with this step.
    pub finished: bool,
}

/// How far a pass is: a record in shared data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Walk {
    /// Who has the lease, and until when, in nanoseconds of the monotonic clock.
    holder: u64,
    until: u64,
    /// Whether a pass is under way.
    is_under_way: bool,
    /// When it began, in nanoseconds of the monotonic clock.
    began: u64,
    /// The size of the shelf that it goes over, and the next page.
    n_pages: u32,
    next: u32,
    /// The patterns that it may drop at its end; those that must stay are taken out.
    ids: Vec<u64>,
}

impl Record for Walk {
    fn lost(_at: Nanos) -> Self {
        Self::default()
    }
}

impl Purges {
    /// One step: at most this many pages. Call it with each tick on every worker.
    ///
    /// It also makes the next [`Purges::verdict`] read everything again, whatever the gauges say.
    ///
    /// **Cost**: one reading of a gauge and one get where there is nothing to do; else three gets, two sets,
    /// and what the shelf's pages cost.
    pub fn sweep<S: Shelf>(&self, host: &dyn Host, shelf: &S, now: Nanos, n_pages: u32) -> Swept {
        let mut swept = Swept::default();
        let Some(mut walk) = self.take_lease(host, shelf.n_pages(), now) else { return swept };
        let end = walk.next.saturating_add(n_pages).min(walk.n_pages);
        for page in walk.next..end {
            for entry in shelf.page(host, page) {
                swept.looked_at = swept.looked_at.saturating_add(1);
                let is_gone = self.verdict(host, &entry.subject()) == Standing::Gone
                    && shelf.forget(host, &entry.place);
                if is_gone {
                    swept.forgotten = swept.forgotten.saturating_add(1);
                } else {
                    // What means something that is still there has to stay.
                    let view = self.view.borrow();
                    let meant: Vec<u64> =
                        view.matching(&entry.subject()).map(|entry| entry.id).collect();
                    walk.ids.retain(|id| !meant.contains(id));
                }
            }
        }
        walk.next = end;
        let is_last = end >= walk.n_pages;
        if self.keep_walk(host, &walk, is_last, now) && is_last {
            swept.finished = true;
            self.finish(host, &walk, now);
        }
        swept
    }

    /// The pass that this worker is to go on with, if any.
    fn take_lease(&self, host: &dyn Host, n_pages: u32, now: Nanos) -> Option<Walk> {
        let (due, in_force) = {
            let view = &mut *self.view.borrow_mut();
            view.look_again();
            view.refresh(host, self);
            let in_force: Vec<u64> = view.entries().map(|entry| entry.id).collect();
            (view.head().sweep_due, in_force)
        };
        if due == 0 || now.0 < due {
            return None;
        }
        let taken = self.change(host, ledger::WALK, now, |walk: &mut Walk| {
            if walk.holder != self.me && now.0 < walk.until {
                return (Change::Keep, None);
            }
            walk.holder = self.me;
            walk.until = now.saturating_add(LEASE).0;
            // A shelf of another size has other pages: what was seen of the old one says nothing.
            if !walk.is_under_way || walk.n_pages != n_pages {
                walk.is_under_way = true;
                walk.began = now.0;
                walk.n_pages = n_pages;
                walk.next = 0;
                walk.ids.clone_from(&in_force);
            }
            (Change::Store, Some(walk.clone()))
        });
        match taken {
            Ok(walk) => walk,
            Err(error) => {
                log::debug!("response-cache: no sweep: {error}");
                None
            }
        }
    }

    /// Writes how far it is; whether the pass is still this worker's.
    fn keep_walk(&self, host: &dyn Host, mine: &Walk, is_last: bool, now: Nanos) -> bool {
        let kept = self.change(host, ledger::WALK, now, |walk: &mut Walk| {
            if walk.holder != self.me || walk.began != mine.began || !walk.is_under_way {
                return (Change::Keep, false);
            }
            walk.clone_from(mine);
            walk.is_under_way = !is_last;
            (Change::Store, true)
        });
        kept.unwrap_or(false)
    }

    /// Drops the patterns that say nothing any more, and says when the next pass is due.
    fn finish(&self, host: &dyn Host, walk: &Walk, now: Nanos) {
        let settled = Nanos(walk.began).saturating_sub(SETTLE).0;
        let dropped = self.change(host, ledger::LIST, now, |list: &mut Patterns| {
            let in_time =
                |id: &u64| list.list.iter().any(|entry| entry.id == *id && entry.at <= settled);
            let ids: Vec<u64> = walk.ids.iter().copied().filter(in_time).collect();
            let n_left = list.list.len().saturating_sub(ids.len());
            if ids.is_empty() {
                return (Change::Keep, (list.serial, n_left));
            }
            list.drop_swept(&ids);
            (Change::Store, (list.serial, n_left))
        });
        let Ok((serial, n_left)) = dropped else { return };
        let told = self.change(host, ledger::HEAD, now, |head: &mut Head| {
            head.patterns = head.patterns.max(serial);
            head.sweep_due = if settled < head.latest {
                now.saturating_add(SETTLE).0
            } else if n_left > 0 {
                now.saturating_add(AGAIN).0
            } else {
                0
            };
            (Change::Store, ())
        });
        if let Err(error) = told {
            log::debug!("response-cache: the sweep is not told: {error}");
        }
        self.purged.advance(host);
    }
}
