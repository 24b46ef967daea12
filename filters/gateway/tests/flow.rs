//! What metrics makes of the other filters' words: each says what became of a request, and each is counted.
#![cfg(test)]

use kit::operations::DETAILS as OPERATIONS;
use weir_circuit_breaker::signals as breaker;
use weir_metrics::exclusion::Exclusion;
use weir_metrics::labels::{Answerer, Outcome};
use weir_metrics::policy::judge;
use weir_rate_limit::signals as limit;
use weir_response_cache::signals as cache;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Metrics judges by the details of answers, so that it knows those of modules of their own; no crate knows another.
#[test]
fn every_answer_of_a_filter_has_its_outcome() {
    let rows = [
        (limit::LIMITED_DETAILS, Outcome::Limited),
        (limit::KEYLESS_DETAILS, Outcome::Limited),
        (limit::FAILED_DETAILS, Outcome::Limited),
        (cache::DETAILS_HIT, Outcome::Hit),
        (cache::DETAILS_NOT_MODIFIED, Outcome::Hit),
        (cache::DETAILS_COLLAPSED, Outcome::Hit),
        (cache::DETAILS_REVALIDATED, Outcome::Hit),
        (cache::DETAILS_STALE, Outcome::Stale),
        (cache::DETAILS_STALE_IF_ERROR, Outcome::Stale),
        (cache::DETAILS_ONLY_IF_CACHED, Outcome::Local),
        (cache::DETAILS_CONTRADICTED, Outcome::Stale),
        (breaker::DETAILS, Outcome::Refused),
    ];
    for (details, outcome) in rows {
        let judged = judge(200, details.as_bytes(), || panic!("{details}: nothing to ask"));
        assert_eq!(judged, (Answerer::Weir, outcome), "{details}");
    }
    for details in [cache::DETAILS_OPERATIONS, OPERATIONS] {
        assert_eq!(Exclusion::of(details.as_bytes()), Some(Exclusion::Operations), "{details}");
    }
}

const WORDS: [limit::Word; 6] = {
    use limit::Word;
    [Word::Admit, Word::Limit, Word::Shadow, Word::Exempt, Word::Deny, Word::Error]
};

#[test]
fn every_word_of_a_filter_is_counted() {
    use kit::fake::{FakeExchange, FakeHost};
    use kit::{Exchange, Filter, config};
    use weir_metrics::Metrics;
    let host = FakeHost::default();
    let metrics = Metrics::new(config::load("metrics", b"{}", Metrics::read).unwrap(), &host);
    let cache = cache::Decision::ALL.map(cache::Decision::as_str).into_iter();
    let cache = cache.chain([cache::Staleness::Error.as_str()]);
    let words = cache.map(|word| ("response-cache", word));
    let words = words.chain(WORDS.map(|word| ("rate-limit", word.as_str())));
    let words = words.chain(breaker::Word::ALL.map(|word| ("circuit-breaker", word.as_note())));
    for (filter, word) in words {
        let x = FakeExchange::get(&host, "/", &[]);
        x.note(filter, word);
        let name = format!("weir_metrics_decisions_total;filter={filter};decision={word}");
        assert_eq!(host.metric(&name), None, "{name}");
        metrics.on_log(&mut Default::default(), &x);
        assert_eq!(host.metric(&name), Some(1), "{name}");
    }
}
