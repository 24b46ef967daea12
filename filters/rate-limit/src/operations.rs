//! The operations endpoints: what the limiter knows, and how an operator makes it forget.
//!
//! | request below the prefix | does |
//! | --- | --- |
//! | `GET` | lists these endpoints |
//! | `GET /rules`, `GET /rules/NAME` | the rules in force |
//! | `GET /state?…` | what each rule says of a described request, which is charged nowhere |
//! | `DELETE /state?…` | forgets the counts of the keys of a described request |
//! | `DELETE /rules/NAME`, `DELETE /rules` | forgets all counts of one rule, or of every rule |
//! | `GET /top` | the keys refused most in the last minutes |
//!
//! `/state` and `/top` take `rule=NAME`, which leaves the other rules out; [`kit::described`] lists what else
//! describes a request. Whoever deletes is named in the log.
//!
//! Strict, because a slip could forget too much: an unknown parameter, a rule without a name and a slash too many are
//! errors, never ignored. `HEAD` is answered as `GET`; Envoy leaves the body out.
//! All answers are JSON and for no cache, errors in the form of RFC 9457; who may ask is for
//! [`kit::operations::Access`].
//!
//! Routing and rendering are here; the counts are behind [`Ledger`].

mod ledger;
mod limiter;
mod render;
mod table;

use kit::described::Described;
use kit::net::client_address;
use kit::operations::parameters::{one, only};
use kit::operations::{Access, Answer, Asked, Refusal, json};
use kit::{Exchange, Reply};

pub(crate) use table::OPERATIONS;

pub use ledger::{
    Client, Forgotten, Key, Ledger, LimitState, Quotas, Reset, RuleInfo, RuleState, RuleTop,
    Standing,
};

/// Answers a request that is for the operations endpoints; `None` for any other. Ask in the request phase.
///
/// `end` says that the request has no body.
///
/// **Cost**: as [`Access::decide`] for any other; what an operator asks for costs what the [`Ledger`] needs.
pub fn answer(access: &Access, ledger: &dyn Ledger, x: &dyn Exchange, end: bool) -> Option<Answer> {
    kit::operations::answer(access, x, end, |asked, audit| {
        Endpoints { access, ledger, x }.answer(asked, audit)
    })
}

/// What there is below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource<'a> {
    Index,
    Rules,
    Rule(&'a str),
    State,
    Top,
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Delete,
}

const READ: &str = "GET, HEAD";
const READ_AND_DELETE: &str = "GET, HEAD, DELETE";

impl<'a> Resource<'a> {
    /// The resource at what follows the prefix.
    fn at(endpoint: &'a str) -> Option<Self> {
        match endpoint {
            "" | "/" => Some(Self::Index),
            "/rules" => Some(Self::Rules),
            "/state" => Some(Self::State),
            "/top" => Some(Self::Top),
            _ => {
                let name = endpoint.strip_prefix("/rules/")?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Rule(name))
            }
        }
    }

    const fn allows(self) -> &'static str {
        match self {
            Self::Index | Self::Top => READ,
            Self::Rules | Self::Rule(_) | Self::State => READ_AND_DELETE,
        }
    }

    fn verb(self, method: &[u8]) -> Option<Verb> {
        match method {
            b"GET" | b"HEAD" => Some(Verb::Read),
            b"DELETE" if self.allows() == READ_AND_DELETE => Some(Verb::Delete),
            _ => None,
        }
    }
}

/// What answers a granted request.
struct Endpoints<'a> {
    access: &'a Access,
    ledger: &'a dyn Ledger,
    x: &'a dyn Exchange,
}

impl Endpoints<'_> {
    fn answer(&self, asked: &Asked, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let Asked { prefix, endpoint, method, query } = asked;
        let resource =
            Resource::at(endpoint).ok_or_else(|| Refusal::nothing_at(endpoint, &ENDPOINTS))?;
        let verb =
            resource.verb(method).ok_or_else(|| Refusal::Method { allow: resource.allows() })?;
        let host = self.x.host();
        match (resource, verb) {
            (Resource::Index, _) => {
                only(query, &[])?;
                Ok(json::index(prefix, &[(prefix, &OPERATIONS)]))
            }
            (Resource::Rules, Verb::Read) => {
                only(query, &[])?;
                Ok(render::rules(&self.ledger.rules()))
            }
            (Resource::Rules, Verb::Delete) => {
                only(query, &[])?;
                self.reset(&self.ledger.reset_rule(host, None), audit)
            }
            (Resource::Rule(name), verb) => {
                only(query, &[])?;
                self.known(name)?;
                if verb == Verb::Delete {
                    return self.reset(&self.ledger.reset_rule(host, Some(name)), audit);
                }
                let mut rules = self.ledger.rules();
                rules.retain(|rule| rule.name == name);
                Ok(render::rules(&rules))
            }
            (Resource::State, verb) => {
                let described = Described::read(self.x, self.access, &["rule"]);
                let described = described.map_err(Refusal::Parameters)?;
                let rule = self.rule(query)?;
                if verb == Verb::Delete {
                    let resets = self.ledger.reset_key(&described, rule.as_deref());
                    if resets.is_empty() {
                        return Err(self.no_key(&described, rule.as_deref()));
                    }
                    return self.reset(&resets, audit);
                }
                let mut states = self.ledger.state(&described);
                states.retain(|state| rule.as_ref().is_none_or(|name| state.rule == *name));
                Ok(render::state(&described, &self.ledger.client(&described), &states))
            }
            (Resource::Top, _) => {
                only(query, &["rule"])?;
                let rule = self.rule(query)?;
                Ok(render::top(&self.ledger.top(host, rule.as_deref())))
            }
        }
    }

    /// The parameter `rule`: a rule that there is.
    fn rule(&self, query: &[u8]) -> Result<Option<String>, Refusal> {
        let Some(name) = one(query, "rule")? else { return Ok(None) };
        self.known(&name)?;
        Ok(Some(name))
    }

    fn known(&self, name: &str) -> Result<(), Refusal> {
        Refusal::unless_known("rule", name, &self.ledger.names())
    }

    /// Why nothing could be forgotten: no rule has a key for the described request.
    fn no_key(&self, described: &Described<'_>, rule: Option<&str>) -> Refusal {
        let states = self.ledger.state(described);
        let asked = states.iter().filter(|state| rule.is_none_or(|name| state.rule == name));
        let why: Vec<String> =
            asked.map(|state| format!("{} {}", state.rule, state.standing.word())).collect();
        Refusal::Unknown(format!(
            "no rule has a key for such a request ({}); describe it as the client sends it, with method, path and address",
            why.join(", ")
        ))
    }

    /// Tells what was reset, to the operator and to the log.
    fn reset(&self, resets: &[Reset], audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let by = client_address(self.x);
        audit.extend(resets.iter().map(|reset| reset.audit(by)));
        if resets.iter().any(|reset| reset.forgotten.is_err()) {
            let detail = "Some counts were not reset; try again.";
            Err(Refusal::Failed { detail, done: Some(("reset", render::reset_list(resets))) })
        } else {
            Ok(render::resets(resets))
        }
    }
}

const ENDPOINTS: [&str; 4] = ["/rules", "/rules/NAME", "/state", "/top"];

#[cfg(test)]
mod tests;
