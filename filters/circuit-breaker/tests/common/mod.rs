//! Two workers of one Envoy: two filters of one configuration on one host.
#![allow(dead_code, reason = "each test file uses a part of it")]

use kit::exchange::{Attribute, Exchange as _, Map};
use kit::fake::{FakeExchange, FakeHost};
use kit::filter::{Filter, Flow, Reply};
use kit::{Nanos, config};
use weir_circuit_breaker::CircuitBreaker;
use weir_circuit_breaker::filter::Stream;

/// The configuration of most tests: opens after three failures for ten seconds, closes after two probes.
pub(crate) const CONFIG: &str = r#"{"rules": [{
    "name": "shop",
    "consecutive": {"failures": 3},
    "open": {"time": "10s", "jitter": "0%"}
}]}"#;

/// How a request ended, as Envoy tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End(pub(crate) u64, pub(crate) &'static str, pub(crate) u64);

pub(crate) const OK: End = End(0, "via_upstream", 200);
pub(crate) const BROKEN: End = End(0, "via_upstream", 500);
pub(crate) const ABORTED: End = End(0x4000, "downstream_remote_disconnect", 0);

/// A host and its workers.
pub(crate) struct Gateway {
    pub(crate) host: FakeHost,
    pub(crate) workers: Vec<CircuitBreaker>,
}

/// A request that was let through.
pub(crate) struct Passing {
    worker: usize,
    stream: Stream,
    exchange: FakeExchange,
}

impl Gateway {
    pub(crate) fn new(n_workers: usize, json: &str) -> Self {
        let host = FakeHost::default();
        host.set_now(Nanos::from_secs(1_000));
        let workers = (0..n_workers).map(|_| filter(&host, json)).collect();
        Self { host, workers }
    }

    /// A request of this method to this cluster, on this worker.
    pub(crate) fn ask(&self, worker: usize, method: &str, cluster: &str) -> Result<Passing, Reply> {
        let headers = [(":method", method), (":path", "/"), (":authority", "example.com")];
        let exchange = FakeExchange::new(&self.host, &headers)
            .with_attribute(Attribute::Cluster, cluster.as_bytes())
            .with_attribute(Attribute::RouteName, b"all");
        let mut stream = Stream::default();
        match self.workers[worker].on_request_headers(&mut stream, &exchange, true) {
            Flow::Continue => Ok(Passing { worker, stream, exchange }),
            Flow::Reply(reply) => Err(*reply),
            Flow::Pause => panic!("paused"),
        }
    }

    /// The request ends.
    pub(crate) fn end(&self, passing: Passing, end: End) {
        self.end_with(passing, end, |_x| {});
    }

    /// The request ends, and Envoy has more to say.
    pub(crate) fn end_with(&self, mut passing: Passing, end: End, say: impl FnOnce(&FakeExchange)) {
        let x = &passing.exchange;
        say(x);
        x.set_attribute(Attribute::ResponseFlags, &end.0.to_le_bytes());
        x.set_attribute(Attribute::ResponseDetails, end.1.as_bytes());
        let worker = &self.workers[passing.worker];
        if end.2 > 0 {
            x.set_header(Map::Response, ":status", end.2.to_string().as_bytes());
            let has_trailers = !x.headers(Map::Trailers).is_empty();
            let _ = worker.on_response_headers(&mut passing.stream, x, !has_trailers);
            if has_trailers {
                let _ = worker.on_response_trailers(&mut passing.stream, x);
            }
        }
        x.set_attribute(Attribute::ResponseCode, &end.2.to_le_bytes());
        worker.on_log(&mut passing.stream, x);
    }

    /// The answer of the service begins, and more of it is to come.
    pub(crate) fn begin(&self, passing: &mut Passing, status: u16) {
        let x = &passing.exchange;
        x.set_attribute(Attribute::ResponseDetails, b"via_upstream");
        x.set_header(Map::Response, ":status", status.to_string().as_bytes());
        let worker = &self.workers[passing.worker];
        assert_eq!(worker.on_response_headers(&mut passing.stream, x, false), Flow::Continue);
    }

    /// An answer that has begun ends with these flags.
    pub(crate) fn finish(&self, mut passing: Passing, flags: u64) {
        passing.exchange.set_attribute(Attribute::ResponseFlags, &flags.to_le_bytes());
        self.workers[passing.worker].on_log(&mut passing.stream, &passing.exchange);
    }

    /// A GET to the cluster `pay` that ends like this; whether it was let through.
    pub(crate) fn get(&self, worker: usize, end: End) -> bool {
        match self.ask(worker, "GET", "pay") {
            Ok(passing) => {
                self.end(passing, end);
                true
            }
            Err(_) => false,
        }
    }

    /// Three failures, taken in turns.
    pub(crate) fn open(&self) {
        for idx in 0..3 {
            assert!(self.get(idx % self.workers.len(), BROKEN));
        }
    }

    pub(crate) fn wait(&self, secs: u64) {
        self.host.advance(Nanos::from_secs(secs));
    }

    pub(crate) fn metric(&self, name: &str) -> i64 {
        self.host
            .metric(&format!("weir_circuit_breaker_{name}"))
            .unwrap_or_else(|| panic!("no {name}"))
    }
}

impl Passing {
    pub(crate) fn notes(&self) -> Vec<(&'static str, &'static str)> {
        kit::Exchange::notes(&self.exchange)
    }
}

/// A worker's filter.
pub(crate) fn filter(host: &FakeHost, json: &str) -> CircuitBreaker {
    let config = config::load(CircuitBreaker::NAME, json.as_bytes(), CircuitBreaker::read);
    CircuitBreaker::new(config.unwrap_or_else(|problems| panic!("{problems}")), host)
}
