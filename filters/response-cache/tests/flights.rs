//! One request at a time: who leads, who waits, who passes, and how everybody goes on.
#![cfg(test)]

use kit::Nanos;
use kit::exchange::Waker;
use kit::fake::FakeHost;
use kit::hash::{Secret, Tag};
use weir_response_cache::signals::Refusal;
use weir_response_cache::store::flights::board::{FAILING, LANDED, MAX_FAILURES, MAX_KEYS};
use weir_response_cache::store::flights::{
    Flight, Flights, Joined, Landing, Limits, N_BUCKETS, Status, Waiting, Why,
};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const T0: Nanos = Nanos::from_secs(100);
const LIMITS: Limits =
    Limits { timeout: Nanos::from_secs(5), remember: Nanos::from_secs(10), max_waiting: 3 };

fn open() -> (FakeHost, Flights) {
    let host = FakeHost::default();
    let flights = Flights::open(&host, "t", LIMITS);
    (host, flights)
}

fn key(name: &str) -> Tag {
    Secret::new([3; 16]).tag(name.as_bytes())
}

const fn stream(n: u32) -> Waker {
    Waker { queue: 1, stream: n }
}

fn lead(joined: Joined) -> Flight {
    match joined {
        Joined::Lead(flight) => flight,
        Joined::Wait(_) | Joined::Landed(_) | Joined::Pass(_) => panic!("{joined:?}"),
    }
}

fn wait(joined: Joined) -> Waiting {
    match joined {
        Joined::Wait(waiting) => waiting,
        Joined::Lead(_) | Joined::Landed(_) | Joined::Pass(_) => panic!("{joined:?}"),
    }
}

fn landed(joined: Joined) -> Waiting {
    match joined {
        Joined::Landed(waiting) => waiting,
        Joined::Lead(_) | Joined::Wait(_) | Joined::Pass(_) => panic!("{joined:?}"),
    }
}

fn after(millis: u64) -> Nanos {
    T0 + Nanos::from_millis(millis)
}

#[test]
fn one_leads_the_others_wait_and_are_woken_once() {
    let (host, here) = open();
    let there = Flights::open(&host, "t", LIMITS);
    let flight = lead(here.join(&host, key("a"), stream(1), T0));
    let _near = wait(here.join(&host, key("a"), stream(2), T0));
    let far = Waker { queue: 2, stream: 1 };
    let _far = wait(there.join(&host, key("a"), far, T0));
    let _other = lead(there.join(&host, key("b"), Waker { queue: 2, stream: 2 }, T0));
    assert_eq!(host.take_woken(), []);
    here.land(&host, flight, Landing::Stored, T0);
    assert_eq!(host.take_woken(), [stream(2), far]);
    assert_eq!(here.status_of(&host, key("a"), T0), Status::Landed);
}

#[test]
fn who_looked_before_the_landing_looks_again_and_then_leads_unless_it_has_waited() {
    let (host, flights) = open();
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let waiting = wait(flights.join(&host, key("a"), stream(2), T0));
    flights.land(&host, flight, Landing::Stored, T0);
    let late = landed(flights.join(&host, key("a"), stream(3), T0));
    let woken = landed(flights.rejoin(&host, waiting, key("a"), T0));
    let second = lead(flights.rejoin(&host, late, key("a"), T0));
    let passed = flights.rejoin(&host, woken, key("a"), T0);
    assert_eq!(passed, Joined::Pass(Why::Waited), "one flight was enough");
    flights.land(&host, second, Landing::Stored, T0);
    let _forgotten = lead(flights.join(&host, key("a"), stream(4), T0 + LANDED));
}

#[test]
fn an_uncacheable_answer_is_remembered_until_one_is_stored() {
    let (host, flights) = open();
    let why = Why::Uncacheable(Refusal::Private);
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let waiting = wait(flights.join(&host, key("a"), stream(2), T0));
    flights.land(&host, flight, Landing::Uncacheable(Refusal::Private), T0);
    assert_eq!(host.take_woken(), [stream(2)]);
    assert_eq!(flights.rejoin(&host, waiting, key("a"), T0), Joined::Pass(why));
    assert_eq!(flights.join(&host, key("a"), stream(3), after(9_999)), Joined::Pass(why));
    let status = Status::Uncacheable { refusal: Refusal::Private, until: after(10_000) };
    assert_eq!(flights.status_of(&host, key("a"), after(9_999)), status);
    assert_eq!(flights.status_of(&host, key("a"), after(10_000)), Status::Idle);
    let flight = lead(flights.join(&host, key("a"), stream(3), after(10_000)));
    flights.land(&host, flight, Landing::Uncacheable(Refusal::Private), after(10_000));
    flights.stored(&host, key("a"), after(10_001));
    let _look = landed(flights.join(&host, key("a"), stream(4), after(10_001)));
}

#[test]
fn every_reason_is_remembered_as_it_was_given() {
    let (host, flights) = open();
    for refusal in Refusal::ALL {
        let name = key(refusal.as_str());
        let flight = lead(flights.join(&host, name, stream(1), T0));
        flights.land(&host, flight, Landing::Uncacheable(refusal), T0);
        let passed = flights.join(&host, name, stream(2), T0);
        assert_eq!(passed, Joined::Pass(Why::Uncacheable(refusal)));
    }
}

#[test]
fn a_leader_that_never_lands_is_followed_and_the_alarm_rings_until_answered() {
    let (host, flights) = open();
    let dead = lead(flights.join(&host, key("a"), stream(1), T0));
    let first = wait(flights.join(&host, key("a"), stream(2), after(1_000)));
    let second = wait(flights.join(&host, key("a"), stream(3), after(2_000)));
    assert_eq!(flights.on_tick(&host, after(4_999)), 0);
    assert_eq!(flights.on_tick(&host, after(5_000)), 2);
    assert_eq!(flights.on_tick(&host, after(5_100)), 2, "a message may be lost");
    let follower = lead(flights.rejoin(&host, first, key("a"), after(5_100)));
    let second = wait(flights.rejoin(&host, second, key("a"), after(5_100)));
    assert_eq!(flights.on_tick(&host, after(5_200)), 0);
    assert_eq!(flights.on_tick(&host, after(7_000)), 1, "its own time is over");
    let passed = flights.rejoin(&host, second, key("a"), after(7_000));
    assert_eq!(passed, Joined::Pass(Why::TimedOut));
    assert_eq!(flights.waiting_here(), 0);
    host.take_woken();
    let _third = wait(flights.join(&host, key("a"), stream(4), after(7_000)));
    flights.land(&host, dead, Landing::Failed, after(7_100));
    assert_eq!(host.take_woken(), [], "its failure says nothing of the one that followed");
    flights.land(&host, follower, Landing::Stored, after(7_200));
    assert_eq!(host.take_woken(), [stream(4)], "who timed out stands on no list");
}

#[test]
fn an_overdue_leader_that_stores_after_all_wakes_who_waits_for_its_follower() {
    let (host, flights) = open();
    let late = lead(flights.join(&host, key("a"), stream(1), T0));
    let follower = lead(flights.join(&host, key("a"), stream(2), after(5_000)));
    let waiting = wait(flights.join(&host, key("a"), stream(3), after(5_000)));
    flights.land(&host, late, Landing::Stored, after(5_100));
    assert_eq!(host.take_woken(), [stream(3)]);
    let passed = flights.rejoin(&host, waiting, key("a"), after(5_100));
    assert_eq!(passed, Joined::Pass(Why::Waited), "if the store has nothing for it");
    flights.land(&host, follower, Landing::Stored, after(5_200));
    assert_eq!(host.take_woken(), []);
}

#[test]
fn failures_wake_everybody_and_after_some_nobody_waits() {
    let (host, flights) = open();
    let mut now = T0;
    for n in 1..=MAX_FAILURES {
        let flight = lead(flights.join(&host, key("a"), stream(1), now));
        let _waiting = wait(flights.join(&host, key("a"), stream(2), now));
        flights.land(&host, flight, Landing::Failed, now);
        assert_eq!(host.take_woken(), [stream(2)]);
        let status = Status::Failing { failures: n, until: now + FAILING };
        assert_eq!(flights.status_of(&host, key("a"), now), status);
        now += Nanos::from_millis(100);
    }
    let passed = flights.join(&host, key("a"), stream(3), now);
    assert_eq!(passed, Joined::Pass(Why::Failing));
    let flight = lead(flights.join(&host, key("a"), stream(3), now + FAILING));
    flights.land(&host, flight, Landing::Failed, now + FAILING);
    let _forgiven = lead(flights.join(&host, key("a"), stream(4), now + FAILING));
}

#[test]
fn leaders_that_hang_count_as_failures() {
    let (host, flights) = open();
    let mut now = T0;
    for n in 0..MAX_FAILURES {
        let _hangs = lead(flights.join(&host, key("a"), stream(n), now));
        now += LIMITS.timeout;
    }
    let passed = flights.join(&host, key("a"), stream(9), now);
    assert_eq!(passed, Joined::Pass(Why::Failing));
    let _later = lead(flights.join(&host, key("a"), stream(9), now + FAILING));
}

#[test]
fn a_leader_whose_client_left_is_no_failure() {
    let (host, flights) = open();
    for n in 0..10 {
        let flight = lead(flights.join(&host, key("a"), stream(n), T0));
        let waiting = wait(flights.join(&host, key("a"), stream(99), T0));
        flights.land(&host, flight, Landing::Abandoned, T0);
        assert_eq!(host.take_woken(), [stream(99)]);
        flights.leave(&host, &waiting);
        assert_eq!(flights.status_of(&host, key("a"), T0), Status::Idle);
    }
}

#[test]
fn nobody_waits_for_a_second_flight() {
    for how in [Landing::Failed, Landing::Unshared] {
        let (host, flights) = open();
        let flight = lead(flights.join(&host, key("a"), stream(1), T0));
        let waiting = [2, 3].map(|n| wait(flights.join(&host, key("a"), stream(n), T0)));
        flights.land(&host, flight, how, T0);
        let [first, second] = waiting;
        let passed = flights.rejoin(&host, first, key("a"), T0);
        assert_eq!(passed, Joined::Pass(Why::Waited), "{how:?}");
        // Another one leads by now.
        let _leads = lead(flights.join(&host, key("a"), stream(4), T0));
        let passed = flights.rejoin(&host, second, key("a"), T0);
        assert_eq!(passed, Joined::Pass(Why::Waited), "{how:?}");
    }
}

#[test]
fn a_leader_that_left_is_followed_once() {
    let (host, flights) = open();
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let waiting = [2, 3].map(|n| wait(flights.join(&host, key("a"), stream(n), T0)));
    flights.land(&host, flight, Landing::Abandoned, T0);
    let [first, second] = waiting;
    let follower = lead(flights.rejoin(&host, first, key("a"), T0));
    let second = wait(flights.rejoin(&host, second, key("a"), T0));
    flights.land(&host, follower, Landing::Abandoned, T0);
    let _leads = lead(flights.join(&host, key("a"), stream(4), T0));
    let passed = flights.rejoin(&host, second, key("a"), T0);
    assert_eq!(passed, Joined::Pass(Why::Waited));
}

#[test]
fn a_failure_before_it_is_not_forgotten_by_a_leader_that_left() {
    let (host, flights) = open();
    let failed = lead(flights.join(&host, key("a"), stream(1), T0));
    flights.land(&host, failed, Landing::Failed, T0);
    let left = lead(flights.join(&host, key("a"), stream(2), T0));
    flights.land(&host, left, Landing::Abandoned, T0);
    let status = Status::Failing { failures: 1, until: T0 + FAILING };
    assert_eq!(flights.status_of(&host, key("a"), T0), status);
}

#[test]
fn as_many_wait_as_may_and_a_stream_that_left_makes_room() {
    let (host, flights) = open();
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let first = wait(flights.join(&host, key("a"), stream(2), T0));
    for n in 3..5 {
        let _waiting = wait(flights.join(&host, key("a"), stream(n), T0));
    }
    assert_eq!(flights.join(&host, key("a"), stream(5), T0), Joined::Pass(Why::Full));
    flights.leave(&host, &first);
    let _waiting = wait(flights.join(&host, key("a"), stream(5), T0));
    let status = Status::UnderWay { waiting: 3, failures: 0, until: after(5_000) };
    assert_eq!(flights.status_of(&host, key("a"), T0), status);
    flights.land(&host, flight, Landing::Stored, T0);
    assert_eq!(host.take_woken(), [stream(3), stream(4), stream(5)]);
}

#[test]
fn asking_twice_is_waiting_once() {
    let (host, flights) = open();
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let waiting = wait(flights.join(&host, key("a"), stream(2), T0));
    let waiting = wait(flights.rejoin(&host, waiting, key("a"), after(1)));
    assert_eq!(waiting.until(), after(5_000), "asking again does not prolong");
    flights.land(&host, flight, Landing::Stored, after(2));
    assert_eq!(host.take_woken(), [stream(2)]);
}

#[test]
fn a_waiter_that_learns_what_answers_vary_on_moves_to_another_key() {
    let (host, flights) = open();
    let flight = lead(flights.join(&host, key("a"), stream(1), T0));
    let waiting = wait(flights.join(&host, key("a"), stream(2), T0));
    let _moved = lead(flights.rejoin(&host, waiting, key("a, br"), after(1)));
    flights.land(&host, flight, Landing::Stored, after(2));
    assert_eq!(host.take_woken(), []);
    assert_eq!(flights.waiting_here(), 0);
}

#[test]
fn a_stream_that_can_not_be_woken_leads_or_passes() {
    let (host, flights) = open();
    let deaf = Waker { queue: 0, stream: 1 };
    let _flight = lead(flights.join(&host, key("a"), deaf, T0));
    assert_eq!(flights.join(&host, key("a"), deaf, T0), Joined::Pass(Why::Unwakeable));
}

#[test]
fn one_refresh_at_a_time_and_none_while_it_is_fetched_anyway() {
    let (host, here) = open();
    let there = Flights::open(&host, "t", LIMITS);
    let lease = Nanos::from_secs(30);
    let refresh = here.refreshing(&host, key("a"), lease, T0).unwrap();
    assert_eq!(there.refreshing(&host, key("a"), lease, after(29_999)), None);
    let waiting = wait(there.join(&host, key("a"), stream(1), T0));
    let told = Flight::from_bytes(&refresh.to_bytes()).unwrap();
    assert_eq!(told, refresh);
    there.land(&host, told, Landing::Stored, T0);
    assert_eq!(host.take_woken(), [stream(1)]);
    there.leave(&host, &waiting);
    assert_eq!(here.refreshing(&host, key("a"), lease, T0), None, "it was stored just now");
    let flight = lead(here.join(&host, key("b"), stream(2), T0));
    assert_eq!(here.refreshing(&host, key("b"), lease, T0), None);
    here.land(&host, flight, Landing::Failed, T0);
    assert_eq!(here.refreshing(&host, key("b"), lease, T0), None, "not after a failure");
    assert!(here.refreshing(&host, key("b"), lease, T0 + FAILING).is_some());
}

#[test]
fn bytes_of_another_length_are_no_flight() {
    for len in [0, 16, 23, 25] {
        assert_eq!(Flight::from_bytes(&vec![1; len]), None, "{len}");
    }
}

/// Keys of one bucket: as many as are asked for.
fn of_one_bucket(n: usize) -> Vec<Tag> {
    let secret = Secret::new([3; 16]);
    let tags = (0..u64::MAX).map(|n| secret.tag(&n.to_le_bytes()));
    tags.filter(|tag| tag.to_bytes()[0] == 0).take(n).collect()
}

#[test]
fn a_full_bucket_forgets_memories_and_never_a_flight() {
    let (host, flights) = open();
    let keys = of_one_bucket(MAX_KEYS + 2);
    for key in &keys[..MAX_KEYS] {
        let flight = lead(flights.join(&host, *key, stream(1), T0));
        flights.land(&host, flight, Landing::Uncacheable(Refusal::NoStore), T0);
    }
    let _flight = lead(flights.join(&host, keys[MAX_KEYS], stream(1), T0));
    let passing =
        |key: &&Tag| matches!(flights.status_of(&host, **key, T0), Status::Uncacheable { .. });
    assert_eq!(keys.iter().filter(passing).count(), MAX_KEYS - 1);
    for key in &keys[..MAX_KEYS] {
        let _flight = lead(flights.join(&host, *key, stream(2), T0 + LIMITS.remember));
    }
    let (host, flights) = open();
    for key in &keys[..MAX_KEYS] {
        let _flight = lead(flights.join(&host, *key, stream(1), T0));
    }
    let full = flights.join(&host, keys[MAX_KEYS], stream(1), T0);
    assert_eq!(full, Joined::Pass(Why::Full));
    flights.stored(&host, keys[MAX_KEYS], T0);
    assert_eq!(flights.refreshing(&host, keys[MAX_KEYS], FAILING, T0), None);
    let over = after(5_000) + FAILING;
    let _flight = lead(flights.join(&host, keys[MAX_KEYS], stream(1), over));
}

#[test]
fn what_it_costs_of_shared_data() {
    let (host, flights) = open();
    assert_eq!(host.shared_keys().len(), N_BUCKETS as usize);
    let cost = |what: &mut dyn FnMut()| {
        let (gets, sets) = host.shared_ops();
        what();
        let (gets_now, sets_now) = host.shared_ops();
        (gets_now - gets, sets_now - sets)
    };
    let mut flight = None;
    assert_eq!(
        cost(&mut || flight = Some(lead(flights.join(&host, key("a"), stream(1), T0)))),
        (1, 1)
    );
    let mut waiting = None;
    assert_eq!(
        cost(&mut || waiting = Some(wait(flights.join(&host, key("a"), stream(2), T0)))),
        (1, 1)
    );
    assert_eq!(cost(&mut || assert_eq!(flights.on_tick(&host, after(9_000)), 1)), (0, 0));
    let landing = Landing::Uncacheable(Refusal::NoStore);
    assert_eq!(cost(&mut || flights.land(&host, flight.take().unwrap(), landing, T0)), (1, 1));
    let passing = Joined::Pass(Why::Uncacheable(Refusal::NoStore));
    assert_eq!(
        cost(&mut || assert_eq!(flights.join(&host, key("a"), stream(3), T0), passing)),
        (1, 0)
    );
    assert_eq!(cost(&mut || flights.leave(&host, &waiting.take().unwrap())), (1, 0));
}

/// Shared data that can not be had collapses nothing and holds nobody.
#[test]
fn a_table_that_is_always_contended_lets_everything_pass() {
    let (host, flights) = open();
    host.schedule_conflicts(u32::MAX);
    let passed = flights.join(&host, key("a"), stream(1), T0);
    assert_eq!(passed, Joined::Pass(Why::Store));
    assert_eq!(flights.waiting_here(), 0);
}
