//! The refusals of one worker that are not added up yet.

use std::cell::RefCell;

use kit::hash::Tag;

/// Keys that are gathered before they must be added up: as many as a flood of keys pays one update for.
const KEYS: usize = 16;

/// Refusals by key, of one rule and one worker.
#[derive(Debug, Default)]
pub struct Gathered(RefCell<Vec<Refused>>);

/// How often one key was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key.
    pub tag: Tag,
    /// Its readable form, if the rule shows keys.
    pub label: String,
    /// How often.
    pub count: u32,
}

impl Gathered {
    /// Takes note of one refusal; `label` is asked for a key that is new here.
    ///
    /// Whether it is time to add up: there is room for no further key.
    pub fn add(&self, tag: Tag, label: impl FnOnce() -> String) -> bool {
        let refused = &mut *self.0.borrow_mut();
        if let Some(known) = refused.iter_mut().find(|refused| refused.tag == tag) {
            known.count = known.count.saturating_add(1);
        } else if refused.len() < KEYS {
            refused.push(Refused { tag, label: label(), count: 1 });
        }
        refused.len() >= KEYS
    }

    /// Whether there is nothing to add up.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What was gathered, key by key.
    pub fn each(&self, mut see: impl FnMut(&Refused)) {
        self.0.borrow().iter().for_each(&mut see);
    }

    /// Forgets all of it.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::hash::Secret;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn adds_up_by_key_and_says_when_it_is_full() {
        let gathered = Gathered::default();
        let tag = |n: usize| Secret::new([1; 16]).tag(&n.to_le_bytes());
        for n in 0..KEYS - 1 {
            assert!(!gathered.add(tag(n), String::new), "{n}");
        }
        assert!(!gathered.add(tag(0), || panic!("known")));
        assert!(gathered.add(tag(KEYS), || "x".to_owned()));
        assert!(gathered.add(tag(KEYS + 1), || panic!("no room")), "a key without room is lost");
        let mut counts = Vec::new();
        gathered.each(|refused| counts.push(refused.count));
        assert_eq!((counts.len(), counts[0], counts[1]), (KEYS, 2, 1));
        gathered.clear();
        assert!(gathered.is_empty());
    }
}
