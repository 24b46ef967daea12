//! What a rule makes of the responses to its requests, and which targeted field speaks for the origin.
#![cfg(test)]

mod shop;

use kit::Nanos;
use shop::{DATE, TAG, keeping, plain, seconds, statuses, store};
use weir_response_cache::policy::terms::{Basis, Cookies, Grace, Origin, SetCookie, Terms};
use weir_response_cache::signals::Refusal;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn ruled(origin: Origin) -> Terms {
    Terms {
        origin,
        ttl: vec![(statuses(200..=299), Nanos::MINUTE), (statuses(404..=404), Nanos::SECOND)],
        ..Terms::default()
    }
}

/// RFC 5861, 3, 4; RFC 9111, 4.2.4, 5.2.2.2, 5.2.2.8, 5.2.2.10.
#[test]
fn grace_is_the_origins_word_first_and_never_against_its_will() {
    let terms = Terms {
        stale_while_revalidate: Some(Nanos::from_secs(7)),
        stale_if_error: Some(Nanos::from_secs(8)),
        ..keeping()
    };
    for (value, strict, revalidate, error) in [
        ("", false, 7, 8),
        (", stale-while-revalidate=3", false, 3, 8),
        (", stale-if-error=0", false, 7, 0),
        (", stale-if-error=x", false, 7, 0),
        (", stale-while-revalidate=1, stale-while-revalidate=2", false, 0, 8),
        (", must-revalidate, stale-if-error=5", true, 0, 0),
        (", proxy-revalidate", true, 0, 0),
        (", must-revalidate=x", true, 0, 0),
        (", s-maxage=60", true, 0, 0),
        (", no-cache", false, 0, 0),
    ] {
        let value = format!("max-age=60{value}");
        let leave = store(&[], "200", &[("cache-control", &value), TAG], &terms).unwrap();
        let grace = Grace {
            while_revalidate: Nanos::from_secs(revalidate),
            if_error: Nanos::from_secs(error),
            keep: Nanos::HOUR,
        };
        assert_eq!((leave.strict, leave.grace), (strict, grace), "{value}");
    }
    let without = store(&[], "200", &[("cache-control", "max-age=60")], &terms).unwrap();
    assert_eq!(without.grace.keep, Nanos::ZERO, "nothing to validate it by");
}

/// RFC 9213, 2.1, 2.2, 3.1.
#[test]
fn targeted_fields_go_before_cache_control() {
    let cdn = "cdn-cache-control";
    for (section, fields, expected) in [
        (
            "2.2, it replaces Cache-Control",
            &[(cdn, "max-age=7"), ("cache-control", "no-store")][..],
            Ok(7),
        ),
        (
            "2.2, and Expires",
            &[(cdn, "no-store"), ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")],
            Err(Refusal::NoStore),
        ),
        (
            "2.2, alone",
            &[(cdn, "public"), ("cache-control", "max-age=60"), ("date", DATE)],
            Err(Refusal::NoLifetime),
        ),
        (
            "2.2, the first of the list",
            &[(cdn, "max-age=7"), ("weir-cache-control", "max-age=8")],
            Ok(8),
        ),
        (
            "2.2, the first that is valid",
            &[(cdn, "max-age=7"), ("weir-cache-control", "max-age=")],
            Ok(7),
        ),
        ("2.1, empty counts as absent", &[(cdn, " "), ("cache-control", "max-age=60")], Ok(60)),
        (
            "2.1, invalid counts as absent",
            &[(cdn, "Max-Age=7"), ("cache-control", "max-age=60")],
            Ok(60),
        ),
        (
            "2.1, a trailing comma is invalid",
            &[(cdn, "max-age=7,"), ("cache-control", "max-age=60")],
            Ok(60),
        ),
        ("2.1, lines join", &[(cdn, "max-age=7"), (cdn, "no-store")], Err(Refusal::NoStore)),
        ("2.1, the last of a name counts", &[(cdn, "max-age=7, max-age=9")], Ok(9)),
        ("2.1, parameters are ignored", &[(cdn, "max-age=7;x=1, public;y")], Ok(7)),
        ("2.1, unknown members are ignored", &[(cdn, "max-age=7, x=(a b), y=:aGk=:")], Ok(7)),
        ("2.1, a false flag says nothing", &[(cdn, "max-age=7, no-store=?0")], Ok(7)),
        (
            "2.1, a restriction of the wrong type restricts",
            &[(cdn, "max-age=7, private=1")],
            Err(Refusal::Private),
        ),
        (
            "2.1, a lifetime of the wrong type is none",
            &[(cdn, "max-age=\"7\"")],
            Err(Refusal::NoLifetime),
        ),
        ("2.1, a negative lifetime is none", &[(cdn, "max-age=-7")], Err(Refusal::NoLifetime)),
        (
            "2.1, a lifetime that is a list is none",
            &[(cdn, "max-age=(7)")],
            Err(Refusal::NoLifetime),
        ),
    ] {
        assert_eq!(plain(fields), expected, "{section}: {fields:?}");
    }
    let fields = store(&[], "200", &[(cdn, "max-age=7, private=\"X-A\"")], &Terms::default());
    assert_eq!(fields.unwrap().dropped, [b"x-a"]);
}

/// What a rule gives, and to whom it does not.
#[test]
fn rules_give_lifetimes() {
    let ignore = Terms { cookies: Cookies::Ignore, ..ruled(Origin::Respect) };
    let mine = Terms { per_user: true, ..ruled(Origin::Respect) };
    for (what, asked, status, fields, terms, expected) in [
        ("where nothing is stated", &[][..], "200", &[][..], ruled(Origin::Respect), Ok(60)),
        ("by status", &[], "404", &[], ruled(Origin::Respect), Ok(1)),
        ("to no other status", &[], "500", &[], ruled(Origin::Respect), Err(Refusal::NoLifetime)),
        (
            "not where one is stated",
            &[],
            "200",
            &[("cache-control", "max-age=5")],
            ruled(Origin::Respect),
            Ok(5),
        ),
        (
            "not where one is unclear",
            &[],
            "200",
            &[("cache-control", "max-age=x")],
            ruled(Origin::Respect),
            Err(Refusal::NoLifetime),
        ),
        (
            "not against no-store",
            &[],
            "200",
            &[("cache-control", "no-store")],
            ruled(Origin::Respect),
            Err(Refusal::NoStore),
        ),
        (
            "not against Pragma",
            &[],
            "200",
            &[("pragma", "no-cache")],
            ruled(Origin::Respect),
            Err(Refusal::NoCache),
        ),
        ("counted from the arrival", &[], "200", &[("age", "500")], ruled(Origin::Respect), Ok(60)),
        (
            "not with a cookie",
            &[("cookie", "a")],
            "200",
            &[],
            ruled(Origin::Respect),
            Err(Refusal::NotPlain),
        ),
        ("with a cookie that is ignored", &[("cookie", "a")], "200", &[], ignore, Ok(60)),
        (
            "not when authorised",
            &[("authorization", "a")],
            "200",
            &[("cache-control", "public")],
            ruled(Origin::Respect),
            Err(Refusal::Authorization),
        ),
        ("to each user", &[("authorization", "a")], "200", &[], mine, Ok(60)),
        (
            "against no-store",
            &[],
            "200",
            &[("cache-control", "no-store, private, no-cache")],
            ruled(Origin::Override),
            Ok(60),
        ),
        (
            "against a stated one",
            &[],
            "200",
            &[("cache-control", "max-age=5")],
            ruled(Origin::Override),
            Ok(60),
        ),
        (
            "against a malformed field",
            &[],
            "200",
            &[("cache-control", "a b")],
            ruled(Origin::Override),
            Ok(60),
        ),
        (
            "not against no-store of another status",
            &[],
            "500",
            &[("cache-control", "no-store, max-age=9")],
            ruled(Origin::Override),
            Err(Refusal::NoStore),
        ),
        (
            "never when authorised",
            &[("authorization", "a")],
            "200",
            &[("cache-control", "public, s-maxage=9")],
            ruled(Origin::Override),
            Err(Refusal::Authorization),
        ),
        ("never to a part", &[], "206", &[], ruled(Origin::Override), Err(Refusal::Partial)),
        (
            "never to what varies on everything",
            &[],
            "200",
            &[("vary", "*")],
            ruled(Origin::Override),
            Err(Refusal::Vary),
        ),
        (
            "never with a cookie set",
            &[],
            "200",
            &[("set-cookie", "a")],
            ruled(Origin::Override),
            Err(Refusal::SetCookie),
        ),
    ] {
        assert_eq!(seconds(store(asked, status, fields, &terms)), expected, "{what}");
    }
    let leave = store(
        &[],
        "200",
        &[("cache-control", "public, must-revalidate")],
        &ruled(Origin::Override),
    )
    .unwrap();
    assert_eq!((leave.basis, leave.strict, leave.for_authorized), (Basis::Given, false, false));
}

#[test]
fn rules_bound_lifetimes_and_choose_what_is_stored() {
    let least = Terms { min_ttl: Some(Nanos::MINUTE), ..Terms::default() };
    let most =
        Terms { max_ttl: Some(Nanos::SECOND), min_ttl: Some(Nanos::MINUTE), ..Terms::default() };
    let fives = [("cache-control", "max-age=5, public")];
    for (what, asked, terms, expected) in [
        ("longer is the operator's word", &[][..], &least, Ok((60, Basis::Given))),
        (
            "which reaches no authorised request",
            &[("authorization", "a")],
            &least,
            Ok((5, Basis::Stated)),
        ),
        ("and none with a cookie", &[("cookie", "a")], &least, Ok((5, Basis::Stated))),
        ("the upper bound wins", &[], &most, Ok((1, Basis::Stated))),
    ] {
        let found = store(asked, "200", &fives, terms);
        assert_eq!(
            found.map(|leave| (leave.freshness.lifetime.as_secs(), leave.basis)),
            expected,
            "{what}"
        );
    }
    let stored = store(&[], "200", &[("cache-control", "no-store, max-age=5")], &least);
    assert_eq!(stored, Err(Refusal::NoStore), "a bound makes nothing storable");
    let only = Terms { statuses: Some(statuses(200..=299)), ..Terms::default() };
    assert_eq!(seconds(store(&[], "200", &fives, &only)), Ok(5));
    assert_eq!(seconds(store(&[], "404", &fives, &only)), Err(Refusal::Status));
    let remove = Terms { set_cookie: SetCookie::Remove, ..Terms::default() };
    let leave = store(&[], "200", &[fives[0], ("set-cookie", "a=b")], &remove).unwrap();
    assert_eq!(leave.dropped, [&b"set-cookie"[..], b"set-cookie2"]);
}
