//! What holds an origin's answers back until a test says so.

use std::sync::{Arc, Condvar, Mutex};

use harness::gateway::PATIENCE;

/// Holds the origin's answers back until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        let (open, opened) = &*self.0;
        let guard = open.lock().expect("no test panics in here");
        let (_open, waited) = opened
            .wait_timeout_while(guard, PATIENCE, |open| !*open)
            .expect("no test panics in here");
        assert!(!waited.timed_out(), "nobody opened the gate");
    }

    /// Lets everybody pass, from now on.
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("no test panics in here") = true;
        self.0.1.notify_all();
    }
}
