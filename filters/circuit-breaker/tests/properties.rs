//! Laws of the machine over any sequence of events at any instants.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::Nanos;
use kit::table::Layout;
use kit::units::Ratio;
use proptest::prelude::*;
use weir_circuit_breaker::breaker::backoff::OpenTime;
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Probing, Settings, Trip};
use weir_circuit_breaker::breaker::window::{Call, Span, Window};
use weir_circuit_breaker::breaker::{Asker, Breaker, Decision, Event, State, Ticket};
use weir_circuit_breaker::entry::Packed;

/// One thing that happens: after some time (negative: the clock jumps back), to one of the requests on their way.
#[derive(Debug, Clone)]
enum Act {
    Ask(bool),
    End { which: usize, how: u8 },
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let act = prop_oneof![
        any::<bool>().prop_map(Act::Ask),
        (any::<usize>(), 0..3_u8).prop_map(|(which, how)| Act::End { which, how }),
    ];
    let wait = prop_oneof![20 => 0..3_000_i64, 3 => 0..100_000_i64, 1 => -200_000..0_i64];
    prop::collection::vec((wait, act), 1..300)
}

fn settings() -> impl Strategy<Value = Settings> {
    let open =
        (100..20_000_u64, 1..10_u64, 0..100_u32).prop_map(|(base, factor, jitter)| OpenTime {
            base: Nanos::from_millis(base),
            max: Nanos::from_millis(base * factor),
            jitter: Ratio::from_percent(jitter),
        });
    let methods = [ProbeMethods::SafeFirst, ProbeMethods::SafeOnly, ProbeMethods::Any];
    let probes = (1..=8_u8, 1..4_u16, 100..30_000_u64, prop::sample::select(methods.to_vec()));
    let probes = probes.prop_map(|(at_once, n_successes, lease, methods)| Probing {
        at_once,
        n_successes,
        n_failures: 1,
        lease: Nanos::from_millis(lease),
        methods,
    });
    let ratio = (1..=100_u32, 1..20_u32).prop_map(|(percent, min_requests)| Trip {
        threshold: Ratio::from_percent(percent),
        min_requests,
    });
    (prop::option::of(1..8_u32), prop::option::of(ratio), 1_000..60_000_u64, open, probes).prop_map(
        |(consecutive, ratio, window, open, probes)| Settings {
            consecutive,
            ratio,
            slow: None,
            window: Span::Time(Nanos::from_millis(window)),
            shedding: None,
            open,
            probes,
            ramp: None,
        },
    )
}

fn event(ticket: Ticket, how: u8, luck: u64) -> Event {
    match how {
        0 => Event::Success { ticket, is_slow: false },
        1 => Event::Failure { ticket, is_slow: false, luck, come_back: Nanos::ZERO },
        _ => Event::Nothing(ticket),
    }
}

fn ask(is_safe: bool, luck: u64) -> Event {
    Event::Ask { asker: if is_safe { Asker::Safe } else { Asker::Unsafe }, luck }
}

/// Plays the acts; `look` sees each step.
fn play(
    settings: &Settings,
    acts: &[(i64, Act)],
    mut look: impl FnMut(&Breaker, &Breaker, Option<Decision>, Nanos, i64),
) -> (Breaker, Nanos) {
    let (mut breaker, mut now) = (Breaker::default(), Nanos::from_secs(1_000));
    let mut passing: Vec<Ticket> = Vec::new();
    for (wait, act) in acts {
        now = Nanos(now.0.saturating_add_signed(wait * 1_000_000));
        let event = match act {
            Act::Ask(is_safe) => ask(*is_safe, 0),
            Act::End { .. } if passing.is_empty() => continue,
            Act::End { which, how } => {
                let ticket = passing.swap_remove(which % passing.len());
                event(ticket, *how, (*which as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            }
        };
        let (next, effects) = breaker.step(settings, event, now);
        look(&breaker, &next, effects.decision, now, *wait);
        let told = effects.transition.map(|told| (told.from, told.to));
        assert_eq!(told, (breaker.state != next.state).then_some((breaker.state, next.state)));
        if let Some(Decision::Admit(ticket) | Decision::Probe(ticket)) = effects.decision {
            passing.push(ticket);
        }
        breaker = next;
    }
    (breaker, now)
}

proptest! {
    #[test]
    fn open_never_admits_before_its_time(settings in settings(), acts in acts()) {
        let mut jumped = false;
        play(&settings, &acts, |before, _, decision, now, wait| {
            jumped |= wait < 0;
            if before.state == State::Open && now < before.retry_at() && !jumped {
                assert!(!matches!(decision, Some(Decision::Admit(_) | Decision::Probe(_))));
            }
        });
    }

    #[test]
    fn only_as_many_probes_as_allowed_are_out(settings in settings(), acts in acts()) {
        play(&settings, &acts, |_, next, _, now, _| {
            let n_out = next.permits.n_out(settings.probes.lease, now);
            assert!(n_out <= usize::from(settings.probes.at_once));
        });
    }

    #[test]
    fn every_state_has_an_exit(settings in settings(), acts in acts()) {
        let (mut breaker, now) = play(&settings, &acts, |_, _, _, _, _| {});
        let wait = settings.open.lucky(255, u64::MAX) + settings.probes.lease + Nanos::from_secs(600);
        let now = now.saturating_add(wait);
        for _ in 0..=settings.probes.n_successes {
            let (next, effects) = breaker.step(&settings, Event::Ask { asker: Asker::Safe, luck: 0 }, now);
            let Some(Decision::Admit(ticket) | Decision::Probe(ticket)) = effects.decision else {
                return Err(TestCaseError::fail(format!("{effects:?}")));
            };
            breaker = next.step(&settings, Event::Success { ticket, is_slow: false }, now).0;
        }
        prop_assert_eq!(breaker.state, State::Closed);
    }

    #[test]
    fn any_state_survives_its_bytes_and_any_bytes_are_survived(
        settings in settings(), acts in acts(), bytes: [u8; 32], how in 0..4_u8, luck: u64, now: u64,
    ) {
        let (breaker, _) = play(&settings, &acts, |_, _, _, _, _| {});
        let mut written = vec![0; Packed.size()];
        Packed.write(&breaker, &mut written);
        prop_assert_eq!(Packed.read(&written), Some(breaker));
        for (place, byte) in written.iter_mut().zip(bytes.iter().cycle()) {
            *place ^= byte;
        }
        // The state, the hand and the kind of window are what has no meaning for some bytes.
        for (place, n) in [(0, 5), (42, 5), (152, 2)] {
            written[place] %= n;
        }
        let Some(strange) = Packed.read(&written) else { return Err(TestCaseError::fail("no read")) };
        let ticket = Ticket { admitted_at: Nanos(luck), permit: Some(1) };
        let event = if how == 3 { ask(luck > now, luck) } else { event(ticket, how, luck) };
        let _ = strange.step(&settings, event, Nanos(now));
    }

    /// Compared with a list of instants: what is certainly in is counted, what is certainly out is not.
    #[test]
    fn the_window_counts_the_last_while(
        length in 10..100_000_u64, ends in prop::collection::vec((0..20_000_u64, any::<bool>()), 1..200),
    ) {
        let (length, mut now, mut window) = (Nanos(length), Nanos::ZERO, Window::default());
        let mut list = Vec::new();
        for (wait, failed) in ends {
            now += Nanos(wait);
            window.record(Span::Time(length), now, Call { is_failed: failed, is_slow: false });
            list.push((now, failed));
            let ended = |span: u64| {
                list.iter().filter(move |(at, _)| now.0 - at.0 < span).count() as u64
            };
            let failed = list.iter().filter(|(at, failed)| *failed && now.0 - at.0 < length.0);
            let tally = window.tally(Span::Time(length), now);
            // Nine whole buckets are in for certain; the length of a bucket is rounded down.
            prop_assert!(u64::from(tally.n_ended) >= ended(length.0 / 10 * 9));
            prop_assert!(u64::from(tally.n_ended) <= ended(length.0));
            prop_assert!(u64::from(tally.n_failed) <= failed.count() as u64);
        }
    }

    #[test]
    fn chance_never_shortens(settings in settings(), n_opens: u8, luck: u64) {
        let (plain, lucky) = (settings.open.plain(n_opens), settings.open.lucky(n_opens, luck));
        prop_assert!(plain <= lucky && lucky <= plain + Nanos(settings.open.jitter.of(plain.0)));
    }
}
