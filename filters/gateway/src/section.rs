//! A filter that is there only if the configuration has a section for it.

use kit::callbacks::Callbacks;
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::endpoints::Endpoints;

/// A filter, or nothing: without its section every request passes as if it were not in the chain.
#[derive(Debug)]
pub struct Section<F>(Option<F>);

/// A filter that has a section in the gateway's configuration.
pub trait Sectioned: Filter {
    /// The field that holds the section: the filter's name, spelled as configuration spells names.
    const SECTION: &'static str;

    /// The paths that this configuration takes from the service for endpoints of the filter's own.
    fn endpoints(_config: &Self::Config) -> Endpoints<'_> {
        Endpoints::default()
    }
}

impl<F: Sectioned> Filter for Section<F> {
    const NAME: &'static str = F::NAME;
    const CALLBACKS: Callbacks = F::CALLBACKS;
    const TICK: Option<Nanos> = F::TICK;
    type Config = Option<F::Config>;
    type Stream = F::Stream;

    fn read(fields: &mut Fields<'_>) -> Self::Config {
        fields.optional_object(F::SECTION, F::read)
    }

    fn new(config: Self::Config, host: &dyn Host) -> Self {
        Self(config.map(|config| F::new(config, host)))
    }

    fn summary(&self) -> Vec<String> {
        let lines = self.0.as_ref().map(F::summary).unwrap_or_default();
        lines.into_iter().map(|line| format!("{}: {line}", F::NAME)).collect()
    }

    fn on_request_headers(&self, stream: &mut F::Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.0.as_ref().map_or(Flow::Continue, |filter| filter.on_request_headers(stream, x, end))
    }

    fn on_request_body(
        &self,
        stream: &mut F::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        self.0
            .as_ref()
            .map_or(Flow::Continue, |filter| filter.on_request_body(stream, x, size, end))
    }

    fn on_response_headers(&self, stream: &mut F::Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.0.as_ref().map_or(Flow::Continue, |filter| filter.on_response_headers(stream, x, end))
    }

    fn on_response_body(
        &self,
        stream: &mut F::Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        self.0
            .as_ref()
            .map_or(Flow::Continue, |filter| filter.on_response_body(stream, x, size, end))
    }

    fn on_response_trailers(&self, stream: &mut F::Stream, x: &dyn Exchange) -> Flow {
        self.0.as_ref().map_or(Flow::Continue, |filter| filter.on_response_trailers(stream, x))
    }

    fn on_log(&self, stream: &mut F::Stream, x: &dyn Exchange) {
        if let Some(filter) = &self.0 {
            filter.on_log(stream, x);
        }
    }

    fn on_wake(&self, stream: &mut F::Stream, x: &dyn Exchange) -> Flow {
        self.0.as_ref().map_or(Flow::Continue, |filter| filter.on_wake(stream, x))
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        if let Some(filter) = &self.0 {
            filter.on_answer(host, id, answer);
        }
    }

    fn on_tick(&self, host: &dyn Host) {
        if let Some(filter) = &self.0 {
            filter.on_tick(host);
        }
    }

    fn on_retire(&self, host: &dyn Host) {
        if let Some(filter) = &self.0 {
            filter.on_retire(host);
        }
    }
}
