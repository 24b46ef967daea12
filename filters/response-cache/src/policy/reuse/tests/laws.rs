//! Laws over all requests and responses.

use proptest::prelude::*;

use super::*;

fn wishes() -> impl Strategy<Value = String> {
    let seconds = prop_oneof![0..200_u64, Just(u64::MAX)];
    let one = (0..9_usize, seconds).prop_map(|(which, seconds)| {
        let names = ["max-age", "max-stale", "min-fresh", "stale-if-error"];
        match names.get(which) {
            Some(name) => format!("{name}={seconds}"),
            None => ["max-stale", "no-cache", "no-store", "only-if-cached", "x"]
                .get(which.saturating_sub(names.len()))
                .copied()
                .unwrap_or_default()
                .to_owned(),
        }
    });
    prop::collection::vec(one, 0..4).prop_map(|all| all.join(", "))
}

proptest! {
    /// 4.2.4: nothing stale is served against `no-cache`, `must-revalidate` or a soft purge without grace,
    /// whatever the client says; and nothing at all that is not for it.
    #[test]
    fn what_forbids_is_stronger_than_every_wish(
        wish in wishes(),
        age in 0..200_u64,
        [strict, validate, soft_purged, for_authorized, authorized]: [bool; 5],
    ) {
        let stored = Stored { strict, validate, for_authorized, ..stored() };
        let mut fields = vec![("cache-control", wish.as_str())];
        if authorized {
            fields.push(("authorization", "x"));
        }
        let asked = Asked { soft_purged, ..Asked::at(age, &fields) };
        let fresh = age < 60 && !soft_purged;
        let forbidden = validate || (strict && !fresh) || (authorized && !for_authorized);
        let verdict = asked.decide(&stored);
        if forbidden {
            prop_assert!(!matches!(verdict, Verdict::Serve | Verdict::ServeStale), "{verdict:?}");
            prop_assert!(!asked.on_error(&stored));
        }
        if verdict == Verdict::ServeStale {
            prop_assert!(!fresh && age <= 90);
        }
    }

    /// Time only takes away: what is not served now is not served later, with the same wishes.
    #[test]
    fn what_is_too_old_stays_too_old(wish in wishes(), age in 0..200_u64, more in 0..200_u64) {
        let fields = [("cache-control", wish.as_str())];
        let serves = |age| {
            matches!(Asked::at(age, &fields).decide(&stored()), Verdict::Serve | Verdict::ServeStale)
        };
        prop_assert!(serves(age) || !serves(age.saturating_add(more)));
        let helps = |age| Asked::at(age, &fields).on_error(&stored());
        prop_assert!(helps(age) || !helps(age.saturating_add(more)));
    }
}
