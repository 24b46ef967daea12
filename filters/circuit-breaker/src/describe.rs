//! What is in force, in an operator's words. Settings that have their defaults are left out, but for the main ones.

use std::fmt;

use kit::status::Statuses;

use crate::breaker::settings::{ProbeMethods, Settings};
use crate::breaker::window::Span;
use crate::config::bounds::{
    DEFAULT_FAILURE_STATUS, DEFAULT_FAILURES, DEFAULT_GROWTH, DEFAULT_JITTER, DEFAULT_LEASE,
    DEFAULT_MAX_BREAKERS, DEFAULT_STATIC_STATUS, DEFAULT_STATUS,
};
use crate::config::{Config, EventLog, OnFailure, Per, Rule};
use crate::evidence::GrpcStatuses;
use crate::fallback::Fallback;

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
        if self.event_log == EventLog::Json {
            lines.push("events are logged as JSON".to_owned());
        }
        lines.extend(self.operations.is_on().then(|| self.operations.describe()));
        lines
    }
}

/// What the rule does, in one line.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match self.per {
            Per::Cluster => "a breaker per cluster",
            Per::Route => "a breaker per route",
            Per::VirtualHost => "a breaker per virtual host",
            Per::Rule => "one breaker",
            Per::Key => "a breaker per key",
        };
        write!(f, "rule {}, for {}: {scope}", self.name, self.matcher)?;
        if self.per == Per::Key {
            write!(f, " ({})", self.key.describe())?;
        }
        if self.is_shadow {
            f.write_str(", which only says what it would do,")?;
        }
        self.settings.fmt_trips(f)?;
        self.settings.fmt_shedding(f)?;
        self.fmt_details(f)
    }
}

impl Settings {
    fn opens(&self) -> bool {
        self.consecutive.is_some() || self.ratio.is_some() || self.slow.is_some()
    }

    fn fmt_trips(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.opens() {
            return Ok(());
        }
        let window = match self.window {
            Span::Time(length) => length.to_string(),
            Span::Count(n) => format!("the last {n}"),
        };
        let mut trips = Vec::new();
        trips.extend(self.consecutive.map(|n| format!("{n} failures in a row")));
        trips.extend(self.ratio.map(|trip| {
            let (threshold, n) = (trip.threshold, trip.min_requests);
            format!("{threshold} failures of at least {n} requests in {window}")
        }));
        trips.extend(self.slow.map(|slow| {
            let (threshold, n) = (slow.trip.threshold, slow.trip.min_requests);
            let than = slow.duration;
            format!("{threshold} answers later than {than} of at least {n} requests in {window}")
        }));
        let (open, probes) = (self.open, self.probes);
        write!(f, " opens after {}, for {} up to {}", trips.join(" or "), open.base, open.max)?;
        if open.growth != DEFAULT_GROWTH {
            write!(f, ", each {}% of the one before", open.growth)?;
        }
        if open.jitter != DEFAULT_JITTER {
            write!(f, ", jitter {}", open.jitter)?;
        }
        write!(f, "; closes after {} successful probes", probes.n_successes)?;
        if probes.n_failures != DEFAULT_FAILURES {
            write!(f, " unless {} fail", probes.n_failures)?;
        }
        write!(f, ", {} at a time", probes.at_once)?;
        match probes.methods {
            ProbeMethods::SafeFirst => {}
            ProbeMethods::SafeOnly => f.write_str(", of safe methods only")?,
            ProbeMethods::Any => f.write_str(", of any method")?,
            ProbeMethods::Own => f.write_str(", its own")?,
        }
        if probes.lease != DEFAULT_LEASE && probes.methods != ProbeMethods::Own {
            write!(f, ", each out for at most {}", probes.lease)?;
        }
        let Some(ramp) = &self.ramp else { return Ok(()) };
        let shares: Vec<String> = ramp.shares.iter().map(ToString::to_string).collect();
        write!(f, ", then lets {} through in {}", shares.join(", "), ramp.time)
    }

    fn fmt_shedding(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(shedding) = self.shedding else { return Ok(()) };
        write!(f, "{}", if self.opens() { "; sheds" } else { " sheds" })?;
        let (whole, part) = (shedding.headroom / 1_000, shedding.headroom % 1_000 / 10);
        write!(f, " up to {} of the requests beyond {whole}.{part:02} times", shedding.max_share)?;
        f.write_str(" what was accepted")
    }
}

impl Rule {
    /// The finer settings, where they are not the defaults.
    fn fmt_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failure_status != DEFAULT_FAILURE_STATUS.into_iter().collect() {
            write!(f, "; failures are {}", self.failure_status)?;
        }
        if self.failure_grpc_status != GrpcStatuses::default() {
            write!(f, "; gRPC failures are {}", self.failure_grpc_status)?;
        }
        if self.ignored_status != Statuses::default() {
            write!(f, "; {} count as nothing", self.ignored_status)?;
        }
        if self.ignored_grpc_status != GrpcStatuses::NONE {
            write!(f, "; gRPC {} count as nothing", self.ignored_grpc_status)?;
        }
        if let Some(status) = self.answer.status.filter(|status| *status != DEFAULT_STATUS) {
            write!(f, "; rejects with {status}")?;
        }
        for (idx, fallback) in self.fallbacks.iter().enumerate() {
            f.write_str(if idx == 0 { "; falls back to " } else { ", then " })?;
            match fallback {
                Fallback::Stale => f.write_str("a stale copy")?,
                Fallback::Cluster(name) => write!(f, "cluster {name}")?,
                Fallback::Static(answer) => {
                    let status = answer.status.unwrap_or(DEFAULT_STATIC_STATUS);
                    write!(f, "a static {status}")?;
                }
            }
        }
        let Some(probe) = &self.own_probe else { return Ok(()) };
        write!(f, "; probes with GET {}", probe.path)?;
        if let Some(cluster) = &probe.cluster {
            write!(f, " of {cluster}")?;
        }
        write!(f, ", which is to answer {} within {}", probe.expect, probe.timeout)
    }
}
