//! The gRPC statuses that are failures.

use std::fmt;

use kit::config::{Fields, closest, quoted};

/// The statuses by their number.
///
/// **Source**: <https://grpc.io/docs/guides/status-codes/>.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A set of gRPC statuses.
///
/// The default holds those that say that a service is ill: UNKNOWN, which servers make of an exception, INTERNAL,
/// UNAVAILABLE and DATA_LOSS. DEADLINE_EXCEEDED is none of them, since clients choose their deadlines,
/// nor UNIMPLEMENTED, which any client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrpcStatuses(u32);

impl Default for GrpcStatuses {
    fn default() -> Self {
        Self(1 << 2 | 1 << 13 | 1 << 14 | 1 << 15)
    }
}

impl GrpcStatuses {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Reads a list of names, or one; none if the field is not there.
    pub fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        let allowed = "a gRPC status but OK, such as \"UNAVAILABLE\"";
        let list = fields.optional_one_or_many_parsed(name, 1..=NAMES.len(), allowed, parse);
        list.map(|list| Self(list.into_iter().fold(0, |set, bit| set | bit)))
    }

    /// Whether some status is in both sets.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether this status is among them.
    pub const fn contains(&self, status: u32) -> bool {
        status < 32 && self.0 >> status & 1 == 1
    }
}

/// The names, as in a configuration.
impl fmt::Display for GrpcStatuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (0_u32..).zip(NAMES).filter(|(number, _)| self.contains(*number));
        for (idx, (_, name)) in names.enumerate() {
            write!(f, "{}{name}", if idx == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A status as a bit.
fn parse(text: &str) -> Result<u32, String> {
    let failures = || (0_u32..).zip(NAMES).skip(1);
    match failures().find(|(_, name)| *name == text) {
        Some((number, _)) => Ok(1 << number),
        None => Err(match closest(text, failures().map(|(_, name)| name)) {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => "see https://grpc.io/docs/guides/status-codes/".to_owned(),
        }),
    }
}
