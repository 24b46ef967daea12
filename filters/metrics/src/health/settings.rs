//! What an operator may say of health.

use std::fmt;
use std::ops::RangeInclusive;

use kit::Nanos;
use kit::config::Fields;
use kit::operations::{Access, optional_prefix};
use kit::units::Ratio;

/// Clusters that readiness may depend on: their names must fit into the path of one request.
pub const CLUSTERS: RangeInclusive<usize> = 1..=32;
/// The longest name of a cluster that is taken.
pub const MAX_CLUSTER: usize = 128;
/// How often Envoy's admin interface is asked.
pub const INTERVAL: RangeInclusive<Nanos> = Nanos::from_millis(500)..=Nanos::MINUTE;
/// Envoy's own checks are seldom more frequent.
pub const DEFAULT_INTERVAL: Nanos = Nanos::from_secs(2);
/// How long its answer may take.
pub const TIMEOUT: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::from_secs(30);
/// It answers in a millisecond; a second is trouble.
pub const DEFAULT_TIMEOUT: Nanos = Nanos::SECOND;
/// How old an answer may be.
pub const MAX_AGE: RangeInclusive<Nanos> = Nanos::SECOND..=Nanos::from_mins(10);
/// Four answers in a row must fail before what is known is too old.
const AGE_IN_INTERVALS: u64 = 5;

const CLUSTER: &str = "a cluster's name of 1 to 128 characters, such as \"upstream\"";

/// How health is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The path that the endpoints stand below; `None` for `/health` below the one of operations.
    pub path: Option<Box<str>>,
    /// Whether live and ready are answered without any proof.
    pub open: bool,
    /// What readiness depends on, beside that this filter answers.
    pub asking: Option<Asking>,
}

/// What is asked of Envoy's admin interface, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asking {
    /// The cluster that leads to the admin interface.
    pub admin_cluster: String,
    /// The clusters that readiness depends on.
    pub clusters: Vec<String>,
    /// The share of a cluster's hosts that must be healthy; without one, any host is enough.
    pub min_healthy: Option<Ratio>,
    /// How often it is asked.
    pub interval: Nanos,
    /// How long an answer may take.
    pub timeout: Nanos,
    /// How old an answer may be.
    pub max_age: Nanos,
}

impl Settings {
    /// Reads the object `health` of a filter with these operations.
    pub fn read(fields: &mut Fields<'_>, operations: &Access) -> Self {
        let path = optional_prefix(fields, "path");
        let open = fields.optional_bool("open").unwrap_or(false);
        if !operations.is_on() && !fields.has("path") {
            fields.problem(
                "path",
                "nothing, and no operations",
                "a path such as \"/health\"",
                "add it, or operations to have the endpoints below their path",
            );
        }
        if !operations.is_on() && !open {
            fields.problem(
                "open",
                "false, and no operations",
                "true, or false with operations",
                "set it to true, or add operations so that somebody may ask",
            );
        }
        Self { path, open, asking: Asking::read(fields) }
    }
}

/// The fields that mean something only where the admin interface is asked.
const OF_ASKING: [&str; 5] = ["clusters", "min_healthy", "interval", "timeout", "max_age"];

impl Asking {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let admin_cluster = fields.optional_parsed("admin_cluster", CLUSTER, cluster);
        let clusters = fields.optional_parsed_list("clusters", CLUSTERS, CLUSTER, cluster);
        let min_healthy = fields.optional_ratio("min_healthy", Ratio::MIN_POSITIVE..=Ratio::ONE);
        let interval = fields.optional_duration("interval", INTERVAL).unwrap_or(DEFAULT_INTERVAL);
        let timeout = fields.optional_duration("timeout", TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
        let max_age = fields.optional_duration("max_age", MAX_AGE);
        let max_age = max_age.unwrap_or_else(|| interval.saturating_mul(AGE_IN_INTERVALS));
        if !fields.has("admin_cluster") {
            if let Some(useless) = OF_ASKING.into_iter().find(|name| fields.has(name)) {
                fields.problem(
                    useless,
                    "no admin_cluster beside it",
                    "only with admin_cluster",
                    "add admin_cluster: the cluster that leads to Envoy's admin interface",
                );
            }
            return None;
        }
        let shortest = interval.saturating_add(timeout);
        if fields.has("max_age") && max_age < shortest {
            fields.problem(
                "max_age",
                max_age,
                format_args!("at least interval and timeout together, {shortest}"),
                "raise it, or nothing is ever known for long",
            );
        }
        Some(Self {
            admin_cluster: admin_cluster?,
            clusters: clusters.unwrap_or_default(),
            min_healthy,
            interval,
            timeout,
            max_age,
        })
    }
}

/// Why a text is no cluster's name; its `Display` tells how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum ClusterError {
    #[error("fill it in")]
    Empty,
    #[error("shorten it")]
    Long,
    #[error("remove the control characters")]
    Control,
}

fn cluster(text: &str) -> Result<String, ClusterError> {
    match text {
        "" => Err(ClusterError::Empty),
        _ if text.chars().count() > MAX_CLUSTER => Err(ClusterError::Long),
        _ if text.chars().any(char::is_control) => Err(ClusterError::Control),
        _ => Ok(text.to_owned()),
    }
}

/// What is in force, for operators.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "health below {path}")?,
            None => f.write_str("health below the path of operations")?,
        }
        if self.open {
            f.write_str(", live and ready for everybody")?;
        }
        let Some(asking) = &self.asking else { return Ok(()) };
        match asking.clusters.as_slice() {
            [] => f.write_str("; ready if Envoy is")?,
            clusters => write!(f, "; ready if Envoy is and {} are", clusters.join(", "))?,
        }
        if let Some(share) = asking.min_healthy {
            write!(f, " by {share} of their hosts")?;
        }
        let Asking { admin_cluster, interval, timeout, max_age, .. } = asking;
        write!(
            f,
            "; asked of {admin_cluster} every {interval} within {timeout}, at most {max_age} old"
        )
    }
}
