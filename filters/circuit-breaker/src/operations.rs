//! The operations endpoints: what the breakers do, and how an operator takes them in hand.
//!
//! | request below the prefix | does |
//! | --- | --- |
//! | `GET` | lists these endpoints |
//! | `GET /rules`, `GET /rules/NAME` | the rules |
//! | `GET /breakers?…` | the breakers that any worker met, with state, window and last failures |
//! | `GET /events?…` | the last changes of state and acts of operators |
//! | `PUT /control?mode=…` | has breakers do something else than they would, for a time or until the hand lets go |
//! | `DELETE /control?…` | lets go of them |
//! | `POST /reset?…` | has breakers forget everything but the hand |
//!
//! [`selection`] says which breakers are meant. A change holds for every worker from its answer on: it is a step of the
//! breaker like all others.
//!
//! Strict, because a slip could reject everything: an unknown parameter, an empty one and a rule without a name are
//! errors, never ignored; every problem is told at once, and nothing is changed until there is none.
//! `PUT` and `DELETE` may be repeated if an answer got lost. `POST` is what people expect of a reset; a page of another
//! site can make a browser send it, so what says that it comes from one is refused.
//! `HEAD` is answered as `GET`. All answers are JSON and for no cache, errors in the form of RFC 9457. Whoever changes
//! something is named in the log and in the list of events.
//!
//! Routing and rendering are here; the breakers are behind [`Ledger`].

mod hands;
mod ledger;
mod render;
pub mod selection;
mod table;

use kit::net::client_address;
use kit::operations::parameters::only;
use kit::operations::{Access, Answer, Asked, Refusal, json};
use kit::{Exchange, Reply};

pub(crate) use render::event;
pub(crate) use table::OPERATIONS;

pub use ledger::{
    Act, Acted, BreakerInfo, Change, Filter, HeldInfo, Ledger, Listed, MAX_LISTED, RuleInfo, Target,
};
use selection::{read_events, read_filter, read_hold, read_target};

/// Answers a request that is for the operations endpoints; `None` for any other. Ask in the request phase.
///
/// `end` says that the request has no body.
///
/// **Cost**: as [`Access::decide`] for any other; what an operator asks for costs what the [`Ledger`] needs.
pub fn answer(access: &Access, ledger: &dyn Ledger, x: &dyn Exchange, end: bool) -> Option<Answer> {
    kit::operations::answer(access, x, end, |asked, audit| {
        Endpoints { ledger, x }.answer(asked, audit)
    })
}

/// What there is below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource<'a> {
    Index,
    Rules,
    Rule(&'a str),
    Breakers,
    Events,
    Control,
    Reset,
}

/// What there is, as paths.
const PATHS: [&str; 6] = ["/rules", "/rules/NAME", "/breakers", "/events", "/control", "/reset"];

impl<'a> Resource<'a> {
    /// The resource at what follows the prefix.
    fn at(endpoint: &'a str) -> Option<Self> {
        match endpoint {
            "" | "/" => Some(Self::Index),
            "/rules" => Some(Self::Rules),
            "/breakers" => Some(Self::Breakers),
            "/events" => Some(Self::Events),
            "/control" => Some(Self::Control),
            "/reset" => Some(Self::Reset),
            _ => {
                let name = endpoint.strip_prefix("/rules/")?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Rule(name))
            }
        }
    }

    const fn allows(self) -> &'static str {
        match self {
            Self::Index | Self::Rules | Self::Rule(_) | Self::Breakers | Self::Events => {
                "GET, HEAD"
            }
            Self::Control => "PUT, DELETE",
            Self::Reset => "POST",
        }
    }

    fn has(self, method: &[u8]) -> bool {
        self.allows().split(", ").any(|allowed| allowed.as_bytes() == method)
    }
}

/// What answers a granted request.
struct Endpoints<'a> {
    ledger: &'a dyn Ledger,
    x: &'a dyn Exchange,
}

impl Endpoints<'_> {
    fn answer(&self, asked: &Asked, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let Asked { prefix, endpoint, method, query } = asked;
        let resource =
            Resource::at(endpoint).ok_or_else(|| Refusal::nothing_at(endpoint, &PATHS))?;
        if !resource.has(method) {
            return Err(Refusal::Method { allow: resource.allows() });
        }
        let host = self.x.host();
        match resource {
            Resource::Index => {
                only(query, &[])?;
                Ok(json::index(prefix, &[(prefix, &OPERATIONS)]))
            }
            Resource::Rules => {
                only(query, &[])?;
                Ok(render::rules(&self.ledger.rules()))
            }
            Resource::Rule(name) => {
                only(query, &[])?;
                self.known(name)?;
                let mut rules = self.ledger.rules();
                rules.retain(|rule| rule.name == name);
                Ok(render::rules(&rules))
            }
            Resource::Breakers => {
                let filter = read_filter(query)?;
                filter.rule.as_ref().map_or(Ok(()), |name| self.known(name))?;
                Ok(render::breakers(&self.ledger.breakers(host, &filter), host.now()))
            }
            Resource::Events => {
                let (rule, limit) = read_events(query)?;
                rule.as_ref().map_or(Ok(()), |name| self.known(name))?;
                let mut list = self.ledger.events(host);
                list.events.retain(|event| rule.as_ref().is_none_or(|name| event.rule == *name));
                Ok(render::events(&list, limit))
            }
            Resource::Control if method == b"PUT" => {
                let (target, hold) = read_hold(query, &self.ledger.rules())?;
                self.act(&target, Act::Hold(hold), audit)
            }
            Resource::Control => {
                let target = read_target(query, &self.ledger.rules())?;
                self.act(&target, Act::LetGo, audit)
            }
            Resource::Reset => {
                Refusal::unless_same_site(&self.x.request())?;
                let target = read_target(query, &self.ledger.rules())?;
                self.act(&target, Act::Reset, audit)
            }
        }
    }

    fn known(&self, name: &str) -> Result<(), Refusal> {
        Refusal::unless_known("rule", name, &self.ledger.names())
    }

    /// Does it, and tells the operator and the log what was done.
    fn act(&self, target: &Target, act: Act, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let by = client_address(self.x).map_or_else(|| "unknown".to_owned(), |by| by.to_string());
        let acted = self.ledger.act(self.x.host(), target, act, &by);
        if acted.is_empty() {
            return Err(Refusal::Unknown(target.nobody()));
        }
        let n_failed = acted.iter().filter(|acted| acted.outcome.is_err()).count();
        let failed = if n_failed == 0 { String::new() } else { format!(" failed={n_failed}") };
        audit.push(format!(
            "circuit-breaker: operations {act} {target} breakers={}{failed} by={by}",
            acted.len()
        ));
        if n_failed > 0 {
            let detail = "Some breakers were not changed; try again.";
            return Err(Refusal::Failed {
                detail,
                done: Some(("breakers", render::acted(&acted))),
            });
        }
        Ok(render::done(&acted))
    }
}
