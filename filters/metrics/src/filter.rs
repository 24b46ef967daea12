//! Metrics as a filter: when an exchange is over, gather what is known of it and count it; answer operators.

use std::cell::RefCell;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, Attribute, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos, Reply};

use crate::config::Config;
use crate::console::Console;
use crate::consumers::{Consumer, Consumers};
use crate::decisions::Decisions;
use crate::exclusion::{self, Excluded, Exclusion};
use crate::facts::Facts;
use crate::health::Health;
use crate::in_flight::{InFlight, UnderWay};
use crate::operations::Desk;
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
    excluded: Excluded,
    in_flight: InFlight,
    consumers: Option<Consumers>,
    statistics: Statistics,
    health: Option<Health>,
    console: Option<Console>,
}

/// What is remembered of an exchange.
#[derive(Debug, Default)]
pub struct Stream {
    /// Since the request's headers came.
    under_way: Option<UnderWay>,
    /// Who sent the request.
    consumer: Option<Consumer>,
    /// Whether the configuration excludes it; absent as long as nobody has looked.
    is_excluded: Option<bool>,
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
        let statistics = Statistics::open(host, config.statistics, config.errors);
        let in_flight = InFlight::open(host, config.max_series);
        let consumers = config.consumers.clone().map(|settings| Consumers::open(host, settings));
        let desk = Desk {
            access: &config.operations,
            statistics: &statistics,
            in_flight: &in_flight,
            consumers: consumers.as_ref(),
            health: health.as_ref(),
            console: console.as_ref(),
        };
        desk.publish(host);
        Self {
            table: RefCell::new(Table::new(&config, host)),
            decisions: Decisions::new(),
            excluded: Excluded::default(),
            in_flight,
            consumers,
            statistics,
            health,
            console,
            config,
        }
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, stream: &mut Stream, x: &dyn Exchange, end: bool) -> Flow {
        if let Some(reply) = self.answer(x, end) {
            return reply.into_flow();
        }
        // A later filter or the route may rewrite what the conditions ask for.
        let is_excluded = exclusion::is_configured(&self.config.exclude, x);
        stream.is_excluded = Some(is_excluded);
        if is_excluded {
            return Flow::Continue;
        }
        // The key may be in what a later filter changes, and in the log phase it would have to be read anew.
        stream.consumer = self.consumers.as_ref().and_then(|consumers| consumers.identify(x));
        let route = x.attribute(Attribute::RouteName);
        stream.under_way = Some(self.in_flight.begin(policy::route_name(route.as_deref())));
        Flow::Continue
    }

    fn on_log(&self, stream: &mut Stream, x: &dyn Exchange) {
        stream.under_way = None;
        let mut facts = Facts::gather(x, self.config.wanted());
        let is_configured = || exclusion::is_configured(&self.config.exclude, x);
        if facts.excluded.is_none() && stream.is_excluded.unwrap_or_else(is_configured) {
            facts.excluded = Some(Exclusion::Configured);
        }
        if let Some(reason) = facts.excluded {
            self.excluded.count(x.host(), reason, facts.class());
            return self.statistics.count(&facts, &[], |errors| Failure::of(x, &facts, errors));
        }
        self.table.borrow_mut().count(x.host(), &facts);
        if let Some(consumers) = &self.consumers {
            consumers.count(x.host(), stream.consumer.take(), &facts);
        }
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
        if let Some(consumers) = &self.consumers {
            consumers.tick(host);
        }
        if let Some(health) = &self.health {
            health.tick(host);
        }
    }

    fn on_retire(&self, host: &dyn Host) {
        self.in_flight.tell(host);
        self.statistics.flush(host);
        if let Some(consumers) = &self.consumers {
            consumers.flush(host);
        }
    }
}

impl Metrics {
    /// Answers a request that is for the operations endpoints; `None` for any other.
    fn answer(&self, x: &dyn Exchange, end: bool) -> Option<Reply> {
        let access = &self.config.operations;
        if !access.is_on() && self.health.is_none() {
            return None;
        }
        let desk = Desk {
            access,
            statistics: &self.statistics,
            in_flight: &self.in_flight,
            consumers: self.consumers.as_ref(),
            health: self.health.as_ref(),
            console: self.console.as_ref(),
        };
        let answer = desk.answer(x, end)?;
        for line in &answer.audit {
            log::info!("{line}");
        }
        x.note(Self::NAME, answer.word);
        Some(answer.reply)
    }
}
