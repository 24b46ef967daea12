//! Plays exchanges against the filter on the in-memory host.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use kit::exchange::{Attribute, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::{Filter, Flow, Nanos, Reply, config};
use weir_response_cache::{ResponseCache, Stream};

pub const T0: Nanos = Nanos::from_secs(1_000);
pub const MAX_AGE: &[(&str, &str)] =
    &[("cache-control", "max-age=60"), ("content-type", "text/plain")];

pub fn worker(host: &FakeHost, text: &str) -> ResponseCache {
    let config = config::load("response-cache", text.as_bytes(), ResponseCache::read).unwrap();
    ResponseCache::new(config, host)
}

pub fn setup() -> (FakeHost, ResponseCache) {
    let host = FakeHost::default();
    host.set_now(T0);
    host.set_wall(Nanos::from_secs(784_111_777));
    let cache = worker(
        &host,
        r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "64KiB", "fill_memory": "1MiB"}"#,
    );
    (host, cache)
}

/// One exchange that is under way.
pub struct Run<'a> {
    pub cache: &'a ResponseCache,
    pub x: FakeExchange,
    pub stream: Stream,
    pub flow: Flow,
}

impl<'a> Run<'a> {
    pub fn request(cache: &'a ResponseCache, x: FakeExchange) -> Self {
        let mut stream = Stream::default();
        let flow = cache.on_request_headers(&mut stream, &x, true);
        Self { cache, x, stream, flow }
    }

    pub fn get(
        cache: &'a ResponseCache,
        host: &FakeHost,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        Self::request(cache, FakeExchange::get(host, path, headers))
    }

    pub fn method(cache: &'a ResponseCache, host: &FakeHost, method: &str, path: &str) -> Self {
        let request = [
            (":method", method),
            (":path", path),
            (":authority", "example.com"),
            (":scheme", "https"),
        ];
        Self::request(cache, FakeExchange::new(host, &request))
    }

    pub fn headers(&mut self, status: &str, headers: &[(&str, &str)], details: &str, end: bool) {
        let mut all = vec![(":status", status)];
        all.extend_from_slice(headers);
        self.x.set_map(Map::Response, Headers::new(&all));
        self.x.set_attribute(Attribute::ResponseDetails, details.as_bytes());
        assert_eq!(self.cache.on_response_headers(&mut self.stream, &self.x, end), Flow::Continue);
    }

    pub fn chunk(&mut self, chunk: &[u8], end: bool) {
        self.x.set_body(chunk);
        assert_eq!(
            self.cache.on_response_body(&mut self.stream, &self.x, chunk.len(), end),
            Flow::Continue
        );
    }

    /// The upstream answers, in one chunk and an empty last one, as HTTP/1 does.
    pub fn answer(mut self, status: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        self.headers(status, headers, "via_upstream", false);
        self.chunk(body, false);
        self.chunk(b"", true);
        self.status()
    }

    /// The `Cache-Status` that this filter added.
    pub fn status(&self) -> String {
        String::from_utf8(
            kit::Exchange::response(&self.x)
                .all("cache-status")
                .last()
                .unwrap_or_default()
                .to_vec(),
        )
        .unwrap()
    }

    pub fn reply(mut self) -> Reply {
        match std::mem::replace(&mut self.flow, Flow::Continue) {
            Flow::Reply(reply) => *reply,
            Flow::Continue | Flow::Pause => panic!("forwarded, not answered"),
        }
    }

    /// It waits for the response to another request.
    pub fn waits(&self) -> bool {
        self.flow == Flow::Pause
    }

    /// The host wakes it.
    pub fn wake(&mut self) {
        self.flow = self.cache.on_wake(&mut self.stream, &self.x);
    }

    /// The client leaves; the timer has not fired since.
    pub fn abort(mut self) {
        self.stream = Stream::default();
    }

    pub fn is_forwarded(&self) -> bool {
        self.flow == Flow::Continue
    }
}

/// An exchange that ends before its answer: the client leaves, and the timer fires.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !matches!(self.stream, Stream::Untouched | Stream::Answered(_)) {
            self.stream = Stream::default();
            self.cache.on_tick(&self.x.host);
        }
    }
}

pub fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let (_, value) = reply.headers.iter().find(|(found, _)| found == name)?;
    std::str::from_utf8(value).ok()
}

pub fn count(host: &FakeHost, name: &str) -> i64 {
    host.metric(&format!("weir_response_cache_{name}")).unwrap()
}
