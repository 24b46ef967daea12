//! A breaker, its settings and a clock.
#![allow(dead_code, reason = "each test file uses a part of it")]

use kit::Nanos;
use kit::units::Ratio;
use weir_circuit_breaker::breaker::backoff::OpenTime;
use weir_circuit_breaker::breaker::settings::{ProbeMethods, Probing, Settings, Trip};
use weir_circuit_breaker::breaker::window::Span;
use weir_circuit_breaker::breaker::{
    Asker, Breaker, Decision, Effects, Event, State, Ticket, Transition,
};

pub(crate) fn secs(n: u64) -> Nanos {
    Nanos::from_secs(n)
}

pub(crate) fn settings() -> Settings {
    Settings {
        consecutive: Some(5),
        ratio: Some(Trip { threshold: Ratio::from_percent(50), min_requests: 10 }),
        slow: None,
        window: Span::Time(secs(60)),
        shedding: None,
        open: OpenTime { base: secs(60), growth: 200, max: secs(600), jitter: Ratio::ZERO },
        probes: Probing {
            at_once: 1,
            n_successes: 2,
            n_failures: 1,
            lease: secs(30),
            methods: ProbeMethods::SafeFirst,
        },
        ramp: None,
    }
}

pub(crate) fn success(ticket: Ticket) -> Event {
    Event::Success { ticket, is_slow: false }
}

pub(crate) fn failure(ticket: Ticket) -> Event {
    Event::Failure { ticket, is_slow: false, luck: 0, come_back: Nanos::ZERO }
}

/// A breaker, its settings and a clock in seconds.
pub(crate) struct Bench {
    pub(crate) breaker: Breaker,
    pub(crate) settings: Settings,
    pub(crate) now: Nanos,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { breaker: Breaker::default(), settings, now: secs(1_000) }
    }

    /// One that just opened after five failures.
    pub(crate) fn opened() -> Self {
        let mut bench = Self::new(settings());
        for _ in 0..5 {
            bench.fail();
        }
        assert_eq!(bench.breaker.state, State::Open);
        bench
    }

    pub(crate) fn step(&mut self, event: Event) -> Effects {
        let (next, effects) = self.breaker.step(&self.settings, event, self.now);
        self.breaker = next;
        effects
    }

    pub(crate) fn ask(&mut self, is_safe: bool) -> Decision {
        let asker = if is_safe { Asker::Safe } else { Asker::Unsafe };
        self.step(Event::Ask { asker, luck: 0 }).decision.unwrap()
    }

    pub(crate) fn probe(&mut self) -> Ticket {
        let decision = self.ask(true);
        let Decision::Probe(ticket) = decision else { panic!("{decision:?}") };
        ticket
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { admitted_at: self.now, permit: None }
    }

    pub(crate) fn fail(&mut self) -> Option<Transition> {
        self.step(failure(self.ticket())).transition
    }

    pub(crate) fn succeed(&mut self) -> Option<Transition> {
        self.step(success(self.ticket())).transition
    }

    pub(crate) fn wait(&mut self, n: u64) -> &mut Self {
        self.now = self.now.saturating_add(secs(n));
        self
    }
}
