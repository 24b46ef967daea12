//! Metrics as a filter: when an exchange is over, gather what is known of it and count it.

use std::cell::RefCell;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::{Exchange, Filter, Host};

use crate::config::Config;
use crate::decisions::Decisions;
use crate::facts::Facts;
use crate::series::Table;
use crate::signals;

/// The metrics of one worker.
#[derive(Debug)]
pub struct Metrics {
    config: Config,
    table: RefCell<Table>,
    decisions: Decisions,
}

impl Filter for Metrics {
    const NAME: &'static str = signals::NAME;
    const CALLBACKS: Callbacks = Callbacks::of(&[Callback::Log]);

    type Config = Config;
    type Stream = ();

    fn read(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn new(config: Config, host: &dyn Host) -> Self {
        let table = RefCell::new(Table::new(&config, host));
        Self { config, table, decisions: Decisions::new() }
    }

    fn summary(&self) -> Vec<String> {
        vec![self.config.to_string()]
    }

    fn on_log(&self, _stream: &mut (), x: &dyn Exchange) {
        let facts = Facts::gather(x, self.config.wanted());
        self.table.borrow_mut().count(x.host(), &facts);
        // In a module of its own there is nobody to note anything.
        for (filter, word) in x.notes() {
            self.decisions.count(x.host(), filter, word);
        }
    }
}
