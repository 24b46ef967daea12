//! Shared data: one store for the process, keyed by `vm_id` and key, with compare-and-set.
//!
//! Source: `src/shared_data.cc` of proxy-wasm-cpp-host and section 1 of the measured facts:
//! nothing is ever deleted, an unconditional set uses CAS 0,
//! and a set of a missing key succeeds whatever CAS it carries.

use std::collections::BTreeMap;

use super::status::Status;

type Key = (String, Vec<u8>);

/// The store. Its bound is what the filters under test write; the tests assert on [`SharedData::keys`].
#[derive(Default)]
pub(crate) struct SharedData {
    values: BTreeMap<Key, (Vec<u8>, u32)>,
    last_cas: u32,
    conflicts: u64,
}

impl SharedData {
    /// The value of `key` and its CAS number, never 0.
    ///
    /// # Errors
    /// [`Status::NotFound`] when nobody ever wrote the key.
    pub(crate) fn get(&self, vm_id: &str, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.values.get(&(vm_id.to_owned(), key.to_vec())).cloned().ok_or(Status::NotFound)
    }

    /// Writes `value` when `cas` is 0, is the key's present number, or the key does not exist.
    ///
    /// # Errors
    /// [`Status::CasMismatch`] when another writer was quicker.
    pub(crate) fn set(
        &mut self,
        vm_id: &str,
        key: &[u8],
        value: &[u8],
        cas: u32,
    ) -> Result<(), Status> {
        let next = self.next_cas();
        let key = (vm_id.to_owned(), key.to_vec());
        if let Some((_, present)) = self.values.get(&key)
            && cas != 0
            && cas != *present
        {
            self.conflicts += 1;
            return Err(Status::CasMismatch);
        }
        self.values.insert(key, (value.to_vec(), next));
        Ok(())
    }

    /// How many keys exist under `vm_id`: what Envoy would never free again.
    #[must_use]
    pub(crate) fn keys(&self, vm_id: &str) -> Vec<Vec<u8>> {
        self.values.keys().filter(|(own, _)| own == vm_id).map(|(_, key)| key.clone()).collect()
    }

    /// How many sets lost against another writer.
    #[must_use]
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts
    }

    fn next_cas(&mut self) -> u32 {
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.last_cas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_created_whatever_cas_is_given() {
        let mut store = SharedData::default();
        assert_eq!(store.set("weir", b"k", b"1", 77), Ok(()));
        assert_eq!(store.get("weir", b"k"), Ok((b"1".to_vec(), 1)));
    }

    #[test]
    fn a_stale_cas_loses_and_zero_always_wins() {
        let mut store = SharedData::default();
        store.set("weir", b"k", b"1", 0).unwrap();
        let (_, cas) = store.get("weir", b"k").unwrap();
        assert_eq!(store.set("weir", b"k", b"2", cas), Ok(()));
        assert_eq!(store.set("weir", b"k", b"3", cas), Err(Status::CasMismatch));
        assert_eq!(store.set("weir", b"k", b"4", 0), Ok(()));
        assert_eq!(store.conflicts(), 1);
    }

    #[test]
    fn vm_ids_do_not_see_each_other() {
        let mut store = SharedData::default();
        store.set("weir", b"k", b"1", 0).unwrap();
        assert_eq!(store.get("other", b"k"), Err(Status::NotFound));
        assert_eq!(store.keys("weir"), [b"k".to_vec()]);
    }
}
