//! Every word that an operator may see: decisions, reasons, metric and header names, reply details.
//!
//! They are a stable interface: added freely, never renamed.

/// The counter of requests, by rule and decision.
pub const REQUESTS: &str = "weir_response_cache_requests_total";
/// The counter of responses stored.
pub const STORED: &str = "weir_response_cache_stored_total";
/// The counter of responses that could have been stored and were not, by reason.
pub const REFUSED: &str = "weir_response_cache_refused_total";
/// The counter of entries that gave way to another, by reason.
pub const EVICTIONS: &str = "weir_response_cache_evictions_total";
/// The counter of unsafe requests that removed what was stored for their URI.
pub const INVALIDATIONS: &str = "weir_response_cache_invalidations_total";
/// The gauge of entries stored now, fresh or not.
pub const ENTRIES: &str = "weir_response_cache_entries";
/// The gauge of bytes stored now.
pub const BYTES: &str = "weir_response_cache_bytes";
/// The gauge that moves with each purge; workers look at it, and its value means nothing.
pub const PURGE_SEQUENCE: &str = "weir_response_cache_purge_sequence";
/// The gauge that moves with each invalidation under keys with parts; likewise.
pub const INVALIDATION_SEQUENCE: &str = "weir_response_cache_invalidation_sequence";

/// The name under which this cache writes `Cache-Status` (RFC 9211).
pub const CACHE_NAME: &str = "weir";
/// Response-code details of an answer from the store.
pub const DETAILS_HIT: &str = "weir_cache_hit";
/// Response-code details of the 304 that a stored response justifies.
pub const DETAILS_NOT_MODIFIED: &str = "weir_cache_not_modified";
/// Response-code details of the 504 that `only-if-cached` asks for.
pub const DETAILS_ONLY_IF_CACHED: &str = "weir_cache_only_if_cached";
/// The `rule` label of a request that no rule matched, or that was decided before the rules.
pub const NO_RULE: &str = "none";

/// What was decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Answered from the store.
    Hit,
    /// Nothing stored for this URI.
    Miss,
    /// Something stored for this URI, but for requests of other header values.
    VaryMiss,
    /// The stored response is no longer fresh.
    Stale,
    /// The request itself refuses what is stored.
    Request,
    /// Neither GET nor HEAD.
    Method,
    /// Not for the cache: no rule, a range, a body, a condition for the origin.
    Bypass,
    /// `only-if-cached`, and nothing usable stored: answered with 504.
    OnlyIfCached,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 8] = [
        Self::Hit,
        Self::Miss,
        Self::VaryMiss,
        Self::Stale,
        Self::Request,
        Self::Method,
        Self::Bypass,
        Self::OnlyIfCached,
    ];

    /// The word in metrics and in the decision record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::VaryMiss => "vary_miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Method => "method",
            Self::Bypass => "bypass",
            Self::OnlyIfCached => "only_if_cached",
        }
    }

    /// Why the request was forwarded, in the words of RFC 9211, section 2.2.
    pub const fn forward_reason(self) -> &'static str {
        match self {
            Self::Miss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Method => "method",
            Self::Hit | Self::Bypass | Self::OnlyIfCached => "bypass",
        }
    }
}

/// Why a response was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A status that is not stored, such as 206 or 500.
    Status,
    /// `no-store`, of the response or of the request.
    NoStore,
    /// `private`.
    Private,
    /// `no-cache`: it could not be used without asking.
    NoCache,
    /// A `Cache-Control` that breaks the grammar.
    Malformed,
    /// No lifetime is stated, or one that contradicts itself.
    NoLifetime,
    /// A lifetime would be assumed, but not for such a request: its answer may be made for it alone.
    NotPlain,
    /// Its lifetime is over already.
    Expired,
    /// The request was authorised and the response does not say that it may be shared.
    Authorization,
    /// It sets a cookie.
    SetCookie,
    /// It varies on everything, on too much, or on what is no field name.
    Vary,
    /// A part of a whole.
    Partial,
    /// Not the upstream's answer but one of Envoy's or of another filter.
    LocalReply,
    /// Larger than `max_object`.
    TooLarge,
    /// `fill_memory` was in use.
    FillMemory,
    /// The body is not as long as was announced.
    Incomplete,
    /// An unsafe request changed the resource in the meantime, or it was purged.
    Invalidated,
    /// More tags, or longer ones, than are kept: it could not be purged.
    Tags,
    /// The shared store was not to be had.
    Store,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::NoCache,
        Self::Malformed,
        Self::NoLifetime,
        Self::NotPlain,
        Self::Expired,
        Self::Authorization,
        Self::SetCookie,
        Self::Vary,
        Self::Partial,
        Self::LocalReply,
        Self::TooLarge,
        Self::FillMemory,
        Self::Incomplete,
        Self::Invalidated,
        Self::Tags,
        Self::Store,
    ];

    /// The word in metrics, and the `detail` of `Cache-Status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::NoStore => "no_store",
            Self::Private => "private",
            Self::NoCache => "no_cache",
            Self::Malformed => "malformed",
            Self::NoLifetime => "no_lifetime",
            Self::NotPlain => "not_plain",
            Self::Expired => "expired",
            Self::Authorization => "authorization",
            Self::SetCookie => "set_cookie",
            Self::Vary => "vary",
            Self::Partial => "partial",
            Self::LocalReply => "local_reply",
            Self::TooLarge => "too_large",
            Self::FillMemory => "fill_memory",
            Self::Incomplete => "incomplete",
            Self::Invalidated => "invalidated",
            Self::Tags => "tags",
            Self::Store => "store",
        }
    }
}

/// Why an entry gave way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// It was no longer fresh.
    Expired,
    /// It was fresh, and its place or its bytes were needed.
    Space,
    /// It was the oldest of too many variants of one URI.
    Variants,
}

impl Eviction {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Space, Self::Variants];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Space => "space",
            Self::Variants => "variants",
        }
    }
}
