//! What is in force, in an operator's words. Settings that have their defaults are left out, but for the main ones.

use std::fmt;

use crate::config::{Config, DEFAULT_FAILURE_STATUS, DEFAULT_JITTER, DEFAULT_LEASE};
use crate::config::{DEFAULT_MAX_BREAKERS, DEFAULT_STATUS, OnFailure, Per, Rule};
use crate::settings::ProbeMethods;

impl Config {
    /// A line for each rule, then those for what concerns all of them.
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.rules.iter().map(Rule::to_string).collect();
        lines.extend(self.switched_off.iter().map(|name| format!("rule {name}: switched off")));
        if self.max_breakers != DEFAULT_MAX_BREAKERS {
            lines.push(format!("room for {} breakers", self.max_breakers));
        }
        if self.on_failure == OnFailure::Deny {
            lines.push("requests whose breaker's state can not be told are rejected".to_owned());
        }
        lines
    }
}

/// What the rule does, in one line.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match self.per {
            Per::Cluster => "a breaker per cluster",
            Per::Route => "a breaker per route",
            Per::Rule => "one breaker",
        };
        write!(f, "rule {}, for {}: {scope} opens after ", self.name, self.matcher)?;
        let settings = &self.settings;
        if let Some(n) = settings.consecutive {
            write!(f, "{n} failures in a row")?;
        }
        if settings.consecutive.is_some() && settings.ratio.is_some() {
            f.write_str(" or ")?;
        }
        if let Some(trip) = settings.ratio {
            write!(
                f,
                "{} failures of at least {} requests in ",
                trip.threshold, trip.min_requests
            )?;
            write!(f, "{}", settings.window)?;
        }
        let (open, probes) = (settings.open, settings.probes);
        write!(f, ", for {} up to {}", open.base, open.max)?;
        if open.jitter != DEFAULT_JITTER {
            write!(f, ", jitter {}", open.jitter)?;
        }
        write!(f, "; closes after ")?;
        write!(f, "{} successful probes, {} at a time", probes.n_successes, probes.at_once)?;
        self.fmt_details(f)
    }
}

impl Rule {
    /// The finer settings, where they are not the defaults.
    fn fmt_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let probes = self.settings.probes;
        match probes.methods {
            ProbeMethods::SafeFirst => {}
            ProbeMethods::SafeOnly => f.write_str(", of safe methods only")?,
            ProbeMethods::Any => f.write_str(", of any method")?,
        }
        if probes.lease != DEFAULT_LEASE {
            write!(f, ", each out for at most {}", probes.lease)?;
        }
        if self.failure_status != DEFAULT_FAILURE_STATUS.into_iter().collect() {
            write!(f, "; failures are {}", self.failure_status)?;
        }
        if self.status != DEFAULT_STATUS {
            write!(f, "; rejects with {}", self.status)?;
        }
        Ok(())
    }
}
