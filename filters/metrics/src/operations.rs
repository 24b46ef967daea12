//! The operations endpoints: what was counted, what failed, and whether this gateway can serve.
//!
//! | request below the prefix | does |
//! | --- | --- |
//! | `GET` | lists these endpoints |
//! | `GET /stats?routes=` | what was counted since the last reset |
//! | `GET /performance?routes=` | throughput, latency and errors of the last minutes; the slowest routes |
//! | `GET /errors?limit=` | the latest failures |
//! | `GET /consumers?limit=` | the busiest consumers of the last minutes, if they are told apart |
//! | `POST /reset` | forgets what was counted |
//! | `GET /health/live`, `/health/ready`, `/health/status`, `/health/detailed` | health, if it is configured |
//! | `GET /console` | the page for people, if it is configured; without a token too, for it holds no data |
//! | `GET /console/settings` | where the page finds the endpoints of the other filters |
//!
//! Health may have a path of its own, and its first two may be open to all: load balancers have no token.
//! Who asks without a proof learns nothing but the word.
//!
//! Strict, as the other filters' endpoints are: an unknown parameter, a body and a slash too many are errors.
//! `HEAD` is answered as `GET`. All answers are JSON and for no cache, errors in the form of RFC 9457; who resets is
//! named in the log.
//!
//! A reset is a `POST`, as operators expect of one, and a browser may be made to send it from another site: what comes
//! from a page of another site is refused.
//!
//! The endpoints of the filters behind this one may stand below the same prefix. The console's configuration names
//! them, and what is for them passes.

mod health;
mod render;
mod table;

use kit::net::client_address;
use kit::operations::openapi::{self, Operation};
use kit::operations::parameters::{one, only};
use kit::operations::{self, Access, Answer, Asked, Denial, Refusal, granted, json};
use kit::target;
use kit::{Exchange, Host, Reply};

use crate::console::{self, Console};
use crate::consumers::Consumers;
use crate::health::Health;
use crate::in_flight::InFlight;
use crate::signals;
use crate::stats::Statistics;

/// What answers requests for the operations endpoints.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Who may ask.
    pub access: &'a Access,
    /// What was counted.
    pub statistics: &'a Statistics,
    /// What is under way.
    pub in_flight: &'a InFlight,
    /// The consumers, if they are told apart.
    pub consumers: Option<&'a Consumers>,
    /// Health, if it is configured.
    pub health: Option<&'a Health>,
    /// The console, if it is configured.
    pub console: Option<&'a Console>,
}

/// What the paths of this filter's own endpoints begin with.
pub const OWN: [&str; 8] = [
    "/stats",
    "/performance",
    "/errors",
    "/consumers",
    "/reset",
    "/health",
    "/console",
    "/openapi.json",
];

/// What there is below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Index,
    Stats,
    Performance,
    Errors,
    Consumers,
    Reset,
    Health(Probe),
    Console,
    Settings,
}

/// What is asked about health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Live,
    Ready,
    Status,
    Detailed,
}

/// Routes that are listed unless told otherwise: what a person reads.
const DEFAULT_ROUTES: usize = 10;
/// Consumers, likewise: as many as have series unless told otherwise.
const DEFAULT_CONSUMERS: usize = 20;

impl Probe {
    /// The probe at what follows the path of health.
    fn at(rest: &str) -> Option<Self> {
        match rest {
            "/live" => Some(Self::Live),
            "/ready" => Some(Self::Ready),
            "/status" => Some(Self::Status),
            "/detailed" => Some(Self::Detailed),
            _ => None,
        }
    }

    /// Whether it can be open to all.
    const fn can_be_open(self) -> bool {
        matches!(self, Self::Live | Self::Ready)
    }
}

impl Resource {
    const fn allows(self) -> &'static str {
        match self {
            Self::Reset => "POST",
            Self::Index
            | Self::Stats
            | Self::Performance
            | Self::Errors
            | Self::Consumers
            | Self::Health(_)
            | Self::Console
            | Self::Settings => "GET, HEAD",
        }
    }

    fn check(self, method: &[u8]) -> Result<(), Refusal> {
        let is_allowed = match method {
            b"GET" | b"HEAD" => self != Self::Reset,
            b"POST" => self == Self::Reset,
            _ => false,
        };
        if is_allowed { Ok(()) } else { Err(Refusal::Method { allow: self.allows() }) }
    }
}

impl<'a> Desk<'a> {
    /// Leaves what can be asked for where the OpenAPI document is made of it.
    pub fn publish(&self, host: &dyn Host) {
        let prefix = self.access.prefix();
        let below_health = health_path(prefix, self.health);
        let common = prefix.map(|prefix| (prefix, openapi::COMMON.as_slice()));
        let own = self.lists(below_health.as_deref());
        openapi::publish(host, signals::NAME, &[common.as_slice(), &own].concat());
    }

    /// What can be asked for, by what it stands below.
    fn lists<'p>(&self, below_health: Option<&'p str>) -> Vec<(&'p str, &'static [Operation])>
    where
        'a: 'p,
    {
        let prefix = self.access.prefix();
        let below = |operations: &'static [Operation]| prefix.map(|prefix| (prefix, operations));
        let own = below(&table::OPERATIONS);
        let consumers = self.consumers.and_then(|_| below(&table::CONSUMERS));
        let health =
            self.health.zip(below_health).map(|(health, path)| match health.settings.open {
                true => (path, table::OPEN_HEALTH.as_slice()),
                false => (path, table::HEALTH.as_slice()),
            });
        let console = self.console.and_then(|_| below(&console::OPERATIONS));
        [own, consumers, health, console].into_iter().flatten().collect()
    }

    /// Answers a request that is for these endpoints; `None` for any other. Ask in the request phase.
    ///
    /// `end` says that the request has no body.
    ///
    /// **Cost**: off, nothing; as [`Access::decide`] for any other request; what an operator asks for costs up to
    /// sixty values of shared data.
    pub fn answer(&self, x: &dyn Exchange, end: bool) -> Option<Answer> {
        if let Some(answer) = self.health.and_then(|health| self.probe(health, x, end)) {
            return Some(answer);
        }
        if let Some(console) = self.console {
            let endpoint = self.access.endpoint(x)?;
            if console.settings.is_of_others(&[self.access.prefix()?, &endpoint].concat()) {
                return None;
            }
            if let Some(answer) = self.page(console, &endpoint, x) {
                return Some(answer);
            }
        }
        operations::answer(self.access, x, end, |asked, audit| self.granted(x, asked, audit))
    }

    /// The console's page for whoever has no token: it holds no data. A wrong address does not get it.
    fn page(&self, console: &Console, endpoint: &str, x: &dyn Exchange) -> Option<Answer> {
        let is_asked = self.resource(endpoint) == Some(Resource::Console)
            && x.request().get(":method") == Some(b"GET")
            && self.access.denial(x) == Some(Denial::Token);
        is_asked.then(|| granted(|_| Ok(console.page(true))))
    }

    /// What has no proof or a path of its own: health.
    fn probe(&self, health: &Health, x: &dyn Exchange, end: bool) -> Option<Answer> {
        let own = health.settings.path.as_deref();
        let rest = match own {
            Some(path) => operations::below(path, x)?,
            None if health.settings.open => {
                self.access.endpoint(x)?.strip_prefix("/health")?.to_owned()
            }
            None => return None,
        };
        let probe = Probe::at(&rest);
        let is_open = health.settings.open && probe.is_some_and(Probe::can_be_open);
        if own.is_none() && !is_open {
            return None;
        }
        let request = x.request();
        let (_, query) = target::split(request.get(":path").unwrap_or_default());
        let denial = self.access.denial(x);
        if let (Some(denial), false) = (denial, is_open) {
            let reply = Refusal::Denied(denial).into_reply();
            return Some(Answer { reply, word: denial.word(), audit: Vec::new() });
        }
        Some(granted(|_| {
            Refusal::unless_ended(end)?;
            let probe = probe.ok_or_else(|| Refusal::nothing_at(&rest, &health::PATHS))?;
            Resource::Health(probe).check(request.get(":method").unwrap_or_default())?;
            only(query, &[])?;
            Ok(self.health(health, probe, x, denial.is_none()))
        }))
    }

    fn granted(
        &self,
        x: &dyn Exchange,
        asked: &Asked,
        audit: &mut Vec<String>,
    ) -> Result<Reply, Refusal> {
        let Asked { prefix, endpoint, method, query } = asked;
        let resource = self.resource(endpoint).ok_or_else(|| self.nothing_at(endpoint))?;
        resource.check(method)?;
        let host = x.host();
        match resource {
            Resource::Index => {
                only(query, &[])?;
                Ok(json::index(
                    prefix,
                    &self.lists(health_path(Some(prefix), self.health).as_deref()),
                ))
            }
            Resource::Stats => {
                let n_routes = number(query, "routes", DEFAULT_ROUTES)?;
                let in_flight = self.in_flight.total(host);
                Ok(render::stats(&self.statistics.snapshot(host), host, in_flight, n_routes))
            }
            Resource::Performance => {
                let n_routes = number(query, "routes", DEFAULT_ROUTES)?;
                let snapshot = self.statistics.snapshot(host);
                let slices = |window| self.statistics.slices(host, snapshot.book.reset_at, window);
                Ok(render::performance(&snapshot, slices, n_routes))
            }
            Resource::Errors => {
                let max = self.statistics.max_failures();
                let limit = number(query, "limit", max)?;
                let book = self.statistics.snapshot(host).book;
                let failures = self.statistics.failures(host, book.reset_at);
                Ok(render::errors(&failures, max, limit))
            }
            Resource::Consumers => {
                let limit = number(query, "limit", DEFAULT_CONSUMERS)?;
                let consumers = self.consumers.ok_or_else(|| self.nothing_at(endpoint))?;
                Ok(render::consumers(&consumers.busiest(host), limit))
            }
            Resource::Reset => {
                only(query, &[])?;
                self.reset(x, audit)
            }
            Resource::Health(probe) => {
                only(query, &[])?;
                let health = self.health.ok_or_else(|| self.nothing_at(endpoint))?;
                Ok(self.health(health, probe, x, true))
            }
            Resource::Console | Resource::Settings => {
                only(query, &[])?;
                let console = self.console.ok_or_else(|| self.nothing_at(endpoint))?;
                if resource == Resource::Console {
                    return Ok(console.page(false));
                }
                Ok(console.told(health_path(Some(prefix), self.health).as_deref()))
            }
        }
    }

    /// The resource at what follows the prefix.
    fn resource(&self, endpoint: &str) -> Option<Resource> {
        match endpoint {
            "" | "/" => Some(Resource::Index),
            "/stats" => Some(Resource::Stats),
            "/performance" => Some(Resource::Performance),
            "/errors" => Some(Resource::Errors),
            "/consumers" => self.consumers.map(|_| Resource::Consumers),
            "/reset" => Some(Resource::Reset),
            "/console" | "/console/" => self.console.map(|_| Resource::Console),
            "/console/settings" => self.console.map(|_| Resource::Settings),
            _ => {
                let rest = endpoint.strip_prefix("/health")?;
                let is_here = self.health.is_some_and(|health| health.settings.path.is_none());
                Probe::at(rest).filter(|_| is_here).map(Resource::Health)
            }
        }
    }

    fn nothing_at(&self, endpoint: &str) -> Refusal {
        let is_here = self.health.is_some_and(|health| health.settings.path.is_none());
        let consumers = self.consumers.map(|_| table::CONSUMERS.as_slice()).unwrap_or_default();
        let own = table::OPERATIONS.iter().chain(consumers).map(|one| one.path.to_owned());
        let health = table::HEALTH.iter().filter(|_| is_here);
        let console = self.console.map(|_| "/console".to_owned());
        let health = health.map(|one| format!("/health{}", one.path));
        let paths: Vec<String> = own.chain(health).chain(console).collect();
        Refusal::nothing_at(endpoint, &paths.iter().map(String::as_str).collect::<Vec<&str>>())
    }

    fn reset(&self, x: &dyn Exchange, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        Refusal::unless_same_site(&x.request())?;
        let by = client_address(x).map_or_else(|| "unknown".to_owned(), |by| by.to_string());
        match self.statistics.reset(x.host()) {
            Ok(requests) => {
                audit.push(format!("metrics: operations reset requests={requests} by={by}"));
                Ok(render::reset(requests))
            }
            Err(error) => {
                audit.push(format!("metrics: operations reset failed error={error} by={by}"));
                Err(Refusal::Failed { detail: "Nothing was reset; try again.", done: None })
            }
        }
    }

    fn health(&self, health: &Health, probe: Probe, x: &dyn Exchange, is_proven: bool) -> Reply {
        let host = x.host();
        let now = host.now();
        let told = health::Told { health, report: health.report(host), now };
        match probe {
            Probe::Live => health::live(),
            Probe::Ready => told.ready(is_proven, x.host()),
            Probe::Status => told.status(&self.statistics.snapshot(host), host),
            Probe::Detailed => told.detailed(&self.statistics.snapshot(host), host),
        }
    }
}

/// Where health is told, if it is.
fn health_path(prefix: Option<&str>, health: Option<&Health>) -> Option<String> {
    let below = || prefix.map(|prefix| format!("{prefix}/health"));
    health?.settings.path.as_deref().map(str::to_owned).or_else(below)
}

/// A parameter that says how many; no other parameter may be there.
fn number(query: &[u8], name: &str, default: usize) -> Result<usize, Refusal> {
    only(query, &[name])?;
    let Some(text) = one(query, name)? else { return Ok(default) };
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        Ok(0) | Err(_) => {
            let what = format!(
                "found {}, allowed a whole number from 1; write it in digits",
                kit::config::quoted(&text)
            );
            Err(Refusal::parameter(name, what))
        }
    }
}
