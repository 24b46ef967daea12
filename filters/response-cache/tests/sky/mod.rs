//! Streams of several workers that want one key: each step of each of them may come before or after any other's.
//!
//! What is chosen next comes from outside, so that one test can try all orders of a few streams
//! and another many orders of more. The rules that must hold in every order are checked at each step.
#![allow(unreachable_pub, reason = "a module of several test programs")]

use kit::Nanos;
use kit::exchange::Waker;
use kit::fake::FakeHost;
use kit::hash::{Secret, Tag};
use weir_response_cache::signals::Refusal;
use weir_response_cache::store::flights::{
    Flight, Flights, Joined, Landing, Limits, Status, Waiting, Why,
};

pub const LIMITS: Limits =
    Limits { timeout: Nanos::from_secs(5), remember: Nanos::from_secs(10), max_waiting: 64 };
pub const TICK: Nanos = Nanos::from_secs(1);
const T0: Nanos = Nanos::from_secs(100);

/// What may happen besides the ordinary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// How many leaders end otherwise than with a stored answer.
    pub bad_endings: usize,
    /// Messages may be lost, streams may leave, swaps may conflict, time may pass between any two steps.
    pub wild: bool,
}

#[derive(Debug)]
enum State {
    /// Looks into the store next; has waited if there is a waiting.
    Look(Option<Waiting>),
    /// Has found nothing there.
    Ask(Option<Waiting>),
    Wait(Waiting),
    Fetch(Flight),
    Put(Flight),
    Land(Flight, Landing),
    /// Fetches for itself.
    Alone,
    Done,
}

#[derive(Debug)]
struct Stream {
    state: State,
    worker: usize,
    me: Waker,
    /// Messages on their way to it.
    messages: usize,
    asked: Nanos,
}

/// One step that could come next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Go(usize),
    /// The leader ends in this way.
    End(usize, Option<Landing>),
    Deliver(usize),
    Lose(usize),
    Leave(usize),
    Tick,
    Conflicts,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub n_led: usize,
    pub n_alone: usize,
    pub n_ticks: usize,
    pub n_bad: usize,
    pub longest: Nanos,
}

pub struct Sky {
    host: FakeHost,
    workers: Vec<Flights>,
    streams: Vec<Stream>,
    key: Tag,
    stored: bool,
    now: Nanos,
    trouble: Trouble,
    /// When the flights began that have not landed.
    leaders: Vec<(Flight, Nanos)>,
    outcome: Outcome,
}

impl Sky {
    pub fn new(n_workers: usize, n_streams: usize, trouble: Trouble) -> Self {
        let host = FakeHost::default();
        let workers = (0..n_workers).map(|_| Flights::open(&host, "t", LIMITS)).collect();
        let stream = |n: usize| {
            let worker = n % n_workers;
            let number = |n: usize| u32::try_from(n).unwrap();
            let me = Waker { queue: number(worker) + 1, stream: number(n) };
            Stream { state: State::Look(None), worker, me, messages: 0, asked: T0 }
        };
        Self {
            host,
            workers,
            streams: (0..n_streams).map(stream).collect(),
            key: Secret::new([3; 16]).tag(b"key"),
            stored: false,
            now: T0,
            trouble,
            leaders: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Runs until all are done; `choose(n)` says which of `n` possible steps comes next.
    ///
    /// When it says nothing, nothing more goes wrong, and the first possible step comes next.
    pub fn run(mut self, mut choose: impl FnMut(usize) -> Option<usize>) -> Outcome {
        for _ in 0..10_000 {
            let mut steps = self.steps();
            if steps.is_empty() {
                if self.streams.iter().all(|stream| matches!(stream.state, State::Done)) {
                    return self.finish();
                }
                steps.push(Step::Tick);
            }
            let chosen = if steps.len() == 1 { Some(0) } else { choose(steps.len()) };
            if chosen.is_none() && self.trouble.wild {
                self.trouble.wild = false;
                continue;
            }
            self.step(steps[chosen.unwrap_or(0)]);
            for woken in self.host.take_woken() {
                self.streams[woken.stream as usize].messages += 1;
            }
        }
        panic!("somebody waits for ever");
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let may_end_badly = self.outcome.n_bad < self.trouble.bad_endings;
        for (n, stream) in self.streams.iter().enumerate() {
            match &stream.state {
                State::Fetch(_) => {
                    steps.push(Step::Go(n));
                    if may_end_badly {
                        let uncacheable = Landing::Uncacheable(Refusal::Private);
                        for how in
                            [uncacheable, Landing::Failed, Landing::Unshared, Landing::Abandoned]
                        {
                            steps.push(Step::End(n, Some(how)));
                        }
                        steps.push(Step::End(n, None));
                    }
                }
                State::Wait(_) => {
                    if stream.messages > 0 {
                        steps.push(Step::Deliver(n));
                    }
                    if self.trouble.wild {
                        steps.push(Step::Leave(n));
                        if stream.messages > 0 {
                            steps.push(Step::Lose(n));
                        }
                    }
                }
                State::Done => {}
                State::Look(_) | State::Ask(_) | State::Put(_) | State::Land(..) | State::Alone => {
                    steps.push(Step::Go(n))
                }
            }
        }
        if self.trouble.wild && !steps.is_empty() {
            steps.extend([Step::Tick, Step::Conflicts]);
        }
        steps
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Go(n) => {
                let state = std::mem::replace(&mut self.streams[n].state, State::Done);
                self.streams[n].state = self.go(n, state);
            }
            Step::End(n, how) => {
                self.outcome.n_bad += 1;
                let state = std::mem::replace(&mut self.streams[n].state, State::Done);
                if let (State::Fetch(flight), Some(how)) = (state, how) {
                    self.streams[n].state = State::Land(flight, how);
                }
            }
            Step::Deliver(n) => {
                self.streams[n].messages -= 1;
                let state = std::mem::replace(&mut self.streams[n].state, State::Done);
                if let State::Wait(waiting) = state {
                    self.streams[n].state = State::Look(Some(waiting));
                }
            }
            Step::Lose(n) => self.streams[n].messages -= 1,
            Step::Leave(n) => {
                let state = std::mem::replace(&mut self.streams[n].state, State::Done);
                if let State::Wait(waiting) = state {
                    self.workers[self.streams[n].worker].leave(&self.host, &waiting);
                }
            }
            Step::Tick => {
                self.now += TICK;
                self.outcome.n_ticks += 1;
                for worker in &self.workers {
                    worker.on_tick(&self.host, self.now);
                }
            }
            Step::Conflicts => self.host.schedule_conflicts(3),
        }
    }

    fn go(&mut self, n: usize, state: State) -> State {
        let (host, now) = (&self.host, self.now);
        let (worker, me) = (&self.workers[self.streams[n].worker], self.streams[n].me);
        match state {
            State::Look(waiting) if self.stored => {
                if let Some(waiting) = waiting {
                    worker.leave(host, &waiting);
                }
                self.moved_on(n)
            }
            State::Look(waiting) => State::Ask(waiting),
            State::Ask(waiting) => {
                let joined = match waiting {
                    Some(waiting) => worker.rejoin(host, waiting, self.key, now),
                    None => {
                        self.streams[n].asked = now;
                        worker.join(host, self.key, me, now)
                    }
                };
                match joined {
                    Joined::Lead(flight) => {
                        self.check_alone_in_the_lead();
                        self.leaders.push((copy(&flight), now));
                        self.outcome.n_led += 1;
                        self.moved_on(n);
                        State::Fetch(flight)
                    }
                    Joined::Wait(waiting) => {
                        assert!(now < waiting.until(), "told to wait beyond its time");
                        State::Wait(waiting)
                    }
                    Joined::Landed(waiting) => State::Look(Some(waiting)),
                    Joined::Pass(why) => {
                        self.check_passing(why);
                        self.outcome.n_alone += 1;
                        self.moved_on(n);
                        State::Alone
                    }
                }
            }
            State::Fetch(flight) => State::Put(flight),
            State::Put(flight) => {
                self.stored = true;
                State::Land(flight, Landing::Stored)
            }
            State::Land(flight, how) => {
                self.leaders.retain(|(each, _)| *each != flight);
                worker.land(host, flight, how, now);
                State::Done
            }
            State::Alone | State::Done => State::Done,
            State::Wait(waiting) => State::Wait(waiting),
        }
    }

    /// It waits no longer: no longer than it may have.
    fn moved_on(&mut self, n: usize) -> State {
        let waited = self.now - self.streams[n].asked;
        self.outcome.longest = self.outcome.longest.max(waited);
        State::Done
    }

    /// Two lead at the same time only if the first is overdue.
    fn check_alone_in_the_lead(&self) {
        for (flight, began) in &self.leaders {
            assert!(*began + LIMITS.timeout <= self.now, "{flight:?} is under way");
        }
    }

    fn check_passing(&self, why: Why) {
        let good = match why {
            Why::Uncacheable(refusal) => refusal == Refusal::Private && self.outcome.n_bad > 0,
            Why::Failing => self.outcome.n_bad >= 3 || self.outcome.n_ticks > 0,
            Why::TimedOut => self.outcome.n_ticks > 0,
            Why::Waited => self.outcome.n_bad > 0 || self.outcome.n_ticks > 0,
            Why::Full | Why::UnderWay | Why::Unwakeable | Why::Store => false,
        };
        assert!(good, "{why:?} after {:?}", self.outcome);
    }

    /// Nobody is left on a list or with an alarm.
    fn finish(self) -> Outcome {
        for worker in &self.workers {
            assert_eq!(worker.waiting_here(), 0, "an alarm is left");
        }
        if let Status::UnderWay { waiting, .. } =
            self.workers[0].status_of(&self.host, self.key, self.now)
        {
            assert!(!self.leaders.is_empty(), "a flight has landed and is under way");
            assert_eq!(waiting, 0, "a stream is left on a list");
        }
        self.outcome
    }
}

/// Tests may hold a flight twice; a filter can not.
fn copy(flight: &Flight) -> Flight {
    Flight::from_bytes(&flight.to_bytes()).unwrap()
}
