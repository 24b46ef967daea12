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
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Probing, Ramp, Settings, Trip};
use weir_circuit_breaker::breaker::shedding::Shedding;
use weir_circuit_breaker::breaker::window::Span;
use weir_circuit_breaker::breaker::{
    Asker, Breaker, Control, Decision, Effects, Event, Held, State, Ticket,
};

fn secs(n: u8) -> Nanos {
    Nanos::from_secs(u64::from(n))
}

fn settings(at_once: u8, has_ramp: bool) -> Settings {
    let shares = [Ratio::from_percent(50)].into();
    let ramp = Ramp { time: secs(1), shares, n_failures: 1 };
    Settings {
        consecutive: Some(1),
        ratio: None,
        slow: None,
        window: Span::Time(secs(10)),
        shedding: None,
        open: OpenTime { base: secs(1), growth: 200, max: secs(2), jitter: Ratio::ZERO },
        probes: Probing {
            at_once,
            n_successes: 2,
            n_failures: 1,
            lease: secs(2),
            methods: ProbeMethods::Any,
        },
        ramp: has_ramp.then_some(ramp),
    }
}

/// What a request does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    /// Comes: its worker reads the gauge.
    New,
    /// No request, but an operator, or a worker's timer: comes with this event.
    Act(Event),
    /// Its worker reads the breaker.
    Read { event: Event, now: u8, raised: i8 },
    /// It is about to open the breaker: its worker raises the gauge.
    Raise { event: Event, now: u8, is_fresh: bool, step: Step },
    /// Its worker swaps what it read for what follows; a swap that must fail is a new [`Request::Read`].
    Swap { event: Event, now: u8, raised: i8, step: Step },
    /// Its worker corrects the gauge by this.
    Correct(i8),
    /// It is at the upstream.
    Passing(Ticket),
    /// It is over.
    Over,
}

/// What a worker is about to store, and what it will then have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Step {
    next: Breaker,
    effects: Effects,
    /// By how much it changes the number of breakers that are out.
    change: i8,
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
    fn new(requests: Vec<Request>, may_die: bool, end: u8) -> Self {
        Self { now: 0, end, breaker: Breaker::default(), gauge: 0, may_die, requests }
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
                    assert!(!self.breaker.is_out(), "passes unread: {self:?}");
                    go(Request::Passing(Ticket { admitted_at: secs(now), permit: None }), &|_| {});
                }
                Request::New => {
                    // With a ramp chance decides: it may be either.
                    let lucks: &[u64] = if settings.ramp.is_some() { &[0, u64::MAX] } else { &[0] };
                    for luck in lucks {
                        let event = Event::Ask { asker: Asker::Safe, luck: *luck };
                        go(Request::Read { event, now, raised: 0 }, &|_| {});
                    }
                }
                Request::Act(event) => go(Request::Read { event, now, raised: 0 }, &|_| {}),
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
                    let change = i8::from(next.is_out()) - i8::from(self.breaker.is_out());
                    let step = Step { next, effects, change };
                    let follows = if next == self.breaker {
                        assert_eq!(effects.transition, None);
                        after(&step, raised)
                    } else if change > 0 && raised == 0 {
                        Request::Raise { event, now, is_fresh: true, step }
                    } else {
                        Request::Swap { event, now, raised, step }
                    };
                    go(follows, &|_| {});
                }
                Request::Raise { event, now, is_fresh, step } => {
                    let raised = 1;
                    let follows = if is_fresh {
                        Request::Swap { event, now, raised, step }
                    } else {
                        Request::Read { event, now, raised }
                    };
                    go(follows, &|world| world.gauge += 1);
                }
                Request::Swap { now, raised, step, .. } => {
                    self.check_swap(&step, now);
                    go(after(&step, raised), &|world| world.store(step.next));
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
    fn check_swap(&self, step: &Step, now: u8) {
        let told = step.effects.transition.map(|transition| (transition.from, transition.to));
        let (from, to) = (self.breaker.shown(), step.next.shown());
        assert_eq!(told, (from != to).then_some((from, to)), "{self:?}");
        if (self.breaker.state, step.next.state) == (State::Open, State::HalfOpen) {
            assert!(secs(now) >= self.breaker.retry_at(), "{self:?}");
        }
    }

    fn check(&self, settings: &Settings) {
        assert!(self.gauge >= i8::from(self.breaker.is_out()), "{self:?}");
        let n_probes = self.requests.iter().filter(|request| {
            matches!(request, Request::Passing(Ticket { admitted_at, permit: Some(_) })
                if secs(self.now) < admitted_at.saturating_add(settings.probes.lease))
        });
        assert!(n_probes.count() <= usize::from(settings.probes.at_once), "{self:?}");
        self.check_exit(settings);
    }

    /// Let go of, left alone and then used by a healthy upstream's clients, it closes; the permits out there are no
    /// hindrance.
    fn check_exit(&self, settings: &Settings) {
        let now = secs(100);
        let mut breaker = self.breaker.step(settings, Event::Hold(None), now).0;
        for _ in 0..settings.probes.n_successes {
            let ask = Event::Ask { asker: Asker::Safe, luck: 0 };
            let (next, effects) = breaker.step(settings, ask, now);
            let event = match effects.decision {
                Some(Decision::Admit(ticket) | Decision::Probe(ticket)) => {
                    Event::Success { ticket, is_slow: false }
                }
                other => panic!("no exit: {other:?} {self:?}"),
            };
            breaker = next.step(settings, event, now).0;
        }
        let (breaker, _) = breaker.step(settings, Event::Look, secs(101));
        assert_eq!(breaker.shown(), State::Closed, "{self:?}");
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
fn after(step: &Step, raised: i8) -> Request {
    match step.effects.decision {
        Some(Decision::Admit(ticket) | Decision::Probe(ticket)) => Request::Passing(ticket),
        Some(Decision::Reject { .. }) | None if step.change != raised => {
            Request::Correct(step.change - raised)
        }
        Some(Decision::Reject { .. }) | None => Request::Over,
    }
}

/// Visits every world; gives their number and the states of the breaker that were seen.
fn explore(
    settings: &Settings,
    requests: Vec<Request>,
    may_die: bool,
    end: u8,
) -> (usize, BTreeSet<State>) {
    let mut known = HashSet::new();
    let mut states = BTreeSet::new();
    let mut open = vec![World::new(requests, may_die, end)];
    while let Some(world) = open.pop() {
        if !known.insert(world.clone().digest()) {
            continue;
        }
        world.check(settings);
        states.insert(world.breaker.shown());
        open.extend(world.successors(settings));
    }
    (known.len(), states)
}

#[test]
fn three_requests_in_every_order_and_a_death_at_any_instant_break_no_promise() {
    let (n_worlds, states) = explore(&settings(1, false), vec![Request::New; 3], true, 4);
    assert!(n_worlds > 100_000, "{n_worlds}");
    assert_eq!(states.len(), 3, "closed, half-open and open are all reached");
}

#[test]
fn two_probes_at_a_time_are_never_three() {
    let (n_worlds, states) = explore(&settings(2, false), vec![Request::New; 4], false, 2);
    assert!(n_worlds > 100_000, "{n_worlds}");
    assert_eq!(states.len(), 3);
}

#[test]
fn an_operator_and_a_timer_among_the_requests_break_no_promise() {
    let held = Held { control: Control::ForceOpen, until: Some(secs(2)) };
    let mut requests = vec![Request::New; 2];
    requests.push(Request::Act(Event::Hold(Some(held))));
    requests.push(Request::Act(Event::Look));
    let (n_worlds, states) = explore(&settings(1, false), requests, false, 3);
    assert!(n_worlds > 20_000, "{n_worlds}");
    assert!(states.contains(&State::Open) && states.contains(&State::Closed));
}

#[test]
fn a_ramp_among_the_requests_breaks_no_promise() {
    let settings = Settings {
        probes: Probing { n_successes: 1, ..settings(1, true).probes },
        ..settings(1, true)
    };
    let (n_worlds, states) = explore(&settings, vec![Request::New; 3], false, 3);
    assert!(n_worlds > 50_000, "{n_worlds}");
    assert_eq!(states.len(), 4, "closed, open, half-open and recovering: {states:?}");
}

#[test]
fn shedding_among_the_requests_breaks_no_promise() {
    let shedding =
        Shedding { headroom: 1_500, min_requests: 2, max_share: Ratio::from_percent(90) };
    let trip = Trip { threshold: Ratio::ONE, min_requests: 3 };
    let settings = Settings {
        consecutive: None,
        ratio: Some(trip),
        shedding: Some(shedding),
        ..settings(1, false)
    };
    let requests = vec![Request::New; 4];
    let (n_worlds, states) = explore(&settings, requests, false, 1);
    assert!(n_worlds > 20_000, "{n_worlds}");
    assert!(states.contains(&State::Shedding) && states.contains(&State::Open), "{states:?}");
}
