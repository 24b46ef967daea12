//! The generic cell rate algorithm: a quota per window, spread evenly, with a burst.
//!
//! One instant per key says everything: the *theoretical arrival time* (TAT), when the key's whole debt is paid.
//! A request adds one emission interval to it and is admitted if the debt then still fits into the burst.
//! Nothing has to be reset or cleaned up: a TAT in the past says nothing.
//!
//! **Promise**: within any span `w` at most `burst + ceil(w / interval)` requests are admitted,
//! where `interval = ceil(window / quota)`: rounding up never admits more than was configured.
//! A refused request costs nothing, and one that comes after the wait it was told is admitted.
//!
//! **Edges**: a clock that jumps back finds a TAT further in the future than any admitted request could have put it;
//! [`Quota::heal`] cuts it to a full debt, so the key waits for one burst at most and never for the length of the
//! jump. A quota that was made smaller meets the same.
//! A clock that jumps forward pays debts early, by as much as it jumped.
//!
//! **Source**: ITU-T I.371 (ATM traffic control), in its virtual scheduling form.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

/// A quota per window, and how much of it may come at once: valid by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests per window, as configured.
    pub requests: u64,
    /// The window, as configured.
    pub window: Nanos,
    /// Requests that may come at once.
    pub burst: u64,
    /// Time that one request costs.
    interval: Nanos,
}

/// What a limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It fits; this is the key's new TAT.
    Admit(Tat),
    /// It does not fit; it would after this wait.
    Limit(Nanos),
}

/// The theoretical arrival time: when a key's debt is paid. Zero for a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tat(pub Nanos);

impl Quota {
    /// The quota of `requests` (at least 1) per `window`, of which `burst` (at least 1) may come at once.
    ///
    /// `None` if one of them is zero or a whole burst's debt can not be expressed in nanoseconds.
    pub fn new(requests: u64, window: Nanos, burst: u64) -> Option<Self> {
        let interval = Nanos(window.0.checked_next_multiple_of(requests)?.checked_div(requests)?);
        let sound = !window.is_zero() && burst > 0 && interval.0.checked_mul(burst)? < u64::MAX / 2;
        sound.then_some(Self { requests, window, burst, interval })
    }

    /// The debt of a whole burst.
    const fn tolerance(&self) -> Nanos {
        self.interval.saturating_mul(self.burst)
    }

    /// The TAT, cut to the debt of a whole burst: more is not this quota's doing.
    pub fn heal(&self, tat: Tat, now: Nanos) -> Tat {
        Tat(tat.0.min(now.saturating_add(self.tolerance())))
    }

    /// Decides on one request now, for a key with this TAT, which must be [healed](Self::heal) to keep the promise.
    pub fn decide(&self, tat: Tat, now: Nanos) -> Verdict {
        let due = self.debt(tat, now).saturating_add(self.interval);
        let excess = due.saturating_sub(self.tolerance());
        if excess.is_zero() {
            Verdict::Admit(Tat(now.saturating_add(due)))
        } else {
            Verdict::Limit(excess)
        }
    }

    /// Takes back one admitted request.
    pub fn refund(&self, tat: Tat) -> Tat {
        Tat(tat.0.saturating_sub(self.interval))
    }

    /// How many requests would be admitted at once now.
    pub fn remaining(&self, tat: Tat, now: Nanos) -> u64 {
        let spare = self.tolerance().saturating_sub(self.debt(tat, now));
        spare.0.checked_div(self.interval.0).unwrap_or(0)
    }

    /// What the key still owes: never more than a whole burst, whatever the clock did.
    fn debt(&self, tat: Tat, now: Nanos) -> Nanos {
        tat.0.saturating_sub(now).min(self.tolerance())
    }
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} per {}", self.requests, self.window)?;
        if self.burst == self.requests { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(quota: &Quota, tat: &mut Tat, now: Nanos) -> bool {
        match quota.decide(*tat, now) {
            Verdict::Admit(next) => {
                *tat = next;
                true
            }
            Verdict::Limit(_) => false,
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_per_interval() {
        let quota = Quota::new(4, Nanos::from_secs(60), 4).unwrap();
        let mut tat = Tat::default();
        let start = Nanos::from_secs(100);
        for _ in 0..4 {
            assert!(admitted(&quota, &mut tat, start));
        }
        assert_eq!(quota.decide(tat, start), Verdict::Limit(Nanos::from_secs(15)));
        assert!(!admitted(&quota, &mut tat, start.saturating_add(Nanos(14_999_999_999))));
        assert!(admitted(&quota, &mut tat, start.saturating_add(Nanos::from_secs(15))));
        assert!(!admitted(&quota, &mut tat, start.saturating_add(Nanos::from_secs(15))));
    }

    #[test]
    fn an_interval_that_does_not_divide_the_window_is_rounded_up() {
        let quota = Quota::new(7, Nanos::SECOND, 1).unwrap();
        let mut tat = Tat::default();
        assert!(admitted(&quota, &mut tat, Nanos::ZERO));
        assert_eq!(quota.decide(tat, Nanos::ZERO), Verdict::Limit(Nanos(142_857_143)));
    }

    #[test]
    fn a_refund_makes_room_for_one() {
        let quota = Quota::new(2, Nanos::from_secs(10), 2).unwrap();
        let mut tat = Tat::default();
        let now = Nanos::from_secs(5);
        assert!(admitted(&quota, &mut tat, now) && admitted(&quota, &mut tat, now));
        assert_eq!(quota.remaining(tat, now), 0);
        tat = quota.refund(tat);
        assert_eq!(quota.remaining(tat, now), 1);
        assert!(admitted(&quota, &mut tat, now) && !admitted(&quota, &mut tat, now));
    }

    #[test]
    fn a_clock_that_jumped_back_costs_one_burst_at_most() {
        let quota = Quota::new(2, Nanos::from_secs(10), 2).unwrap();
        let far = Tat(Nanos::from_days(300));
        assert_eq!(quota.decide(far, Nanos::from_secs(1)), Verdict::Limit(Nanos::from_secs(5)));
    }

    #[test]
    fn quotas_that_cannot_be_kept_are_refused() {
        assert_eq!(Quota::new(0, Nanos::SECOND, 1), None);
        assert_eq!(Quota::new(1, Nanos::ZERO, 1), None);
        assert_eq!(Quota::new(1, Nanos::SECOND, 0), None);
        assert_eq!(Quota::new(1, Nanos::from_days(30), u64::MAX), None);
    }
}
