//! Shared queues: named per `vm_id`, unbounded, and the last who registers is the one who is woken.
//!
//! Source: `src/shared_queue.cc` of proxy-wasm-cpp-host and section 6 of the measured facts.

use std::collections::{BTreeMap, VecDeque};

use super::status::Status;

/// Who is told that a queue has something: the place of a VM in its world, and a root context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registrant {
    /// The VM's place in its world.
    pub(crate) vm: usize,
    /// The root context that registered.
    pub(crate) context: u32,
}

#[derive(Default)]
struct Queue {
    registrant: Option<Registrant>,
    items: VecDeque<Vec<u8>>,
}

/// All queues of the process.
#[derive(Default)]
pub(crate) struct Queues {
    tokens: BTreeMap<(String, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
}

impl Queues {
    /// Opens the queue, or takes over one that exists, and returns its token.
    pub(crate) fn register(&mut self, vm_id: &str, name: &[u8], registrant: Registrant) -> u32 {
        let fresh = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX).saturating_add(1);
        let token = *self.tokens.entry((vm_id.to_owned(), name.to_vec())).or_insert(fresh);
        self.queues.entry(token).or_default().registrant = Some(registrant);
        token
    }

    /// The token of a queue.
    ///
    /// # Errors
    /// [`Status::NotFound`] when nobody registered it.
    pub(crate) fn resolve(&self, vm_id: &str, name: &[u8]) -> Result<u32, Status> {
        self.tokens.get(&(vm_id.to_owned(), name.to_vec())).copied().ok_or(Status::NotFound)
    }

    /// Appends an item and says who is to be woken.
    ///
    /// # Errors
    /// [`Status::NotFound`] when the token is unknown.
    pub(crate) fn enqueue(
        &mut self,
        token: u32,
        item: &[u8],
    ) -> Result<Option<Registrant>, Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.push_back(item.to_vec());
        Ok(queue.registrant)
    }

    /// Takes the oldest item.
    ///
    /// # Errors
    /// [`Status::NotFound`] when the token is unknown, [`Status::Empty`] when there is no item.
    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.pop_front().ok_or(Status::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_registrant_is_woken_and_items_stay() {
        let mut queues = Queues::default();
        let token = queues.register("weir", b"q", Registrant { vm: 0, context: 1 });
        queues.enqueue(token, b"x").unwrap();
        let second = Registrant { vm: 1, context: 1 };
        assert_eq!(queues.register("weir", b"q", second), token);
        assert_eq!(queues.enqueue(token, b"y"), Ok(Some(second)));
        assert_eq!(queues.dequeue(token), Ok(b"x".to_vec()));
        assert_eq!(queues.dequeue(token), Ok(b"y".to_vec()));
        assert_eq!(queues.dequeue(token), Err(Status::Empty));
    }

    #[test]
    fn a_queue_that_nobody_registered_is_not_found() {
        let mut queues = Queues::default();
        assert_eq!(queues.resolve("weir", b"q"), Err(Status::NotFound));
        assert_eq!(queues.enqueue(9, b""), Err(Status::NotFound));
        assert_eq!(queues.dequeue(9), Err(Status::NotFound));
    }
}
