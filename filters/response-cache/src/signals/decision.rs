//! What is decided about requests.

/// What was decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Answered from the store.
    Hit,
    /// Answered from the store with a stale response, which is being refreshed.
    StaleHit,
    /// Answered from the store with an error of the service, fresh or stale, or as another request has brought it.
    ErrorHit,
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
    pub const ALL: [Self; 13] = [
        Self::Hit,
        Self::StaleHit,
        Self::ErrorHit,
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
            Self::ErrorHit => "error_hit",
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
            | Self::ErrorHit
            | Self::Collapsed
            | Self::Bypass
            | Self::OnlyIfCached
            | Self::Operations => "bypass",
        }
    }
}
