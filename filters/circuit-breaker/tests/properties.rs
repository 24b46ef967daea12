//! Laws of the machine over any sequence of events at any instants.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use kit::Nanos;
use kit::table::Layout;
use kit::units::Ratio;
use proptest::prelude::*;
use weir_circuit_breaker::breaker::backoff::OpenTime;
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Probing, Ramp, Settings, Slow, Trip};
use weir_circuit_breaker::breaker::shedding::Shedding;
use weir_circuit_breaker::breaker::window::{Call, MAX_COUNT, Span, Window};
use weir_circuit_breaker::breaker::{
    Asker, Begun, Breaker, Control, Decision, Event, Held, State, Ticket,
};
use weir_circuit_breaker::entry::Packed;

/// One thing that happens: after some time (negative: the clock jumps back), to one of the requests on their way.
#[derive(Debug, Clone)]
enum Act {
    Ask { is_safe: bool, luck: u64 },
    End { which: usize, how: u8 },
    Look,
    Hold(Option<(Control, Option<u64>)>),
    Reset,
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let control = prop::sample::select(Control::ALL.to_vec());
    let hold = prop::option::of((control, prop::option::of(0..100_u64)));
    let act = prop_oneof![
        30 => any::<(bool, u64)>().prop_map(|(is_safe, luck)| Act::Ask { is_safe, luck }),
        30 => (any::<usize>(), 0..9_u8).prop_map(|(which, how)| Act::End { which, how }),
        5 => Just(Act::Look),
        2 => hold.prop_map(Act::Hold),
        1 => Just(Act::Reset),
    ];
    let wait = prop_oneof![20 => 0..3_000_i64, 3 => 0..100_000_i64, 1 => -200_000..0_i64];
    prop::collection::vec((wait, act), 1..300)
}

fn settings() -> impl Strategy<Value = Settings> {
    let open =
        (100..20_000_u64, 1..10_u64, 0..100_u32).prop_map(|(base, factor, jitter)| OpenTime {
            base: Nanos::from_millis(base),
            growth: 100 + jitter * 3,
            max: Nanos::from_millis(base * factor),
            jitter: Ratio::from_percent(jitter),
        });
    let methods = [ProbeMethods::SafeFirst, ProbeMethods::SafeOnly, ProbeMethods::Any];
    let probes =
        (1..=16_u8, (1..4_u16, 1..3_u16), 100..30_000_u64, prop::sample::select(methods.to_vec()));
    let probes = probes.prop_map(|(at_once, (n_successes, n_failures), lease, methods)| Probing {
        at_once,
        n_successes,
        n_failures,
        lease: Nanos::from_millis(lease),
        methods,
    });
    let trip = (1..=100_u32, 1..20_u32).prop_map(|(percent, min_requests)| Trip {
        threshold: Ratio::from_percent(percent),
        min_requests,
    });
    let slow = trip.clone().prop_map(|trip| Slow { duration: Nanos::SECOND, trip });
    let window = prop_oneof![
        (1_000..60_000_u64).prop_map(|millis| Span::Time(Nanos::from_millis(millis))),
        (1..=MAX_COUNT).prop_map(Span::Count),
    ];
    let shedding = (1_010..=2_000_u32, 1..20_u32, 1..100_u32).prop_map(|(headroom, min, max)| {
        Shedding { headroom, min_requests: min, max_share: Ratio::from_percent(max) }
    });
    let ramp = (100..20_000_u64, 1..5_u32, 1..4_u32).prop_map(|(millis, n, n_failures)| Ramp {
        time: Nanos::from_millis(millis),
        shares: (1..=n).map(|step| Ratio::from_percent(step * 100 / (n + 1))).collect(),
        n_failures,
    });
    let option = prop::option::of::<BoxedStrategy<Trip>>;
    let trips = (prop::option::of(1..8_u32), option(trip.boxed()), prop::option::of(slow));
    (trips, window, prop::option::of(shedding), open, probes, prop::option::of(ramp)).prop_map(
        |((consecutive, ratio, slow), window, shedding, open, probes, ramp)| Settings {
            consecutive,
            ratio,
            slow,
            window,
            shedding,
            open,
            probes,
            ramp,
        },
    )
}

fn event((ticket, begun): (Ticket, Option<Begun>), how: u8, luck: u64) -> Event {
    let (is_slow, come_back) = (how % 2 == 1, Nanos::from_secs(luck % 100));
    match (how, begun) {
        (0..=4, Some(begun)) => Event::Broken { ticket, begun, luck },
        (_, Some(_)) => Event::Whole(ticket),
        (0 | 1, None) => Event::Success { ticket, is_slow },
        (2 | 3, None) => Event::Failure { ticket, is_slow, luck, come_back },
        (4..=7, None) => Event::Begun { ticket, is_slow },
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
    let mut passing: Vec<(Ticket, Option<Begun>)> = Vec::new();
    for (wait, act) in acts {
        now = Nanos(now.0.saturating_add_signed(wait * 1_000_000));
        let mut ended = None;
        let event = match act {
            Act::Ask { is_safe, luck } => ask(*is_safe, *luck),
            Act::Look => Event::Look,
            Act::Reset => Event::Reset,
            Act::Hold(held) => Event::Hold(held.map(|(control, secs)| {
                let until = secs.map(|secs| now.saturating_add(Nanos::from_secs(secs)));
                Held { control, until }
            })),
            Act::End { .. } if passing.is_empty() => continue,
            Act::End { which, how } => {
                let passed = passing.swap_remove(which % passing.len());
                ended = Some(passed.0);
                event(passed, *how, (*which as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            }
        };
        let (next, effects) = breaker.step(settings, event, now);
        look(&breaker, &next, effects.decision, now, *wait);
        let told = effects.transition.map(|told| (told.from, told.to));
        let (from, to) = (breaker.shown(), next.shown());
        assert_eq!(told, (from != to).then_some((from, to)));
        if let Some(Decision::Admit(ticket) | Decision::Probe(ticket)) = effects.decision {
            passing.push((ticket, None));
        }
        if let (Some(ticket), Some(begun)) = (ended, effects.begun) {
            passing.push((ticket, Some(begun)));
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
            let is_let_go = before.held.is_some();
            if before.shown() == State::Open && now < before.retry_at() && !jumped && !is_let_go {
                assert!(!matches!(decision, Some(Decision::Admit(_) | Decision::Probe(_))));
            }
        });
    }

    #[test]
    fn only_as_many_probes_as_allowed_are_out(settings in settings(), acts in acts()) {
        play(&settings, &acts, |_, next, _, now, _| {
            let tally = next.tally(&settings, now);
            assert!(tally.n_failed <= tally.n_ended && tally.n_slow <= tally.n_ended, "{tally:?}");
            let n_out = next.permits.n_out(settings.probes.lease, now);
            assert!(n_out <= usize::from(settings.probes.at_once));
        });
    }

    #[test]
    fn every_state_has_an_exit(settings in settings(), acts in acts()) {
        let (breaker, now) = play(&settings, &acts, |_, _, _, _, _| {});
        let wait = settings.open.lucky(255, u64::MAX) + settings.probes.lease + Nanos::from_secs(600);
        let now = now.saturating_add(wait);
        let (mut breaker, _) = breaker.step(&settings, Event::Hold(None), now);
        for _ in 0..=settings.probes.n_successes {
            let (next, effects) = breaker.step(&settings, ask(true, 0), now);
            let Some(Decision::Admit(ticket) | Decision::Probe(ticket)) = effects.decision else {
                // What is shed is shed by chance, and this luck is the worst.
                prop_assert_eq!(breaker.state, State::Shedding);
                break;
            };
            breaker = next.step(&settings, Event::Success { ticket, is_slow: false }, now).0;
        }
        let ramp = settings.ramp.as_ref().map_or(Nanos::ZERO, |ramp| ramp.time);
        let later = now.saturating_add(ramp).saturating_add(Nanos::from_secs(120));
        let (breaker, _) = breaker.step(&settings, Event::Look, later);
        prop_assert_eq!(breaker.shown(), State::Closed);
    }

    /// What the gauge of breakers that are out says is what a request that does not read may rely on.
    #[test]
    fn one_that_is_not_out_admits_everything(settings in settings(), acts in acts()) {
        play(&settings, &acts, |before, _, decision, _, _| {
            if !before.is_out() && let Some(decision) = decision {
                assert!(matches!(decision, Decision::Admit(_)), "{before:?}");
            }
        });
    }

    #[test]
    fn any_state_survives_its_bytes_and_any_bytes_are_survived(
        settings in settings(), acts in acts(), bytes: [u8; 32], how in 0..10_u8, luck: u64, now: u64,
    ) {
        let (breaker, _) = play(&settings, &acts, |_, _, _, _, _| {});
        let mut written = vec![0; Packed.size()];
        Packed.write(&breaker, &mut written);
        prop_assert_eq!(Packed.read(&written), Some(breaker));
        for (place, byte) in written.iter_mut().zip(bytes.iter().cycle()) {
            *place ^= byte;
        }
        // The state, the hand and the kind of window are what has no meaning for some bytes.
        for (place, n) in [(0, 5), (46, 5), (252, 2)] {
            written[place] %= n;
        }
        let Some(strange) = Packed.read(&written) else { return Err(TestCaseError::fail("no read")) };
        let ticket = Ticket { admitted_at: Nanos(luck), permit: Some(1) };
        let begun = Begun { at: Nanos(now / 2), serial: how.into(), is_slow: luck > now, ends_row: true };
        let begun = (luck % 2 == 0).then_some(begun);
        let event = if how == 9 { ask(luck > now, luck) } else { event((ticket, begun), how, luck) };
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
