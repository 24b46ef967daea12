//! Metrics as a filter: when an exchange is over, gather what is known of it and count it.

use std::cell::RefCell;

use kit::callbacks::{Callback, Callbacks};
use kit::config::Fields;
use kit::exchange::Attribute;
use kit::{Exchange, Filter, Host};

use crate::config::Config;
use crate::decisions::Decisions;
use crate::policy::{self, Facts, Labels};
use crate::series::{Sample, Table};
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
        Self { config, table: RefCell::new(Table::new(&config, host)), decisions: Decisions::new() }
    }

    fn summary(&self) -> Vec<String> {
        vec![self.config.to_string()]
    }

    fn on_log(&self, _stream: &mut (), x: &dyn Exchange) {
        let route = x.attribute(Attribute::RouteName);
        let method = x.method();
        let details = x.attribute(Attribute::ResponseDetails);
        let facts = Facts {
            route: route.as_deref(),
            method: method.as_deref(),
            status: x.number(Attribute::ResponseCode).unwrap_or(0),
            details: details.as_deref().unwrap_or_default(),
        };
        let labels = Labels::of(&facts, self.config.status, || {
            x.attribute(Attribute::UpstreamAddress).is_some()
        });
        let sample = self.sample(x);
        self.table.borrow_mut().count(x.host(), policy::route(&facts), labels, &sample);
        // In a module of its own there is nobody to note anything.
        for (filter, word) in x.notes() {
            self.decisions.count(x.host(), filter, word);
        }
    }
}

impl Metrics {
    fn sample(&self, x: &dyn Exchange) -> Sample {
        let bytes = |attribute| x.number(attribute).unwrap_or(0);
        Sample {
            duration_ms: x.number(Attribute::Duration).map(policy::milliseconds),
            bytes: self
                .config
                .bytes
                .then(|| (bytes(Attribute::RequestBytes), bytes(Attribute::ResponseBytes))),
        }
    }
}
