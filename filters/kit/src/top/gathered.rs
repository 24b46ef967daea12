//! What one worker has met and not yet added up.

use std::cell::RefCell;

use crate::hash::Tag;

/// How often keys were met, of one list and one worker.
#[derive(Debug)]
pub struct Gathered {
    max_keys: usize,
    /// Sorted by tag.
    noted: RefCell<Vec<Noted>>,
}

/// How often one key was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The key.
    pub tag: Tag,
    /// Its readable form, if labels are shown.
    pub label: String,
    /// How often.
    pub count: u32,
}

impl Gathered {
    /// Nothing yet, with room for so many keys.
    pub const fn new(max_keys: usize) -> Self {
        Self { max_keys, noted: RefCell::new(Vec::new()) }
    }

    /// Takes note of a key once more; `label` is asked for a key that is new here.
    ///
    /// Whether it is time to add up: there is room for no further key, and one without room is lost.
    ///
    /// **Cost**: a binary search; no host call.
    pub fn add(&self, tag: Tag, label: impl FnOnce() -> String) -> bool {
        let noted = &mut *self.noted.borrow_mut();
        match noted.binary_search_by_key(&tag, |known| known.tag) {
            Ok(idx) => {
                if let Some(known) = noted.get_mut(idx) {
                    known.count = known.count.saturating_add(1);
                }
            }
            Err(idx) if noted.len() < self.max_keys => {
                noted.insert(idx, Noted { tag, label: label(), count: 1 });
            }
            Err(_) => {}
        }
        noted.len() >= self.max_keys
    }

    /// Whether there is nothing to add up.
    pub fn is_empty(&self) -> bool {
        self.noted.borrow().is_empty()
    }

    /// What was gathered, key by key.
    pub fn each(&self, see: impl FnMut(&Noted)) {
        self.noted.borrow().iter().for_each(see);
    }

    /// Forgets all of it.
    pub fn clear(&self) {
        self.noted.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Secret;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn adds_up_by_key_and_says_when_it_is_full() {
        let gathered = Gathered::new(16);
        let tag = |n: usize| Secret::new([1; 16]).tag(&n.to_le_bytes());
        for n in 0..15 {
            assert!(!gathered.add(tag(n), String::new), "{n}");
        }
        assert!(!gathered.add(tag(0), || panic!("known")));
        assert!(gathered.add(tag(16), || "x".to_owned()));
        assert!(gathered.add(tag(17), || panic!("no room")), "a key without room is lost");
        assert!(gathered.add(tag(16), || panic!("known")), "a known key counts on");
        let mut counts = Vec::new();
        gathered.each(|noted| counts.push((noted.tag, noted.label.clone(), noted.count)));
        assert_eq!(counts.len(), 16);
        for (found, label, count) in counts {
            let expected = match found {
                _ if found == tag(16) => ("x", 2),
                _ => ("", if found == tag(0) { 2 } else { 1 }),
            };
            assert_eq!((label.as_str(), count), expected);
        }
        gathered.clear();
        assert!(gathered.is_empty());
    }
}
