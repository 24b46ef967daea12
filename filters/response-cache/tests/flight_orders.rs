//! Flights in every order: all orders of a few streams, many of more, and changes inside one compare-and-swap.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

mod sky;

use kit::Nanos;
use kit::exchange::Waker;
use proptest::prelude::*;

use weir_response_cache::store::flights::Limits;
use weir_response_cache::store::flights::board::{Ask, Board, MAX_SIZE, MAX_WAITING};

use sky::{LIMITS, Outcome, Sky, TICK, Trouble};

/// Runs every order, by counting the choices up like the digits of a number; how many there are.
fn every_order(sky: impl Fn() -> Sky, check: impl Fn(&Outcome)) -> usize {
    let mut digits: Vec<(usize, usize)> = Vec::new();
    let mut n_orders = 0;
    loop {
        let mut at = 0;
        let outcome = sky().run(|n| {
            if at == digits.len() {
                digits.push((0, n));
            }
            at += 1;
            Some(digits[at - 1].0)
        });
        check(&outcome);
        n_orders += 1;
        while digits.last().is_some_and(|(digit, n)| digit + 1 == *n) {
            digits.pop();
        }
        match digits.last_mut() {
            Some((digit, _)) => *digit += 1,
            None => return n_orders,
        }
    }
}

#[test]
fn in_every_order_of_three_streams_one_request_goes_to_the_origin() {
    let check = |outcome: &Outcome| {
        let expected = Outcome { n_led: 1, ..Outcome::default() };
        assert_eq!(outcome, &expected);
    };
    let n_orders = every_order(|| Sky::new(2, 3, Trouble::default()), check);
    assert!(n_orders > 500, "{n_orders}");
}

#[test]
fn in_every_order_of_two_streams_with_leaders_that_end_badly_everybody_goes_on() {
    for bad_endings in 1..=2 {
        let check = |outcome: &Outcome| {
            assert!(outcome.n_led <= 1 + outcome.n_bad, "{outcome:?}");
            assert!(outcome.longest <= LIMITS.timeout + TICK, "{outcome:?}");
            assert!(outcome.n_ticks == 0 || outcome.n_bad > 0, "{outcome:?}");
        };
        let trouble = Trouble { bad_endings, wild: false };
        let n_orders = every_order(|| Sky::new(2, 2, trouble), check);
        assert!(n_orders > 100, "{n_orders}");
    }
}

proptest! {
    /// Lost messages, streams that leave, leaders that die, conflicts, and time that passes anywhere:
    /// two never lead at once, nobody waits for ever, nothing is left behind.
    #[test]
    fn in_any_order_of_many_streams_everybody_goes_on(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
        n_workers in 1..4_usize,
        n_streams in 1..9_usize,
        bad_endings in 0..6_usize,
    ) {
        let mut choices = choices.into_iter();
        let sky = Sky::new(n_workers, n_streams, Trouble { bad_endings, wild: true });
        let outcome = sky.run(|n| choices.next().map(|choice| choice.index(n)));
        prop_assert!(outcome.n_led <= n_streams);
    }

    /// A bucket never grows beyond its bound, comes back as it was written, and any other bytes are an empty one.
    #[test]
    fn a_bucket_is_bounded_whatever_is_asked_of_it(
        asks in prop::collection::vec((any::<u8>(), any::<u32>(), 0..2_u64), 1..4_000),
        bytes: Vec<u8>,
    ) {
        let limits = Limits { max_waiting: u32::MAX, ..LIMITS };
        let mut board = Board::default();
        let mut now = Nanos::from_secs(100);
        for (key, stream, millis) in asks {
            now += Nanos::from_millis(millis);
            let me = Some(Waker { queue: 1, stream });
            // A few keys that many wait for, and many that few do.
            let key = if key < 200 { [key % 4; 16] } else { [key; 16] };
            let ask = Ask { key, me, seen: 0, waited: 0, token: 1, until: now + limits.timeout };
            board.ask(&ask, limits, now);
        }
        prop_assert!(board.n_waiting() <= MAX_WAITING);
        let written = board.write();
        prop_assert!(written.len() <= MAX_SIZE, "{}", written.len());
        prop_assert_eq!(Board::read(&written), board);
        prop_assert!(Board::read(&bytes).n_waiting() <= bytes.len());
    }

    /// With time that stands still unless nothing else can happen, the bound on waiting is exact.
    #[test]
    fn in_any_order_without_loss_nobody_waits_beyond_the_timeout_and_a_tick(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
        n_workers in 1..4_usize,
        n_streams in 1..12_usize,
        bad_endings in 0..8_usize,
    ) {
        let mut choices = choices.into_iter();
        let sky = Sky::new(n_workers, n_streams, Trouble { bad_endings, wild: false });
        let outcome = sky.run(|n| choices.next().map(|choice| choice.index(n)));
        prop_assert!(outcome.longest <= LIMITS.timeout + TICK, "{outcome:?}");
        prop_assert!(outcome.longest == Nanos::ZERO || outcome.n_bad > 0, "{outcome:?}");
        prop_assert!(outcome.n_led <= 1 + outcome.n_bad, "{outcome:?}");
    }
}
