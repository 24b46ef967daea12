//! What an event loop brings to a VM: ticks, answers to calls, wake-ups from queues.

use std::cell::RefCell;
use std::rc::Rc;

use super::vm::VmState;

impl VmState {
    /// When the next tick or answer is due, in monotonic nanoseconds.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let host = self.store.data();
        let ticks = host.roots.values().filter_map(|root| root.next_tick);
        let answers = host.calls.iter().filter_map(|call| call.due);
        ticks.chain(answers).min().filter(|_| self.trap.is_none())
    }

    /// Runs whatever is due at `now`.
    pub(crate) fn fire(vm: &Rc<RefCell<Self>>, now: u64) {
        let mut vm = vm.borrow_mut();
        let due = |next: Option<u64>| next.is_some_and(|next| next <= now);
        let ticking: Vec<u32> = vm
            .host()
            .roots
            .iter()
            .filter(|(_, root)| due(root.next_tick))
            .map(|(id, _)| *id)
            .collect();
        for root in ticking {
            vm.tick(root, now);
        }
        let (answered, waiting) =
            std::mem::take(&mut vm.host().calls).into_iter().partition(|call| due(call.due));
        vm.host().calls = waiting;
        for call in answered {
            vm.answer(call);
        }
    }

    /// Tells a root context that its queue has something; a context that is gone is not told.
    pub(crate) fn queue_ready(vm: &Rc<RefCell<Self>>, context: u32, token: u32) {
        let mut vm = vm.borrow_mut();
        if vm.host().roots.contains_key(&context) {
            vm.enter_root("proxy_on_queue_ready", context, &[context, token]);
        }
    }

    /// The timer is armed again after the callback: no catching up.
    fn tick(&mut self, id: u32, now: u64) {
        if let Some(root) = self.host().roots.get_mut(&id) {
            root.next_tick = None;
        }
        self.enter_root("proxy_on_tick", id, &[id]);
        if let Some(root) = self.host().roots.get_mut(&id)
            && root.tick_period > 0
            && root.next_tick.is_none()
        {
            root.next_tick = Some(now + u64::from(root.tick_period) * 1_000_000);
        }
    }

    fn answer(&mut self, call: super::clusters::Pending) {
        let count = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let response = &call.response;
        let args = [
            call.root,
            call.token,
            count(response.headers.len()),
            count(response.body.len()),
            count(response.trailers.len()),
        ];
        self.host().answer = Some(call.response);
        self.enter_root("proxy_on_http_call_response", call.root, &args);
        self.host().answer = None;
    }

    fn enter_root(&mut self, callback: &'static str, root: u32, args: &[u32]) {
        // A trap stays on record in the VM; nobody waits for a result here.
        let entered = self.enter(callback, root, args);
        debug_assert!(entered.is_ok() || self.trap.is_some(), "an error is a trap");
        self.settle();
    }
}
