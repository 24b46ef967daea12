//! What is counted, ranked and said of one rule while it works.

use kit::hash::Tag;
use kit::table::Found;
use kit::throttle::Throttle;
use kit::top::{Gathered, Labels, Report, Shape, Top};
use kit::{Host, Nanos};

use crate::policy::Event;
use crate::rule::Rule;
use crate::signals::Metrics;

/// Counters per period: as many keys as an operator reads, and a sketch that a get costs little for.
///
/// That is 1.5 KiB, or 5.6 KiB with labels.
const COUNTERS: usize = 32;

/// Keys that are gathered before they must be added up: as many as a flood of keys pays one update for.
const KEYS: usize = 16;

/// One rule's metrics, complaints and list of refused keys, as one worker keeps them.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) metrics: Metrics,
    complaints: Throttle,
    top: Top,
    gathered: Gathered,
}

impl Watch {
    pub(crate) fn new(host: &dyn Host, rule: &Rule) -> Self {
        let labels = if rule.show_keys { Labels::Shown } else { Labels::Hidden };
        let name = format!("weir/rate-limit-top/{}", rule.name);
        let top = Top::new(name, Shape { labels, counters: COUNTERS });
        if let Err(error) = top.prepare(host) {
            log::error!("rate-limit: list not prepared rule={} error={error}", rule.name);
        }
        Self {
            metrics: Metrics::new(host, rule),
            complaints: Throttle::default(),
            top,
            gathered: Gathered::new(KEYS),
        }
    }

    /// Counts what happened to a request of this plan, and says what went wrong, at most once a minute.
    pub(crate) fn see(
        &self,
        host: &dyn Host,
        now: Nanos,
        rule: &Rule,
        plan: usize,
        event: &Event<'_>,
    ) {
        self.metrics.count(host, plan, event);
        let (name, on_failure) = (&rule.name, rule.on_failure.as_str());
        let trouble = match event {
            Event::Failed(error) => {
                format!("count not kept rule={name} error={error} on_failure={on_failure}")
            }
            Event::Decided { charged, .. } if charged.found == Found::Unreadable => {
                format!(
                    "count not kept rule={name} error=unreadable record on_failure={on_failure}"
                )
            }
            Event::Unsettled(error) => format!("request stays charged rule={name} error={error}"),
            Event::Exempt
            | Event::Keyless { .. }
            | Event::Amended { .. }
            | Event::Decided { .. } => return,
        };
        if self.complaints.is_due(now) {
            log::warn!("rate-limit: {trouble}");
        }
    }

    /// Takes note of a refused key; `label` is its readable form, if the rule shows keys.
    pub(crate) fn rank(
        &self,
        host: &dyn Host,
        now: Nanos,
        tag: Tag,
        label: impl FnOnce() -> String,
    ) {
        if self.gathered.add(tag, label) {
            self.add_up(host, now);
            self.gathered.clear();
        }
    }

    /// Adds up what this worker has gathered.
    pub(crate) fn add_up(&self, host: &dyn Host, now: Nanos) {
        if let Err(error) = self.top.count(host, &[&self.gathered], now) {
            log::debug!("rate-limit: refusals not ranked error={error}");
        }
    }

    /// The keys refused most, as far as this worker knows.
    pub(crate) fn report(&self, host: &dyn Host) -> Report {
        self.add_up(host, host.now());
        self.top.report(host, host.now())
    }
}
