//! What the other filters decided, counted by filter and word.

use std::cell::RefCell;

use kit::meter::{Family, Kind, Meter, MetricId};

use crate::signals;

/// Pairs of filter and word that are counted one by one; the words are closed sets, about twenty in all.
const MAX_DECISIONS: usize = 64;

/// A counter for each pair, defined when it is first met.
#[derive(Debug)]
pub struct Decisions {
    family: Family,
    met: RefCell<Vec<Met>>,
}

/// A pair that was met, and its counter.
#[derive(Debug, Clone, Copy)]
struct Met {
    filter: &'static str,
    word: &'static str,
    metric: Option<MetricId>,
}

impl Decisions {
    /// None yet.
    pub const fn new() -> Self {
        let (name, labels) = (signals::DECISIONS, signals::DECISION_LABELS);
        Self {
            family: Family::new(Kind::Counter, name, labels, MAX_DECISIONS),
            met: RefCell::new(Vec::new()),
        }
    }

    /// Counts one decision.
    ///
    /// **Cost**: one host call. Words are constants, so a pair is known again by where its words are:
    /// what they say is read, and the counter's name made, when it is first met.
    pub fn count<M: Meter + ?Sized>(&self, meter: &M, filter: &'static str, word: &'static str) {
        let mut met = self.met.borrow_mut();
        let known = met.iter().find(|met| met.is(filter, word)).map(|met| met.metric);
        let metric = known.unwrap_or_else(|| {
            let (metric, _is_overflow) = self.family.series(meter, &[filter, word]);
            if met.len() < MAX_DECISIONS {
                met.push(Met { filter, word, metric });
            }
            metric
        });
        if let Some(metric) = metric {
            meter.add(metric, 1);
        }
    }
}

impl Default for Decisions {
    fn default() -> Self {
        Self::new()
    }
}

impl Met {
    fn is(&self, filter: &'static str, word: &'static str) -> bool {
        std::ptr::eq(self.filter, filter) && std::ptr::eq(self.word, word)
    }
}
