//! Every algorithm keeps what its module promises.

use kit::Nanos;
use proptest::prelude::*;
use weir_rate_limit::limit::{Algorithm, MAX_WORDS};

use crate::models::{Play, Said, interval};
use crate::traffic::{
    Act, Step, act, algorithm, cost, longest, predictable, sliced, span, start, steps,
};

fn played(algorithm: Algorithm, start: u64, steps: &[Step]) -> Play {
    let mut play = Play::new(algorithm, start);
    for step in steps {
        play.step(step);
    }
    play
}

/// Whether a request would be admitted, with nothing charged.
fn admits(algorithm: &Algorithm, words: &[u64; MAX_WORDS], cost: u64, now: u64) -> bool {
    algorithm.take(&mut words.clone(), cost, Nanos(now)).is_none()
}

proptest! {
    /// Costs, refunds and forced charges in any order: the same decisions as the slow model, and the same room.
    #[test]
    fn decides_as_the_model_does(algorithm in algorithm(), start in start(), steps in steps()) {
        let mut play = Play::new(algorithm, start);
        for step in &steps {
            if let Said::Asked { fits, wait, .. } = play.step(step) {
                prop_assert_eq!(wait.is_none(), fits);
            }
            let expected = play.model.remaining(play.now);
            prop_assert_eq!(algorithm.remaining(&play.words, Nanos(play.now)), expected);
            prop_assert!(play.words[algorithm.n_words()..].iter().all(|word| *word == 0));
        }
    }

    /// On a clock that never goes back, what was admitted and not refunded stays below the law's bound in every span;
    /// and a token bucket owes at least what it would had the refunded requests never come.
    #[test]
    fn no_span_holds_more_than_promised(algorithm in algorithm(), start in start(), steps in steps()) {
        let mut play = Play::new(algorithm, start);
        for step in &steps {
            play.step(step);
            let quota = algorithm.quota();
            for from in play.model.charges.iter().map(|charge| charge.at) {
                let net = play.model.net(from, play.now, false);
                let width = play.now - from;
                match algorithm {
                    Algorithm::Gcra(gcra) => prop_assert!(net <= gcra.burst + width / interval(&algorithm)),
                    Algorithm::FixedWindow(_) => prop_assert!(net <= quota * (width / span(&algorithm) + 2)),
                    Algorithm::SlidingWindow(_) | Algorithm::Concurrency(_) => {
                        prop_assert!(net <= quota || width > span(&algorithm));
                    }
                }
            }
            if matches!(algorithm, Algorithm::Gcra(_)) {
                let owed = algorithm.loss(&play.words, Nanos(play.now));
                prop_assert!(u128::from(owed) >= play.model.ideal_debt(play.now));
            }
        }
    }

    /// A sliding window is strict and yet not greedy: it admits only if the last window leaves room,
    /// and always if the last window and a slice do.
    #[test]
    fn a_sliding_window_is_a_slice_late_at_most(algorithm in sliced(), start in start(), steps in steps()) {
        let span = span(&algorithm);
        let mut play = Play::new(algorithm, start);
        for step in &steps {
            let Said::Asked { cost, wait, .. } = play.step(step) else { continue };
            let (now, quota) = (play.now, algorithm.quota());
            if wait.is_none() {
                prop_assert!(play.model.net(now.saturating_sub(span), now, true) <= quota);
            } else {
                let from = now.saturating_sub(11 * span.div_ceil(10) - 1);
                prop_assert!(play.model.net(from, now, true) + cost > quota);
            }
        }
    }

    /// Who waits as told is admitted, and not a nanosecond earlier. (Nobody knows when a request in flight ends.)
    #[test]
    fn a_key_that_waits_as_told_is_admitted(algorithm in predictable(), start in start(), steps in steps()) {
        let mut play = Play::new(algorithm, start);
        for step in &steps {
            if let (Said::Asked { cost, wait: Some(wait), .. }, now) = (play.step(step), play.now) {
                prop_assert!(!wait.is_zero());
                prop_assert!(admits(&algorithm, &play.words, cost, now + wait.0));
                prop_assert!(!admits(&algorithm, &play.words, cost, now + wait.0 - 1));
            }
        }
    }

    /// So many units as remain are admitted at once, then none; more come after `next`, all after `reset`, neither sooner.
    #[test]
    fn tells_what_is_left_and_when_it_comes_back(algorithm in algorithm(), start in start(), steps in steps()) {
        let Play { words, now, .. } = played(algorithm, start, &steps);
        let left = |at: u64| algorithm.remaining(&words, Nanos(at));
        let remaining = left(now);
        let mut spent = words;
        if algorithm.is_concurrency() {
            for _ in 0..remaining.min(20) {
                prop_assert_eq!(algorithm.take(&mut spent, 1, Nanos(now)), None);
            }
        } else if remaining > 0 {
            prop_assert_eq!(algorithm.take(&mut spent, remaining, Nanos(now)), None);
        }
        if !algorithm.is_concurrency() || remaining <= 20 {
            prop_assert!(!admits(&algorithm, &spent, 1, now));
        }
        let (next, reset) = (algorithm.next(&words, Nanos(now)).0, algorithm.reset(&words, Nanos(now)).0);
        prop_assert_eq!(left(now + reset), algorithm.capacity());
        if remaining == algorithm.capacity() {
            prop_assert_eq!((next, reset), (0, 0));
        } else {
            prop_assert!(left(now + reset - 1) < algorithm.capacity());
            prop_assert!(left(now + next) > remaining);
            prop_assert_eq!(left(now + next - 1), remaining);
        }
    }

    /// Nothing is lost with a key that is as good as new, for ever after; of the others the loss only falls with time,
    /// grows with what is spent, and is never greater for one with room than for one without.
    #[test]
    fn loss_says_whom_to_forget(
        algorithm in algorithm(),
        start in start(),
        a in steps(),
        b in steps(),
        then in steps(),
        cost in cost(),
    ) {
        let mut one = played(algorithm, start, &a);
        let mut other = played(algorithm, start, &b);
        let now = Nanos(one.now.max(other.now));
        let (ours, theirs) = (algorithm.loss(&one.words, now), algorithm.loss(&other.words, now));
        let (room, other_room) = (algorithm.remaining(&one.words, now), algorithm.remaining(&other.words, now));
        prop_assert!(room > 0 || other_room == 0 || ours >= theirs);
        prop_assert_eq!(ours == 0, room == algorithm.capacity());
        let soon = Nanos(now.0 + span(&algorithm) / 7);
        prop_assert!(algorithm.loss(&one.words, soon) <= ours);
        let mut more = one.words;
        algorithm.charge(&mut more, cost, now);
        prop_assert!(algorithm.loss(&more, now) >= ours);
        if ours == 0 {
            other = Play::new(algorithm, now.0);
            one.now = now.0;
            one.model = Play::new(algorithm, now.0).model;
            for step in &then {
                let said = format!("{:?}", one.step(step));
                prop_assert_eq!(said, format!("{:?}", other.step(step)));
            }
        }
    }

    /// However the clock jumps, a key waits for one burst, window or span (and two slices) from now, never for the jump;
    /// and a clock that jumps forward only gives sooner.
    #[test]
    fn a_jump_of_the_clock_is_never_waited_for(
        algorithm in algorithm(),
        happens in prop::collection::vec((start(), act()), 1..40),
    ) {
        let mut words = [0; MAX_WORDS];
        let mut admitted = vec![(Nanos::ZERO, 0)];
        for (at, act) in happens {
            let now = Nanos(at);
            algorithm.heal(&mut words, now);
            match act {
                Act::Ask(cost) => match algorithm.take(&mut words, cost, now) {
                    None => admitted.push((now, cost)),
                    Some(wait) if algorithm.is_concurrency() => prop_assert_eq!(wait, Nanos::SECOND),
                    Some(wait) => prop_assert!(wait.0 <= longest(&algorithm)),
                },
                Act::Force(cost) => algorithm.charge(&mut words, cost, now),
                Act::Refund(which, units) => {
                    let (charged_at, cost) = *which.get(&admitted);
                    algorithm.refund(&mut words, cost.min(units), charged_at, now);
                }
            }
            prop_assert!(algorithm.reset(&words, now).0 <= longest(&algorithm));
            let end = Nanos(at + longest(&algorithm));
            prop_assert_eq!(algorithm.remaining(&words, end), algorithm.capacity());
            let between = Nanos(at + longest(&algorithm) / 3);
            prop_assert!(algorithm.remaining(&words, between) >= algorithm.remaining(&words, now));
        }
    }

    /// Workers whose clocks are less than a slice apart: what they admit together is bounded all the same
    /// (a span counts as shorter by as much as the clocks differ), and what they give back is all back.
    #[test]
    fn workers_a_moment_apart_share_a_sliding_window(
        algorithm in sliced(),
        start in start(),
        asks in prop::collection::vec((0..12_u64, 0..10_u64), 1..80),
    ) {
        let (span, slice) = (span(&algorithm), span(&algorithm).div_ceil(10));
        let mut words = [0; MAX_WORDS];
        let mut admitted: Vec<(u64, Nanos)> = Vec::new();
        let mut time = start + slice;
        for (after, behind) in asks {
            time += slice / 8 * after;
            let now = Nanos(time - (slice - 1) * behind / 10);
            algorithm.heal(&mut words, now);
            if algorithm.take(&mut words, 1, now).is_none() {
                admitted.push((time, now));
            }
            let in_span = admitted.iter().filter(|(at, _)| time - at <= span.saturating_sub(slice));
            prop_assert!(in_span.count() as u64 <= algorithm.quota());
        }
        // What was charged eleven slices ago is no longer looked for: it leaves with the next slice.
        let mut n_late = 0;
        for (_, charged_at) in admitted {
            algorithm.refund(&mut words, 1, charged_at, Nanos(time));
            n_late += u64::from(time / slice - charged_at.0 / slice > 10);
        }
        prop_assert!(algorithm.remaining(&words, Nanos(time)) + n_late >= algorithm.capacity());
    }

    /// A clock that swings to and fro within a span ages nothing: all that was admitted stays charged.
    #[test]
    fn a_clock_that_swings_ages_nothing(
        algorithm in sliced(),
        start in start(),
        swings in prop::collection::vec(0..=9_u64, 1..60),
    ) {
        let slice = span(&algorithm).div_ceil(10);
        let (mut words, mut n_admitted) = ([0; MAX_WORDS], 0);
        for swing in swings {
            let now = Nanos(start + slice * swing);
            algorithm.heal(&mut words, now);
            n_admitted += u64::from(algorithm.take(&mut words, 1, now).is_none());
            prop_assert_eq!(algorithm.remaining(&words, now), algorithm.capacity() - n_admitted);
        }
    }
}
