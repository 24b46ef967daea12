//! The parts of the machine, row by row: back-off, window, permits, evidence; the same on wasm32.
#![cfg(test)]

use kit::Nanos;
use kit::status::Statuses;
use kit::units::Ratio;
use weir_circuit_breaker::Config;
use weir_circuit_breaker::breaker::backoff::OpenTime;
use weir_circuit_breaker::breaker::permits::Permits;
use weir_circuit_breaker::breaker::window::{Call, Span, Tally, Window};
use weir_circuit_breaker::breaker::{Cause, State, Transition};
use weir_circuit_breaker::evidence::{
    Ending, Evidence, Failures, GrpcStatuses, is_broken_by_upstream, judge,
};
use weir_circuit_breaker::report;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn secs(n: u64) -> Nanos {
    Nanos::from_secs(n)
}

#[test]
fn open_times_double_and_chance_only_adds() {
    let (growth, jitter) = (200, Ratio::from_percent(50));
    let open = OpenTime { base: secs(2), growth, max: secs(60), jitter };
    for (n_opens, plain) in [(0, 2), (1, 4), (4, 32), (5, 60), (40, 60), (255, 60)] {
        assert_eq!(open.plain(n_opens), secs(plain));
    }
    let open_by = |growth| OpenTime { growth, ..open };
    let lengths = |open: OpenTime| [0, 1, 2, 3, 4, 40].map(|n| open.plain(n).as_millis());
    assert_eq!(lengths(open_by(100)), [2_000; 6]);
    assert_eq!(lengths(open_by(150)), [2_000, 3_000, 4_500, 6_750, 10_125, 60_000]);
    assert_eq!(lengths(open_by(1_000)), [2_000, 20_000, 60_000, 60_000, 60_000, 60_000]);
    assert_eq!(open.lucky(0, 0), secs(2));
    assert_eq!(open.lucky(0, 1 << 63), Nanos::from_millis(2_500));
    assert!(open.lucky(0, u64::MAX) < secs(3));
}

#[test]
fn a_window_forgets_bucket_by_bucket() {
    let (length, mut window) = (Span::Time(secs(10)), Window::default());
    let call = |is_failed| Call { is_failed, is_slow: false };
    let tally = |n_ended, n_failed| Tally { n_ended, n_failed, ..Tally::default() };
    for at in [100, 101, 109] {
        window.record(length, secs(at), call(at == 101));
    }
    let rows = [(109, 3, 1), (110, 2, 1), (111, 1, 0), (118, 1, 0), (119, 0, 0), (10_000, 0, 0)];
    for (at, n_ended, n_failed) in rows {
        assert_eq!(window.tally(length, secs(at)), tally(n_ended, n_failed), "at {at} s");
    }
    window.record(length, secs(105), call(true));
    assert_eq!(window.tally(length, secs(109)), tally(4, 2));
    window.record(length, secs(5), call(true));
    assert_eq!(window.tally(length, secs(5)), tally(1, 1));
}

#[test]
fn permits_are_counted_and_have_their_own_ids() {
    let (lease, mut permits) = (secs(30), Permits::default());
    assert_eq!(permits.take(2, lease, secs(0)), Some(1));
    assert_eq!(permits.take(2, lease, secs(1)), Some(2));
    assert_eq!(permits.take(2, lease, secs(2)), None);
    permits.put_back(7);
    assert_eq!(permits.take(2, lease, secs(2)), None);
    permits.put_back(1);
    assert_eq!(permits.take(2, lease, secs(3)), Some(3));
    assert_eq!(permits.take(2, lease, secs(31)), Some(4), "the second ran out");
    permits.last_id = u32::MAX;
    permits.put_back(3);
    assert_eq!(permits.take(2, lease, secs(31)), Some(1), "zero is no id");
}

struct Row(u64, &'static str, u64, Option<u32>);

impl Ending for Row {
    fn has_details(&self, details: &[u8]) -> bool {
        self.1.as_bytes() == details
    }

    fn status(&self) -> u64 {
        self.2
    }

    fn grpc_status(&self) -> Option<u32> {
        (self.2 == 200).then_some(self.3).flatten()
    }

    fn flags(&self) -> u64 {
        self.0
    }

    fn has_begun(&self) -> bool {
        (1..500).contains(&self.2)
    }

    fn is_past_deadline(&self) -> bool {
        false
    }
}

/// The same at a time when the deadline that its client chose has passed.
struct Past(Row);

impl Ending for Past {
    fn has_details(&self, details: &[u8]) -> bool {
        self.0.has_details(details)
    }

    fn status(&self) -> u64 {
        self.0.status()
    }

    fn grpc_status(&self) -> Option<u32> {
        self.0.grpc_status()
    }

    fn flags(&self) -> u64 {
        self.0.flags()
    }

    fn has_begun(&self) -> bool {
        self.0.has_begun()
    }

    fn is_past_deadline(&self) -> bool {
        true
    }
}

const NO_GRPC: GrpcStatuses = GrpcStatuses::NONE;

#[test]
fn a_deadline_that_the_client_chose_is_no_failure_and_an_ignored_status_nothing() {
    let statuses: Statuses = [500..=504].into_iter().collect();
    let ignored: Statuses = [404..=404, 500..=500].into_iter().collect();
    let grpc = GrpcStatuses::default();
    let failures = Failures {
        status: &statuses,
        grpc: &grpc,
        ignored_status: &ignored,
        ignored_grpc: &NO_GRPC,
    };
    let rows = [
        (Row(0x4, "response_timeout", 504, None), Evidence::Failure, Evidence::Nothing),
        (Row(0x4, "upstream_per_try_timeout", 504, None), Evidence::Failure, Evidence::Nothing),
        (Row(0, "via_upstream", 504, None), Evidence::Failure, Evidence::Nothing),
        (Row(0, "via_upstream", 503, None), Evidence::Failure, Evidence::Failure),
        (Row(0x20, "upstream_reset", 503, None), Evidence::Failure, Evidence::Failure),
        (Row(0, "via_upstream", 404, None), Evidence::Nothing, Evidence::Nothing),
        (Row(0, "via_upstream", 500, None), Evidence::Nothing, Evidence::Nothing),
        (Row(0, "via_upstream", 200, None), Evidence::Success, Evidence::Success),
    ];
    for (row, in_time, past) in rows {
        let text = format!("{:#x} {} {}", row.0, row.1, row.2);
        assert_eq!(judge(&row, failures), in_time, "{text}");
        assert_eq!(judge(&Past(row), failures), past, "{text}");
    }
    for (flags, is_broken) in
        [(0, false), (0x40, true), (0x10, true), (0x80_0000, true), (0x4040, false), (0x4, false)]
    {
        assert_eq!(is_broken_by_upstream(flags), is_broken, "{flags:#x}");
    }
}

#[test]
fn only_the_upstream_can_fail() {
    let statuses: Statuses = [500..=503, 599..=599].into_iter().collect();
    let teapot: Statuses = [418..=418].into_iter().collect();
    let (grpc, none) = (GrpcStatuses::default(), Statuses::default());
    let failures =
        |status| Failures { status, grpc: &grpc, ignored_status: &none, ignored_grpc: &NO_GRPC };
    let rows = [
        (Row(0, "via_upstream", 200, Some(0)), Evidence::Success),
        (Row(0, "via_upstream", 200, Some(2)), Evidence::Failure),
        (Row(0, "via_upstream", 200, Some(4)), Evidence::Success),
        (Row(0, "via_upstream", 200, Some(14)), Evidence::Failure),
        (Row(0, "via_upstream", 200, Some(99)), Evidence::Success),
        (Row(0, "via_upstream", 200, None), Evidence::Success),
        (Row(0, "via_upstream", 429, None), Evidence::Success),
        (Row(0, "via_upstream", 404, None), Evidence::Success),
        (Row(0, "via_upstream", 500, None), Evidence::Failure),
        (Row(0, "via_upstream", 503, None), Evidence::Failure),
        (Row(0, "via_upstream", 504, None), Evidence::Success),
        (Row(0, "via_upstream", 599, None), Evidence::Failure),
        (Row(0x8000, "via_upstream", 500, None), Evidence::Failure),
        (Row(0x2, "no_healthy_upstream", 503, None), Evidence::Failure),
        (Row(0x4, "response_timeout", 504, None), Evidence::Failure),
        (Row(0x4, "response_timeout", 200, None), Evidence::Nothing),
        (Row(0x8_0000, "max_duration_timeout", 504, None), Evidence::Failure),
        (Row(0x8_0000, "max_duration_timeout", 200, None), Evidence::Nothing),
        (Row(0x44, "upstream_reset_after_response_started{x}", 200, None), Evidence::Failure),
        (Row(0x20, "upstream_reset_before_response_started{x}", 503, None), Evidence::Failure),
        (Row(0x40, "upstream_reset_before_response_started{x}", 503, None), Evidence::Failure),
        (Row(0x80_0000, "upstream_reset_after_response_started{x}", 200, None), Evidence::Failure),
        (Row(0x4000, "downstream_remote_disconnect", 0, None), Evidence::Nothing),
        (Row(0x4000, "downstream_remote_disconnect", 200, None), Evidence::Nothing),
        (Row(0x4004, "downstream_remote_disconnect", 0, None), Evidence::Nothing),
        (Row(0x1000_0000, "http2.remote_reset", 200, None), Evidence::Nothing),
        (Row(0x100, "route_not_found", 404, None), Evidence::Nothing),
        (Row(0x80, "upstream_overflow", 503, None), Evidence::Nothing),
        (Row(0, "direct_response", 500, None), Evidence::Nothing),
        (Row(0, "weir_circuit_open", 503, None), Evidence::Nothing),
        (Row(0, "", 503, None), Evidence::Nothing),
        // What a cache in front made of the upstream's answer: an error hidden, an answer confirmed, neither.
        (Row(0, "weir_cache_stale_if_error", 200, None), Evidence::Failure),
        (Row(0x4, "weir_cache_stale_if_error", 200, None), Evidence::Failure),
        (Row(0x20, "weir_cache_stale_if_error", 200, None), Evidence::Failure),
        (Row(0, "weir_cache_revalidated", 200, None), Evidence::Success),
        (Row(0, "weir_cache_hit", 200, None), Evidence::Nothing),
        (Row(0, "via_upstream", u64::MAX, None), Evidence::Success),
    ];
    for (row, expected) in rows {
        assert_eq!(judge(&row, failures(&statuses)), expected, "{:#x} {} {}", row.0, row.1, row.2);
    }

    for (flags, expected) in [(0, Evidence::Nothing), (0x20, Evidence::Failure)] {
        let row = Row(flags, "weir_cache_stale_if_error", 200, None);
        assert_eq!(
            judge(&row, failures(&teapot)),
            expected,
            "no cache hides a failure of this rule's"
        );
    }
}

#[test]
fn a_change_of_state_is_one_line_with_cause_and_numbers() {
    let json = br#"{"rules": [{"name": "shop"}, {"name": "all", "per": "rule"}]}"#;
    let config = kit::config::load("circuit-breaker", json, Config::read).unwrap();
    let retry_in = Nanos::from_micros(63_250_499);
    let rows = [
        (
            (State::Closed, State::Open, Cause::Consecutive { n_failed: 5, retry_in }),
            "opened rule=shop cluster=pay cause=consecutive failures=5/5 retry_in=1m3s250ms",
        ),
        (
            (State::Closed, State::Open, Cause::Ratio { n_failed: 6, n_ended: 11, retry_in }),
            "opened rule=shop cluster=pay cause=ratio failures=6/11 threshold=50% retry_in=1m3s250ms",
        ),
        (
            (State::HalfOpen, State::Open, Cause::ProbeFailed { n_opens: 2, retry_in }),
            "opened rule=shop cluster=pay cause=probe_failed openings=2 retry_in=1m3s250ms",
        ),
        (
            (State::Open, State::HalfOpen, Cause::ProbeDue { open_for: secs(60) }),
            "half-open rule=shop cluster=pay cause=probe_due open_for=1m",
        ),
        (
            (State::HalfOpen, State::Closed, Cause::Recovered { n_successes: 2 }),
            "closed rule=shop cluster=pay cause=recovered successes=2",
        ),
    ];
    for ((from, to, cause), expected) in rows {
        let change = Transition { from, to, cause };
        assert_eq!(report::line(&config.rules[0], "pay", &change), expected);
        let without_scope = expected.replace("rule=shop cluster=pay", "rule=all");
        assert_eq!(report::line(&config.rules[1], "", &change), without_scope);
    }
}
