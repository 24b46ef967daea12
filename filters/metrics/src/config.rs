//! The configuration, read into what can not be wrong.
//!
//! Every bound and default is a constant here, and the README's table is made of them.

use std::fmt;
use std::ops::RangeInclusive;

use kit::config::Fields;

use crate::facts::Wanted;

/// Label sets that get series of their own.
pub const MAX_SERIES: RangeInclusive<usize> = 1..=10_000;
/// Fifty routes with ten label sets each, which is what a route with three methods has.
pub const DEFAULT_MAX_SERIES: usize = 500;
/// Two more values to read, 7 % of a proxied request.
pub const DEFAULT_BYTES: bool = false;

/// What is counted, and how finely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Label sets that get series of their own, on each worker.
    pub max_series: usize,
    /// Whether bytes are counted.
    pub bytes: bool,
    /// How finely statuses are told apart.
    pub status: Status,
}

/// How finely statuses are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// By class: label `class`.
    #[default]
    Class,
    /// By code: label `status` besides `class`.
    Code,
}

/// The words of `status`.
const STATUS: [(&str, Status); 2] = [("class", Status::Class), ("code", Status::Code)];

impl Config {
    /// What has to be read for what is counted.
    pub const fn wanted(&self) -> Wanted {
        Wanted { cluster: false, upstream_time: false, bytes: self.bytes, grpc: false }
    }

    /// Reads the filter's object; every field has a default.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            max_series: fields
                .optional_integer("max_series", MAX_SERIES)
                .unwrap_or(DEFAULT_MAX_SERIES),
            bytes: fields.optional_bool("bytes").unwrap_or(DEFAULT_BYTES),
            status: fields.optional_choice("status", &STATUS).unwrap_or_default(),
        }
    }
}

/// What is in force, for operators.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = if self.bytes { ", bytes" } else { "" };
        let status = match self.status {
            Status::Class => "status class",
            Status::Code => "status code",
        };
        write!(
            f,
            "requests, durations{bytes} by route, method, {status} and answerer; \
             at most {} label sets",
            self.max_series
        )
    }
}
