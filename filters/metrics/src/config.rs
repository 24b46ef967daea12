//! The configuration, read into what can not be wrong.
//!
//! Every bound and default is a constant here, and the README's table is made of them.

use std::fmt;
use std::ops::RangeInclusive;

use kit::config::Fields;
use kit::matching::Matcher;
use kit::operations::Access;

use crate::console;
use crate::consumers;
use crate::exclusion;
use crate::facts::Wanted;
use crate::health;
use crate::stats::settings as stats;

/// Label sets that get series of their own.
pub const MAX_SERIES: RangeInclusive<usize> = 1..=10_000;
/// Fifty routes with ten label sets each, which is what a route with three methods has.
pub const DEFAULT_MAX_SERIES: usize = 500;
/// Two more values to read, 7 % of a proxied request.
pub const DEFAULT_BYTES: bool = false;
/// A value more to read, 3 % of a proxied request; most routes lead to one cluster.
pub const DEFAULT_CLUSTER: bool = false;
/// A value more to read and two more to write, 4 % of a proxied request.
pub const DEFAULT_UPSTREAM_TIME: bool = false;
/// A value more to read, up to 3 % of a proxied request, also where it is no gRPC.
pub const DEFAULT_GRPC: bool = false;

/// What is counted, and how finely.
#[derive(Debug, Clone)]
pub struct Config {
    /// Label sets that get series of their own, on each worker.
    pub max_series: usize,
    /// Whether bytes are counted.
    pub bytes: bool,
    /// How finely statuses are told apart.
    pub status: Status,
    /// Whether places are told apart by cluster too.
    pub cluster: bool,
    /// Whether the upstream's time is told from the gateway's.
    pub upstream_time: bool,
    /// Whether gRPC calls are counted by their own status.
    pub grpc: bool,
    /// Who is a consumer, if they are told apart.
    pub consumers: Option<consumers::settings::Settings>,
    /// Requests that are no clients': health checks of the service, for instance.
    pub exclude: Vec<Matcher>,
    /// What is counted for the operations endpoints.
    pub statistics: stats::Settings,
    /// What is kept of exchanges that failed.
    pub errors: stats::Errors,
    /// Who may use the operations endpoints.
    pub operations: Access,
    /// How health is told, if it is.
    pub health: Option<health::settings::Settings>,
    /// What the console shows, if there is one.
    pub console: Option<console::settings::Settings>,
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
        Wanted {
            cluster: self.cluster,
            upstream_time: self.upstream_time,
            bytes: self.bytes,
            grpc: self.grpc,
        }
    }

    /// Reads the filter's object; every field has a default.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let operations = fields.optional_object("operations", Access::read).unwrap_or_default();
        Self {
            statistics: fields
                .optional_object("statistics", stats::Settings::read)
                .unwrap_or_default(),
            errors: fields.optional_object("errors", stats::Errors::read).unwrap_or_default(),
            health: fields.optional_object("health", |fields| {
                health::settings::Settings::read(fields, &operations)
            }),
            console: fields.optional_object("console", |fields| {
                console::settings::Settings::read(fields, &operations)
            }),
            operations,
            exclude: exclusion::read(fields),
            consumers: fields.optional_object("consumers", consumers::settings::Settings::read),
            max_series: fields
                .optional_integer("max_series", MAX_SERIES)
                .unwrap_or(DEFAULT_MAX_SERIES),
            bytes: fields.optional_bool("bytes").unwrap_or(DEFAULT_BYTES),
            cluster: fields.optional_bool("cluster").unwrap_or(DEFAULT_CLUSTER),
            upstream_time: fields.optional_bool("upstream_time").unwrap_or(DEFAULT_UPSTREAM_TIME),
            grpc: fields.optional_bool("grpc").unwrap_or(DEFAULT_GRPC),
            status: fields.optional_choice("status", &STATUS).unwrap_or_default(),
        }
    }
}

/// What an empty object says.
impl Default for Config {
    fn default() -> Self {
        Self {
            max_series: DEFAULT_MAX_SERIES,
            bytes: DEFAULT_BYTES,
            status: Status::default(),
            cluster: DEFAULT_CLUSTER,
            upstream_time: DEFAULT_UPSTREAM_TIME,
            grpc: DEFAULT_GRPC,
            consumers: None,
            exclude: Vec::new(),
            statistics: stats::Settings::default(),
            errors: stats::Errors::default(),
            operations: Access::default(),
            health: None,
            console: None,
        }
    }
}

impl Config {
    /// What is in force, for operators: a line for each part.
    pub fn describe(&self) -> Vec<String> {
        let consumers = self.consumers.as_ref().map(ToString::to_string);
        let exclude = self.exclude.iter().map(|all| format!("not counted: {}", all.describe()));
        let kept = self.statistics.enabled.then(|| self.errors.to_string());
        let operations = self.operations.is_on().then(|| self.operations.describe());
        let health = self.health.as_ref().map(ToString::to_string);
        let console = self.console.as_ref().map(ToString::to_string);
        [self.to_string()]
            .into_iter()
            .chain(exclude)
            .chain(consumers)
            .chain([self.statistics.to_string()])
            .chain(kept)
            .chain(operations)
            .chain(health)
            .chain(console)
            .collect()
    }
}

/// What is counted for Prometheus, for operators.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = [
            (true, "durations"),
            (self.upstream_time, "upstream time and overhead"),
            (self.bytes, "bytes"),
            (self.grpc, "gRPC statuses"),
        ];
        let counted = counted.into_iter().filter(|(is_counted, _)| *is_counted);
        let counted: String = counted.map(|(_, what)| format!(", {what}")).collect();
        let cluster = if self.cluster { ", cluster" } else { "" };
        let status = match self.status {
            Status::Class => "status class",
            Status::Code => "status code",
        };
        write!(
            f,
            "requests{counted} by route{cluster}, method, {status} and answerer; \
             at most {} label sets",
            self.max_series
        )
    }
}
