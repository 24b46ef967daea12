//! Messages to this worker: waking its streams and starting its background calls.
//!
//! A stream can not be touched from another worker, and a call started by a stream loses its answer when the
//! stream ends. Both are solved by a message queue of the worker's own: whoever has something to do sends a
//! message, and in the next turn of the event loop the root context does it (facts: cross-worker resume,
//! hand-over to the root).
//!
//! There is one queue per VM, not per root: queues are never freed, and a new configuration in the same VM takes
//! the old queue over, with the streams still waiting on it. So the root that starts a call need not be the one whose
//! filter wanted it: a call carries its own root, and the answer goes to that one's filter ([`caller`]).
//!
//! Envoy tells nobody but the root that registered last. If that one goes before an older one, as after a rollback
//! to a configuration that still lives or the removal of one of two listeners, another root takes the queue over at
//! once ([`abandon`]).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::abi;
use crate::exchange::{Answer, Call, CallId, Host, Waker};
use crate::filter::Filter;

/// A stream that waits to be woken.
pub(super) trait Sleeper {
    /// Runs the filter's `on_wake`, with this stream as the effective context.
    fn wake(&self) -> Sleep;
}

/// Whether a woken stream waits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sleep {
    /// It waits for another message.
    Goes,
    /// It went on, or was answered.
    Over,
}

thread_local! {
    static QUEUE: Cell<Option<u32>> = const { Cell::new(None) };
    static NAME: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The roots that are configured and have not ended, in the order in which they came.
    static ROOTS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    /// The root that Envoy tells of messages; zero for none that lives.
    static REGISTRANT: Cell<u32> = const { Cell::new(0) };
    static SLEEPERS: RefCell<BTreeMap<u32, Weak<dyn Sleeper>>> = const { RefCell::new(BTreeMap::new()) };
    static CALLS: RefCell<Vec<(u32, Call)>> = const { RefCell::new(Vec::new()) };
    static CALLERS: RefCell<BTreeMap<u32, Weak<dyn Caller>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A filter that gets the answers of its calls.
pub(super) trait Caller {
    /// A call has ended.
    fn answered(&self, host: &dyn Host, id: CallId, answer: Answer);
}

impl<F: Filter> Caller for F {
    fn answered(&self, host: &dyn Host, id: CallId, answer: Answer) {
        self.on_answer(host, id, answer);
    }
}

/// Says that there are calls to start; a stream's number is never zero.
const START_CALLS: u32 = 0;

/// The filter of this root context, if it or one of its streams still lives.
pub(super) fn caller(root: u32) -> Option<Rc<dyn Caller>> {
    CALLERS.with_borrow(|callers| callers.get(&root).and_then(Weak::upgrade))
}

/// Opens this VM's queue, or takes it over for a new configuration: that of this root and its filter.
pub(super) fn register(root: u32, filter: Weak<dyn Caller>) {
    CALLERS.with_borrow_mut(|callers| {
        callers.retain(|_, caller| caller.strong_count() > 0);
        callers.insert(root, filter);
    });
    ROOTS.with_borrow_mut(|roots| {
        roots.retain(|each| *each != root);
        roots.push(root);
    });
    own(root);
}

/// This root ends: it owns the queue no longer. The youngest of the others takes it over, with what waits in it.
pub(super) fn abandon(root: u32) {
    ROOTS.with_borrow_mut(|roots| roots.retain(|each| *each != root));
    if REGISTRANT.get() != root {
        return;
    }
    REGISTRANT.set(0);
    let heirs: Vec<u32> = ROOTS.with_borrow(|roots| roots.iter().rev().copied().collect());
    // The host takes the effective context for the one that registers.
    if let Some(heir) = heirs.into_iter().find(|heir| abi::set_effective_context(*heir)) {
        own(heir);
        abi::set_effective_context(root);
    }
}

/// Has Envoy tell this root, which is the effective context, of messages from now on.
fn own(root: u32) {
    // What was sent to a root that had ended, nobody has been told of.
    let is_unheard = QUEUE.get().is_some() && REGISTRANT.get() == 0;
    NAME.with_borrow_mut(|name| {
        let name = name
            .get_or_insert_with(|| format!("weir/{:016x}{:016x}", abi::random(), abi::random()));
        QUEUE.set(abi::register_queue(name));
    });
    REGISTRANT.set(root);
    if is_unheard {
        wake(waker(START_CALLS));
    }
    if QUEUE.get().is_none() {
        log::error!(
            "kit: no message queue: paused requests can not be woken; Envoy refused to register one"
        );
    }
}

/// Where a stream of this worker can be woken.
pub(super) fn waker(stream: u32) -> Waker {
    Waker { queue: QUEUE.get().unwrap_or(0), stream }
}

/// This stream waits from now on.
pub(super) fn sleep(stream: u32, sleeper: &Rc<dyn Sleeper>) {
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.insert(stream, Rc::downgrade(sleeper)));
}

/// This stream no longer waits.
pub(super) fn forget(stream: u32) {
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.remove(&stream));
}

/// Sends a message to the worker of a stream.
pub(super) fn wake(waker: Waker) {
    if !abi::enqueue(waker.queue, &waker.stream.to_le_bytes()) {
        log::debug!("kit: the queue of a sleeping stream is gone queue={}", waker.queue);
    }
}

/// Has a call of this root's filter started in the next turn of this worker's event loop.
pub(super) fn call(root: u32, call: Call) {
    CALLS.with_borrow_mut(|calls| calls.push((root, call)));
    wake(waker(START_CALLS));
}

/// Does what the messages say; the calls to start are handed to `start`, each with the root whose filter wants it.
///
/// `root` is the context that runs; it is the effective one again afterwards.
pub(super) fn drain(queue: u32, root: u32, mut start: impl FnMut(u32, Call)) {
    while let Some(message) = abi::dequeue(queue) {
        let Ok(bytes) = <[u8; 4]>::try_from(message.as_slice()) else { continue };
        let stream = u32::from_le_bytes(bytes);
        if stream == START_CALLS {
            for (caller, call) in CALLS.take() {
                start(caller, call);
            }
        } else {
            wake_here(stream);
            abi::set_effective_context(root);
        }
    }
}

fn wake_here(stream: u32) {
    let Some(sleeper) =
        SLEEPERS.with_borrow(|sleepers| sleepers.get(&stream).and_then(Weak::upgrade))
    else {
        return;
    };
    if !abi::set_effective_context(stream) || sleeper.wake() == Sleep::Over {
        forget(stream);
    }
}
