//! Filters made to be chained in tests: they do as told, and write down what they are asked.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::rc::Rc;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::fake::{FakeExchange, FakeHost};
use kit::{Exchange, Filter, Flow, Host, Nanos, Reply};
use weir_gateway::chain::Chain;
use weir_gateway::section::Sectioned;

/// What was asked of whom, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    /// What was written since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// What a filter answers to requests, wakes and responses; to all else it says that the exchange goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Script {
    pub(crate) request: Does,
    pub(crate) wake: Does,
    pub(crate) response: Does,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Does {
    #[default]
    Continue,
    Pause,
    Reply,
}

/// The `N`th filter of a chain, from the outside: `a`, `b` or `c`.
#[derive(Debug)]
pub(crate) struct Traced<const N: usize> {
    script: Script,
    trace: Trace,
}

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

impl<const N: usize> Traced<N> {
    fn did(&self, does: Does) -> Flow {
        match does {
            Does::Continue => Flow::Continue,
            Does::Pause => Flow::Pause,
            Does::Reply => reply(NAMES[N]).into_flow(),
        }
    }

    fn wrote(&self, what: impl std::fmt::Display) {
        self.trace.0.borrow_mut().push(format!("{} {what}", NAMES[N]));
    }
}

/// The answer of the filter of this name.
pub(crate) fn reply(name: &'static str) -> Reply {
    Reply { status: 418, details: name, ..Reply::default() }
}

impl<const N: usize> Filter for Traced<N> {
    const NAME: &'static str = NAMES[N];
    const CALLBACKS: Callbacks = Callbacks::of(match N {
        0 => &[Callback::Log],
        1 => &[Callback::ResponseHeaders, Callback::Tick],
        _ => &[Callback::RequestBody, Callback::Tick],
    });
    const TICK: Option<Nanos> = match N {
        0 => None,
        1 => Some(Nanos::from_secs(2)),
        _ => Some(Nanos::SECOND),
    };
    type Config = (Script, Trace);
    /// Whether this filter saw the request.
    type Stream = bool;

    fn read(_fields: &mut Fields<'_>) -> Self::Config {
        Self::Config::default()
    }

    fn new((script, trace): Self::Config, _host: &dyn Host) -> Self {
        Self { script, trace }
    }

    fn summary(&self) -> Vec<String> {
        vec![format!("{} is in force", Self::NAME)]
    }

    fn on_request_headers(&self, asked: &mut bool, x: &dyn Exchange, end: bool) -> Flow {
        *asked = true;
        self.wrote(if end { "request, whole" } else { "request" });
        x.note(Self::NAME, "asked");
        self.did(self.script.request)
    }

    fn on_request_body(&self, _: &mut bool, _: &dyn Exchange, size: usize, _end: bool) -> Flow {
        self.wrote(format_args!("request body {size}"));
        Flow::Continue
    }

    fn on_response_headers(&self, asked: &mut bool, _: &dyn Exchange, _end: bool) -> Flow {
        assert!(*asked, "a response for {}, which saw no request", Self::NAME);
        self.wrote("response");
        self.did(self.script.response)
    }

    fn on_response_body(&self, _: &mut bool, _: &dyn Exchange, size: usize, _end: bool) -> Flow {
        self.wrote(format_args!("response body {size}"));
        Flow::Continue
    }

    fn on_response_trailers(&self, _: &mut bool, _: &dyn Exchange) -> Flow {
        self.wrote("response trailers");
        Flow::Continue
    }

    fn on_log(&self, asked: &mut bool, x: &dyn Exchange) {
        self.wrote(if *asked { "log" } else { "log, never asked" });
        x.note(Self::NAME, "logged");
    }

    fn on_wake(&self, _: &mut bool, _: &dyn Exchange) -> Flow {
        self.wrote("wake");
        self.did(self.script.wake)
    }

    fn on_answer(&self, _: &dyn Host, id: CallId, _: Answer) {
        self.wrote(format_args!("answer {}", id.number));
    }

    fn on_tick(&self, _: &dyn Host) {
        self.wrote("tick");
    }
}

impl<const N: usize> Sectioned for Traced<N> {
    const SECTION: &'static str = NAMES[N];
}

/// Three filters in a row.
pub(crate) type Three = Chain<Traced<0>, Chain<Traced<1>, Traced<2>>>;

/// One exchange through a chain of three.
pub(crate) struct Run {
    pub(crate) chain: Three,
    pub(crate) stream: <Three as Filter>::Stream,
    pub(crate) trace: Trace,
    pub(crate) x: FakeExchange,
}

impl Run {
    /// With these scripts, from the outside.
    pub(crate) fn new([a, b, c]: [Script; 3]) -> Self {
        let (host, trace) = (FakeHost::default(), Trace::default());
        let config = ((a, trace.clone()), ((b, trace.clone()), (c, trace.clone())));
        let chain = Three::new(config, &host);
        let x = FakeExchange::get(&host, "/", &[]);
        Self { chain, stream: <Three as Filter>::Stream::default(), trace, x }
    }

    pub(crate) fn request(&mut self, end: bool) -> Flow {
        self.chain.on_request_headers(&mut self.stream, &self.x, end)
    }

    pub(crate) fn wake(&mut self) -> Flow {
        self.chain.on_wake(&mut self.stream, &self.x)
    }

    pub(crate) fn response(&mut self) -> Flow {
        self.chain.on_response_headers(&mut self.stream, &self.x, false)
    }

    pub(crate) fn log(&mut self) {
        self.chain.on_log(&mut self.stream, &self.x);
    }
}

/// Scripts where only the filter at `depth` does something else than to continue.
pub(crate) fn only(depth: usize, script: Script) -> [Script; 3] {
    let mut scripts = [Script::default(); 3];
    scripts[depth] = script;
    scripts
}
