//! State that all workers share, behind compare-and-swap.
//!
//! Envoy keeps one map from key to bytes per `vm_id` and never frees a key, so no key may be made of what a
//! client sends: use [`crate::table`] for keyed state, and fixed names for the rest.

/// The host's shared store.
pub trait SharedData {
    /// The value under `key` and the version to swap against; `None` when there was never one.
    ///
    /// **Cost**: about 1.1 µs up to 1 KiB, 6 µs for 64 KiB, 200 to 1,100 µs for 1 MiB.
    fn shared_get(&self, key: &str) -> Option<Versioned>;

    /// Stores `value` under `key`.
    ///
    /// With `Some(version)` only if nothing was stored since that version was read.
    /// A missing key takes any version, so create keys before they are contended.
    ///
    /// **Cost**: 0.25 to 0.4 µs for small values.
    fn shared_set(&self, key: &str, value: &[u8], version: Option<u32>) -> Result<(), SetError>;
}

/// A shared value, and the version that it had when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes.
    pub value: Vec<u8>,
    /// What to pass to [`SharedData::shared_set`] to replace exactly these bytes.
    pub version: u32,
}

/// Why a value was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Somebody stored another value in between: read again and retry.
    #[error("the shared value changed in between")]
    Conflict,
    /// The host refused for another reason.
    #[error("the host refused the shared value")]
    Refused,
}

/// How often an update is tried before it gives up.
///
/// A conflict means that another worker succeeded, so with few workers this is not reached by chance;
/// the bound exists so that no bug can hold a worker for ever.
pub const MAX_ATTEMPTS: u32 = 64;

/// How an [`update`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Updated<T> {
    /// What the change returned on the attempt that held.
    pub value: T,
    /// Attempts that another worker's change undid.
    pub n_conflicts: u32,
}

/// Why an [`update`] did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Every attempt met another worker's change.
    #[error("{MAX_ATTEMPTS} attempts met another worker's change")]
    Contended,
    /// The host refused to store.
    #[error("the host refused the shared value")]
    Refused,
}

/// Changes the value under `key`, with no update of another worker lost.
///
/// `change` sees the stored bytes (none when the key is new), edits them, and says whether they changed;
/// it may run several times, so it must depend on nothing else.
///
/// **Cost**: one get, and one set if it changed; each conflict costs the same again.
pub fn update<S: SharedData + ?Sized, T>(
    store: &S,
    key: &str,
    change: impl FnMut(&mut Vec<u8>) -> (Change, T),
) -> Result<Updated<T>, UpdateError> {
    update_within(store, key, MAX_ATTEMPTS, change)?.ok_or(UpdateError::Contended)
}

/// As [`update`], for what can wait for a better moment: `None` when so many attempts met another worker's change.
pub fn update_within<S: SharedData + ?Sized, T>(
    store: &S,
    key: &str,
    max_attempts: u32,
    mut change: impl FnMut(&mut Vec<u8>) -> (Change, T),
) -> Result<Option<Updated<T>>, UpdateError> {
    for n_conflicts in 0..max_attempts {
        let (mut bytes, version) = match store.shared_get(key) {
            Some(found) => (found.value, Some(found.version)),
            None => (Vec::new(), None),
        };
        let (changed, value) = change(&mut bytes);
        match changed {
            Change::Keep => return Ok(Some(Updated { value, n_conflicts })),
            Change::Store => match store.shared_set(key, &bytes, version) {
                Ok(()) => return Ok(Some(Updated { value, n_conflicts })),
                Err(SetError::Conflict) => {}
                Err(SetError::Refused) => return Err(UpdateError::Refused),
            },
        }
    }
    Ok(None)
}

/// Whether a change is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing changed.
    Keep,
    /// Store the edited bytes.
    Store,
}
