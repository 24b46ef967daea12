//! What a limit should say: from a list of everything that was ever charged, in numbers that cannot overflow.

use kit::Nanos;
use weir_rate_limit::limit::{Algorithm, MAX_WORDS};

use crate::traffic::{Act, Step, later, span};

/// One charge, and what is left of it after refunds.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) at: u64,
    pub(crate) left: u64,
    pub(crate) is_forced: bool,
    /// Which of the key's fixed windows it was charged in.
    window: usize,
}

/// A limit, as its module's documentation says it.
#[derive(Debug)]
pub(crate) struct Model {
    algorithm: Algorithm,
    pub(crate) charges: Vec<Charge>,
    /// The token bucket: debt in nanoseconds, and when it was last looked at.
    debt: u128,
    seen: u64,
    /// When each of the key's fixed windows started.
    starts: Vec<u64>,
}

impl Model {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, charges: Vec::new(), debt: 0, seen: 0, starts: Vec::new() }
    }

    /// What a request is charged: never more than fits at once, and one in flight is one.
    pub(crate) fn clipped(&self, cost: u64) -> u64 {
        if self.algorithm.is_concurrency() { 1 } else { cost.min(self.algorithm.capacity()) }
    }

    fn debt(&mut self, now: u64) -> u128 {
        self.debt = self.debt.saturating_sub(u128::from(now - self.seen));
        self.seen = now;
        self.debt
    }

    fn sum(&self, counts: impl Fn(&Charge) -> bool) -> u64 {
        self.charges.iter().filter(|charge| counts(charge)).map(|charge| charge.left).sum()
    }

    /// What is left of charges in this span, both ends included.
    pub(crate) fn net(&self, from: u64, to: u64, with_forced: bool) -> u64 {
        self.sum(|charge| (with_forced || !charge.is_forced) && (from..=to).contains(&charge.at))
    }

    /// The fixed window that is open, if something was charged in it.
    fn open_window(&self, now: u64) -> Option<usize> {
        let last = self.starts.len().checked_sub(1)?;
        let is_open = now - self.starts[last] < span(&self.algorithm);
        (is_open && self.sum(|charge| charge.window == last) > 0).then_some(last)
    }

    /// Units that would be admitted at once.
    pub(crate) fn remaining(&mut self, now: u64) -> u64 {
        let capacity = self.algorithm.capacity();
        match self.algorithm {
            Algorithm::Gcra(quota) => {
                let interval = u128::from(interval(&self.algorithm));
                let spare = interval * u128::from(quota.burst) - self.debt(now);
                u64::try_from(spare / interval).unwrap()
            }
            Algorithm::FixedWindow(_) => {
                let open = self.open_window(now);
                capacity.saturating_sub(self.sum(|charge| Some(charge.window) == open))
            }
            Algorithm::SlidingWindow(_) | Algorithm::Concurrency(_) => {
                capacity.saturating_sub(self.in_slices(now))
            }
        }
    }

    /// Units in the running slice and the ten before it.
    fn in_slices(&self, now: u64) -> u64 {
        let slice = span(&self.algorithm).div_ceil(10);
        self.sum(|charge| now / slice - charge.at / slice <= 10)
    }

    /// Whether a request fits. One that costs nothing fits unless the limit is overdrawn.
    pub(crate) fn fits(&mut self, cost: u64, now: u64) -> bool {
        let cost = self.clipped(cost);
        let capacity = self.algorithm.capacity();
        match self.algorithm {
            Algorithm::Gcra(_) => cost <= self.remaining(now),
            Algorithm::FixedWindow(_) => {
                let open = self.open_window(now);
                self.sum(|charge| Some(charge.window) == open) + cost <= capacity
            }
            Algorithm::SlidingWindow(_) | Algorithm::Concurrency(_) => {
                self.in_slices(now) + cost <= capacity
            }
        }
    }

    pub(crate) fn add(&mut self, cost: u64, now: u64, is_forced: bool) {
        let cost = if self.algorithm.is_concurrency() { 1 } else { cost };
        if let Algorithm::Gcra(quota) = self.algorithm {
            let interval = u128::from(interval(&self.algorithm));
            let due = self.debt(now) + interval * u128::from(cost);
            self.debt = due.min(interval * u128::from(quota.burst));
        }
        let window = self.open_window(now).unwrap_or_else(|| {
            self.starts.push(now);
            self.starts.len() - 1
        });
        self.charges.push(Charge { at: now, left: cost, is_forced, window });
    }

    pub(crate) fn refund(&mut self, idx: usize, units: u64, now: u64) {
        let age = u128::from(now - self.charges[idx].at);
        let price = u128::from(interval(&self.algorithm)) * u128::from(units);
        self.debt = self.debt(now).saturating_sub(price.saturating_sub(age));
        self.charges[idx].left -= units;
    }

    /// The debt of a bucket that only ever saw what was admitted and not refunded.
    pub(crate) fn ideal_debt(&self, now: u64) -> u128 {
        let interval = u128::from(interval(&self.algorithm));
        let (mut debt, mut seen) = (0_u128, 0);
        for charge in self.charges.iter().filter(|charge| !charge.is_forced) {
            debt = debt.saturating_sub(u128::from(charge.at - seen));
            debt += u128::from(charge.left) * interval;
            seen = charge.at;
        }
        debt.saturating_sub(u128::from(now - seen))
    }
}

/// Time that one unit costs a token bucket.
pub(crate) fn interval(algorithm: &Algorithm) -> u64 {
    span(algorithm).div_ceil(algorithm.quota())
}

/// A limit and its model, treated alike.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) algorithm: Algorithm,
    pub(crate) words: [u64; MAX_WORDS],
    pub(crate) model: Model,
    pub(crate) now: u64,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Said {
    /// The model's opinion, and the wait if it was refused.
    Asked { cost: u64, fits: bool, wait: Option<Nanos> },
    /// No question was asked.
    Nothing,
}

impl Play {
    pub(crate) fn new(algorithm: Algorithm, start: u64) -> Self {
        Self { algorithm, words: [0; MAX_WORDS], model: Model::new(algorithm), now: start }
    }

    pub(crate) fn step(&mut self, step: &Step) -> Said {
        self.now = later(&self.algorithm, self.now, step);
        let (now, at) = (self.now, Nanos(self.now));
        self.algorithm.heal(&mut self.words, at);
        match step.act {
            Act::Ask(cost) => {
                let fits = self.model.fits(cost, now);
                let cost_charged = self.model.clipped(cost);
                let wait = self.algorithm.take(&mut self.words, cost, at);
                if wait.is_none() {
                    self.model.add(cost_charged, now, false);
                }
                Said::Asked { cost: cost_charged, fits, wait }
            }
            Act::Force(cost) => {
                self.algorithm.charge(&mut self.words, cost, at);
                self.model.add(cost, now, true);
                Said::Nothing
            }
            Act::Refund(which, units) => {
                let refundable: Vec<usize> = (0..self.model.charges.len())
                    .filter(|idx| {
                        let charge = &self.model.charges[*idx];
                        !charge.is_forced && charge.left > 0
                    })
                    .collect();
                if !refundable.is_empty() {
                    let idx = refundable[which.index(refundable.len())];
                    let Charge { at: charged_at, left, .. } = self.model.charges[idx];
                    let units = units.min(left);
                    self.algorithm.refund(&mut self.words, units, Nanos(charged_at), at);
                    self.model.refund(idx, units, now);
                }
                Said::Nothing
            }
        }
    }
}
