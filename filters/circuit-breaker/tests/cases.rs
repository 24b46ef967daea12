//! The machine, rule by rule; the same on wasm32.
#![cfg(test)]

use kit::Nanos;
use kit::table::Layout;
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Settings};
use weir_circuit_breaker::breaker::window::{Call, Span};
use weir_circuit_breaker::breaker::{
    Asker, Breaker, Cause, Decision, Effects, Event, Refusal, State, Ticket, Transition,
};
use weir_circuit_breaker::entry::Packed;

mod bench;

use bench::{Bench, failure, secs, settings, success};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn opens_on_the_last_failure_in_a_row() {
    let mut bench = Bench::new(settings());
    for _ in 0..4 {
        assert_eq!(bench.fail(), None);
        assert!(matches!(bench.ask(false), Decision::Admit(_)));
    }
    let cause = Cause::Consecutive { n_failed: 5, retry_in: secs(60) };
    assert_eq!(bench.fail(), Some(Transition { from: State::Closed, to: State::Open, cause }));
    assert_eq!(bench.ask(true), Decision::Reject { reason: Refusal::Open, retry_in: secs(60) });
}

#[test]
fn a_success_ends_the_row() {
    let mut bench = Bench::new(Settings { ratio: None, ..settings() });
    for _ in 0..100 {
        for _ in 0..4 {
            assert_eq!(bench.fail(), None);
        }
        assert_eq!(bench.succeed(), None);
    }
}

#[test]
fn opens_on_the_share_once_there_is_enough_volume_and_only_on_a_failure() {
    let mut bench = Bench::new(Settings { consecutive: None, ..settings() });
    for _ in 0..9 {
        assert_eq!(bench.fail(), None);
    }
    assert_eq!(bench.succeed(), None);
    let cause = Cause::Ratio { n_failed: 10, n_ended: 11, retry_in: secs(60) };
    assert_eq!(bench.fail().map(|transition| transition.cause), Some(cause));
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut bench = Bench::new(Settings { consecutive: None, ..settings() });
    for _ in 0..9 {
        bench.fail();
    }
    assert_eq!(bench.wait(60).fail(), None);
}

#[test]
fn each_way_to_trip_can_be_off() {
    let mut bench = Bench::new(Settings { consecutive: None, ratio: None, ..settings() });
    for _ in 0..1_000 {
        assert_eq!(bench.fail(), None);
    }
}

#[test]
fn open_rejects_until_the_time_is_over_and_then_probes() {
    let mut bench = Bench::opened();
    assert_eq!(
        bench.wait(59).ask(true),
        Decision::Reject { reason: Refusal::Open, retry_in: secs(1) }
    );
    bench.wait(1);
    let effects = bench.step(Event::Ask { asker: Asker::Safe, luck: 0 });
    let ticket = Ticket { admitted_at: bench.now, permit: Some(1) };
    assert_eq!(effects.decision, Some(Decision::Probe(ticket)));
    let cause = Cause::ProbeDue { open_for: secs(60) };
    let transition = Transition { from: State::Open, to: State::HalfOpen, cause };
    assert_eq!(effects.transition, Some(transition));
    assert_eq!(
        bench.ask(true),
        Decision::Reject { reason: Refusal::Probing, retry_in: Nanos::ZERO }
    );
}

#[test]
fn enough_successful_probes_close() {
    let mut bench = Bench::opened();
    bench.wait(60);
    let first = bench.probe();
    assert_eq!(bench.step(success(first)).transition, None);
    let second = bench.probe();
    let cause = Cause::Recovered { n_successes: 2 };
    let transition = Transition { from: State::HalfOpen, to: State::Closed, cause };
    assert_eq!(bench.step(success(second)).transition, Some(transition));
    assert!(matches!(bench.ask(false), Decision::Admit(_)));
    assert_eq!(bench.fail(), None, "failures from before do not count any more");
}

#[test]
fn one_failed_probe_opens_for_twice_as_long_up_to_the_cap() {
    let mut bench = Bench::opened();
    let mut open_for = 60;
    for expected in [120, 240, 480, 600, 600] {
        bench.wait(open_for);
        let ticket = bench.probe();
        let effects = bench.step(failure(ticket));
        let Some(Cause::ProbeFailed { retry_in, .. }) = effects.transition.map(|t| t.cause) else {
            panic!("{effects:?}");
        };
        assert_eq!(retry_in, secs(expected));
        open_for = expected;
    }
}

#[test]
fn the_back_off_shrinks_one_step_for_each_such_time_of_success() {
    let mut bench = Bench::opened();
    for open_for in [60, 120] {
        bench.wait(open_for);
        let ticket = bench.probe();
        bench.step(failure(ticket));
    }
    bench.wait(240);
    for _ in 0..2 {
        let ticket = bench.probe();
        bench.step(success(ticket));
    }
    assert_eq!((bench.breaker.state, bench.breaker.n_opens), (State::Closed, 3));
    for (wait, expected) in [(239, 3), (1, 2), (119, 2), (1, 1), (59, 1), (1, 0), (1_000, 0)] {
        bench.wait(wait).succeed();
        assert_eq!(bench.breaker.n_opens, expected);
    }
}

#[test]
fn after_a_long_outage_openings_are_as_soon_short_again() {
    let mut bench = Bench::opened();
    for _ in 0..12 {
        bench.wait(600);
        let ticket = bench.probe();
        bench.step(failure(ticket));
    }
    bench.wait(600);
    for _ in 0..2 {
        let ticket = bench.probe();
        bench.step(success(ticket));
    }
    // 1, 2, 4, 8 minutes, and 10 however often.
    assert_eq!((bench.breaker.state, bench.breaker.n_opens), (State::Closed, 5));
    for (wait, expected) in [(599, 5), (1, 4), (480, 3), (240, 2), (120, 1), (60, 0)] {
        bench.wait(wait).succeed();
        assert_eq!(bench.breaker.n_opens, expected);
    }
}

#[test]
fn silence_proves_nothing() {
    let mut bench = Bench::opened();
    bench.wait(60);
    for _ in 0..2 {
        let ticket = bench.probe();
        bench.step(success(ticket));
    }
    bench.wait(100_000);
    for _ in 0..5 {
        bench.fail();
    }
    assert_eq!(bench.breaker.open_for, secs(120));
}

#[test]
fn a_permit_returns_however_the_request_ends_and_without_a_verdict_nothing_changes() {
    let mut bench = Bench::opened();
    bench.wait(60);
    let ticket = bench.probe();
    assert_eq!(bench.step(Event::Nothing(ticket)), Effects::default());
    assert_eq!(bench.breaker.state, State::HalfOpen);
    bench.probe();
}

#[test]
fn a_permit_that_is_never_returned_runs_out() {
    let mut bench = Bench::opened();
    bench.wait(60).probe();
    let refused = Decision::Reject { reason: Refusal::Probing, retry_in: Nanos::ZERO };
    assert_eq!(bench.wait(29).ask(true), refused);
    bench.wait(1).probe();
}

#[test]
fn the_verdict_of_a_probe_counts_after_its_lease_too() {
    let mut bench = Bench::opened();
    bench.wait(60);
    let slow = bench.probe();
    bench.wait(31).probe();
    let effects = bench.wait(5).step(failure(slow));
    assert_eq!(effects.transition.map(|transition| transition.to), Some(State::Open));
}

#[test]
fn a_probe_of_an_earlier_try_still_takes_a_place() {
    let mut bench = Bench::opened();
    bench.settings.probes.at_once = 2;
    bench.settings.probes.lease = secs(3_600);
    bench.wait(60).probe();
    let failing = bench.probe();
    bench.step(failure(failing));
    bench.wait(120).probe();
    assert!(matches!(bench.ask(true), Decision::Reject { reason: Refusal::Probing, .. }));
}

#[test]
fn outcomes_from_before_the_last_change_are_late() {
    let mut bench = Bench::new(settings());
    let early = bench.ticket();
    bench.wait(1);
    for _ in 0..5 {
        bench.fail();
    }
    let late = Effects { is_late: true, ..Effects::default() };
    for wait in [0, 60] {
        bench.wait(wait);
        assert_eq!(bench.step(failure(early)), late);
        assert_eq!(bench.step(success(early)), late);
    }
    for _ in 0..2 {
        let ticket = bench.probe();
        assert_eq!(bench.step(failure(early)), late, "half-open");
        bench.step(success(ticket));
    }
    for _ in 0..100 {
        assert_eq!(bench.step(failure(early)), late, "closed again");
    }
}

#[test]
fn an_unsafe_request_is_no_probe_until_one_succeeded_or_no_safe_one_came() {
    let refused = Decision::Reject { reason: Refusal::Unsafe, retry_in: Nanos::ZERO };
    let mut bench = Bench::opened();
    assert_eq!(bench.wait(60).ask(false), refused);
    assert_eq!(bench.breaker.state, State::Open, "asking changes nothing");
    let ticket = bench.probe();
    bench.step(success(ticket));
    assert!(matches!(bench.ask(false), Decision::Probe(_)));

    let mut bench = Bench::opened();
    assert_eq!(bench.wait(119).ask(false), refused);
    assert!(matches!(bench.wait(1).ask(false), Decision::Probe(_)));
}

#[test]
fn which_requests_may_be_probes_is_a_choice() {
    let mut bench = Bench::opened();
    bench.settings.probes.methods = ProbeMethods::SafeOnly;
    assert!(matches!(bench.wait(1_000_000).ask(false), Decision::Reject { .. }));
    bench.settings.probes.methods = ProbeMethods::Any;
    assert!(matches!(bench.ask(false), Decision::Probe(_)));
}

#[test]
fn a_clock_that_jumps_back_costs_one_open_time_at_most() {
    let mut bench = Bench::opened();
    bench.now = secs(10);
    assert_eq!(bench.ask(true), Decision::Reject { reason: Refusal::Open, retry_in: secs(60) });
    bench.wait(60).probe();
    bench.now = secs(5);
    bench.probe();
    let mut bench = Bench::new(settings());
    bench.breaker.since = secs(1 << 30);
    for _ in 0..5 {
        bench.fail();
    }
    assert_eq!(bench.breaker.state, State::Open);
}

#[test]
fn workers_a_little_out_of_order_do_not_move_the_time() {
    let mut bench = Bench::opened();
    bench.now = secs(999);
    assert_eq!(bench.ask(true), Decision::Reject { reason: Refusal::Open, retry_in: secs(61) });
    assert_eq!(bench.breaker.since, secs(1_000));
}

#[test]
fn a_ticket_is_of_the_state_that_was_read_also_on_a_worker_that_is_behind() {
    let mut bench = Bench::opened();
    bench.settings.probes.at_once = 2;
    bench.wait(60).probe();
    bench.now = secs(1_059);
    let second = bench.probe();
    let effects = bench.wait(3).step(failure(second));
    assert_eq!(effects.transition.map(|transition| transition.to), Some(State::Open));
}

#[test]
fn bytes_and_back() {
    let mut bench = Bench::opened();
    bench.wait(60).probe();
    let mut open = Bench::opened().breaker;
    open.window.record(Span::Time(secs(60)), secs(7), Call { is_failed: true, is_slow: false });
    for breaker in [Breaker::default(), bench.breaker, open] {
        let mut bytes = vec![0xff; Packed.size()];
        Packed.write(&breaker, &mut bytes);
        assert_eq!(Packed.read(&bytes), Some(breaker));
        assert_eq!(Packed.read(&bytes[1..]), None);
    }
    assert_eq!(Packed.read(&vec![3; Packed.size()]), None, "no such state");
}

#[test]
fn a_closed_breaker_goes_before_one_that_rejects() {
    let open = Bench::opened().breaker;
    let mut failing = Bench::new(settings());
    failing.fail();
    assert_eq!(Packed.loss(&Breaker::default(), secs(0)), 0);
    assert!(0 < Packed.loss(&failing.breaker, secs(0)));
    assert!(Packed.loss(&failing.breaker, secs(0)) < Packed.loss(&open, secs(0)));
}
