//! Why responses are not stored.

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
    /// The lifetime would be the rule's, but not for such a request: its answer may be made for it alone.
    NotPlain,
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
    /// `fill_memory` was in use; also, once for each, what is stored and could not be kept at hand for that.
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
    pub const ALL: [Self; 21] = [
        Self::Method,
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
        Self::Guarded,
        Self::Tags,
        Self::Store,
    ];

    /// Whether the request is to blame, and another one's response may be stored.
    pub const fn is_of_request(self) -> bool {
        matches!(self, Self::NotPlain | Self::Guarded | Self::Authorization)
    }

    /// Whether the moment is to blame, and the same response may be stored the next time.
    pub const fn is_of_moment(self) -> bool {
        matches!(self, Self::Invalidated | Self::FillMemory | Self::Incomplete | Self::Store)
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
