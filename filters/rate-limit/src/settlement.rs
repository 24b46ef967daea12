//! What stays charged once a request is over: whether it counts at all, decided by its response.
//!
//! With `count: responses` only those of some statuses count, such as failed logins; `refund` gives back what
//! others were charged, such as errors of the upstream or answers from the cache.
//! In both cases the request is charged when it comes, so that a quota holds for those under way,
//! and what does not count is taken back in the log phase.
//!
//! **An exchange that ended without a response stays charged**, in both cases. Otherwise a client that goes away
//! before the answer arrives would guess as often as it likes. Where responses are counted, Envoy's own answer in the
//! place of an upstream that was asked, such as a timeout's, is none of those that do not count: the upstream may
//! have judged the guess. A refund is given for every answer of its statuses, whoever made it.
//!
//! Statuses are those of HTTP that the client got: a gRPC call that failed has status 200.
//!
//! An answer is the cache's if the cache says so: with its word in the decision record where both filters run
//! in one module, else with the details of the response, which only filters and Envoy itself can set.
//! `Cache-Status` is not looked at, since an upstream can write it and so make its own answers free.

use std::ops::RangeInclusive;

use kit::Exchange;
use kit::config::Fields;
use kit::exchange::Attribute;
use kit::status::Statuses;

use crate::cost::{Cost, is_given_up, status};

/// How many entries a list of statuses may have: every class, and more ranges than make sense.
const ENTRIES: RangeInclusive<usize> = 1..=32;

/// The response cache's name in the decision record.
pub const CACHE: &str = "response-cache";
/// Its words for answers from the store for which the upstream was not asked: a fresh one, one that is being
/// refreshed, and one that another request has brought.
pub const CACHE_WORDS: [&str; 3] = ["hit", "stale_hit", "collapsed"];
/// The details of these answers, and of the 304 that a stored response justifies.
pub const CACHE_DETAILS: [&str; 4] =
    ["weir_cache_hit", "weir_cache_stale", "weir_cache_collapsed", "weir_cache_not_modified"];

/// Which requests stay charged; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// The statuses that count, if not all do.
    counted: Option<Statuses>,
    /// The statuses that are given back.
    refunded: Statuses,
    /// Whether answers from the cache are given back.
    cache_hits: bool,
}

impl Settlement {
    /// Reads the fields `count`, `statuses` and `refund` of a rule.
    ///
    /// Problems are recorded in `fields`; what comes back then is never used.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let counts = [("requests", false), ("responses", true)];
        let by_response = fields.optional_choice("count", &counts);
        let counted = fields.optional_statuses("statuses", ENTRIES);
        match (by_response, fields.has("statuses")) {
            (Some(true), false) => fields.problem(
                "statuses",
                "nothing beside count: \"responses\"",
                "the statuses that count, such as [401, 403]",
                "add this field, or remove count",
            ),
            (Some(false), true) => not_by_response(fields),
            // A count that is wrong has its own line.
            (None, true) if !fields.has("count") => not_by_response(fields),
            (Some(true), true) | (Some(false) | None, _) => {}
        }
        let (refunded, cache_hits) = fields.optional_object("refund", refund).unwrap_or_default();
        if by_response == Some(true) && counted.is_some_and(|counted| is_within(counted, refunded))
        {
            fields.problem(
                "refund",
                "a refund of every status that counts",
                "one that leaves some of statuses charged",
                "remove it: beside count: \"responses\" all other statuses are given back anyway",
            );
        }
        Self { counted, refunded, cache_hits }
    }

    /// Whether anything but the cost itself is decided at the end.
    pub fn needed(&self) -> bool {
        self.counted.is_some() || self.refunded != Statuses::default() || self.cache_hits
    }

    /// What the request is to be charged in the end, told in the log phase: 0 if it does not count.
    ///
    /// `reserved` is what it was charged when it came.
    ///
    /// **Cost**: one host call for the status, one for the details if cache hits are given back and the cache is
    /// no part of this module, and what [`Cost::actual`] costs.
    pub fn final_cost(&self, cost: &Cost, reserved: u64, x: &dyn Exchange) -> u64 {
        if self.needed() && self.is_free(x) { 0 } else { cost.actual(x, reserved) }
    }

    /// What is not charged, in an operator's words; `None` if everything is.
    pub fn describe(&self) -> Option<String> {
        let counted = self.counted.map(|statuses| format!("only responses with {statuses} count"));
        let by_status = (self.refunded != Statuses::default()).then(|| self.refunded.to_string());
        let hits = self.cache_hits.then(|| "answers from the cache".to_owned());
        let refunds: Vec<String> = by_status.into_iter().chain(hits).collect();
        let refunded =
            (!refunds.is_empty()).then(|| format!("{} given back", refunds.join(" and ")));
        let all: Vec<String> = counted.into_iter().chain(refunded).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn is_free(&self, x: &dyn Exchange) -> bool {
        let Some(status) = status(x) else { return false };
        self.counted.is_some_and(|counted| !counted.contains(status) && !is_given_up(x))
            || self.refunded.contains(status)
            || (self.cache_hits && is_cache_hit(x))
    }
}

/// Whether each status of one set, which has some, is in the other.
fn is_within(one: Statuses, other: Statuses) -> bool {
    let mut all = (100..=599).filter(|status| one.contains(*status)).peekable();
    all.peek().is_some() && all.all(|status| other.contains(status))
}

fn refund(fields: &mut Fields<'_>) -> (Statuses, bool) {
    let statuses = fields.optional_statuses("statuses", ENTRIES);
    let cache_hits = fields.optional_bool("cache_hits");
    let says_nothing = cache_hits == Some(false) || !fields.has("cache_hits");
    if says_nothing && !fields.has("statuses") {
        fields.own_problem(
            "a refund of nothing",
            "statuses, cache_hits: true or both",
            "add one of them, or remove the refund",
        );
    }
    (statuses.unwrap_or_default(), cache_hits.unwrap_or(false))
}

fn not_by_response(fields: &mut Fields<'_>) {
    fields.problem(
        "statuses",
        "statuses beside count: \"requests\"",
        "statuses beside count: \"responses\" only",
        "set count to \"responses\", or remove this field: every request counts",
    );
}

/// Whether the response is one of the response cache's from its store.
fn is_cache_hit(x: &dyn Exchange) -> bool {
    match x.notes().iter().find(|(filter, _)| *filter == CACHE) {
        Some((_, word)) => CACHE_WORDS.contains(word),
        None => x.attribute(Attribute::ResponseDetails).is_some_and(|details| {
            CACHE_DETAILS.iter().any(|hit| hit.as_bytes() == details.as_ref())
        }),
    }
}

#[cfg(test)]
mod tests;
