//! What the filter remembers of one exchange.

use std::cell::RefCell;
use std::rc::Rc;

use kit::Nanos;
use kit::headers::Headers;

use crate::fill::{Fill, Lease};
use crate::http::request::Request;
use crate::key::Key;
use crate::reply::Mend;
use crate::signals::Decision;
use crate::store::flights::{self, Flight, Landing};
use crate::store::stored::Stored;

/// What the filter remembers of one exchange.
#[derive(Debug, Default)]
pub enum Stream {
    /// Not its business: never seen, another protocol, answered by itself, or finished with.
    #[default]
    Untouched,
    /// Answered from the store, with a field that Envoy is going to change.
    Answered(Mend),
    /// The request waits for the response to another one.
    Waiting(Box<Waiting>),
    /// The request went on, past the store.
    Passing(Box<Passing>),
    /// The request went on; its response may be stored, or a stored one be the answer.
    Forwarded(Box<Forwarded>),
    /// The response passes and is copied.
    Filling(Box<Filling>),
}

/// A request that the store is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) rule: usize,
    pub(super) request: Request,
    pub(super) headers: Rc<Headers>,
    pub(super) scheme: Vec<u8>,
    pub(super) key: Key,
    /// The key in one.
    pub(super) whole: Vec<u8>,
    pub(super) cluster: Rc<[u8]>,
    /// It is the cache's own: nothing stored answers it.
    pub(super) background: bool,
    /// The rule lets its response be stored.
    pub(super) may_store: bool,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiting {
    pub(super) asked: Asked,
    /// Why it would have been forwarded.
    pub(super) decision: Decision,
    pub(super) place: Queued,
}

/// A request that never had to do with the store: another method, or one that a rule or the request itself keeps out.
#[derive(Debug)]
pub struct Passing {
    pub(super) decision: Decision,
    pub(super) request: Request,
}

/// A request that the store was asked about and that went on.
#[derive(Debug)]
pub struct Forwarded {
    pub(super) decision: Decision,
    pub(super) asked: Asked,
    /// When it went on.
    pub(super) at: Nanos,
    /// What is stored and could not be the answer by itself.
    pub(super) stale: Option<Kept>,
    /// The origin is asked whether that is still good.
    pub(super) validating: bool,
    pub(super) flight: Held,
}

/// A response being copied, and who waits for it.
#[derive(Debug)]
pub struct Filling {
    pub(super) fill: Fill,
    pub(super) flight: Held,
    /// What it replaces, where that is stored under another key or varies on something else.
    pub(super) replaces: Option<Writing>,
}

/// A stored response that is kept at hand, within what copies may take.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stored: Rc<Stored>,
    _lease: Lease,
}

impl Kept {
    /// This response, for as long as the lease of its size lasts.
    pub(super) const fn new(stored: Rc<Stored>, lease: Lease) -> Self {
        Self { stored, _lease: lease }
    }

    /// Lets go of the response, but for what names it.
    pub(super) fn into_writing(self) -> Writing {
        let Stored { key, generation, names, variant, .. } = &*self.stored;
        Writing {
            key: key.clone(),
            generation: *generation,
            names: names.clone(),
            variant: variant.clone(),
        }
    }
}

/// One writing of what is stored under a key.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) key: Vec<u8>,
    pub(super) generation: u64,
    pub(super) names: Vec<u8>,
    pub(super) variant: Vec<u8>,
}

/// What streams left undone when they ended; the timer does it for them.
pub(super) type Adrift = Rc<RefCell<Vec<Loose>>>;

/// What a stream left undone.
#[derive(Debug)]
pub(super) enum Loose {
    /// A flight that has not landed, and how it is to.
    Flight(Flight, Landing),
    /// A place in a queue.
    Waiting(flights::Waiting),
}

/// A flight that this stream has to land.
#[derive(Debug, Default)]
pub(super) struct Held {
    flight: Option<Flight>,
    /// A response has begun: what ends now has broken off.
    has_begun: bool,
    adrift: Adrift,
}

impl Held {
    /// Nothing to land.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    /// This flight; `adrift` is where it goes if the stream ends too soon.
    pub(super) fn of(flight: Flight, adrift: &Adrift) -> Self {
        Self { flight: Some(flight), has_begun: false, adrift: Rc::clone(adrift) }
    }

    /// The same, whose response passes now.
    ///
    /// One that breaks off counts as a failure, whoever broke it off: those who wait have waited in vain, and may
    /// again for the next.
    pub(super) fn begun(mut self) -> Self {
        self.has_begun = true;
        self
    }

    /// Whether there is one to land.
    pub(super) const fn is_held(&self) -> bool {
        self.flight.is_some()
    }

    /// Takes the flight out, to land it.
    pub(super) fn take(&mut self) -> Option<Flight> {
        self.flight.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let landing = if self.has_begun { Landing::Failed } else { Landing::Abandoned };
        leave(&self.adrift, self.flight.take().map(|flight| Loose::Flight(flight, landing)));
    }
}

/// A place among those who wait.
#[derive(Debug)]
pub(super) struct Queued {
    waiting: Option<flights::Waiting>,
    adrift: Adrift,
}

impl Queued {
    /// This place; `adrift` is where it goes if the stream ends while it waits.
    pub(super) fn of(waiting: flights::Waiting, adrift: &Adrift) -> Self {
        Self { waiting: Some(waiting), adrift: Rc::clone(adrift) }
    }

    /// Takes the place out: the stream goes on.
    pub(super) fn take(&mut self) -> Option<flights::Waiting> {
        self.waiting.take()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        leave(&self.adrift, self.waiting.take().map(Loose::Waiting));
    }
}

fn leave(adrift: &Adrift, loose: Option<Loose>) {
    if let (Some(loose), Ok(mut adrift)) = (loose, adrift.try_borrow_mut()) {
        adrift.push(loose);
    }
}
