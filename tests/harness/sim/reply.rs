//! How Envoy turns a filter's answer into a response.
//!
//! Source: `Utility::prepareLocalReply` of Envoy and section 4 of the measured facts.

use super::headers::Headers;
use super::outcome::{LocalReply, Received};
use super::properties::grpc_of;

/// Headers that Envoy sets itself, whatever a filter gives.
const OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "server"];

/// The response that the client gets for `reply`.
pub(crate) fn render(reply: &LocalReply, request: &Headers) -> Received {
    let status = u16::try_from(reply.status).unwrap_or(u16::MAX);
    let is_grpc =
        request.get("content-type").is_some_and(|value| value.starts_with(b"application/grpc"));
    if is_grpc { grpc(reply, status) } else { http(reply, status, request) }
}

fn http(reply: &LocalReply, status: u16, request: &Headers) -> Received {
    let mut headers = given(reply, status);
    let bodiless = reply.body.is_empty();
    if bodiless {
        headers.remove(b"content-type");
    } else if headers.get("content-type").is_none() {
        headers.add(b"content-type", b"text/plain");
    }
    if !bodiless || !matches!(status, 204 | 304) {
        headers.add(b"content-length", reply.body.len().to_string().as_bytes());
    }
    let head = request.get(":method") == Some(b"HEAD");
    let body = if head { Vec::new() } else { reply.body.clone() };
    Received { status, headers, body, trailers: Headers::new() }
}

/// A gRPC client gets 200 with the status in headers; the body becomes the message.
fn grpc(reply: &LocalReply, status: u16) -> Received {
    let mut headers = given(reply, 200);
    headers.set(b"content-type", b"application/grpc");
    let code = reply.grpc.map_or_else(|| grpc_of(status), i64::from);
    headers.add(b"grpc-status", code.to_string().as_bytes());
    if !reply.body.is_empty() {
        headers.add(b"grpc-message", &reply.body);
    }
    Received { status: 200, headers, body: Vec::new(), trailers: Headers::new() }
}

fn given(reply: &LocalReply, status: u16) -> Headers {
    let mut headers = Headers::of([(":status", status.to_string())]);
    let kept =
        |name: &[u8]| !name.starts_with(b":") && OWN.iter().all(|own| own.as_bytes() != name);
    for (name, value) in reply.headers.iter().filter(|(name, _)| kept(name)) {
        headers.add(name, value);
    }
    headers.add(b"server", b"envoy");
    headers
}

/// What a client gets when the VM that its stream lives in is lost.
pub(crate) fn failed() -> Received {
    let headers = Headers::of([(":status", "503"), ("content-length", "0"), ("server", "envoy")]);
    Received { status: 503, headers, body: Vec::new(), trailers: Headers::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u32, body: &str) -> LocalReply {
        let headers = Headers::of([("content-length", "99"), ("date", "now"), ("x-a", "1")]);
        LocalReply { status, headers, body: body.into(), details: String::new(), grpc: None }
    }

    #[test]
    fn envoy_computes_the_length_and_keeps_the_date() {
        let got = render(&reply(429, "slow"), &Headers::of([(":method", "GET")]));
        assert_eq!(got.headers.all("content-length"), [b"4"]);
        assert_eq!(got.headers.text("date"), Some("now"));
        assert_eq!(got.headers.text("content-type"), Some("text/plain"));
    }

    #[test]
    fn a_head_request_gets_the_length_without_the_body() {
        let got = render(&reply(200, "body"), &Headers::of([(":method", "HEAD")]));
        assert_eq!((got.headers.text("content-length"), got.body.len()), (Some("4"), 0));
    }

    #[test]
    fn a_304_without_body_has_no_length() {
        let got = render(&reply(304, ""), &Headers::of([(":method", "GET")]));
        assert_eq!(got.headers.get("content-length"), None);
    }

    #[test]
    fn a_grpc_client_gets_the_status_in_headers() {
        let request = Headers::of([("content-type", "application/grpc+proto")]);
        let got = render(&reply(429, "slow"), &request);
        assert_eq!((got.status, got.headers.text("grpc-status")), (200, Some("14")));
        let own = LocalReply { grpc: Some(8), ..reply(429, "slow") };
        assert_eq!(render(&own, &request).headers.text("grpc-status"), Some("8"));
    }
}
