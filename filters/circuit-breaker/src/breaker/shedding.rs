//! What share of the requests is rejected while an upstream fails in part.
//!
//! An upstream that takes half of what comes is not down: rejecting everything wastes what it can do, and letting
//! everything through makes it worse. So as many requests pass as it has lately accepted, times a little more than
//! one to find out when it can take more again. With `r` requests in the window, rejected ones included, of which
//! it accepted `a`, the share to reject is `max(0, (r - K * a) / (r + 1))`.
//!
//! **Source**: Site Reliability Engineering (2016), chapter 21, "Handling Overload", equation 21-1, client-side
//! throttling. There requests count when they are sent; here when they end, or are rejected: a healthy request then
//! costs one update and not two. Choose a window that is longer than requests last.

#![deny(clippy::arithmetic_side_effects)]

use kit::units::Ratio;

use super::window::Tally;

/// How a breaker rejects a share of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shedding {
    /// `K` in thousandths: how many requests pass for each that was accepted; above one.
    pub headroom: u32,
    /// With fewer requests than this in the window nothing is rejected.
    pub min_requests: u32,
    /// The largest share that is rejected: what is left finds out when the upstream is well again.
    pub max_share: Ratio,
}

impl Shedding {
    /// The share to reject after these requests.
    pub fn share(&self, tally: &Tally) -> Ratio {
        let n_requests = u64::from(tally.n_ended).saturating_add(u64::from(tally.n_shed));
        if n_requests < u64::from(self.min_requests) {
            return Ratio::ZERO;
        }
        let n_accepted = u64::from(tally.n_ended.saturating_sub(tally.n_failed));
        let milli = n_requests
            .saturating_mul(1_000)
            .saturating_sub(n_accepted.saturating_mul(u64::from(self.headroom)));
        let ppm = milli.saturating_mul(1_000).checked_div(n_requests.saturating_add(1));
        let ppm = ppm.and_then(|ppm| u32::try_from(ppm).ok()).unwrap_or(u32::MAX);
        Ratio::from_ppm(ppm.min(Ratio::ONE.as_ppm())).min(self.max_share)
    }
}

/// Whether chance is in a share: `luck` is any number, all equally likely.
pub fn is_in(share: Ratio, luck: u64) -> bool {
    let bound = u128::from(share.as_ppm()).saturating_mul(1 << 64);
    u128::from(luck).saturating_mul(u128::from(Ratio::ONE.as_ppm())) < bound
}
