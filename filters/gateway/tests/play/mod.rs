//! Plays exchanges against the gateway on the in-memory host, by Envoy's rules.

use kit::exchange::{Attribute, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow, Nanos, Reply, config};
use weir_gateway::Gateway;

type Stream = <Gateway as Filter>::Stream;

/// What the upstream would answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstream {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
    /// Trailers end the body, and not its last piece.
    has_trailers: bool,
}

/// An answer that may be stored.
pub(crate) const OK: Upstream = Upstream {
    status: 200,
    headers: &[("cache-control", "max-age=60"), ("content-type", "text/plain")],
    body: b"fine",
    has_trailers: false,
};

/// The same, with trailers.
pub(crate) const WITH_TRAILERS: Upstream = Upstream { has_trailers: true, ..OK };

/// An answer that may be stored, and may be served stale if the upstream fails.
pub(crate) const FORGIVING: Upstream =
    Upstream { headers: &[("cache-control", "max-age=60, stale-if-error=600")], ..OK };

/// An answer of this status that may not be stored.
pub(crate) const fn ill(status: u16) -> Upstream {
    Upstream { status, headers: &[], body: b"ill", has_trailers: false }
}

/// A worker with a gateway.
pub(crate) struct Gate {
    pub(crate) host: FakeHost,
    pub(crate) filter: Gateway,
}

/// What the client got, and how.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether the upstream was asked.
    pub(crate) forwarded: bool,
    pub(crate) x: FakeExchange,
}

impl Gate {
    pub(crate) fn new(configuration: &str) -> Self {
        let host = FakeHost::default();
        host.set_now(Nanos::from_secs(1_000));
        host.set_wall(Nanos::from_secs(784_111_777));
        Self { filter: configured(&host, configuration), host }
    }

    /// Another worker of the same process.
    pub(crate) fn worker(&self, configuration: &str) -> Self {
        Self { filter: configured(&self.host, configuration), host: self.host.clone() }
    }

    /// A GET from beginning to end.
    pub(crate) fn get(&self, path: &str, upstream: Upstream) -> Answer {
        let (x, mut stream) = (self.exchange(path), Stream::default());
        let answer = match self.filter.on_request_headers(&mut stream, &x, true) {
            Flow::Pause => panic!("nobody waits here"),
            Flow::Continue => self.forwarded(x, &mut stream, upstream),
            Flow::Reply(reply) => self.replied(x, &mut stream, *reply),
        };
        self.log(&mut stream, &answer.x, answer.status);
        answer
    }

    /// A stream that somebody before us answered.
    pub(crate) fn log_only(&self, path: &str, status: u16) {
        self.log(&mut Stream::default(), &self.exchange(path), status);
    }

    /// A metric's value over all its labels.
    pub(crate) fn sum(&self, family: &str) -> i64 {
        let is_of_family =
            |name: &String| name.split(';').next().is_some_and(|found| found == family);
        let names = self.host.metric_names().into_iter().filter(is_of_family);
        names.filter_map(|name| self.host.metric(&name)).sum()
    }

    /// A GET that begins.
    pub(crate) fn exchange(&self, path: &str) -> FakeExchange {
        FakeExchange::get(&self.host, path, &[])
            .with_attribute(Attribute::Cluster, b"upstream")
            .with_attribute(Attribute::RouteName, b"all")
    }

    fn forwarded(&self, x: FakeExchange, stream: &mut Stream, upstream: Upstream) -> Answer {
        let headers: Vec<(&str, &[u8])> =
            upstream.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.respond(&x, stream, upstream.status, &headers, "via_upstream");
        x.set_body(upstream.body);
        let (size, end) = (upstream.body.len(), !upstream.has_trailers);
        assert_eq!(self.filter.on_response_body(stream, &x, size, end), Flow::Continue);
        if upstream.has_trailers {
            assert_eq!(self.filter.on_response_trailers(stream, &x), Flow::Continue);
        }
        Answer { status: upstream.status, body: upstream.body.to_vec(), forwarded: true, x }
    }

    fn replied(&self, x: FakeExchange, stream: &mut Stream, reply: Reply) -> Answer {
        let headers: Vec<(&str, &[u8])> =
            reply.headers.iter().map(|(name, value)| (name.as_ref(), value.as_slice())).collect();
        self.respond(&x, stream, reply.status, &headers, reply.details);
        Answer { status: reply.status, body: reply.body, forwarded: false, x }
    }

    fn respond(
        &self,
        x: &FakeExchange,
        stream: &mut Stream,
        status: u16,
        headers: &[(&str, &[u8])],
        details: &str,
    ) {
        let status = status.to_string();
        let all = [&[(":status", status.as_bytes())], headers].concat();
        x.set_map(Map::Response, Headers::new(&all));
        x.set_attribute(Attribute::ResponseDetails, details.as_bytes());
        assert_eq!(self.filter.on_response_headers(stream, x, false), Flow::Continue);
    }

    fn log(&self, stream: &mut Stream, x: &FakeExchange, status: u16) {
        x.set_attribute(Attribute::ResponseCode, &u64::from(status).to_le_bytes());
        x.set_attribute(Attribute::ResponseFlags, &0_u64.to_le_bytes());
        x.set_attribute(Attribute::Duration, &1_000_000_u64.to_le_bytes());
        self.filter.on_log(stream, x);
    }
}

impl Answer {
    /// A response header as the client gets it.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.x.response().text(name).map(str::to_owned)
    }

    /// The decision record as access logs print it.
    pub(crate) fn notes(&self) -> String {
        self.x.record()
    }
}

fn configured(host: &FakeHost, configuration: &str) -> Gateway {
    match config::load("gateway", configuration.as_bytes(), Gateway::read) {
        Ok(config) => Gateway::new(config, host),
        Err(problems) => panic!("{problems}"),
    }
}
