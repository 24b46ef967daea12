//! The generic cell rate algorithm: a quota per window, spread evenly, with a burst.
//!
//! One instant per key says everything: the *theoretical arrival time* (TAT), when the key's whole debt is paid.
//! A request adds one emission interval for each unit that it costs, and is admitted if the debt then still fits
//! into the burst. Nothing has to be reset or cleaned up: a TAT in the past says nothing.
//!
//! **Promise**: within any span `w` at most `burst + ceil(w / interval)` units are admitted,
//! where `interval = ceil(window / quota)`: rounding up never admits more than was configured.
//! A request that comes after the wait it was told is admitted.
//!
//! **Refunds**: time pays debts, so that of a charge which is `d` old at most the part is given back
//! that `d` has not paid. This keeps the promise for what was admitted and not refunded, in whatever order charges and
//! refunds come; a charge that is refunded at once leaves nothing behind.
//!
//! **Not promised**: that debts beyond a burst are remembered. What is charged without asking, because a request came to
//! more than was reserved, is cut to the debt of a whole burst; and a later refund of an earlier request then frees room
//! that the cut part would have filled. Reserve near the true cost, or count in a window, where that matters.
//!
//! **Edges**: a clock that jumps back finds a TAT further in the future than any admitted request could have put it;
//! [`Quota::heal`] cuts it to a full debt, so the key waits for one burst at most and never for the length of the
//! jump. A quota that was made smaller meets the same.
//! A clock that jumps forward pays debts early, by as much as it jumped.
//!
//! **Source**: ITU-T I.371 (ATM traffic control), in its virtual scheduling form.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

use super::verdict::Verdict;

/// A quota per window, and how much of it may come at once: valid by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units per window, as configured.
    pub units: u64,
    /// The window, as configured.
    pub window: Nanos,
    /// Units that may come at once.
    pub burst: u64,
    /// Time that one unit costs.
    interval: Nanos,
}

/// The theoretical arrival time: when a key's debt is paid. Zero for a key never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tat(pub Nanos);

impl Quota {
    /// The quota of `units` (at least 1) per `window`, of which `burst` (at least 1) may come at once.
    ///
    /// `None` if one of them is zero or a whole burst's debt can not be expressed in nanoseconds.
    pub fn new(units: u64, window: Nanos, burst: u64) -> Option<Self> {
        let interval = Nanos(window.0.checked_next_multiple_of(units)?.checked_div(units)?);
        let sound = !window.is_zero() && burst > 0 && interval.0.checked_mul(burst)? < u64::MAX / 2;
        sound.then_some(Self { units, window, burst, interval })
    }

    /// The debt of a whole burst.
    const fn tolerance(&self) -> Nanos {
        self.interval.saturating_mul(self.burst)
    }

    /// What the key still owes: never more than a whole burst, whatever the clock did.
    fn debt(&self, tat: Tat, now: Nanos) -> Nanos {
        tat.0.saturating_sub(now).min(self.tolerance())
    }

    /// The TAT, cut to the debt of a whole burst: more is not this quota's doing.
    #[must_use]
    pub fn heal(&self, tat: Tat, now: Nanos) -> Tat {
        Tat(tat.0.min(now.saturating_add(self.tolerance())))
    }

    /// Decides on a request of this cost, for a key with this [healed](Self::heal) TAT.
    ///
    /// What costs more than a whole burst costs a whole burst: no request is refused for ever.
    pub fn decide(&self, tat: Tat, cost: u64, now: Nanos) -> Verdict<Tat> {
        let price = self.interval.saturating_mul(cost.min(self.burst));
        let due = self.debt(tat, now).saturating_add(price);
        let excess = due.saturating_sub(self.tolerance());
        if excess.is_zero() {
            Verdict::Admit(Tat(now.saturating_add(due)))
        } else {
            Verdict::Limit(excess)
        }
    }

    /// Charges without asking: at most up to the debt of a whole burst.
    #[must_use]
    pub fn charge(&self, tat: Tat, cost: u64, now: Nanos) -> Tat {
        let due = self.debt(tat, now).saturating_add(self.interval.saturating_mul(cost));
        Tat(now.saturating_add(due.min(self.tolerance())))
    }

    /// Takes back what was charged at an instant: the part that time has not paid since.
    #[must_use]
    pub fn refund(&self, tat: Tat, cost: u64, charged_at: Nanos, now: Nanos) -> Tat {
        let price = self.interval.saturating_mul(cost.min(self.burst));
        Tat(tat.0.saturating_sub(price.saturating_sub(now.saturating_sub(charged_at))))
    }

    /// How many units would be admitted at once now.
    pub fn remaining(&self, tat: Tat, now: Nanos) -> u64 {
        let spare = self.tolerance().saturating_sub(self.debt(tat, now));
        spare.0.checked_div(self.interval.0).unwrap_or(0)
    }

    /// Until the whole burst is back.
    pub fn reset(&self, tat: Tat, now: Nanos) -> Nanos {
        self.debt(tat, now)
    }

    /// Until one more unit is back; zero if none is owed.
    pub fn next(&self, tat: Tat, now: Nanos) -> Nanos {
        let debt = self.debt(tat, now);
        let beyond = Nanos(debt.0.checked_rem(self.interval.0).unwrap_or(0));
        if beyond.is_zero() { debt.min(self.interval) } else { beyond }
    }

    /// What forgetting the key would lose: its debt.
    pub fn loss(&self, tat: Tat, now: Nanos) -> u64 {
        self.debt(tat, now).0
    }
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} per {}", self.units, self.window)?;
        if self.burst == self.units { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(quota: &Quota, tat: &mut Tat, now: Nanos) -> bool {
        match quota.decide(*tat, 1, now) {
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
        assert_eq!(quota.decide(tat, 1, start), Verdict::Limit(Nanos::from_secs(15)));
        assert!(!admitted(&quota, &mut tat, start.saturating_add(Nanos(14_999_999_999))));
        assert!(admitted(&quota, &mut tat, start.saturating_add(Nanos::from_secs(15))));
        assert!(!admitted(&quota, &mut tat, start.saturating_add(Nanos::from_secs(15))));
    }

    #[test]
    fn an_interval_that_does_not_divide_the_window_is_rounded_up() {
        let quota = Quota::new(7, Nanos::SECOND, 1).unwrap();
        let mut tat = Tat::default();
        assert!(admitted(&quota, &mut tat, Nanos::ZERO));
        assert_eq!(quota.decide(tat, 1, Nanos::ZERO), Verdict::Limit(Nanos(142_857_143)));
    }

    #[test]
    fn a_refund_makes_room_for_one() {
        let quota = Quota::new(2, Nanos::from_secs(10), 2).unwrap();
        let mut tat = Tat::default();
        let now = Nanos::from_secs(5);
        assert!(admitted(&quota, &mut tat, now) && admitted(&quota, &mut tat, now));
        assert_eq!(quota.remaining(tat, now), 0);
        tat = quota.refund(tat, 1, now, now);
        assert_eq!(quota.remaining(tat, now), 1);
        assert!(admitted(&quota, &mut tat, now) && !admitted(&quota, &mut tat, now));
    }

    #[test]
    fn a_clock_that_jumped_back_costs_one_burst_at_most() {
        let quota = Quota::new(2, Nanos::from_secs(10), 2).unwrap();
        let far = Tat(Nanos::from_days(300));
        assert_eq!(quota.decide(far, 1, Nanos::from_secs(1)), Verdict::Limit(Nanos::from_secs(5)));
    }

    #[test]
    fn quotas_that_cannot_be_kept_are_refused() {
        assert_eq!(Quota::new(0, Nanos::SECOND, 1), None);
        assert_eq!(Quota::new(1, Nanos::ZERO, 1), None);
        assert_eq!(Quota::new(1, Nanos::SECOND, 0), None);
        assert_eq!(Quota::new(1, Nanos::from_days(30), u64::MAX), None);
    }

    #[test]
    fn a_cost_is_charged_as_so_many_requests_and_cut_to_the_burst() {
        let quota = Quota::new(10, Nanos::from_secs(10), 10).unwrap();
        let now = Nanos::from_secs(5);
        let Verdict::Admit(tat) = quota.decide(Tat::default(), 4, now) else { panic!("refused") };
        assert_eq!(quota.remaining(tat, now), 6);
        assert_eq!(quota.decide(tat, 7, now), Verdict::Limit(Nanos::SECOND));
        assert_eq!(quota.decide(tat, 1_000, now), Verdict::Limit(Nanos::from_secs(4)));
        let whole = quota.decide(Tat::default(), u64::MAX, now);
        assert_eq!(whole, Verdict::Admit(Tat(Nanos::from_secs(15))));
    }

    #[test]
    fn a_late_refund_gives_back_only_what_time_has_not_paid() {
        let quota = Quota::new(10, Nanos::from_secs(10), 10).unwrap();
        let start = Nanos::from_secs(100);
        let tat = quota.charge(Tat::default(), 10, start);
        let later = Nanos::from_secs(104);
        assert_eq!(quota.refund(tat, 10, start, later), Tat(later));
        let mended = quota.refund(quota.charge(tat, 4, later), 10, start, later);
        assert_eq!(quota.remaining(mended, later), 6, "the four that were charged later stay");
        assert_eq!(quota.refund(tat, 10, start, Nanos::from_secs(200)), tat);
    }

    #[test]
    fn tells_when_one_more_and_when_all_is_back() {
        let quota = Quota::new(4, Nanos::from_secs(8), 4).unwrap();
        let now = Nanos::from_secs(100);
        assert_eq!(
            (quota.next(Tat::default(), now), quota.reset(Tat::default(), now)),
            (Nanos::ZERO, Nanos::ZERO)
        );
        let tat = quota.charge(Tat::default(), 3, now);
        assert_eq!(
            (quota.next(tat, now), quota.reset(tat, now)),
            (Nanos::from_secs(2), Nanos::from_secs(6))
        );
        let later = Nanos::from_millis(101_500);
        assert_eq!(
            (quota.next(tat, later), quota.reset(tat, later)),
            (Nanos::from_millis(500), Nanos::from_millis(4_500))
        );
    }
}
