//! Where a key stands with a limit after a decision: what header fields and answers are written from.

use std::cmp::Ordering;

use kit::Nanos;

/// Where a key stands with one limit after the decision on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The limit's name for clients, such as `general` or `general.15m`: letters, digits, `-`, `_` and `.`.
    pub policy: &'a str,
    /// What the limit allows, in its unit: per window, or at once.
    pub quota: u64,
    /// What may be spent at once if nothing is: the burst of a limit that has one, else the quota.
    pub capacity: u64,
    /// The time over which the quota counts; `None` for a limit of concurrency.
    pub window: Option<Nanos>,
    /// What is counted.
    pub unit: Unit,
    /// What may still be spent now, in the same unit.
    pub remaining: u64,
    /// Until the whole quota is back, if nothing more is spent; zero if nothing is spent.
    pub reset: Nanos,
    /// Until more than `remaining` can be had; zero if nothing is spent.
    pub next: Nanos,
    /// Which of the limit's keys this is, without saying who.
    ///
    /// A hash of its own, never the tag that places the key in its table: who knows those can choose keys
    /// that crowd another one out of its bucket.
    pub partition: [u8; 16],
    /// Whether this limit refuses the request.
    pub refused: bool,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Requests, each of them one.
    #[default]
    Requests,
    /// Bytes of content.
    Bytes,
    /// Requests in progress at the same time.
    Concurrent,
    /// Units of the operator's own, some requests more than others.
    Cost,
}

impl Standing<'_> {
    /// The seconds within which the client can spend no more than what remains, a begun one counted.
    ///
    /// `None` if time alone brings nothing back: the whole quota is there, or the limit is one of concurrency,
    /// where the client's own requests must end.
    pub fn effective_window(&self) -> Option<u64> {
        let is_timed = self.window.is_some() && !self.next.is_zero();
        is_timed.then(|| self.next.as_secs_ceil())
    }

    /// How near two limits are to their ends, the nearer one being less.
    ///
    /// One that refuses comes first, then the one with the smaller share left of what may come at once,
    /// then the one whose quota is back later.
    pub fn compare_nearness(&self, other: &Self) -> Ordering {
        // The shares' order, multiplied by both capacities: no division, no rounding.
        let share = u128::from(self.remaining) * u128::from(other.capacity.max(1));
        let other_share = u128::from(other.remaining) * u128::from(self.capacity.max(1));
        other
            .refused
            .cmp(&self.refused)
            .then(share.cmp(&other_share))
            .then(other.reset.cmp(&self.reset))
    }
}

/// The limit that is nearest to its end, the first of equals.
pub fn nearest<'s, 'a>(standings: &'s [Standing<'a>]) -> Option<&'s Standing<'a>> {
    standings.iter().min_by(|one, other| one.compare_nearness(other))
}

/// 100 requests per minute, 40 left.
#[cfg(test)]
pub(crate) const PLAIN: Standing<'_> = Standing {
    policy: "general",
    quota: 100,
    capacity: 100,
    window: Some(Nanos::MINUTE),
    unit: Unit::Requests,
    remaining: 40,
    reset: Nanos::from_secs(36),
    next: Nanos::from_millis(600),
    partition: [7; 16],
    refused: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_refusal_is_nearest_then_the_smallest_share() {
        let roomy = Standing { policy: "roomy", quota: 10, capacity: 10, remaining: 5, ..PLAIN };
        assert_eq!(nearest(&[roomy, PLAIN]).unwrap().policy, "general");
        let refused = Standing { policy: "refused", remaining: 90, refused: true, ..PLAIN };
        assert_eq!(nearest(&[roomy, PLAIN, refused]).unwrap().policy, "refused");
        assert_eq!(nearest(&[]), None);
    }

    #[test]
    fn of_equal_shares_the_longest_lasting_is_nearest_then_the_first() {
        let long = Standing { policy: "long", reset: Nanos::HOUR, ..PLAIN };
        let same = Standing { policy: "same", ..PLAIN };
        assert_eq!(nearest(&[PLAIN, long]).unwrap().policy, "long");
        assert_eq!(nearest(&[PLAIN, same]).unwrap().policy, "general");
    }

    #[test]
    fn the_largest_and_the_smallest_numbers_compare() {
        let huge = Standing { quota: u64::MAX, remaining: u64::MAX, ..PLAIN };
        let nothing = Standing { policy: "nothing", quota: 0, remaining: 0, ..PLAIN };
        assert_eq!(nearest(&[huge, nothing]).unwrap().policy, "nothing");
        assert_eq!(huge.compare_nearness(&huge), Ordering::Equal);
    }

    #[test]
    fn time_brings_nothing_to_a_full_quota_and_nothing_to_concurrency() {
        assert_eq!(PLAIN.effective_window(), Some(1));
        assert_eq!(Standing { next: Nanos::ZERO, ..PLAIN }.effective_window(), None);
        assert_eq!(Standing { window: None, ..PLAIN }.effective_window(), None);
        assert_eq!(Standing { next: Nanos::MAX, ..PLAIN }.effective_window(), Some(18_446_744_074));
    }
}
