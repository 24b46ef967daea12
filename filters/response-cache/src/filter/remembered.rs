//! What one worker remembers of single stored responses: what has been tried with them in vain.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kit::Nanos;

/// Responses that are remembered; more are not.
const MAX_REMEMBERED: usize = 1_024;

/// How long each is: by then the response is mostly replaced, and has another generation.
const REMEMBERED_FOR: Nanos = Nanos::from_secs(600);

/// A bounded set of generations of stored responses.
#[derive(Debug, Default)]
pub(super) struct Remembered(RefCell<BTreeMap<u64, Nanos>>);

impl Remembered {
    /// Remembers this one; where there is no room, it will be tried again.
    pub(super) fn add(&self, generation: u64, now: Nanos) {
        let mut all = self.0.borrow_mut();
        if all.len() >= MAX_REMEMBERED {
            all.retain(|_, until| now < *until);
        }
        if all.len() < MAX_REMEMBERED {
            all.insert(generation, now.saturating_add(REMEMBERED_FOR));
        }
    }

    /// Whether this one is remembered.
    pub(super) fn has(&self, generation: u64, now: Nanos) -> bool {
        self.0.borrow().get(&generation).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn no_more_than_its_bound_and_no_longer_than_its_time() {
        let remembered = Remembered::default();
        let now = Nanos::from_secs(5);
        for generation in 0..2_000 {
            remembered.add(generation, now);
        }
        assert!(remembered.has(1_023, now) && !remembered.has(1_024, now));
        let later = now + REMEMBERED_FOR;
        assert!(!remembered.has(7, later));
        remembered.add(5_000, later);
        assert!(remembered.has(5_000, later));
        assert_eq!(remembered.0.borrow().len(), 1);
    }
}
