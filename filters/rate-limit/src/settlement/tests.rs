use kit::config;
use kit::fake::{FakeExchange, FakeHost};

use super::*;

fn read(json: &str) -> Settlement {
    config::load("test", json.as_bytes(), Settlement::read).unwrap()
}

/// An exchange in its log phase that got this status.
fn over(status: u64) -> FakeExchange {
    let x = FakeExchange::get(&FakeHost::default(), "/login", &[]);
    x.with_attribute(Attribute::ResponseCode, &status.to_le_bytes())
}

/// One that ended without a response: Envoy knows no status, or 0.
fn cut_off() -> [FakeExchange; 2] {
    [FakeExchange::get(&FakeHost::default(), "/login", &[]), over(0)]
}

fn charged(settlement: &Settlement, x: &FakeExchange) -> u64 {
    settlement.final_cost(&Cost::fixed(3), 3, x)
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_request_stays_charged_by_default() {
    for json in ["{}", r#"{"count": "requests"}"#] {
        let all = read(json);
        assert_eq!((all.needed(), all.describe()), (false, None));
        assert_eq!(all, Settlement::default());
        for status in [0, 200, 401, 503] {
            assert_eq!(charged(&all, &over(status)), 3);
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn only_responses_that_count_stay_charged() {
    let failures = read(r#"{"count": "responses", "statuses": [401, "403", "500-502"]}"#);
    assert!(failures.needed());
    for (status, cost) in
        [(200, 0), (304, 0), (400, 0), (401, 3), (403, 3), (404, 0), (501, 3), (503, 0), (101, 0)]
    {
        assert_eq!(charged(&failures, &over(status)), cost, "{status}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn going_away_before_the_answer_is_never_free() {
    let failures = read(r#"{"count": "responses", "statuses": [401]}"#);
    let refunds = read(
        r#"{"refund": {"statuses": ["1xx", "2xx", "3xx", "4xx", "5xx"], "cache_hits": true}}"#,
    );
    for x in cut_off() {
        x.note(CACHE, CACHE_WORDS[0]);
        assert_eq!((charged(&failures, &x), charged(&refunds, &x)), (3, 3));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_is_given_back_goes_by_status() {
    let refund = read(r#"{"refund": {"statuses": [304, "5xx"]}}"#);
    assert!(refund.needed());
    for (status, cost) in [(200, 3), (304, 0), (429, 3), (500, 0), (599, 0)] {
        assert_eq!(charged(&refund, &over(status)), cost, "{status}");
    }
    let both = r#"{"count": "responses", "statuses": ["4xx"], "refund": {"statuses": [404]}}"#;
    let both = read(both);
    for (status, cost) in [(200, 0), (401, 3), (404, 0)] {
        assert_eq!(charged(&both, &over(status)), cost, "{status}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn answers_from_the_cache_are_told_by_its_word() {
    let refund = read(r#"{"refund": {"cache_hits": true}}"#);
    let words = [
        ("hit", 0),
        ("stale_hit", 0),
        ("collapsed", 0),
        ("miss", 3),
        ("stale", 3),
        ("stale_if_error", 3),
        ("bypass", 3),
    ];
    for (word, cost) in words {
        let x = over(200);
        x.note("rate-limit", "admit");
        x.note("response-cache", word);
        x.note("circuit-breaker", "closed");
        assert_eq!(charged(&refund, &x), cost, "{word}");
        // The word decides: what the details say besides may be another's.
        x.set_attribute(Attribute::ResponseDetails, b"weir_cache_hit");
        assert_eq!(charged(&refund, &x), cost, "{word}");
    }
    let other = over(200);
    other.note("other-cache", "hit");
    assert_eq!(charged(&refund, &other), 3);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_cache_in_another_module_is_told_by_the_details() {
    let refund = read(r#"{"refund": {"cache_hits": true}}"#);
    for (details, cost) in [
        ("weir_cache_hit", 0),
        ("weir_cache_not_modified", 0),
        ("weir_cache_only_if_cached", 3),
        ("via_upstream", 3),
        ("weir_cache_hit_and_more", 3),
        ("", 3),
    ] {
        let x = over(200).with_attribute(Attribute::ResponseDetails, details.as_bytes());
        x.note("rate-limit", "admit");
        assert_eq!(charged(&refund, &x), cost, "{details}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn an_upstream_cannot_make_its_own_answers_free() {
    let refund = read(r#"{"refund": {"cache_hits": true}}"#);
    let x = over(200).with_attribute(Attribute::ResponseDetails, b"via_upstream");
    x.add_header(kit::exchange::Map::Response, "cache-status", b"weir; hit; ttl=9");
    assert_eq!(charged(&refund, &x), 3);
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn what_counts_costs_what_it_turned_out_to() {
    let cost = config::load("test", br#"{"cost": {"from": "duration", "per": "1s"}}"#, Cost::read);
    let cost = cost.unwrap().unwrap();
    let settlement = read(r#"{"count": "responses", "statuses": ["2xx"]}"#);
    let seven = kit::Nanos::from_secs(7).0.to_le_bytes();
    for (status, amount) in [(200, 7), (404, 0), (0, 7)] {
        let x = over(status).with_attribute(Attribute::Duration, &seven);
        assert_eq!(settlement.final_cost(&cost, 1, &x), amount, "{status}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_words_for_operators() {
    for (json, words) in [
        (
            r#"{"count": "responses", "statuses": [401, "5xx"]}"#,
            "only responses with 401, 5xx count",
        ),
        (r#"{"refund": {"statuses": "304"}}"#, "304 given back"),
        (
            r#"{"count": "responses", "statuses": [401], "refund": {"statuses": [500], "cache_hits": true}}"#,
            "only responses with 401 count, 500 and answers from the cache given back",
        ),
    ] {
        assert_eq!(read(json).describe().as_deref(), Some(words));
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn each_mistake_says_where_what_and_how() {
    let beside = "statuses: found statuses beside count: \"requests\", \
                  allowed statuses beside count: \"responses\" only; \
                  set count to \"responses\", or remove this field: every request counts";
    let empty = "refund: found a refund of nothing, allowed statuses, cache_hits: true or both; \
                 add one of them, or remove the refund";
    for (json, line) in [
        (r#"{"statuses": [401]}"#, beside),
        (r#"{"count": "requests", "statuses": [401]}"#, beside),
        (
            r#"{"count": "responses"}"#,
            "statuses: found nothing beside count: \"responses\", \
             allowed the statuses that count, such as [401, 403]; add this field, or remove count",
        ),
        (
            r#"{"count": "response", "statuses": [401]}"#,
            "count: found \"response\", allowed \"requests\", \"responses\"; did you mean \"responses\"?",
        ),
        (r#"{"refund": {}}"#, empty),
        (r#"{"refund": {"cache_hits": false}}"#, empty),
        (
            r#"{"refund": {"cache_hits": "yes"}}"#,
            "refund.cache_hits: found \"yes\", allowed true or false; choose one of them",
        ),
        (
            r#"{"refund": {"statuses": []}}"#,
            "refund.statuses: found 0 entries, at least 1 is needed; add 1 entry",
        ),
        (
            r#"{"refund": {"status": [304]}}"#,
            "refund.status: unknown field; did you mean \"statuses\"?",
        ),
    ] {
        let problems = config::load("test", json.as_bytes(), Settlement::read).unwrap_err();
        let lines: Vec<String> = problems.lines().collect();
        assert!(lines.contains(&format!("test: {line}")), "{json}: {lines:?}");
    }
}
