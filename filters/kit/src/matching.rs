//! Which requests a rule is for: the `match` object of every filter's configuration.
//!
//! A [`Matcher`] is a conjunction of conditions over the request, compiled once when the filter is configured.
//! The syntax for operators is in this crate's `README.md`.
//!
//! What holds for all of it:
//! * absent or empty, it matches every request;
//! * paths are compared in one [canonical](crate::target::canonical_path) spelling, without the query;
//! * values are bytes, and any of several values of one name may satisfy a condition;
//! * what a request does not have satisfies nothing, except a condition with `not`;
//! * cheap conditions are asked first, and nothing is fetched that no condition needs.
//!
//! Deliberately absent: nesting deeper than one level. Rules that need it are several rules.

mod claim;
mod condition;
mod host;
mod metadata;
mod name;
mod path;
mod read;
mod regex;
mod text;
mod value;

use std::fmt;

use crate::exchange::Exchange;
use condition::Condition;
pub use path::is_below;
pub(crate) use path::literal as parse_path;

/// A compiled `match` object; the default matches every request.
///
/// **Cost**: request headers (one host call for all matchers of an exchange) if it has conditions on
/// methods, hosts, paths, headers, queries or cookies; one call for each of route name, virtual host, cluster
/// and source that it names (once per exchange, whoever asks); one for each entry of `route_metadata` and
/// `claims` at each question. Conditions behind one that fails cost nothing.
/// It allocates only for metadata and claims, for an escaped path and for an encoded query parameter that it names.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    all: AllOf,
    any: Vec<AllOf>,
    not: Option<AllOf>,
}

impl Matcher {
    /// Whether the request is one that the rule is for; ask in the request phase, or keep the answer.
    pub fn matches(&self, x: &dyn Exchange) -> bool {
        self.all.hold(x)
            && (self.any.is_empty() || self.any.iter().any(|set| set.hold(x)))
            && !self.not.as_ref().is_some_and(|set| set.hold(x))
    }

    /// Whether it matches every request without looking.
    pub fn is_everything(&self) -> bool {
        self.all.0.is_empty() && self.any.is_empty() && self.not.is_none()
    }

    /// Whether all it matches are requests of somebody: it asks for a claim, or for the header `authorization`.
    ///
    /// For filters to which this matters when they are configured; `false` says nothing.
    pub fn asks_who(&self) -> bool {
        self.all.asks_who() || (!self.any.is_empty() && self.any.iter().all(AllOf::asks_who))
    }

    /// What it matches, in one line for operators: `method GET and path below /api`.
    pub fn describe(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("every request");
        }
        let mut separator = "";
        if !self.all.0.is_empty() {
            write!(f, "{}", self.all)?;
            separator = " and ";
        }
        if !self.any.is_empty() {
            write!(f, "{separator}any of (")?;
            write_list(f, &self.any, "; ")?;
            f.write_str(")")?;
            separator = " and ";
        }
        match &self.not {
            Some(set) => write!(f, "{separator}not ({set})"),
            None => Ok(()),
        }
    }
}

/// Conditions that must all hold, the cheapest first.
#[derive(Clone, Debug, Default)]
struct AllOf(Vec<Condition>);

impl AllOf {
    fn new(mut conditions: Vec<Condition>) -> Self {
        conditions.sort_by_key(Condition::rank);
        Self(conditions)
    }

    fn hold(&self, x: &dyn Exchange) -> bool {
        self.0.iter().all(|condition| condition.holds(x))
    }

    fn asks_who(&self) -> bool {
        self.0.iter().any(Condition::asks_who)
    }
}

impl fmt::Display for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0, " and ")
    }
}

fn write_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    between: &str,
) -> fmt::Result {
    for (idx, entry) in list.iter().enumerate() {
        if idx > 0 {
            f.write_str(between)?;
        }
        write!(f, "{entry}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
