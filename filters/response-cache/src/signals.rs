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
/// The counter of validations by what the origin answered.
pub const VALIDATIONS: &str = "weir_response_cache_validations_total";
/// The counter of stale responses served, by reason.
pub const STALE_SERVED: &str = "weir_response_cache_stale_served_total";
/// The counter of background requests by what came of them.
pub const REFRESHES: &str = "weir_response_cache_refreshes_total";
/// The counter of requests that waited for another one's response, by what came of it.
pub const COLLAPSED: &str = "weir_response_cache_collapsed_total";
/// The counter of purges by what was named.
pub const PURGES: &str = "weir_response_cache_purges_total";
/// The counter of body bytes that clients got from the store.
pub const SERVED_BYTES: &str = "weir_response_cache_served_bytes_total";
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
/// Response-code details of a stale answer that is being refreshed.
pub const DETAILS_STALE: &str = "weir_cache_stale";
/// Response-code details of a stale answer in place of an error.
pub const DETAILS_STALE_IF_ERROR: &str = "weir_cache_stale_if_error";
/// Response-code details of an answer from the store that the origin has just confirmed.
pub const DETAILS_REVALIDATED: &str = "weir_cache_revalidated";
/// Response-code details of an answer from the store that another request has just brought.
pub const DETAILS_COLLAPSED: &str = "weir_cache_collapsed";
/// Response-code details of an answer to an operator.
pub const DETAILS_OPERATIONS: &str = "weir_operations";
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
    /// Answered from the store with a stale response, which is being refreshed.
    StaleHit,
    /// Waited for another request's response, and was answered with it.
    Collapsed,
    /// Nothing stored for this URI.
    Miss,
    /// Something stored for this URI, but for requests of other header values.
    VaryMiss,
    /// The stored response is no longer fresh, or must be validated.
    Stale,
    /// The request itself refuses what is stored.
    Request,
    /// Neither GET nor HEAD.
    Method,
    /// Not for the cache: no rule, a body, a condition for the origin.
    Bypass,
    /// `only-if-cached`, and nothing usable stored: answered with 504.
    OnlyIfCached,
    /// The cache's own request: a refresh or a warming.
    Background,
    /// An operator's request, answered here.
    Operations,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 12] = [
        Self::Hit,
        Self::StaleHit,
        Self::Collapsed,
        Self::Miss,
        Self::VaryMiss,
        Self::Stale,
        Self::Request,
        Self::Method,
        Self::Bypass,
        Self::OnlyIfCached,
        Self::Background,
        Self::Operations,
    ];

    /// The word in metrics and in the decision record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::StaleHit => "stale_hit",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::VaryMiss => "vary_miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Method => "method",
            Self::Bypass => "bypass",
            Self::OnlyIfCached => "only_if_cached",
            Self::Background => "background",
            Self::Operations => "operations",
        }
    }

    /// Why the request was forwarded, in the words of RFC 9211, section 2.2.
    pub const fn forward_reason(self) -> &'static str {
        match self {
            Self::Miss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request | Self::Background => "request",
            Self::Method => "method",
            Self::Hit
            | Self::StaleHit
            | Self::Collapsed
            | Self::Bypass
            | Self::OnlyIfCached
            | Self::Operations => "bypass",
        }
    }
}

/// What a validation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// 304: what is stored is good.
    NotModified,
    /// Another response.
    Replaced,
    /// An error, or nothing.
    Failed,
}

impl Validation {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::NotModified, Self::Replaced, Self::Failed];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotModified => "not_modified",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

/// Why a stale response was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It is being refreshed, or the client takes stale ones.
    Revalidating,
    /// The origin failed.
    Error,
}

impl Staleness {
    /// Both reasons.
    pub const ALL: [Self; 2] = [Self::Revalidating, Self::Error];

    /// The word in metrics and in the decision record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revalidating => "revalidating",
            Self::Error => "stale_if_error",
        }
    }
}

/// What came of a background request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// It was answered.
    Answered,
    /// It was answered with an error, or not at all.
    Failed,
    /// It was not made: too many were under way.
    Full,
}

impl Refresh {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Answered, Self::Failed, Self::Full];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Full => "full",
        }
    }
}

/// What came of waiting for another request's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It was the answer.
    Served,
    /// It was none for this request, which went on.
    Forwarded,
    /// It took too long, and this request went on.
    TimedOut,
}

impl Wait {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Served, Self::Forwarded, Self::TimedOut];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Forwarded => "forwarded",
            Self::TimedOut => "timed_out",
        }
    }
}

/// What a purge named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// A URL.
    Url,
    /// Tags.
    Tag,
    /// A prefix or a pattern.
    Pattern,
    /// A resource of the configuration.
    Resource,
    /// All that is stored.
    Everything,
}

impl Purged {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Url, Self::Tag, Self::Pattern, Self::Resource, Self::Everything];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Tag => "tag",
            Self::Pattern => "pattern",
            Self::Resource => "resource",
            Self::Everything => "everything",
        }
    }
}

/// Why a response was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Not the answer to a GET.
    Method,
    /// A status that is not stored, such as 206 or 429.
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
    /// Its lifetime is the rule's, and the request has a cookie: its answer may be made for one user.
    Cookie,
    /// Its lifetime is over already, and it is of no use stale.
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
    /// The request has a field that services answer by and no key knows, such as `x-forwarded-host`.
    Guarded,
    /// More tags, or longer ones, than are kept: it could not be purged.
    Tags,
    /// The shared store was not to be had.
    Store,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 22] = [
        Self::Method,
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::NoCache,
        Self::Malformed,
        Self::NoLifetime,
        Self::NotPlain,
        Self::Cookie,
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
        Self::Guarded,
        Self::Tags,
        Self::Store,
    ];

    /// Whether the request is to blame, and another one's response may be stored.
    pub const fn is_of_request(self) -> bool {
        matches!(self, Self::Cookie | Self::NotPlain | Self::Guarded | Self::Authorization)
    }

    /// The word in metrics, and the `detail` of `Cache-Status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no_store",
            Self::Private => "private",
            Self::NoCache => "no_cache",
            Self::Malformed => "malformed",
            Self::NoLifetime => "no_lifetime",
            Self::NotPlain => "not_plain",
            Self::Cookie => "cookie",
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
            Self::Guarded => "guarded",
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
