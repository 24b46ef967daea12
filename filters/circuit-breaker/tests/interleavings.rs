//! Every order in which requests on several workers can read, swap and end, and every instant at which a
//! worker can die: an exhaustive exploration of the machine under the protocol of `policy`.
//!
//! A request is a little program of atomic operations on the shared cell (get, compare-and-swap) and the gauge
//! (read, add). The explorer runs any next operation of any request, lets time pass, lets one worker die,
//! and visits every state that can be reached; in each the invariants are checked.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use kit::Nanos;
use kit::units::Ratio;
use weir_circuit_breaker::breaker::backoff::OpenTime;
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Probing, Settings};
use weir_circuit_breaker::breaker::window::Span;
use weir_circuit_breaker::breaker::{Asker, Breaker, Decision, Effects, Event, State, Ticket};

fn secs(n: u8) -> Nanos {
    Nanos::from_secs(u64::from(n))
}

fn settings(at_once: u8) -> Settings {
    Settings {
        consecutive: Some(1),
        ratio: None,
        slow: None,
        window: Span::Time(secs(10)),
        shedding: None,
        open: OpenTime { base: secs(1), max: secs(2), jitter: Ratio::ZERO },
        probes: Probing {
            at_once,
            n_successes: 2,
            n_failures: 1,
            lease: secs(2),
            methods: ProbeMethods::Any,
        },
        ramp: None,
    }
}

/// What a request does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    /// Comes: its worker reads the gauge.
    New,
    /// Its worker reads the breaker.
    Read { event: Event, now: u8, raised: i8 },
    /// It is about to open the breaker: its worker raises the gauge.
    Raise { event: Event, now: u8, is_fresh: bool, next: Breaker, effects: Effects },
    /// Its worker swaps what it read for what follows; a swap that must fail is a new [`Request::Read`].
    Swap { event: Event, now: u8, raised: i8, next: Breaker, effects: Effects },
    /// Its worker corrects the gauge by this.
    Correct(i8),
    /// It is at the upstream.
    Passing(Ticket),
    /// It is over.
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    now: u8,
    /// Time stops here.
    end: u8,
    breaker: Breaker,
    gauge: i8,
    may_die: bool,
    requests: Vec<Request>,
}

impl World {
    fn new(n_requests: usize, may_die: bool, end: u8) -> Self {
        Self {
            now: 0,
            end,
            breaker: Breaker::default(),
            gauge: 0,
            may_die,
            requests: vec![Request::New; n_requests],
        }
    }

    /// Every world that can follow.
    fn successors(&self, settings: &Settings) -> Vec<Self> {
        let mut all = Vec::new();
        if self.now < self.end {
            all.push(Self { now: self.now + 1, ..self.clone() });
        }
        for idx in 0..self.requests.len() {
            let request = self.requests[idx];
            let mut go = |request: Request, edit: &dyn Fn(&mut Self)| {
                let mut next = self.clone();
                edit(&mut next);
                next.requests[idx] = request;
                all.push(next);
            };
            if self.may_die && !matches!(request, Request::New | Request::Over) {
                go(Request::Over, &|world| world.may_die = false);
            }
            let now = self.now;
            match request {
                Request::Over => {}
                Request::New if self.gauge == 0 => {
                    assert_eq!(self.breaker.state, State::Closed, "passes unread: {self:?}");
                    go(Request::Passing(Ticket { admitted_at: secs(now), permit: None }), &|_| {});
                }
                Request::New => {
                    let event = Event::Ask { asker: Asker::Safe, luck: 0 };
                    go(Request::Read { event, now, raised: 0 }, &|_| {});
                }
                Request::Passing(ticket) => {
                    for event in [
                        Event::Success { ticket, is_slow: false },
                        Event::Failure { ticket, is_slow: false, luck: 0, come_back: Nanos::ZERO },
                        Event::Nothing(ticket),
                    ] {
                        go(Request::Read { event, now, raised: 0 }, &|_| {});
                    }
                }
                Request::Read { event, now, raised } => {
                    let (next, effects) = self.breaker.step(settings, event, secs(now));
                    let is_opening =
                        self.breaker.state == State::Closed && next.state != State::Closed;
                    let follows = if next == self.breaker {
                        assert_eq!(effects.transition, None);
                        after(&effects, raised)
                    } else if is_opening && raised == 0 {
                        Request::Raise { event, now, is_fresh: true, next, effects }
                    } else {
                        Request::Swap { event, now, raised, next, effects }
                    };
                    go(follows, &|_| {});
                }
                Request::Raise { event, now, is_fresh, next, effects } => {
                    let raised = 1;
                    let follows = if is_fresh {
                        Request::Swap { event, now, raised, next, effects }
                    } else {
                        Request::Read { event, now, raised }
                    };
                    go(follows, &|world| world.gauge += 1);
                }
                Request::Swap { now, raised, next, effects, .. } => {
                    self.check_swap(&next, &effects, now);
                    go(after(&effects, raised), &|world| world.store(next));
                }
                Request::Correct(by) => go(Request::Over, &|world| world.gauge += by),
            }
        }
        all
    }

    /// Another version of the breaker: what was read before can not be swapped any more.
    fn store(&mut self, breaker: Breaker) {
        self.breaker = breaker;
        for request in &mut self.requests {
            if let Request::Raise { is_fresh, .. } = request {
                *is_fresh = false;
            } else if let Request::Swap { event, now, raised, .. } = request {
                *request = Request::Read { event: *event, now: *now, raised: *raised };
            }
        }
    }

    /// A swap that holds tells of a transition if and only if it is one, and none comes too early.
    fn check_swap(&self, next: &Breaker, effects: &Effects, now: u8) {
        let told = effects.transition.map(|transition| (transition.from, transition.to));
        let made = (self.breaker.state != next.state).then_some((self.breaker.state, next.state));
        assert_eq!(told, made, "{self:?}");
        if made == Some((State::Open, State::HalfOpen)) {
            assert!(secs(now) >= self.breaker.retry_at(), "{self:?}");
        }
    }

    fn check(&self, settings: &Settings) {
        let is_out = i8::from(self.breaker.state != State::Closed);
        assert!(self.gauge >= is_out, "{self:?}");
        let n_probes = self.requests.iter().filter(|request| {
            matches!(request, Request::Passing(Ticket { admitted_at, permit: Some(_) })
                if secs(self.now) < admitted_at.saturating_add(settings.probes.lease))
        });
        assert!(n_probes.count() <= usize::from(settings.probes.at_once), "{self:?}");
        self.check_exit(settings);
    }

    /// Left alone and then used by a healthy upstream's clients, it closes; the permits out there are no hindrance.
    fn check_exit(&self, settings: &Settings) {
        let now = secs(100);
        let mut breaker = self.breaker;
        for _ in 0..settings.probes.n_successes {
            let (next, effects) =
                breaker.step(settings, Event::Ask { asker: Asker::Safe, luck: 0 }, now);
            let event = match effects.decision {
                Some(Decision::Admit(ticket) | Decision::Probe(ticket)) => {
                    Event::Success { ticket, is_slow: false }
                }
                other => panic!("no exit: {other:?} {self:?}"),
            };
            breaker = next.step(settings, event, now).0;
        }
        assert_eq!(breaker.state, State::Closed, "{self:?}");
    }

    /// 128 bits of this world, the same for any order of its requests: they are all alike.
    fn digest(mut self) -> [u64; 2] {
        self.requests.sort_by_key(|request| digest(request, 0));
        [digest(&self, 1), digest(&self, 2)]
    }
}

fn digest<T: Hash>(value: &T, salt: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(salt);
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a request does after a step that took effect.
fn after(effects: &Effects, raised: i8) -> Request {
    let is_out = |state: State| i8::from(state != State::Closed);
    let change = effects.transition.map_or(0, |done| is_out(done.to) - is_out(done.from));
    match effects.decision {
        Some(Decision::Admit(ticket) | Decision::Probe(ticket)) => Request::Passing(ticket),
        Some(Decision::Reject { .. }) | None if change != raised => {
            Request::Correct(change - raised)
        }
        Some(Decision::Reject { .. }) | None => Request::Over,
    }
}

/// Visits every world; gives their number and the states of the breaker that were seen.
fn explore(n_requests: usize, at_once: u8, may_die: bool, end: u8) -> (usize, BTreeSet<u8>) {
    let settings = settings(at_once);
    let mut known = HashSet::new();
    let mut states = BTreeSet::new();
    let mut open = vec![World::new(n_requests, may_die, end)];
    while let Some(world) = open.pop() {
        if !known.insert(world.clone().digest()) {
            continue;
        }
        world.check(&settings);
        states.insert(world.breaker.state as u8);
        open.extend(world.successors(&settings));
    }
    (known.len(), states)
}

#[test]
fn three_requests_in_every_order_and_a_death_at_any_instant_break_no_promise() {
    let (n_worlds, states) = explore(3, 1, true, 4);
    assert!(n_worlds > 100_000, "{n_worlds}");
    assert_eq!(states.len(), 3, "closed, half-open and open are all reached");
}

#[test]
fn two_probes_at_a_time_are_never_three() {
    let (n_worlds, states) = explore(4, 2, false, 2);
    assert!(n_worlds > 100_000, "{n_worlds}");
    assert_eq!(states.len(), 3);
}
