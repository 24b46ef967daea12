//! The closed sets that label values come from.

/// The request's method.
///
/// **Source**: RFC 9110, section 9, and RFC 5789 for `PATCH`: the methods that OpenTelemetry knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Method {
    /// `CONNECT`.
    Connect,
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
    /// `PATCH`.
    Patch,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `TRACE`.
    Trace,
    /// Any other: a client may invent methods without end.
    Other,
    /// The request was so broken that Envoy knows of no method.
    #[default]
    None,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 11] = [
        Self::Connect,
        Self::Delete,
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Patch,
        Self::Post,
        Self::Put,
        Self::Trace,
        Self::Other,
        Self::None,
    ];

    /// The method of these bytes. Methods are case-sensitive.
    pub fn of(method: Option<&[u8]>) -> Self {
        match method {
            Some(b"CONNECT") => Self::Connect,
            Some(b"DELETE") => Self::Delete,
            Some(b"GET") => Self::Get,
            Some(b"HEAD") => Self::Head,
            Some(b"OPTIONS") => Self::Options,
            Some(b"PATCH") => Self::Patch,
            Some(b"POST") => Self::Post,
            Some(b"PUT") => Self::Put,
            Some(b"TRACE") => Self::Trace,
            None | Some(b"") => Self::None,
            Some(_) => Self::Other,
        }
    }

    /// The value of the label `method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
            Self::Other => "_OTHER",
            Self::None => "_none",
        }
    }
}

/// The class of the status that was sent: RFC 9110, section 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing was sent: the client left, or spoke no HTTP.
    None,
    /// 1xx, such as 101 of a WebSocket.
    Informational,
    /// 2xx.
    Successful,
    /// 3xx.
    Redirection,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// A number that HTTP gives no meaning, such as 999.
    Other,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Informational,
        Self::Successful,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
        Self::Other,
    ];

    /// The class of a status, zero for none.
    pub const fn of(status: u64) -> Self {
        match status {
            0 => Self::None,
            100..=199 => Self::Informational,
            200..=299 => Self::Successful,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }

    /// The value of the label `class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Successful => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Other => "_other",
        }
    }
}

/// Who gave the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Answerer {
    /// The upstream.
    Upstream,
    /// A filter of Weir: a limit, a cached response, an open breaker.
    Weir,
    /// Envoy itself, or another filter of its chain.
    Envoy,
    /// Nobody: no status was sent.
    #[default]
    Nobody,
}

impl Answerer {
    /// Everybody.
    pub const ALL: [Self; 4] = [Self::Upstream, Self::Weir, Self::Envoy, Self::Nobody];

    /// The value of the label `from`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Weir => "weir",
            Self::Envoy => "envoy",
            Self::Nobody => "none",
        }
    }
}

/// What became of a request: exactly one of these, so that they add up to all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Outcome {
    /// The limiter refused it.
    Limited,
    /// The cache answered, with a stored response that is good.
    Hit,
    /// The cache answered, with a stored response that is too old.
    Stale,
    /// The breaker refused it: open, shedding, or probing with others.
    Refused,
    /// It went to the upstream, whatever came of it.
    Upstream,
    /// Envoy or a filter that is not ours answered, and no upstream was asked.
    Local,
    /// The client left before its answer was complete.
    #[default]
    Aborted,
}

impl Outcome {
    /// Every outcome, in the order of their metrics.
    pub const ALL: [Self; 7] = [
        Self::Limited,
        Self::Hit,
        Self::Stale,
        Self::Refused,
        Self::Upstream,
        Self::Local,
        Self::Aborted,
    ];

    /// The value of the label `outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Upstream => "upstream",
            Self::Local => "local",
            Self::Aborted => "aborted",
        }
    }
}
