//! Tables over the science: what is read from fields, how long a response is fresh and how old it is.
#![cfg(test)]

use kit::Nanos;
use weir_response_cache::http::directives::{
    Delta, MaxStale, RequestDirectives, ResponseDirectives, Scope, seconds,
};
use weir_response_cache::http::field::date;
use weir_response_cache::http::freshness::{
    Arrival, Dated, Freshness, Stated, age_value, initial_age, lifetime,
};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_SECS: u64 = 784_111_777;
const ARRIVAL: Arrival = Arrival { asked: Nanos(0), received: Nanos(0), wall: DATE_SECS };

fn response(lines: &[&str]) -> ResponseDirectives {
    let mut read = ResponseDirectives::default();
    lines.iter().for_each(|line| read.read(line.as_bytes()));
    read
}

/// RFC 9111, 5.2: names without regard to case, lists over several lines, token and quoted arguments.
#[test]
fn cache_control_of_responses() {
    let max_age = |n| ResponseDirectives { max_age: Delta::Seconds(n), ..Default::default() };
    let malformed = ResponseDirectives { malformed: true, ..Default::default() };
    for (lines, expected) in [
        (&["max-age=60"][..], max_age(60)),
        (&["MAX-AGE=60"], max_age(60)),
        (&["max-age=\"60\""], max_age(60)),
        (&["max-age=\"6\\0\""], max_age(60)),
        (&[" , ,max-age=60 ,\t,"], max_age(60)),
        (&["max-age=060"], max_age(60)),
        (&["foo=bar, max-age=60, ext=\"a, no-store\""], max_age(60)),
        (&["max-age=60", "max-age=60"], max_age(60)),
        (&["max-age=60", "public"], ResponseDirectives { public: true, ..max_age(60) }),
        (
            &["private=\"x\""],
            ResponseDirectives {
                private: Scope::Fields(vec![b"x".to_vec()]),
                ..Default::default()
            },
        ),
        (
            &["no-cache=\"set-cookie, x\""],
            ResponseDirectives {
                no_cache: Scope::Fields(vec![b"set-cookie".to_vec(), b"x".to_vec()]),
                ..Default::default()
            },
        ),
        (&["No-Store"], ResponseDirectives { no_store: true, ..Default::default() }),
        (&["no-store=1"], ResponseDirectives { no_store: true, ..Default::default() }),
        (
            &["public=yes, must-revalidate=1"],
            ResponseDirectives { proxy_revalidate: true, ..Default::default() },
        ),
        (&["no-storex, xprivate"], ResponseDirectives::default()),
        (&[""], ResponseDirectives::default()),
        (&["max-age =60"], malformed.clone()),
        (&["=60"], malformed.clone()),
        (&["foo="], malformed.clone()),
        (&["max-age=\"60"], malformed.clone()),
        (&["foo=\"a\"b"], malformed.clone()),
        (&["foo bar"], malformed.clone()),
        (&["foo; bar"], malformed.clone()),
        (&["foo=\"\\"], malformed),
        (&["max-age=60, \u{7f}"], ResponseDirectives { malformed: true, ..max_age(60) }),
    ] {
        assert_eq!(response(lines), expected, "{lines:?}");
    }
}

/// RFC 9111, 1.2.2 and 4.2.1: what is no number, or two numbers, is invalid; too large is very large.
#[test]
fn delta_seconds() {
    for (line, expected) in [
        ("max-age=0", Delta::Seconds(0)),
        ("max-age=2147483648", Delta::Seconds(2_147_483_648)),
        ("max-age=99999999999999999999999999", Delta::Seconds(2_147_483_648)),
        ("max-age", Delta::Invalid),
        ("max-age=\"\"", Delta::Invalid),
        ("max-age=-1", Delta::Invalid),
        ("max-age=1.5", Delta::Invalid),
        ("max-age=1s", Delta::Invalid),
        ("max-age=+1", Delta::Invalid),
        ("max-age=\" 1\"", Delta::Invalid),
        ("max-age=1, max-age=2", Delta::Invalid),
        ("max-age=1, max-age=2, max-age=2", Delta::Invalid),
        ("max-age=x, max-age=2", Delta::Invalid),
        ("s-maxage=1", Delta::Absent),
    ] {
        assert_eq!(response(&[line]).max_age, expected, "{line}");
    }
    assert_eq!(seconds(b""), None);
}

/// RFC 9111, 5.2.1: a request's directives; what can not be read refuses stored answers.
#[test]
fn cache_control_of_requests() {
    for (line, refuses) in [
        ("", false),
        ("max-age=5, min-fresh=1, only-if-cached", false),
        ("max-stale=10, foo", false),
        ("no-cache", true),
        ("NO-STORE", true),
        ("max-age=x", true),
        ("min-fresh", true),
        ("foo bar", true),
    ] {
        let mut read = RequestDirectives::default();
        read.read(line.as_bytes());
        assert_eq!(read.refuses_stored(), refuses, "{line}");
    }
}

/// RFC 9111, 4.2.1: s-maxage, then max-age, then Expires minus Date; invalid means stale.
#[test]
fn lifetimes() {
    let at = |offset: u64| Dated::At(DATE_SECS + offset);
    for (line, expires, date, expected) in [
        ("s-maxage=5, max-age=60", at(99), at(0), Stated::Seconds(5)),
        ("max-age=60", at(99), at(0), Stated::Seconds(60)),
        ("max-age=60", Dated::Invalid, at(0), Stated::Seconds(60)),
        ("", at(99), at(9), Stated::Seconds(90)),
        ("", at(0), at(9), Stated::Seconds(0)),
        ("", at(99), Dated::Absent, Stated::Seconds(99)),
        ("", at(99), Dated::Invalid, Stated::Unclear),
        ("", Dated::Invalid, at(0), Stated::Seconds(0)),
        ("", Dated::Absent, at(0), Stated::Nothing),
        ("public, must-revalidate", Dated::Absent, Dated::Invalid, Stated::Nothing),
        ("s-maxage=x, max-age=60", at(99), at(0), Stated::Unclear),
        ("s-maxage=60, max-age=x", at(99), at(0), Stated::Unclear),
        ("max-age=1, max-age=2", at(99), at(0), Stated::Unclear),
    ] {
        assert_eq!(
            lifetime(&response(&[line]), expires, date, ARRIVAL),
            expected,
            "{line} {expires:?}"
        );
    }
}

/// RFC 9110, 5.6.7: three forms of a date, and what is none; RFC 9111, 5.3.
#[test]
fn dates() {
    for text in [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
            assert_eq!(date(text.as_bytes()), Some(DATE_SECS), "{text}");
        }
    }
    for text in ["0", "-1", "", "tomorrow", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 CET"]
    {
        assert_eq!(date(text.as_bytes()), None, "{text}");
    }
    let mut twice = Dated::default();
    twice.read(DATE.as_bytes());
    twice.read(DATE.as_bytes());
    assert_eq!(twice, Dated::At(DATE_SECS));
    // Envoy joins equal lines.
    twice.read([DATE, DATE].join(",").as_bytes());
    assert_eq!(twice, Dated::At(DATE_SECS));
    twice.read(b"Mon, 07 Nov 1994 08:49:37 GMT");
    assert_eq!(twice, Dated::Invalid);
}

/// RFC 9111, 5.1: the first member counts; what is no number is ignored.
#[test]
fn age_fields() {
    for (line, expected) in [
        ("7", Some(7)),
        ("7, 9", Some(7)),
        (" 7 ", Some(7)),
        ("x, 7", None),
        ("-7", None),
        ("", None),
        ("99999999999999999999", Some(2_147_483_648)),
    ] {
        assert_eq!(age_value(line.as_bytes()), expected, "{line}");
    }
}

/// RFC 9111, 4.2.3: the greater of the apparent age and the announced one, the response delay counted to the latter.
#[test]
fn ages() {
    for (announced, date, delay, wall_offset, expected) in [
        (None, Dated::At(DATE_SECS), 0, 0, 0),
        (None, Dated::At(DATE_SECS), 0, 10, 10),
        (Some(7), Dated::At(DATE_SECS), 2, 3, 9),
        (Some(7), Dated::At(DATE_SECS), 2, 30, 30),
        (Some(7), Dated::Absent, 2, 30, 9),
        (None, Dated::At(DATE_SECS + 60), 1, 0, 1),
    ] {
        let arrival = Arrival {
            asked: Nanos::from_secs(100),
            received: Nanos::from_secs(100 + delay),
            wall: DATE_SECS + wall_offset,
        };
        assert_eq!(
            initial_age(announced, date, arrival),
            Nanos::from_secs(expected),
            "{announced:?} {date:?}"
        );
    }
}

#[test]
fn fresh_until_age_reaches_lifetime() {
    let secs = Nanos::from_secs;
    let freshness = Freshness { received: secs(100), initial_age: secs(10), lifetime: secs(60) };
    assert_eq!((freshness.age(secs(100)), freshness.left(secs(100))), (secs(10), secs(50)));
    assert_eq!(freshness.expires_at(), secs(150));
    assert!(!freshness.left(Nanos(149_999_999_999)).is_zero());
    assert!(freshness.left(secs(150)).is_zero());
    assert_eq!(
        freshness.age(secs(99)),
        secs(10),
        "a clock that runs backwards makes nothing younger"
    );
    let endless = Freshness { received: Nanos::MAX, initial_age: Nanos::MAX, lifetime: Nanos::MAX };
    assert!(endless.left(Nanos::MAX).is_zero());
}

/// RFC 9111, 5.2.1.2: a leave counts only in the right form, and of several the least.
#[test]
fn max_stale() {
    for (lines, expected) in [
        (&[""][..], MaxStale::Absent),
        (&["max-stale"], MaxStale::Any),
        (&["Max-Stale=5"], MaxStale::Seconds(5)),
        (&["max-stale=\"5\""], MaxStale::Seconds(5)),
        (&["max-stale=99999999999999999999"], MaxStale::Seconds(2_147_483_648)),
        (&["max-stale=x"], MaxStale::Invalid),
        (&["max-stale=x", "max-stale"], MaxStale::Invalid),
        (&["max-stale, max-stale=5"], MaxStale::Seconds(5)),
        (&["max-stale=5", "max-stale=3"], MaxStale::Seconds(3)),
    ] {
        let mut read = RequestDirectives::default();
        lines.iter().for_each(|line| read.read(line.as_bytes()));
        assert_eq!(read.max_stale, expected, "{lines:?}");
    }
}
