//! Health as JSON: 200 or 503.

use kit::clusters::{self, Missing};
use kit::operations::json::{self, put, put_some};
use kit::{Host, Nanos, Reply};
use serde_json::{Map, Value, json};

use super::render;
use crate::health::Health;
use crate::health::readiness::{Reason, Trouble, trouble};
use crate::health::report::{Cluster, Memory, Report, Server};
use crate::stats::Snapshot;
use crate::stats::tally::Tally;
use crate::stats::window;

/// The paths below the one of health.
pub(super) const PATHS: [&str; 4] = ["/live", "/ready", "/status", "/detailed"];

/// The module's own version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// It answers, so it lives.
pub(super) fn live() -> Reply {
    json::ok(&json!({ "status": "live" }))
}

/// What is known of health, now.
pub(super) struct Told<'a> {
    pub(super) health: &'a Health,
    pub(super) report: Report,
    pub(super) now: Nanos,
}

impl Told<'_> {
    /// Whether the gateway can serve; the reasons are for who proved himself.
    pub(super) fn ready(&self, is_proven: bool, host: &dyn Host) -> Reply {
        let mut object = Map::new();
        let status = self.readiness(&mut object, is_proven, host);
        json::reply(status, "application/json", &Value::Object(object))
    }

    /// Uptime, versions, memory, and what the filters are at.
    pub(super) fn status(&self, snapshot: &Snapshot, host: &dyn Host) -> Reply {
        let mut object = Map::new();
        let status = self.readiness(&mut object, true, host);
        self.summary(&mut object, snapshot, host);
        json::reply(status, "application/json", &Value::Object(object))
    }

    /// The same, each cluster with its hosts, and when they were asked about.
    pub(super) fn detailed(&self, snapshot: &Snapshot, host: &dyn Host) -> Reply {
        let mut object = Map::new();
        let status = self.readiness(&mut object, true, host);
        self.summary(&mut object, snapshot, host);
        if let Some(asking) = &self.health.settings.asking {
            let clusters = asking.clusters.iter().map(|name| {
                let found = self.report.cluster(name);
                let is_ready = trouble(asking, found).is_none();
                cluster(name, found, is_ready)
            });
            put(&mut object, "clusters", clusters.collect());
            put(&mut object, "checks", self.checks());
        }
        json::reply(status, "application/json", &Value::Object(object))
    }

    /// Adds whether the gateway can serve, and why not; tells the status to answer with.
    ///
    /// A missing cluster that a filter only refreshes, probes or falls back by is a warning: it keeps no request from
    /// being served.
    fn readiness(
        &self,
        object: &mut Map<String, Value>,
        with_reasons: bool,
        host: &dyn Host,
    ) -> u16 {
        let reasons = self.health.reasons(&self.report, self.now);
        let is_ready = reasons.is_empty();
        put(object, "status", json!(if is_ready { "ready" } else { "not_ready" }));
        if with_reasons {
            put(object, "reasons", reasons.iter().map(reason).map(Value::String).collect());
        }
        let missing = if with_reasons { clusters::missing(host) } else { Vec::new() };
        if !missing.is_empty() {
            let warning = |Missing { cluster, filter }: &Missing| {
                json!(format!("no such cluster: {cluster}, which {filter} is configured to call"))
            };
            put(object, "warnings", missing.iter().map(warning).collect());
        }
        if is_ready { 200 } else { 503 }
    }

    fn summary(&self, object: &mut Map<String, Value>, snapshot: &Snapshot, host: &dyn Host) {
        let Snapshot { now, book } = snapshot;
        let uptime = now.saturating_sub(book.started);
        put(object, "uptime_seconds", render::seconds(uptime));
        put(object, "version", json!(VERSION));
        if let Some((_, Server { version, state })) = &self.report.server {
            put(object, "envoy", json!({ "version": version, "state": state }));
        }
        if let Some((_, Memory { allocated, heap, physical })) = self.report.memory {
            let memory = json!({
                "allocated_bytes": allocated, "heap_bytes": heap, "physical_bytes": physical,
            });
            put(object, "memory", memory);
        }
        let total = book.total();
        let mut statistics = Map::new();
        put(
            &mut statistics,
            "since_reset_seconds",
            render::seconds(now.saturating_sub(book.reset_at)),
        );
        put(&mut statistics, "requests", json!(total.requests()));
        render::tally(&mut statistics, &total);
        put(&mut statistics, "last_minute", last_minute(snapshot, host));
        put(object, "statistics", Value::Object(statistics));
        put(object, "cache", Value::Object(render::cache(host)));
        put(object, "breakers", Value::Object(render::breakers(host)));
    }

    /// When what was asked, and what went wrong.
    fn checks(&self) -> Value {
        let Report { rounds, clusters, server, memory, failures, failed, .. } = &self.report;
        let age = |at: Option<Nanos>| {
            at.map_or(Value::Null, |at| render::seconds(self.now.saturating_sub(at)))
        };
        let mut object = Map::new();
        put(&mut object, "rounds", json!(rounds));
        put(&mut object, "clusters_age_seconds", age(clusters.as_ref().map(|(at, _)| *at)));
        put(&mut object, "server_age_seconds", age(server.as_ref().map(|(at, _)| *at)));
        put(&mut object, "memory_age_seconds", age(memory.map(|(at, _)| at)));
        put(&mut object, "failures", json!(failures));
        put(&mut object, "last_failure_age_seconds", age(failed.as_ref().map(|(at, _)| *at)));
        put_some(&mut object, "last_failure", failed.as_ref().map(|(_, what)| what.clone()));
        Value::Object(object)
    }
}

fn last_minute(snapshot: &Snapshot, host: &dyn Host) -> Value {
    let Snapshot { now, book } = snapshot;
    let mut sum = Tally::default();
    for slice in window::last(host, *now, book.reset_at, Nanos::MINUTE) {
        sum.merge(&slice.tally);
    }
    let span = window::span(*now, Nanos::MINUTE).0.min(now.saturating_sub(book.reset_at).0);
    let mut object = Map::new();
    put(&mut object, "requests", json!(sum.requests()));
    put(&mut object, "requests_per_second", render::per_second(sum.requests(), Nanos(span)));
    render::tally(&mut object, &sum);
    Value::Object(object)
}

fn cluster(name: &str, found: Option<&Cluster>, is_ready: bool) -> Value {
    let mut object = Map::new();
    put(&mut object, "cluster", json!(name));
    put(&mut object, "ready", json!(is_ready));
    put(&mut object, "known", json!(found.is_some()));
    if let Some(found) = found {
        put(&mut object, "hosts_total", json!(found.n_hosts));
        put(&mut object, "hosts_healthy", json!(found.n_healthy));
        let hosts = found.hosts.iter().map(|host| {
            json!({
                "address": host.address, "healthy": host.troubles.is_empty(),
                "troubles": host.troubles,
            })
        });
        put(&mut object, "hosts", hosts.collect());
    }
    Value::Object(object)
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Unknown => "Envoy's admin interface has not answered yet".to_owned(),
        Reason::Old { age } => {
            format!("Envoy's admin interface answered last {} s ago", age.as_secs())
        }
        Reason::Server { state } => format!("Envoy is {state}"),
        Reason::Cluster { name, what } => match what {
            Trouble::Missing => format!("there is no cluster {name}"),
            Trouble::Empty => format!("cluster {name} has no host"),
            Trouble::Unhealthy { n_healthy, n_hosts } => {
                format!("{n_healthy} of {n_hosts} hosts of cluster {name} are healthy")
            }
        },
    }
}
