//! What a configuration puts in force, in lines for operators.

use kit::units::Bytes;

use super::{Action, Background, Config, Rule};
use crate::policy::terms::{Cookies, Origin, SetCookie, Terms};
use crate::store::index::{BUCKET_SIZE, WAYS};

impl Config {
    /// The store, what holds for all rules, then a line for each rule.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "store {}: up to {} in {} entries of up to {}; shared memory at most {}, in each worker at most {} for responses on their way and {} for copies",
                self.name,
                self.max_bytes,
                self.max_entries,
                self.max_object,
                self.shared_memory(),
                self.fill_memory,
                self.local_memory,
            ),
            self.collapse.map_or_else(
                || "requests for one response do not wait for one another".to_owned(),
                |collapse| {
                    format!(
                        "requests for one response wait up to {} for the first of them, at most {}",
                        collapse.timeout, collapse.max_waiting
                    )
                },
            ),
        ];
        lines.extend(self.background.as_ref().map(Background::describe));
        if !self.warm.urls.is_empty() {
            let (n, at_once) = (self.warm.urls.len(), self.warm.concurrency);
            lines.push(format!("URLs to warm: {n}, {at_once} at once"));
        }
        if self.operations.is_on() {
            lines.push(self.operations.describe());
        }
        lines.extend(self.rules.iter().map(Rule::describe));
        let off = self.switched_off.iter().map(|name| format!("rule {name}: switched off"));
        lines.extend(off);
        lines
    }

    /// The most that shared data can come to, names and Envoy's own bookkeeping included.
    pub fn shared_memory(&self) -> Bytes {
        /// What Envoy keeps around one value: its name, its place in the map, its version.
        const PER_VALUE: u64 = 150;
        let buckets = u64::from(self.geometry().n_buckets);
        let bucket = u64::try_from(BUCKET_SIZE).unwrap_or(u64::MAX).saturating_add(PER_VALUE);
        let slots = buckets.saturating_mul(u64::try_from(WAYS).unwrap_or(u64::MAX));
        let kept = buckets.saturating_mul(bucket).saturating_add(slots.saturating_mul(PER_VALUE));
        // Whole MiB, so that a summary shows a number that people read.
        let bytes = self.max_bytes.0.saturating_add(kept);
        Bytes::from_mib(bytes.div_ceil(Bytes::MIB.0))
    }
}

impl Background {
    fn describe(&self) -> String {
        format!(
            "background requests go to cluster {}, up to {} at once in each worker, for at most {}",
            self.cluster, self.max_concurrent, self.timeout
        )
    }
}

impl Rule {
    /// In one line: its name, the requests that it is for, and what becomes of them.
    pub fn describe(&self) -> String {
        let what = match self.action {
            Action::Cache => self.describe_caching(),
            Action::Bypass => "never cache".to_owned(),
        };
        format!("rule {}, for {}: {what}", self.name, self.matcher.describe())
    }

    fn describe_caching(&self) -> String {
        let mut parts = vec![describe_terms(&self.terms)];
        if self.key.is_per_user() {
            parts.push(format!("by {}", self.key.describe()));
        }
        if !self.heeds_directives {
            parts.push("whatever requests want".to_owned());
        }
        for (matcher, word) in [(&self.no_store, "not stored"), (&self.bypass, "bypassed")] {
            let described = matcher.as_ref().map(|matcher| matcher.describe());
            parts.extend(described.map(|requests| format!("{word} for {requests}")));
        }
        if !self.tags.is_empty() {
            parts.push(format!("tagged {}", self.tags.join(", ")));
        }
        parts.join("; ")
    }
}

fn describe_terms(terms: &Terms) -> String {
    let ttls: Vec<String> =
        terms.ttl.iter().map(|(statuses, ttl)| format!("{ttl} for {statuses}")).collect();
    let ttls = ttls.join(", ");
    let mut said = match (terms.origin, ttls.is_empty()) {
        (Origin::Respect, true) => "cache as the origin allows".to_owned(),
        (Origin::Respect, false) => {
            format!("cache as the origin allows, where it says nothing {ttls}")
        }
        (Origin::Override, _) => format!("cache whatever the origin says, {ttls}"),
    };
    said.push_str(&terms.assumptions.describe());
    let bounds = [("at least", terms.min_ttl), ("at most", terms.max_ttl)];
    for (word, bound) in bounds {
        said.extend(bound.map(|bound| format!("; {word} {bound}")));
    }
    let graces = [
        ("while it is refreshed", terms.stale_while_revalidate),
        ("when the origin fails", terms.stale_if_error),
    ];
    for (word, grace) in graces {
        said.extend(grace.map(|grace| format!("; stale for {grace} {word}")));
    }
    said.extend(terms.statuses.map(|statuses| format!("; only {statuses}")));
    if terms.set_cookie == SetCookie::Remove {
        said.push_str("; without the cookies that it sets");
    }
    if terms.cookies == Cookies::Ignore {
        said.push_str("; also for requests with cookies");
    }
    said
}
