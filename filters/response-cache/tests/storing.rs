//! What a shared cache may store: one row per sentence of the sections that bind it.
#![cfg(test)]

mod shop;

use kit::Nanos;
use kit::headers::Headers;
use shop::{ARRIVAL, DATE, TAG, answer, keeping, plain, request, seconds, store};
use weir_response_cache::http::freshness::Arrival;
use weir_response_cache::http::response::Response;
use weir_response_cache::policy::storing::judge;
use weir_response_cache::policy::terms::Terms;
use weir_response_cache::signals::Refusal;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Lifetimes as the origin writes them: case, spacing, quotes, several lines, sizes, conflicts.
#[test]
fn lifetimes_are_read_strictly() {
    for (section, value, expected) in [
        ("5.2, names in any case", "MAX-age=5", Ok(5)),
        ("5.2, both forms of an argument", "max-age=\"5\"", Ok(5)),
        ("5.2.3, unknown directives are ignored", "x, y=\"a, no-store\", max-age=5", Ok(5)),
        ("1.2.2, digits only", "max-age=+5", Err(Refusal::NoLifetime)),
        ("1.2.2, no fraction", "max-age=5.5", Err(Refusal::NoLifetime)),
        ("1.2.2, not negative", "max-age=-5", Err(Refusal::NoLifetime)),
        ("1.2.2, too large is 2^31", "max-age=2147483649", Ok(2_147_483_648)),
        ("1.2.2, overflow is 2^31", "max-age=99999999999999999999999999", Ok(2_147_483_648)),
        ("4.2.1, s-maxage first", "max-age=5, s-maxage=7", Ok(7)),
        ("4.2.1, s-maxage first, also as zero", "max-age=5, s-maxage=0", Err(Refusal::Expired)),
        ("4.2.1, the same twice is no conflict", "max-age=5, max-age=5", Ok(5)),
        ("4.2.1, a conflict is no lifetime", "max-age=5, max-age=6", Err(Refusal::NoLifetime)),
        ("4.2.1, an invalid lifetime is none", "max-age=, s-maxage=5", Err(Refusal::Malformed)),
        ("5.2, no blank before the argument", "max-age =5", Err(Refusal::Malformed)),
        ("5.2, an open quote", "max-age=5, x=\"", Err(Refusal::Malformed)),
    ] {
        assert_eq!(plain(&[("cache-control", value)]), expected, "{section}: {value}");
    }
}

/// RFC 9111, 4.2.1, 4.2.3, 5.1, 5.3; RFC 9110, 5.6.7, 6.6.1.
#[test]
fn dates_and_ages_are_counted() {
    let minute = ("cache-control", "max-age=60");
    let date = ("date", DATE);
    for (section, fields, expected) in [
        (
            "5.3, lifetime is Expires less Date",
            &[date, ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")][..],
            Ok(60),
        ),
        ("5.3, RFC 850 form", &[date, ("expires", "Sunday, 06-Nov-94 08:50:37 GMT")], Ok(60)),
        ("5.3, asctime form", &[date, ("expires", "Sun Nov  6 08:50:37 1994")], Ok(60)),
        ("5.3, max-age goes before Expires", &[minute, ("expires", "0")], Ok(60)),
        ("5.3, invalid is past", &[date, ("expires", "tomorrow")], Err(Refusal::Expired)),
        ("5.3, empty is past", &[date, ("expires", "")], Err(Refusal::Expired)),
        (
            "4.2, a cache reads dates without regard to case",
            &[date, ("expires", "sun, 06 nov 1994 08:50:37 gmt")],
            Ok(60),
        ),
        (
            "6.6.1, no Date: the arrival counts",
            &[("expires", "Sun, 06 Nov 1994 08:50:37 GMT")],
            Ok(60),
        ),
        (
            "5.3, an invalid Date makes Expires unclear",
            &[("date", "x"), ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")],
            Err(Refusal::NoLifetime),
        ),
        ("5.1, Age counts", &[minute, ("age", "20")], Ok(40)),
        ("5.1, the first of a list", &[minute, ("age", "20, 50")], Ok(40)),
        ("5.1, the first of several lines", &[minute, ("age", "20"), ("age", "50")], Ok(40)),
        ("5.1, invalid is ignored", &[minute, ("age", "-20")], Ok(60)),
        (
            "1.2.2, an overflowing Age is 2^31",
            &[minute, ("age", "99999999999999999999")],
            Err(Refusal::Expired),
        ),
        ("4.2.3, apparent age", &[minute, ("date", "Sun, 06 Nov 1994 08:49:17 GMT")], Ok(40)),
        (
            "4.2.3, a Date ahead is no age",
            &[minute, ("date", "Sun, 06 Nov 1994 09:49:17 GMT")],
            Ok(60),
        ),
    ] {
        assert_eq!(plain(fields), expected, "{section}: {fields:?}");
    }
    let late = Arrival { asked: Nanos::from_secs(10), received: Nanos::from_secs(15), ..ARRIVAL };
    let response = Response::read(&answer("200", &[minute, date, ("age", "20")]), &[]);
    let leave = judge(&request(&[]), &Headers::default(), &response, &Terms::default(), late);
    assert_eq!(leave.unwrap().freshness.left(late.received).as_secs(), 35, "4.2.3, response delay");
}

/// RFC 9111, 5.2.2: what a directive forbids, in whatever form it comes.
#[test]
fn directives_are_heeded() {
    for (section, value, expected) in [
        ("5.2.2.5", "no-store", Err(Refusal::NoStore)),
        ("5.2.2.5, with an argument", "no-store=\"x\"", Err(Refusal::NoStore)),
        ("5.2.2.3, understood", "no-store, must-understand", Ok(60)),
        (
            "5.2.2.3, with an argument it permits nothing",
            "no-store, must-understand=1",
            Err(Refusal::Malformed),
        ),
        ("5.2.2.7", "PRIVATE", Err(Refusal::Private)),
        ("5.2.2.7, beside public", "public, private", Err(Refusal::Private)),
        ("5.2.2.7, an empty list", "private=\"\"", Err(Refusal::Private)),
        ("5.2.2.7, no field names", "private=\"a b\"", Err(Refusal::Private)),
        ("5.2.2.7, a field that is essential", "private=\"content-type\"", Err(Refusal::Private)),
        ("5.2.2.7, with and without a list", "private=\"x\", private", Err(Refusal::Private)),
        ("5.2.2.4", "no-cache", Err(Refusal::NoCache)),
        ("5.2.2.4, an empty list", "no-cache=\" , \"", Err(Refusal::NoCache)),
    ] {
        let value = format!("max-age=60, {value}");
        assert_eq!(plain(&[("cache-control", &value)]), expected, "{section}: {value}");
    }
    let odd =
        store(&[], "299", &[("cache-control", "max-age=60, must-understand")], &Terms::default());
    assert_eq!(odd, Err(Refusal::Status), "5.2.2.3, a status that is not understood");
    let leave = store(
        &[],
        "200",
        &[
            ("cache-control", "max-age=60, private=\"X-A, set-cookie\""),
            ("cache-control", "no-cache=\"x-b\""),
            ("set-cookie", "a=b"),
        ],
        &Terms::default(),
    );
    assert_eq!(leave.unwrap().dropped, [&b"set-cookie"[..], b"set-cookie2", b"x-a", b"x-b"]);
}

/// RFC 9111, 3, 3.5, 5.2.1.5, 7.3: what the request says about storing the answer.
#[test]
fn requests_have_a_say() {
    let minute = [("cache-control", "max-age=60")];
    for (section, asked, fields, expected) in [
        ("3, the method", &[(":method", "HEAD")][..], &minute[..], Err(Refusal::Method)),
        ("3, an unsafe method", &[(":method", "POST")], &minute, Err(Refusal::Method)),
        ("5.2.1.5", &[("cache-control", "No-Store")], &minute, Err(Refusal::NoStore)),
        (
            "5.2.1.5, behind what breaks the grammar",
            &[("cache-control", "a b, no-store")],
            &minute,
            Err(Refusal::Malformed),
        ),
        ("3.5", &[("authorization", "x")], &minute, Err(Refusal::Authorization)),
        (
            "3.5, no-cache is no leave",
            &[("authorization", "x")],
            &[("cache-control", "no-cache=\"x\", max-age=60")],
            Err(Refusal::Authorization),
        ),
        (
            "3.5, proxy-revalidate is no leave",
            &[("authorization", "x")],
            &[("cache-control", "proxy-revalidate, max-age=60")],
            Err(Refusal::Authorization),
        ),
        (
            "3.5, public with an argument is no leave",
            &[("authorization", "x")],
            &[("cache-control", "public=1, max-age=60")],
            Err(Refusal::Authorization),
        ),
        (
            "3.5, must-revalidate",
            &[("authorization", "x")],
            &[("cache-control", "must-revalidate, max-age=60")],
            Ok(60),
        ),
        ("3.5, s-maxage", &[("authorization", "x")], &[("cache-control", "s-maxage=60")], Ok(60)),
        (
            "3, a stated lifetime is for requests with cookies too",
            &[("cookie", "a=b")],
            &minute,
            Ok(60),
        ),
    ] {
        assert_eq!(seconds(store(asked, "200", fields, &Terms::default())), expected, "{section}");
    }
    let mine = Terms { per_user: true, ..Terms::default() };
    let leave =
        store(&[("authorization", "x")], "200", &[("cache-control", "private, max-age=60")], &mine);
    assert!(leave.unwrap().for_authorized, "the key tells users apart");
}

/// RFC 9111, 3, 4.3, 5.2.2.4: what can not be used as it is, is stored if it can be validated.
#[test]
fn stale_responses_are_stored_if_they_are_of_use() {
    let soft = Terms { stale_if_error: Some(Nanos::MINUTE), ..Terms::default() };
    for (section, fields, terms, expected) in [
        (
            "no-cache with a tag",
            &[("cache-control", "no-cache"), TAG][..],
            keeping(),
            Ok((0, true)),
        ),
        (
            "no-cache with a date",
            &[("cache-control", "no-cache"), ("last-modified", DATE)],
            keeping(),
            Ok((0, true)),
        ),
        (
            "no-cache that is not kept",
            &[("cache-control", "no-cache"), TAG],
            Terms::default(),
            Err(Refusal::NoCache),
        ),
        (
            "no-cache with a tag that is none",
            &[("cache-control", "no-cache"), ("etag", "a")],
            keeping(),
            Err(Refusal::NoCache),
        ),
        (
            "no-cache with two tags",
            &[("cache-control", "no-cache"), TAG, TAG],
            keeping(),
            Err(Refusal::NoCache),
        ),
        (
            "no-cache is not served on errors",
            &[("cache-control", "no-cache"), ("last-modified", "x")],
            soft.clone(),
            Err(Refusal::NoCache),
        ),
        (
            "max-age=0 with a tag",
            &[("cache-control", "max-age=0, must-revalidate"), TAG],
            keeping(),
            Ok((0, false)),
        ),
        (
            "max-age=0 without one",
            &[("cache-control", "max-age=0")],
            keeping(),
            Err(Refusal::Expired),
        ),
        ("max-age=0 with grace", &[("cache-control", "max-age=0")], soft.clone(), Ok((0, false))),
        (
            "its grace is over too",
            &[("cache-control", "max-age=0"), ("age", "60")],
            soft.clone(),
            Err(Refusal::Expired),
        ),
        (
            "must-revalidate has no grace",
            &[("cache-control", "max-age=0, must-revalidate")],
            soft,
            Err(Refusal::Expired),
        ),
        ("nothing is stated", &[TAG], keeping(), Err(Refusal::NoLifetime)),
    ] {
        let found = store(&[], "200", fields, &terms);
        assert_eq!(
            found.map(|leave| (leave.freshness.left(Nanos::ZERO).as_secs(), leave.validate)),
            expected,
            "{section}"
        );
    }
}
