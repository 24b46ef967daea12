//! Clusters that a configuration names and that Envoy does not have, as all workers and filters know of them.
//!
//! Nobody can ask Envoy whether a cluster exists: it is known once a call to it can not be started.
//! Readiness tells operators of it; to do without the cluster meanwhile is the matter of the filter that named it.
//!
//! **Memory**: one value of at most [`MAX_MISSING`] pairs of names, all of them the operator's.

use serde::{Deserialize, Serialize};

use crate::record;
use crate::shared::{Change, SharedData, update};

/// The shared value.
const NAME: &str = "weir/clusters/missing";

/// Changes with the fields of [`Missing`].
const VERSION: u8 = 1;

/// Pairs that are kept; more are in the log only.
pub const MAX_MISSING: usize = 32;

/// A cluster that a filter's configuration names and that Envoy does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The cluster.
    pub cluster: String,
    /// The filter that names it.
    pub filter: String,
}

/// Notes that there is no such cluster.
///
/// **Cost**: one get, and one set if that is new.
pub fn note_missing<S: SharedData + ?Sized>(store: &S, cluster: &str, filter: &str) {
    change(store, |all| {
        let is_new = all.len() < MAX_MISSING && !all.iter().any(|known| known.is(cluster, filter));
        if is_new {
            all.push(Missing { cluster: cluster.to_owned(), filter: filter.to_owned() });
        }
        is_new
    });
}

/// Notes that there is such a cluster.
///
/// **Cost**: one get, and one set if it was missing.
pub fn note_found<S: SharedData + ?Sized>(store: &S, cluster: &str) {
    change(store, |all| {
        let before = all.len();
        all.retain(|known| known.cluster != cluster);
        all.len() < before
    });
}

/// The clusters that are missing.
///
/// **Cost**: one get.
pub fn missing<S: SharedData + ?Sized>(store: &S) -> Vec<Missing> {
    store.shared_get(NAME).map(|found| read(&found.value)).unwrap_or_default()
}

impl Missing {
    fn is(&self, cluster: &str, filter: &str) -> bool {
        self.cluster == cluster && self.filter == filter
    }
}

fn read(bytes: &[u8]) -> Vec<Missing> {
    record::decode(VERSION, bytes).unwrap_or_default()
}

/// A change that is lost is made again with a later call.
fn change<S: SharedData + ?Sized>(store: &S, mut change: impl FnMut(&mut Vec<Missing>) -> bool) {
    let changed = update(store, NAME, |bytes| {
        let mut all = read(bytes);
        if !change(&mut all) {
            return (Change::Keep, ());
        }
        *bytes = record::encode(VERSION, &all);
        (Change::Store, ())
    });
    if let Err(error) = changed {
        log::debug!("missing clusters not noted error={error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_is_told_once_until_it_is_found() {
        let host = FakeHost::default();
        for (cluster, filter) in [("a", "f"), ("a", "f"), ("a", "g"), ("b", "f")] {
            note_missing(&host, cluster, filter);
        }
        let told = || missing(&host).into_iter().map(|m| m.cluster + &m.filter).collect::<Vec<_>>();
        assert_eq!(told(), ["af", "ag", "bf"]);
        note_found(&host, "a");
        note_found(&host, "c");
        assert_eq!(told(), ["bf"]);
        for n in 0..100 {
            note_missing(&host, &n.to_string(), "f");
        }
        assert_eq!(missing(&host).len(), MAX_MISSING);
    }
}
