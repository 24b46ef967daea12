//! Metrics as a filter: when an exchange is over, gather what is known of it and count it; answer operators.

use std::cell::RefCell;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::{Answer, CallId};
use kit::{Exchange, Filter, Flow, Host, Nanos};

use crate::config::Config;
use crate::console::Console;
use crate::decisions::Decisions;
use crate::facts::Facts;
use crate::health::Health;
use crate::operations::{self, Desk};
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
    statistics: Statistics,
    health: Option<Health>,
    console: Option<Console>,
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
    type Stream = ();

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
            statistics: Statistics::open(host, config.statistics, config.errors),
            health,
            console,
            config,
        }
    }

    fn summary(&self) -> Vec<String> {
        self.config.describe()
    }

    fn on_request_headers(&self, _stream: &mut (), x: &dyn Exchange, end: bool) -> Flow {
        let access = &self.config.operations;
        if !access.is_on() && self.health.is_none() {
            return Flow::Continue;
        }
        let desk = Desk {
            access,
            statistics: &self.statistics,
            health: self.health.as_ref(),
            console: self.console.as_ref(),
        };
        let Some(answer) = desk.answer(x, end) else { return Flow::Continue };
        for line in &answer.audit {
            log::info!("{line}");
        }
        x.note(Self::NAME, answer.word);
        answer.reply.into_flow()
    }

    fn on_log(&self, _stream: &mut (), x: &dyn Exchange) {
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
        self.statistics.tick(host);
        if let Some(health) = &self.health {
            health.tick(host);
        }
    }

    fn on_retire(&self, host: &dyn Host) {
        self.statistics.flush(host);
    }
}
