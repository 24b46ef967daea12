//! What a field of a request may do to the answer: nothing, something that services forget to name in `Vary`, or who
//! knows.
//!
//! A service that builds its answer from a field that no key and no `Vary` names has its answer stored for everybody:
//! whoever sends the field poisons the cache. No list of such fields is ever complete, so they are told by families,
//! by how names begin and by what they end with. Names are compared as CGI has them, where `_` and `-` are one.
//!
//! **Source**: the unkeyed inputs of Kettle, "Practical Web Cache Poisoning" (2018) and "Web Cache Entanglement" (2020);
//! RFC 7239 (`Forwarded`); RFC 3875, 4.1.18 (names of fields in CGI); W3C Trace Context and Baggage; RFC 8586 (`CDN-Loop`).

use std::borrow::Cow;

use kit::headers::Headers;

/// Fields that the operator knows, beside those that are known here; lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownFields {
    /// They change no answer, or the key has them; with `*` at the end all that begin so.
    pub neutral: Vec<String>,
    /// Services answer by them; with `*` at the end all that begin so.
    pub dangerous: Vec<String>,
}

impl KnownFields {
    /// Whether a field changes no answer: of the message, of the connection, of tracing, and what every browser sends.
    /// The client's address, program and referring page are among them, and all that filters of Weir add.
    pub fn is_neutral(&self, name: &[u8]) -> bool {
        !named(&self.dangerous, name) && (named(&self.neutral, name) || is_neutral(name))
    }

    /// Whether services answer by this field and forget to name it in `Vary`.
    ///
    /// One that says no more than the request itself does is harmless: the authority, as it goes on, in `X-Forwarded-Host`,
    /// the scheme that Envoy has set, an address in `Forwarded`.
    pub fn is_dangerous(&self, name: &[u8], value: &[u8], authority: &[u8]) -> bool {
        if named(&self.neutral, name) {
            return false;
        }
        named(&self.dangerous, name)
            || (is_dangerous(name) && !is_redundant(name, value, authority))
    }

    /// Whether a request shows who it comes from by a field other than `Authorization` and `Cookie`, such as an API key.
    pub fn show_credentials(&self, request: &Headers) -> bool {
        request.iter().any(|(name, _)| is_credential(name) && !named(&self.neutral, name))
    }
}

/// Whether a name is listed.
fn named(list: &[String], name: &[u8]) -> bool {
    list.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => listed.as_bytes() == name,
    })
}

/// Families of fields that change no answer.
const NEUTRAL_STARTS: [&[u8]; 11] = [
    b"sec-fetch-",
    b"sec-ch-",
    b"x-amzn-trace-",
    b"x-b3-",
    b"x-datadog-",
    b"x-envoy-",
    b"x-ot-span-",
    b"x-ot-trace-",
    b"uberctx-",
    // All that filters of Weir add to a request, such as that a limit is near.
    b"x-weir-",
    b"elastic-apm-",
];

fn is_neutral(name: &[u8]) -> bool {
    NEUTRAL_STARTS.iter().any(|start| name.starts_with(start))
        || matches!(
            name,
            b":method"
                | b":scheme"
                | b":authority"
                | b"b3"
                | b"baggage"
                | b"cache-control"
                | b"cdn-loop"
                | b"cf-connecting-ip"
                | b"cf-connecting-ipv6"
                | b"cf-ew-via"
                | b"cf-ray"
                | b"connection"
                | b"content-length"
                | b"correlation-id"
                | b"date"
                | b"dnt"
                | b"fastly-client-ip"
                | b"grpc-trace-bin"
                | b"host"
                | b"if-modified-since"
                | b"if-none-match"
                | b"keep-alive"
                | b"newrelic"
                | b"pragma"
                | b"priority"
                | b"proxy-connection"
                | b"referer"
                | b"request-id"
                | b"sec-gpc"
                | b"sentry-trace"
                | b"te"
                | b"traceparent"
                | b"tracestate"
                | b"true-client-ip"
                | b"uber-trace-id"
                | b"upgrade-insecure-requests"
                | b"user-agent"
                | b"via"
                | b"x-amz-cf-id"
                | b"x-azure-ref"
                | b"x-client-ip"
                | b"x-client-trace-id"
                | b"x-cloud-trace-context"
                | b"x-cluster-client-ip"
                | b"x-correlation-id"
                | b"x-forwarded-by"
                | b"x-forwarded-for"
                | b"x-forwarded-server"
                | b"x-parent-id"
                | b"x-queue-start"
                | b"x-real-ip"
                | b"x-request-id"
                | b"x-request-start"
                | b"x-span-id"
                | b"x-trace-id"
        )
}

/// Families of fields that say where a request was meant to go, or how, by how their names begin.
const DANGEROUS_STARTS: [&[u8]; 12] = [
    // Which scheme the client used.
    b"cf-visitor",
    b"front-end-https",
    b"x-forwarded",
    b"x-backend-",
    b"x-http-",
    b"x-invoke-",
    b"x-matched-",
    b"x-middleware-",
    b"x-now-route-",
    b"x-original-",
    b"x-real-host",
    b"x-rewrite-",
];

/// The same by the last word of names that begin with `x-`.
const DANGEROUS_ENDS: [&[u8]; 18] = [
    b"authority",
    b"base",
    b"basepath",
    b"host",
    b"hostname",
    b"https",
    b"override",
    b"path",
    b"port",
    b"prefix",
    b"proto",
    b"protocol",
    b"rewrite",
    b"scheme",
    b"ssl",
    b"uri",
    b"url",
    b"method",
];

fn is_dangerous(name: &[u8]) -> bool {
    // Envoy and Weir set their own, and take them from clients.
    if is_neutral(name) {
        return false;
    }
    let name = hyphenated(name);
    let last = name.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
    *name == *b"forwarded"
        || DANGEROUS_STARTS.iter().any(|start| name.starts_with(start))
        || (name.starts_with(b"x-") && DANGEROUS_ENDS.contains(&last))
}

/// Whether the field says only what the request says anyway.
fn is_redundant(name: &[u8], value: &[u8], authority: &[u8]) -> bool {
    match name {
        b"x-forwarded-host" => value == authority,
        // Envoy sets it; the key has it where it is a scheme of the web.
        b"x-forwarded-proto" => {
            value.eq_ignore_ascii_case(b"http") || value.eq_ignore_ascii_case(b"https")
        }
        b"forwarded" => {
            let value = value.to_ascii_lowercase();
            ![&b"host"[..], b"proto"]
                .iter()
                .any(|part| value.windows(part.len()).any(|found| found == *part))
        }
        _ => false,
    }
}

/// Whether services know their users by this field.
fn is_credential(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 7] =
        [b"-key", b"apikey", b"-token", b"-secret", b"-session", b"-assertion", b"-principal"];
    const STARTS: [&[u8]; 9] = [
        b"x-auth",
        b"x-user",
        b"x-remote-user",
        b"remote-user",
        b"x-session",
        b"x-amzn-oidc-",
        b"x-forwarded-client-cert",
        b"x-ssl-client-",
        b"ssl-client-",
    ];
    if is_neutral(name) || name == b"sec-websocket-key" {
        return false;
    }
    let name = hyphenated(name);
    ENDS.iter().any(|end| name.ends_with(end)) || STARTS.iter().any(|start| name.starts_with(start))
}

/// A name as CGI would have it from others.
fn hyphenated(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'_') {
        return Cow::Borrowed(name);
    }
    name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn families_are_told_by_their_names() {
        let known = KnownFields::default();
        for name in [
            "forwarded",
            "x-forwarded-scheme",
            "x-forwarded-prefix",
            "x-forwarded-port",
            "x-forwarded-ssl",
            "x-forwarded-path",
            "x-forwarded-uri",
            "x-forwarded-protocol",
            "x-forwarded-host",
            "x_forwarded_host",
            "x-original-host",
            "x-original-uri",
            "x-original-url",
            "x-rewrite-url",
            "x-scheme",
            "x-url-scheme",
            "x-host",
            "front-end-https",
            "x-http-host-override",
            "x-http-method-override",
            "x-method-override",
            "x-http-method",
            "x-backend-host",
            "x-middleware-prefetch",
        ] {
            assert!(known.is_dangerous(name.as_bytes(), b"host=evil", b"a.test"), "{name}");
        }
        for name in
            ["x-forwarded-for", "x-forwarded-server", "x-color", "accept", "x-envoy-original-path"]
        {
            assert!(!known.is_dangerous(name.as_bytes(), b"evil", b"a.test"), "{name}");
        }
    }

    #[test]
    fn what_the_request_says_anyway_is_harmless() {
        let known = KnownFields::default();
        for (name, value, expected) in [
            ("x-forwarded-host", "a.test", false),
            ("x-forwarded-host", "A.test", true),
            ("x-forwarded-host", "a.test:80", true),
            ("x-forwarded-proto", "https", false),
            ("x-forwarded-proto", "evil", true),
            ("forwarded", "for=192.0.2.1;by=203.0.113.43", false),
            ("forwarded", "for=192.0.2.1;Host=evil", true),
        ] {
            let found = known.is_dangerous(name.as_bytes(), value.as_bytes(), b"a.test");
            assert_eq!(found, expected, "{name}: {value}");
        }
    }

    #[test]
    fn the_operator_knows_better() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let known = KnownFields {
            neutral: list(&["x-original-host", "x-app-*"]),
            dangerous: list(&["x-tenant", "x-b3-flags"]),
        };
        assert!(known.is_dangerous(b"x-tenant", b"", b""));
        assert!(!known.is_dangerous(b"x-original-host", b"", b""));
        assert!(known.is_neutral(b"x-app-version") && !known.is_neutral(b"x-apple"));
        assert!(!known.is_neutral(b"x-b3-flags"));
    }

    #[test]
    fn credentials_show_who_asks() {
        let known = KnownFields::default();
        for name in [
            "x-api-key",
            "api-key",
            "apikey",
            "private-token",
            "x-auth-user",
            "x_user_id",
            "cf-access-jwt-assertion",
        ] {
            assert!(known.show_credentials(&Headers::new(&[(name, "1")])), "{name}");
        }
        for name in ["accept", "x-weir-anything", "x-request-id", "sec-websocket-key"] {
            assert!(!known.show_credentials(&Headers::new(&[(name, "1")])), "{name}");
        }
    }
}
