//! What an operator may say of the statistics.

use std::fmt;
use std::ops::RangeInclusive;

use kit::config::Fields;
use kit::status::Statuses;

use crate::facts::Facts;

/// Routes that are told apart.
pub const MAX_ROUTES: RangeInclusive<usize> = 1..=256;
/// More than most gateways have; 120 KB of shared memory where all are in use.
pub const DEFAULT_MAX_ROUTES: usize = 100;
/// Failures that are kept.
pub const MAX_ERRORS: RangeInclusive<usize> = 1..=500;
/// What a person reads, and a list that costs little to change.
pub const DEFAULT_MAX_ERRORS: usize = 100;
/// Entries in a list of statuses.
const N_STATUSES: RangeInclusive<usize> = 1..=16;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether this filter counts at all; it answers what others have counted in any case.
    pub enabled: bool,
    /// Routes that are told apart.
    pub max_routes: usize,
}

/// What is kept of exchanges that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errors {
    /// How many are kept.
    pub max: usize,
    /// Which statuses are failures.
    pub statuses: Statuses,
    /// Whether clients that left before anything was sent are.
    pub aborted: bool,
    /// Whether the client's address is kept.
    pub address: bool,
    /// Whether the client's name for itself is kept.
    pub user_agent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, max_routes: DEFAULT_MAX_ROUTES }
    }
}

impl Settings {
    /// Reads the object `statistics`; every field has a default.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let default = Self::default();
        Self {
            enabled: fields.optional_bool("enabled").unwrap_or(default.enabled),
            max_routes: fields
                .optional_integer("max_routes", MAX_ROUTES)
                .unwrap_or(default.max_routes),
        }
    }
}

impl Default for Errors {
    fn default() -> Self {
        let statuses = [500..=599].into_iter().collect();
        Self { max: DEFAULT_MAX_ERRORS, statuses, aborted: true, address: false, user_agent: false }
    }
}

impl Errors {
    /// Reads the object `errors`; every field has a default.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let default = Self::default();
        Self {
            max: fields.optional_integer("max", MAX_ERRORS).unwrap_or(default.max),
            statuses: fields.optional_statuses("statuses", N_STATUSES).unwrap_or(default.statuses),
            aborted: fields.optional_bool("aborted").unwrap_or(default.aborted),
            address: fields.optional_bool("address").unwrap_or(default.address),
            user_agent: fields.optional_bool("user_agent").unwrap_or(default.user_agent),
        }
    }

    /// Whether this exchange is kept as a failure.
    pub fn keep(&self, facts: &Facts) -> bool {
        match u16::try_from(facts.status) {
            _ if facts.is_only_if_cached() => false,
            Ok(0) => self.aborted,
            Ok(status) if self.statuses.contains(status) => true,
            // Its status was good when it was sent; then the upstream broke off.
            Ok(_) | Err(_) => facts.why().starts_with(b"upstream_reset_after_response_started"),
        }
    }
}

/// What is in force, for operators.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.enabled {
            return f.write_str("statistics off, those of other filters are answered");
        }
        write!(f, "statistics of at most {} routes", self.max_routes)
    }
}

/// What is in force, for operators.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the last {} failures (status {}", self.max, self.statuses)?;
        let more = [
            (self.aborted, " or none"),
            (true, ")"),
            (self.address, " with the client's address"),
            (self.user_agent && self.address, " and user agent"),
            (self.user_agent && !self.address, " with the client's user agent"),
        ];
        more.into_iter().filter(|(is_so, _)| *is_so).try_for_each(|(_, words)| f.write_str(words))
    }
}
