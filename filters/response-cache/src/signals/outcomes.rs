//! What comes of everything else that is counted.

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
    /// It was answered, and the answer was stored.
    Answered,
    /// It was answered, and the answer was not stored: the next request goes to the origin itself.
    NotStored,
    /// It did not come to this filter, such as for want of the cluster: likewise.
    Unreached,
    /// It was answered with an error, or not at all.
    Failed,
    /// It was not made: too many were under way.
    Full,
}

impl Refresh {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::NotStored, Self::Unreached, Self::Failed, Self::Full];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotStored => "not_stored",
            Self::Unreached => "unreached",
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
