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
mod problem;
mod render;

use kit::config::{closest, quoted};
use kit::described::{Described, Problem};
use kit::net::client_address;
use kit::operations::{Access, Verdict};
use kit::{Exchange, Reply, target};

pub use ledger::{
    Client, Forgotten, Key, Ledger, LimitState, Quotas, Reset, RuleInfo, RuleState, RuleTop,
    Standing,
};
use problem::Refusal;

/// The details of every answer of the operations endpoints in Envoy's access log.
pub const DETAILS: &str = "weir_operations";

/// What came of a request to the operations endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer to send.
    pub reply: Reply,
    /// The word for the decision record.
    pub word: &'static str,
    /// Lines to log: one for each rule whose counts were reset.
    pub audit: Vec<String>,
}

/// Answers a request that is for the operations endpoints; `None` for any other. Ask in the request phase.
///
/// **Cost**: as [`Access::decide`] for any other; what an operator asks for costs what the [`Ledger`] needs.
pub fn answer(access: &Access, ledger: &dyn Ledger, x: &dyn Exchange) -> Option<Answer> {
    match access.decide(x) {
        Verdict::NotOurs => None,
        Verdict::Denied(denial) => {
            let reply = Refusal::Denied(denial).into_reply();
            Some(Answer { reply, word: denial.word(), audit: Vec::new() })
        }
        Verdict::Granted => {
            let mut audit = Vec::new();
            let asked = Asked { access, ledger, x };
            let reply = asked.answer(&mut audit).unwrap_or_else(Refusal::into_reply);
            Some(Answer { reply, word: "operations", audit })
        }
    }
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

/// A granted request, and what it asks.
struct Asked<'a> {
    access: &'a Access,
    ledger: &'a dyn Ledger,
    x: &'a dyn Exchange,
}

impl Asked<'_> {
    fn answer(&self, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let endpoint = self.access.endpoint(self.x).unwrap_or_default();
        let resource = Resource::at(&endpoint).ok_or_else(|| nothing_at(&endpoint))?;
        let request = self.x.request();
        let method = request.get(":method").unwrap_or_default();
        let verb =
            resource.verb(method).ok_or_else(|| Refusal::Method { allow: resource.allows() })?;
        let (path, query) = target::split(request.get(":path").unwrap_or_default());
        let host = self.x.host();
        match (resource, verb) {
            (Resource::Index, _) => {
                only(query, &[])?;
                let path = target::canonical_path(path);
                Ok(render::index(path.strip_suffix(&*endpoint).unwrap_or(&path)))
            }
            (Resource::Rules, Verb::Read) => {
                only(query, &[])?;
                Ok(render::rules(&self.ledger.rules()))
            }
            (Resource::Rules, Verb::Delete) => {
                only(query, &[])?;
                self.reset(self.ledger.reset_rule(host, None), audit)
            }
            (Resource::Rule(name), verb) => {
                only(query, &[])?;
                self.known(name)?;
                if verb == Verb::Delete {
                    return self.reset(self.ledger.reset_rule(host, Some(name)), audit);
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
                    return self.reset(resets, audit);
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
        let mut named = target::query_pairs(query)
            .filter(|(name, _)| *target::form_decoded(name) == *b"rule")
            .map(|(_, value)| target::form_decoded(value));
        let Some(name) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            let what = "found a second time, allowed once; remove one of them".to_owned();
            return Err(Refusal::Parameters(vec![Problem { parameter: "rule".to_owned(), what }]));
        }
        let name = String::from_utf8_lossy(&name);
        self.known(&name)?;
        Ok(Some(name.into_owned()))
    }

    fn known(&self, name: &str) -> Result<(), Refusal> {
        let names = self.ledger.names();
        if names.contains(&name) {
            return Ok(());
        }
        let mend = match closest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => format!("the rules are {}", names.join(", ")),
        };
        Err(Refusal::Unknown(format!("There is no rule {}; {mend}", quoted(name))))
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
    fn reset(&self, resets: Vec<Reset>, audit: &mut Vec<String>) -> Result<Reply, Refusal> {
        let by = client_address(self.x);
        audit.extend(resets.iter().map(|reset| reset.audit(by)));
        if resets.iter().any(|reset| reset.forgotten.is_err()) {
            Err(Refusal::Failed(resets))
        } else {
            Ok(render::resets(&resets))
        }
    }
}

fn nothing_at(endpoint: &str) -> Refusal {
    let name = endpoint.trim_start_matches('/');
    let mend = match closest(name, ["rules", "state", "top"].into_iter()) {
        _ if name == "rules/" => {
            "add the rule's name, or remove the slash to mean every rule".to_owned()
        }
        Some(meant) => format!("did you mean \"/{meant}\"?"),
        None => "there are /rules, /rules/NAME, /state and /top".to_owned(),
    };
    Refusal::Unknown(format!("There is nothing at {}; {mend}", quoted(endpoint)))
}

/// Whether a query has no parameters but these.
fn only(query: &[u8], known: &[&str]) -> Result<(), Refusal> {
    let problems: Vec<Problem> = target::query_pairs(query)
        .map(|(name, _)| String::from_utf8_lossy(&target::form_decoded(name)).into_owned())
        .filter(|name| !known.contains(&name.as_str()))
        .take(kit::described::MAX_PARAMETERS)
        .map(|name| {
            let what = match closest(&name, known.iter().copied()) {
                Some(meant) => format!("unknown parameter; did you mean {}?", quoted(meant)),
                None if known.is_empty() => "unknown parameter, allowed none; remove it".to_owned(),
                None => format!("unknown parameter; the one here is {}", known.join(", ")),
            };
            Problem { parameter: ledger::word(&name), what }
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Parameters(problems)) }
}

#[cfg(test)]
mod tests;
