//! Requests and responses that no well-meaning peer sends, and the many that differ in everything.

use harness::sim::{Headers, Outcome, Request, Response, Stream, Upstream};

/// Requests by what is wrong with them.
pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let get = || Request::get("/a?b=c");
    let huge = "v".repeat(1 << 20);
    let mut bare = get();
    bare.headers = Headers::new();
    vec![
        ("nothing wrong", get()),
        ("a body", Request::new("POST", "/").chunk("x").chunk(vec![0xff; 70_000])),
        ("a value that is not UTF-8", get().header("x-api-key", b"\xff\xfe")),
        ("a name that is not UTF-8", get().header(b"\xffx", "1")),
        ("NULs in a value", get().header("cookie", b"a=\0\0;\0=b").header("x", b"\0")),
        (
            "a path that is not UTF-8",
            Request::get("/").without(":path").header(":path", b"/\xff\xfe?\xff=\xff"),
        ),
        ("1,000 headers", (0..1_000).fold(get(), |r, n| r.header(format!("x-{n}"), "v"))),
        ("the same header 1,000 times", (0..1_000).fold(get(), |r, _| r.header("cookie", "a=b"))),
        ("a huge value", get().header("x-huge", &huge)),
        ("a huge path", Request::get(&format!("/{huge}"))),
        ("a huge cookie", get().header("cookie", format!("a={huge}; ").repeat(2))),
        ("no authority", get().without(":authority")),
        ("no path", get().without(":path")),
        ("an empty path", Request::get("")),
        ("an empty method", Request::new("", "/")),
        ("a method nobody knows", Request::new("\u{1}X", "/")),
        ("no header at all", bare),
        ("CONNECT", Request::new("CONNECT", "host:443").without(":path")),
        ("broken percent signs", Request::get("/%zz/%2/%?%=%&%%=;")),
        ("dots and slashes", Request::get("//../..//./%2e%2e/;/..")),
        (
            "bad cache words",
            get().header("cache-control", b"max-age=\xff, max-age=99999999999999999999, =,;\""),
        ),
        (
            "bad dates",
            get().header("if-modified-since", "yesterday").header("if-none-match", "\"\\\""),
        ),
        ("bad ranges", get().header("range", "bytes=-,,-1-").header("if-range", "\"")),
        (
            "bad tracing",
            get().header("traceparent", b"\xff-0").header("authorization", b"Basic \xff"),
        ),
        ("gRPC", get().header("content-type", "application/grpc").header("te", "trailers")),
        ("no address", get().without_property("source|address")),
        ("an odd address", get().from("envoy://internal_client_address/")),
        ("an address that is not UTF-8", get().property("source|address", b"\xff:\xff")),
        ("IPv6", get().from("[2001:db8::1]:42290")),
        (
            "no route",
            ["xds|cluster_name", "xds|route_name", "xds|virtual_host_name"]
                .iter()
                .fold(get(), |r, path| r.without_property(path)),
        ),
        (
            "odd names of things",
            get().property("xds|cluster_name", b"\xff\0").property("xds|route_name", b"\xff;.=,"),
        ),
    ]
}

/// What can come back, by what is wrong with it.
pub(crate) fn upstreams() -> Vec<(&'static str, Upstream)> {
    let answer = |response: Response| Upstream::Answers(response);
    let cacheable = || Response::new(200, "body").header("cache-control", "max-age=60");
    let mut nameless = cacheable();
    nameless.headers = Headers::new();
    vec![
        ("an answer", Upstream::ok("ok")),
        ("a cacheable answer", answer(cacheable())),
        ("pieces and trailers", answer(cacheable().chunk("a").chunk("b").trailer("t", b"\xff"))),
        ("no status", answer(nameless)),
        ("an odd status", answer(cacheable().header(":status", "2x"))),
        (
            "values that are not UTF-8",
            answer(
                cacheable()
                    .header("etag", b"\xff")
                    .header("vary", b"\xff, x")
                    .header("expires", b"\xff\0"),
            ),
        ),
        (
            "numbers without end",
            answer(
                Response::new(200, "x")
                    .header("cache-control", "max-age=99999999999999999999, s-maxage=-1")
                    .header("age", "99999999999999999999")
                    .header("content-length", "nan"),
            ),
        ),
        (
            "vary on everything",
            answer((0..300).fold(cacheable(), |r, n| r.header("vary", format!("x-{n}")))),
        ),
        (
            "1,000 headers",
            answer((0..1_000).fold(cacheable(), |r, n| r.header(format!("x-{n}"), "v"))),
        ),
        ("a megabyte", answer(cacheable().chunk(vec![0; 1 << 20]))),
        ("less than promised", answer(cacheable().header("content-length", "1000000"))),
        ("204 with a body", answer(Response::new(204, "x"))),
        ("304", Upstream::status(304)),
        ("101", answer(Response::new(101, "").chunk("\u{81}").chunk("\u{82}"))),
        ("206", answer(Response::new(206, "p").header("content-range", "bytes 0-0/9"))),
        ("503", Upstream::status(503)),
        ("no healthy host", Upstream::NoHealthyHost),
        ("refused", Upstream::ConnectionRefused),
        ("reset", Upstream::Reset),
        ("timeout", Upstream::Timeout),
        ("the client left", Upstream::ClientLeaves),
    ]
}

/// A place where a stream can end.
type End = (&'static str, fn(Stream) -> Outcome);

/// Every place where a stream can end, Envoy's own answers among them.
pub(crate) const ENDS: [End; 6] = [
    ("never begun", |stream| stream.log_only(Response::new(403, "no"))),
    ("logged without a response", Stream::finish),
    ("after the request headers", |mut stream| {
        stream.request_headers();
        stream.finish()
    }),
    ("in the request body", |mut stream| {
        stream.request_headers();
        stream.request_body(b"half", false);
        stream.finish()
    }),
    ("after the response headers", |mut stream| {
        stream.request_headers();
        stream.response_headers(cacheable_head(), false);
        stream.finish()
    }),
    ("in the response body", |mut stream| {
        stream.request_headers();
        stream.response_headers(cacheable_head(), false);
        stream.response_body(b"half", false);
        stream.finish()
    }),
];

fn cacheable_head() -> Headers {
    Headers::of([(":status", "200"), ("cache-control", "max-age=60"), ("content-length", "100")])
}

/// Request number `turn` of very many: client, path and headers differ.
pub(crate) fn varied(turn: usize) -> Request {
    let method = ["GET", "GET", "GET", "HEAD", "POST"][turn % 5];
    let address = format!("10.{}.{}.{}:1", turn >> 16 & 255, turn >> 8 & 255, turn & 255);
    let request = Request::new(method, &format!("/{}?q={turn}", turn % 1_000)).from(&address);
    let request = request.header("x-api-key", turn.to_string());
    if turn.is_multiple_of(7) { request.header(format!("x-{turn}"), b"\xff") } else { request }
}

/// The answer to request number `turn`: some cacheable, some failures, some in pieces.
pub(crate) fn varied_answer(turn: usize) -> Upstream {
    let cacheable = || Response::new(200, "").header("cache-control", "max-age=60");
    match turn % 11 {
        0 => Upstream::status(404),
        1 if turn.is_multiple_of(3) => Upstream::Timeout,
        2 => Upstream::ClientLeaves,
        3 => Upstream::Answers(cacheable().chunk("piece").chunk("piece").trailer("t", "1")),
        4 => Upstream::Answers(cacheable().chunk(vec![b'x'; 4_096]).header("vary", "x-api-key")),
        _ => Upstream::Answers(cacheable().chunk("small")),
    }
}
