//! The terms of a rule, as an operator writes them.

use std::rc::Rc;

use kit::Nanos;
use kit::config::{Fields, quoted};
use kit::status::Statuses;
use kit::units::Ratio;

use crate::policy::assume::{Assumptions, Heuristic, is_heuristically_cacheable};
use crate::policy::fields::KnownFields;
use crate::policy::terms::{Cookies, Origin, SetCookie, StoreFrom, Terms};

/// As RFC 9111 suggests in 4.2.2, and as most caches have it.
pub const DEFAULT_FRACTION: Ratio = Ratio::from_percent(10);
/// Less is a slip, such as `0.1%` for a tenth.
pub const MIN_FRACTION: Ratio = Ratio::from_percent(1);
/// What has not changed for ten hours is asked for once an hour.
pub const DEFAULT_HEURISTIC_MAX: Nanos = Nanos::HOUR;
/// Ages are in whole seconds.
pub const MIN_TTL: Nanos = Nanos::SECOND;
/// Whoever knows that more is right can have the origin say so.
pub const MAX_ASSUMED: Nanos = Nanos::DAY;
/// A year: what RFC 2616 called "never expires", and what origins state at the most.
pub const MAX_TTL: Nanos = Nanos::from_days(365);
/// A month: who serves what is older serves history.
pub const MAX_GRACE: Nanos = Nanos::from_days(30);
/// A stale response with a validator saves its body's way for this long; it is the first to go where room is short.
pub const DEFAULT_KEEP: Nanos = Nanos::HOUR;
/// Statuses and classes with a lifetime of their own.
const MAX_TTLS: usize = 32;
/// Entries of `statuses`.
const MAX_STATUSES: usize = 32;

/// Reads the terms of the rule in whose object `fields` stands.
pub(super) fn read(fields: &mut Fields<'_>, per_user: bool, known: Rc<KnownFields>) -> Terms {
    let origins = [("respect", Origin::Respect), ("override", Origin::Override)];
    let set_cookies = [("refuse", SetCookie::Refuse), ("remove", SetCookie::Remove)];
    let cookies = [("careful", Cookies::Careful), ("ignore", Cookies::Ignore)];
    let stores_from = [("any", StoreFrom::Any), ("plain", StoreFrom::Plain)];
    let lifetime = MIN_TTL..=MAX_TTL;
    let grace = MIN_TTL..=MAX_GRACE;
    Terms {
        origin: fields.optional_choice("origin", &origins).unwrap_or_default(),
        ttl: read_ttl(fields),
        min_ttl: fields.optional_duration("min_ttl", lifetime.clone()),
        max_ttl: fields.optional_duration("max_ttl", lifetime),
        assumptions: read_assumptions(fields),
        stale_while_revalidate: fields.optional_duration("stale_while_revalidate", grace.clone()),
        stale_if_error: fields.optional_duration("stale_if_error", grace.clone()),
        keep: fields.optional_duration("keep", grace).unwrap_or(DEFAULT_KEEP),
        set_cookie: fields.optional_choice("set_cookie", &set_cookies).unwrap_or_default(),
        cookies: fields.optional_choice("cookies", &cookies).unwrap_or_default(),
        per_user,
        statuses: fields.optional_statuses("statuses", 1..=MAX_STATUSES),
        store_from: fields.optional_choice("store_from", &stores_from).unwrap_or_default(),
        known,
    }
}

/// The statuses that a lifetime without any status is for: those below 400 that tell of nothing out of the ordinary,
/// so that neither an error nor what a client did wrong is kept by accident.
pub fn ordinary_statuses() -> Statuses {
    (200..400)
        .filter(|status| is_heuristically_cacheable(*status))
        .map(|status| status..=status)
        .collect()
}

/// Whether responses of this status are never stored, whatever a rule says (RFC 9111, 3; RFC 9110, 15.2, 15.3.7, 15.4.5).
pub(super) const fn is_never_stored(status: u16) -> bool {
    matches!(status, 0..200 | 206 | 304)
}

/// Lifetimes by status, single statuses before their classes.
fn read_ttl(fields: &mut Fields<'_>) -> Vec<(Statuses, Nanos)> {
    if !fields.is_object("ttl") {
        let ttl = fields.optional_duration("ttl", MIN_TTL..=MAX_TTL);
        return ttl.map(|ttl| (ordinary_statuses(), ttl)).into_iter().collect();
    }
    let written = fields.optional_map_of_durations("ttl", 1..=MAX_TTLS, MIN_TTL..=MAX_TTL);
    let (mut exact, mut classes) = (Vec::new(), Vec::new());
    for (key, ttl) in written.unwrap_or_default() {
        // Three characters: neither a sign nor a leading zero fits in front of what is meant.
        let word = Some(key.as_str()).filter(|key| key.len() == 3);
        let class = word.and_then(|word| word.strip_suffix("xx")?.parse().ok());
        let single = word.and_then(|word| word.parse().ok());
        match (class, single) {
            (Some(digit @ 2_u16..=5), _) => {
                let first = digit.saturating_mul(100);
                classes.push(([first..=first.saturating_add(99)].into_iter().collect(), ttl));
            }
            (_, Some(status @ 200..=599)) if !is_never_stored(status) => {
                exact.push(([status..=status].into_iter().collect(), ttl));
            }
            (_, Some(status @ 100..=599)) => fields.problem(
                "ttl",
                format_args!("a lifetime for {status}"),
                "one for a status whose responses can be stored",
                "remove it: such a response is never stored",
            ),
            (_, _) => fields.problem(
                "ttl",
                format_args!("a lifetime for {}", quoted(&key)),
                "statuses such as \"404\" and classes such as \"2xx\"",
                "write three digits from 200 to 599, or 2xx, 3xx, 4xx or 5xx",
            ),
        }
    }
    exact.append(&mut classes);
    exact
}

fn read_assumptions(fields: &mut Fields<'_>) -> Assumptions {
    Assumptions {
        heuristic: fields.optional_object("heuristic", |fields| Heuristic {
            fraction: fields
                .optional_ratio("fraction", MIN_FRACTION..=Ratio::ONE)
                .unwrap_or(DEFAULT_FRACTION),
            max: fields
                .optional_duration("max", MIN_TTL..=MAX_ASSUMED)
                .unwrap_or(DEFAULT_HEURISTIC_MAX),
        }),
        default_ttl: fields.optional_duration("default_ttl", MIN_TTL..=MAX_ASSUMED),
        with_query: fields.optional_bool("assume_with_query").unwrap_or(false),
    }
}
