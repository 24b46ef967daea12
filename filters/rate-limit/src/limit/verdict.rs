//! What every algorithm says, and what their debts are compared by.

use kit::Nanos;

/// What a limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<S> {
    /// It fits; this is the key's new state.
    Admit(S),
    /// It does not fit; it would after this wait, if nobody else takes the room.
    Limit(Nanos),
}

/// The share of a window that a key has spent, as time: what algorithms compare debts by.
///
/// Rounded up, so that whoever spent something owes something.
pub(crate) fn share(spent: u64, quota: u64, window: Nanos) -> u64 {
    let product = u128::from(spent.min(quota)).saturating_mul(u128::from(window.0));
    u64::try_from(product.div_ceil(u128::from(quota.max(1)))).unwrap_or(u64::MAX)
}
