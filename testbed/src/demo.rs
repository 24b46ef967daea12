//! The story that the local stack tells: each promise of the gateway, done and seen.
//!
//! Every step says what was done, what was seen, and PASS or FAIL. Steps use routes of their own and keys that are
//! fresh for each run, so that a story can be told again at once. The last step compares Prometheus with what was sent;
//! other traffic at the same time makes it fail, and it says by how much.

pub mod balance;
pub mod breaker;
pub mod cache;
pub mod check;
pub mod client;
pub mod find;
pub mod limit;
pub mod numbers;
pub mod report;

use client::Client;
use numbers::Numbers;
use report::Report;

use crate::stack::run::Stop;
use crate::stack::state::State;

/// Tells the whole story against a running stack and says how many steps failed.
pub fn play(state: &State, stop: &Stop) -> Report {
    let mut report = Report::default();
    let client = Client::new(state);
    let mut before = Err("the story had no beginning".to_owned());
    report.step("the gateway stands before the service", stop, |step| {
        state.wait_until_balanced(stop).map_err(|e| e.to_string())?;
        let seen = client.get("/hello")?;
        step.did("GET /hello");
        step.saw(&seen.line());
        before = Numbers::of_envoy(&client);
        seen.expect(200)?;
        before.as_ref().map(|_| ()).map_err(Clone::clone)
    });
    report.step("balancing spreads requests evenly", stop, |step| balance::spread(&client, step));
    report.step("an ill instance is taken out and returns", stop, |step| {
        balance::ill(&client, stop, step)
    });
    report.step("a killed instance is taken out and returns", stop, |step| {
        balance::killed(&client, stop, step)
    });
    report.step("the request after the last admitted one is answered with 429", stop, |step| {
        limit::limited(&client, step)
    });
    report.step("the second GET is a hit", stop, |step| cache::hit(&client, step));
    report.step("failures open the breaker", stop, |step| breaker::opens(&client, stop, step));
    report.step("the breaker probes and closes", stop, |step| breaker::closes(&client, stop, step));
    report.step("the numbers in Prometheus equal what was sent", stop, |step| {
        numbers::equal(&client, before.as_ref().map_err(Clone::clone)?, stop, step)
    });
    report
}
