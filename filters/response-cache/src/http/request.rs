//! What the cache wants to know of a request, read in one pass over its headers.
//!
//! **Source**: RFC 9111 sections 4 and 5.2.1, 5.4 (Pragma); RFC 9110 sections 7.8 (Upgrade), 9.2.1 (safe methods),
//! 13.1 (conditions), 14.2 (Range).

use kit::headers::Headers;

use crate::http::directives::RequestDirectives;
use crate::signals::Decision;

/// The facts of one request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// What it says about caches.
    pub directives: RequestDirectives,
    /// It carries `Authorization`.
    pub authorized: bool,
    /// It carries `Cookie`.
    pub has_cookie: bool,
    /// It asks for a part (`Range`): the answer may be one.
    pub has_range: bool,
    /// It states a condition that a cache may judge: `If-None-Match`, `If-Modified-Since`.
    pub has_condition: bool,
    /// It states a condition that only the origin may judge: `If-Match`, `If-Unmodified-Since` (RFC 9111, 4.3.2).
    pub origin_condition: bool,
    /// The scheme that the origin is told by `x-forwarded-proto`, else as it came; empty if there is none.
    pub scheme: Vec<u8>,
    /// The authority as it came; empty if there is none.
    pub authority: Vec<u8>,
    /// Path and query as they came; empty if there are none.
    pub path: Vec<u8>,
    /// It asks to change the protocol, or speaks gRPC.
    pub other_protocol: bool,
}

/// What kind of method a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Asks for a representation.
    Get,
    /// Asks for its headers.
    Head,
    /// Changes nothing: OPTIONS, TRACE.
    Safe,
    /// A tunnel.
    Connect,
    /// May change something: every other method, known or not.
    #[default]
    Unsafe,
}

/// How a request is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Not HTTP as caches know it: nothing is read, written or added.
    Untouched,
    /// It goes to the upstream, and its response is not stored.
    Forward(Decision),
    /// The store is asked first.
    LookUp,
}

impl Request {
    /// Reads the facts.
    ///
    /// **Cost**: one pass, one allocation for each part of the URI.
    pub fn read(headers: &Headers) -> Self {
        let mut this = Self::default();
        let (mut n_cache_control, mut pragma) = (0_u32, false);
        for (name, value) in headers.iter() {
            match name {
                b":method" => this.method = method(value),
                b":scheme" if this.scheme.is_empty() => this.scheme = value.to_vec(),
                // What the origin is told: a client writes any scheme into the request line.
                b"x-forwarded-proto" if is_web_scheme(value) => this.scheme = value.to_vec(),
                b":authority" => this.authority = value.to_vec(),
                b":path" => this.path = value.to_vec(),
                b"cache-control" => {
                    n_cache_control = n_cache_control.saturating_add(1);
                    this.directives.read(value);
                }
                b"pragma" => pragma |= asks_no_cache(value),
                b"authorization" => this.authorized = true,
                b"cookie" => this.has_cookie = true,
                b"range" => this.has_range = true,
                b"if-none-match" | b"if-modified-since" => this.has_condition = true,
                b"upgrade" => this.other_protocol = true,
                b"content-type" => this.other_protocol |= is_grpc(value),
                b"if-match" | b"if-unmodified-since" => this.origin_condition = true,
                _ => {}
            }
        }
        // Pragma counts only where Cache-Control is missing (5.4).
        this.directives.no_cache |= pragma && n_cache_control == 0;
        this
    }

    /// How it is to be treated; `end` says that it has no body.
    pub const fn treatment(&self, end: bool) -> Treatment {
        match self.method {
            Method::Connect => Treatment::Untouched,
            _ if self.other_protocol => Treatment::Untouched,
            Method::Safe | Method::Unsafe => Treatment::Forward(Decision::Method),
            Method::Get | Method::Head => {
                let ineligible = self.origin_condition || !end;
                if ineligible { Treatment::Forward(Decision::Bypass) } else { Treatment::LookUp }
            }
        }
    }
}

/// Whether a content type is one of gRPC's.
pub fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

fn is_web_scheme(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"http") || value.eq_ignore_ascii_case(b"https")
}

/// Methods are case-sensitive (RFC 9110, 9.1).
const fn method(name: &[u8]) -> Method {
    match name {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"OPTIONS" | b"TRACE" => Method::Safe,
        b"CONNECT" => Method::Connect,
        _ => Method::Unsafe,
    }
}

/// Whether a `Pragma` has the one member that means something.
pub fn asks_no_cache(pragma: &[u8]) -> bool {
    crate::http::field::members(pragma).any(|member| member.eq_ignore_ascii_case(b"no-cache"))
}
