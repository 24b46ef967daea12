//! How many requests came, by path.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// So many different paths are told apart; later ones are counted together, so that no client can fill the memory.
const MOST_PATHS: usize = 1024;

/// Counts requests by path since the start or the last reset.
#[derive(Debug, Default)]
pub struct Ledger {
    total: u64,
    by_path: BTreeMap<String, u64>,
    other_paths: u64,
}

impl Ledger {
    /// Counts one request and says its number, from 1.
    pub fn record(&mut self, path: &str) -> u64 {
        self.total += 1;
        if let Some(count) = self.by_path.get_mut(path) {
            *count += 1;
        } else if self.by_path.len() < MOST_PATHS {
            self.by_path.insert(path.to_owned(), 1);
        } else {
            self.other_paths += 1;
        }
        self.total
    }

    /// The counts as `{"instance":…,"total":…,"paths":{…},"other_paths":…}`.
    #[must_use]
    pub fn report(&self, instance: &str) -> Value {
        json!({
            "instance": instance,
            "total": self.total,
            "paths": self.by_path,
            "other_paths": self.other_paths,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted_apart_until_there_are_too_many() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.record("/a"), 1);
        assert_eq!(ledger.record("/a"), 2);
        for i in 0..MOST_PATHS + 5 {
            ledger.record(&format!("/p/{i}"));
        }
        let report = ledger.report("one");
        assert_eq!(report["paths"]["/a"], 2);
        assert_eq!(report["other_paths"], 6);
        assert_eq!(report["total"], 1031);
        assert_eq!(report["paths"].as_object().unwrap().len(), MOST_PATHS);
    }
}
