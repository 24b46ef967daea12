//! Scenarios that run on both hosts, the simulated one and a real Envoy, and must end alike.
//!
//! They keep the simulator honest: whatever it allows or refuses, Envoy must too.
//! A scenario is a filter with its configuration, and requests one after the other.

use serde_json::{Value, json};

/// One filter, and what happens to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The fact that it shows, as a sentence.
    pub name: &'static str,
    /// The filter's folder.
    pub filter: &'static str,
    /// Its configuration.
    pub configuration: Value,
    /// The requests, in their order.
    pub steps: Vec<Step>,
}

/// One request, what the origin would answer, and what must come of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub path: &'static str,
    /// Request headers besides those that every request has.
    pub headers: Vec<(&'static str, &'static [u8])>,
    /// The origin's answer, if it is asked.
    pub origin: Origin,
    /// What the client must see.
    pub expected: Expected,
}

/// An origin's answer.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The status.
    pub status: u16,
    /// Response headers besides the length.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: &'static str,
}

/// What a client sees, as far as both hosts can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The status.
    pub status: u16,
    /// Whether the origin was asked.
    pub forwarded: bool,
    /// The body.
    pub body: Body,
    /// Response headers that must be there with this value, or must not be there.
    pub headers: Vec<(&'static str, Option<&'static str>)>,
}

/// What is known of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is this text.
    Is(&'static str),
    /// It contains this text.
    Has(&'static str),
}

/// What a host showed; [`Step::check`] compares it with what is expected.
pub struct Seen<'a> {
    /// The status.
    pub status: u16,
    /// Whether the origin was asked.
    pub forwarded: bool,
    /// The body as text.
    pub body: String,
    /// Looks up a response header.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=600"), ("etag", "\"1\"")];

impl Origin {
    const fn new(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> Self {
        Self { status, headers, body }
    }
}

impl Step {
    fn new(method: &'static str, path: &'static str, origin: Origin) -> Self {
        let expected = Expected {
            status: origin.status,
            forwarded: true,
            body: Body::Is(origin.body),
            headers: Vec::new(),
        };
        Self { method, path, headers: Vec::new(), origin, expected }
    }

    fn get(path: &'static str) -> Self {
        Self::new("GET", path, Origin::new(200, &[], "plain"))
    }

    fn fresh(path: &'static str) -> Self {
        Self::new("GET", path, Origin::new(200, FRESH, "fresh"))
    }

    fn with(mut self, name: &'static str, value: &'static [u8]) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Expects an answer that did not come from the origin.
    fn own(mut self, status: u16, body: Body) -> Self {
        self.expected = Expected { status, forwarded: false, body, headers: Vec::new() };
        self
    }

    fn shows(mut self, name: &'static str, value: Option<&'static str>) -> Self {
        self.expected.headers.push((name, value));
        self
    }

    /// Compares what a host showed with what is expected.
    ///
    /// # Panics
    /// When they differ; `host` and `scenario` say where.
    pub fn check(&self, host: &str, scenario: &str, seen: &Seen<'_>) {
        let place = format!("{host}: {scenario}: {} {}", self.method, self.path);
        let expected = &self.expected;
        assert_eq!(
            (seen.status, seen.forwarded),
            (expected.status, expected.forwarded),
            "{place}: status, and whether the origin was asked"
        );
        match expected.body {
            Body::Is(text) => assert_eq!(seen.body, text, "{place}: body"),
            Body::Has(text) => {
                assert!(seen.body.contains(text), "{place}: {text:?} is not in {:?}", seen.body);
            }
        }
        for (name, value) in &expected.headers {
            assert_eq!((seen.header)(name).as_deref(), *value, "{place}: {name}");
        }
    }
}

/// All scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let one_an_hour = json!({"rules": [{"name": "one", "limits": [{"quota": 1, "window": "1h"}]}]});
    let two_in_a_row = json!({"rules": [{
        "name": "all", "consecutive": {"failures": 2}, "open": {"time": "1h", "max_time": "1h", "jitter": "0%"}
    }]});
    let failing = || Step::new("GET", "/", Origin::new(500, &[], "broken"));
    vec![
        Scenario {
            name: "the request after the last admitted one is answered 429",
            filter: "rate-limit",
            configuration: one_an_hour.clone(),
            steps: vec![
                Step::get("/").shows("retry-after", None),
                Step::get("/")
                    .own(429, Body::Has("Quota exceeded"))
                    .shows("retry-after", Some("3600"))
                    .shows("x-weir-rate-limit", Some("one"))
                    .shows("content-type", Some("application/problem+json"))
                    .shows("server", Some("envoy")),
            ],
        },
        Scenario {
            name: "a gRPC client is limited in its own words",
            filter: "rate-limit",
            configuration: one_an_hour,
            steps: vec![
                Step::get("/"),
                Step::new("POST", "/s/m", Origin::new(200, &[], ""))
                    .with("content-type", b"application/grpc")
                    .own(200, Body::Is(""))
                    .shows("grpc-status", Some("8"))
                    .shows("content-type", Some("application/grpc")),
            ],
        },
        Scenario {
            name: "a stored answer is served, to HEAD without its body, to who has it as 304",
            filter: "response-cache",
            configuration: json!({}),
            steps: vec![
                Step::fresh("/a").shows("age", None),
                Step::fresh("/a").own(200, Body::Is("fresh")).shows("content-length", Some("5")),
                Step::new("HEAD", "/a", Origin::new(200, FRESH, ""))
                    .own(200, Body::Is(""))
                    .shows("content-length", Some("5")),
                Step::fresh("/a")
                    .with("if-none-match", b"\"1\"")
                    .own(304, Body::Is(""))
                    .shows("etag", Some("\"1\""))
                    .shows("content-length", None),
                Step::fresh("/b"),
            ],
        },
        Scenario {
            name: "a header that is not UTF-8 passes and changes nothing",
            filter: "response-cache",
            configuration: json!({}),
            steps: vec![
                Step::fresh("/a").with("x-odd", b"\xff\xfe"),
                Step::fresh("/a").with("x-odd", b"\xff").own(200, Body::Is("fresh")),
            ],
        },
        Scenario {
            name: "two failures open the breaker for good",
            filter: "circuit-breaker",
            configuration: two_in_a_row,
            steps: vec![
                failing(),
                failing(),
                failing()
                    .own(503, Body::Has("\"reason\":\"open\""))
                    .shows("retry-after", Some("3600"))
                    .shows("x-weir-breaker", Some("all; reason=open")),
            ],
        },
        Scenario {
            name: "the gateway answers from the store before it asks the breaker",
            filter: "gateway",
            configuration: json!({
                "metrics": {},
                "response_cache": {},
                "circuit_breaker": {"rules": [{"name": "all", "consecutive": {"failures": 1}}]},
            }),
            steps: vec![
                Step::fresh("/a"),
                failing(),
                failing().own(503, Body::Has("open")),
                Step::fresh("/a").own(200, Body::Is("fresh")),
            ],
        },
    ]
}
