//! The operations endpoints: what the cache knows, and how an operator makes it forget.
//!
//! | request below the prefix | does |
//! | --- | --- |
//! | `GET` | lists these endpoints |
//! | `GET /stats` | what has been counted, over all workers |
//! | `GET /rules`, `GET /rules/NAME` | the rules |
//! | `GET /explain?url=…` | what the cache would do with a described request, and why |
//! | `DELETE /entries?…` | purges |
//! | `GET /purges` | the purges in force that are kept one by one |
//! | `GET /warm` | how warming goes |
//! | `PUT /warm?url=…` | puts URLs on the list to be warmed |
//! | `DELETE /warm` | forgets the URLs that still wait |
//!
//! [`kit::described`] lists what describes a request. `DELETE /entries` takes `url`, `tag`, `prefix`, `pattern` and
//! `resource`, each as often as wanted, or `everything=true`; with `soft=true` entries only become stale.
//!
//! Besides, a `PURGE` request to any path purges that URL, or the tags that its tag fields name, softly with
//! `soft-purge: 1`. Only if it [proves itself](Access::is_proven) as a request below the prefix must:
//! any other `PURGE` is an unsafe method like those that the cache does not know, and goes to the origin.
//!
//! Changes are `DELETE` and `PUT`, not `POST`: no page can make a browser send them to another site without asking it
//! first, which counts where access is by address alone. They may be repeated, too, if an answer got lost.
//!
//! Strict, because a slip could forget too much: an unknown parameter, one that is empty and a slash too many are
//! errors, never ignored; all targets are checked before the first is purged. `HEAD` is answered as `GET`.
//! All answers are JSON and for no cache, errors in the form of RFC 9457. Whoever changes something is named in the log.
//!
//! Routing and rendering are here; the entries are behind [`Cache`].

mod arithmetic;
mod because;
mod cache;
mod explain;
mod purge;
mod render;
mod table;

use kit::described::Described;
use kit::net::client_address;
use kit::operations::parameters::{only, word};
use kit::operations::{Access, Answer, Asked, Refusal, granted, json};
use kit::{Exchange, Reply};

use crate::warming::AddError;
pub(crate) use table::OPERATIONS;

pub use cache::{
    Cache, Done, Entry, Explanation, Flight, Mode, PurgeInfo, Purged, Receipt, RuleCounts,
    RuleInfo, Statistics, Target, WarmError,
};

/// Answers a request that is for the operations endpoints, or a PURGE that proves itself; `None` for any other.
/// Ask in the request phase, before anything else.
///
/// `end` says that the request has no body.
///
/// **Cost**: as [`Access::decide`] for any other; what an operator asks for costs what the [`Cache`] needs.
pub fn answer(access: &Access, cache: &dyn Cache, x: &dyn Exchange, end: bool) -> Option<Answer> {
    if !access.is_on() {
        return None;
    }
    let endpoints = Endpoints { access, cache, x };
    let below =
        kit::operations::answer(access, x, end, |asked, audit| endpoints.answer(asked, audit));
    if below.is_some() {
        return below;
    }
    let is_purge = x.request().get(":method") == Some(b"PURGE");
    (is_purge && access.is_proven(x)).then(|| granted(|audit| endpoints.purge_method(audit)))
}

/// What there is below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource<'a> {
    Index,
    Stats,
    Rules,
    Rule(&'a str),
    Explain,
    Entries,
    Purges,
    Warm,
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Put,
    Delete,
}

impl<'a> Resource<'a> {
    /// The resource at what follows the prefix.
    fn at(endpoint: &'a str) -> Option<Self> {
        match endpoint {
            "" | "/" => Some(Self::Index),
            "/stats" => Some(Self::Stats),
            "/rules" => Some(Self::Rules),
            "/explain" => Some(Self::Explain),
            "/entries" => Some(Self::Entries),
            "/purges" => Some(Self::Purges),
            "/warm" => Some(Self::Warm),
            _ => {
                let name = endpoint.strip_prefix("/rules/")?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Rule(name))
            }
        }
    }

    const fn allows(self) -> &'static str {
        match self {
            Self::Index
            | Self::Stats
            | Self::Rules
            | Self::Rule(_)
            | Self::Explain
            | Self::Purges => "GET, HEAD",
            Self::Entries => "DELETE",
            Self::Warm => "GET, HEAD, PUT, DELETE",
        }
    }

    fn verb(self, method: &[u8]) -> Result<Verb, Refusal> {
        let is_entries = self == Self::Entries;
        match method {
            b"GET" | b"HEAD" if !is_entries => Ok(Verb::Read),
            b"DELETE" if is_entries || self == Self::Warm => Ok(Verb::Delete),
            b"PUT" if self == Self::Warm => Ok(Verb::Put),
            _ => Err(Refusal::Method { allow: self.allows() }),
        }
    }
}

/// What there is, as paths.
const PATHS: [&str; 7] =
    ["/stats", "/rules", "/rules/NAME", "/explain", "/entries", "/purges", "/warm"];

/// What answers a granted request.
struct Endpoints<'a> {
    access: &'a Access,
    cache: &'a dyn Cache,
    x: &'a dyn Exchange,
}

impl Endpoints<'_> {
    fn answer(&self, asked: &Asked, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let Asked { prefix, endpoint, method, query } = asked;
        let resource =
            Resource::at(endpoint).ok_or_else(|| Refusal::nothing_at(endpoint, &PATHS))?;
        let verb = resource.verb(method)?;
        let host = self.x.host();
        if !matches!((resource, verb), (Resource::Explain | Resource::Entries, _) | (_, Verb::Put))
        {
            only(query, &[])?;
        }
        match resource {
            Resource::Index => Ok(json::index(prefix, &[(prefix, &OPERATIONS)])),
            Resource::Stats => Ok(render::statistics(&self.cache.statistics(host))),
            Resource::Rules => Ok(render::rules(&self.cache.rules())),
            Resource::Rule(name) => {
                Refusal::unless_known("rule", name, &self.cache.names())?;
                let mut rules = self.cache.rules();
                rules.retain(|rule| rule.name == name);
                Ok(render::rules(&rules))
            }
            Resource::Explain => {
                let described = Described::read(self.x, self.access, &[]);
                let described = described.map_err(Refusal::Parameters)?;
                let explanation = self.cache.explain(&described, self.x);
                Ok(explain::explanation(&described, &explanation, self.x.now()))
            }
            Resource::Entries => self.purge_entries(query, audit),
            Resource::Purges => Ok(render::purges(&self.cache.purges(host))),
            Resource::Warm => self.warm(verb, query, audit),
        }
    }

    fn warm(&self, verb: Verb, query: &[u8], audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let host = self.x.host();
        match verb {
            Verb::Read => Ok(render::warming(self.cache.warming(host).as_ref())),
            Verb::Put => {
                let urls = purge::urls(query)?;
                let added = self.cache.warm(host, &urls).map_err(not_warmed)?;
                audit.push(self.line(&format!(
                    "warm added={} waiting_already={}",
                    added.added, added.waiting_already
                )));
                Ok(render::added(added))
            }
            Verb::Delete => {
                let stopped = self.cache.stop_warming(host).map_err(not_warmed)?;
                audit.push(self.line(&format!("warm stopped={stopped}")));
                Ok(render::stopped(stopped))
            }
        }
    }

    /// A line for the log: what was done, and who asked for it.
    fn line(&self, what: &str) -> String {
        let by = client_address(self.x).map_or_else(|| "unknown".to_owned(), |by| by.to_string());
        format!("response-cache: operations {what} by={by}")
    }
}

fn not_warmed(error: WarmError) -> Refusal {
    match error {
        WarmError::Off | WarmError::List(AddError::Full { .. }) => {
            Refusal::Conflict(sentence(&error.to_string()))
        }
        WarmError::List(AddError::Store(_)) => {
            Refusal::Failed { detail: "The list was not changed; try again.", done: None }
        }
    }
}

/// A message of the log as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let mut sentence: String = first.into_iter().chain(letters).collect();
    sentence.push('.');
    sentence
}

#[cfg(test)]
mod tests;
