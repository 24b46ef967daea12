//! RFC 9111, 3.5, 4, 4.2.4, 5.2.1, 5.2.2; RFC 5861. A response of lifetime 60 s that is some seconds old, and who gets it.

use kit::units::Ratio;

use super::*;
use crate::policy::assume::{Assumptions, Heuristic};

#[cfg(not(target_arch = "wasm32"))]
mod laws;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const HEED: Heed = Heed { directives: true, refresh: true };
const ALONE: Heed = Heed { directives: true, refresh: false };
const DEAF: Heed = Heed { directives: false, refresh: true };
const STALE: Verdict = Verdict::Validate(Decision::Stale);
const ASKED: Verdict = Verdict::Validate(Decision::Request);
const NOT_FOR_IT: Verdict = Verdict::NotFor;

/// Fresh for 60 s from 0 on, with a validator, 30 s to be refreshed and 300 s for errors.
fn stored() -> Stored {
    Stored {
        lifetime: Nanos::from_secs(60).0,
        stale_while_revalidate: Nanos::from_secs(30).0,
        stale_if_error: Nanos::from_secs(300).0,
        fields: Headers::new(&[("etag", "\"a\"")]).as_pairs().to_vec(),
        status: 200,
        ..Stored::default()
    }
}

fn graceless() -> Stored {
    Stored { stale_while_revalidate: 0, stale_if_error: 0, ..stored() }
}

/// What is asked: the request's fields, how old the response is in seconds, whether it was purged softly.
struct Asked<'a> {
    fields: &'a [(&'a str, &'a str)],
    age: u64,
    soft_purged: bool,
    terms: Terms,
    heed: Heed,
}

impl<'a> Asked<'a> {
    fn at(age: u64, fields: &'a [(&'a str, &'a str)]) -> Self {
        Self { fields, age, soft_purged: false, terms: Terms::default(), heed: HEED }
    }

    fn decide(&self, stored: &Stored) -> Verdict {
        let headers = Headers::new(self.fields);
        let now = Nanos::from_secs(self.age);
        let request = Request::read(&headers);
        decide(&request, &headers, stored, now, self.soft_purged, &self.terms, self.heed)
    }

    fn on_error(&self, stored: &Stored) -> bool {
        let headers = Headers::new(self.fields);
        let now = Nanos::from_secs(self.age);
        let request = Request::read(&headers);
        may_serve_on_error(
            &request,
            &headers,
            stored,
            now,
            self.soft_purged,
            &self.terms,
            self.heed,
        )
    }
}

#[test]
fn what_the_response_says() {
    use Verdict::{Serve, ServeStale};
    let strict = Stored { strict: true, ..stored() };
    let validate = Stored { validate: true, ..stored() };
    let no_validator = Stored { fields: Vec::new(), ..stored() };
    let gone = Verdict::Forward(Decision::Stale);
    for (section, stored, age, expected, on_error) in [
        ("4 fresh", stored(), 0, Serve, true),
        ("4.2 fresh to the last second", stored(), 59, Serve, true),
        ("4.2 a lifetime that is over is stale", stored(), 60, ServeStale, true),
        ("5861-3 within the time of its refresh", stored(), 90, ServeStale, true),
        ("5861-3 beyond it", stored(), 91, STALE, true),
        ("5861-4 within its time for errors", stored(), 360, STALE, true),
        ("5861-4 beyond it", stored(), 361, STALE, false),
        ("4.2.4 stale without leave", graceless(), 60, STALE, false),
        ("4.3.1 nothing to validate by", no_validator.clone(), 91, gone, true),
        ("fresh needs no validator", no_validator, 59, Serve, true),
        ("5.2.2.2 fresh", strict.clone(), 59, Serve, true),
        ("5.2.2.2, 5.2.2.8, 5.2.2.10 stale", strict, 60, STALE, false),
        ("5.2.2.4 no-cache, fresh", validate.clone(), 0, STALE, false),
        ("5.2.2.4 no-cache, stale", validate, 61, STALE, false),
    ] {
        let asked = Asked::at(age, &[]);
        assert_eq!(asked.decide(&stored), expected, "{section}");
        assert_eq!(asked.on_error(&stored), on_error, "{section}");
    }
    let alone = Asked { heed: ALONE, ..Asked::at(61, &[]) };
    assert_eq!(alone.decide(&stored()), STALE, "5861-3 only while it is refreshed");
    assert!(alone.on_error(&stored()));
}

#[test]
fn what_the_client_wants() {
    use Verdict::{Serve, ServeStale};
    for (section, wish, age, expected, ignored) in [
        ("5.2.1.1 young enough", "max-age=10", 10, Serve, Serve),
        ("5.2.1.1 too old", "max-age=10", 11, ASKED, Serve),
        ("5.2.1.1 zero", "max-age=0", 1, ASKED, Serve),
        ("5.2.1.1 stale is not wanted", "max-age=100", 60, ASKED, ServeStale),
        (
            "5.2.1.1 unless max-stale is there too",
            "max-age=100, max-stale",
            60,
            ServeStale,
            ServeStale,
        ),
        ("5.2.1.1 both hold", "max-age=50, max-stale", 60, ASKED, ServeStale),
        ("1.2.2 no number", "max-age=x", 1, ASKED, Serve),
        ("4.2.1 two numbers", "max-age=100, max-age=5", 1, ASKED, Serve),
        ("5.2.1.2 however stale", "max-stale", 100_000, Serve, STALE),
        ("5.2.1.2 as stale as said", "max-stale=40", 100, Serve, STALE),
        ("5.2.1.2 staler", "max-stale=40", 101, ASKED, STALE),
        ("5.2.1.2 also within the grace", "max-stale=5", 66, ASKED, ServeStale),
        ("5.2.1.2 refreshed within the grace", "max-stale=50", 66, ServeStale, ServeStale),
        ("5.2.1.2 no number gives no leave", "max-stale=x", 100, STALE, STALE),
        ("5.2.1.2 of two numbers the least", "max-stale=50, max-stale=30", 100, ASKED, STALE),
        ("5.2.1.3 lasts", "min-fresh=20", 40, Serve, Serve),
        ("5.2.1.3 does not last", "min-fresh=20", 41, ASKED, Serve),
        ("5.2.1.3 stale does not last at all", "min-fresh=0", 60, ASKED, ServeStale),
        ("5.2.1.3 nor with max-stale", "min-fresh=1, max-stale", 60, ASKED, ServeStale),
        ("1.2.2 no number", "min-fresh=x", 1, ASKED, Serve),
        ("5.2.1.4 no-cache", "no-cache", 0, ASKED, Serve),
        ("5.2.1.4 with an argument", "no-cache=\"a\"", 0, ASKED, Serve),
        ("5.2.1.5 no-store does not ask for another", "no-store", 0, Serve, Serve),
        ("5.2.1.5 but keeps nothing", "no-store", 91, Verdict::Forward(Decision::Stale), STALE),
        ("5.2.1.6 no-transform", "no-transform", 0, Serve, Serve),
        ("5.2.1.7 only-if-cached", "only-if-cached", 0, Serve, Serve),
        ("5.2.3 unknown", "x=1, y", 0, Serve, Serve),
        ("malformed: it may say anything", "max-age=5 x", 0, ASKED, Serve),
    ] {
        let fields = [("cache-control", wish)];
        let asked = Asked::at(age, &fields);
        assert_eq!(asked.decide(&stored()), expected, "{section}: {wish}");
        let asked = Asked { heed: DEAF, ..asked };
        assert_eq!(asked.decide(&stored()), ignored, "{section}: {wish}, ignored");
    }
    let pragma = [("pragma", "no-cache")];
    assert_eq!(Asked::at(0, &pragma).decide(&stored()), ASKED, "5.4");
}

#[test]
fn no_client_gets_what_the_response_forbids() {
    let generous = [("cache-control", "max-stale, stale-if-error=1000")];
    for forbidding in
        [Stored { strict: true, ..graceless() }, Stored { validate: true, ..graceless() }]
    {
        let asked = Asked::at(61, &generous);
        assert_eq!(asked.decide(&forbidding), STALE);
        assert!(!asked.on_error(&forbidding));
    }
    let asked = Asked::at(61, &generous);
    assert_eq!(asked.decide(&graceless()), Verdict::Serve);
    assert!(asked.on_error(&graceless()));
}

#[test]
fn what_the_client_wants_when_the_origin_fails() {
    for (section, wish, age, expected) in [
        ("5861-4 its own leave", "stale-if-error=400", 460, true),
        ("5861-4 no longer", "stale-if-error=400", 461, false),
        ("5861-4 the response's stands", "stale-if-error=5", 300, true),
        ("1.2.2 no number", "stale-if-error=x", 361, false),
        ("5861-4 regardless of other freshness", "max-age=0", 100, true),
        ("5861-4 regardless of other freshness", "min-fresh=100", 100, true),
        ("4 fresh, though it was to be younger", "max-age=0", 50, true),
        ("5.2.1.4 no-cache", "no-cache", 10, false),
        ("malformed", "=", 10, false),
        ("5.2.1.5 no-store", "no-store", 100, true),
        ("5.2.1.7 only-if-cached", "only-if-cached", 100, true),
    ] {
        let fields = [("cache-control", wish)];
        assert_eq!(Asked::at(age, &fields).on_error(&stored()), expected, "{section}: {wish}");
    }
    let fields = [("cache-control", "stale-if-error=400")];
    assert!(!Asked { heed: DEAF, ..Asked::at(460, &fields) }.on_error(&stored()));
}

#[test]
fn a_soft_purge_makes_stale_and_takes_nothing_else() {
    use Verdict::ServeStale;
    let strict = Stored { strict: true, ..stored() };
    for (rule, stored, wish, age, expected, on_error) in [
        ("in its time of refresh", stored(), "x", 1, ServeStale, true),
        ("in its time of refresh", stored(), "x", 90, ServeStale, true),
        ("beyond it", stored(), "x", 91, STALE, true),
        ("without one", graceless(), "x", 1, STALE, false),
        ("never for a client that takes stale ones", graceless(), "max-stale", 1, STALE, false),
        ("strict", strict, "x", 1, STALE, false),
    ] {
        let fields = [("cache-control", wish)];
        let asked = Asked { soft_purged: true, ..Asked::at(age, &fields) };
        assert_eq!(asked.decide(&stored), expected, "{rule}, {age} s");
        assert_eq!(asked.on_error(&stored), on_error, "{rule}, {age} s");
    }
}

#[test]
fn only_those_get_it_for_whom_it_is() {
    let user = [("authorization", "Basic x")];
    let cookie = [("cookie", "a=b")];
    let plain = [(":path", "/")];
    let tenth = Heuristic { fraction: Ratio::from_percent(10), max: Nanos::HOUR };
    let assuming = Assumptions { heuristic: Some(tenth), ..Assumptions::default() };
    let per_user = || Terms { per_user: true, ..Terms::default() };
    let ignoring = || Terms { cookies: Cookies::Ignore, ..Terms::default() };
    let assumed = || Terms { assumptions: assuming, ..Terms::default() };
    let of = |basis, for_authorized| Stored { basis, for_authorized, ..stored() };
    use Basis::{Assumed, Given, Stated};
    for (rule, stored, fields, terms, allowed) in [
        ("3.5 authorised", of(Stated, false), &user[..], Terms::default(), false),
        ("3.5 authorised, allowed", of(Stated, true), &user, Terms::default(), true),
        ("3.5 the rule's key is no leave", of(Stated, false), &user, per_user(), false),
        ("a cookie, the origin's word", of(Stated, false), &cookie, Terms::default(), true),
        ("given, nothing shown", of(Given, false), &plain, Terms::default(), true),
        ("given, a cookie", of(Given, false), &cookie, Terms::default(), false),
        ("given, cookies ignored", of(Given, false), &cookie, ignoring(), true),
        ("given, authorised", of(Given, true), &user, Terms::default(), false),
        ("given, authorised, per user", of(Given, true), &user, per_user(), true),
        ("assumed, nothing shown", of(Assumed, false), &plain, assumed(), true),
        ("assumed, a cookie", of(Assumed, false), &cookie, assumed(), false),
        ("assumed, no longer by the rule", of(Assumed, false), &plain, Terms::default(), false),
    ] {
        for age in [0, 61, 91] {
            let asked = Asked { terms: terms.clone(), ..Asked::at(age, fields) };
            let verdict = asked.decide(&stored);
            assert_eq!(verdict == NOT_FOR_IT, !allowed, "{rule}, {age} s: {verdict:?}");
            assert_eq!(asked.on_error(&stored), allowed, "{rule}, {age} s");
        }
    }
}

/// 5.2.1.7: asked for by the client, unless the rule has it ignored.
#[test]
fn a_stored_answer_or_none() {
    let of = |wish| Request::read(&Headers::new(&[("cache-control", wish)]));
    assert!(only_if_cached(&of("only-if-cached"), HEED));
    assert!(!only_if_cached(&of("only-if-cached"), DEAF));
    assert!(!only_if_cached(&of("max-stale"), HEED));
}
