//! Traffic for a running testbed to show: mixed, bounded in rate and time, told at the end.
//!
//! It goes through phases: calm, a service that fails, its recovery, a service that is slow, calm again.
//! The service is made so by its own switches (`/_control`), which are taken back at the end, also after Ctrl-C.
//! What is sent is decided by the number of the request alone ([`mix`]), so that each run is like the other.

mod clients;
pub mod mix;
pub mod phase;
pub mod tally;

use std::time::{Duration, Instant};

use clap::Parser;

use crate::demo::client::Client;
use crate::stack::run::Stop;
use crate::stack::state::State;
use clients::{Clients, Ticket};
use phase::Phase;
use tally::Tally;

/// How much is sent, and for how long.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "weir-traffic", version, max_term_width = 100)]
/// Sends mixed traffic through the gateway of the running testbed, and says at the end what became of it.
pub struct Plan {
    /// Seconds that it takes, 20 to 3600
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(20..=3600))]
    pub duration: u16,

    /// Requests a second, 10 to 1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(10..=1000))]
    pub rate: u16,
}

/// How long the last requests may take after the last one was sent; their own limit is 10 s.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// Sends the traffic; `progress` is told a line now and then.
///
/// # Errors
/// An instance of the service cannot be switched.
pub fn run(
    state: &State,
    plan: Plan,
    stop: &Stop,
    mut progress: impl FnMut(&str),
) -> Result<Tally, String> {
    let switches = Switches { client: Client::new(state) };
    let clients = Clients::start(state, plan.rate);
    let mut tally = Tally::default();
    let (total, rate) = (Duration::from_secs(plan.duration.into()), f64::from(plan.rate));
    let (started_at, mut phase, mut trouble) = (Instant::now(), Phase::Calm, None);
    let (mut n_sent, mut told_at) = (0_u64, None);
    // Looks every few milliseconds, and sends all that is due by then.
    stop.or_until(total + ENDS_WITHIN, || {
        let passed = started_at.elapsed().min(total);
        let now_in = Phase::at(passed.as_secs_f64() / total.as_secs_f64());
        if now_in != phase {
            trouble = switches.set(now_in).err();
            phase = now_in;
        }
        let n_due = (passed.as_secs_f64() * rate).floor();
        while (n_sent as f64) < n_due {
            if !clients.send(Ticket { number: n_sent, phase }) {
                tally.unsent();
            }
            n_sent += 1;
        }
        clients.answered().for_each(|answered| tally.count(&answered));
        if told_at.is_none_or(|at: Duration| passed >= at + Duration::from_secs(1)) {
            told_at = Some(passed);
            progress(&tally.progress(passed, total, phase));
        }
        (trouble.is_some() || (passed == total && clients.are_done())).then_some(())
    });
    drop(switches);
    clients.finish().for_each(|answered| tally.count(&answered));
    progress(&tally.progress(started_at.elapsed().min(total), total, phase));
    trouble.map_or(Ok(tally), Err)
}

/// The switches of the instances; taken back at the end, however it comes.
struct Switches {
    client: Client,
}

impl Switches {
    fn set(&self, phase: Phase) -> Result<(), String> {
        for (instance, change) in (1..).zip(phase.switches()) {
            self.client.switch(instance, &change)?;
        }
        Ok(())
    }
}

impl Drop for Switches {
    fn drop(&mut self) {
        // An instance that is gone has no switches left.
        let _ = self.set(Phase::Calm);
    }
}
