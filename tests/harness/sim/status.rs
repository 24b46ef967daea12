//! What a host call answers, and what stops one half-way.

/// The result code of a host call, with the numbers of the proxy-wasm ABI.
///
/// Source: `proxy_wasm_common.h` of proxy-wasm/proxy-wasm-cpp-host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Status {
    /// Done.
    Ok = 0,
    /// No such key, property, metric, queue or function.
    NotFound = 1,
    /// An argument is out of range, or the thing it names is not available in this phase.
    BadArgument = 2,
    /// The value exists and has no byte form.
    SerializationFailure = 3,
    /// Bytes given by the guest could not be read.
    ParseFailure = 4,
    /// A pointer given by the guest leaves its memory.
    InvalidMemoryAccess = 6,
    /// The queue holds nothing.
    Empty = 7,
    /// Another writer was quicker.
    CasMismatch = 8,
    /// The host failed, for instance because a cluster has no host.
    InternalFailure = 10,
    /// Envoy does not provide this.
    Unimplemented = 12,
}

/// Why a host call did not end with [`Status::Ok`].
#[derive(Debug)]
pub(crate) enum Fault {
    /// The host answers with this status; the guest goes on.
    Refused(Status),
    /// A WASI function answers with this error number; the guest goes on.
    Errno(i32),
    /// The guest is stopped: its VM is lost.
    Trap(wasmi::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<wasmi::Error> for Fault {
    fn from(error: wasmi::Error) -> Self {
        Self::Trap(error)
    }
}
