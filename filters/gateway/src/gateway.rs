//! The gateway: the four filters in their order, under one name.

use kit::callbacks::Callbacks;
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos};
use weir_circuit_breaker::CircuitBreaker;
use weir_metrics::Metrics;
use weir_rate_limit::RateLimit;
use weir_response_cache::ResponseCache;

use crate::chain::Chain;
use crate::endpoints::{self, Endpoints};
use crate::section::{Section, Sectioned};

/// The order of the filters, from the client to the upstream.
type Filters = Chain<
    Section<Metrics>,
    Chain<Section<RateLimit>, Chain<Section<ResponseCache>, Section<CircuitBreaker>>>,
>;

/// All of Weir's filters in one.
#[derive(Debug)]
pub struct Gateway(Filters);

impl Sectioned for Metrics {
    const SECTION: &'static str = "metrics";

    fn endpoints(config: &Self::Config) -> Endpoints<'_> {
        let health = config.health.as_ref().and_then(|health| health.path.as_deref());
        Endpoints {
            paths: vec![
                (&[Self::SECTION, "operations", "path"], config.operations.prefix()),
                (&[Self::SECTION, "health", "path"], health),
            ],
            others: config.console.iter().flat_map(|console| console.named()).collect(),
        }
    }
}

impl Sectioned for RateLimit {
    const SECTION: &'static str = "rate_limit";

    fn endpoints(config: &Self::Config) -> Endpoints<'_> {
        Endpoints::at(&[Self::SECTION, "operations", "path"], &config.operations)
    }
}

impl Sectioned for ResponseCache {
    const SECTION: &'static str = "response_cache";

    fn endpoints(config: &Self::Config) -> Endpoints<'_> {
        Endpoints::at(&[Self::SECTION, "operations", "path"], &config.operations)
    }
}

impl Sectioned for CircuitBreaker {
    const SECTION: &'static str = "circuit_breaker";

    fn endpoints(config: &Self::Config) -> Endpoints<'_> {
        Endpoints::at(&[Self::SECTION, "operations", "path"], &config.operations)
    }
}

/// The sections, in the order of the filters.
const SECTIONS: [&str; 4] =
    [Metrics::SECTION, RateLimit::SECTION, ResponseCache::SECTION, CircuitBreaker::SECTION];

impl Filter for Gateway {
    const NAME: &'static str = "gateway";
    const CALLBACKS: Callbacks = Filters::CALLBACKS;
    const TICK: Option<Nanos> = Filters::TICK;
    type Config = <Filters as Filter>::Config;
    type Stream = <Filters as Filter>::Stream;

    fn read(fields: &mut Fields<'_>) -> Self::Config {
        if !SECTIONS.iter().any(|section| fields.has(section)) {
            fields.own_problem(
                "no filter's section",
                format_args!("at least one of {}", SECTIONS.join(", ")),
                "add the section of a filter, or remove the gateway from the filter chain",
            );
        }
        let config = Filters::read(fields);
        let (metrics, (limits, (cache, breakers))) = &config;
        let taken = [
            metrics.as_ref().map(Metrics::endpoints),
            limits.as_ref().map(RateLimit::endpoints),
            cache.as_ref().map(ResponseCache::endpoints),
            breakers.as_ref().map(CircuitBreaker::endpoints),
        ];
        endpoints::check(fields, &taken.into_iter().flatten().collect::<Vec<_>>());
        config
    }

    fn new(config: Self::Config, host: &dyn Host) -> Self {
        Self(Filters::new(config, host))
    }

    fn summary(&self) -> Vec<String> {
        self.0.summary()
    }

    fn on_request_headers(&self, stream: &mut Self::Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.0.on_request_headers(stream, x, end)
    }

    fn on_request_body(
        &self,
        stream: &mut Self::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        self.0.on_request_body(stream, x, size, end)
    }

    fn on_response_headers(&self, stream: &mut Self::Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.0.on_response_headers(stream, x, end)
    }

    fn on_response_body(
        &self,
        stream: &mut Self::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        self.0.on_response_body(stream, x, size, end)
    }

    fn on_response_trailers(&self, stream: &mut Self::Stream, x: &dyn Exchange) -> Flow {
        self.0.on_response_trailers(stream, x)
    }

    fn on_log(&self, stream: &mut Self::Stream, x: &dyn Exchange) {
        self.0.on_log(stream, x);
    }

    fn on_wake(&self, stream: &mut Self::Stream, x: &dyn Exchange) -> Flow {
        self.0.on_wake(stream, x)
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        self.0.on_answer(host, id, answer);
    }

    fn on_tick(&self, host: &dyn Host) {
        self.0.on_tick(host);
    }

    fn on_retire(&self, host: &dyn Host) {
        self.0.on_retire(host);
    }
}
