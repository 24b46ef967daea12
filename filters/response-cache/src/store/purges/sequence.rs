//! A number that moves when shared data has changed, and that costs a reader next to nothing.

use kit::Host;
use kit::meter::Gauge;

/// A gauge that only ever moves; its value means nothing.
#[derive(Debug)]
pub(super) struct Sequence {
    gauge: Gauge,
    /// The host keeps no value for it.
    is_deaf: bool,
}

impl Sequence {
    /// Defines the gauge, and moves it to see whether it moves.
    ///
    /// Others may move it meanwhile, but nobody moves it back; where a hot restart does just then,
    /// the gauge is taken for deaf, which costs time and nothing else.
    pub(super) fn open(host: &dyn Host, name: &str) -> Self {
        let gauge = Gauge::new(host, name, &[]);
        let before = gauge.read(host);
        gauge.add(host, 1);
        let is_deaf = gauge.read(host) <= before;
        if is_deaf {
            log::warn!(
                "response-cache: {name} keeps no value, so purges are looked up with every request; \
                 let the bootstrap's stats_config.stats_matcher include it"
            );
        }
        Self { gauge, is_deaf }
    }

    /// Where it is now; `None` if it can not tell.
    pub(super) fn read(&self, host: &dyn Host) -> Option<u64> {
        if self.is_deaf { None } else { Some(self.gauge.read(host)) }
    }

    /// Moves it: call it when what was written is to be read.
    pub(super) fn advance(&self, host: &dyn Host) {
        self.gauge.add(host, 1);
    }
}
