//! The machine beyond open and closed, rule by rule: slow calls, the last so many, shedding, the ramp, the operator's
//! hand; the same on wasm32.
#![cfg(test)]

use kit::Nanos;
use kit::units::Ratio;
use weir_circuit_breaker::breaker::settings::{Probing, Ramp, Settings, Slow, Trip};
use weir_circuit_breaker::breaker::shedding::{Shedding, is_in};
use weir_circuit_breaker::breaker::window::{Span, Tally};
use weir_circuit_breaker::breaker::{
    Asker, Cause, Control, Decision, Effects, Event, Held, MAX_HOLD, Refusal, State, Transition,
};

mod bench;

use bench::{Bench, failure, secs, settings, success};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const fn percent(n: u32) -> Ratio {
    Ratio::from_percent(n)
}

const fn changed(from: State, to: State, cause: Cause) -> Option<Transition> {
    Some(Transition { from, to, cause })
}

/// Asks with this luck.
fn ask(bench: &mut Bench, luck: u64) -> Decision {
    bench.step(Event::Ask { asker: Asker::Safe, luck }).decision.unwrap()
}

/// How many of a hundred requests with evenly spread luck pass.
fn n_pass(bench: &mut Bench) -> usize {
    let lucks = (0..100).map(|n| u64::MAX / 100 * n + u64::MAX / 200);
    lucks.filter(|luck| matches!(ask(bench, *luck), Decision::Admit(_))).count()
}

fn slow(bench: &mut Bench) -> Option<Transition> {
    let ticket = bench.ticket();
    bench.step(Event::Success { ticket, is_slow: true }).transition
}

fn slow_settings() -> Settings {
    let trip = Trip { threshold: percent(50), min_requests: 4 };
    Settings { slow: Some(Slow { duration: secs(5), trip }), ..settings() }
}

#[test]
fn slow_calls_open_by_their_share_and_only_a_slow_one_does() {
    let mut bench = Bench::new(slow_settings());
    assert_eq!(bench.succeed(), None);
    for _ in 0..2 {
        assert_eq!(slow(&mut bench), None);
    }
    assert_eq!(bench.succeed(), None, "two of four are slow, but this one was not");
    let cause = Cause::Slow { n_slow: 3, n_ended: 5, retry_in: secs(60) };
    assert_eq!(slow(&mut bench), changed(State::Closed, State::Open, cause));
}

#[test]
fn a_slow_success_is_none_for_a_probe_and_ends_no_row_of_failures_less() {
    let mut bench = Bench::new(slow_settings());
    for _ in 0..4 {
        bench.fail();
    }
    assert_eq!(slow(&mut bench), None, "the row is over, and one slow call of five is few");
    assert_eq!(bench.breaker.n_consecutive, 0);
    let mut bench = Bench::new(slow_settings());
    for _ in 0..5 {
        bench.fail();
    }
    let ticket = bench.wait(60).probe();
    let transition = bench.step(Event::Success { ticket, is_slow: true }).transition;
    let cause = Cause::ProbeFailed { n_opens: 2, retry_in: secs(120) };
    assert_eq!(transition, changed(State::HalfOpen, State::Open, cause));
}

#[test]
fn a_window_of_the_last_requests_forgets_by_number_and_never_by_time() {
    let ratio = Some(Trip { threshold: percent(60), min_requests: 5 });
    let window = Span::Count(5);
    let mut bench = Bench::new(Settings { consecutive: None, ratio, window, ..settings() });
    for _ in 0..2 {
        assert_eq!(bench.fail(), None);
        bench.wait(100_000);
    }
    for _ in 0..4 {
        assert_eq!(bench.succeed(), None);
    }
    let tally = bench.breaker.tally(&bench.settings, bench.now);
    assert_eq!((tally.n_ended, tally.n_failed), (5, 1), "the first failure is the sixth last");
    assert_eq!(bench.fail(), None, "the second one has just gone");
    assert_eq!(bench.fail(), None);
    let cause = Cause::Ratio { n_failed: 3, n_ended: 5, retry_in: secs(60) };
    assert_eq!(bench.fail(), changed(State::Closed, State::Open, cause));
}

#[test]
fn a_window_of_another_kind_or_size_starts_anew() {
    let ratio = Some(Trip { threshold: percent(100), min_requests: 1_000 });
    let mut bench = Bench::new(Settings { consecutive: None, ratio, ..settings() });
    for window in [Span::Time(secs(60)), Span::Count(7), Span::Count(1_024), Span::Time(secs(60))] {
        bench.settings.window = window;
        assert_eq!(bench.breaker.tally(&bench.settings, bench.now), Tally::default());
        bench.fail();
        let tally = bench.breaker.tally(&bench.settings, bench.now);
        assert_eq!((tally.n_ended, tally.n_failed), (1, 1), "{window:?}");
    }
}

#[test]
fn several_probes_may_have_to_fail() {
    let probes = Probing { at_once: 3, n_successes: 3, n_failures: 2, ..settings().probes };
    let mut bench = Bench::new(Settings { probes, ..settings() });
    for _ in 0..5 {
        bench.fail();
    }
    bench.wait(60);
    let (first, second, third) = (bench.probe(), bench.probe(), bench.probe());
    assert_eq!(bench.step(failure(first)).transition, None);
    assert_eq!(bench.step(success(second)).transition, None);
    let transition = bench.step(failure(third)).transition.unwrap();
    assert_eq!((transition.from, transition.to), (State::HalfOpen, State::Open));
}

#[test]
fn the_upstream_can_ask_for_more_time_up_to_the_cap() {
    for (come_back, open_for) in [(0, 60), (59, 60), (90, 90), (100_000, 600)] {
        let mut bench = Bench::new(Settings { consecutive: Some(1), ..settings() });
        let ticket = bench.ticket();
        let come_back = secs(come_back);
        bench.step(Event::Failure { ticket, is_slow: false, luck: 0, come_back });
        assert_eq!(bench.breaker.open_for, secs(open_for));
    }
}

fn ramp_settings() -> Settings {
    let shares = [percent(10), percent(50)].into();
    Settings { ramp: Some(Ramp { time: secs(10), shares, n_failures: 2 }), ..settings() }
}

/// One that recovers since now.
fn recovering() -> Bench {
    let mut bench = Bench::new(ramp_settings());
    for _ in 0..5 {
        bench.fail();
    }
    bench.wait(60);
    for _ in 0..2 {
        let ticket = bench.probe();
        bench.step(success(ticket));
    }
    assert_eq!(bench.breaker.state, State::Recovering);
    bench
}

#[test]
fn traffic_returns_in_steps_and_the_end_of_the_last_is_told() {
    let mut bench = recovering();
    assert_eq!(n_pass(&mut bench), 10);
    assert_eq!(n_pass(bench.wait(4)), 10);
    assert_eq!(n_pass(bench.wait(1)), 50);
    assert_eq!(bench.breaker.state, State::Recovering);
    assert_eq!(ask(&mut bench, 0), Decision::Admit(bench.ticket()));
    let refused = Decision::Reject { reason: Refusal::Recovering, retry_in: Nanos::ZERO };
    assert_eq!(ask(&mut bench, u64::MAX), refused);
    let effects = bench.wait(5).step(Event::Look);
    assert_eq!(effects.transition, changed(State::Recovering, State::Closed, Cause::Returned));
    assert_eq!(n_pass(&mut bench), 100);
}

#[test]
fn a_relapse_while_traffic_returns_opens_for_longer() {
    let mut bench = recovering();
    assert_eq!(bench.fail(), None);
    assert_eq!(bench.succeed(), None);
    assert_eq!(bench.fail(), None, "not in a row");
    let cause = Cause::Relapsed { n_failed: 2, retry_in: secs(120) };
    assert_eq!(bench.fail(), changed(State::Recovering, State::Open, cause));
}

#[test]
fn requests_of_the_ramp_are_evidence_after_it_and_those_from_before_are_not() {
    let mut bench = recovering();
    let (early, late) = (bench.ticket(), bench.wait(10).ticket());
    bench.step(Event::Look);
    assert!(!bench.step(failure(early)).is_late);
    assert!(!bench.step(failure(late)).is_late);
    assert_eq!(bench.breaker.n_consecutive, 2);
    assert!(bench.step(failure(Bench::new(settings()).ticket())).is_late, "from before it opened");
}

#[test]
fn a_ramp_that_is_configured_away_is_over() {
    let mut bench = recovering();
    bench.settings.ramp = None;
    assert_eq!(n_pass(&mut bench), 100);
    assert_eq!(bench.breaker.state, State::Closed);
}

fn shedding() -> Shedding {
    Shedding { headroom: 2_000, min_requests: 10, max_share: percent(90) }
}

fn shed_settings() -> Settings {
    Settings { consecutive: None, ratio: None, shedding: Some(shedding()), ..settings() }
}

/// The book's formula, by hand.
#[test]
fn the_share_to_shed_is_that_of_the_formula() {
    let share = |n_ended, n_failed, n_shed| {
        shedding().share(&Tally { n_ended, n_failed, n_slow: 0, n_shed }).as_ppm()
    };
    assert_eq!(share(9, 9, 0), 0, "too few");
    assert_eq!(share(10, 5, 0), 0, "half is what the headroom makes up for");
    assert_eq!(share(10, 6, 0), 2_000_000 / 11);
    assert_eq!(share(10, 10, 0), 900_000, "10 of 11, but never more than the cap");
    assert_eq!(share(100, 90, 0), 80 * 1_000_000 / 101);
    assert_eq!(share(100, 90, 100), 180_000_000 / 201, "what was shed were requests too");
    assert_eq!(share(0, 0, 100), 900_000);
    assert_eq!(share(u32::MAX, 0, u32::MAX), 0);
}

#[test]
fn chance_is_in_a_share_as_often_as_it_says() {
    for share in [0, 1, 10, 50, 99, 100] {
        let n_in = (0..1_000_u64)
            .filter(|n| is_in(percent(share), u64::MAX / 1_000 * n + u64::MAX / 2_000))
            .count();
        assert_eq!(n_in, usize::try_from(share * 10).unwrap(), "{share}%");
    }
    assert!(is_in(Ratio::ONE, u64::MAX) && !is_in(Ratio::ZERO, 0));
}

#[test]
fn a_part_that_fails_sheds_a_part_and_relief_ends_it() {
    let mut bench = Bench::new(shed_settings());
    for _ in 0..4 {
        bench.succeed();
    }
    for _ in 0..5 {
        assert_eq!(bench.fail(), None, "nine requests are too few");
    }
    let share = Ratio::from_ppm(2_000_000 / 11);
    let cause = Cause::Overloaded { share };
    assert_eq!(bench.fail(), changed(State::Closed, State::Shedding, cause));
    let before = bench.ticket();
    let refused = Decision::Reject { reason: Refusal::Shed, retry_in: Nanos::ZERO };
    assert_eq!(ask(&mut bench, 0), refused);
    assert_eq!(bench.breaker.tally(&bench.settings, bench.now).n_shed, 1, "it counts as a request");
    assert!(matches!(ask(&mut bench, u64::MAX), Decision::Admit(_)));
    for _ in 0..20 {
        assert!(!bench.step(success(before)).is_late, "closed and shedding are one");
    }
    assert_eq!(bench.breaker.state, State::Shedding, "not within a bucket of the window");
    let effects = bench.wait(6).step(Event::Look);
    assert_eq!(effects.transition, changed(State::Shedding, State::Closed, Cause::Relieved));
}

#[test]
fn with_both_it_sheds_first_and_opens_when_that_is_not_enough() {
    let ratio = Some(Trip { threshold: percent(90), min_requests: 10 });
    let mut bench = Bench::new(Settings { ratio, ..shed_settings() });
    for _ in 0..4 {
        bench.succeed();
    }
    let states: Vec<State> = (0..40)
        .map(|_| {
            bench.fail();
            bench.breaker.state
        })
        .collect();
    let first = |state| states.iter().position(|found| *found == state);
    assert_eq!((first(State::Shedding), first(State::Open)), (Some(5), Some(35)));
}

#[test]
fn nobody_is_shed_for_ever() {
    let mut bench = Bench::new(shed_settings());
    for _ in 0..100 {
        bench.fail();
    }
    assert_eq!(n_pass(&mut bench), 10, "the cap leaves one of ten");
    assert_eq!(n_pass(bench.wait(60)), 100, "the window has forgotten");
    assert_eq!(bench.breaker.state, State::Closed);
}

fn hold(bench: &mut Bench, control: Control, until: Option<Nanos>) -> Effects {
    bench.step(Event::Hold(Some(Held { control, until })))
}

#[test]
fn a_breaker_held_open_rejects_until_it_is_let_go_and_is_then_closed_and_empty() {
    let mut bench = Bench::new(settings());
    let early = bench.ticket();
    bench.fail();
    let effects = hold(&mut bench, Control::ForceOpen, None);
    let cause = Cause::Held(Control::ForceOpen);
    assert_eq!(effects.transition, changed(State::Closed, State::Open, cause));
    assert!(bench.breaker.is_out());
    let refused = Decision::Reject { reason: Refusal::Forced, retry_in: secs(60) };
    assert_eq!(bench.wait(100_000).ask(true), refused);
    assert!(bench.step(failure(early)).is_late);
    let effects = bench.step(Event::Hold(None));
    let cause = Cause::Released(Control::ForceOpen);
    assert_eq!(effects.transition, changed(State::Open, State::Closed, cause));
    assert!(!bench.breaker.is_out());
    assert_eq!(bench.breaker.n_consecutive, 0);
}

#[test]
fn a_hold_with_an_end_ends_by_itself_and_a_jump_of_the_clock_ends_it_too() {
    let mut bench = Bench::new(settings());
    let until = Some(bench.now.saturating_add(secs(10)));
    hold(&mut bench, Control::ForceOpen, until);
    let refused = Decision::Reject { reason: Refusal::Forced, retry_in: secs(6) };
    assert_eq!(bench.wait(4).ask(true), refused);
    let effects = bench.wait(6).step(Event::Look);
    let cause = Cause::Released(Control::ForceOpen);
    assert_eq!(effects.transition, changed(State::Open, State::Closed, cause));
    hold(&mut bench, Control::ForceOpen, Some(secs(2_000).saturating_add(MAX_HOLD)));
    bench.now = secs(1);
    assert!(matches!(bench.ask(true), Decision::Admit(_)));
}

#[test]
fn a_breaker_held_closed_counts_and_a_disabled_one_does_not() {
    for (control, n_ended) in [(Control::ForceClosed, 50), (Control::Disable, 0)] {
        let mut bench = Bench::opened();
        let effects = hold(&mut bench, control, None);
        let cause = Cause::Held(control);
        assert_eq!(effects.transition, changed(State::Open, State::Closed, cause));
        for _ in 0..50 {
            assert!(matches!(bench.ask(false), Decision::Admit(_)));
            assert_eq!(bench.fail(), None);
        }
        assert_eq!(bench.breaker.tally(&bench.settings, bench.now).n_ended, n_ended);
        assert_eq!(bench.step(Event::Hold(None)).transition, None);
        assert_eq!(bench.breaker.tally(&bench.settings, bench.now), Tally::default());
        assert_eq!(bench.fail(), None, "what it saw in the hand does not open it");
    }
}

#[test]
fn with_metrics_only_it_goes_on_as_it_would_and_only_advises() {
    let mut bench = Bench::new(settings());
    assert_eq!(hold(&mut bench, Control::MetricsOnly, None).transition, None);
    for _ in 0..5 {
        bench.fail();
    }
    assert_eq!(bench.breaker.shown(), State::Open);
    let effects = bench.step(Event::Ask { asker: Asker::Safe, luck: 0 });
    assert!(effects.is_advice && matches!(effects.decision, Some(Decision::Reject { .. })));
    bench.step(Event::Hold(None));
    assert_eq!(bench.breaker.shown(), State::Open, "now it means it");
    assert!(!bench.step(Event::Ask { asker: Asker::Safe, luck: 0 }).is_advice);
}

#[test]
fn a_reset_forgets_all_but_the_hand_and_the_probes_out() {
    let mut bench = Bench::opened();
    bench.wait(60).probe();
    let effects = bench.step(Event::Reset);
    assert_eq!(effects.transition, changed(State::HalfOpen, State::Closed, Cause::Reset));
    assert_eq!((bench.breaker.n_opens, bench.breaker.permits.n_out(secs(30), bench.now)), (0, 1));
    hold(&mut bench, Control::ForceOpen, None);
    assert_eq!(bench.step(Event::Reset).transition, None);
    assert_eq!(bench.breaker.shown(), State::Open, "the hand holds on");
}
