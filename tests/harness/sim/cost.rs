//! What a filter costs: host calls by kind, fuel, memory; and the estimate in microseconds.
//!
//! Counts and fuel are exact and repeatable.
//! The estimate multiplies them with prices that were measured on Envoy 1.40 (one worker, warm),
//! so it is good for comparing, not for promising.

use std::collections::BTreeMap;

/// What it costs Envoy to enter a callback, in nanoseconds, with its share of making and ending the context.
///
/// Measured: a module of three empty callbacks adds 1.3 to 2.9 us to a request, the log phase 0.5 to 0.7 more.
pub const ENTRY_NANOS: u64 = 500;
/// What one unit of fuel costs once V8 has optimised the code, in picoseconds.
///
/// Measured with `perf` on Envoy's worker, time in compiled code by request: 0.6 us for a filter alone,
/// 4.7 us for the gateway, 15 to 35 ps per unit.
/// The interpreter charges a block when it is entered, with the branches in it that are not taken:
/// `malloc` counts 1,529 units whichever of its ways it goes. So fuel tells that code changed, not how long it runs.
pub const FUEL_PICOS: u64 = 30;
/// What a plain proxied request costs Envoy: the reference of the budgets, in nanoseconds.
pub const PLAIN_REQUEST_NANOS: u64 = 42_000;

/// What happened in a host call, as far as its price depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The function's name in the module's import section.
    pub function: &'static str,
    /// Bytes that the host copied into the guest, or `None` when it returned no bytes.
    pub returned: Option<usize>,
    /// Bytes that the guest handed over.
    pub taken: usize,
}

/// The bill of a stream, a callback or a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often each host function was called.
    pub calls: BTreeMap<&'static str, u64>,
    /// The estimate for all host calls, in nanoseconds.
    pub host_nanos: u64,
    /// Instructions executed in the guest, in the interpreter's unit.
    pub fuel: u64,
    /// How often the host entered the guest.
    pub callbacks: u64,
    /// Pages of 64 KiB that the guest's memory has now.
    pub pages: u64,
}

impl Cost {
    /// Puts a host call on the bill.
    pub fn charge(&mut self, spent: Spent) {
        *self.calls.entry(spent.function).or_default() += 1;
        self.host_nanos += price(spent);
    }

    /// Adds another bill; pages are taken from the later one.
    pub fn add(&mut self, other: &Self) {
        for (function, count) in &other.calls {
            *self.calls.entry(function).or_default() += count;
        }
        self.host_nanos += other.host_nanos;
        self.fuel += other.fuel;
        self.callbacks += other.callbacks;
        self.pages = other.pages.max(self.pages);
    }

    /// How many host calls there were.
    #[must_use]
    pub fn total_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// How often `function` was called.
    #[must_use]
    pub fn count(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or(0)
    }

    /// The estimate in nanoseconds: entering the module, the host calls, the guest's own work.
    #[must_use]
    pub const fn nanos(&self) -> u64 {
        self.callbacks * ENTRY_NANOS + self.host_nanos + self.fuel * FUEL_PICOS / 1_000
    }
}

/// The price of a host call in nanoseconds.
///
/// Source: the measurements in section 9 of the design and section 11 of the facts.
fn price(spent: Spent) -> u64 {
    let taken = spent.taken as u64;
    match (spent.function, spent.returned) {
        ("proxy_get_header_map_pairs", Some(_)) => 1_800,
        ("proxy_get_shared_data", Some(size)) => 1_100 + size as u64 * 75 / 1_000,
        (_, Some(size)) => 1_200 + size as u64 * 75 / 1_000,
        ("proxy_get_current_time_nanoseconds" | "clock_time_get", None) => 160,
        ("proxy_increment_metric" | "proxy_get_metric", None) => 160,
        ("proxy_record_metric", None) => 230,
        ("proxy_define_metric", None) => 1_280,
        ("proxy_set_property", None) => 1_200,
        ("random_get", None) => 860,
        ("proxy_set_shared_data", None) => 250 + taken * 42 / 1_000,
        ("proxy_send_local_response", None) => 1_000 + taken * 1_000 / 1_024,
        (_, None) => 300,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_come_back_cost_more_than_a_clock() {
        let mut cost = Cost::default();
        cost.charge(Spent { function: "clock_time_get", returned: None, taken: 0 });
        assert_eq!(cost.host_nanos, 160);
        cost.charge(Spent { function: "proxy_get_property", returned: Some(8), taken: 0 });
        assert_eq!((cost.host_nanos, cost.total_calls()), (1_360, 2));
    }
}
