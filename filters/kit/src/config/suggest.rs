//! Did you mean …?

/// Names longer than this are no slip of the finger.
const MAX_LEN: usize = 64;

/// The one of `known` that `typed` was probably meant to be.
///
/// Another case, `-` for `_` or a missing `_` always matches; otherwise a third of the letters may differ,
/// two neighbours swapped counted once.
///
/// ```
/// assert_eq!(kit::config::closest("brust", ["window", "burst"].into_iter()), Some("burst"));
/// ```
pub fn closest<'a>(typed: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if typed.len() > MAX_LEN {
        return None;
    }
    let plain = letters(typed);
    if let Some(same) = known.clone().find(|name| letters(name) == plain) {
        return Some(same);
    }
    let most = (plain.chars().count() / 3).max(1);
    known
        .map(|name| (strsim::osa_distance(&plain, &letters(name)), name))
        .filter(|(distance, name)| *distance <= most && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_and_strangers_are_not() {
        let known = ["burst", "window", "per_worker", "ttl"];
        for (typed, meant) in [
            ("brust", Some("burst")),
            ("Burst", Some("burst")),
            ("bursts", Some("burst")),
            ("windw", Some("window")),
            ("per-worker", Some("per_worker")),
            ("perWorker", Some("per_worker")),
            ("tll", Some("ttl")),
            ("x", None),
            ("", None),
            ("quota", None),
        ] {
            assert_eq!(closest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
