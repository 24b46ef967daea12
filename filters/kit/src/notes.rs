//! The decision record of an exchange: what each filter said of it, for access logs and for metrics.
//!
//! As text it is `rate-limit=limit;rule=sign-in;cost=1,response-cache=miss`: a filter and its word, details of that
//! word behind semicolons, the filters in the order in which they first spoke.

use std::fmt::{self, Write as _};

/// The longest value of a detail, in characters: as long as a name in a configuration.
const MAX_VALUE: usize = 64;

/// What was said so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(Vec<Note>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    filter: &'static str,
    word: &'static str,
    /// As they stand in the text: `;rule=sign-in;cost=1`.
    details: String,
}

impl Notes {
    /// Puts a filter's word in the place of the one that it has, whose details are gone.
    pub fn put(&mut self, filter: &'static str, word: &'static str) {
        match self.0.iter_mut().find(|note| note.filter == filter) {
            Some(note) => {
                note.word = word;
                note.details.clear();
            }
            None => self.0.push(Note { filter, word, details: String::new() }),
        }
    }

    /// Adds a detail to a filter's word; nothing happens if it has none.
    ///
    /// Characters that are not visible ASCII, or that would end the value, are replaced by `_`.
    pub fn detail(&mut self, filter: &'static str, name: &'static str, value: &dyn fmt::Display) {
        if let Some(note) = self.0.iter_mut().find(|note| note.filter == filter) {
            note.details.push(';');
            note.details.push_str(name);
            note.details.push('=');
            let mut plain = Plain { out: &mut note.details, room: MAX_VALUE };
            // A string takes everything, and a value that fails to print itself is cut there.
            let _ = write!(plain, "{value}");
        }
    }

    /// Each filter and its word.
    pub fn words(&self) -> Vec<(&'static str, &'static str)> {
        self.0.iter().map(|note| (note.filter, note.word)).collect()
    }

    /// The word of this filter, if it is the only one that spoke.
    pub fn only_of(&self, filter: &str) -> Option<&'static str> {
        match self.0.as_slice() {
            [note] if note.filter == filter => Some(note.word),
            _ => None,
        }
    }

    /// Whether nobody spoke.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for Note { filter, word, details } in &self.0 {
            write!(f, "{separator}{filter}={word}{details}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// Writes what can not be taken for something else.
struct Plain<'a> {
    out: &'a mut String,
    room: usize,
}

impl fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Names of rules mostly are as they are to be.
        if text.len() <= self.room && text.bytes().all(|byte| is_plain(byte.into())) {
            self.room = self.room.saturating_sub(text.len());
            self.out.push_str(text);
            return Ok(());
        }
        for c in text.chars().take(self.room) {
            self.room = self.room.saturating_sub(1);
            self.out.push(if is_plain(c) { c } else { '_' });
        }
        Ok(())
    }
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, ';' | ',' | '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_filter_has_its_last_word_and_the_details_of_that() {
        let mut notes = Notes::default();
        assert!(notes.is_empty());
        notes.put("cache", "miss");
        notes.detail("cache", "rule", &"pages");
        notes.put("limit", "limit");
        notes.detail("limit", "rule", &"sign-in");
        notes.detail("limit", "cost", &7);
        notes.put("cache", "stale_if_error");
        assert_eq!(notes.to_string(), "cache=stale_if_error,limit=limit;rule=sign-in;cost=7");
        assert_eq!(notes.words(), [("cache", "stale_if_error"), ("limit", "limit")]);
    }

    #[test]
    fn a_detail_needs_a_word() {
        let mut notes = Notes::default();
        notes.detail("limit", "rule", &"sign-in");
        assert_eq!(notes, Notes::default());
    }

    #[test]
    fn a_value_can_not_be_taken_for_something_else_and_is_short() {
        let mut notes = Notes::default();
        notes.put("f", "w");
        notes.detail("f", "v", &"a;b,c=d\"e\\f g\nh\u{e9}");
        notes.detail("f", "long", &"x".repeat(100));
        let long = "x".repeat(MAX_VALUE);
        assert_eq!(notes.to_string(), format!("f=w;v=a_b_c=d_e_f_g_h_;long={long}"));
    }

    #[test]
    fn one_who_spoke_alone_is_known() {
        let mut notes = Notes::default();
        notes.put("limit", "admit");
        assert_eq!((notes.only_of("limit"), notes.only_of("cache")), (Some("admit"), None));
        notes.put("cache", "hit");
        assert_eq!(notes.only_of("limit"), None);
    }
}
