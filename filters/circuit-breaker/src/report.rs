//! The log line of a change of state: what happened, to which breaker, why, with the numbers.

use std::fmt::Write as _;

use crate::breaker::{Cause, State, Transition};
use crate::config::{Per, Rule};
use crate::signals;

/// The line without the filter's name: `opened rule=shop cluster=pay cause=consecutive failures=5/5 retry_in=60s`.
pub fn line(rule: &Rule, scope: &str, transition: &Transition) -> String {
    let mut line = format!("{} rule={}", signals::event(transition.to), rule.name);
    // Writing to a string can not fail.
    let _ = match rule.per {
        Per::Rule => Ok(()),
        Per::Cluster | Per::Route => write!(line, " {}={scope}", rule.per.as_str()),
    };
    let _ = match transition.cause {
        Cause::Consecutive { n_failed, retry_in } => {
            let threshold = rule.settings.consecutive.unwrap_or(n_failed);
            write!(
                line,
                " cause=consecutive failures={n_failed}/{threshold} retry_in={}",
                rounded(retry_in)
            )
        }
        Cause::Ratio { n_failed, n_ended, retry_in } => {
            let threshold = rule.settings.ratio.map(|trip| trip.threshold).unwrap_or_default();
            write!(
                line,
                " cause=ratio failures={n_failed}/{n_ended} threshold={threshold} retry_in={}",
                rounded(retry_in)
            )
        }
        Cause::ProbeFailed { n_opens, retry_in } => {
            write!(line, " cause=probe_failed openings={n_opens} retry_in={}", rounded(retry_in))
        }
        Cause::ProbeDue { open_for } => {
            write!(line, " cause=probe_due open_for={}", rounded(open_for))
        }
        Cause::Recovered { n_successes } => {
            write!(line, " cause=recovered successes={n_successes}")
        }
    };
    line
}

/// How loud it is: an opening is for an operator to look at, the rest is good news.
pub const fn level(transition: &Transition) -> log::Level {
    match transition.to {
        State::Open => log::Level::Warn,
        State::Closed | State::HalfOpen => log::Level::Info,
    }
}

/// Without the digits that nobody reads: whole milliseconds.
fn rounded(span: kit::Nanos) -> kit::Nanos {
    kit::Nanos::from_millis(span.as_millis())
}
