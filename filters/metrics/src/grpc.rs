//! The status of a gRPC call.
//!
//! **Source**: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.

use crate::signals::OTHER;

/// The names of the codes, from zero on; then the two for what is no code.
const NAMES: [&str; 19] = [
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
    OTHER,
    "_none",
];

/// How a gRPC call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grpc(u8);

impl Grpc {
    /// The client got no status: it had left.
    pub const NONE: Self = Self(18);

    /// A number that is no code of gRPC.
    const UNKNOWN_CODE: Self = Self(17);

    /// How many values the label can have.
    pub const COUNT: usize = NAMES.len();

    /// The status of this number.
    pub fn of(code: u64) -> Self {
        u8::try_from(code).map_or(Self::UNKNOWN_CODE, |code| Self(code).min(Self::UNKNOWN_CODE))
    }

    /// The value of the label `grpc_status`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or(OTHER)
    }
}
