//! Metrics as a filter: when an exchange is over, gather what is known of it and count it; answer operators.

use std::cell::RefCell;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, Attribute, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::config::Config;
use crate::console::Console;
use crate::decisions::Decisions;
use crate::facts::Facts;
use crate::health::Health;
use crate::in_flight::{InFlight, UnderWay};
use crate::operations::{self, Desk};
use crate::policy;
use crate::series::Table;
use crate::signals;
use crate::stats::failures::Failure;
use crate::stats::{self, Statistics};

/// The metrics of one worker.
#[derive(Debug)]
pub struct Metrics {
    config: Config,
    table: RefCell<Table>,
    decisions: Decisions,
    in_flight: InFlight,
    statistics: Statistics,
    health: Option<Health>,
    console: Option<Console>,
}

/// What metrics remember of an exchange.
#[derive(Debug, Default)]
pub struct Stream {
    /// Since the request's headers came.
    under_way: Option<UnderWay>,
}

impl Filter for Metrics {
    const NAME: &'static str = signals::NAME;
    const CALLBACKS: Callbacks = Callbacks::of(&[
        Callback::RequestHeaders,
        Callback::Log,
        Callback::Tick,
        Callback::QueueReady,
        Callback::CallAnswered,
    ]);
    const TICK: Option<Nanos> = Some(stats::TICK);

    type Config = Config;
    type Stream = Stream;

    fn read(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let health = config.health.clone().map(|settings| Health::open(host, settings));
        let console = config.console.clone().map(Console::new);
        operations::publish(host, &config.operations, health.as_ref(), console.as_ref());
        Self {
            table: RefCell::new(Table::new(&config, host)),
            decisions: Decisions::new(),
            in_flight: InFlight::open(host, config.max_series),
            statistics: Statistics::open(host, config.statistics, config.errors),
            health,
            console,
            config,
        }
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        if let Some(answer) = self.desk().and_then(|desk| desk.answer(x, end)) {
            for line in &answer.audit {
                log::info!("{line}");
            }
            x.note(Self::NAME, answer.word);
            return answer.reply.into_flow();
        }
        let route = x.attribute(Attribute::RouteName);
        stream.under_way = Some(self.in_flight.begin(policy::route_name(route.as_deref())));
        Flow::Continue
    }

    fn on_log(&self, stream: &mut Stream, x: &dyn Exchange) {
        stream.under_way = None;
        let facts = Facts::gather(x, self.config.wanted());
        self.table.borrow_mut().count(x.host(), &facts);
        // In a module of its own there is nobody else to note anything.
        let notes = x.notes();
        for (filter, word) in &notes {
            self.decisions.count(x.host(), filter, word);
        }
        self.statistics.count(&facts, &notes, |errors| Failure::of(x, &facts, errors));
    }

    fn on_answer(&self, host: &dyn Host, id: CallId, answer: Answer) {
        if let Some(health) = &self.health {
            health.answered(host, id, &answer);
        }
    }

    fn on_tick(&self, host: &dyn Host) {
        self.in_flight.tick(host);
        self.statistics.tick(host);
        if let Some(health) = &self.health {
            health.tick(host);
        }
    }

    fn on_retire(&self, host: &dyn Host) {
        self.in_flight.tell(host);
        self.statistics.flush(host);
    }
}

impl Metrics {
    /// Who answers operators, if somebody does.
    fn desk(&self) -> Option<Desk<'_>> {
        let access = &self.config.operations;
        (access.is_on() || self.health.is_some()).then_some(Desk {
            access,
            statistics: &self.statistics,
            in_flight: &self.in_flight,
            health: self.health.as_ref(),
            console: self.console.as_ref(),
        })
    }
}
