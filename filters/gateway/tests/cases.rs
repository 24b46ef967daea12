//! The four filters in one, on a host in memory: what they leave to one another.
#![cfg(test)]

mod play;

use kit::callbacks::Callback;
use kit::exchange::{Attribute, Map};
use kit::headers::Headers;
use kit::{Exchange, Filter, Flow, Nanos};
use play::{Answer, FORGIVING, Gate, OK, WITH_TRAILERS, ill};
use weir_circuit_breaker::CircuitBreaker;
use weir_gateway::Gateway;
use weir_metrics::Metrics;
use weir_rate_limit::RateLimit;
use weir_response_cache::ResponseCache;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LIMIT: &str = r#"{"rules": [{"name": "few", "limits": [{"quota": 3, "window": "1h"}]}]}"#;
const PLENTY: &str =
    r#"{"rules": [{"name": "many", "limits": [{"quota": 1000, "window": "1s"}]}]}"#;
const CACHE: &str = r#"{"max_entries": 32, "max_bytes": "1MiB", "max_object": "8KiB"}"#;
const BREAKER: &str = r#"{"rules": [{"name": "all", "consecutive": {"failures": 2}, "ratio": {"enabled": false},
    "open": {"time": "10s", "jitter": "0%"}}]}"#;

fn all(limit: &str) -> String {
    format!(
        r#"{{"metrics": {{}}, "rate_limit": {limit}, "response_cache": {CACHE}, "circuit_breaker": {BREAKER}}}"#
    )
}

fn statuses<const N: usize>(answers: [Answer; N]) -> [u16; N] {
    answers.map(|answer| answer.status)
}

/// The limiter may give back what answers from the cache cost; neither crate knows the other.
#[test]
fn the_limiter_knows_the_cache_by_its_own_words() {
    use weir_rate_limit::settlement;
    use weir_response_cache::signals::{
        DETAILS_COLLAPSED, DETAILS_HIT, DETAILS_NOT_MODIFIED, DETAILS_STALE, Decision,
    };
    let words = [Decision::Hit, Decision::StaleHit, Decision::Collapsed].map(Decision::as_str);
    assert_eq!((settlement::CACHE, settlement::CACHE_WORDS), (ResponseCache::NAME, words));
    let details = [DETAILS_HIT, DETAILS_STALE, DETAILS_COLLAPSED, DETAILS_NOT_MODIFIED];
    assert_eq!(settlement::CACHE_DETAILS, details);
}

/// The breaker learns from the cache's answers what the upstream did; neither crate knows the other.
#[test]
fn the_breaker_knows_the_caches_answers_by_their_details() {
    use weir_circuit_breaker::evidence::{CACHE_CONFIRMED, CACHE_HID_ERROR};
    use weir_response_cache::signals::{DETAILS_REVALIDATED, DETAILS_STALE_IF_ERROR};
    assert_eq!((CACHE_CONFIRMED, CACHE_HID_ERROR), (DETAILS_REVALIDATED, DETAILS_STALE_IF_ERROR));
}

#[test]
fn a_limited_request_reaches_neither_cache_nor_breaker() {
    let gate = Gate::new(&all(LIMIT));
    assert_eq!(statuses([0; 3].map(|_| gate.get("/", OK))), [200; 3]);
    let refused = gate.get("/", OK);
    assert_eq!((refused.status, refused.forwarded), (429, false));
    assert_eq!(refused.notes(), "rate-limit=limit;rule=few");
    assert_eq!(refused.field("cache-status"), None);
    assert_eq!(gate.sum("weir_response_cache_requests_total"), 3);
    assert_eq!(gate.sum("weir_circuit_breaker_requests_total"), 1);
    assert_eq!(gate.sum("weir_metrics_requests_total"), 4);
}

#[test]
fn a_hit_costs_quota_and_bypasses_the_breaker() {
    let gate = Gate::new(&all(LIMIT));
    let miss = gate.get("/", OK);
    assert_eq!((miss.forwarded, miss.body.as_slice()), (true, &b"fine"[..]));
    assert_eq!(
        miss.notes(),
        "rate-limit=admit,response-cache=miss;rule=default,circuit-breaker=closed"
    );
    gate.host.advance(Nanos::from_secs(5));
    let hit = gate.get("/", ill(500));
    assert_eq!((hit.status, hit.forwarded, hit.body.as_slice()), (200, false, &b"fine"[..]));
    assert_eq!(hit.notes(), "rate-limit=admit,response-cache=hit;rule=default");
    assert_eq!(hit.field("age").as_deref(), Some("5"));
    assert_eq!(gate.sum("weir_circuit_breaker_requests_total"), 1);
}

#[test]
fn a_stored_answer_is_served_while_the_breaker_is_open() {
    let gate = Gate::new(&all(PLENTY));
    gate.get("/stored", OK);
    assert_eq!(statuses([0; 2].map(|_| gate.get("/ill", ill(500)))), [500; 2]);
    let rejected = gate.get("/ill", OK);
    assert_eq!((rejected.status, rejected.forwarded), (503, false));
    let record = "rate-limit=admit,response-cache=miss;rule=default;not_stored=no_store,circuit-breaker=open;rule=all;reason=open";
    assert_eq!(rejected.notes(), record);
    let hit = gate.get("/stored", ill(500));
    assert_eq!((hit.status, hit.forwarded), (200, false));
}

#[test]
fn what_became_of_requests_adds_up_to_them() {
    let limit = r#"{"rules": [{"name": "few", "limits": [{"quota": 5, "window": "1h"}]}]}"#;
    let gate = Gate::new(&all(limit));
    gate.get("/stored", OK);
    gate.get("/stored", OK);
    let ends = statuses([ill(500), ill(500), OK, OK].map(|upstream| gate.get("/ill", upstream)));
    assert_eq!(ends, [500, 500, 503, 429]);
    let of =
        |outcome| gate.host.metric(&format!("weir_metrics_flow_total;route=all;outcome={outcome}"));
    let flow = ["upstream", "hit", "refused", "limited"].map(of);
    assert_eq!(flow, [Some(3), Some(1), Some(1), Some(1)]);
    assert_eq!(
        (gate.sum("weir_metrics_flow_total"), gate.sum("weir_metrics_requests_total")),
        (6, 6)
    );
}

#[test]
fn a_rejection_is_not_stored_and_is_no_failure() {
    let gate = Gate::new(&all(PLENTY));
    for _ in 0..2 {
        gate.get("/", ill(500));
    }
    for _ in 0..20 {
        let rejected = gate.get("/", OK);
        assert_eq!((rejected.status, rejected.forwarded), (503, false));
    }
    assert_eq!(gate.sum("weir_response_cache_stored_total"), 0);
    let failures =
        gate.host.metric_names().into_iter().filter(|name| name.contains("result=failure"));
    assert_eq!(failures.filter_map(|name| gate.host.metric(&name)).sum::<i64>(), 2);
    gate.host.advance(Nanos::from_secs(10));
    let probe = gate.get("/", OK);
    assert_eq!((probe.status, probe.forwarded), (200, true), "the open time did not grow");
    assert_eq!(
        probe.notes(),
        "rate-limit=admit,response-cache=miss;rule=default,circuit-breaker=probe;rule=all"
    );
}

#[test]
fn a_cache_that_decides_again_has_one_word_in_the_record_and_the_breaker_hears_of_the_failure() {
    let gate = Gate::new(&all(PLENTY));
    gate.get("/", FORGIVING);
    gate.host.advance(Nanos::from_secs(61));
    for _ in 0..2 {
        let (x, mut stream) = (gate.exchange("/"), Default::default());
        assert_eq!(gate.filter.on_request_headers(&mut stream, &x, true), Flow::Continue);
        x.set_map(Map::Response, Headers::new(&[(":status", "503")]));
        x.set_attribute(Attribute::ResponseDetails, b"via_upstream");
        let flow = gate.filter.on_response_headers(&mut stream, &x, true);
        let Flow::Reply(reply) = flow else { panic!("{flow:?}") };
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"fine"[..]));
        let record = [
            ("rate-limit", "admit"),
            ("response-cache", "stale_if_error"),
            ("circuit-breaker", "closed"),
        ];
        assert_eq!(x.notes(), record);
        // Envoy sends it at once: no filter sees it again before the log.
        x.set_attribute(Attribute::ResponseDetails, reply.details.as_bytes());
        x.set_attribute(Attribute::ResponseCode, &200_u64.to_le_bytes());
        x.set_attribute(Attribute::ResponseFlags, &0_u64.to_le_bytes());
        gate.filter.on_log(&mut stream, &x);
    }
    let rejected = gate.get("/other", OK);
    assert_eq!((rejected.status, rejected.forwarded), (503, false), "two failures opened it");
}

#[test]
fn requests_wait_in_the_cache_and_go_on_to_the_breaker_when_they_are_woken() {
    let gate = Gate::new(&all(LIMIT));
    let (first, mut leads) = (gate.exchange("/"), Default::default());
    assert_eq!(gate.filter.on_request_headers(&mut leads, &first, true), Flow::Continue);
    let (second, mut waits) = (gate.exchange("/"), Default::default());
    assert_eq!(gate.filter.on_request_headers(&mut waits, &second, true), Flow::Pause);
    assert_eq!(second.notes(), [("rate-limit", "admit")], "charged once, asked of no breaker");
    // The first one's response fails to be storable: whoever waits goes on.
    first.set_map(Map::Response, Headers::new(&[(":status", "404")]));
    first.set_attribute(Attribute::ResponseDetails, b"via_upstream");
    assert_eq!(gate.filter.on_response_headers(&mut leads, &first, true), Flow::Continue);
    assert_eq!(gate.filter.on_wake(&mut waits, &second), Flow::Continue);
    let record =
        [("rate-limit", "admit"), ("response-cache", "miss"), ("circuit-breaker", "closed")];
    assert_eq!(second.notes(), record);
    assert_eq!(gate.sum("weir_rate_limit_requests_total"), 2);
}

#[test]
fn metrics_count_everybodys_decision() {
    let gate = Gate::new(&all(LIMIT));
    gate.get("/", OK);
    gate.get("/", OK);
    gate.get("/other", ill(404));
    gate.get("/", OK);
    let decided = [
        ("rate-limit", "admit", 3),
        ("rate-limit", "limit", 1),
        ("response-cache", "miss", 2),
        ("response-cache", "hit", 1),
        ("circuit-breaker", "closed", 2),
    ];
    for (filter, word, n) in decided {
        let name = format!("weir_metrics_decisions_total;filter={filter};decision={word}");
        assert_eq!(gate.host.metric(&name), Some(n), "{name}");
    }
    assert_eq!(gate.sum("weir_metrics_decisions_total"), 9);
}

#[test]
fn a_stream_that_only_ends_is_counted_and_moves_nothing_else() {
    let gate = Gate::new(&all(LIMIT));
    gate.log_only("/", 403);
    assert_eq!(gate.sum("weir_metrics_requests_total"), 1);
    assert_eq!(gate.sum("weir_metrics_decisions_total"), 0);
    for idle in ["rate_limit", "response_cache", "circuit_breaker"] {
        assert_eq!(gate.sum(&format!("weir_{idle}_requests_total")), 0, "{idle}");
    }
}

#[test]
fn a_filter_without_a_section_is_not_there() {
    let sections = [
        ("metrics", "{}", "weir_metrics_"),
        ("rate_limit", LIMIT, "weir_rate_limit_"),
        ("response_cache", CACHE, "weir_response_cache_"),
        ("circuit_breaker", BREAKER, "weir_circuit_breaker_"),
    ];
    for (section, configuration, prefix) in sections {
        let gate = Gate::new(&format!(r#"{{"{section}": {configuration}}}"#));
        let statuses = statuses([0; 4].map(|_| gate.get("/", ill(500))));
        let expected = match section {
            "rate_limit" => [500, 500, 500, 429],
            "circuit_breaker" => [500, 500, 503, 503],
            _ => [500; 4],
        };
        assert_eq!(statuses, expected, "{section}");
        let names = gate.host.metric_names();
        assert!(names.iter().all(|name| name.starts_with(prefix)), "{section}: {names:#?}");
        assert!(!names.is_empty(), "{section}");
    }
}

#[test]
fn each_filter_behaves_as_in_a_module_of_its_own() {
    let gate = Gate::new(&format!(r#"{{"response_cache": {CACHE}}}"#));
    let passed = gate.get("/", OK);
    assert_eq!(passed.field("cache-status").as_deref(), Some("weir; fwd=uri-miss; stored"));
    let hit = gate.get("/", OK);
    assert_eq!(hit.field("cache-status").as_deref(), Some("weir; hit; ttl=60"));
    assert_eq!(hit.field("content-type").as_deref(), Some("text/plain"));
}

#[test]
fn a_response_that_ends_with_trailers_is_stored() {
    let gate = Gate::new(&all(LIMIT));
    assert!(gate.get("/", WITH_TRAILERS).forwarded);
    assert_eq!(gate.get("/", ill(500)).body, b"fine");
}

#[test]
fn workers_of_one_process_share_what_they_know() {
    let gate = Gate::new(&all(LIMIT));
    let other = gate.worker(&all(LIMIT));
    gate.get("/", OK);
    assert!(!other.get("/", ill(500)).forwarded, "stored by one, served by the other");
    other.get("/", OK);
    assert_eq!([gate.get("/", OK).status, other.get("/", OK).status], [429, 429]);
}

#[test]
fn a_filter_in_a_module_of_its_own_shares_its_state_with_the_gateway() {
    let gate = Gate::new(&all(LIMIT));
    let config = kit::config::load(RateLimit::NAME, LIMIT.as_bytes(), RateLimit::read).unwrap();
    let alone = RateLimit::new(config, &gate.host);
    for _ in 0..3 {
        assert_eq!(
            alone.on_request_headers(&mut Default::default(), &gate.exchange("/"), true),
            Flow::Continue
        );
    }
    assert_eq!(gate.get("/", OK).status, 429);
}

#[test]
fn headers_that_one_filter_changes_are_seen_by_the_next() {
    let gate = Gate::new(&all(LIMIT));
    let answer = gate.get("/", OK);
    assert!(answer.x.headers(Map::Response).get("cache-status").is_some());
    assert_eq!(answer.x.headers(Map::Request).len(), 4, "the request goes on as it came");
}

#[test]
fn what_is_in_force_is_told_filter_by_filter() {
    let gate = Gate::new(&all(LIMIT));
    let lines = gate.filter.summary();
    let filters: Vec<&str> = lines.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(
        filters,
        [
            "metrics",
            "metrics",
            "metrics",
            "rate-limit",
            "response-cache",
            "response-cache",
            "response-cache",
            "circuit-breaker"
        ]
    );
    assert_eq!(
        lines[3],
        "rate-limit: rule few, for every request: 3 per 1h, up to 65536 keys; by address (IPv6 by /64), else one key for all"
    );
}

#[test]
fn it_asks_for_the_callbacks_of_its_filters_and_no_others() {
    let of_filters = [
        Metrics::CALLBACKS,
        RateLimit::CALLBACKS,
        ResponseCache::CALLBACKS,
        CircuitBreaker::CALLBACKS,
    ];
    for callback in Callback::ALL {
        assert_eq!(
            Gateway::CALLBACKS.contains(callback),
            of_filters.iter().any(|callbacks| callbacks.contains(callback)),
            "{callback:?}"
        );
    }
}
