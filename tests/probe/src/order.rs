//! What a request can want of the probe.

use kit::headers::Headers;

/// The header that says it.
pub const HEADER: &str = "x-probe";

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Pass, and do nothing.
    Pass,
    /// Trap in the phase named: `trap`, `trap-response`, `trap-body`, `trap-log`.
    Trap(Phase),
    /// Add one to the shared counter, answer with its new value: `count`.
    Count,
    /// Answer with the shared counter's value: `read`.
    Read,
    /// Answer with how many request headers there are: `headers`.
    Headers,
    /// Wait in the bed of this number until somebody wakes it, then answer `woken`: `sleep=7`.
    Sleep(u32),
    /// Wake whoever sleeps in this bed, answer `waking` or `empty`: `wake=7`.
    Wake(u32),
    /// Call the cluster `upstream` for this path, wait for the answer, pass it on: `call=/path`.
    Call(String),
}

/// Where to trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// With the request headers.
    Request,
    /// With the response headers.
    Response,
    /// With the response body.
    Body,
    /// In the log phase.
    Log,
}

impl Order {
    /// The wish of a request; anything that is none passes.
    pub fn of(request: &Headers) -> Self {
        let Some(text) = request.text(HEADER) else { return Self::Pass };
        let (verb, object) = text.split_once('=').unwrap_or((text, ""));
        match verb {
            "trap" => Self::Trap(Phase::Request),
            "trap-response" => Self::Trap(Phase::Response),
            "trap-body" => Self::Trap(Phase::Body),
            "trap-log" => Self::Trap(Phase::Log),
            "count" => Self::Count,
            "read" => Self::Read,
            "headers" => Self::Headers,
            "sleep" => object.parse().map_or(Self::Pass, Self::Sleep),
            "wake" => object.parse().map_or(Self::Pass, Self::Wake),
            "call" => Self::Call(object.to_owned()),
            _ => Self::Pass,
        }
    }
}
