//! The breaker on the route `fragile`: five failures in a row open it for two seconds.

use std::time::Duration;

use super::client::{Client, Seen};
use super::report::Step;
use crate::stack::run::Stop;

/// As in `testbed/envoy/envoy.yaml`.
const FAILURES: u64 = 5;
/// The breaker opens for 2 s and a tenth; longer if it was opened again and again.
const PROBES_WITHIN: Duration = Duration::from_secs(30);
/// Requests that must pass once the breaker has closed: more than it takes to close it.
const AFTERWARDS: u64 = 10;

/// After so many failures the next request does not reach the service.
///
/// # Errors
/// Why it failed.
pub fn opens(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    recover(client, stop)?;
    let path = format!("/fragile/{}/status/503", client.run);
    for number in 1..=FAILURES {
        let seen = client.get(&path)?;
        if seen.status != 503 || seen.instance().is_empty() {
            return Err(format!(
                "request {number}: expected the service's own 503, got {}",
                seen.line()
            ));
        }
    }
    step.did(&format!("sent {FAILURES} requests that the service answers with 503"));
    let rejected = client.get(&path)?;
    step.did("sent one more");
    step.saw(&rejected.line());
    rejected.expect(503)?;
    if !is_breakers(&rejected) {
        return Err("this 503 is not the breaker's".to_owned());
    }
    let n_arrived = client.n_arrived(&path)?;
    step.saw(&format!("{n_arrived} of {} requests arrived at the service", FAILURES + 1));
    if n_arrived == FAILURES {
        Ok(())
    } else {
        Err(format!("expected {FAILURES}, {n_arrived} arrived"))
    }
}

/// After its open time the breaker lets probes pass, and closes when they go well.
///
/// # Errors
/// Why it failed.
pub fn closes(client: &Client, stop: &Stop, step: &Step) -> Result<(), String> {
    step.did("sent good requests until the breaker let one pass");
    recover(client, stop)?;
    for number in 1..=AFTERWARDS {
        client
            .get("/fragile")?
            .expect(200)
            .map_err(|why| format!("request {number} afterwards: {why}"))?;
    }
    step.did(&format!("sent {AFTERWARDS} more"));
    step.saw("every one answered with 200 by the service");
    Ok(())
}

/// Sends good requests until several pass one after the other.
fn recover(client: &Client, stop: &Stop) -> Result<(), String> {
    let mut last = Ok(());
    let passed = stop.or_until(PROBES_WITHIN, || {
        last = (0..3).try_for_each(|_| client.get("/fragile")?.expect(200));
        last.is_ok().then_some(())
    });
    match passed {
        Some(()) => Ok(()),
        None => {
            last.map_err(|why| format!("not closed within {} s: {why}", PROBES_WITHIN.as_secs()))
        }
    }
}

/// Its own answers bear its name and say when to come back, and no instance's name.
fn is_breakers(seen: &Seen) -> bool {
    let told = seen.header("retry-after").parse::<u64>().is_ok();
    told && !seen.header("x-weir-breaker").is_empty() && seen.instance().is_empty()
}
