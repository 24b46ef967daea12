//! The filter: gathers what the policy needs, asks it, does what it says.
//!
//! The request's side: `asking` takes it, `looking` tells what is stored for it and what becomes of it then,
//! `search` finds it under another query that means the same. The response's side: `passing` takes it,
//! `validating` is about what it says of a stored one, `filling` brings it into the store, `forgetting` takes others
//! out. `errands` are what the filter does by itself: background requests, and what is due when the timer fires.
//! `desk` answers operators. What is remembered of an exchange is in `stream`.

mod asking;
mod desk;
mod errands;
mod filling;
mod forgetting;
mod looking;
mod passing;
mod remembered;
mod search;
mod stream;
mod validating;

use std::rc::Rc;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::hash::Secret;
use kit::operations::openapi;
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::background::Background;
use crate::config::{self, Config};
use crate::fill::Budget;
use crate::meters::Meters;
use crate::operations;
use crate::store::flights::Flights;
use crate::store::purges::Purges;
use crate::store::{Opened, Store};
use crate::warming::Warming;
use errands::OnEnd;
use remembered::Remembered;
use stream::Adrift;
pub use stream::Stream;

/// The response cache of one worker.
#[derive(Debug)]
pub struct ResponseCache {
    config: Config,
    secret: Secret,
    store: Store,
    purges: Purges,
    flights: Flights,
    background: Option<Background<OnEnd>>,
    warming: Option<Warming>,
    budget: Budget,
    meters: Meters,
    adrift: Adrift,
    /// What a background request has not replaced: the next request does.
    unrefreshed: Remembered,
    /// What the origin has contradicted with its 304: it is asked for the whole.
    contradicted: Remembered,
}

impl Filter for ResponseCache {
    const NAME: &'static str = "response-cache";

    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::ResponseHeaders,
        Callback::ResponseBody,
        Callback::ResponseTrailers,
        Callback::Tick,
        Callback::QueueReady,
        Callback::CallAnswered,
    ]);

    /// How late a waiting request may learn that it waits in vain.
    const TICK: Option<Nanos> = Some(Nanos::from_millis(100));

    type Config = Config;
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) -> Config {
        config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let meters = Meters::new(host, &config.rules);
        openapi::publish_below(host, Self::NAME, &config.operations, &operations::OPERATIONS);
        let (store, opened) = Store::open(host, &config.name, config.geometry());
        if opened == Opened::Empty {
            meters.reset(host);
        }
        let background = config.background.clone();
        let background = background.map(|settings| Background::new(host, Self::NAME, settings));
        Self {
            secret: Secret::of_process(host),
            purges: Purges::open(host, &config.name),
            flights: Flights::open(host, &config.name, config.flight_limits()),
            warming: config
                .warming()
                .map(|(budget, urls)| Warming::open(host, &config.name, budget, urls)),
            background,
            budget: Budget::new(config.fill_memory.0),
            adrift: Rc::default(),
            unrefreshed: Remembered::default(),
            contradicted: Remembered::default(),
            store,
            meters,
            config,
        }
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.ask(stream, x, end)
    }

    fn on_wake(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        self.ask_again(stream, x)
    }

    fn on_response_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        self.pass_headers(stream, x, end)
    }

    fn on_response_body(
        &self,
        stream: &mut Stream,
        x: &dyn Exchange,
        size: usize,
        end: bool,
    ) -> Flow {
        self.pass_body(stream, x, size, end);
        Flow::Continue
    }

    fn on_response_trailers(&self, stream: &mut Stream, x: &dyn Exchange) -> Flow {
        self.pass_end(stream, x);
        Flow::Continue
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        self.background_ended(host, id, &answer);
    }

    fn on_tick(&self, host: &dyn Host) {
        self.do_what_is_due(host);
    }
}
