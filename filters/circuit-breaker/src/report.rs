//! The log line of a change of state: what happened, to which breaker, why, with the numbers.

use std::fmt::{self, Write as _};

use crate::breaker::{Cause, State, Transition};
use crate::config::{Per, Rule};
use crate::signals;

/// The line without the filter's name: `opened rule=shop cluster=pay cause=consecutive failures=5/5 retry_in=60s`.
pub fn line(rule: &Rule, scope: &str, transition: &Transition) -> String {
    let mut line = format!("{} rule={}", signals::event(transition.to), rule.name);
    // Writing to a string can not fail.
    let _ = match rule.per {
        Per::Rule => Ok(()),
        Per::Cluster | Per::Route | Per::VirtualHost | Per::Key => {
            write!(line, " {}={scope}", rule.per.as_str())
        }
    };
    line + " " + &because(rule, transition.cause)
}

/// Why, in words and numbers: `cause=consecutive failures=5/5 retry_in=60s`.
pub fn because(rule: &Rule, cause: Cause) -> String {
    Because { cause, rule }.to_string()
}

/// Why, in words and numbers.
struct Because<'a> {
    cause: Cause,
    rule: &'a Rule,
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.rule.settings;
        match self.cause {
            Cause::Consecutive { n_failed, retry_in } => {
                let threshold = settings.consecutive.unwrap_or(n_failed);
                write!(f, "cause=consecutive failures={n_failed}/{threshold}")?;
                retry(f, retry_in)
            }
            Cause::Ratio { n_failed, n_ended, retry_in } => {
                let threshold = settings.ratio.map(|trip| trip.threshold).unwrap_or_default();
                write!(f, "cause=ratio failures={n_failed}/{n_ended} threshold={threshold}")?;
                retry(f, retry_in)
            }
            Cause::Slow { n_slow, n_ended, retry_in } => {
                let slow = settings.slow;
                let threshold = slow.map(|slow| slow.trip.threshold).unwrap_or_default();
                let than = slow.map(|slow| slow.duration).unwrap_or_default();
                write!(f, "cause=slow slow={n_slow}/{n_ended} than={than} threshold={threshold}")?;
                retry(f, retry_in)
            }
            Cause::ProbeFailed { n_opens, retry_in } => {
                write!(f, "cause=probe_failed openings={n_opens}")?;
                retry(f, retry_in)
            }
            Cause::Relapsed { n_failed, retry_in } => {
                write!(f, "cause=relapsed failures={n_failed}")?;
                retry(f, retry_in)
            }
            Cause::ProbeDue { open_for } => {
                write!(f, "cause=probe_due open_for={}", rounded(open_for))
            }
            Cause::Recovered { n_successes } => {
                write!(f, "cause=recovered successes={n_successes}")
            }
            Cause::Returned => f.write_str("cause=returned"),
            Cause::Overloaded { share } => write!(f, "cause=overloaded share={share}"),
            Cause::Relieved => f.write_str("cause=relieved"),
            Cause::Held(control) => {
                write!(f, "cause=operator control={}", signals::control(control))
            }
            Cause::Released(control) => {
                write!(f, "cause=released control={}", signals::control(control))
            }
            Cause::Reset => f.write_str("cause=reset"),
        }
    }
}

fn retry(f: &mut fmt::Formatter<'_>, retry_in: kit::Nanos) -> fmt::Result {
    write!(f, " retry_in={}", rounded(retry_in))
}

/// How loud it is: an opening is for an operator to look at, the rest is good news.
pub const fn level(to: State) -> log::Level {
    match to {
        State::Open | State::Shedding => log::Level::Warn,
        State::Closed | State::Recovering | State::HalfOpen => log::Level::Info,
    }
}

/// Without the digits that nobody reads: whole milliseconds.
fn rounded(span: kit::Nanos) -> kit::Nanos {
    kit::Nanos::from_millis(span.as_millis())
}
