//! Permits for probes: how many requests a half-open breaker has let through and not heard of.
//!
//! A permit is a lease. It comes back when its request ends, however it ends; if the worker that held it
//! died, or the request lasts very long, it runs out, so that none is lost for ever.

#![deny(clippy::arithmetic_side_effects)]

use kit::Nanos;

/// By how much instants of two workers may be out of order: far more than a callback takes, also on a machine
/// that is overloaded. A jump back by less is waited out.
pub const CLOCK_SLACK: Nanos = Nanos::from_secs(10);

/// The most probes at a time that can be configured: each costs 12 bytes of state.
pub const MAX_AT_ONCE: usize = 16;

/// One permit that is out, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permit {
    /// Which one; zero is none.
    pub id: u32,
    /// When it runs out.
    pub expires_at: Nanos,
}

/// The permits of one breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permits {
    /// The id given out last; ids are not used twice until 2^32 were.
    pub last_id: u32,
    /// What is out.
    pub out: [Permit; MAX_AT_ONCE],
}

impl Permits {
    /// Gives out a permit if fewer than `at_once` are out at `now`.
    pub fn take(&mut self, at_once: u8, lease: Nanos, now: Nanos) -> Option<u32> {
        if self.n_out(lease, now) >= usize::from(at_once) {
            return None;
        }
        let id = self.last_id.wrapping_add(1).max(1);
        let place = self.out.iter_mut().find(|permit| !permit.is_out(lease, now))?;
        *place = Permit { id, expires_at: now.saturating_add(lease) };
        self.last_id = id;
        Some(id)
    }

    /// Takes a permit back; one that ran out and went to another request is not there any more.
    pub fn put_back(&mut self, id: u32) {
        for permit in self.out.iter_mut().filter(|permit| permit.id == id) {
            *permit = Permit::default();
        }
    }

    /// How many are out at `now`.
    pub fn n_out(&self, lease: Nanos, now: Nanos) -> usize {
        self.out.iter().filter(|permit| permit.is_out(lease, now)).count()
    }
}

impl Permit {
    /// A lease that ends later than a lease can is one from before the clock jumped back.
    fn is_out(self, lease: Nanos, now: Nanos) -> bool {
        let latest = now.saturating_add(lease).saturating_add(CLOCK_SLACK);
        self.id != 0 && now < self.expires_at && self.expires_at <= latest
    }
}
