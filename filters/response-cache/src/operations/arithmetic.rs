//! The freshness of a stored response, worked out line by line for whoever wonders.
//!
//! **Source**: RFC 9111, sections 4.2 (freshness), 4.2.3 (age), 4.2.4 (stale); RFC 5861.

use kit::Nanos;

use super::cache::Purged;
use crate::policy::terms::Basis;
use crate::store::stored::Stored;

/// One sentence for each step, with its numbers.
///
/// Spans are rounded up to whole milliseconds, so that the last one of a sum may differ by one.
pub(super) fn lines(stored: &Stored, purged: Purged, now: Nanos) -> Vec<String> {
    let freshness = stored.freshness();
    let (age, lifetime) = (freshness.age(now), freshness.lifetime);
    let here = now.saturating_sub(freshness.received);
    let mut lines = vec![
        format!(
            "age {} = {} when it came + {} here",
            told(age),
            told(freshness.initial_age),
            told(here)
        ),
        format!("lifetime {}, {}", told(lifetime), basis(stored.basis)),
    ];
    let left = freshness.left(now);
    let over = age.saturating_sub(lifetime);
    match purged {
        Purged::Hard => {
            lines.push("purged: served to nobody, whatever its age".to_owned());
            return lines;
        }
        Purged::Soft => lines.push("softly purged: counts as stale, whatever its age".to_owned()),
        Purged::No => {}
    }
    let is_stale = left.is_zero() || purged == Purged::Soft;
    lines.push(if left.is_zero() {
        format!("stale for {} = {} - {}", told(over), told(age), told(lifetime))
    } else {
        format!("fresh for {} more = {} - {}", told(left), told(lifetime), told(age))
    });
    if stored.validate {
        lines.push("no-cache: served only after the origin has confirmed it".to_owned());
    } else if stored.strict {
        lines.push("never served stale: the origin demands validation then".to_owned());
    } else {
        let grace = stored.grace();
        for (use_of, span) in [
            ("served while it is refreshed", grace.while_revalidate),
            ("served when the origin fails", grace.if_error),
        ] {
            lines.push(grace_line(use_of, span, is_stale.then_some(over)));
        }
    }
    lines.push(grace_line("kept to be validated", stored.grace().keep, is_stale.then_some(over)));
    lines
}

/// What becomes of it after its lifetime; `over` is how long it is stale, if it is.
fn grace_line(use_of: &str, span: Nanos, over: Option<Nanos>) -> String {
    match over {
        _ if span.is_zero() => format!("stale: not {use_of}"),
        None => format!("once stale: {use_of} for {}", told(span)),
        Some(over) if over < span => {
            let left = span.saturating_sub(over);
            format!("stale: {use_of} for {} more = {} - {}", told(left), told(span), told(over))
        }
        Some(over) => {
            format!("stale: no longer {use_of}, {} is over after {}", told(over), told(span))
        }
    }
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Stated => "stated by the origin",
        Basis::Given => "given by the rule",
        Basis::Assumed => "assumed by the rule, for plain requests only",
    }
}

/// The word for it in answers.
pub(super) const fn basis_word(basis: Basis) -> &'static str {
    match basis {
        Basis::Stated => "stated",
        Basis::Given => "given",
        Basis::Assumed => "assumed",
    }
}

/// A span in whole milliseconds, as operators write it; a begun one counts.
fn told(span: Nanos) -> String {
    Nanos::from_millis(span.as_millis_ceil()).to_string()
}
