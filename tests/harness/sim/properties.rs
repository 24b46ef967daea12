//! Properties: which exist in which phase, and in which bytes.
//!
//! Source: section 5 of the measured facts. Numbers are 8 bytes, little-endian; absent is `NotFound`.

use super::exchange::{Exchange, Phase};
use super::status::Status;

/// The value at `path` (segments as the guest gave them) for a stream.
///
/// # Errors
/// [`Status::NotFound`] when there is none in this phase;
/// [`Status::SerializationFailure`] for a path that names a whole object without a byte form.
pub(crate) fn of_stream(stream: &Exchange, path: &[&[u8]], now: u64) -> Result<Vec<u8>, Status> {
    let [first, rest @ ..] = path else { return Err(Status::NotFound) };
    match *first {
        b"request" => request(stream, rest, now),
        b"response" => response(stream, rest, now),
        b"upstream" => upstream(stream, path),
        b"filter_state" | b"upstream_filter_state" if rest.is_empty() => {
            Err(Status::SerializationFailure)
        }
        b"filter_state" => {
            let name = rest.first().and_then(|name| name.strip_prefix(b"wasm."));
            name.and_then(|name| stream.filter_state.get(name)).cloned().ok_or(Status::NotFound)
        }
        b"xds" if rest.first() == Some(&b"upstream_host_metadata".as_slice()) => {
            upstream(stream, path)
        }
        _ => given(stream, path)
            .or_else(|_| stream.filter_state.get(*first).cloned().ok_or(Status::NotFound)),
    }
}

fn request(stream: &Exchange, rest: &[&[u8]], now: u64) -> Result<Vec<u8>, Status> {
    let headers = || stream.map(0).map_err(|_| Status::NotFound);
    let named = |name: &str| headers()?.get(name).map(<[u8]>::to_vec).ok_or(Status::NotFound);
    let side = &stream.request;
    match rest {
        [b"path"] => named(":path"),
        [b"url_path"] => named(":path").map(|path| split_query(&path).0.to_vec()),
        [b"query"] => named(":path").map(|path| split_query(&path).1.to_vec()),
        [b"host"] => named(":authority"),
        [b"method"] => named(":method"),
        [b"scheme"] => named(":scheme"),
        [b"id"] => named("x-request-id"),
        [b"useragent"] => named("user-agent"),
        [b"referer"] => named("referer"),
        [b"headers", name] => {
            headers()?.get(name.to_ascii_lowercase()).map(<[u8]>::to_vec).ok_or(Status::NotFound)
        }
        [b"size"] => Ok(size(stream).to_le_bytes().to_vec()),
        [b"total_size"] => {
            let total = size(stream).saturating_add(side.headers.bytes() as u64);
            Ok(total.to_le_bytes().to_vec())
        }
        [b"duration"] if stream.phase >= Phase::Log => {
            Ok(now.saturating_sub(stream.started).to_le_bytes().to_vec())
        }
        [b"duration"] => Err(Status::NotFound),
        _ => given(stream, &[&[b"request".as_slice()], rest].concat()),
    }
}

/// The request's body size: what content-length says until the body has arrived.
fn size(stream: &Exchange) -> u64 {
    let promised = stream.request.headers.text("content-length").and_then(|n| n.parse().ok());
    if stream.request.arrived > 0 { stream.request.arrived } else { promised.unwrap_or(0) }
}

fn response(stream: &Exchange, rest: &[&[u8]], now: u64) -> Result<Vec<u8>, Status> {
    let begun = stream.phase >= Phase::ResponseHeaders;
    let side = &stream.response;
    match rest {
        [b"code"] if begun => {
            let status = stream.status().ok_or(Status::NotFound)?;
            Ok(i64::from(status).to_le_bytes().to_vec())
        }
        [b"code_details"] if begun && !stream.details.is_empty() => {
            Ok(stream.details.clone().into_bytes())
        }
        [b"flags"] => Ok(stream.flags.to_le_bytes().to_vec()),
        [b"grpc_status"] if begun => {
            let named = side.headers.text("grpc-status").and_then(|code| code.parse().ok());
            let status = stream.status().ok_or(Status::NotFound)?;
            Ok(named.unwrap_or_else(|| grpc_of(status)).to_le_bytes().to_vec())
        }
        [b"headers", name] => {
            let headers = stream.map(2).map_err(|_| Status::NotFound)?;
            headers.get(name.to_ascii_lowercase()).map(<[u8]>::to_vec).ok_or(Status::NotFound)
        }
        [b"size"] => Ok(side.arrived.to_le_bytes().to_vec()),
        [b"total_size"] => {
            let headers = if begun { side.headers.bytes() as u64 } else { 0 };
            Ok(side.arrived.saturating_add(headers).to_le_bytes().to_vec())
        }
        [b"backend_latency"] if stream.forwarded && (side.end || stream.phase >= Phase::Log) => {
            Ok(now.saturating_sub(stream.started).to_le_bytes().to_vec())
        }
        _ => Err(Status::NotFound),
    }
}

fn upstream(stream: &Exchange, path: &[&[u8]]) -> Result<Vec<u8>, Status> {
    let chosen = stream.forwarded && stream.phase >= Phase::ResponseHeaders;
    match path {
        [b"upstream", b"request_attempt_count"] => Ok(u64::from(chosen).to_le_bytes().to_vec()),
        _ if chosen => given(stream, path),
        _ => Err(Status::NotFound),
    }
}

fn given(stream: &Exchange, path: &[&[u8]]) -> Result<Vec<u8>, Status> {
    let key = path.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("|");
    stream.properties.get(&key).cloned().ok_or(Status::NotFound)
}

fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    let path = path.split(|byte| *byte == b'#').next().unwrap_or_default();
    match path.iter().position(|byte| *byte == b'?') {
        Some(mark) => {
            (path.get(..mark).unwrap_or_default(), path.get(mark + 1..).unwrap_or_default())
        }
        None => (path, b""),
    }
}

/// The gRPC status that Envoy derives from an HTTP status.
pub(crate) fn grpc_of(status: u16) -> i64 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::*;

    /// Which of the paths have a value in a phase, as the table of the measured facts has them.
    fn available(phase: Phase, paths: &[&str]) -> Vec<bool> {
        let request = Request::get("/a?b=c").property("xds|upstream_host_metadata", b"m");
        let mut stream = Exchange::new(1, &request, 0);
        stream.phase = phase;
        stream.request.headers_open = phase == Phase::RequestHeaders;
        stream.response.headers_open = phase == Phase::ResponseHeaders;
        stream.response.headers.set(b":status", b"200");
        stream.forwarded = true;
        "via_upstream".clone_into(&mut stream.details);
        let value = |path: &&str| {
            let path: Vec<&[u8]> = path.split('|').map(str::as_bytes).collect();
            of_stream(&stream, &path, 5).is_ok()
        };
        paths.iter().map(value).collect()
    }

    #[test]
    fn properties_come_and_go_with_the_phases() {
        let paths = [
            "source|address",
            "xds|route_name",
            "request|path",
            "request|headers|user-agent",
            "request|duration",
            "response|code",
            "response|code_details",
            "response|headers|:status",
            "upstream|address",
            "xds|upstream_host_metadata",
            "route_name",
        ];
        let table = [
            (Phase::RequestHeaders, "11110000000"),
            (Phase::ResponseHeaders, "11000111110"),
            (Phase::ResponseBody, "11000110110"),
            (Phase::Log, "11111111110"),
            (Phase::Done, "11001110110"),
        ];
        for (phase, expected) in table {
            let expected: Vec<bool> = expected.chars().map(|mark| mark == '1').collect();
            assert_eq!(available(phase, &paths), expected, "{phase:?}: {paths:?}");
        }
    }

    #[test]
    fn numbers_are_eight_bytes_little_endian_and_whole_objects_have_no_bytes() {
        let mut stream = Exchange::new(1, &Request::get("/a?b=c#d"), 0);
        stream.phase = Phase::ResponseHeaders;
        stream.response.headers.set(b":status", b"429");
        let code = of_stream(&stream, &[b"response", b"code"], 0);
        assert_eq!(code, Ok(429_i64.to_le_bytes().to_vec()));
        assert_eq!(of_stream(&stream, &[b"filter_state"], 0), Err(Status::SerializationFailure));
        stream.phase = Phase::Log;
        assert_eq!(of_stream(&stream, &[b"request", b"query"], 0), Ok(b"b=c".to_vec()));
        assert_eq!(of_stream(&stream, &[b"request", b"url_path"], 0), Ok(b"/a".to_vec()));
    }

    #[test]
    fn what_a_filter_set_is_found_by_its_name_and_under_filter_state() {
        let mut stream = Exchange::new(1, &Request::get("/"), 0);
        stream.filter_state.insert(b"mine".to_vec(), b"1".to_vec());
        assert_eq!(of_stream(&stream, &[b"mine"], 0), Ok(b"1".to_vec()));
        assert_eq!(of_stream(&stream, &[b"filter_state", b"wasm.mine"], 0), Ok(b"1".to_vec()));
        assert_eq!(of_stream(&stream, &[b"filter_state", b"mine"], 0), Err(Status::NotFound));
    }
}
